// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Client: a picture of the tasks that have not ended.

#include <procpool/client/client.hpp>
#include <procpool/core/config.hpp>

#if PROCPOOL_BODIES
#include <procpool/client/client_graph.ipp>
#endif
