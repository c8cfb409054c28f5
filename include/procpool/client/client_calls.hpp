// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Client: memory that the chunks of a call over many items have in common.

#include <procpool/client/client.hpp>
#include <procpool/core/config.hpp>

#if PROCPOOL_BODIES
#include <procpool/client/client_calls.ipp>
#endif
