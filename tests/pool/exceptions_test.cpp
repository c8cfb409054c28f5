// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <exception>
#include <filesystem>
#include <future>
#include <ios>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <typeinfo>
#include <vector>

#include <pthread.h>

using namespace procpool_test;

namespace {

/// The exception that comes out of a function.
template <class E, class F>
std::string text_of(F f) {
    try {
        f();
    } catch (const E& error) {
        return typeid(error) == typeid(E) ? error.what() : std::string{"another type: "} + typeid(error).name();
    } catch (const std::exception& error) {
        return std::string{"another type: "} + typeid(error).name() + ": " + error.what();
    }
    return "nothing thrown";
}

template <class P, class E>
void survives(P& pool) {
    CHECK(text_of<E>([&] { pool.apply([] { throw E("the text"); }); }) == E("the text").what());
}

template <class P>
void standard_types_survive() {
    P pool{1};
    survives<P, std::runtime_error>(pool);
    survives<P, std::range_error>(pool);
    survives<P, std::overflow_error>(pool);
    survives<P, std::underflow_error>(pool);
    survives<P, std::logic_error>(pool);
    survives<P, std::invalid_argument>(pool);
    survives<P, std::domain_error>(pool);
    survives<P, std::length_error>(pool);
    survives<P, std::out_of_range>(pool);
    CHECK_THROWS_AS(pool.apply([] { throw std::bad_alloc(); }), std::bad_alloc);
    CHECK_THROWS_AS(pool.apply([] { static_cast<void>(std::vector<int>().at(1)); }), std::out_of_range);
    try {
        pool.apply([] { throw std::system_error(std::make_error_code(std::errc::no_space_on_device), "disk"); });
        CHECK(false);
    } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::no_space_on_device);
        CHECK(std::string{error.what()} == std::system_error(error.code(), "disk").what());
    }
    try {
        pool.apply([] {
            throw std::filesystem::filesystem_error("open", "/a", std::make_error_code(std::errc::permission_denied));
        });
        CHECK(false);
    } catch (const std::filesystem::filesystem_error& error) {
        CHECK(error.code() == std::errc::permission_denied);
        CHECK(error.path1() == "/a");
    }
}
ON_EVERY_ENGINE("EXC-01 standard exceptions come back as themselves", standard_types_survive)

template <class P>
void withdrawals_tell_the_label() {
    SharedPage page;
    const Gate open{page};
    P pool{1};
    auto first = pool.apply_async([](Gate gate) { gate.wait(); }, open);
    auto second = pool.apply_async(TaskOptions{.label = "resize"}, [] {});
    REQUIRE(second.cancel());
    open.set();
    CHECK(text_of<TaskCancelled>([&] { get_soon(second); }) == "procpool: task 'resize' was cancelled");
    get_soon(first);
}
ON_ENGINES_WITH_WORKERS("a task that was cancelled tells its label", withdrawals_tell_the_label)

struct Registered : std::runtime_error {
    explicit Registered(const std::string& text) : std::runtime_error(text) {}
};
struct Unregistered : std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <class P>
void user_types_survive() {
    register_exception<Registered>();
    P pool{1};
    CHECK(text_of<Registered>([&] { pool.apply([] { throw Registered("mine"); }); }) == "mine");
    try {
        pool.apply([] { throw Unregistered("not mine"); });
        CHECK(false);
    } catch (const RemoteError& error) {
        CHECK(std::string{error.what()} == "not mine");
        CHECK_THAT(error.type_name(), Catch::Matchers::EndsWith("Unregistered"));
    }
}
ON_EVERY_ENGINE("EXC-02 registered types come back as themselves - others as RemoteError", user_types_survive)

