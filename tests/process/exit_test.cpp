// SPDX-License-Identifier: BSL-1.0
// exit() by whatever the library calls: the program ends, with that status and soon, wherever its pool is.
#include <procpool/procpool.hpp>

#include "pool/subprocess.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <ranges>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace procpool;
using namespace procpool_test;

namespace procpool_test {

/// Ends the program when this process, and not a worker, encodes or decodes it.
struct Leaving {
    bool when_encoded = false;
};
inline pid_t leaving_process = 0;
inline void leave_if_told(bool told) {
    if (told && ::getpid() == leaving_process) { std::exit(42); }
}

}  // namespace procpool_test

template <>
struct procpool::Codec<procpool_test::Leaving> {
    static void encode(Writer& out, const procpool_test::Leaving& value) {
        procpool_test::leave_if_told(value.when_encoded);
        Codec<bool>::encode(out, value.when_encoded);
    }
    static procpool_test::Leaving decode(Reader& in) {
        const procpool_test::Leaving value{Codec<bool>::decode(in)};
        procpool_test::leave_if_told(!value.when_encoded);
        return value;
    }
};

namespace {

[[noreturn]] void leave() { std::exit(42); }
[[noreturn]] void wait_long() {
    for (;;) { ::pause(); }
}

int slow(int i) {
    ::usleep(2000);
    return i;
}
/// Never destroyed: exit() destroys statics while threads of suspended calls still read their items.
const std::vector<int>& many = *new std::vector<int>(200, 1);

MapOptions leaves_by_progress() {
    return MapOptions{.chunk_size = 1, .progress = [](const Progress&) { leave(); }};
}

/// A range that ends the program at its third item.
auto leaving_range() {
    return std::views::iota(0, 100) | std::views::transform([](int i) {
               if (i == 3) { leave(); }
               return i;
           });
}

/// A coroutine that no thread waits for.
struct Detached {
    struct promise_type {
        Detached get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
    };
};
Detached leave_after(Future<int> future) {
    co_await std::move(future);
    leave();
}

using Use = std::function<void(Pool&)>;
struct Way {
    const char* name;
    Use use;
};

/// Ways for code of the program, called by the library in the program's own process, to call exit().
const std::vector<Way>& ways() {
    static const std::vector<Way> all{
        {"progress of map()", [](Pool& pool) { pool.map(leaves_by_progress(), slow, many); }},
        {"progress of for_each()", [](Pool& pool) { pool.for_each(leaves_by_progress(), slow, many); }},
        {"progress of map_async()",
         [](Pool& pool) {
             auto future = pool.map_async(leaves_by_progress(), slow, many);
             wait_long();
         }},
        {"progress of imap()",
         [](Pool& pool) {
             for ([[maybe_unused]] int i : pool.imap(leaves_by_progress(), slow, many)) {}
         }},
        {"a loop over imap()",
         [](Pool& pool) {
             for ([[maybe_unused]] int i : pool.imap(slow, many)) { leave(); }
         }},
        {"a loop over imap_unordered()",
         [](Pool& pool) {
             for ([[maybe_unused]] const auto& i : pool.imap_unordered(slow, many)) { leave(); }
         }},
        {"a loop over as_completed()",
         [](Pool& pool) {
             std::vector<Future<int>> futures;
             for (int i = 0; i < 20; ++i) { futures.push_back(pool.apply_async(slow, i)); }
             for ([[maybe_unused]] const std::size_t i : as_completed(futures)) { leave(); }
         }},
        {"on_done()",
         [](Pool& pool) {
             auto future = pool.apply_async(slow, 1);
             future.on_done(leave);
             wait_long();
         }},
        {"then()",
         [](Pool& pool) {
             auto future = pool.apply_async(slow, 1).then([](int) -> int { leave(); });
             static_cast<void>(future.get());
         }},
        {"then() of map_async()",
         [](Pool& pool) {
             auto future = pool.map_async(slow, many).then([](const std::vector<int>&) -> int { leave(); });
             static_cast<void>(future.get());
         }},
        {"a coroutine",
         [](Pool& pool) {
             leave_after(pool.apply_async(slow, 1));
             wait_long();
         }},
        {"a completion queue",
         [](Pool& pool) {
             CompletionQueue queue;
             queue.add(pool.apply_async(slow, 1), [](Future<int>) { leave(); });
             for (;;) { queue.run_ready(); }
         }},
        {"a range of map()", [](Pool& pool) { pool.map(slow, leaving_range()); }},
        {"a range of map_async()", [](Pool& pool) { static_cast<void>(pool.map_async(slow, leaving_range())); }},
        {"a range of imap()",
         [](Pool& pool) {
             for ([[maybe_unused]] int i : pool.imap(slow, leaving_range())) {}
         }},
        {"a Codec of an argument",
         [](Pool& pool) { static_cast<void>(pool.apply([](Leaving) { return 1; }, Leaving{true})); }},
        {"a Codec of an item",
         [](Pool& pool) {
             pool.map([](Leaving) { return 1; }, std::vector<Leaving>{{false}, {true}});
         }},
        {"a Codec of an item of imap()",
         [](Pool& pool) {
             for ([[maybe_unused]] int i :
                  pool.imap([](Leaving) { return 1; }, std::vector<Leaving>{{false}, {true}})) {}
         }},
        {"a Codec of a result", [](Pool& pool) { static_cast<void>(pool.apply([] { return Leaving{}; })); }},
        {"a Codec of a result of map()",
         [](Pool& pool) { static_cast<void>(pool.map([](int) { return Leaving{}; }, many)); }},
        {"a Codec of broadcast()", [](Pool& pool) { static_cast<void>(pool.broadcast([] { return Leaving{}; })); }},
        {"a function of map_reduce()",
         [](Pool& pool) {
             const pid_t self = ::getpid();
             static_cast<void>(pool.map_reduce(
                 slow,
                 [self](int a, int b) {
                     if (::getpid() == self) { leave(); }
                     return a + b;
                 },
                 0, many));
         }},
        {"a log sink",
         [](Pool&) {
             set_log_sink([](const LogRecord&) { leave(); });
             log(LogLevel::error, "leave");
             wait_long();
         }},
        {"a log sink that the end of a pool calls",
         [](Pool& pool) {
             set_log_sink([&pool](const LogRecord&) {
                 wait_until([&] { return pool.workers().empty(); }, "the end of the pool to begin");
                 leave();
             });
             log(LogLevel::error, "leave");
             pool.join();
             wait_long();
         }},
        {"progress of fork_map()",
         [](Pool&) { fork_map(PoolOptions{.workers = 2}, leaves_by_progress(), slow, many); }},
        {"a task of a ThreadPool",
         [](Pool&) {
             static ThreadPool threads{2};
             threads.apply(leave);
         }},
        {"an initializer of a ThreadPool",
         [](Pool&) {
             static ThreadPool threads{PoolOptions{.workers = 2, .initializer = [] {
                                                       if (this_worker::index() == 1) {
                                                           leave();
                                                       }  // one alone: two at a time are undefined
                                                   }}};
             wait_long();
         }},
        {"progress of map() of a ThreadPool",
         [](Pool&) {
             static ThreadPool threads{2};
             threads.map(leaves_by_progress(), slow, many);
         }},
        {"a stop callback in a ThreadPool",
         [](Pool&) {
             static ThreadPool threads{2};
             static std::atomic<bool> runs{false};
             auto future = threads.apply_async([](const std::stop_token& stop) {
                 const std::stop_callback stopped{stop, leave};
                 runs = true;
                 wait_long();
             });
             wait_until([] { return runs.load(); }, "a task to run");
             future.cancel();
             wait_long();
         }},
        {"a task of an InlinePool",
         [](Pool&) {
             static InlinePool here{1};
             here.apply(leave);
         }},
    };
    return all;
}

enum class Place { static_object, static_pointer, automatic, other_thread };
constexpr const char* name_of(Place place) {
    constexpr const char* names[] = {"a static pool", "a static pointer to one", "an automatic one",
                                     "one in another thread"};
    return names[static_cast<int>(place)];
}

void use_pool(Place place, const Use& use) {
    leaving_process = ::getpid();
    switch (place) {
        case Place::static_object: {
            static Pool pool{2};
            use(pool);
            break;
        }
        case Place::static_pointer: {
            static std::unique_ptr<Pool> pool;
            pool = std::make_unique<Pool>(2);
            use(*pool);
            break;
        }
        case Place::automatic: {
            Pool pool{2};
            use(pool);
            break;
        }
        case Place::other_thread: {
            std::thread{[&] {
                Pool pool{2};
                use(pool);
            }}.join();
            break;
        }
    }
}

/// Its output ends when the last worker has, so no process is left when it has been waited for.
bool ends_well(const std::function<void()>& program, int status = 42) {
    Subprocess started{program};
    const bool well = exited_with(started.wait(), status);
    UNSCOPED_INFO(started.output());
    return well;
}

TEST_CASE("exit() by what the library calls ends the program with a static pool") {
    for (const Way& way : ways()) {
        CAPTURE(way.name);
        CHECK(ends_well([&] { use_pool(Place::static_object, way.use); }));
    }
}

TEST_CASE("exit() by what the library calls ends the program with a static pointer to a pool") {
    for (const Way& way : ways()) {
        CAPTURE(way.name);
        CHECK(ends_well([&] { use_pool(Place::static_pointer, way.use); }));
    }
}

TEST_CASE("exit() by what the library calls ends the program with pools that exit() does not destroy") {
    for (const Place place : {Place::automatic, Place::other_thread}) {
        for (const Way& way : ways()) {
            CAPTURE(name_of(place), way.name);
            CHECK(ends_well([&] { use_pool(place, way.use); }));
        }
    }
}

/// A reader of it waits for ever from the second item on.
auto endless_wait(std::atomic<bool>& reached) {
    return std::views::iota(0, 100) | std::views::transform([&reached](int i) {
               if (i == 1) {
                   reached = true;
                   wait_long();
               }
               return i;
           });
}

TEST_CASE("exit() ends the program while another thread is in a call that never ends") {
    static std::atomic<bool> reached{false};
    const auto call = [](Pool& pool) {
        std::thread{[&pool] { pool.map(slow, endless_wait(reached)); }}.detach();
        wait_until([] { return reached.load(); }, "a call to read its range");
    };
    const std::vector<Way> callers{
        {"the main thread",
         [&](Pool& pool) {
             call(pool);
             leave();
         }},
        {"another thread",
         [&](Pool& pool) {
             call(pool);
             std::thread{leave}.detach();
             wait_long();
         }},
        {"the callback thread",
         [&](Pool& pool) {
             call(pool);
             auto future = pool.apply_async(slow, 1);
             future.on_done(leave);
             wait_long();
         }},
        {"the progress function of another call",
         [&](Pool& pool) {
             call(pool);
             pool.map(leaves_by_progress(), slow, many);
         }},
    };
    for (const Place place : {Place::static_object, Place::static_pointer, Place::automatic, Place::other_thread}) {
        for (const Way& caller : callers) {
            CAPTURE(name_of(place), caller.name);
            CHECK(ends_well([&] { use_pool(place, caller.use); }));
        }
    }
}

TEST_CASE("exit() ends the program while another call waits for a callback that has called it") {
    CHECK(ends_well([] {
        static Pool pool{2};
        static Pool other{1};
        auto callback = other.apply_async(slow, 1);
        callback.on_done(leave);
        pool.map(MapOptions{.chunk_size = 1, .progress = [&](const Progress&) { callback.wait(); }}, slow, many);
    }));
}

TEST_CASE("exit() ends the program while a log sink waits for what its caller has locked") {
    CHECK(ends_well([] {
        static Pool pool{2};
        static Process process{[] { return 0; }};
        static std::mutex mutex;
        static std::atomic<bool> waits{false};
        set_log_sink([](const LogRecord&) {
            waits = true;
            const std::lock_guard guard{mutex};
        });
        const std::lock_guard guard{mutex};
        log(LogLevel::error, "something");
        wait_until([] { return waits.load(); }, "the sink to be called");
        leave();
    }));
}

TEST_CASE("quick_exit() and _Exit() by what the library calls end the program") {
    CHECK(ends_well([] {
        static Pool pool{2};
        pool.map(MapOptions{.chunk_size = 1, .progress = [](const Progress&) { std::quick_exit(42); }}, slow, many);
    }));
    CHECK(ends_well([] {
        static Pool pool{2};
        auto future = pool.apply_async(slow, 1);
        future.on_done([] { std::_Exit(42); });
        wait_long();
    }));
}

TEST_CASE("the end of main() with a static pool still finishes what was accepted") {
    SharedPage page;
    const Counter done{page};
    CHECK(ends_well([&] {
        static Pool pool{2};
        for (int i = 0; i < 20; ++i) {
            static_cast<void>(pool.apply_async(snapshot([done] {
                ::usleep(1000);
                done.add();
            })));
        }
        auto future = pool.map_async(snapshot([done](int i) { return static_cast<int>(done.add()) + i; }), many);
        leave();
    }));
    CHECK(done.value() == 20 + static_cast<int>(many.size()));
}

TEST_CASE("a callback may destroy a pool - whose tasks are finished") {
    SharedPage page;
    const Counter done{page};
    auto pool = std::make_unique<Pool>(2);
    for (int i = 0; i < 20; ++i) {
        static_cast<void>(pool->apply_async(snapshot([done] { done.add(); })));
    }
    auto last = pool->apply_async(slow, 1).then([&](int) {
        pool.reset();
        return done.value();
    });
    CHECK(last.get() == 20);
}

}  // namespace
