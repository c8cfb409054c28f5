// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Client: tasks whose futures were dropped: gives their slots back, and tells their errors.

#include <procpool/client/client.hpp>
#include <procpool/core/config.hpp>

#if PROCPOOL_BODIES
#include <procpool/client/client_dropped.ipp>
#endif
