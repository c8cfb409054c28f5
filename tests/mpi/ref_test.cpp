// SPDX-License-Identifier: BSL-1.0
// Memory that many tasks refer to, values of put() and large function objects of maps, is on another machine once.
#include "mpi/accounts.hpp"
#include "mpi/machines.hpp"
#include "support/counted.hpp"
#include "support/events.hpp"

#include <procpool/codec/bind_front.hpp>
#include <procpool/os/call.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/task/thread_context.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

#if !defined(PROCPOOL_TEST_MACHINES)
#error "this needs pages that all ranks share"
#endif

using namespace machines;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t many_numbers = 200'000;  // numbers: more than one extent holds
constexpr std::size_t least_reserved = std::size_t{300} << 20;

/// How often something was sent to a machine for the tasks that refer to it. Made after the pool, on rank 0.
class Sendings {
public:
    Sendings() {
        count_ = 0;
        set_log_sink(
            [](const LogRecord& record) {
                if (record.text.find("for tasks that refer to them") != std::string_view::npos) { ++count_; }
            },
            LogLevel::debug);
    }
    Sendings(const Sendings&) = delete;
    Sendings& operator=(const Sendings&) = delete;
    ~Sendings() { set_log_sink({}); }

    /// Those before the last task that has come back.
    [[nodiscard]] int count() const {
        flush_log();
        return count_;
    }

private:
    static inline std::atomic<int> count_{0};
};

std::vector<int> numbers_to(int n) {
    std::vector<int> numbers(static_cast<std::size_t>(n));
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
}

/// Characters that are read where they have arrived.
struct Viewed {
    std::string_view text;
};

int value_plus(const Ref<Counted>& counted, int n) { return counted->value() + n; }
int plain_value(const Counted& counted) { return counted.value(); }
bool all_are(std::span<const int> numbers, int value) {
    return std::ranges::all_of(numbers, [=](int n) { return n == value; });
}

}  // namespace

template <>
struct procpool::Codec<Viewed> {
    static void encode(Writer& out, const Viewed& viewed) {
        detail::codec::encode_plain(out, std::uint64_t{viewed.text.size()});
        out.write(viewed.text.data(), viewed.text.size());
    }
    static Viewed decode(Reader& in) {
        const auto size = static_cast<std::size_t>(detail::codec::decode_plain<std::uint64_t>(in));
        return {{reinterpret_cast<const char*>(in.take(size)), size}};
    }
};

TEST_CASE("MPI-110 a value goes to another machine once and each worker there decodes it once") {
    SharedPage page;
    const Counts counts{page};
    MpiPool pool{remote(2)};
    const Sendings sendings;
    std::optional<Ref<Counted>> ref = pool.put(Counted{counts, many_numbers, 7});
    CHECK(counts.encoded.value() == 1);
    CHECK(sendings.count() == 0);
    std::vector<Future<int>> futures;
    for (int i = 0; i < 500; ++i) { futures.push_back(pool.apply_async(value_plus, *ref, i)); }
    for (int i = 0; i < 500; ++i) { CHECK(futures[static_cast<std::size_t>(i)].get() == 7 + i); }
    for (int round = 0; round < 3; ++round) {
        CHECK(pool.broadcast(plain_value, *ref) == std::vector<int>{7, 7});
        CHECK(pool.map(procpool::bind_front(value_plus, *ref), numbers_to(100)).back() == 106);
    }
    CHECK(sendings.count() == 1);
    CHECK(counts.encoded.value() == 1);
    CHECK(counts.decoded.value() == 2);
    CHECK((*ref)->value() == 7);
    ref.reset();
    wait_until([&] { return counts.alive.value() == 0; }, "decoded values to be destroyed");
    wait_until_all_is_free(pool, 0);
}

