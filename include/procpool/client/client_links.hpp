// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Client: tasks that wait for other tasks.

#include <procpool/client/client.hpp>
#include <procpool/core/config.hpp>

#if PROCPOOL_BODIES
#include <procpool/client/client_links.ipp>
#endif
