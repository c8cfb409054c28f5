// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The library's version; CMakeLists.txt reads it from here.

#include <procpool/core/config.hpp>

#define PROCPOOL_VERSION_MAJOR 0
#define PROCPOOL_VERSION_MINOR 1
#define PROCPOOL_VERSION_PATCH 0
