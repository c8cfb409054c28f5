// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Client: takes the results of tasks, and gives their slots and memory back.

#include <procpool/client/client.hpp>
#include <procpool/core/config.hpp>

#if PROCPOOL_BODIES
#include <procpool/client/client_collect.ipp>
#endif
