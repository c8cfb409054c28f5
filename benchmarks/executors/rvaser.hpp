// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// https://github.com/rvaser/thread_pool (Debian: libthread-pool-dev).

#include <thread_pool/thread_pool.hpp>

#include <cstddef>

namespace benchmarks {

class Rvaser {
public:
    explicit Rvaser(std::size_t workers) : pool_(workers) {}
    template <class F, class... Args>
    auto submit(F f, Args... args) {
        return pool_.Submit(f, args...);
    }

private:
    thread_pool::ThreadPool pool_;
};

}  // namespace benchmarks