TEST_CASE("MPI-111 workers of the machine of rank 0 read a value from its memory") {
    SharedPage page;
    const Counts counts{page};
    MpiPool pool{2};
    const Sendings sendings;
    std::optional<Ref<Counted>> ref = pool.put(Counted{counts, many_numbers, 7});
    for (int round = 0; round < 10; ++round) {
        CHECK(pool.broadcast(plain_value, *ref) == std::vector<int>{7, 7, 7, 7});
    }
    CHECK(sendings.count() == 1);
    CHECK(counts.encoded.value() == 1);
    CHECK(counts.decoded.value() == 4);
    ref.reset();
    wait_until([&] { return counts.alive.value() == 0; }, "decoded values to be destroyed");
    wait_until_all_is_free(pool, 2);
}

TEST_CASE("MPI-112 a value travels in every form") {
    MpiPool pool{remote(2)};
    const std::vector<double> numbers{1.5, 2.5, 3};
    {
        const Sendings sendings;
        const Ref<std::vector<double>> ref = pool.put(numbers);
        const Ref<std::string> text = pool.put("some text");
        CHECK(ref.get() == numbers);
        CHECK(pool.apply([](const Ref<std::vector<double>>& r) { return (*r)[0] + r->back(); }, ref) == 4.5);
        CHECK(pool.apply([](const std::vector<double>& v) { return v.at(2); }, ref) == 3);
        CHECK(pool.apply([](std::span<const double> v) { return v[0] + v[1] + v[2]; }, ref) == 7);
        CHECK(pool.apply([](std::string_view t, std::span<const double> v) { return t.size() + v.size(); }, text,
                         ref) == 12);
        CHECK(pool.apply([](const std::vector<Ref<std::string>>& all) { return all.front()->size() + all.size(); },
                         std::vector<Ref<std::string>>(1000, text)) == 1009);
        CHECK(pool.apply_on(
            1, [](std::string_view t, const Ref<std::string>& r) { return t == *r; }, text, text));
        CHECK(pool.apply(
                  procpool::bind_front([](const Ref<std::string>& t, std::size_t n) { return t->size() + n; }, text),
                  std::size_t{1}) == 10);
        CHECK(pool.map([](std::string_view t, int n) { return t.size() + static_cast<std::size_t>(n); }, repeat(text),
                       numbers_to(100))
                  .back() == 108);
        CHECK(pool.map([](const Ref<std::string>& t) { return t->size(); }, std::vector<Ref<std::string>>(100, text)) ==
              std::vector<std::size_t>(100, 9));
        CHECK(sendings.count() == 2);
    }
    CHECK(pool.apply([](const std::vector<int>& none) { return none.size(); }, pool.put(std::vector<int>{})) == 0);
    struct Empty {};
    CHECK(pool.apply([](const Empty&) { return 1; }, pool.put(Empty{})) == 1);
    const auto inner = pool.put(std::string(100'000, 'x'));
    const auto outer = pool.put(std::vector<Ref<std::string>>{inner, inner});
    CHECK(pool.apply([](const std::vector<Ref<std::string>>& all) { return all[0]->size() + all[1]->size(); }, outer) ==
          200'000);
}

TEST_CASE("MPI-113 tasks have results of others and values among their arguments") {
    MpiPool pool{remote(2)};
    const Sendings sendings;
    const Ref<std::vector<int>> ref = pool.put(std::vector<int>(many_numbers, 3));
    const auto at = [](const std::vector<int>& numbers, int n) { return numbers.at(static_cast<std::size_t>(n)); };
    auto sum = pool.apply_async(at, ref, 0);
    for (int i = 0; i < 100; ++i) {
        auto next = pool.apply_async([](int so_far, const Ref<std::vector<int>>& r, std::string,
                                        int n) { return so_far + r->at(static_cast<std::size_t>(n)); },
                                     std::move(sum), ref, std::string(static_cast<std::size_t>(i) * 10, 'x'), i);
        sum = std::move(next);
    }
    CHECK(sum.get() == 303);
    auto large = pool.apply_async([] { return std::string(1 << 20, 'x'); });
    CHECK(pool.apply([](const std::string& text, std::span<const int> numbers) { return text.size() + numbers.size(); },
                     std::move(large), ref) == (1 << 20) + many_numbers);
    CHECK(sendings.count() == 1);
}

TEST_CASE("MPI-114 tasks that a task submits have the values of its own") {
    MpiPool pool{remote(2)};
    const auto numbers = pool.put(std::vector<int>(many_numbers, 3));
    CHECK(pool.apply(
              [](const Ref<std::vector<int>>& r) {
                  auto inner = this_worker::submit([](const std::vector<int>& v) { return v.back(); }, r);
                  return inner.get() + r->front();
              },
              numbers) == 6);
    // A pool that a task builds finds things where its own parent has them.
    CHECK(pool.apply(
              [](const Ref<std::vector<int>>& r) {
                  Pool own{1};
                  const auto again = own.put(std::vector<int>(many_numbers, 4));
                  const std::vector<int> large(many_numbers, 5);
                  const auto backs = [](std::span<const int> v, std::span<const int> w) { return v.back() + w.back(); };
                  const auto plus = [](const std::vector<int>& v, int n) { return v.back() + n; };
                  return own.apply(backs, r, again) +
                         own.map(procpool::bind_front(plus, large), std::vector<int>{1}).front();
              },
              numbers) == 13);
}

TEST_CASE("MPI-115 values of any size go to another machine and are freed there") {
    MpiPool pool{remote(2)};
    const Sendings sendings;
    {
        const auto huge = pool.put(std::vector<std::uint64_t>((std::size_t{80} << 20) / sizeof(std::uint64_t), 5));
        std::vector<Ref<std::string>> texts;
        constexpr std::size_t length = sizeof(std::uint64_t);  // before the characters
        for (const std::size_t edge : {length + 1, detail::mpi::Message::most_inline,
                                       detail::task::Extents::extent_size, 3 * detail::task::Extents::extent_size}) {
            for (const std::size_t size : {edge - 1, edge, edge + 1}) {
                texts.push_back(pool.put(std::string(size - length, 'x')));
            }
        }
        std::vector<Future<std::uint64_t>> futures;
        std::vector<std::uint64_t> sizes;
        for (int round = 0; round < 3; ++round) {
            for (const Ref<std::string>& text : texts) {
                futures.push_back(pool.apply_async(
                    [](std::span<const std::uint64_t> all, const Ref<std::string>& t) {
                        return all.front() + all.back() + t.span().size() +
                               static_cast<std::size_t>(*t != std::string(t->size(), 'x'));
                    },
                    huge, text));
                sizes.push_back(10 + text->size());
            }
        }
        for (std::size_t i = 0; i < futures.size(); ++i) { CHECK(futures[i].get() == sizes[i]); }
        CHECK(sendings.count() == 13);
    }
    wait_until_all_is_free(pool, 0);
}

TEST_CASE("MPI-116 a far worker that dies costs its task and the one after it decodes the value again") {
    SharedPage page;
    const Counts counts{page};
    const Counter tries{page};
    MpiPool pool{remote(1)};
    const Sendings sendings;
    const auto ref = pool.put(Counted{counts, many_numbers, 7});
    CHECK(pool.apply(
              TaskOptions{.retries = 2},
              [](const Counted& value, Counter all) {
                  if (all.add() <= 2) { ::raise(SIGKILL); }
                  return value.value();
              },
              ref, tries) == 7);
    CHECK_THROWS_AS(pool.apply([](const Counted&) { ::raise(SIGKILL); }, ref), WorkerDied);
    CHECK(pool.apply(plain_value, ref) == 7);
    CHECK(counts.decoded.value() == 4);
    // A chunk of which some items are done is written anew.
    const Counter items{page};
    CHECK(pool.map(
              MapOptions{.chunk_size = 20, .retries = 1},
              [](const Ref<Counted>& value, Counter all) {
                  if (all.add() == 30) { ::raise(SIGKILL); }
                  return value->value();
              },
              std::vector<Ref<Counted>>(60, ref), repeat(items)) == std::vector<int>(60, 7));
    CHECK(items.value() == 61);
    CHECK(sendings.count() == 1);
    CHECK(counts.encoded.value() == 1);
}

TEST_CASE("MPI-117 cancelled and killed tasks let go of their values") {
    SharedPage page;
    const Counter begun{page};
    MpiPool pool{remote(2)};
    for (int round = 1; round <= 5; ++round) {
        auto ref = std::make_optional(pool.put(std::vector<int>(many_numbers, round)));
        auto killed = pool.apply_async(
            [](const std::vector<int>&, Counter all) {
                all.add();
                ::pause();
            },
            *ref, begun);
        auto asked = pool.apply_async(
            [](std::stop_token stop, std::span<const int> all, Counter counter, int value) {
                counter.add();
                wait_until([&] { return stop.stop_requested(); }, "a request");
                return all_are(all, value);
            },
            *ref, begun, round);
        std::vector<Future<int>> waiting;
        for (int i = 0; i < 10; ++i) {
            waiting.push_back(pool.apply_async([](const std::vector<int>& v) { return v.back(); }, *ref));
        }
        ref.reset();
        begun.wait_for(2 * round);
        for (std::size_t i = 0; i < 5; ++i) { static_cast<void>(waiting[i].cancel()); }
        CHECK(killed.kill());
        static_cast<void>(asked.cancel());
        CHECK_THROWS_AS(killed.get(), TaskCancelled);
        CHECK(asked.get());
        for (std::size_t i = 5; i < 10; ++i) { CHECK(waiting[i].get() == round); }
        waiting.clear();
        wait_until_all_is_free(pool, 0);
    }
}

TEST_CASE("MPI-118 values outlive a machine that is lost") {
    MpiPool pool{{.workers = 1, .mpi = {.node_timeout = 1s}}};
    const auto [worker, agent] = pool.apply_on(1, [] { return std::pair{::getpid(), parent_of(::getppid())}; });
    auto ref = std::make_optional(pool.put(std::vector<int>(many_numbers, 3)));
    const auto back = [](std::span<const int> numbers, int n) { return numbers.back() + n; };
    CHECK(pool.apply_on(1, back, *ref, 1) == 4);
    REQUIRE(::kill(agent, SIGSTOP) == 0);
    const auto on_its_way = pool.put(std::vector<int>(5 * many_numbers, 4));
    auto lost = pool.apply_on_async(1, back, on_its_way, 1);
    std::vector<Future<int>> futures;
    for (int i = 0; i < 50; ++i) {
        futures.push_back(pool.apply_async(TaskOptions{.retries = 1}, back, i % 2 == 0 ? *ref : on_its_way, i));
    }
    for (int i = 0; i < 50; ++i) { CHECK(futures[static_cast<std::size_t>(i)].get() == (i % 2 == 0 ? 3 : 4) + i); }
    CHECK_THROWS_AS(lost.get(), NodeLost);
    ref.reset();
    REQUIRE(::kill(agent, SIGCONT) == 0);
    while (::kill(worker, 0) == 0) { std::this_thread::yield(); }
    CHECK(pool.apply(back, on_its_way, 1) == 5);
}

TEST_CASE("MPI-119 a large function object of a map goes to another machine once") {
    SharedPage page;
    const Counts counts{page};
    MpiPool pool{remote(2)};
    const Sendings sendings;
    const auto plus = [](const Counted& value, int n) { return value.value() + n; };
    for (int round = 1; round <= 3; ++round) {
        const auto results = pool.map(MapOptions{.chunk_size = 1, .retries = 1},
                                      procpool::bind_front(plus, Counted{counts, many_numbers, 7}), numbers_to(200));
        CHECK(results.back() == 206);
        CHECK(counts.encoded.value() == round);
        CHECK(counts.decoded.value() <= 2 * round);
        CHECK(sendings.count() == round);
    }
    wait_until([&] { return counts.alive.value() == 0; }, "function objects to be destroyed");
    // A chunk whose worker has died is written anew.
    const Counter tries{page};
    CHECK(pool.map(MapOptions{.chunk_size = 50, .retries = 1},
                   procpool::bind_front(
                       [](const Counted& value, Counter all, int n) {
                           if (n == 120 && all.add() == 1) { ::raise(SIGKILL); }
                           return value.value() + n;
                       },
                       Counted{counts, many_numbers, 8}, tries),
                   numbers_to(200))
              .back() == 207);
    CHECK(sendings.count() == 4);
    CHECK(counts.encoded.value() == 4);
    wait_until_all_is_free(pool, 0);
}

TEST_CASE("MPI-120 an item that still runs keeps the function object of its call") {
    SharedPage page;
    const Gate begun{page};
    const Gate may_go_on{page};
    const Counter right{page};
    MpiPool pool{remote(2)};
    const std::string ones(many_numbers, '1');
    {
        auto results =
            pool.imap_unordered(MapOptions{.chunk_size = 1},
                                procpool::bind_front(
                                    [](const Viewed& all, Gate b, Gate m, Counter r, int n) {
                                        if (n == 0) {
                                            b.set();
                                            m.wait();
                                            r.add(std::ranges::count(all.text, '1') == many_numbers ? 1 : 1000);
                                        }
                                        return n;
                                    },
                                    Viewed{ones}, begun, may_go_on, right),
                                std::vector<int>{0, 1});
        const auto [index, value] = *results.begin();
        CHECK(value == 1);
        begun.wait();
    }
    // The memory would be taken for the next.
    const std::string twos(many_numbers, '2');
    for (int round = 0; round < 3; ++round) {
        const auto sums = pool.map(
            procpool::bind_front([](const Viewed& all, int n) { return all.text.back() - '0' + n; }, Viewed{twos}),
            numbers_to(10));
        CHECK(sums.back() == 11);
    }
    may_go_on.set();
    right.wait_for(1);
    CHECK(right.value() == 1);
    wait_until_all_is_free(pool, 0);
}

TEST_CASE("MPI-121 a value that does not fit on a machine costs the tasks that refer to it") {
    if (detail::mpi::Launch::of_this_process().rank != 0) {  // its pool reserves less memory
        static int refusals = 0;
        for (std::size_t size = detail::os::generous_reservation(); size > least_reserved; size /= 2) { ++refusals; }
        detail::os::refuse_call = [](const char* name) noexcept {
            if (std::string_view(name) == "memfd_create") { return ENOSYS; }
            return std::string_view(name) == "mmap" && refusals-- > 0 ? ENOMEM : 0;
        };
    }
    MpiPool pool{remote(1)};
    const auto back = [](std::string_view text, const std::string& more) { return text.size() + more.size(); };
    {
        const auto small = pool.put(std::string("small"));
        {
            const auto huge = pool.put(std::string(least_reserved, 'x'));
            for (int i = 0; i < 2; ++i) { CHECK_THROWS_AS(pool.apply(back, huge, small), SharedMemoryExhausted); }
            CHECK(pool.apply(back, small, small) == 10);
        }
        constexpr std::size_t size = std::size_t{40} << 20;
        CHECK(pool.apply(back, pool.put(std::string(size, 'x')), small) == size + 5);
    }
    wait_until_all_is_free(pool, 0);
}

TEST_CASE("MPI-122 a list of what a task refers to that another has overwritten costs that task") {
    SharedPage page;
    const Gate begun{page};
    const Gate may_write{page};
    const Gate written{page};
    const Gate may_end{page};
    const Gate far_may_end{page};
    MpiPool pool{1};
    const auto ref = pool.put(std::vector<int>(many_numbers, 3));
    const auto back = [](std::span<const int> numbers) { return numbers.back(); };
    auto writer = pool.apply_on_async(
        0,
        [](Gate b, Gate m, Gate w, Gate e) {
            b.set();
            m.wait();
            for (detail::task::Slot& slot : detail::task::thread_context.task->board_of_task().all_slots()) {
                const detail::task::Word word{slot.word.load()};
                if (word.phase() == detail::task::Phase::pending) { slot.argument_bytes -= 8U; }
            }
            w.set();
            e.wait();
        },
        begun, may_write, written, may_end);
    begun.wait();
    auto far = pool.apply_async([](Gate end) { end.wait(); }, far_may_end);
    wait_until([&] { return far.running(); }, "a task on the other machine");
    auto overwritten = pool.apply_async(back, ref);
    may_write.set();
    written.wait();
    far_may_end.set();
    CHECK_THROWS_WITH(overwritten.get(), Catch::Contains("written"));
    may_end.set();
    writer.get();
    CHECK(pool.apply_on(1, back, ref) == 3);
    CHECK(pool.apply_on(0, back, ref) == 3);
}
