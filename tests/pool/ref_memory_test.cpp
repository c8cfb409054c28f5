// SPDX-License-Identifier: BSL-1.0
#include <procpool/pool/ref.hpp>

#include "os/in_child.hpp"
#include "pool/engines.hpp"
#include "support/counted.hpp"

#include <procpool/client/client.hpp>
#include <procpool/codec/bind_front.hpp>
#include <procpool/task/board.hpp>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <numeric>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

// Where values of put() are, how long they stay there, and where workers have them.

namespace procpool_test::ref_memory {

/// Encoding one closes a pool.
struct Closes {
    Pool* pool;
};

/// Decoding one takes until the gate opens.
struct Slow {
    Counter begun;
    Gate may_end;
};

/// For threads only. Tells when it is destroyed.
class Tells {
public:
    explicit Tells(Counter destroyed) : destroyed_(destroyed) {}
    Tells(Tells&& other) noexcept : destroyed_(std::exchange(other.destroyed_, std::nullopt)) {}
    Tells& operator=(Tells&&) = delete;
    ~Tells() {
        if (destroyed_) { destroyed_->add(); }
    }

private:
    std::optional<Counter> destroyed_;
};

}  // namespace procpool_test::ref_memory

template <>
struct procpool::Codec<procpool_test::ref_memory::Closes> {
    static void encode(Writer&, const procpool_test::ref_memory::Closes& one) { one.pool->close(); }
    static procpool_test::ref_memory::Closes decode(Reader&) { return {nullptr}; }
};

template <>
struct procpool::Codec<procpool_test::ref_memory::Slow> {
    static void encode(Writer& out, const procpool_test::ref_memory::Slow& value) {
        detail::codec::encode_plain(out, value.begun);
        detail::codec::encode_plain(out, value.may_end);
    }
    static procpool_test::ref_memory::Slow decode(Reader& in) {
        const auto begun = detail::codec::decode_plain<procpool_test::Counter>(in);
        const auto may_end = detail::codec::decode_plain<procpool_test::Gate>(in);
        begun.add();
        may_end.wait();
        return {begun, may_end};
    }
};

template <>
struct procpool::Codec<procpool_test::ref_memory::Tells> {
    static void encode(Writer&, const procpool_test::ref_memory::Tells&) { throw std::domain_error("not encoded"); }
    static procpool_test::ref_memory::Tells decode(Reader&) { throw std::range_error("not decoded"); }
};

