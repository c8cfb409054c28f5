// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/progress_bar.hpp>

#include "map/ranges.hpp"
#include "pool/engines.hpp"

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

using namespace procpool_test;

namespace {

TEST_CASE("rate and time left") {
    const Progress half{50, 100, 2s};
    CHECK(half.rate() == 25.0);
    CHECK(half.eta() == 2s);
    CHECK(Progress{100, 100, 2s}.eta() == 0s);
    CHECK(Progress{0, 100, 2s}.eta() == std::chrono::nanoseconds::max());
    CHECK(Progress{5, 0, 2s}.eta() == std::chrono::nanoseconds::max());
    CHECK(Progress{0, 0, 0s}.rate() == 0.0);
    CHECK(Progress{1, SIZE_MAX, std::chrono::hours{24 * 365}}.eta() == std::chrono::nanoseconds::max());
}

template <class P>
void told() {
    SharedPage page;
    P pool{2};
    for (const std::size_t chunk : {0, 1, 1000}) {
        const Gate told_of_some{page};
        std::vector<Progress> seen;
        bool same_thread = true;
        const MapOptions options{.chunk_size = chunk,
                                 .progress = [&, caller = std::this_thread::get_id()](const Progress& now) {
                                     seen.push_back(now);
                                     told_of_some.set();
                                     same_thread = same_thread && std::this_thread::get_id() == caller;
                                 }};
        pool.for_each(options, snapshot([told_of_some](int i) {
                          std::this_thread::sleep_for(10ms);
                          if (has_workers<P>() && i == 59) { told_of_some.wait(); }  // the caller may be late
                      }),
                      first_numbers(60));
        REQUIRE(seen.size() >= 2);
        CHECK(same_thread);
        CHECK(std::ranges::is_sorted(seen, {}, &Progress::done));
        CHECK(seen.back().done == 60);
        for (const Progress& now : seen) { CHECK(now.total == 60); }
        // Short calls report at their end alone, unless the machine makes them long.
        const auto check_times = [&] {
            REQUIRE_FALSE(seen.empty());
            for (std::size_t i = 0; i < seen.size(); ++i) { CHECK(seen[i].last == (i + 1 == seen.size())); }
            for (std::size_t i = 0; i + 1 < seen.size(); ++i) {
                CHECK(seen[i].elapsed - (i == 0 ? 0ns : seen[i - 1].elapsed) >= 99ms);
            }
        };
        check_times();
        if (has_workers<P>()) { CHECK(seen.front().done < 60); }

        seen.clear();
        CHECK(pool.map(options, square, first_numbers(10)).size() == 10);
        check_times();
        CHECK(seen.back().done == 10);
        seen.clear();
        CHECK(pool.map(options, square, std::vector<int>{}).empty());
        check_times();
        CHECK(seen.back().done == 0);
        seen.clear();
        int sum = 0;
        for (const int x : pool.imap(options, square, Generator{5})) { sum += x; }
        CHECK(sum == 30);
        check_times();
        CHECK(seen.back().done == 5);
        seen.clear();
        CHECK_THROWS_AS(pool.map(
                            options, [](int) -> int { throw std::out_of_range("no"); }, first_numbers(3)),
                        std::out_of_range);
        check_times();  // a call that fails ends too
        CHECK(seen.back().done >= 1);
        CHECK(seen.back().total == 3);
        seen.clear();
        auto failing = pool.imap(options, square, Generator{5, 3});
        while (failing.next()) {}
        check_times();
        CHECK(seen.back().done == 3);
        seen.clear();
        CHECK(pool.map_reduce(
                  options, square, [](int a, int b) { return a + b; }, 0, first_numbers(1000)) == 332833500);
        CHECK(seen.back().done == 1000);
    }
}
ON_EVERY_ENGINE("progress is told in the caller - every 100 ms and once at the end", told)

TEST_CASE("progress is by item also within one chunk") {
    SharedPage page;
    const Counter told{page};
    Pool pool{1};
    std::vector<std::size_t> seen;
    // Items 10 and 20 end when as many items before them have been reported.
    pool.for_each(MapOptions{.chunk_size = 100,
                             .progress =
                                 [&](const Progress& now) {
                                     seen.push_back(now.done);
                                     told.add(static_cast<std::int64_t>(now.done) - told.value());
                                 }},
                  snapshot([told](int i) {
                      std::this_thread::sleep_for(1ms);
                      if (i % 10 == 0) { told.wait_for(i); }
                  }),
                  first_numbers(30));
    CHECK(std::ranges::count(seen, std::size_t{10}) >= 1);
    CHECK(std::ranges::count(seen, std::size_t{20}) >= 1);
    CHECK(seen.back() == 30);
}

template <class P>
void listener_throws() {
    SharedPage page;
    const Counter running{page};
    P pool{2};
    CHECK_THROWS_AS(pool.for_each(MapOptions{.chunk_size = 1,
                                             .progress = [](const Progress&) { throw std::length_error("enough"); }},
                                  snapshot([running](int) {
                                      running.add();
                                      std::this_thread::sleep_for(10ms);
                                      running.add(-1);
                                  }),
                                  first_numbers(200)),
                    std::length_error);
    CHECK(running.value() == 0);
    CHECK(pool.map(square, first_numbers(3)).size() == 3);
}
ON_EVERY_ENGINE("what a listener to progress throws stops the call and comes out", listener_throws)

template <class P>
void listener_throws_last() {
    P pool{2};
    const MapOptions options{.progress = [](const Progress& now) {
        if (now.last) { throw std::length_error("enough"); }
    }};
    const auto f = [](int i) { return i == 2 ? throw std::out_of_range("no") : i; };
    CHECK_THROWS_AS(pool.map(options, f, first_numbers(3)), std::out_of_range);
    CHECK_THROWS_AS(pool.map(options, f, first_numbers(2)), std::length_error);
}
ON_EVERY_ENGINE("what a listener throws at the end of a call does not hide the error of an item", listener_throws_last)

/// The output of a program to a terminal.
class Terminal {
public:
    Terminal() : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
        if (master_ < 0 || ::grantpt(master_) != 0 || ::unlockpt(master_) != 0) { return; }
        slave_ = ::open(::ptsname(master_), O_RDWR | O_NOCTTY | O_CLOEXEC);
    }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;
    ~Terminal() {
        ::close(slave_);
        ::close(master_);
    }
    [[nodiscard]] bool is_there() const {
        if (slave_ < 0) { WARN("there are no pseudo-terminals here"); }
        return slave_ >= 0;
    }
    [[nodiscard]] int number() const { return slave_; }
    [[nodiscard]] std::string text() const {
        std::string all;
        for (pollfd entry{master_, POLLIN, 0}; ::poll(&entry, 1, 50) > 0;) {
            char bytes[4096];
            const ssize_t got = ::read(master_, bytes, sizeof bytes);
            if (got <= 0) { break; }
            all.append(bytes, static_cast<std::size_t>(got));
        }
        return all;
    }

private:
    int master_;
    int slave_ = -1;
};

