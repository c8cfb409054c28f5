// SPDX-License-Identifier: BSL-1.0
#include <procpool/memo.hpp>

#include "persist/directory.hpp"
#include "pool/engines.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

using namespace procpool;
using namespace procpool_test;

namespace {

struct Scale {
    double by;
    std::string unit;
    std::string operator()(double x) const {
        Calls::add();
        return std::to_string(x * by) + unit;
    }
};

std::string greet(const char* name, const std::string& end) {
    Calls::add();
    return "hello " + std::string(name) + end;
}

int fail_below_zero(int x) {
    Calls::add();
    if (x < 0) { throw std::out_of_range("negative"); }
    return x;
}

int stopped(std::stop_token stop, int x) {
    Calls::add();
    return stop.stop_requested() ? -1 : x;
}

int total(const std::vector<int>& all, int extra) {
    Calls::add();
    return std::accumulate(all.begin(), all.end(), extra);
}

std::unique_ptr<int> boxed(std::unique_ptr<int> x) {
    Calls::add();
    return std::make_unique<int>(*x + 1);
}

struct Side {
    int length;
    int area() const {
        Calls::add();
        return length * length;
    }
};

}  // namespace

TEST_CASE("a memo's function is called once for each argument") {
    const TemporaryDirectory directory;
    Calls calls;
    {
        const Memo memo{directory.memo()};
        const auto f = memo(square);
        CHECK(f(3) == 9);
        CHECK(f(3) == 9);
        CHECK(f(4) == 16);
        CHECK(calls.take() == 2);
        const MemoStats stats = memo.stats();
        CHECK(stats.hits == 1);
        CHECK(stats.misses == 2);
        CHECK(stats.stores == 2);
        CHECK(stats.damaged == 0);
        CHECK(stats.bytes > 0);
    }
    const Memo memo{directory.memo()};
    CHECK(memo(square)(3) == 9);
    CHECK(calls.take() == 0);
}

TEST_CASE("two functions of one type share nothing") {
    const TemporaryDirectory directory;
    Calls calls;
    const Memo memo{directory.memo()};
    CHECK(memo(square)(3) == 9);
    CHECK(memo(cube)(3) == 27);
    CHECK(memo(square, "power", 1)(3) == 9);
    CHECK(memo(cube, "power", 1)(3) == 27);
    CHECK(calls.take() == 4);
    CHECK(memo(square)(3) == 9);
    CHECK(memo(cube)(3) == 27);
    CHECK(memo(square, "power", 1)(3) == 9);
    CHECK(memo(cube, "power", 1)(3) == 27);
    CHECK(calls.take() == 0);
}

TEST_CASE("what a function captured or holds is a part of it") {
    const TemporaryDirectory directory;
    Calls calls;
    const Memo memo{directory.memo()};
    const auto times = [](int k) {
        return [k](int x) {
            Calls::add();
            return k * x;
        };
    };
    CHECK(memo(times(2))(10) == 20);
    CHECK(memo(times(3))(10) == 30);
    CHECK(memo(times(2), "times", 1)(10) == 20);
    CHECK(memo(times(3), "times", 1)(10) == 30);
    CHECK(memo(Scale{2, "m"})(1.5) == "3.000000m");
    CHECK(memo(Scale{2, "s"})(1.5) == "3.000000s");
    CHECK(memo(Scale{4, "m"})(1.5) == "6.000000m");
    const auto sum = [](const std::vector<int>& all, int x) {
        Calls::add();
        return std::accumulate(all.begin(), all.end(), x);
    };
    CHECK(memo(procpool::bind_front(sum, std::vector{1, 2}))(1) == 4);
    CHECK(memo(procpool::bind_front(sum, std::vector{1, 3}))(1) == 5);
    CHECK(calls.take() == 9);
    CHECK(memo(times(2))(10) == 20);
    CHECK(memo(times(3), "times", 1)(10) == 30);
    CHECK(memo(Scale{4, "m"})(1.5) == "6.000000m");
    CHECK(memo(procpool::bind_front(sum, std::vector{1, 3}))(1) == 5);
    CHECK(calls.take() == 0);
}

TEST_CASE("a captured address is refused") {
    const TemporaryDirectory directory;
    const Memo memo{directory.memo()};
    int local = 3;
    CHECK_THROWS_AS(memo([&local](int x) { return x + local; }), CodecError);
    CHECK_THROWS_AS(memo([&local](int x) { return x + local; }, "local", 1), CodecError);
}

