// SPDX-License-Identifier: BSL-1.0
#include <procpool/pool/ref.hpp>

#include "os/in_child.hpp"
#include "pool/engines.hpp"
#include "support/counted.hpp"

#include <procpool/client/client.hpp>
#include <procpool/codec/bind_front.hpp>
#include <procpool/task/board.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

using namespace procpool_test;

namespace {

/// The first worker that decodes one dies.
struct Fatal {
    Counter decodings;
    std::vector<int> numbers;
};

/// A value that cannot be encoded, or decoded.
struct Bad {
    bool encodes;
};

/// For threads only. Destroying it submits to the pool.
class Submits {
public:
    Submits(ThreadPool& pool, Counter destroyed) : pool_(&pool), destroyed_(destroyed) {}
    Submits(Submits&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), destroyed_(other.destroyed_) {}
    Submits& operator=(Submits&&) = delete;
    ~Submits() {
        if (pool_ == nullptr) { return; }
        static_cast<void>(pool_->apply_async(same, 1));
        destroyed_.add();
    }
    [[nodiscard]] int value() const { return pool_ != nullptr ? 1 : 0; }

private:
    ThreadPool* pool_;
    Counter destroyed_;
};

/// The worker that destroys one that it has decoded dies.
struct Deadly {
    std::vector<int> numbers;
    bool is_decoded = false;
    explicit Deadly(std::vector<int> from, bool decoded = false) : numbers(std::move(from)), is_decoded(decoded) {}
    Deadly(Deadly&& other) noexcept
        : numbers(std::move(other.numbers)),
          is_decoded(std::exchange(other.is_decoded, false)) {}
    Deadly& operator=(Deadly&&) = delete;
    ~Deadly() {
        if (is_decoded) { std::abort(); }
    }
};

}  // namespace

template <>
struct procpool::Codec<Deadly> {
    static void encode(Writer& out, const Deadly& deadly) { Codec<std::vector<int>>::encode(out, deadly.numbers); }
    static Deadly decode(Reader& in) { return Deadly{Codec<std::vector<int>>::decode(in), true}; }
};

template <>
struct procpool::Codec<Fatal> {
    static void encode(Writer& out, const Fatal& value) {
        detail::codec::encode_plain(out, value.decodings);
        Codec<std::vector<int>>::encode(out, value.numbers);
    }
    static Fatal decode(Reader& in) {
        const auto decodings = detail::codec::decode_plain<Counter>(in);
        if (decodings.add() == 1) { ::raise(SIGKILL); }
        return {decodings, Codec<std::vector<int>>::decode(in)};
    }
};

template <>
struct procpool::Codec<Bad> {
    static void encode(Writer& out, const Bad& bad) {
        Codec<std::vector<int>>::encode(out, std::vector<int>(1'000'000));
        if (!bad.encodes) { throw std::domain_error("not encoded"); }
    }
    static Bad decode(Reader&) { throw std::range_error("not decoded"); }
};

template <>
struct procpool::Codec<Submits> {
    static void encode(Writer&, const Submits&) { throw std::domain_error("not encoded"); }
    static Submits decode(Reader&) { throw std::range_error("not decoded"); }
};

