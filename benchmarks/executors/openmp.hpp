// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// OpenMP's loops; the calling thread is one of the workers.

#include <omp.h>

#include <cstddef>

namespace benchmarks {

class OpenMp {
public:
    explicit OpenMp(std::size_t workers) : workers_(static_cast<int>(workers)) {}
    template <class Body>
    void for_ranges(std::size_t n, Body body) {
        const std::size_t parts = static_cast<std::size_t>(workers_);
#pragma omp parallel for schedule(static) num_threads(workers_)
        for (std::size_t i = 0; i < parts; ++i) { body(n * i / parts, n * (i + 1) / parts); }
    }

private:
    int workers_;
};

/// For items that are worth a schedule(dynamic, 1).
class OpenMpDynamic {
public:
    explicit OpenMpDynamic(std::size_t workers) : workers_(static_cast<int>(workers)) {}
    template <class Body>
    void for_ranges(std::size_t n, Body body) {
#pragma omp parallel for schedule(dynamic) num_threads(workers_)
        for (std::size_t i = 0; i < n; ++i) { body(i, i + 1); }
    }

private:
    int workers_;
};

}  // namespace benchmarks