template <class P>
void anything_thrown_is_an_error() {
    P pool{1};
    CHECK_THROWS_AS(pool.apply([] { throw 42; }), RemoteError);
    CHECK_THROWS_AS(pool.apply([] { throw 0; }), RemoteError);
    CHECK_THROWS_AS(pool.apply([] { throw false; }), RemoteError);
    CHECK_THROWS_AS(pool.apply([] { throw "text"; }), RemoteError);
    CHECK_THROWS_AS(pool.apply([] { throw nullptr; }), RemoteError);
    CHECK_THROWS_AS(pool.apply([] { throw std::string{}; }), RemoteError);
    CHECK_THROWS_AS(pool.apply([] { throw std::exception_ptr{}; }), RemoteError);
    CHECK(text_of<std::runtime_error>([&] { pool.apply([] { throw std::runtime_error(""); }); }).empty());
    CHECK(pool.apply([] { return 1; }) == 1);
}
ON_EVERY_ENGINE("EXC-04 whatever is thrown is an error", anything_thrown_is_an_error)

TEST_CASE("EXC-04 pthread_exit() in a task is the death of its worker") {
    Pool pool{1};
    CHECK_THROWS_AS(pool.apply([] { ::pthread_exit(nullptr); }), WorkerDied);
    CHECK(pool.apply([] { return 1; }) == 1);
}

template <class P>
void errors_concern_one_task() {
    P pool{1};
    const auto pid = [&] { return pool.apply([] { return this_worker::pid(); }); };
    const auto before = pid();
    std::vector<Future<int>> failing;
    for (int i = 0; i < 10; ++i) {
        failing.push_back(pool.apply_async([](int n) -> int { throw std::runtime_error(std::to_string(n)); }, i));
    }
    CHECK(pool.apply([] { return 7; }) == 7);
    for (int i = 9; i >= 0; --i) {
        CHECK(text_of<std::runtime_error>([&] { failing[static_cast<std::size_t>(i)].get(); }) == std::to_string(i));
    }
    std::size_t thrown = 0;
    for (std::size_t i = 0; i < times(10000); ++i) {
        try {
            pool.apply([] { throw std::out_of_range("again"); });
        } catch (const std::out_of_range&) { ++thrown; }
    }
    CHECK(thrown == times(10000));
    CHECK(pid() == before);
}
ON_EVERY_ENGINE("EXC-05 a task's exception concerns neither other tasks nor its worker", errors_concern_one_task)

