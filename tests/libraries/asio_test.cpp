// SPDX-License-Identifier: BSL-1.0
#include <procpool/asio.hpp>

#include <procpool/procpool.hpp>

#include "pool/engines.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

namespace asio = boost::asio;
using namespace procpool_test;

namespace {

/// Runs a coroutine to its end.
void run(asio::awaitable<void> coroutine) {
    asio::io_context io;
    std::exception_ptr error;
    bool ended = false;
    asio::co_spawn(io, std::move(coroutine), [&](std::exception_ptr thrown) {
        error = std::move(thrown);
        ended = true;
    });
    io.run_for(wait_limit);
    CHECK(ended);
    if (error) { std::rethrow_exception(error); }
}

struct NoDefault {
    explicit NoDefault(int value) : n(value) {}
    int n;
};

}  // namespace

template <>
struct procpool::Codec<NoDefault> {
    static void encode(Writer& out, const NoDefault& value) { Codec<int>::encode(out, value.n); }
    static NoDefault decode(Reader& in) { return NoDefault{Codec<int>::decode(in)}; }
};

namespace {

template <class P>
void awaited() {
    P pool{2};
    int caught = 0;
    const std::vector<int> items{1, 2};  // GCC 12 has no arrays in coroutines
    const auto uses = [&]() -> asio::awaitable<void> {
        const int three = co_await async_get(pool.apply_async(same, 3), asio::use_awaitable);
        CHECK(three == 3);
        co_await async_get(pool.apply_async([] {}), asio::use_awaitable);
        const std::unique_ptr<int> four =
            co_await async_get(pool.apply_async([] { return std::make_unique<int>(4); }), asio::use_awaitable);
        CHECK(*four == 4);
        const auto five =
            co_await async_get(pool.apply_async([](int n) { return NoDefault{n}; }, 5), asio::use_awaitable);
        STATIC_REQUIRE(std::is_same_v<decltype(five), const std::optional<NoDefault>>);
        CHECK(five->n == 5);
        const std::vector<int> many = co_await async_get(pool.map_async(same, items), asio::use_awaitable);
        CHECK(many == items);
        try {
            co_await async_get(pool.apply_async(fail, 7), asio::use_awaitable);
        } catch (const std::out_of_range& error) { caught += std::stoi(error.what()); }
        if (has_processes<P>()) {
            try {
                co_await async_get(pool.apply_async([] { ::raise(SIGKILL); }), asio::use_awaitable);
            } catch (const WorkerDied& death) { caught += death.exit_status().signal(); }
        }
    };
    run(uses());
    CHECK(caught == (has_processes<P>() ? 7 + SIGKILL : 7));
}
ON_ENGINES_WITH_WORKERS("a coroutine of Asio's awaits values and errors", awaited)

template <class P>
void used_by_future_and_callback() {
    P pool{2};
    {
        asio::thread_pool threads{1};
        const auto token = [&] { return asio::bind_executor(threads, asio::use_future); };
        CHECK(async_get(pool.apply_async(same, 3), token()).get() == 3);
        async_get(pool.apply_async([] {}), token()).get();
        CHECK_THROWS_AS(async_get(pool.apply_async(fail, 3), token()).get(), std::out_of_range);
    }
    CHECK_THROWS_AS(async_get(Future<int>{}, asio::use_future), std::future_error);

    asio::io_context io;
    std::vector<int> got;
    bool returned = false;
    const auto here = std::this_thread::get_id();
    for (int n = 0; n < 3; ++n) {
        Future<int> future = pool.apply_async(n == 2 ? fail : same, n);
        if (n == 1) { future.wait(); }  // ready already
        async_get(std::move(future), asio::bind_executor(io, [&](const std::exception_ptr& error, int value) {
                      CHECK(returned);
                      CHECK(std::this_thread::get_id() == here);
                      got.push_back(error ? -1 : value);
                  }));
    }
    async_get(pool.apply_async(fail, 1), asio::bind_executor(io, asio::detached));
    CHECK(got.empty());
    returned = true;
    io.run();  // until all have ended
    std::ranges::sort(got);
    CHECK(got == std::vector{-1, 0, 1});
    pool.join();
    CHECK(pool.stats().unobserved == 0);
}
ON_ENGINES_WITH_WORKERS("completion tokens get values and errors - never in the initiating function",
                        used_by_future_and_callback)

template <class P>
void many_threads() {
    P pool{2};
    asio::thread_pool threads{3};
    auto strand = asio::make_strand(threads);
    const auto count = static_cast<int>(times(10'000));
    std::atomic<std::int64_t> sum{0};
    std::int64_t ordered = 0;  // by the strand
    for (int n = 0; n < count; ++n) {
        if (n % 2 == 0) {
            async_get(pool.apply_async(same, n),
                      asio::bind_executor(threads, [&](const std::exception_ptr&, int value) { sum += value; }));
        } else {
            async_get(pool.apply_async(same, n),
                      asio::bind_executor(strand, [&](const std::exception_ptr&, int value) { ordered += value; }));
        }
    }
    threads.join();
    CHECK(sum + ordered == std::int64_t{count} * (count - 1) / 2);
}
ON_ENGINES_WITH_WORKERS("threads of Asio's get ten thousand results", many_threads)

void run_until_stopped(std::stop_token token, Gate started) {
    started.set();
    wait_until([&] { return token.stop_requested(); }, "a request to stop");
    throw TaskCancelled{};
}

template <class P>
void cancelled() {
    SharedPage page;
    const Gate started{page};
    P pool{1};
    asio::io_context io;
    std::vector<std::string> ends;
    const auto handler = [&](asio::cancellation_signal& signal, const char* name) {
        return asio::bind_cancellation_slot(signal.slot(),
                                            asio::bind_executor(io, [&ends, name](const std::exception_ptr& error) {
                                                try {
                                                    if (error) { std::rethrow_exception(error); }
                                                } catch (const TaskCancelled&) { ends.emplace_back(name); }
                                            }));
    };
    asio::cancellation_signal kills;
    asio::cancellation_signal withdraws;
    asio::cancellation_signal late;
    asio::cancellation_signal never;
    async_get(pool.apply_async(run_until_stopped, started), handler(kills, "killed"));
    async_get(pool.apply_async([] {}), handler(withdraws, "withdrawn"));
    async_get(pool.apply_async([] {}), handler(never, "never"));
    async_get(pool.apply_async([] {}).then([] {}), handler(late, "never"));
    started.wait();
    withdraws.emit(asio::cancellation_type::total);
    io.run_one();
    CHECK(ends == std::vector<std::string>{"withdrawn"});
    kills.emit(asio::cancellation_type::all);
    io.run();
    CHECK(ends == std::vector<std::string>{"withdrawn", "killed"});
    late.emit(asio::cancellation_type::all);  // nothing is left of it
}
ON_ENGINES_WITH_WORKERS("cancellation slots cancel and kill tasks", cancelled)

TEST_CASE("a task that a timer overtakes is killed") {
    Pool pool{1};
    bool timer_won = false;
    const auto race = [&]() -> asio::awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        asio::steady_timer timer{co_await asio::this_coro::executor, 10ms};
        const auto first = co_await (async_get(pool.apply_async([] { ::pause(); }), asio::use_awaitable) ||
                                     timer.async_wait(asio::use_awaitable));
        timer_won = first.index() == 1;
    };
    run(race());
    CHECK(timer_won);
    CHECK(pool.apply(same, 1) == 1);
    CHECK(pool.stats().cancelled == 1);
}

template <class P>
void pool_is_gone() {
    SharedPage page;
    const Gate started{page};
    auto pool = std::make_unique<P>(1);
    asio::io_context io;
    int terminated = 0;
    const auto count = [&](const std::exception_ptr& error) {
        try {
            std::rethrow_exception(error);
        } catch (const PoolTerminated&) { ++terminated; } catch (const TaskCancelled&) {
            ++terminated;
        }
    };
    async_get(pool->apply_async(run_until_stopped, started), asio::bind_executor(io, count));
    async_get(pool->apply_async([] {}), asio::bind_executor(io, count));
    started.wait();
    pool->terminate();
    pool.reset();
    io.run();
    CHECK(terminated == 2);
}
ON_ENGINES_WITH_WORKERS("a pool that ends before its futures are got ends them", pool_is_gone)

template <class P>
void context_is_gone() {
    SharedPage page;
    for (const bool stops : {false, true}) {
        const Gate started{page};
        const Gate until{page};
        P pool{1};
        const auto token = std::make_shared<int>(0);
        asio::cancellation_signal signal;
        Future<void> before;
        {
            asio::io_context io;
            async_get(pool.apply_async(
                          [](Gate says, Gate end) {
                              says.set();
                              end.wait();
                          },
                          started, until),
                      asio::bind_cancellation_slot(signal.slot(),
                                                   asio::bind_executor(io, [token](const std::exception_ptr&) {})));
            const auto waits = [&, held = token]() -> asio::awaitable<void> {
                co_await async_get(pool.apply_async([] {}), asio::use_awaitable);
                *held = 1;
            };
            asio::co_spawn(io, waits, asio::detached);
            io.poll();
            started.wait();
            if (stops) {
                io.stop();
                until.set();
                pool.join();  // work that is posted now is never run
            }
        }
        CHECK(*token == 0);
        CHECK(token.use_count() == 1);
        signal.emit(asio::cancellation_type::terminal);
        until.set();
        pool.join();
        CHECK(pool.stats().completed == 2);
    }
}
ON_ENGINES_WITH_WORKERS("a context that is destroyed destroys the handlers that wait and tasks run on", context_is_gone)

TEST_CASE("contexts end while futures become ready", "[thread]") {
    ThreadPool pool{2};
    for (int round = 0; round < 50; ++round) {
        asio::io_context io;
        for (int n = 0; n < 20; ++n) {
            async_get(pool.apply_async(same, n), asio::bind_executor(io, [](const std::exception_ptr&, int) {}));
        }
    }
    pool.join();
    CHECK(pool.stats().completed == 1'000);
}

template <class T>
struct CountingAllocator {
    using value_type = T;
    explicit CountingAllocator(std::atomic<int>& of) noexcept : count(&of) {}
    template <class U>
    CountingAllocator(const CountingAllocator<U>& other) noexcept : count(other.count) {}
    [[nodiscard]] T* allocate(std::size_t n) {
        ++*count;
        return std::allocator<T>{}.allocate(n);
    }
    void deallocate(T* memory, std::size_t n) noexcept { std::allocator<T>{}.deallocate(memory, n); }
    bool operator==(const CountingAllocator&) const noexcept = default;
    std::atomic<int>* count;
};

TEST_CASE("what is posted takes its memory from the handler's allocator") {
    ThreadPool pool{1};
    asio::io_context io;
    std::atomic<int> allocations{0};
    int got = 0;
    async_get(pool.apply_async(same, 3),
              asio::bind_allocator(CountingAllocator<int>{allocations},
                                   asio::bind_executor(io, [&](const std::exception_ptr&, int n) { got = n; })));
    io.run();
    CHECK(got == 3);
    CHECK(allocations > 0);
}

}  // namespace
