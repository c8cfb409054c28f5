// SPDX-License-Identifier: BSL-1.0
#include "mpi/machines.hpp"

#include <algorithm>
#include <csignal>
#include <future>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace machines;
using namespace std::chrono_literals;

TEST_CASE("MPI-01 tasks run on all machines with their results in order") {
    MpiPool pool{2};
    CHECK(pool.size() == 4);
    const std::vector<NodeInfo> nodes = pool.nodes();
    REQUIRE(nodes.size() == 2);
    CHECK(nodes[0].rank == 0);
    CHECK(nodes[1].rank == 1);
    CHECK(nodes[1].workers == 2);
    CHECK(nodes[1].alive);
    CHECK(nodes[1].host == this_worker::host());  // both are this machine
    std::vector<int> numbers(1000);
    std::iota(numbers.begin(), numbers.end(), 0);
    const auto results = pool.map([](int n) { return 3 * n; }, numbers);
    for (int n : numbers) { CHECK(results[static_cast<std::size_t>(n)] == 3 * n); }
    const auto where = pool.broadcast([] { return std::pair{this_worker::node(), this_worker::index()}; });
    CHECK(where == std::vector<std::pair<int, std::size_t>>{{0, 0}, {0, 1}, {1, 2}, {1, 3}});
    pool.close();
    pool.join();
    CHECK(pool.nodes()[0].done + pool.nodes()[1].done == pool.stats().completed);
}

TEST_CASE("MPI-02 without workers on the machine of rank 0 all tasks run elsewhere") {
    MpiPool pool{remote(2)};
    CHECK(pool.size() == 2);
    std::vector<Future<int>> nodes;
    for (int i = 0; i < 100; ++i) {
        nodes.push_back(pool.apply_async([] { return this_worker::node(); }));
    }
    for (auto& node : nodes) { CHECK(node.get() == 1); }
    CHECK(pool.apply_on(1, [] { return this_worker::index(); }) == 1);
    CHECK(pool.stats().completed == 101);
    CHECK(pool.nodes()[1].done == 101);
    CHECK(pool.nodes()[1].round_trip.count() > 0);
}