TEST_CASE("another name or version is another function") {
    const TemporaryDirectory directory;
    Calls calls;
    const Memo memo{directory.memo()};
    CHECK(memo(square, "square", 1)(3) == 9);
    CHECK(memo(square, "square", 2)(3) == 9);
    CHECK(memo(square, "quadrat", 1)(3) == 9);
    CHECK(memo(square)(3) == 9);
    CHECK(calls.take() == 4);
    CHECK(memo(square, "square", 2)(3) == 9);
    CHECK(calls.take() == 0);
}

TEST_CASE("a result of another type is not taken for one") {
    const TemporaryDirectory directory;
    const Memo memo{directory.memo()};
    CHECK(memo([](int x) { return x; }, "f", 1)(3) == 3);
    CHECK(memo([](int x) { return static_cast<float>(x); }, "f", 1)(3) == 3.0F);
    CHECK(memo([](long x) { return x; }, "f", 1)(3L) == 3);
    CHECK(memo([](int x) { return std::to_string(x); }, "f", 1)(3) == "3");
}

TEST_CASE("arguments become what they become for tasks") {
    const TemporaryDirectory directory;
    Calls calls;
    const Memo memo{directory.memo()};
    const auto f = memo(greet);
    const std::string name = "you";
    CHECK(f("you", "!") == "hello you!");
    CHECK(f(name.c_str(), std::string("!")) == "hello you!");
    CHECK(f(std::string_view(name), "!") == "hello you!");
    CHECK(calls.take() == 1);
    Pool pool{1};
    CHECK(pool.apply(f, "you", "!") == "hello you!");
    CHECK(pool.apply(f, name.c_str(), std::string("!")) == "hello you!");
    CHECK(calls.take() == 0);
}

TEST_CASE("a lvalue argument stays as it is and one that can only be moved is moved") {
    const TemporaryDirectory directory;
    Calls calls;
    const Memo memo{directory.memo()};
    std::vector<int> all{1, 2, 3};
    CHECK(memo(total)(all, 1) == 7);
    CHECK(all.size() == 3);
    CHECK(*memo(boxed)(std::make_unique<int>(4)) == 5);
    CHECK(*memo(boxed)(std::make_unique<int>(4)) == 5);
    CHECK(calls.take() == 2);
    CHECK(memo(&Side::area)(Side{3}) == 9);
    CHECK(memo(&Side::area)(Side{3}) == 9);
    CHECK(calls.take() == 1);
}

TEST_CASE("an ignored argument does not count and reaches the function") {
    const TemporaryDirectory directory;
    Calls calls;
    const Memo memo{directory.memo()};
    const auto f = memo(total);
    CHECK(f(std::vector{1, 2}, ignore(5)) == 8);
    CHECK(f(std::vector{1, 2}, ignore(6)) == 8);
    CHECK(f(std::vector{1, 3}, ignore(6)) == 10);
    CHECK(calls.take() == 2);
    const auto named = memo([](int x, const std::string& by) { return std::to_string(x) + by; });
    CHECK(named(1, ignore("a")) == "1a");
    CHECK(named(1, ignore("b")) == "1a");
    Pool pool{1};
    CHECK(pool.apply(f, std::vector{1, 2}, ignore(7)) == 8);
    CHECK(pool.map(f, std::vector{std::vector{1, 2}, std::vector{1, 3}}, repeat(ignore(7))) == std::vector{8, 10});
    CHECK(calls.take() == 0);
}

TEST_CASE("exceptions are thrown as they are and not kept") {
    const TemporaryDirectory directory;
    Calls calls;
    const Memo memo{directory.memo()};
    const auto f = memo(fail_below_zero);
    CHECK_THROWS_AS(f(-1), std::out_of_range);
    CHECK_THROWS_AS(f(-1), std::out_of_range);
    CHECK(f(1) == 1);
    CHECK(calls.take() == 3);
    CHECK(memo.stats().stores == 1);
}

TEST_CASE("a result of a task that was told to stop is not kept") {
    const TemporaryDirectory directory;
    Calls calls;
    const Memo memo{directory.memo()};
    const auto f = memo(stopped);
    std::stop_source source;
    source.request_stop();
    CHECK(f(source.get_token(), 5) == -1);
    CHECK(f(std::stop_token{}, 5) == 5);
    CHECK(f(source.get_token(), 5) == 5);
    CHECK(calls.take() == 2);
    Pool pool{1};
    CHECK(pool.apply(f, 5) == 5);
    CHECK(calls.take() == 0);
}

