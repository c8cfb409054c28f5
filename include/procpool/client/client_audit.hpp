// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Client: finds and mends the damage that a task's wild writes have done to other tasks.

#include <procpool/client/client.hpp>
#include <procpool/core/config.hpp>

#if PROCPOOL_BODIES
#include <procpool/client/client_audit.ipp>
#endif
