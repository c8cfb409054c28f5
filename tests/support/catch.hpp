// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Catch2, version 2.13 or 3.

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
