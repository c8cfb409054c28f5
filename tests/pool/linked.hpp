// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Tasks that wait for tasks: what several tests of them need.

#include "pool/engines.hpp"

#include <atomic>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace procpool_test::linked {

/// Says where it is decoded, and cannot be encoded if it is told so.
struct Sensitive {
    std::string text;
    bool throws = false;
    static inline std::atomic<int> decoded{0};  // in this process
};

}  // namespace procpool_test::linked

template <>
struct procpool::Codec<procpool_test::linked::Sensitive> {
    using Sensitive = procpool_test::linked::Sensitive;
    static void encode(Writer& out, const Sensitive& value) {
        if (value.throws) { throw std::domain_error("it does not travel"); }
        Codec<std::string>::encode(out, value.text);
    }
    static Sensitive decode(Reader& in) {
        ++Sensitive::decoded;
        return {Codec<std::string>::decode(in)};
    }
};

namespace procpool_test {

inline int one_more(int n) { return n + 1; }
inline int sum_of_two(int a, int b) { return a + b; }
inline long sum_of_many(const std::vector<int>& numbers) { return std::accumulate(numbers.begin(), numbers.end(), 0L); }
inline std::string spell(int n) { return std::string(static_cast<std::size_t>(n), 'x'); }

/// Runs until the gate is open.
inline int after_gate(Gate open, int n) {
    open.wait();
    return n;
}

template <class P>
[[nodiscard]] std::vector<Future<int>> numbered(P& pool, int count) {
    std::vector<Future<int>> futures;
    for (int n = 0; n < count; ++n) { futures.push_back(pool.apply_async(same, n)); }
    return futures;
}

}  // namespace procpool_test