TEST_CASE("MPI-03 payloads of all sizes arrive unchanged") {
    MpiPool pool{remote(2)};
    for (const std::size_t size : {0, 1, 15, 16, 17, 128, 129, 4096, 32767, 32768, 32769, 65536, 1 << 20, 33 << 20}) {
        std::string text(size, 'a');
        for (std::size_t i = 0; i < size; i += 97) { text[i] = static_cast<char>('a' + i % 23); }
        CHECK(pool.apply([](std::string back) { return back; }, text) == text);
    }
    const auto all = pool.map([](int n) { return std::string(static_cast<std::size_t>(n) * 9999, 'x'); },
                              std::vector{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
    for (std::size_t i = 0; i < all.size(); ++i) { CHECK(all[i].size() == (i + 1) * 9999); }
}

namespace {

int twice(int n) { return 2 * n; }
struct Thrice {
    int operator()(int n) const { return 3 * n; }
};
const char* const greeting = "hello";

}  // namespace

TEST_CASE("MPI-04 functions travel by name wherever the program is loaded") {
    MpiPool pool{remote(1)};
    int (*const pointer)(int) = twice;
    CHECK(pool.apply(twice, 4) == 8);
    CHECK(pool.apply(Thrice{}, 4) == 12);
    CHECK(pool.apply([](int (*f)(int)) { return f(5); }, pointer) == 10);
    CHECK(pool.apply([](int (*f)(int)) { return f; }, pointer) == pointer);
    CHECK(pool.apply([] { return std::string(greeting); }) == greeting);
    CHECK(pool.apply([] { return std::make_error_code(std::errc::no_such_process); }) == std::errc::no_such_process);
    CHECK_THROWS_AS(pool.apply([] { throw std::system_error(std::make_error_code(std::errc::io_error)); }),
                    std::system_error);
    static int somewhere = 7;
    CHECK_THROWS_AS(pool.apply([at = &somewhere] { return *at; }), CodecError);
    int local = 7;
    CHECK_THROWS_AS(pool.apply([at = &local] { return *at; }), CodecError);
}

TEST_CASE("MPI-05 initializer and finalizer run on every machine") {
    MpiPool pool{{.workers = 2, .initializer = [] { ::setenv("PROCPOOL_TEST_INITIALIZED", "1", 1); }}};
    const auto ran = pool.broadcast([] { return ::getenv("PROCPOOL_TEST_INITIALIZED") != nullptr; });
    CHECK(ran == std::vector<bool>(4, true));
}

TEST_CASE("MPI-06 a task is timed out or cancelled or killed far away") {
    MpiPool pool{remote(2)};
    CHECK_THROWS_AS(pool.apply(TaskOptions{.timeout = 100ms}, [] { ::pause(); }), TaskTimedOut);
    auto killed = pool.apply_async([] { ::pause(); });
    while (!killed.running()) { std::this_thread::yield(); }
    CHECK(killed.kill());
    CHECK_THROWS_AS(killed.get(), TaskCancelled);
    const auto mark = std::filesystem::temp_directory_path() / "procpool_mpi_06";
    auto asked = pool.apply_async([](std::stop_token token) {
        std::ofstream{std::filesystem::temp_directory_path() / "procpool_mpi_06"};
        while (!token.stop_requested()) { ::usleep(1000); }
        return 5;
    });
    while (!std::filesystem::exists(mark)) { std::this_thread::yield(); }  // running() is true on its way there too
    asked.cancel();
    CHECK(asked.get() == 5);
    std::filesystem::remove(mark);
    CHECK(pool.apply(TaskOptions{.timeout = 200ms, .retries = 1}, [] {
        if (this_task::attempt() == 0) { ::pause(); }
        return this_task::attempt();
    }) == 1);
    CHECK(pool.stats().timed_out == 1);
    CHECK(pool.stats().retried == 1);
    CHECK(pool.apply([] { return 1; }) == 1);
}

TEST_CASE("MPI-07 nobody waits behind a long task") {
    MpiPool pool{{.workers = 1, .mpi = {.prefetch = 4}}};
    // One of the two workers hangs, with tasks that were sent ahead behind it: they come back, and the other runs them.
    for (int i = 0; i < 200; ++i) { CHECK(pool.apply(twice, i) == 2 * i); }
    auto stuck = pool.apply_on_async(1, [] { ::pause(); });
    std::vector<Future<int>> others;
    for (int i = 0; i < 50; ++i) { others.push_back(pool.apply_async(twice, i)); }
    for (int i = 0; i < 50; ++i) { CHECK(others[static_cast<std::size_t>(i)].get() == 2 * i); }
    stuck.kill();
    CHECK_THROWS_AS(stuck.get(), TaskCancelled);
}

TEST_CASE("MPI-08 a second pool of the program is refused") {
    MpiPool pool{1};
    CHECK_THROWS_AS(MpiPool{1}, std::logic_error);
    CHECK_THROWS_AS(pool.apply([] { MpiPool nested{1}; }), std::logic_error);
    CHECK(pool.apply([] {
        Pool nested{1};
        return nested.apply(twice, 21);
    }) == 42);
}

TEST_CASE("MPI-09 what lies in shared memory travels as its elements") {
    MpiPool pool{remote(1)};
    SharedArray<int> numbers{1000};
    std::iota(numbers.begin(), numbers.end(), 0);
    CHECK(pool.apply([](std::span<int> all) { return std::accumulate(all.begin(), all.end(), 0); }, numbers) == 499500);
    const auto doubled = pool.map([](int n) { return 2 * n; }, numbers);
    CHECK(doubled[999] == 1998);
    CHECK_THROWS_AS(pool.for_each([](int& n) { n = 0; }, numbers), CodecError);  // in place
    CHECK(numbers[999] == 999);
}

TEST_CASE("MPI-17 a machine that has been idle for long looks for messages less often", "[slow]") {
    MpiPool pool{remote(1)};
    const pid_t agent = pool.apply([] { return parent_of(::getppid()); });
    const auto naps = [&] {
        std::ifstream status{"/proc/" + std::to_string(agent) + "/status"};
        long count = 0;
        for (std::string line; std::getline(status, line);) {
            constexpr std::string_view name = "voluntary_ctxt_switches:";
            if (line.starts_with(name)) { count = std::stol(line.substr(name.size())); }
        }
        return count;
    };
    std::this_thread::sleep_for(11s);  // it is idle for long from ten seconds on
    const long before = naps();
    std::this_thread::sleep_for(2s);
    CHECK(naps() - before < 600);  // 200 naps of 10 ms; of 1 ms it would be 2,000, and fewer where it gets no processor
}
