// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <algorithm>
#include <clocale>
#include <iostream>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace procpool_test;

namespace {

/// Threads that hold every lock of the C and C++ libraries as often as they can.
class Hammer {
public:
    Hammer() {
        run([] {
            for (std::size_t size = 1; size < 100000; size *= 3) { std::vector<char>(size).swap(bytes()); }
        });
        run([] { std::fprintf(null(), "%d %s\n", 1, "text"); });
        run([] {
            std::ostringstream text;
            text.imbue(std::locale::classic());
            text << 1.5 << std::hex << 100;
        });
        run([] {
            ::setlocale(LC_ALL, "C");
            static_cast<void>(::getenv("PATH"));
        });
        run([] {
            if (void* const library = ::dlopen("libm.so.6", RTLD_NOW)) { ::dlclose(library); }
        });
        run([this] {
            const std::lock_guard guard{mine_};
            ++count_;
        });
        run([] {  // stdout's own lock
            ::flockfile(stdout);
            ::funlockfile(stdout);
        });
    }
    ~Hammer() {
        stop_ = true;
        for (std::thread& thread : threads_) { thread.join(); }
    }

private:
    template <class F>
    void run(F f) {
        threads_.emplace_back([this, f] {
            while (!stop_) { f(); }
        });
    }
    static std::vector<char>& bytes() {
        thread_local std::vector<char> mine;
        return mine;
    }
    static std::FILE* null() {
        static std::FILE* const file = std::fopen("/dev/null", "we");
        return file;
    }