template <class P>
void errors_are_not_shared() {
    SharedPage page;
    const Gate go{page};
    P pool{1};
    const auto fail = [](Gate gate) -> int {
        gate.wait();
        throw std::system_error(std::make_error_code(std::errc::io_error), "same");
    };
    std::vector<Future<int>> futures;
    for (int i = 0; i < 4; ++i) { futures.push_back(pool.apply_async(fail, go)); }
    go.set();
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (auto& future : futures) {
        threads.emplace_back([&] {
            try {
                future.get();
            } catch (std::system_error& error) {
                right += error.code() == std::errc::io_error;
                error = std::system_error(std::make_error_code(std::errc::bad_address));
                right += error.code() == std::errc::bad_address;
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(right == 8);
}
ON_ENGINES_WITH_WORKERS("EXC-06 every future has an exception of its own", errors_are_not_shared)

template <class P>
void one_event_for_many() {
    SharedPage page;
    const Counter begun{page};
    P pool{2};
    std::vector<Future<int>> futures;
    for (int i = 0; i < 2; ++i) {
        static_cast<void>(pool.apply_async(
            [](std::stop_token stop, Counter counter) {
                counter.add();
                wait_until([&] { return stop.stop_requested(); }, "a request to stop");
            },
            begun));
    }
    begun.wait_for(2);
    for (int i = 0; i < 8; ++i) { futures.push_back(pool.apply_async(same, i)); }
    std::vector<std::exception_ptr> errors(futures.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < futures.size(); ++i) {
        threads.emplace_back([&, i] {
            try {
                futures[i].get();
            } catch (const PoolTerminated&) { errors[i] = std::current_exception(); }
        });
    }
    pool.terminate();
    for (std::thread& thread : threads) { thread.join(); }
    std::set<const void*> objects;
    std::mutex mutex;
    threads.clear();
    for (const std::exception_ptr& error : errors) {
        for (int times = 0; times < 2; ++times) {
            threads.emplace_back([&] {
                try {
                    if (error) { std::rethrow_exception(error); }
                } catch (const PoolTerminated& one) {
                    const std::lock_guard guard{mutex};
                    objects.insert(&one);
                }
            });
        }
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(objects.size() == futures.size());
}
ON_ENGINES_WITH_WORKERS(
    "EXC-06 futures that end by one terminate() have exceptions of their own which many threads rethrow",
    one_event_for_many)

template <class P>
void huge_exceptions_do_not_wedge() {
    constexpr std::size_t size = std::size_t{8} << 20;
    P pool{2};
    const std::vector<int> eight{0, 1, 2, 3, 4, 5, 6, 7};
    std::string text;
    try {
        pool.map([](int n) -> int { throw std::runtime_error(std::string(size, static_cast<char>('a' + n))); }, eight);
    } catch (const std::runtime_error& error) { text = error.what(); }
    CHECK(text.size() == size);
    CHECK(text == std::string(size, text.empty() ? '?' : text[0]));
    auto unread = pool.apply_async([] { throw std::runtime_error(std::string(size, 'z')); });
    pool.close();
    CHECK(pool.join_for(wait_limit));
    CHECK(text_of<std::runtime_error>([&] { unread.get(); }).size() == size);
}
ON_EVERY_ENGINE("EXC-07 exceptions of 8 MB do not wedge map/close and join", huge_exceptions_do_not_wedge)

// ---- values that do not travel

enum class Trouble { none, encode_at_once, encode_late, encode_very_late, decode, decode_odd, read_too_much };

/// Fails on purpose on one of its ways.
struct Troubled {
    Trouble when = Trouble::none;
};

}  // namespace

template <>
struct procpool::Codec<Troubled> {
    static void encode(Writer& out, const Troubled& value) {
        Codec<Trouble>::encode(out, value.when);
        if (value.when == Trouble::encode_late) {
            Codec<std::string>::encode(out, std::string(std::size_t{64} << 10, 'x'));
        }
        if (value.when == Trouble::encode_very_late) {
            Codec<std::string>::encode(out, std::string(std::size_t{3} << 20, 'x'));
        }
        if (value.when >= Trouble::encode_at_once && value.when <= Trouble::encode_very_late) {
            throw std::domain_error("refuses to leave");
        }
    }
    static Troubled decode(Reader& in) {
        const auto when = Codec<Trouble>::decode(in);
        if (when == Trouble::decode) { throw std::domain_error("refuses to arrive"); }
        if (when == Trouble::decode_odd) { throw 42; }
        if (when == Trouble::read_too_much) { static_cast<void>(in.take(1 << 20)); }
        return Troubled{when};
    }
};

namespace {

template <class P>
void arguments_may_refuse_to_leave() {
    P pool{{.workers = 1, .queue_capacity = 4}};
    for (int i = 0; i < 20; ++i) {  // more often than there is room for tasks
        for (const Trouble when : {Trouble::encode_at_once, Trouble::encode_late, Trouble::encode_very_late}) {
            CHECK(text_of<std::domain_error>([&] {
                      static_cast<void>(pool.apply_async([](const Troubled&) {}, Troubled{when}));
                  }) == "refuses to leave");
        }
    }
    CHECK(pool.stats().submitted == 0);
    CHECK(pool.apply([] { return 1; }) == 1);
}
ON_EVERY_ENGINE("EXC-13 an argument that cannot be encoded throws at submission and queues nothing",
                arguments_may_refuse_to_leave)

template <class P>
void arguments_may_refuse_to_arrive() {
    P pool{1};
    const auto pid = pool.apply([] { return this_worker::pid(); });
    for (int i = 0; i < 20; ++i) {
        auto broken = pool.apply_async([](const Troubled&) { return 1; }, Troubled{Trouble::decode});
        auto odd = pool.apply_async([](const Troubled&) { return 1; }, Troubled{Trouble::decode_odd});
        auto greedy = pool.apply_async([](const Troubled&) { return 1; }, Troubled{Trouble::read_too_much});
        auto fine = pool.apply_async([](const Troubled&) { return this_worker::pid(); }, Troubled{});
        CHECK(text_of<std::domain_error>([&] { get_soon(broken); }) == "refuses to arrive");
        CHECK_THROWS_AS(get_soon(odd), RemoteError);
        CHECK_THROWS_AS(get_soon(greedy), CodecError);
        CHECK(get_soon(fine) == pid);
    }
}
ON_EVERY_ENGINE("EXC-13 an argument that does not decode fails its task only", arguments_may_refuse_to_arrive)

template <class P>
void results_may_refuse_to_leave() {
    P pool{2};
    std::vector<WorkerInfo> before = pool.workers();
    for (int i = 0; i < 20; ++i) {
        for (const Trouble when : {Trouble::encode_at_once, Trouble::encode_late, Trouble::encode_very_late}) {
            auto future = pool.apply_async([](Trouble t) { return Troubled{t}; }, when);
            CHECK(text_of<std::domain_error>([&] { get_soon(future); }) == "refuses to leave");
        }
        CHECK(pool.apply([] { return Troubled{}; }).when == Trouble::none);
    }
    std::vector<WorkerInfo> after = pool.workers();
    REQUIRE(after.size() == before.size());
    for (std::size_t i = 0; i < after.size(); ++i) { CHECK(after[i].pid == before[i].pid); }
}
ON_EVERY_ENGINE("EXC-12 a result that cannot be encoded fails its task and loses no worker",
                results_may_refuse_to_leave)

template <class P>
void results_may_refuse_to_arrive() {
    P pool{2};
    std::vector<Future<int>> others;
    for (int round = 0; round < 10; ++round) {
        for (int i = 0; i < 10; ++i) {
            others.push_back(pool.apply_async([](int n) { return n; }, i));
        }
        auto broken = pool.apply_async([] { return Troubled{Trouble::decode}; });
        auto odd = pool.apply_async([] { return Troubled{Trouble::decode_odd}; });
        auto greedy = pool.apply_async([] { return Troubled{Trouble::read_too_much}; });
        CHECK(text_of<std::domain_error>([&] { get_soon(broken); }) == "refuses to arrive");
        CHECK_THROWS_AS(get_soon(odd), int);
        CHECK_THROWS_AS(get_soon(greedy), CodecError);
    }
    int sum = 0;
    for (auto& future : others) { sum += get_soon(future); }
    CHECK(sum == 450);
}
ON_EVERY_ENGINE("EXC-14 a result that does not decode fails its future only", results_may_refuse_to_arrive)

// ---- causes and discarded errors

template <class P>
void nested_causes_stay() {
    P pool{1};
    try {
        pool.apply([] {
            try {
                throw std::out_of_range("inner");
            } catch (...) { std::throw_with_nested(std::runtime_error("outer")); }
        });
        CHECK(false);
    } catch (const std::runtime_error& outer) {
        CHECK(std::string{outer.what()} == "outer");
        CHECK(text_of<std::out_of_range>([&] { std::rethrow_if_nested(outer); }) == "inner");
    }
}
ON_EVERY_ENGINE("EXC-15 what is nested in an exception comes with it", nested_causes_stay)

template <class P>
void errors_may_be_ignored() {
    P pool{2};
    for (int i = 0; i < 1000; ++i) {
        static_cast<void>(pool.apply_async([]() -> int { throw std::runtime_error("nobody asks"); }));
    }
    pool.close();
    CHECK(pool.join_for(wait_limit));
    CHECK(pool.stats().failed == 1000);
}
ON_EVERY_ENGINE("EXC-16 a thousand failures that nobody asks for are harmless", errors_may_be_ignored)

// ---- what comes from a worker is not believed

struct Harbour : std::error_category {
    [[nodiscard]] const char* name() const noexcept override { return "harbour"; }
    [[nodiscard]] std::string message(int) const override { return "silted up"; }
};
const Harbour harbour;

/// Constructed in the process that uses it first, which a constructor that runs no code could not show.
struct LateHarbour : Harbour {
    LateHarbour() : text(std::to_string(this_worker::pid())) {}
    std::string text;
};

template <class P>
void categories_of_users_survive() {
    P pool{1};
    try {
        pool.apply([] { throw std::system_error(3, harbour, "boat"); });
        CHECK(false);
    } catch (const std::system_error& error) {
        CHECK(error.code() == std::error_code(3, harbour));
        CHECK(error.what() == std::string{"boat: silted up"});
    }
    CHECK(pool.apply([](std::error_code code) { return code; }, std::error_code(3, harbour)) ==
          std::error_code(3, harbour));
}
ON_EVERY_ENGINE("an error category of the program comes back as itself", categories_of_users_survive)

TEST_CASE("an error category that only the worker has constructed comes back by its name") {
    Pool pool{1};
    try {
        pool.apply([] {
            static const LateHarbour late;
            throw std::system_error(3, late, "boat");
        });
        CHECK(false);
    } catch (const std::system_error& error) {
        CHECK(error.code().value() == 3);
        CHECK(error.code().category().name() == std::string{"harbour"});
        CHECK(error.what() == std::string{"boat: silted up"});
    }
}

/// Its bytes are no address in memory that processes share.
struct Forged {
    int* pointer;
};

}  // namespace

template <>
struct procpool::Codec<Forged> {
    static void encode(Writer& out, const Forged&) { Codec<std::uint64_t>::encode(out, 0x1000); }
    static Forged decode(Reader& in) { return {Codec<int*>::decode(in)}; }
};

namespace {

TEST_CASE("an address in a result is refused unless it is shared") {
    Pool pool{1};
    const auto forge = [](int) { return Forged{}; };
    CHECK_THROWS_AS(pool.apply(forge, 1), CodecError);
    CHECK_THROWS_AS(pool.map(forge, std::vector{1, 2}), CodecError);
    CHECK_THROWS_AS(pool.map_outcomes(forge, std::vector{1})[0].value(), CodecError);
    const Shared<int> number{7};
    CHECK(*pool.apply([](int* p) { return p; }, number.get()) == 7);
}

struct Chain {
    int value = 0;
    std::unique_ptr<Chain> next;
};
Chain chain_of(int length) {
    Chain first;
    for (int i = 1; i < length; ++i) { first.next = std::make_unique<Chain>(Chain{i, std::move(first.next)}); }
    return first;
}
void unlink(Chain& chain) {
    for (auto next = std::move(chain.next); next;) { next = std::move(next->next); }
}

/// Destroys its chain without a recursion.
struct LongChain {
    explicit LongChain(int length) : chain(chain_of(length)) {}
    LongChain(LongChain&&) = default;
    ~LongChain() { unlink(chain); }
    Chain chain;
};

}  // namespace

template <>
struct procpool::Codec<LongChain> {
    static void encode(Writer& out, const LongChain& value) { Codec<Chain>::encode(out, value.chain); }
    static LongChain decode(Reader&) { return LongChain(0); }
};

namespace {

template <class P>
void nesting_has_a_limit() {
    P pool{1};
    CHECK(pool.apply([](const Chain& chain) { return chain.next->value; }, chain_of(500)) == 499);
    CHECK(pool.apply(chain_of, 500).next->value == 499);
    Chain chain = chain_of(1'000'000);
    CHECK_THROWS_AS(pool.apply([](const Chain& c) { return c.value; }, chain), CodecError);
    unlink(chain);
    CHECK_THROWS_AS(pool.apply([] { return LongChain(1'000'000); }), CodecError);
    CHECK(pool.apply([] { return 1; }) == 1);
}
ON_PROCESSES("a value that nests too deeply is a CodecError", nesting_has_a_limit)

}  // namespace