namespace {

/// A pool that shows what is taken of its memory for arguments.
template <class P>
struct Watched : P {
    using P::P;
    [[nodiscard]] std::uint32_t taken() const { return this->client().board().arguments.extents().was_owned(); }
};

constexpr std::size_t many_numbers = 200'000;  // numbers: more than one extent holds

/// Blocks until no worker has anything of these.
void wait_until_none_is_alive(const Counts& counts) {
    wait_until([&] { return counts.alive.value() == 0; }, "decoded values to be destroyed");
}

std::vector<int> first(int n) {
    std::vector<int> numbers(static_cast<std::size_t>(n));
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
}

int value_of(const Counted& counted) { return counted.value(); }
int plus_value(const Ref<Counted>& counted, int n) { return counted->value() + n; }

template <class P>
void every_form() {
    P pool{2};
    const std::vector<double> numbers{1.5, 2.5, 3};
    const Ref<std::vector<double>> ref = pool.put(numbers);
    CHECK(ref.get() == numbers);
    CHECK((*ref)[1] == 2.5);
    CHECK(ref->size() == 3);
    CHECK(ref.span().size() == 3);
    CHECK(pool.apply([](const Ref<std::vector<double>>& r) { return (*r)[0] + r->back(); }, ref) == 4.5);
    CHECK(pool.apply([](const std::vector<double>& v) { return v.at(2); }, ref) == 3);
    CHECK(pool.apply([](std::vector<double> v, int i) { return v.at(static_cast<std::size_t>(i)); }, ref, 1) == 2.5);
    CHECK(pool.apply([](std::span<const double> v) { return v[0] + v[1] + v[2]; }, ref) == 7);
    CHECK(pool.apply([](const Ref<std::vector<double>>& r) { return r.span().back(); }, ref) == 3);
    CHECK(pool.apply([](const auto& r, auto n) { return r->front() + n; }, ref, 1) == 2.5);

    const Ref<std::string> text = pool.put("some text");
    CHECK(pool.apply([](std::string_view t) { return t.size(); }, text) == 9);
    CHECK(pool.apply([](const std::string& t) { return t + "!"; }, text) == "some text!");
    CHECK(pool.apply([](const Ref<std::string>& t) { return t.span()[5]; }, pool.put(std::string_view("some text"))) ==
          't');

    const Ref<std::vector<double>> of_span = pool.put(std::span{numbers});
    CHECK(pool.apply([](std::span<const double> v) { return v.size(); }, of_span) == 3);
    const auto unique = pool.put(std::vector<std::unique_ptr<int>>(2));
    CHECK(pool.apply([](const std::vector<std::unique_ptr<int>>& all) { return all.size(); }, unique) == 2);
    struct Empty {};
    CHECK(pool.apply([](const Empty&) { return 1; }, pool.put(Empty{})) == 1);
    CHECK(pool.apply([](const Ref<std::vector<int>>& none) { return none->size() + none.span().size(); },
                     pool.put(std::vector<int>{})) == 0);
}
ON_EVERY_ENGINE("a function takes a Ref or its value or a view of it", every_form)

template <class P>
void encoded_once() {
    SharedPage page;
    const Counts counts{page};
    P pool{2};
    const Ref<Counted> ref = pool.put(Counted{counts, many_numbers, 7});
    std::vector<Future<int>> futures;
    for (int i = 0; i < 500; ++i) { futures.push_back(pool.apply_async(plus_value, ref, i)); }
    for (int i = 0; i < 500; ++i) { CHECK(get_soon(futures[static_cast<std::size_t>(i)]) == 7 + i); }
    for (int round = 0; round < 3; ++round) {
        CHECK(pool.broadcast(value_of, ref) == std::vector<int>(pool.size(), 7));
        CHECK(pool.map(procpool::bind_front(plus_value, ref), first(100)).back() == 106);
    }
    if (has_processes<P>()) {
        CHECK(counts.encoded.value() == 1);
        CHECK(counts.decoded.value() == static_cast<std::int64_t>(pool.size()));
    } else {
        CHECK(counts.encoded.value() == 0);
        CHECK(counts.decoded.value() == 0);
    }
}
ON_EVERY_ENGINE("a value is encoded once and decoded at most once in a worker", encoded_once)

template <class P>
void calls() {
    SharedPage page;
    const Counts counts{page};
    P pool{2};
    const Ref<Counted> ref = pool.put(Counted{counts, many_numbers, 1});
    const std::vector<int> items = first(50);
    std::vector<int> results(items.size());
    std::iota(results.begin(), results.end(), 1);
    const auto bound = procpool::bind_front(plus_value, ref);
    const auto large_bound =  // sent once for the call
        procpool::bind_front([](const Ref<Counted>& r, const std::string&, int i) { return plus_value(r, i); }, ref,
                             std::string(100'000, 'x'));
    CHECK(pool.map(bound, items) == results);
    CHECK(pool.map(large_bound, items) == results);
    CHECK(get_soon(pool.map_async(large_bound, items)) == results);
    CHECK(std::ranges::equal(pool.imap(bound, items), results));
    CHECK(std::ranges::equal(pool.imap(large_bound, items), results));
    CHECK(pool.map([](int i, const Counted& c) { return c.value() + i; }, items, repeat(ref)) == results);
    CHECK(pool.map_reduce(bound, std::plus<>{}, 0, items) == std::accumulate(results.begin(), results.end(), 0));
    CHECK(pool.map(value_of, std::vector<Ref<Counted>>(20, ref)) == std::vector<int>(20, 1));
    CHECK(pool.starmap(plus_value, std::vector{std::tuple{ref, 1}, std::tuple{ref, 2}}) == std::vector{2, 3});
    struct Sum {
        Ref<Counted> ref;
        int operator()(int i) const { return ref->value() + i; }
    };
    CHECK(pool.map(Sum{ref}, items) == results);
    CHECK(pool.apply([](const std::vector<Ref<Counted>>& all) { return all.at(1)->value(); }, std::vector(2, ref)) ==
          1);
    CHECK(pool.apply(plus_value, ref, pool.apply_async(plus_value, ref, 1)) == 3);  // linked
    auto scattered = pool.scatter(first(4));
    const auto shifted =
        scattered.apply([](const std::vector<int>& part, const Counted& c) { return part.front() + c.value(); }, ref);
    CHECK(shifted.front() == 1);
    if (has_processes<P>()) { CHECK(counts.encoded.value() == 1); }
    CHECK(counts.decoded.value() <= static_cast<std::int64_t>(pool.size()));
}
ON_EVERY_ENGINE("every call takes Refs and values that hold them", calls)

template <class P>
void freed() {
    SharedPage page;
    const Counts counts{page};
    const Counter started{page};
    const Gate may_look{page};
    Watched<P> pool{2};
    const auto looks = [=](const Ref<Counted>& ref) {
        started.add();
        may_look.wait();
        return ref->value();
    };
    const std::uint32_t before = pool.taken();
    std::optional<Ref<Counted>> ref = pool.put(Counted{counts, many_numbers, 3});
    std::optional<Ref<Counted>> copy = ref;
    Future<int> running = pool.apply_async(snapshot(looks), *ref);
    std::vector<Future<int>> queued;
    for (int i = 0; i < 20; ++i) { queued.push_back(pool.apply_async(value_of, *ref)); }
    started.wait_for(1);
    if (has_processes<P>()) { CHECK(pool.taken() == before + 4); }  // 800,000 bytes
    ref.reset();
    copy.reset();
    for (int i = 0; i < 5; ++i) { CHECK(pool.apply(value_of, pool.put(Counted{counts, many_numbers, i})) == i); }
    if (has_processes<P>()) { CHECK(pool.taken() > before); }
    may_look.set();
    CHECK(get_soon(running) == 3);
    for (Future<int>& one : queued) { CHECK(get_soon(one) == 3); }
    CHECK(pool.taken() == before);
    wait_until_none_is_alive(counts);
}
ON_ENGINES_WITH_WORKERS("a value goes with its last handle and the last task with it", freed)

/// The ways in which a task leaves its slot.
template <class P>
void leaves() {
    SharedPage page;
    const Counts counts{page};
    for (int way = 0; way < 6; ++way) {
        CAPTURE(way);
        const Gate may_end{page};
        Watched<P> pool{{.workers = 1, .queue_capacity = 8, .terminate_grace = 0ms}};
        const std::uint32_t before = pool.taken();
        {
            const Ref<Counted> ref = pool.put(Counted{counts, many_numbers, way});
            std::vector<Future<int>> futures;
            if (way == 0) {  // swept out of their slots
                for (int i = 0; i < 50; ++i) { futures.push_back(pool.apply_async(plus_value, ref, i)); }
                for (int i = 0; i < 50; ++i) { CHECK(get_soon(futures[static_cast<std::size_t>(i)]) == way + i); }
            } else if (way == 1) {  // dropped
                for (int i = 0; i < 50; ++i) { static_cast<void>(pool.apply_async(plus_value, ref, i)); }
            } else if (way == 2) {  // failed
                CHECK_THROWS_AS(pool.apply([](const Ref<Counted>&) -> int { throw std::range_error(""); }, ref),
                                std::range_error);
            } else if (way == 3) {  // not accepted
                CHECK_THROWS_AS(pool.apply([](const Ref<Counted>&, Bad) {}, ref, Bad{false}), std::domain_error);
                CHECK_THROWS_AS(
                    pool.apply([](const Ref<Counted>&, Bad, int) {}, ref, Bad{false}, pool.apply_async(same, 1)),
                    std::domain_error);
            } else {  // cancelled, or lost with the pool
                if (!has_workers<P>()) { continue; }
                Future<void> holds = pool.apply_async(snapshot([=] {
                    while (!may_end.is_set() && !this_task::stop_token().stop_requested()) {
                        std::this_thread::yield();
                    }
                }));
                for (int i = 0; i < 5; ++i) { futures.push_back(pool.apply_async(plus_value, ref, i)); }
                if (way == 4) {
                    for (Future<int>& one : futures) { CHECK(one.cancel()); }
                    may_end.set();
                } else {
                    pool.kill();
                    for (Future<int>& one : futures) { CHECK_THROWS_AS(get_soon(one), PoolTerminated); }
                }
                holds.wait();
            }
        }
        if (way != 5) {
            CHECK(pool.apply(same, 1) == 1);
            wait_until(
                [&] {
                    static_cast<void>(pool.apply(same, 1));  // which frees what was dropped
                    return pool.taken() == before;
                },
                "memory to be free");
        } else {
            CHECK(pool.taken() == before);
        }
        if (way != 5) { wait_until_none_is_alive(counts); }
    }
}
ON_EVERY_ENGINE("a value goes whatever comes of the tasks with it", leaves)

template <class P>
void many() {
    SharedPage page;
    const Counts counts{page};
    Watched<P> pool{2};
    const std::uint32_t before = pool.taken();
    {
        std::vector<Ref<Counted>> refs;
        for (int i = 0; i < 300; ++i) { refs.push_back(pool.put(Counted{counts, 10, i})); }
        for (int round = 0; round < 2; ++round) {
            const std::vector<int> values = pool.map({.chunk_size = 7}, value_of, refs);
            CHECK(values == first(300));
        }
        CHECK(counts.decoded.value() <= 300 * static_cast<std::int64_t>(pool.size()));
    }
    CHECK(pool.taken() == before);
    wait_until_none_is_alive(counts);
    for (int i = 0; i < 300; ++i) { CHECK(pool.apply(value_of, pool.put(Counted{counts, 10, i})) == i); }
    CHECK(pool.taken() == before);
    wait_until_none_is_alive(counts);
}
ON_EVERY_ENGINE("there may be hundreds of values", many)

template <class P>
void side_by_side() {
    SharedPage page;
    const Counts counts{page};
    Watched<P> pool{{.workers = 2, .queue_capacity = 16}};
    const std::uint32_t before = pool.taken();
    std::atomic<int> wrong{0};
    {
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 4; ++thread) {
            threads.emplace_back([&, thread] {
                for (int round = 0; round < 20; ++round) {
                    Ref<Counted> ref = pool.put(Counted{counts, 1000, thread});
                    std::vector<Future<int>> futures;
                    for (int i = 0; i < 10; ++i) { futures.push_back(pool.apply_async(plus_value, ref, i)); }
                    ref = pool.put(Counted{counts, 1000, thread});
                    for (int i = 0; i < 10; ++i) {
                        if (get_soon(futures[static_cast<std::size_t>(i)]) != thread + i) { ++wrong; }
                    }
                }
            });
        }
    }
    CHECK(wrong == 0);
    static_cast<void>(pool.apply(same, 1));
    CHECK(pool.taken() == before);
    wait_until_none_is_alive(counts);
}
ON_EVERY_ENGINE("threads put values side by side", side_by_side)

template <class P>
void pool_gone() {
    SharedPage page;
    const Counts counts{page};
    P other{1};
    std::optional<P> pool{1};
    const Ref<Counted> ref = pool->put(Counted{counts, many_numbers, 1});
    const Ref<Counted> unused = pool->put(Counted{counts, many_numbers, 2});
    CHECK(other.apply(value_of, ref) == 1);
    CHECK(pool->apply(value_of, ref) == 1);
    Future<int> result = pool->apply_async(value_of, ref);
    result.wait();
    pool.reset();
    CHECK_THROWS_AS(ref.get(), std::logic_error);
    CHECK_THROWS_AS(unused.get(), std::logic_error);
    CHECK_THROWS_AS(other.apply(value_of, ref), std::logic_error);
    CHECK(result.get() == 1);
    CHECK(other.apply(same, 1) == 1);

    P closed{1};
    closed.close();
    CHECK_THROWS_AS(closed.put(1), PoolClosed);
    Ref<int> moved = other.put(5);
    const Ref<int> taken = std::move(moved);
    CHECK(*taken == 5);
    CHECK_THROWS_AS(*moved, std::logic_error);
    CHECK_THROWS_AS(other.apply([](int n) { return n; }, moved), std::logic_error);
}
ON_EVERY_ENGINE("a Ref whose pool is gone throws logic_error", pool_gone)

/// Futures that nobody reads keep neither the value nor the pool's memory.
template <class P>
void pool_gone_with_tasks() {
    SharedPage page;
    const Counts counts{page};
    std::vector<Future<int>> futures;
    {
        P pool{1};
        const Ref<Counted> ref = pool.put(Counted{counts, many_numbers, 1});
        for (int i = 0; i < 10; ++i) { futures.push_back(pool.apply_async(plus_value, ref, i)); }
        for (int i = 0; i < 10; ++i) { static_cast<void>(pool.apply_async(plus_value, ref, i)); }
    }
    wait_until_none_is_alive(counts);
    for (int i = 0; i < 10; ++i) { CHECK(get_soon(futures[static_cast<std::size_t>(i)]) == 1 + i); }
}
ON_EVERY_ENGINE("a pool's end frees the values of tasks whose futures are left", pool_gone_with_tasks)

template <class P>
void errors() {
    Watched<P> pool{1};
    const std::uint32_t before = pool.taken();
    if (has_processes<P>()) { CHECK_THROWS_AS(pool.put(Bad{false}), std::domain_error); }
    {
        const Ref<Bad> bad = pool.put(Bad{true});
        if (has_processes<P>()) {
            for (int i = 0; i < 2; ++i) {
                CHECK_THROWS_AS(pool.apply([](const Bad&) {}, bad), std::range_error);
                CHECK_THROWS_AS(pool.apply([](const Ref<Bad>& b) { static_cast<void>(*b); }, bad), std::range_error);
            }
        }
        CHECK(pool.apply([](const Ref<Bad>&) { return 1; }, bad) == 1);
    }
    CHECK(pool.taken() == before);
}
ON_EVERY_ENGINE("a value that does not encode or decode is an error of who looks at it", errors)

/// To another pool its bytes are copied once.
template <class P, class Other>
void to_other_pool() {
    SharedPage page;
    const Counts counts{page};
    P pool{2};
    Watched<Other> other{2};
    const std::uint32_t before = other.taken();
    {
        const Ref<Counted> ref = pool.put(Counted{counts, many_numbers, 4});
        for (int i = 0; i < 3; ++i) {
            CHECK(other.broadcast(value_of, ref) == std::vector<int>(other.size(), 4));
            CHECK(pool.apply(value_of, ref) == 4);
            CHECK(other.taken() == before + (has_processes<Other>() ? 4 : 0));
        }
        CHECK(counts.encoded.value() <= 1);
        CHECK(counts.decoded.value() <= 3 * static_cast<std::int64_t>(pool.size()) + 1);
        const std::vector<int> all = other.map(procpool::bind_front(plus_value, ref), first(10));
        CHECK(all.back() == 13);
    }
    CHECK(other.taken() == before);
    wait_until_none_is_alive(counts);
}
template <class P>
void to_other_pools() {
    to_other_pool<P, Pool>();
    to_other_pool<P, ThreadPool>();
    to_other_pool<P, InlinePool>();
}
ON_EVERY_ENGINE("a Ref works with other pools of the program", to_other_pools)

class Account {
public:
    int add(const Counted& value, int n) { return sum_ += value.value() + n; }
    void keep(Ref<Counted> value) { kept_ = std::move(value); }
    [[nodiscard]] int kept() const { return kept_.value()->value(); }

private:
    int sum_ = 0;
    std::optional<Ref<Counted>> kept_;
};

TEST_CASE("an actor is called with Refs") {
    SharedPage page;
    const Counts counts{page};
    Pool pool{1};
    std::optional<Ref<Counted>> ref = pool.put(Counted{counts, many_numbers, 2});
    auto account = actor<Account>();
    const ActorRef<Account> reference = account.ref();
    CHECK(account.call(&Account::add, *ref, 1).get() == 3);
    CHECK(account.call(&Account::add, *ref, 1).get() == 6);
    CHECK(counts.encoded.value() == 1);
    CHECK(counts.decoded.value() == 1);
    // From a worker the value itself travels.
    CHECK(pool.apply(
              [](const ActorRef<Account>& to, const Ref<Counted>& r) { return to.call(&Account::add, r, 0).get(); },
              reference, *ref) == 8);
    account.call(&Account::keep, *ref).get();
    CHECK(account.call(&Account::kept).get() == 2);
    ref.reset();
    CHECK(account.call(&Account::kept).get() == 2);  // it was decoded
}

TEST_CASE("what a worker keeps of a Ref that is gone is told by an exception") {
    Pool pool{1};
    static std::optional<Ref<std::vector<int>>> kept;
    const auto keeps = [](const Ref<std::vector<int>>& ref) { kept = ref; };
    const auto looks = [] { return kept->get().size() + kept->span().size(); };
    {
        const Ref<std::vector<int>> ref = pool.put(first(10));
        pool.apply(keeps, ref);
        CHECK(pool.apply(snapshot(looks)) == 20);
        pool.apply(keeps, ref);
    }
    CHECK_THROWS_AS(pool.apply([] { return kept->span().size(); }), std::logic_error);
    CHECK(pool.apply([] { return kept->get().size(); }) == 10);  // it was decoded
    {
        const Ref<std::vector<int>> ref = pool.put(first(20));
        pool.apply(keeps, ref);
    }
    CHECK_THROWS_AS(pool.apply([] { return kept->get().size(); }), std::logic_error);
}

/// A task hands its Ref on, and ends; the parent has no handle any more.
template <class P>
void handed_on() {
    SharedPage page;
    const Counts counts{page};
    const Gate may_look{page};
    const Counter sum{page};
    Watched<P> pool{2};
    const std::uint32_t before = pool.taken();
    const auto looks = [](const Ref<Counted>& ref, Gate gate, Counter to) {
        gate.wait();
        to.add(ref->value());
    };
    const auto hands_on = [looks](const Ref<Counted>& ref, Gate gate, Counter to) {
        static_cast<void>(this_worker::submit(looks, ref, gate, to));
    };
    pool.apply(hands_on, pool.put(Counted{counts, many_numbers, 6}), may_look, sum);
    for (int i = 0; i < 3; ++i) { static_cast<void>(pool.put(Counted{counts, many_numbers, 7})); }
    may_look.set();
    sum.wait_for(1);
    CHECK(sum.value() == 6);
    const auto waits = [](const Ref<Counted>& ref) {
        return this_worker::submit([](const Counted& c) { return c.value(); }, ref).get();
    };
    CHECK(pool.apply(waits, pool.put(Counted{counts, many_numbers, 8})) == 8);
    wait_until(
        [&] {
            static_cast<void>(pool.apply(same, 1));
            return pool.taken() == before;
        },
        "memory to be free");
    wait_until_none_is_alive(counts);
}
ON_ENGINES_WITH_WORKERS("a task hands its Ref on to tasks that outlive it", handed_on)

TEST_CASE("a worker's own pool takes the Refs of its task") {
    Pool pool{1};
    const Ref<std::vector<int>> ref = pool.put(first(1000));
    CHECK(pool.apply(
              [](const Ref<std::vector<int>>& r) {
                  Pool inner{1};
                  return inner.apply([](const std::vector<int>& v) { return v.back(); }, r) +
                         inner.apply([](std::span<const int> v) { return v.back(); }, inner.put(*r));
              },
              ref) == 2 * 999);
}

TEST_CASE("a forked child looks at an inherited Ref and frees nothing") {
    SharedPage page;
    const Counts counts{page};
    const Gate is_gone{page};
    const Counter forked{page};
    Watched<Pool> pool{1};
    const std::uint32_t before = pool.taken();
    std::optional<Ref<Counted>> ref = pool.put(Counted{counts, many_numbers, 9});
    const std::uint32_t with_value = pool.taken();
    CHECK(in_child([&] {
              const Ref<Counted> copy = *ref;
              const int value = copy->value();
              ref.reset();
              return value;
          }) == 9);
    CHECK(in_child([&] {
              Pool own{1};
              try {
                  static_cast<void>(own.apply(value_of, *ref));
              } catch (const std::logic_error&) { return 1; }
              return 0;
          }) == 1);
    const Ref<std::vector<int>> numbers = pool.put(first(10));
    CHECK(in_child([&] {
              try {
                  static_cast<void>(numbers.span());
              } catch (const std::logic_error&) { return numbers->back(); }
              return 0;
          }) == 9);
    CHECK(fork_map([&](int n) { return n + (*ref)->value(); }, first(3)) == std::vector{9, 10, 11});
    Process process{[&] { return (*ref)->value(); }};
    process.join();
    CHECK(process.exit_status().code() == 9);
    CHECK(pool.taken() == with_value + 1);
    CHECK(pool.apply(value_of, *ref) == 9);
    Process late{[&] {
        forked.add();
        is_gone.wait();
        try {
            static_cast<void>(ref->get());
        } catch (const std::logic_error&) { return 1; }
        return 0;
    }};
    forked.wait_for(1);
    ref.reset();
    is_gone.set();
    late.join();
    CHECK(late.exit_status().code() == 1);
    static_cast<void>(pool.apply(same, 1));
    CHECK(pool.taken() == before + 1);
}

TEST_CASE("a worker that was forked after put() looks at what it inherits") {
    Pool pool{1};
    const Ref<std::vector<int>> ref = pool.put(first(10));
    pool.refork();
    const auto looks = [&ref] { return ref->back(); };
    CHECK(pool.apply(snapshot(looks)) == 9);
    CHECK(pool.apply([](const std::vector<int>& v) { return v.back(); }, ref) == 9);
}

TEST_CASE("a worker that dies while it decodes a value leaves nothing") {
    SharedPage page;
    const Counter decodings{page};
    Watched<Pool> pool{1};
    const std::uint32_t before = pool.taken();
    const auto looks = [](const Fatal& value) { return value.numbers.back(); };
    {
        const Ref<Fatal> ref = pool.put(Fatal{decodings, first(many_numbers)});
        CHECK_THROWS_AS(pool.apply(looks, ref), WorkerDied);
        CHECK(pool.apply(looks, ref) == static_cast<int>(many_numbers) - 1);
        decodings.add(-decodings.value());
    }
    CHECK(pool.taken() == before);
    {
        const Ref<Fatal> ref = pool.put(Fatal{decodings, first(many_numbers)});
        CHECK(pool.apply(TaskOptions{.retries = 1}, looks, ref) == static_cast<int>(many_numbers) - 1);
        CHECK(decodings.value() == 2);
    }
    CHECK(pool.taken() == before);
}

TEST_CASE("a worker that dies as it destroys a value is no task's casualty") {
    Pool pool{1};
    const auto size_of = [](const Deadly& deadly) { return deadly.numbers.size(); };
    for (std::size_t round = 1; round <= 3; ++round) {
        {
            const Ref<Deadly> ref = pool.put(Deadly{first(10)});
            for (int i = 0; i < 5; ++i) { CHECK(pool.apply(size_of, ref) == 10); }
        }
        for (int i = 0; i < 5; ++i) {  // whether the worker has noticed or not
            CHECK(pool.apply([](const std::vector<int>& v) { return v.size(); }, pool.put(first(3))) == 3);
        }
        wait_until([&] { return pool.stats().workers_died >= round; }, "a worker to die");
    }
    CHECK(pool.stats().failed == 0);
}

/// The items' only handles go when they have been read; a chunk that its worker's death cut short is sent again.
TEST_CASE("a chunk that is sent again has the values that it was sent with") {
    SharedPage page;
    const Counts counts{page};
    const Counter runs{page};
    const auto f = [=](const Ref<Counted>& ref) {
        if (runs.add() == 3) { ::raise(SIGKILL); }
        return ref->value();
    };
    for (const std::size_t capacity : {std::size_t{4}, std::size_t{4096}}) {  // its slot keeps the arguments, or not
        runs.add(-runs.value());
        Watched<Pool> pool{{.workers = 1, .queue_capacity = capacity}};
        const std::vector<int> numbers = first(20);
        const auto values = numbers | std::views::transform([&](int i) {
                                return pool.put(Counted{counts, many_numbers, i});
                            });
        CHECK(pool.map({.chunk_size = 5, .retries = 1}, snapshot(f), values) == numbers);
        static_cast<void>(pool.apply(same, 1));
        CHECK(pool.taken() == 0);
    }
}

/// The consumer goes while an item runs, and with it the call's function object.
TEST_CASE("a function object's values stay for items that run on") {
    for (const std::size_t size :
         {std::size_t{1}, std::size_t{1'000'000}}) {  // it is copied into chunks, or lies apart
        SharedPage page;
        const Counts counts{page};
        const Gate may_look{page};
        const Counter started{page};
        const Counter seen{page};
        Watched<Pool> pool{2};
        const auto looks = [=](const Ref<Counted>& ref, const std::string&, int i) {
            started.add();
            may_look.wait();
            seen.add(i == 1 ? ref->value() : 0);
            return 0;
        };
        {
            auto range = pool.imap({.chunk_size = 1},
                                   procpool::bind_front(snapshot(looks), pool.put(Counted{counts, many_numbers, 5}),
                                                        std::string(size, 'x')),
                                   first(2));
            started.wait_for(2);
        }
        for (int i = 0; i < 5; ++i) { static_cast<void>(pool.put(Counted{counts, many_numbers, 100})); }
        may_look.set();
        seen.wait_for(1);
        CHECK(seen.value() == 5);
        wait_until(
            [&] {
                static_cast<void>(pool.apply(same, 1));
                return pool.taken() == 0;
            },
            "memory to be free");
        wait_until_none_is_alive(counts);
    }
}

TEST_CASE("the destructor of a value may use the pool", "[thread]") {
    SharedPage page;
    const Counter destroyed{page};
    ThreadPool pool{{.workers = 1, .queue_capacity = 4}};
    std::vector<Future<int>> futures;
    for (int i = 0; i < 40; ++i) {
        futures.push_back(
            pool.apply_async([](const Submits& value) { return value.value(); }, pool.put(Submits{pool, destroyed})));
        if (i % 3 == 0) { futures.pop_back(); }
    }
    for (Future<int>& one : futures) { CHECK(get_soon(one) == 1); }
    wait_until(
        [&] {
            static_cast<void>(pool.apply(same, 1));
            return destroyed.value() == 40;
        },
        "values to be destroyed");
}

TEST_CASE("workers are killed at random while they use Refs") {
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random{seed};
    SharedPage page;
    const Counts counts{page};
    const Counter done{page};
    Watched<Pool> pool{{.workers = 2, .queue_capacity = 64}};
    {
        std::atomic<bool> is_over{false};
        std::jthread killer{[&] {
            for (std::int64_t at = 0; !is_over;) {
                at += std::uniform_int_distribution{20, 400}(random);
                while (!is_over && done.value() < at) { std::this_thread::yield(); }
                const std::vector<WorkerInfo> workers = pool.workers();
                if (workers.empty()) { continue; }
                const pid_t victim = workers[random() % workers.size()].pid;
                if (victim > 0) { ::kill(victim, SIGKILL); }
            }
        }};
        const auto f = [=](const Ref<Counted>& ref, int i) {
            done.add();
            return plus_value(ref, i);
        };
        for (int round = 0; round < 10; ++round) {
            const Ref<Counted> ref = pool.put(Counted{counts, many_numbers, round});
            std::vector<Future<int>> futures;
            for (int i = 0; i < 300; ++i) {
                futures.push_back(pool.apply_async(TaskOptions{.retries = 1000}, snapshot(f), ref, i));
            }
            for (int i = 0; i < 300; ++i) { CHECK(get_soon(futures[static_cast<std::size_t>(i)]) == round + i); }
        }
        is_over = true;
    }
    static_cast<void>(pool.apply(TaskOptions{.retries = 10}, same, 1));
    CHECK(pool.taken() == 0);
}

}  // namespace
