// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// procpool, as an Executor.

#include <procpool/procpool.hpp>

#include <cstddef>

namespace benchmarks {

class Procpool {
public:
    explicit Procpool(std::size_t workers) : pool(workers) {}
    template <class F, class... Args>
    auto submit(F f, Args... args) {
        return pool.apply_async(f, args...);
    }

    procpool::Pool pool;
};

}  // namespace benchmarks