/// That bar; opens the gate once it has been drawn for some items.
std::function<void(const Progress&)> drawing(std::function<void(const Progress&)> bar, Gate drawn) {
    return [bar = std::move(bar), drawn](const Progress& now) {
        bar(now);
        if (now.done > 0) { drawn.set(); }
    };
}

TEST_CASE("progress_bar draws one line of a terminal over and over and ends it") {
    const Terminal terminal;
    if (!terminal.is_there()) { return; }
    SharedPage page;
    const Gate drawn{page};  // in the middle
    Pool pool{2};
    pool.for_each(MapOptions{.progress = drawing(progress_bar(terminal.number()), drawn)}, snapshot([drawn](int i) {
                      std::this_thread::sleep_for(10ms);
                      if (i == 30) { drawn.wait(); }
                  }),
                  first_numbers(60));
    const std::string text = terminal.text();
    CAPTURE(text);
    CHECK(text.front() == '\r');
    CHECK(text.find("100% [########################] 60/60, ") != std::string::npos);
    CHECK(text.find(" left") != std::string::npos);
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    CHECK(text.ends_with("\r\n"));  // the terminal makes two of one
    std::size_t longest = 0;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\r', begin), text.size());
        longest = std::max(longest, end - begin);
        begin = end + 1;
    }
    CHECK(longest < 80);
}

TEST_CASE("progress_bar on a FILE with an unknown total and after an error") {
    const Terminal terminal;
    if (!terminal.is_there()) { return; }
    std::FILE* const file = ::fdopen(::dup(terminal.number()), "w");
    SharedPage page;
    const Gate drawn{page};
    Pool pool{2};
    std::size_t n = 0;
    for (const int x :
         pool.imap(MapOptions{.window = 8, .progress = drawing(progress_bar(file), drawn)}, snapshot([drawn](int i) {
                       std::this_thread::sleep_for(10ms);
                       if (i == 20) { drawn.wait(); }  // the input is not over then
                       return i;
                   }),
                   Generator{40})) {
        n += x >= 0 ? 1U : 0U;
    }
    CHECK(n == 40);
    const std::string text = terminal.text();
    CAPTURE(text);
    CHECK(text.find(" done, ") != std::string::npos);
    CHECK(text.find("40/40") != std::string::npos);
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);

    const auto kept = progress_bar(file);
    for (int round = 0; round < 2; ++round) {
        CHECK_THROWS_AS(pool.for_each(
                            MapOptions{.progress = kept},
                            [](int i) {
                                std::this_thread::sleep_for(10ms);
                                if (i == 39) { throw std::out_of_range("no"); }
                            },
                            first_numbers(40)),
                        std::out_of_range);
        const std::string failed = terminal.text();
        CHECK(std::count(failed.begin(), failed.end(), '\n') == 1);
        CHECK(failed.ends_with("\r\n"));
    }
    std::fclose(file);
}

TEST_CASE("progress_bar is silent where nobody looks") {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    Pool pool{2};
    pool.for_each(
        MapOptions{.progress = progress_bar(ends[1])}, [](int) {}, first_numbers(10));
    pool.for_each(
        MapOptions{.progress = progress_bar(nullptr)}, [](int) {}, first_numbers(10));
    pool.for_each(
        MapOptions{.progress = progress_bar(-1)}, [](int) {}, first_numbers(10));
    char byte;
    CHECK(::read(ends[0], &byte, 1) == -1);
    ::close(ends[0]);
    ::close(ends[1]);
}

}  // namespace
