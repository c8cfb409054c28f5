// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Helpers of tests of pools that grow and shrink.

#include "faults/whole.hpp"

#include <cstddef>
#include <random>

namespace procpool_test {

[[nodiscard]] inline unsigned new_seed() {
    const unsigned seed = std::random_device{}();
    UNSCOPED_INFO("seed " << seed);
    return seed;
}

template <class P>
void wait_for_workers(const P& pool, std::size_t count) {
    wait_until([&] { return pool.workers().size() == count; }, "workers to come or go");
}

}  // namespace procpool_test
