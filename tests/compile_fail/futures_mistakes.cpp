// expect-errors
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

// Futures where something else is wanted. Each gives one error, which says what to write. Compilers say it once for a
// type, and last of functions whose result types are written down.

template <class T>
T twice(T n) {
    return n + n;
}
template <class T>
std::size_t count(const std::vector<T>& all) {
    return all.size();
}
template <class T>
T add(int n, T more) {
    return static_cast<T>(n) + more;
}
template <class T>
T add_first(T more, int n) {
    return static_cast<T>(n) + more;
}
template <class T>
using Many = std::vector<procpool::Future<T>>;

void make(procpool::Pool& pool, procpool::Future<char>& one, procpool::Future<short>& two,
          procpool::Future<void>& nothing, const Many<int>& constant, const std::vector<int>& numbers) {
    // expect-error: elsewhere it cannot travel: pass what it gives, get.., or share.. it
    const auto first = pool.map(add<char>, numbers, procpool::repeat(one));
    // expect-error: elsewhere it cannot travel: pass what it gives, get.., or share.. it
    const auto second = pool.map(add<short>, numbers, procpool::repeat(std::move(two)));
    // expect-error: elsewhere it cannot travel: pass what it gives, get.., or share.. it
    const auto third = pool.map(procpool::bind_front(add_first<long>, procpool::Future<long>{}), numbers);
    // expect-error: futures within a value are not waited for
    const auto fourth = pool.map(procpool::bind_front(count<int>, Many<int>{}), numbers);

    // expect-error: when_all.. takes a Future away.*std::move.. it, or share.. it first
    const auto fifth = procpool::when_all(one);
    // expect-error: when_all.. takes a Future away.*std::move.. it, or share.. it first
    const auto sixth = procpool::when_all(std::move(one), nothing);
    // expect-error: move Futures out of their range.*without const, or a range of what share.. gives
    const auto seventh = procpool::when_all(constant);
    // expect-error: when_any.. takes one range of futures.*std::move.. them into a std::vector, or share.. them first
    const auto eighth = procpool::when_any(one);
    // expect-error: when_any.. takes one range of futures
    const auto ninth = procpool::when_any(procpool::SharedFuture<int>{}, std::move(one));
    // expect-error: move Futures out of their range.*without const, or a range of what share.. gives
    const auto tenth = procpool::when_any(static_cast<const Many<long>&>(Many<long>{}));
}

void call(procpool::Pool& pool, procpool::Future<float>& one, Many<char>& many,
          const std::vector<procpool::SharedFuture<int>>& shared) {
    // expect-error: elsewhere it cannot travel: pass what it gives, get.., or share.. it
    pool.broadcast(twice<float>, one);
    // expect-error: futures within a value are not waited for: give when_all.futures. to apply
    const auto first = pool.apply_async(count<char>, many);
    // expect-error: futures within a value are not waited for: give when_all.futures. to apply
    const auto second = pool.apply_async(count<int>, shared);
    // expect-error: futures within a value are not waited for: give when_all.futures. to apply
    const auto third = pool.apply_async(count<int>, std::array<procpool::Future<int>, 2>{});
    // expect-error: futures within a value are not waited for.*elsewhere pass what they give, get..
    const auto fourth = pool.apply_on_async(0, count<short>, Many<short>{});
}
