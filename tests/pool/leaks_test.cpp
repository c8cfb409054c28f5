// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

// ---- the system's things (see also support/leak_check.hpp, which runs after every test case)

TEST_CASE("LEK-02 descriptors/threads and children are as before after 200 pools of every fate") {
    const std::size_t descriptors = open_descriptors();
    for (int round = 0; round < 200; ++round) {
        try {
            Pool pool{{.workers = 4,
                       .initializer =
                           [round] {
                               if (round % 5 == 4) { throw std::runtime_error("no"); }
                           },
                       .terminate_grace = 0ms}};
            auto future = pool.apply_async(same, 1);
            if (round % 5 == 0) { pool.apply(same, 1); }
            if (round % 5 == 1) { pool.terminate(); }
            if (round % 5 == 2) {
                static_cast<void>(pool.apply_async([] { ::raise(SIGKILL); }));
            }
            if (round % 5 == 3) { pool.kill(); }
        } catch (const PoolBroken&) {}
        try {
            const Pool refused{PoolOptions::max_workers + 1};
        } catch (const std::invalid_argument&) {}
    }
    CHECK(open_descriptors() == descriptors);
    errno = 0;
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
    CHECK(errno == ECHILD);
}

std::map<std::string, std::string> descriptors_here() {
    std::map<std::string, std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
        const std::string target = link_target(entry.path());
        if (!target.empty() && target.find("/proc/") == std::string::npos) {
            found.emplace(entry.path().filename(), target);
        }
    }
    return found;
}

TEST_CASE("LEK-03 the descriptors of a worker do not depend on its siblings/predecessors and programs it starts") {
    Pool pool{8};
    SharedPage page;
    const auto before = descriptors_here();
    const auto first = get_soon(pool.apply_async(descriptors_here));
    for (int round = 0; round < 20; ++round) {
        CHECK_THROWS_AS(pool.apply([] { ::_exit(1); }), WorkerDied);
        CHECK(pool.apply(descriptors_here) == first);
    }
    // A worker has the descriptors that the parent had before it made the pool, and the pipe that ends a worker with
    // its supervisor; standard input reads nothing.
    Pool second{1};
    std::size_t own = 0;
    for (const auto& [number, target] : get_soon(pool.apply_async(descriptors_here))) {
        CAPTURE(number, target);
        const bool is_inherited = before.contains(number) && before.at(number) == target;
        if (number == "0" || is_inherited) { continue; }
        ++own;
        CHECK(target.starts_with("pipe:"));
    }
    CHECK(own == 1);
    const std::string listing = pool.apply([] {
        std::string text;
        std::FILE* const ls = ::popen("ls -l /proc/self/fd", "r");
        char line[256];
        while (std::fgets(line, sizeof line, ls) != nullptr) { text += line; }
        ::pclose(ls);
        return text;
    });
    CHECK_FALSE(contains(listing, "eventfd"));
    const auto piped = [&](const char* number) {
        return before.contains(number) && before.at(number).starts_with("pipe:") ? 1U : 0U;
    };
    CHECK(count_of(listing, "pipe:") <= 1 + piped("1") + piped("2"));  // popen()'s own, and what the test has
    CHECK_FALSE(contains(listing, "pidfd"));
    CHECK_FALSE(contains(listing, "signalfd"));
}

TEST_CASE("LEK-04 nothing in /dev/shm and /tmp has to do with a pool however it ends") {
    const auto names = [] {
        std::vector<std::string> all;
        for (const char* const folder : {"/dev/shm", "/tmp"}) {
            for (const auto& entry : std::filesystem::directory_iterator{folder}) {
                if (entry.path().filename().string().find("procpool") != std::string::npos ||
                    entry.path().filename().string().starts_with("sem.")) {
                    all.push_back(entry.path());
                }
            }
        }
        std::sort(all.begin(), all.end());
        return all;
    };
    const std::vector<std::string> before = names();
    for (const int signal : {0, SIGTERM, SIGKILL}) {
        SharedPage page;
        const Gate runs{page};
        Subprocess program{[=] {
            Pool pool{2};
            SharedArray<int> array(100000);
            pool.for_each([](int& x) { x = 1; }, array);
            runs.set();
            if (signal != 0) {
                for (;;) { ::pause(); }
            }
        }};
        runs.wait();
        if (signal != 0) { send_signal(program.pid(), signal); }
        static_cast<void>(program.wait());
        CHECK(program.output() == "");
    }
    wait_until(
        [&] {  // other tests have files of such names for a while
            const std::vector<std::string> now = names();
            return std::includes(before.begin(), before.end(), now.begin(), now.end());
        },
        "an end of what was left");
}

// ---- values

/// Counts the objects of its kind that live in this process.
struct Alive {
    static inline int alive = 0;
    int value = 0;
    Alive() { ++alive; }
    explicit Alive(int v) : value(v) { ++alive; }
    Alive(const Alive& other) : value(other.value) { ++alive; }
    Alive(Alive&& other) noexcept : value(other.value) { ++alive; }
    Alive& operator=(const Alive&) = default;
    Alive& operator=(Alive&&) = default;
    ~Alive() { --alive; }
};

}  // namespace

template <>
struct procpool::Codec<Alive> {
    static void encode(Writer& out, const Alive& value) { Codec<int>::encode(out, value.value); }
    static Alive decode(Reader& in) { return Alive{Codec<int>::decode(in)}; }
};

