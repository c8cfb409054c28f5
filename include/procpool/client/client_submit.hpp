// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Client: submits tasks.

#include <procpool/client/client.hpp>
#include <procpool/core/config.hpp>

#if PROCPOOL_BODIES
#include <procpool/client/client_submit.ipp>
#endif
