// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Client: the pool's life: close, stop, join, refork.

#include <procpool/client/client.hpp>
#include <procpool/core/config.hpp>

#if PROCPOOL_BODIES
#include <procpool/client/client_life.ipp>
#endif
