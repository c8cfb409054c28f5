// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Board: tasks that wait for others.

#include <procpool/core/config.hpp>
#include <procpool/task/board.hpp>

#if PROCPOOL_BODIES
#include <procpool/task/board_links.ipp>
#endif
