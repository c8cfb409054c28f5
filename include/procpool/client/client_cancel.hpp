// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Client: withdraws tasks, asks them to stop, kills them.

#include <procpool/client/client.hpp>
#include <procpool/core/config.hpp>

#if PROCPOOL_BODIES
#include <procpool/client/client_cancel.ipp>
#endif