TEST_CASE("results of any size come back") {
    const TemporaryDirectory directory;
    Calls calls;
    const Memo memo{directory.memo()};
    const auto f = memo([](std::size_t size, char letter) {
        Calls::add();
        return std::string(size, letter);
    });
    for (const std::size_t size : {0u, 1u, 1007u, 1008u, 1016u, 1017u, 1024u, 1025u, 4096u, 1u << 20, 9u << 20}) {
        CHECK(f(size, 'x') == std::string(size, 'x'));
        CHECK(f(size, 'x') == std::string(size, 'x'));
    }
    CHECK(calls.take() == 11);
    CHECK(memo.stats().damaged == 0);
}

TEST_CASE("clear and erase remove what they should") {
    const TemporaryDirectory directory;
    Calls calls;
    Memo memo{directory.memo()};
    const auto squares = memo(square, "square", 1);
    const auto newer = memo(square, "square", 2);
    const auto cubes = memo(cube, "cube", 1);
    for (int i = 0; i != 3000; ++i) { static_cast<void>(squares(i)); }
    static_cast<void>(newer(1));
    static_cast<void>(cubes(1));
    static_cast<void>(calls.take());
    CHECK(memo.erase("nothing") == 0);
    CHECK(memo.erase("square") == 3001);
    CHECK(memo.erase("square") == 0);
    CHECK(cubes(1) == 1);
    CHECK(calls.take() == 0);
    CHECK(squares(7) == 49);
    CHECK(calls.take() == 1);
    memo.clear();
    CHECK(memo.stats().bytes == 0);
    CHECK(cubes(1) == 1);
    CHECK(squares(7) == 49);
    CHECK(calls.take() == 2);
}

namespace {

template <class TestedPool>
void calls_of_every_kind() {
    const TemporaryDirectory directory;
    Calls calls;
    const Memo memo{directory.memo()};
    const auto f = memo(square);
    std::vector<int> items(200);
    std::iota(items.begin(), items.end(), 0);
    std::vector<int> squares(200);
    std::ranges::transform(items, squares.begin(), [](int x) { return x * x; });
    TestedPool pool{3};
    CHECK(pool.map(f, items) == squares);
    CHECK(calls.take() == 200);
    CHECK(pool.map(f, items) == squares);
    CHECK(pool.apply(f, 5) == 25);
    CHECK(pool.apply_async(f, 6).get() == 36);
    std::vector<int> lazy;
    for (const int result : pool.imap(f, items)) { lazy.push_back(result); }
    CHECK(lazy == squares);
    CHECK(pool.map_reduce(f, std::plus<>{}, 0, items) == std::accumulate(squares.begin(), squares.end(), 0));
    CHECK(calls.take() == 0);
    CHECK(f(7) == 49);
    CHECK(calls.take() == 0);
}
ON_EVERY_ENGINE("a memo's function works in every call", calls_of_every_kind)

}  // namespace

TEST_CASE("a memo's function works in a task and after its memo") {
    const TemporaryDirectory directory;
    Calls calls;
    Pool pool{2};  // before the memo: its workers open the directory by its path
    auto f = std::make_optional(Memo{directory.memo()}(square, "square", 1));
    const auto nested = [f = *f](int x) { return f(x) + f(x + 1); };
    struct Nested {
        Memoized<int (*)(int)> f;
        int operator()(int x) const { return f(x) + f(x + 1); }
    };
    CHECK(nested(1) == 5);
    CHECK(calls.take() == 2);
    CHECK(pool.apply(Nested{*f}, 1) == 5);
    CHECK(calls.take() == 0);
    const auto opens = [](const std::string& path, int x) { return Memo{path}(square, "square", 1)(x); };
    CHECK(pool.apply(opens, directory.memo().string(), 1) == 1);
    CHECK(pool.apply(opens, directory.memo().string(), 3) == 9);
    CHECK(calls.take() == 1);
    CHECK(pool.apply(*f, 3) == 9);
    CHECK(calls.take() == 0);
    f.reset();
}

TEST_CASE("a memo leaves no descriptor behind and none to programs that are executed") {
    const TemporaryDirectory directory;
    Memo memo{directory.memo()};
    CHECK(memo(square)(2) == 4);
    std::size_t seen = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
        if (target.find("procpool-memo-") == std::string::npos) { continue; }
        ++seen;
        const int flags = ::fcntl(std::stoi(entry.path().filename()), F_GETFD);
        CHECK((flags & FD_CLOEXEC) != 0);
    }
    CHECK(seen >= 4);
}
