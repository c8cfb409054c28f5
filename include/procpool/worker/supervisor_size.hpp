// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Supervisor: how many workers there are: as many as are wanted, or fewer while there is nothing to do.

#include <procpool/core/config.hpp>
#include <procpool/worker/supervisor.hpp>

#if PROCPOOL_BODIES
#include <procpool/worker/supervisor_size.ipp>
#endif
