// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// No parallelism: a call, and its result.

#include <cstddef>
#include <type_traits>

namespace benchmarks {

class Serial {
public:
    explicit Serial(std::size_t /*workers*/) {}
    /// Not inlined: nothing would be left of an empty task.
    template <class F, class... Args>
    [[gnu::noinline]] auto submit(F f, Args... args) {
        using Result = std::invoke_result_t<F, Args...>;
        asm volatile("");
        if constexpr (std::is_void_v<Result>) {
            f(args...);
            return Done<char>{0};
        } else {
            return Done<Result>{f(args...)};
        }
    }
    template <class Body>
    void for_ranges(std::size_t n, Body body) {
        body(std::size_t{0}, n);
    }

private:
    template <class Result>
    struct Done {
        Result result;
        Result get() { return result; }
    };
};

}  // namespace benchmarks
