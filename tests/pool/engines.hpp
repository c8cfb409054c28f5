// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// One test for every engine; and what a test asks of the place it runs in.

#include <procpool/procpool.hpp>

#include "support/catch.hpp"
#include "support/events.hpp"

#include <chrono>
#include <cstddef>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#if defined(PROCPOOL_TEST_MACHINES)
#include <procpool/mpi.hpp>
#endif

/// Define test cases of a function template whose parameter is the type of the pool: one for every engine, or for those
/// whose tasks run beside their caller. The type is TestedPool for all of them, which takes the compiler a third of the
/// time. Each sanitizer gets those engines that it can check.
#define ON_PROCESSES(name, test) \
    TEST_CASE(name " - processes") { procpool_test::on_engine<procpool::ForkEngine>(test<procpool_test::TestedPool>); }
#define ON_THREADS(name, test)                                                             \
    TEST_CASE(name " - threads", "[thread]") {                                             \
        procpool_test::on_engine<procpool::ThreadEngine>(test<procpool_test::TestedPool>); \
    }
#define ON_INLINE(name, test) \
    TEST_CASE(name " - inline") { procpool_test::on_engine<procpool::InlineEngine>(test<procpool_test::TestedPool>); }
#if defined(PROCPOOL_TEST_MACHINES)
#undef ON_PROCESSES
#define ON_PROCESSES(name, test) \
    INTERNAL_CATCH_TESTCASE(name " - machines") { test<procpool_test::RemotePool>(); }
// Other test cases are about processes of this machine.
#undef TEST_CASE
#define TEST_CASE(...) \
    template <class>   \
    [[maybe_unused]] static void INTERNAL_CATCH_UNIQUE_NAME(not_on_machines)()
#define snapshot(...) at_one_address(__VA_ARGS__)
#define ON_ENGINES_WITH_WORKERS(name, test) ON_PROCESSES(name, test)
#define ON_EVERY_ENGINE(name, test) ON_PROCESSES(name, test)
#elif defined(__SANITIZE_THREAD__)
#define ON_ENGINES_WITH_WORKERS(name, test) ON_THREADS(name, test)
#define ON_EVERY_ENGINE(name, test) ON_THREADS(name, test)
#elif defined(__SANITIZE_ADDRESS__)
#define ON_ENGINES_WITH_WORKERS(name, test) ON_PROCESSES(name, test)
#define ON_EVERY_ENGINE(name, test) ON_PROCESSES(name, test)
#else
#define ON_ENGINES_WITH_WORKERS(name, test) ON_PROCESSES(name, test) ON_THREADS(name, test)
#define ON_EVERY_ENGINE(name, test) ON_PROCESSES(name, test) ON_THREADS(name, test) ON_INLINE(name, test)
#endif

namespace procpool_test {

using namespace procpool;
using namespace std::chrono_literals;

#if defined(PROCPOOL_TEST_MACHINES)
/// A function that refers to nothing but pages that all ranks have at one address, see support/events.hpp. What the
/// tests call a snapshot is this here.
template <class F>
struct AtOneAddress : F {
    explicit AtOneAddress(F f) : F(std::move(f)) {}
    using F::operator();
};
template <class F>
[[nodiscard]] AtOneAddress<F> at_one_address(F f) {
    return AtOneAddress<F>{std::move(f)};
}

/// Its tasks run on other machines only.
struct RemotePool : MpiPool {
    explicit RemotePool(std::size_t workers = 0) : RemotePool(PoolOptions{.workers = workers}) {}
    explicit RemotePool(PoolOptions options) : MpiPool(elsewhere(std::move(options))) {}

private:
    static PoolOptions elsewhere(PoolOptions options) {
        options.mpi.use_root = false;
        return options;
    }
};
#endif

/// The engine of the test case that runs.
struct TestedEngine {
    [[nodiscard]] static const detail::engine::Traits& traits() { return *chosen; }
    inline static const detail::engine::Traits* chosen = nullptr;
};
using TestedPool = ProcessPool<TestedEngine>;

template <class E>
void on_engine(void (*test)()) {
    TestedEngine::chosen = &E::traits();
    test();
}

template <class P>
struct EngineOf;
template <class E>
struct EngineOf<ProcessPool<E>> {
    using type = E;
};
#if defined(PROCPOOL_TEST_MACHINES)
template <>
struct EngineOf<RemotePool> : EngineOf<MpiPool> {};
#endif

/// Whether the tasks of such a pool run in other processes; whether they run beside their caller.
template <class P>
[[nodiscard]] bool has_processes() {
    return EngineOf<P>::type::traits().contains_crashes;
}
template <class P>
[[nodiscard]] bool has_workers() {
    return &EngineOf<P>::type::traits() != &InlineEngine::traits();
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool under_sanitizer = true;
#else
inline constexpr bool under_sanitizer = false;
#endif

/// How often to do what a sanitizer makes much slower.
[[nodiscard]] constexpr std::size_t times(std::size_t n) { return under_sanitizer ? n / 10 : n; }

/// Throws when the future is not ready in time, so that a lost task is an error and no hang.
template <class T>
T get_soon(Future<T>& future, std::chrono::nanoseconds limit = wait_limit) {
    if (future.wait_for(limit) != std::future_status::ready) {
        throw std::runtime_error("a future was not ready in time");
    }
    return future.get();
}
template <class T>
T get_soon(Future<T>&& future, std::chrono::nanoseconds limit = wait_limit) {
    return get_soon(future, limit);
}

[[nodiscard]] inline std::chrono::nanoseconds since(std::chrono::steady_clock::time_point start) {
    return std::chrono::steady_clock::now() - start;
}

/// Tasks that many tests need.
inline int same(int n) { return n; }
inline int fail(int n) { throw std::out_of_range(std::to_string(n)); }

}  // namespace procpool_test

#if defined(PROCPOOL_TEST_MACHINES)
template <class F>
struct procpool::Codec<procpool_test::AtOneAddress<F>> {
    using Function = procpool_test::AtOneAddress<F>;
    static_assert(std::is_trivially_copyable_v<Function>);
    static void encode(Writer& out, const Function& f) { out.write(reinterpret_cast<const std::byte*>(&f), sizeof f); }
    static Function decode(Reader& in) {
        alignas(Function) std::byte bytes[sizeof(Function)];
        std::memcpy(bytes, in.take(sizeof bytes), sizeof bytes);
        return *std::launder(reinterpret_cast<Function*>(bytes));
    }
};
#endif
