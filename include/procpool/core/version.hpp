// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The library's version; CMakeLists.txt reads it from here.

#define PROCPOOL_VERSION_MAJOR 0
#define PROCPOOL_VERSION_MINOR 1
#define PROCPOOL_VERSION_PATCH 0
