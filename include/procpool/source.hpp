// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// All bodies of the compiled mode: included by one source of a program, or of the library that is linked to it.

#define PROCPOOL_SOURCE
#include <procpool/os/alarm.hpp>             // which mpi/ alone uses
#include <procpool/os/file_system.hpp>       // as persist/ does this
#include <procpool/os/inherited_stacks.hpp>  // mpi/
#include <procpool/os/shared_file.hpp>       // persist/
#include <procpool/procpool.hpp>
