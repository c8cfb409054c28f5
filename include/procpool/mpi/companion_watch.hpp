// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Companion: looks after its machines by the clock.

#include <procpool/core/config.hpp>
#include <procpool/mpi/companion.hpp>

#include <procpool/mpi/companion_watch.ipp>
