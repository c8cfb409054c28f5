// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// MapDriver's second runs of chunks that take long.

#include <procpool/map/driver.hpp>

#if PROCPOOL_BODIES
#include <procpool/map/driver_hedging.ipp>
#endif
