// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <pthread.h>
#include <sys/time.h>
#include <unistd.h>
#include <csignal>

using namespace procpool_test;

namespace {

std::vector<std::pair<bool, bool>> blocked_and_handled() {
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    std::vector<std::pair<bool, bool>> all;
    for (int number = 1; number < NSIG; ++number) {
        struct sigaction action {};
        ::sigaction(number, nullptr, &action);
        all.emplace_back(sigismember(&blocked, number) == 1, action.sa_handler != SIG_DFL);
    }
    return all;
}

TEST_CASE("SIG-01 Ctrl-C with the default handler: the whole program goes - silently") {
    SharedPage page;
    const Counter started{page};
    Subprocess program{[started] {
        ::signal(SIGINT, SIG_DFL);
        Pool pool{3};
        std::vector<int> numbers(100);
        pool.for_each(snapshot([started](int) {
                          started.add();
                          std::this_thread::sleep_for(1h);
                      }),
                      numbers);
    }};
    started.wait_for(3);
    ::kill(-program.pid(), SIGINT);
    CHECK(killed_by(program.wait(), SIGINT));  // the output ends with the last process
    CHECK(program.output() == "");
}

TEST_CASE("SIG-01 Ctrl-C with a handler in the parent: workers go on - the parent decides") {
    SharedPage page;
    const Counter started{page};
    const Gate may_end{page};
    static volatile std::sig_atomic_t interrupted = 0;
    Subprocess program{[started, may_end] {
        ::signal(SIGINT, [](int) { interrupted = 1; });
        Pool pool{3};
        std::vector<Future<int>> futures;
        for (int i = 0; i < 3; ++i) {
            futures.push_back(pool.apply_async(
                [](Counter begun, Gate end, int n) {
                    begun.add();
                    end.wait();
                    return n;
                },
                started, may_end, i));
        }
        wait_until([] { return interrupted != 0; }, "Ctrl-C");
        may_end.set();
        for (auto& future : futures) { std::printf("%d", get_soon(future)); }
        std::printf(" %d", static_cast<int>(pool.stats().workers_died));
        pool.terminate();
        std::printf(" %d\n", pool.join_for(wait_limit));
    }};
    started.wait_for(3);
    ::kill(-program.pid(), SIGINT);
    CHECK(exited_with(program.wait(), 0));
    CHECK(program.output() == "012 0 1\n");
}

TEST_CASE("SIG-03 dead workers send the parent no SIGPIPE and its disposition stays") {
    Subprocess program{[] {
        ::signal(SIGPIPE, SIG_DFL);
        Pool pool{2};
        for (int i = 0; i < 20; ++i) {
            const std::string large(std::size_t{1} << 20, 'x');
            auto future = pool.apply_async([](const std::string&) { ::raise(SIGKILL); }, large);
            for (const WorkerInfo& worker : pool.workers()) { send_signal(worker.pid, SIGKILL); }
            try {
                get_soon(future);
            } catch (const WorkerDied&) {}
        }
        struct sigaction action {};
        ::sigaction(SIGPIPE, nullptr, &action);
        std::printf("%d\n", action.sa_handler == SIG_DFL);
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(program.output() == "1\n");
}

TEST_CASE("SIG-04 mask and handlers of the caller stay; workers start with sane ones") {
    Subprocess program{[] {
        sigset_t some;
        ::sigemptyset(&some);
        for (const int number : {SIGTERM, SIGINT, SIGUSR1}) { ::sigaddset(&some, number); }
        ::pthread_sigmask(SIG_BLOCK, &some, nullptr);
        for (const int number : {SIGTERM, SIGHUP, SIGCHLD, SIGUSR2}) {
            ::signal(number, [](int) { [[maybe_unused]] const auto written = ::write(1, "handled\n", 8); });
        }
        ::signal(SIGPIPE, SIG_IGN);
        const auto before = blocked_and_handled();
        Pool pool{{.workers = 1, .terminate_grace = 1h}};
        std::printf("%d", before == blocked_and_handled());
        const auto in_worker_now = pool.apply([] { return blocked_and_handled(); });
        for (int number = 1; number < NSIG; ++number) {
            const auto [blocked, handled] = in_worker_now[static_cast<std::size_t>(number - 1)];
            const bool may_be = number == SIGINT || number == SIGTTOU ||  // ignored
                                number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL ||
                                number == SIGABRT;
            if (blocked || (handled && !may_be)) { std::printf(" signal %d", number); }
        }
        static_cast<void>(pool.apply_async([] { std::this_thread::sleep_for(1h); }));
        pool.terminate();  // by SIGTERM alone: the grace is long
        std::printf(" %d", pool.join_for(wait_limit));
        std::printf(" %d\n", before == blocked_and_handled());
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(contains(program.output(), "1 1 1\n"));
    CHECK_FALSE(contains(program.output(), "signal"));
}

TEST_CASE("SIG-05 handlers of the parent do not run in workers") {
    static int handled[2];
    REQUIRE(::pipe2(handled, O_CLOEXEC | O_NONBLOCK) == 0);
    const auto note = [](int) { [[maybe_unused]] const auto written = ::write(handled[1], "x", 1); };
    std::vector<std::pair<int, struct sigaction>> before;
    for (const int number : {SIGTERM, SIGINT, SIGSEGV, SIGHUP, SIGUSR1}) {
        struct sigaction mine {};
        mine.sa_handler = note;
        before.emplace_back(number, mine);
        ::sigaction(number, &mine, &before.back().second);
    }
    {
        SharedPage page;
        const Counter started{page};
        const Gate never{page};
        Pool pool{{.workers = 2, .terminate_grace = 1h}};
        for (const int number : {SIGSEGV, SIGHUP, SIGUSR1, SIGTERM}) {
            CHECK_THROWS_AS(pool.apply([](int n) { ::raise(n); }, number), WorkerDied);
        }
        CHECK(pool.apply([] { return ::raise(SIGINT); }) == 0);  // ignored
        for (int i = 0; i < 2; ++i) {
            static_cast<void>(pool.apply_async(
                [](Counter begun, Gate end) {
                    begun.add();
                    end.wait();
                },
                started, never));
        }
        started.wait_for(2);
        pool.terminate();
        CHECK(pool.join_for(wait_limit / 2));  // the tasks would end after wait_limit
    }
    for (const auto& [number, action] : before) { ::sigaction(number, &action, nullptr); }
    char byte = 0;
    CHECK(::read(handled[0], &byte, 1) == -1);
    ::close(handled[0]);
    ::close(handled[1]);
}

TEST_CASE("SIG-06 an alarm that a task leaves behind is the death of its worker by SIGALRM") {
    Pool pool{1};
    try {
        pool.apply([] {
            const itimerval soon{{0, 0}, {0, 50000}};
            ::setitimer(ITIMER_REAL, &soon, nullptr);
        });
    } catch (const WorkerDied& died) {
        CHECK(died.exit_status() == ExitStatus::from_signal(SIGALRM));
    }  // not left behind after all, on a busy machine
    wait_until([&] { return pool.stats().workers_died == 1; }, "the alarm");
    CHECK(get_soon(pool.apply_async(same, 5)) == 5);
    CHECK_THROWS_AS(get_soon(pool.apply_async([] {
                        const itimerval soon{{0, 0}, {0, 1000}};
                        ::setitimer(ITIMER_REAL, &soon, nullptr);
                        for (;;) { ::pause(); }
                    })),
                    WorkerDied);
}

TEST_CASE("SIG-02 a signal every millisecond disturbs nothing") {
    Subprocess program{[] {
        struct sigaction count {};
        static volatile std::sig_atomic_t ticks = 0;
        count.sa_handler = [](int) { ticks = ticks + 1; };  // without SA_RESTART
        ::sigaction(SIGALRM, &count, nullptr);
        const itimerval every{{0, 1000}, {0, 1000}};
        ::setitimer(ITIMER_REAL, &every, nullptr);
        const auto start = std::chrono::steady_clock::now();
        for (int round = 0; round < 20 || (ticks < 100 && since(start) < wait_limit);
             ++round) {  // a busy machine lets some out
            Pool pool{{.workers = 2, .queue_capacity = 8}};
            std::vector<Future<int>> futures;
            for (int i = 0; i < 200; ++i) {
                futures.push_back(pool.apply_async(
                    [](int n) {
                        std::this_thread::sleep_for(100us);
                        return n;
                    },
                    i));
            }
            int sum = 0;
            for (auto& future : futures) { sum += get_soon(future); }
            if (sum != 19900) { std::printf("wrong\n"); }
            try {
                pool.apply([] { ::_exit(1); });
            } catch (const WorkerDied&) {}
        }
        if (ticks < 100) { std::printf("%d ticks only\n", static_cast<int>(ticks)); }
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(program.output() == "");
}

}  // namespace