namespace {

/// Callable, with a value of its own.
struct CountedCall {
    Alive mine;
    int operator()(const Alive& argument) const { return mine.value + argument.value; }
};

TEST_CASE("LEK-05 arguments/results and callables are released on both sides as soon as they are used") {
    Pool pool{1};
    Alive::alive = 0;
    const auto alive_there = [&] { return pool.apply([] { return Alive::alive; }); };
    {
        const int before = alive_there();
        for (int i = 0; i < 10; ++i) {
            CHECK(pool.apply([](Alive c) { return Alive{c.value + 1}; }, Alive{i}).value == i + 1);
            CHECK(Alive::alive == 0);
            CHECK(alive_there() == before);
            CHECK(pool.apply(CountedCall{Alive{5}}, Alive{i}) == 5 + i);
            CHECK(Alive::alive == 0);
            CHECK(alive_there() == before);
            CHECK_THROWS(pool.apply([](const Alive&) -> Alive { throw std::runtime_error("no"); }, Alive{i}));
            CHECK(alive_there() == before);
        }
        static_cast<void>(pool.apply_async([](Alive c) { return c; }, Alive{1}));  // its result is not collected
        CHECK(alive_there() == before);
        CHECK(Alive::alive == 0);
        {
            const std::vector<Alive> items(10);
            const auto results = pool.map([](const Alive& c) { return c; }, items);
            CHECK(Alive::alive == 20);
        }
        CHECK(Alive::alive == 0);
        CHECK(alive_there() == before);
    }
}

// ---- memory

/// Kilobytes that this process holds, the pools' shared memory included.
long resident() { return kilobytes_in("/proc/self/status", "VmRSS"); }

TEST_CASE("LEK-06 a million tiny tasks: memory stays as it was after the first ones", "[slow]") {
    Pool pool{2};
    long after_warm_up = 0;
    const std::size_t rounds = times(1000);
    for (std::size_t round = 0; round < rounds; ++round) {
        std::vector<Future<int>> futures;
        for (int i = 0; i < 1000; ++i) {
            if (i % 3 == 0) {
                static_cast<void>(pool.apply_async(same, i));
            } else if (i % 50 == 1) {
                futures.push_back(pool.apply_async([](int) -> int { throw std::runtime_error("no"); }, i));
            } else {
                futures.push_back(pool.apply_async(same, i));
            }
        }
        for (auto& future : futures) {
            try {
                future.get();
            } catch (const std::runtime_error&) {}
        }
        if (round == rounds / 10) { after_warm_up = resident(); }
    }
    if (!under_sanitizer) { CHECK(resident() < after_warm_up + 4096); }
    CHECK(pool.stats().submitted == rounds * 1000);
}

/// Sends and gets megabytes; how much memory that takes after the first ones.
long growth_over_megabytes(bool dropped) {
    Pool pool{2};
    const std::string megabyte(std::size_t{1} << 20, 'x');
    long after_warm_up = 0;
    const std::size_t rounds = times(100);
    for (std::size_t round = 0; round < rounds; ++round) {
        std::vector<Future<std::string>> futures;
        for (int i = 0; i < 10; ++i) {
            futures.push_back(pool.apply_async([](const std::string& s) { return s; }, megabyte));
        }
        if (dropped) { futures.erase(futures.begin() + 1, futures.end()); }
        for (auto& future : futures) {
            if (get_soon(future).size() != megabyte.size()) { throw std::runtime_error("wrong size"); }
        }
        if (round == rounds / 4) { after_warm_up = resident(); }
    }
    return resident() - after_warm_up;
}

TEST_CASE("LEK-06 a thousand megabytes there and back: memory stays as it was after the first ones", "[slow]") {
    const long growth = growth_over_megabytes(false);
    if (!under_sanitizer) { CHECK(growth < (64 << 10)); }
}

TEST_CASE("LEK-06 a thousand megabytes whose futures are dropped: memory stays as it was after the first ones",
          "[slow]") {
    const long growth = growth_over_megabytes(true);
    if (!under_sanitizer) { CHECK(growth < (64 << 10)); }
}

TEST_CASE("LEK-09 nothing is printed on the way of a program without errors") {
    Subprocess program{[] {
        Pool pool{{.workers = 2, .initializer = [] {}, .finalizer = [] {}}};
        std::vector<int> numbers(1000);
        static_cast<void>(pool.map(same, numbers));
        pool.for_each(same, numbers);
        static_cast<void>(pool.apply_async(same, 1).get());
        ThreadPool threads{2};
        static_cast<void>(threads.map(same, numbers));
        pool.close();
        pool.join();
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(program.output() == "");
}

TEST_CASE("SML-05 an idle pool uses no processor time") {
    SharedPage page;
    Pool pool{4};
    ThreadPool threads{4};
    CHECK(pool.apply(same, 1) + threads.apply(same, 1) == 2);
    std::vector<pid_t> pids{::getpid(), pool.apply([] { return ::getppid(); })};
    for (const WorkerInfo& worker : pool.workers()) { pids.push_back(worker.pid); }
    const auto milliseconds = [&] {  // on a processor, of all threads
        long all = 0;
        for (const pid_t pid : pids) {
            for (const auto& thread : std::filesystem::directory_iterator{"/proc/" + std::to_string(pid) + "/task"}) {
                all += std::atol(text_of_file(thread.path() / "schedstat").c_str()) / 1000;
            }
        }
        return all / 1000;
    };
    long used = 0;
    for (int second = 0; second < 5; ++second) {  // on a busy machine, some may still start in the first ones
        const long before = milliseconds();
        std::this_thread::sleep_for(1s);
        used = milliseconds() - before;
        if (used <= 10) { break; }
    }
    CHECK(used <= 10);
    CHECK(get_soon(pool.apply_async(same, 5)) == 5);
}

}  // namespace