    std::atomic<bool> stop_{false};
    std::mutex mine_;
    std::uint64_t count_ = 0;
    std::vector<std::thread> threads_;
};

TEST_CASE("FRK-01 pools are made while other threads hold malloc's - stdio's and other locks", "[slow]") {
    Subprocess program{[] {
        const Hammer hammer;
        for (std::size_t round = 0; round < times(100); ++round) {
            Pool pool{2};
            const auto task = [](int n) {
                std::ostringstream text;
                text << n << std::string(1000, 'x');
                std::printf("%s", "");
                return static_cast<int>(text.str().size());
            };
            if (get_soon(pool.apply_async(task, 7)) != 1001) { std::printf("wrong\n"); }
            try {
                get_soon(pool.apply_async([] { ::_exit(1); }));
            } catch (const WorkerDied&) {}
            if (get_soon(pool.apply_async(task, 7)) != 1001) { std::printf("wrong\n"); }
        }
    }};
    CHECK(exited_with(program.wait(250s), 0));
    CHECK(program.output() == "");
}

TEST_CASE("FRK-02 workers are replaced all the time while eight threads submit", "[slow]") {
    Pool pool{3};
    std::atomic<bool> stop{false};
    std::atomic<std::size_t> kills{0};
    std::thread killer{[&] {
        while (!stop) {
            for (const WorkerInfo& worker :
                 pool.workers()) {  // not those that start: too many of their deaths break the pool
                if (worker.tasks_done > 0) { kills += send_signal(worker.pid, SIGKILL); }
            }
            std::this_thread::sleep_for(5ms);
        }
    }};
    std::atomic<std::size_t> right{0};
    std::atomic<std::size_t> died{0};
    std::atomic<std::size_t> wrong{0};
    std::vector<std::thread> threads;
    const int each = static_cast<int>(times(2000));
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < each; ++i) {
                try {
                    if (i % 7 == 0) {
                        static_cast<void>(pool.apply_async(same, i));  // its result is not collected
                        ++right;
                        continue;
                    }
                    auto future = pool.apply_async([](const std::string& text) { return text.size(); },
                                                   std::string(static_cast<std::size_t>(i), 'x'));
                    right += get_soon(future) == static_cast<std::size_t>(i);
                } catch (const WorkerDied&) { ++died; } catch (...) {
                    ++wrong;
                }
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    stop = true;
    killer.join();
    CHECK(wrong == 0);
    CHECK(right + died == static_cast<std::size_t>(8 * each));
    CHECK(died <= kills);
}

TEST_CASE("FRK-03 two threads make pools at once: each notices its own deaths") {
    Subprocess program{[] {
        std::atomic<int> wrong{0};
        const auto make = [&wrong](int mine) {
            for (std::size_t round = 0; round < times(100); ++round) {
                Pool pool{2};
                try {
                    get_soon(pool.apply_async([] { ::raise(SIGKILL); }));
                    ++wrong;
                } catch (const WorkerDied&) {}
                wrong += get_soon(pool.apply_async(same, mine)) != mine;
                pool.close();
                wrong += !pool.join_for(wait_limit);
            }
        };
        std::thread a{make, 1};
        std::thread b{make, 2};
        a.join();
        b.join();
        if (wrong != 0) { std::printf("%d wrong\n", wrong.load()); }
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(program.output() == "");
}

TEST_CASE("FRK-04 a pool made in a thread that has ended works on") {
    std::unique_ptr<Pool> pool;
    std::thread{[&] { pool = std::make_unique<Pool>(2); }}.join();
    const std::vector<WorkerInfo> before = pool->workers();
    std::this_thread::sleep_for(20ms);  // a death by the thread's end would come at once
    CHECK(pool->apply(same, 5) == 5);
    const std::vector<WorkerInfo> after = pool->workers();
    REQUIRE(after.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) { CHECK(after[i].pid == before[i].pid); }
    std::thread{[&] { pool.reset(); }}.join();
}

TEST_CASE("FRK-04 the main thread has ended - another one goes on") {
    Subprocess program{[] {
        std::thread{[] {
            wait_until([] { return state_in("/proc/self/task/" + std::to_string(::getpid())) == 'Z'; },
                       "the main thread's end");
            {
                Pool pool{2};
                std::printf("%d\n", get_soon(pool.apply_async(same, 5)));
            }
            std::fflush(stdout);
            if (under_sanitizer) { ::_exit(0); }  // it takes what the main thread has for lost
            std::exit(0);
        }}.detach();
        ::syscall(SYS_exit, 0);  // as pthread_exit(), but without unwinding through Catch
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(program.output() == "5\n");
}

TEST_CASE("FRK-06 descriptors 0/1 and 2 are closed") {
    SharedPage page;
    const Counter right{page};
    Subprocess program{[right] {
        ::close(0);
        ::close(1);
        ::close(2);
        for (int round = 0; round < 3; ++round) {
            Pool pool{2};
            std::vector<int> numbers(100);
            std::iota(numbers.begin(), numbers.end(), 0);
            const auto doubled = pool.map(
                [](int n) {
                    std::printf("%d\n", n);
                    std::cout << n << std::endl;
                    return 2 * n;
                },
                numbers);
            right.add(doubled[99] == 198);
            try {
                get_soon(pool.apply_async([] { std::abort(); }));
            } catch (const WorkerDied&) { right.add(); }
            right.add(get_soon(pool.apply_async(same, 1)));
        }
        ::_exit(0);
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(right.value() == 9);
}

TEST_CASE("FRK-06 a task that closes its standard streams hurts nobody") {
    Pool pool{1};
    CHECK(pool.apply([] {
        std::fclose(stdin);
        ::close(1);
        ::close(2);
        return 1;
    }) == 1);
    CHECK(pool.apply([] { return std::printf("lost\n"); }) == 5);
    CHECK(pool.apply(same, 2) == 2);
}

// ---- what is printed

TEST_CASE("what the parent has buffered is printed once and so is what workers print") {
    Subprocess program{[] {
        std::printf("parent's printf\n");
        std::cout << "parent's cout\n";
        std::clog << "parent's clog\n";
        {
            Pool pool{3};
            std::printf("later in the parent\n");
            std::vector<int> numbers(200);
            std::iota(numbers.begin(), numbers.end(), 1000);
            pool.for_each([](int n) { std::printf("<%d>\n", n); }, numbers);
            pool.apply([] { std::cout << "task's cout\n"; });
            pool.apply([] { std::cerr << "task's cerr\n"; });
            CHECK_THROWS(pool.apply([] { std::abort(); }));
        }
        std::fflush(nullptr);
        std::cout.flush();
        ::_exit(0);
    }};
    CHECK(exited_with(program.wait(), 0));
    const std::string& output = program.output();
    for (const char* const line : {"parent's printf\n", "parent's cout\n", "parent's clog\n", "later in the parent\n",
                                   "task's cout\n", "task's cerr\n"}) {
        CAPTURE(line);
        CHECK(count_of(output, line) == 1);
    }
    for (int n = 1000; n < 1200; ++n) {
        std::string line{'<'};
        line.append(std::to_string(n)).append(">\n");
        CHECK(count_of(output, line) == 1);
    }
}

TEST_CASE("what a task printed is there when its future is ready also if the worker is killed right after it") {
    Subprocess program{[] {
        Pool pool{1};
        for (int i = 0; i < 50; ++i) {
            const pid_t worker = get_soon(pool.apply_async(
                [](int n) {
                    std::printf("line %d.\n", n);
                    return ::getpid();
                },
                i));
            send_signal(worker, SIGKILL);
            wait_until([&] { return pool.stats().workers_died == static_cast<std::uint64_t>(i) + 1; }, "the death");
        }
        ::_exit(0);
    }};
    CHECK(exited_with(program.wait(), 0));
    for (int i = 0; i < 50; ++i) { CHECK(count_of(program.output(), "line " + std::to_string(i) + ".\n") == 1); }
}

TEST_CASE("what the parent has buffered is lost with no exit of a task and doubled by none") {
    for (const int how : {0, 1, 2, 3, 4}) {
        Subprocess program{[how] {
            Pool pool{1};
            std::printf("buffered after the fork\n");
            CHECK_THROWS_AS(pool.apply(
                                [](int h) {
                                    std::printf("from the task\n");
                                    if (h == 0) { std::exit(1); }
                                    if (h == 1) { ::_exit(1); }
                                    if (h == 2) { std::quick_exit(1); }
                                    if (h == 3) { ::raise(SIGKILL); }
                                    ::pthread_exit(nullptr);
                                },
                                how),
                            WorkerDied);
            pool.apply([] { std::printf("from the replacement\n"); });
        }};
        CHECK(exited_with(program.wait(), 0));
        CAPTURE(how, program.output());
        CHECK(count_of(program.output(), "buffered after the fork\n") == 1);
        CHECK(count_of(program.output(), "from the replacement\n") == 1);
        CHECK(count_of(program.output(), "from the task\n") == (how == 0 || how == 4 ? 1U : 0U));
    }
}

TEST_CASE("FRK-07 a library that waits for threads the fork did not copy hangs its task and can be timed out") {
    // The behaviour of libgomp in a task when the program has used it before: its team is gone, and no thread answers.
    static std::atomic<int> asked{0};
    static std::atomic<int> answered{0};
    std::atomic<bool> end{false};
    std::thread team{[&] {
        while (!end) {
            answered = asked.load();
            std::this_thread::yield();
        }
    }};
    const auto parallel_region = [] {
        const int ticket = ++asked;
        while (answered < ticket) { std::this_thread::yield(); }
    };
    parallel_region();
    {
        Pool pool{1};
        CHECK_THROWS_AS(pool.apply(TaskOptions{.timeout = 50ms}, parallel_region), TaskTimedOut);
        CHECK(pool.apply(same, 7) == 7);
    }
    parallel_region();
    end = true;
    team.join();
}

TEST_CASE("a worker reads the end of the file from its standard input") {
    Pool pool{1};
    CHECK(pool.apply([] {
        char byte = 0;
        return ::read(STDIN_FILENO, &byte, 1);
    }) == 0);
}

TEST_CASE("a pool can be made while a thread sits in getchar()") {
    Subprocess program{[] {
        int ends[2];
        if (::pipe(ends) != 0) { throw std::runtime_error("pipe"); }
        ::dup2(ends[0], STDIN_FILENO);
        std::atomic<pid_t> reader{0};
        std::thread thread{[&] {
            reader = ::gettid();
            static_cast<void>(std::getchar());
        }};
        wait_until([&] { return reader != 0; }, "the thread");
        wait_until_asleep(reader);
        {
            Pool pool{1};
            std::printf("%d\n", get_soon(pool.apply_async(same, 5)));
        }
        [[maybe_unused]] const auto written = ::write(ends[1], "\n", 1);
        thread.join();
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(program.output() == "5\n");
}

// ---- what runs at the end

TEST_CASE("DTH-05 functions the parent registered for its end do not run in workers; those of a task do") {
    SharedPage page;
    static Word* parents = nullptr;
    static Word* tasks = nullptr;
    parents = page.word();
    tasks = page.word();
    struct Static {
        ~Static() { parents->fetch_add(100); }
    };
    Subprocess program{[] {
        std::atexit([] { parents->fetch_add(1); });
        std::at_quick_exit([] { parents->fetch_add(10); });
        static const Static object;
        {
            Pool pool{2};
            for (int i = 0; i < 5; ++i) {
                try {
                    pool.apply([] {
                        std::atexit([] { tasks->fetch_add(1); });
                        std::exit(3);
                    });
                } catch (const WorkerDied&) {}
            }
            pool.apply([] { std::atexit([] { tasks->fetch_add(10); }); });
        }
        std::exit(0);
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(tasks->load() == 15);  // five exits in a task, one worker that ended gracefully
    CHECK(parents->load() == 101);
}

// ---- inherited pools

TEST_CASE("SHD-18 NST-04 NST-05 an inherited pool is inert in a task") {
    static std::unique_ptr<Pool> inherited;
    inherited = std::make_unique<Pool>(2);
    static Future<int>* future = nullptr;
    auto mine = inherited->apply_async(same, 7);
    mine.wait();
    future = &mine;
    Pool other{1};
    CHECK(other.apply([] {
        int refused = 0;
        const auto count = [&](auto call) {
            try {
                call();
            } catch (const std::logic_error&) { ++refused; }
        };
        count([] { inherited->apply(same, 1); });
        count([] { static_cast<void>(inherited->apply_async(same, 1)); });
        count([] { static_cast<void>(inherited->try_apply_async(same, 1)); });
        count([] { inherited->map(same, std::vector<int>{1}); });
        count([] { inherited->for_each(same, std::vector<int>{1}); });
        count([] {
            std::vector<int> output(1);
            inherited->map_into(same, std::vector<int>{1}, output);
        });
        count([] { inherited->close(); });
        count([] { inherited->join(); });
        count([] { static_cast<void>(inherited->join_for(1s)); });
        count([] { inherited->terminate(); });
        count([] { inherited->kill(); });
        count([] { static_cast<void>(inherited->size()); });
        count([] { static_cast<void>(inherited->workers()); });
        count([] { static_cast<void>(inherited->stats()); });
        count([] { future->get(); });
        count([] { future->wait(); });
        count([] { static_cast<void>(future->wait_for(0s)); });
        return refused;
    }) == 17);
    CHECK(other.apply([] {
        inherited.reset();
        future->~Future<int>();
        return 1;
    }) == 1);
    CHECK(inherited->apply(same, 3) == 3);
    CHECK(mine.get() == 7);
    CHECK_THROWS_AS(other.apply([] { std::exit(0); }), WorkerDied);
    CHECK(inherited->apply(same, 4) == 4);
    inherited.reset();
}

TEST_CASE("SHD-18 an inherited future is never ready") {
    Pool pool{1};
    static Future<int>* future = nullptr;
    auto mine = pool.apply_async(same, 7);
    mine.wait();
    future = &mine;
    Subprocess program{[] { std::printf("%d\n", future->ready()); }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(program.output() == "0\n");
    CHECK(mine.get() == 7);
}

TEST_CASE("SHD-18 a plain fork of the program: the child drops - unwinds through and exits with the pool") {
    Pool pool{2};
    const auto check_unhurt = [&] {
        CHECK(get_soon(pool.apply_async(same, 5)) == 5);
        CHECK(pool.stats().workers_died == 0);
    };
    auto kept = pool.apply_async([] { return std::string(100000, 'x'); });
    kept.wait();
    {
        Subprocess child{[&] {
            auto dropped = std::move(kept);
            static_cast<void>(dropped);
            pool.~ProcessPool();
        }};
        CHECK(exited_with(child.wait(), 0));
        check_unhurt();
    }
    {
        Subprocess child{[&] {
            static Pool* leaked = &pool;
            static_cast<void>(leaked);
            std::exit(0);
        }};
        CHECK(exited_with(child.wait(), 0));
        check_unhurt();
    }
    {
        Subprocess child{[&] {  // a pool of its own beside the inherited one
            Pool own{2};
            std::printf("%d\n", own.apply(same, 6));
        }};
        CHECK(exited_with(child.wait(), 0));
        CHECK(child.output() == "6\n");
        check_unhurt();
    }
    CHECK(kept.get().size() == 100000);
}

TEST_CASE("FRK-09 a worker is itself: process and thread number - directory - environment") {
    ::setenv("PROCPOOL_TEST_VALUE", "at the fork", 1);
    Pool pool{1};
    ::setenv("PROCPOOL_TEST_VALUE", "later", 1);
    const auto ids = pool.apply([] {
        return std::vector<long>{::getpid(), ::syscall(SYS_getpid), ::gettid(), ::syscall(SYS_gettid)};
    });
    CHECK(std::all_of(ids.begin(), ids.end(), [&](long id) { return id == ids[0]; }));
    CHECK(ids[0] != ::getpid());
    CHECK(pool.apply([] { return std::string{::getenv("PROCPOOL_TEST_VALUE")}; }) == "at the fork");
    CHECK(pool.apply([] { return std::filesystem::current_path(); }) == std::filesystem::current_path());
    ::unsetenv("PROCPOOL_TEST_VALUE");
}

}  // namespace