namespace procpool_test::ref_memory {

/// A pool that shows what is taken of its memory for arguments.
struct Watched : Pool {
    using Pool::Pool;
    [[nodiscard]] std::uint32_t taken() const { return this->client().board().arguments.extents().was_owned(); }
};

constexpr std::size_t many_numbers = 200'000;  // more than one extent holds

int value_of(const Counted& counted) { return counted.value(); }
int plus_value(const Ref<Counted>& counted, int n) { return counted->value() + n; }
void hold(Counter begun, Gate open) {
    begun.add();
    open.wait();
}

[[nodiscard]] int shared_mappings() {
    std::ifstream file{"/proc/self/maps"};
    int count = 0;
    for (std::string line; std::getline(file, line);) { count += line.find("rw-s") != std::string::npos ? 1 : 0; }
    return count;
}

TEST_CASE("a view is of the memory where put has left the value") {
    Pool pool{1};
    const Ref<std::vector<int>> numbers = pool.put(std::vector<int>{1, 2, 3});
    const Ref<std::string> text = pool.put("some text that is longer than a string keeps within itself");
    const auto address_of = [](const auto* at) { return reinterpret_cast<std::uintptr_t>(at); };
    CHECK(pool.apply([](std::span<const int> v) { return reinterpret_cast<std::uintptr_t>(v.data()); }, numbers) ==
          address_of(numbers.span().data()));
    CHECK(pool.apply([](std::string_view v) { return reinterpret_cast<std::uintptr_t>(v.data()); }, text) ==
          address_of(text.span().data()));
    CHECK(address_of(numbers.get().data()) != address_of(numbers.span().data()));
}

TEST_CASE("the memory of a value that is gone is the next one's") {
    Watched pool{1};
    const auto place = [&](int n) {
        const auto ref = pool.put(std::vector<int>(many_numbers, n));
        CHECK(pool.apply([](std::span<const int> v) { return v.back(); }, ref) == n);
        return ref.span().data();
    };
    const int* const first = place(1);
    CHECK(pool.taken() == 0);
    CHECK(place(2) == first);
}

TEST_CASE("a value has no more memory than it needs") {
    Watched pool{1};
    const auto ref = pool.put(std::vector<std::string>(1400, std::string(1000, 'x')));  // 1.4 MB, written bit by bit
    CHECK(pool.taken() == 6);
    CHECK(pool.apply([](const std::vector<std::string>& all) { return all.size(); }, ref) == 1400);
}

TEST_CASE("a worker decodes a value once whatever others come and go") {
    SharedPage page;
    const Counts stays{page};
    const Counts goes{page};
    Pool pool{1};
    const Ref<Counted> ref = pool.put(Counted{stays, 10, 1});
    for (int i = 0; i < 20; ++i) {
        CHECK(pool.apply(value_of, ref) == 1);
        CHECK(pool.apply(value_of, pool.put(Counted{goes, 10, i})) == i);
    }
    CHECK(stays.decoded.value() == 1);
    CHECK(goes.decoded.value() == 20);
}

TEST_CASE("a worker that has no rest destroys values that are gone when it looks for others") {
    SharedPage page;
    const Counts gone{page};
    const Counts stays{page};
    const Counter begun{page};
    const Gate open{page};
    Pool pool{1};
    std::optional<Ref<Counted>> ref = pool.put(Counted{gone, many_numbers, 1});
    const Ref<Counted> other = pool.put(Counted{stays, 10, 2});
    CHECK(pool.apply(value_of, *ref) == 1);
    CHECK(gone.alive.value() == 1);
    auto held = pool.apply_async(hold, begun, open);
    auto looks = pool.apply_async(value_of, other);
    auto alive = pool.apply_async([](Counter left) { return left.value(); }, gone.alive);  // right after that
    begun.wait_for(1);
    ref.reset();
    open.set();
    CHECK(get_soon(looks) == 2);
    CHECK(get_soon(alive) == 0);
    get_soon(held);
}

TEST_CASE("a call that encodes while its pool is closed leaves no value behind") {
    SharedPage page;
    const Counts counts{page};
    Watched pool{1};
    {
        const Ref<Counted> ref = pool.put(Counted{counts, many_numbers, 1});
        CHECK_THROWS_AS(pool.apply_async([](const Ref<Counted>&, Closes) {}, ref, Closes{&pool}), PoolClosed);
    }
    CHECK(pool.taken() == 0);
}

/// The value lies in memory of each of them.
TEST_CASE("a value does not keep other pools that are gone") {
    SharedPage page;
    const Counts counts{page};
    Pool pool{1};
    const Ref<Counted> ref = pool.put(Counted{counts, many_numbers, 1});
    int after_two = 0;
    for (int round = 1; round <= 6; ++round) {
        Pool other{1};
        CHECK(other.apply(value_of, ref) == 1);
        if (round == 2) { after_two = shared_mappings(); }
        CHECK((round < 2 || shared_mappings() == after_two));
    }
}

/// The last submission of some moves results out of their slots.
TEST_CASE("what a task referred to that has left its slot goes when its result does") {
    for (const bool drops : {true, false}) {
        CAPTURE(drops);
        SharedPage page;
        const Counts counts{page};
        Watched pool{{.workers = 1, .queue_capacity = 4}};
        std::optional<Future<int>> one = pool.apply_async(value_of, pool.put(Counted{counts, many_numbers, 1}));
        std::vector<Future<int>> others;
        for (int i = 0; i < 3; ++i) { others.push_back(pool.apply_async(same, i)); }
        wait_all(others);
        CHECK(pool.taken() != 0);
        others.push_back(pool.apply_async(same, 3));
        CHECK(pool.taken() != 0);
        if (!drops) { CHECK(get_soon(*one) == 1); }
        one.reset();
        CHECK(pool.taken() == 0);
    }
}

TEST_CASE("what a cancelled task refers to goes when nothing would release that task any more") {
    SharedPage page;
    const Counts counts{page};
    const Counter begun{page};
    const Gate first{page};
    const Gate second{page};
    Watched pool{1};
    auto root = pool.apply_async(
        [](Counter has_begun, Gate gate) {
            hold(has_begun, gate);
            return 1;
        },
        begun, first);
    auto blocked = pool.apply_async(plus_value, pool.put(Counted{counts, many_numbers, 1}), std::move(root));
    CHECK(blocked.cancel());
    CHECK_THROWS_AS(get_soon(blocked), TaskCancelled);
    CHECK(pool.taken() != 0);
    first.set();
    auto next = pool.apply_async(hold, begun, second);  // after root
    begun.wait_for(2);
    auto later = pool.apply_async(same, 1);  // which may have the slot
    CHECK(pool.apply_async(same, 2).valid());
    CHECK(pool.taken() == 0);
    second.set();
    CHECK(get_soon(later) == 1);
    get_soon(next);
}

TEST_CASE("a pool's end destroys values though the futures of tasks with them are left", "[thread]") {
    SharedPage page;
    const Counter destroyed{page};
    std::vector<Future<int>> futures;
    {
        ThreadPool pool{1};
        const Ref<Tells> ref = pool.put(Tells{destroyed});
        for (int i = 0; i < 3; ++i) {
            futures.push_back(pool.apply_async([](const Ref<Tells>&, int n) { return n; }, ref, i));
        }
        wait_all(futures);
    }
    CHECK(destroyed.value() == 1);
    for (int i = 0; i < 3; ++i) { CHECK(futures[static_cast<std::size_t>(i)].get() == i); }
}

/// Its worker has died, and the consumer has gone.
TEST_CASE("an item that runs again has its value though nobody waits for it") {
    SharedPage page;
    const Counts counts{page};
    const Counter runs{page};
    const Counter started{page};
    const Counter seen{page};
    const Gate may_look{page};
    Watched pool{2};
    const auto f = [=](const Ref<Counted>& ref, int i) {
        if (i == 2) { started.wait_for(1); }
        if (i != 1) { return i; }
        if (runs.add() == 1) { ::raise(SIGKILL); }
        started.add();
        may_look.wait();
        seen.add(ref->value());
        return i;
    };
    {
        const std::vector<int> numbers{0, 1, 2};
        auto values = numbers | std::views::transform([&](int i) {
                          return pool.put(Counted{counts, many_numbers, i + 5});
                      });
        auto range = pool.imap_unordered({.chunk_size = 1, .retries = 1}, snapshot(f), values, numbers);
        auto at = range.begin();
        const int first = at->value;
        ++at;
        CHECK(first + at->value == 2);
    }
    for (int i = 0; i < 5; ++i) { static_cast<void>(pool.put(Counted{counts, many_numbers, 100})); }
    may_look.set();
    seen.wait_for(1);
    CHECK(seen.value() == 6);
    wait_until(
        [&] {
            static_cast<void>(pool.apply(same, 1));
            return pool.taken() == 0;
        },
        "memory to be free");
}

TEST_CASE("a forked child does not look at views of memory that its parent may give up") {
    Pool pool{1};
    const Ref<std::vector<std::string_view>> texts = pool.put(std::vector<std::string_view>{"one", "two"});
    CHECK(texts->at(1) == "two");
    CHECK(pool.apply([](const std::vector<std::string_view>& all) { return all.at(1).size(); }, texts) == 3);
    CHECK(in_child([&] {
              try {
                  static_cast<void>(texts.get());
              } catch (const std::logic_error&) { return 1; }
              return 0;
          }) == 1);
}

TEST_CASE("a forked child does not believe what it has decoded while its parent gave that up") {
    SharedPage page;
    const Counter begun{page};
    const Gate may_end{page};
    Pool pool{1};
    std::optional<Ref<Slow>> ref = pool.put(Slow{begun, may_end});
    Process child{[&] {
        try {
            static_cast<void>(ref->get());
        } catch (const std::logic_error&) { return 1; }
        return 0;
    }};
    begun.wait_for(1);
    ref.reset();
    may_end.set();
    child.join();
    CHECK(child.exit_status().code() == 1);
}

}  // namespace procpool_test::ref_memory
