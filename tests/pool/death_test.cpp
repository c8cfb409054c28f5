// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace procpool_test;

namespace {

/// Returns: how the worker that runs f() died; the test fails if it does not die.
template <class F>
ExitStatus death_of(F f) {
    try {
        f();
    } catch (const WorkerDied& died) {
        CHECK(died.pid() > 0);
        CHECK(died.label().empty());
        return died.exit_status();
    }
    throw std::runtime_error("no worker died");
}

void check_works(Pool& pool) {
    wait_until([&] { return pool.workers().size() == pool.size(); }, "replacements");
    CHECK(get_soon(pool.apply_async(same, 42)) == 42);
}

TEST_CASE("DTH-01 a busy worker is killed from outside: its task ends with the signal and the process named") {
    SharedPage page;
    const Counter started{page};
    const Gate never{page};
    Pool killed{2};
    int round = 0;
    for (const int signal : {SIGTERM, SIGKILL, SIGHUP, SIGQUIT, SIGUSR1}) {
        auto future = killed.apply_async(
            [](Counter begun, Gate end) {
                begun.add();
                end.wait();
            },
            started, never);
        started.wait_for(++round);
        pid_t worker = 0;
        for (const WorkerInfo& info : killed.workers()) {
            if (info.busy) { worker = info.pid; }
        }
        REQUIRE(worker > 0);
        const auto start = std::chrono::steady_clock::now();
        send_signal(worker, signal);
        try {
            get_soon(future);
            CHECK(false);
        } catch (const WorkerDied& died) {
            CHECK(died.pid() == worker);
            CHECK(died.exit_status() == ExitStatus::from_signal(signal));
            CHECK(contains(died.what(), std::to_string(worker)));
        }
        CHECK(since(start) < wait_limit / 2);  // the task would end after wait_limit
        check_works(killed);
        for (const WorkerInfo& info : killed.workers()) { CHECK(info.pid != worker); }
    }
    CHECK(killed.stats().workers_died == 5);
    CHECK(killed.stats().failed == 5);
}

TEST_CASE("DTH-02 a task kills its own process fifty times with twenty others queued") {
    Pool pool{2};
    for (int round = 0; round < 50; ++round) {
        std::vector<Future<int>> others;
        auto deadly = pool.apply_async([] { ::kill(::getpid(), SIGKILL); });
        for (int i = 0; i < 20; ++i) { others.push_back(pool.apply_async(same, i)); }
        if (death_of([&] { get_soon(deadly); }) != ExitStatus::from_signal(SIGKILL)) { FAIL("another end"); }
        int sum = 0;
        for (auto& other : others) { sum += get_soon(other); }
        if (sum != 190) { FAIL("a neighbour was hit in round " << round); }
    }
    check_works(pool);
    CHECK(pool.stats().workers_died == 50);
    wait_until([&] { return pool.stats().workers_started >= 52; }, "replacements to be counted");
    CHECK(pool.stats().workers_started == 52);
}

void throw_one() { throw 1; }
void throw_from_noexcept() noexcept { throw_one(); }
struct ThrowsWhenDestroyed {
    ~ThrowsWhenDestroyed() noexcept(false) { throw 1; }
};

TEST_CASE("DTH-03 crashes of every kind are the death of one worker") {
    Pool pool{1};
    const auto signal_of = [&](auto task) { return death_of([&] { get_soon(pool.apply_async(task)); }).signal(); };
    for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) {
        CHECK(death_of([&] { pool.apply([](int s) { ::raise(s); }, signal); }) == ExitStatus::from_signal(signal));
    }
    CHECK(signal_of([] { std::abort(); }) == SIGABRT);
    CHECK(signal_of([] { throw_from_noexcept(); }) == SIGABRT);
    CHECK(signal_of([] { std::terminate(); }) == SIGABRT);
    CHECK(signal_of([] {
              const ThrowsWhenDestroyed second;
              throw 2;
          }) == SIGABRT);
    CHECK(signal_of([] {
              volatile std::uintptr_t null = 0;
              *reinterpret_cast<volatile char*>(null + 64) = 1;
          }) == SIGSEGV);
    CHECK(signal_of([] { __builtin_trap(); }) == SIGILL);
    check_works(pool);
}

TEST_CASE("DTH-03 a crash handler of the parent does not run in workers") {
    static int handled[2];
    REQUIRE(::pipe(handled) == 0);
    struct sigaction before {};
    struct sigaction mine {};
    mine.sa_handler = [](int) {
        [[maybe_unused]] const auto written = ::write(handled[1], "x", 1);
        ::_exit(0);
    };
    ::sigaction(SIGSEGV, &mine, &before);
    {
        Pool pool{1};
        CHECK(death_of([&] { pool.apply([] { ::raise(SIGSEGV); }); }).signal() == SIGSEGV);
    }
    ::sigaction(SIGSEGV, &before, nullptr);
    ::close(handled[1]);
    char byte = 0;
    CHECK(::read(handled[0], &byte, 1) == 0);
    ::close(handled[0]);
}

TEST_CASE("DTH-04 the exit code of a task that exits is told") {
    Pool pool{1};
    for (const int code : {0, 1, 42, 99, 123, 255}) {
        CHECK(death_of([&] { pool.apply([](int n) { ::_exit(n); }, code); }) == ExitStatus::from_code(code));
    }
    CHECK(death_of([&] { pool.apply([] { ::_exit(256); }); }) == ExitStatus::from_code(0));
    check_works(pool);
}

TEST_CASE("DTH-05 exit()/_exit() and quick_exit() with 0 are deaths too") {
    Pool pool{1};
    CHECK(death_of([&] { get_soon(pool.apply_async([] { std::exit(0); })); }) == ExitStatus::from_code(0));
    CHECK(death_of([&] { get_soon(pool.apply_async([] { std::exit(7); })); }) == ExitStatus::from_code(7));
    CHECK(death_of([&] { get_soon(pool.apply_async([] { std::_Exit(0); })); }) == ExitStatus::from_code(0));
    CHECK(death_of([&] { get_soon(pool.apply_async([] { std::quick_exit(0); })); }) == ExitStatus::from_code(0));
    CHECK(death_of([&] { get_soon(pool.apply_async([] { ::pthread_exit(nullptr); })); }) == ExitStatus::from_code(0));
    check_works(pool);
}

TEST_CASE("workers() shows no process that is not there yet and none whose death is known") {
    Pool pool{2};
    for (int round = 0; round < 200; ++round) {
        pid_t dead = 0;
        try {
            get_soon(pool.apply_async([] { ::_exit(1); }));
        } catch (const WorkerDied& died) { dead = died.pid(); }
        for (int look = 0; look < 200; ++look) {
            for (const WorkerInfo& worker : pool.workers()) {
                if (worker.pid <= 1 || worker.pid == dead) {
                    FAIL("shows " << worker.pid << " after the death of " << dead);
                }
            }
        }
    }
    check_works(pool);
}

// ---- on the way in and out

enum class Die { never, decoding, encoding };

struct Mortal {
    Die when = Die::never;
    std::size_t after = 0;  // bytes that come before
    int signal = SIGKILL;
};

void die(int signal) {
    if (signal == 0) { ::_exit(0); }
    ::signal(signal, SIG_DFL);
    ::raise(signal);
}

}  // namespace

template <>
struct procpool::Codec<Mortal> {
    static void encode(Writer& out, const Mortal& value) {
        detail::codec::encode_plain(out, value);
        for (std::size_t written = 0; written < value.after; written += 4096) {
            Codec<std::string>::encode(out, std::string(4096, 'x'));
        }
        if (value.when == Die::encoding) { die(value.signal); }
    }
    static Mortal decode(Reader& in) {
        const auto value = detail::codec::decode_plain<Mortal>(in);
        for (std::size_t read = 0; read < value.after; read += 4096) {
            static_cast<void>(Codec<std::string>::decode(in));
        }
        if (value.when == Die::decoding && in_worker()) { die(value.signal); }
        return value;
    }
};

namespace {

TEST_CASE("DTH-06 death while arguments are decoded costs one task and is not repeated") {
    Pool pool{2};
    std::size_t deaths = 0;
    for (const int signal : {SIGKILL, SIGSEGV, 0}) {
        for (const std::size_t after : {0, 1 << 20}) {
            auto poison = pool.apply_async([](const Mortal&) {}, Mortal{Die::decoding, after, signal});
            std::vector<Future<int>> others;
            for (int i = 0; i < 20; ++i) { others.push_back(pool.apply_async(same, 1)); }
            const ExitStatus end = death_of([&] { get_soon(poison); });
            CHECK(end.signal() == signal);
            int sum = 0;
            for (auto& other : others) { sum += get_soon(other); }
            CHECK(sum == 20);
            ++deaths;
        }
    }
    check_works(pool);
    wait_until([&] { return pool.stats().workers_started >= 2 + deaths; }, "replacements to be counted");
    CHECK(pool.stats().workers_started == 2 + deaths);
}

TEST_CASE("DTH-07 death while a result is encoded leaves the others' results whole") {
    Pool pool{3};
    for (const int signal : {SIGKILL, SIGSEGV, 0}) {
        for (const std::size_t after : {std::size_t{0}, std::size_t{64} << 10, std::size_t{1} << 20}) {
            std::vector<Future<std::string>> others;
            for (int i = 0; i < 20; ++i) {
                others.push_back(
                    pool.apply_async([](int n) { return std::string(300000, static_cast<char>('a' + n)); }, i));
            }
            auto poison = pool.apply_async(
                [](Die when, std::size_t bytes, int s) {
                    return Mortal{when, bytes, s};
                },
                Die::encoding, after, signal);
            CHECK(death_of([&] { get_soon(poison); }).signal() == signal);
            for (int i = 0; i < 20; ++i) {
                if (get_soon(others[static_cast<std::size_t>(i)]) != std::string(300000, static_cast<char>('a' + i))) {
                    FAIL("torn result");
                }
            }
        }
    }
    check_works(pool);
}

TEST_CASE("DTH-08 workers killed in the middle of large results: whole or WorkerDied and memory comes back", "[slow]") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random{seed};
    Pool pool{2};
    std::size_t whole = 0;
    std::size_t died = 0;
    long shared_after_warm_up = 0;
    const std::size_t rounds = times(100);
    for (std::size_t round = 0; round < rounds; ++round) {
        std::vector<Future<std::vector<std::uint32_t>>> futures;
        for (std::uint32_t i = 0; i < 4; ++i) {
            futures.push_back(pool.apply_async(
                [](std::uint32_t first) {
                    std::vector<std::uint32_t> numbers(std::size_t{3} << 20);
                    std::iota(numbers.begin(), numbers.end(), first);
                    return numbers;
                },
                i));
        }
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 20000});  // somewhere in the middle
        const std::vector<WorkerInfo> workers = pool.workers();
        if (!workers.empty()) { send_signal(workers[random() % workers.size()].pid, SIGKILL); }
        for (std::uint32_t i = 0; i < 4; ++i) {
            try {
                const auto numbers = get_soon(futures[i]);
                bool right = numbers.size() == std::size_t{3} << 20;
                for (std::size_t at = 0; right && at < numbers.size(); ++at) { right = numbers[at] == i + at; }
                if (!right) { FAIL("torn result"); }
                ++whole;
            } catch (const WorkerDied&) { ++died; }
        }
        if (round == rounds / 4) { shared_after_warm_up = kilobytes_in("/proc/self/smaps_rollup", "Pss_Shmem"); }
    }
    std::printf("%zu whole, %zu died\n", whole, died);
    CHECK(whole + died == rounds * 4);
    CHECK(died <= rounds);
    check_works(pool);
    CHECK(kilobytes_in("/proc/self/smaps_rollup", "Pss_Shmem") < shared_after_warm_up + (100 << 10));
}

// ---- idle workers, start-up

TEST_CASE("DTH-11 all idle workers are killed: the next tasks find replacements") {
    for (const std::size_t n : {1, 4}) {
        for (const bool settle : {false, true}) {
            SharedPage page;
            const Meeting all_here{page, static_cast<std::int64_t>(n)};
            Pool pool{n};
            std::vector<Future<void>> ready;  // deaths before that could break the pool
            for (std::size_t i = 0; i < n; ++i) {
                ready.push_back(pool.apply_async([](Meeting all) { all.arrive_and_wait(); }, all_here));
            }
            for (auto& future : ready) { get_soon(future); }
            for (const WorkerInfo& worker : pool.workers()) { send_signal(worker.pid, SIGKILL); }
            if (settle) {
                wait_until([&] { return pool.stats().workers_died == n && pool.workers().size() == n; },
                           "replacements");
            }
            for (int i = 0; i < 10; ++i) {
                try {
                    const int got = get_soon(pool.apply_async(same, i));  // CHECK would catch what it throws
                    CHECK(got == i);
                } catch (const WorkerDied&) { CHECK_FALSE(settle); }  // it got the task before it got the signal
            }
            const std::vector<WorkerInfo> before = pool.workers();
            for (const WorkerInfo& worker : before) { send_signal(worker.pid, SIGKILL); }
            pool.close();
            CHECK(pool.join_for(wait_limit));
        }
    }
}

TEST_CASE("DTH-11 a stopped worker that is killed later loses its task only") {
    SharedPage page;
    const Counter started{page};
    Pool pool{2};
    const pid_t stopped = pool.workers().at(0).pid;
    send_signal(stopped, SIGSTOP);
    std::vector<Future<int>> futures;
    for (int i = 0; i < 100; ++i) { futures.push_back(pool.apply_async(same, i)); }
    std::size_t ready = 0;
    wait_until(
        [&] {
            for (const auto& future : futures) {
                static_cast<void>(future.wait_for(1ms));
            }  // a thread that waits ensures that a worker runs
            ready = static_cast<std::size_t>(
                std::count_if(futures.begin(), futures.end(), [](const auto& f) { return f.ready(); }));
            return ready >= 99;
        },
        "the other worker");
    send_signal(stopped, SIGKILL);
    std::size_t right = 0;
    std::size_t died = 0;
    for (int i = 0; i < 100; ++i) {
        try {
            right += get_soon(futures[static_cast<std::size_t>(i)]) == i;
        } catch (const WorkerDied&) { ++died; }
    }
    CHECK(right + died == 100);
    CHECK(died <= 1);
    check_works(pool);
}

TEST_CASE("DTH-13 workers that die in their initializer break the pool after few attempts") {
    for (const int how : {0, 1, SIGKILL, SIGSEGV}) {
        SharedPage page;
        const Counter attempts{page};
        Pool pool{{.workers = 2, .initializer = [attempts, how] {
                       attempts.add();
                       if (how <= 1) { ::_exit(how); }
                       ::raise(how);
                   }}};
        std::vector<Future<int>> futures;
        try {
            for (int i = 0; i < 3; ++i) { futures.push_back(pool.apply_async(same, i)); }
        } catch (const PoolBroken&) {}
        for (auto& future : futures) { CHECK_THROWS_AS(get_soon(future), PoolBroken); }
        wait_until(
            [&] {
                try {
                    static_cast<void>(pool.try_apply_async(same, 1));
                    return false;
                } catch (const PoolBroken&) { return true; }
            },
            "the pool to break");
        CHECK(pool.join_for(wait_limit));
        CHECK(attempts.value() >= 3);
        CHECK(attempts.value() <= 8);
    }
}

TEST_CASE("DTH-13 one bad start in between does not break the pool") {
    SharedPage page;
    const Counter attempts{page};
    Pool pool{{.workers = 2, .initializer = [attempts] {
                   if (attempts.add() == 2) { ::_exit(1); }
               }}};
    attempts.wait_for(3);
    check_works(pool);
    wait_until([&] { return pool.stats().workers_started >= 3; }, "replacements to be counted");
    CHECK(pool.stats().workers_started == 3);
}

TEST_CASE("DTH-14 a pool that cannot have all its workers throws and leaves nothing") {
    Subprocess program{[] {
        if (::getuid() == 0) {  // to which the limit on processes does not apply
            if (::setgid(12345) != 0 || ::setuid(12345) != 0) { throw std::runtime_error("setuid"); }
        }
        const std::size_t before = open_descriptors();
        for (const rlim_t most : {1U, 2U, 3U, 6U}) {
            const rlimit limit{most, 100};
            ::setrlimit(RLIMIT_NPROC, &limit);
            try {
                Pool pool{20};
                std::printf("made\n");
            } catch (const std::system_error& error) {
                std::printf("%d ", error.code() == std::errc::resource_unavailable_try_again);
            }
            errno = 0;
            if (::waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD) { std::printf("a child is left\n"); }
        }
        const rlimit enough{100, 100};
        ::setrlimit(RLIMIT_NPROC, &enough);
        std::printf("%d\n", Pool{20}.apply(same, 5));
        if (open_descriptors() != before) { std::printf("descriptors left\n"); }
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(program.output() == "1 1 1 1 5\n");
}

TEST_CASE("DTH-14 a pool without descriptors to have throws and leaves nothing") {
    if (under_sanitizer) { return; }  // it needs some itself
    Subprocess program{[] {
        const std::size_t before = open_descriptors();
        for (rlim_t most = before; most < before + 10; ++most) {
            rlimit limit{};
            ::getrlimit(RLIMIT_NOFILE, &limit);
            limit.rlim_cur = most;
            ::setrlimit(RLIMIT_NOFILE, &limit);
            try {
                Pool pool{2};
                if (get_soon(pool.apply_async(same, 5)) != 5) { std::printf("wrong\n"); }
            } catch (const std::system_error& error) {
                if (error.code() != std::errc::too_many_files_open) { std::printf("%s\n", error.what()); }
            }
            limit.rlim_cur = limit.rlim_max;
            ::setrlimit(RLIMIT_NOFILE, &limit);
            if (open_descriptors() != before) { std::printf("descriptors left\n"); }
            errno = 0;
            if (::waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD) { std::printf("a child is left\n"); }
        }
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(program.output() == "");
}

TEST_CASE("DTH-15 a replacement that cannot be forked now is forked later and its tasks wait") {
    Subprocess program{[] {
        SharedPage page;
        const Gate runs{page};
        const Gate may_die{page};
        if (::getuid() == 0 && (::setgid(12346) != 0 || ::setuid(12346) != 0)) { throw std::runtime_error("setuid"); }
        Pool pool{1};
        const pid_t supervisor = pool.apply([] { return ::getppid(); });
        const rlimit none{1, 100};
        if (::prlimit(supervisor, RLIMIT_NPROC, &none, nullptr) != 0) { throw std::runtime_error("prlimit"); }
        auto deadly = pool.apply_async([] { ::_exit(1); });
        std::vector<Future<int>> queued;
        for (int i = 0; i < 2; ++i) { queued.push_back(pool.apply_async(same, i)); }
        try {
            get_soon(deadly);
        } catch (const WorkerDied&) { std::printf("died "); }
        std::printf("%d ", queued[0].wait_for(200ms) == std::future_status::timeout);
        const rlimit enough{100, 100};
        ::prlimit(supervisor, RLIMIT_NPROC, &enough, nullptr);
        std::printf("%d %d\n", get_soon(queued[0]), get_soon(queued[1]));
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(program.output() == "died 1 0 1\n");
}

template <class P>
void broken_by_initializer() {
    SharedPage page;
    const Counter attempts{page};
    const Gate go{page};
    P pool{{.workers = 2, .initializer = [attempts, go] {
                attempts.add();
                go.wait();
                throw std::out_of_range("no licence");
            }}};
    std::vector<Future<int>> futures;
    for (int i = 0; i < 10; ++i) { futures.push_back(pool.apply_async(same, i)); }
    go.set();
    for (auto& future : futures) {
        try {
            get_soon(future);
            CHECK(false);
        } catch (const PoolBroken& broken) {
            CHECK(contains(broken.what(), "no licence"));
            CHECK(contains(broken.what(), "out_of_range"));
        }
    }
    CHECK_THROWS_AS(pool.apply(same, 1), PoolBroken);
    CHECK_THROWS_AS(pool.try_apply_async(same, 1), PoolBroken);
    CHECK_THROWS_AS(pool.map(same, std::vector<int>{1}), PoolBroken);
    CHECK(pool.join_for(wait_limit));
    CHECK(attempts.value() <= 3);
}
ON_ENGINES_WITH_WORKERS("DTH-16 an initializer that throws breaks the pool which tells its message",
                        broken_by_initializer)

TEST_CASE("DTH-16 an initializer that throws in the inline pool throws from the constructor") {
    CHECK_THROWS_AS(InlinePool({.initializer = [] { throw std::out_of_range("no licence"); }}), PoolBroken);
}

TEST_CASE("DTH-17 an initializer that does not end: terminate - destroy - time out") {
    SharedPage page;
    const Counter entered{page};
    const Gate never{page};
    const auto hang = [entered, never] {
        entered.add();
        never.wait(1h);
    };
    const auto start = std::chrono::steady_clock::now();
    {
        Pool pool{{.workers = 2, .initializer = hang, .terminate_grace = 100ms}};
        auto future = pool.apply_async(same, 1);
        CHECK(future.wait_for(10ms) == std::future_status::timeout);
        pool.terminate();
        CHECK_THROWS_AS(get_soon(future), PoolTerminated);
    }
    {
        Pool pool{{.workers = 2, .initializer = hang, .start_timeout = 200ms}};
        auto future = pool.apply_async(same, 1);
        CHECK_THROWS_AS(get_soon(future), PoolBroken);
        CHECK_THROWS_AS(pool.apply(same, 1), PoolBroken);
    }
    CHECK(since(start) < 30s);  // the initializers take an hour, a start may take a minute
}

TEST_CASE("DTH-17 an initializer that fails in replacements only") {
    SharedPage page;
    const Counter runs{page};
    Pool pool{{.workers = 2, .initializer = [runs] {
                   if (runs.add() > 2) { throw std::runtime_error("only once"); }
               }}};
    runs.wait_for(2);
    std::vector<Future<int>> futures;
    static_cast<void>(pool.apply_async([] { ::_exit(1); }));
    int broken = 0;
    try {
        for (int i = 0; i < 1000; ++i) { futures.push_back(pool.apply_async(same, i)); }
    } catch (const PoolBroken&) { ++broken; }
    for (auto& future : futures) {
        try {
            get_soon(future);
        } catch (const PoolBroken&) { ++broken; }
    }
    wait_until(
        [&] {
            try {
                static_cast<void>(pool.try_apply_async(same, 1));
                return false;
            } catch (const PoolBroken&) { return true; }
        },
        "the pool to break");
    CHECK(runs.value() <= 4);
}

TEST_CASE("a finalizer that throws/exits or crashes ends its worker only") {
    for (const int how : {0, 1, 2}) {
        SharedPage page;
        const Counter runs{page};
        Pool pool{{.workers = 2, .finalizer = [runs, how] {
                       runs.add();
                       if (how == 0) { throw std::runtime_error("no"); }
                       if (how == 1) { ::_exit(3); }
                       ::raise(SIGKILL);
                   }}};
        CHECK(pool.apply(same, 1) == 1);
        pool.close();
        CHECK(pool.join_for(wait_limit));
        CHECK(runs.value() == 2);
        CHECK(pool.stats().workers_died == 0);
        CHECK(pool.stats().workers_started == 2);
    }
}

// ---- much at once

TEST_CASE("DTH-18 every task crashes over a large argument") {
    Pool pool{2};
    const std::string large(std::size_t{8} << 20, 'x');
    std::vector<Future<void>> futures;
    for (int i = 0; i < 10; ++i) {
        futures.push_back(pool.apply_async([](const std::string&) { ::raise(SIGSEGV); }, large));
    }
    for (auto& future : futures) {
        CHECK(death_of([&] { get_soon(future); }).signal() == SIGSEGV);
    }
    CHECK_THROWS_AS(pool.map([](const std::string&) -> int { std::abort(); }, std::vector<std::string>(10, large)),
                    WorkerDied);
    check_works(pool);
}

TEST_CASE("DTH-19 a submitter that waits for a stopped worker goes on when it is killed") {
    Pool pool{{.workers = 1, .queue_capacity = 4}};
    const pid_t worker = pool.apply([] { return ::getpid(); });
    send_signal(worker, SIGSTOP);
    std::atomic<pid_t> submitter{0};
    std::vector<Future<int>> futures;
    std::thread thread{[&] {
        submitter = ::gettid();
        for (int i = 0; i < 50; ++i) { futures.push_back(pool.apply_async(same, i)); }
    }};
    wait_until([&] { return submitter != 0; }, "the thread");
    wait_until_asleep(submitter);
    send_signal(worker, SIGKILL);
    thread.join();
    std::size_t right = 0;
    std::size_t died = 0;
    for (int i = 0; i < 50; ++i) {
        try {
            right += get_soon(futures[static_cast<std::size_t>(i)]) == i;
        } catch (const WorkerDied&) { ++died; }
    }
    CHECK(right + died == 50);
    CHECK(died <= 1);
}

TEST_CASE("DTH-20 a worker that dies after its result is out loses nothing") {
    Pool pool{2};
    std::vector<Future<std::pair<int, pid_t>>> futures;
    for (int i = 0; i < 100; ++i) {
        futures.push_back(pool.apply_async(
            [](int n) {
                if (n % 20 == 7) {
                    std::thread{[] {
                        std::this_thread::sleep_for(2ms);  // most likely by then the result is out
                        ::raise(SIGKILL);
                    }}.detach();
                }
                return std::pair{n, ::getpid()};
            },
            i));
    }
    std::size_t right = 0;
    std::size_t died = 0;
    std::vector<pid_t> doomed;
    for (int i = 0; i < 100; ++i) {
        try {
            const auto [n, worker] = get_soon(futures[static_cast<std::size_t>(i)]);
            right += n == i;
            if (i % 20 == 7) { doomed.push_back(worker); }
        } catch (const WorkerDied&) { ++died; }
    }
    CHECK(right + died == 100);
    CHECK(died <= 5);
    wait_until([&] { return pool.stats().workers_died >= 1; }, "deaths to be noticed without a submission");
    for (const pid_t worker : doomed) { wait_until_gone(worker); }  // none of them dies over the next task
    check_works(pool);
}

TEST_CASE("DTH-22 every fifth task dies and an outsider kills workers too", "[slow]") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random{seed};
    const std::size_t descriptors = open_descriptors();
    Pool pool{4};
    std::atomic<bool> stop{false};
    std::atomic<std::size_t> kills{0};
    std::thread killer{[&] {
        std::mt19937 mine{seed + 1};
        while (!stop) {
            const std::vector<WorkerInfo> workers = pool.workers();
            const WorkerInfo chosen = workers.empty() ? WorkerInfo{} : workers[mine() % workers.size()];
            if (chosen.tasks_done > 0 && send_signal(chosen.pid, SIGKILL)) { ++kills; }
            std::this_thread::sleep_for(10ms);
        }
    }};
    std::vector<Future<int>> futures;
    std::vector<bool> deadly;
    const int count = static_cast<int>(times(1000));
    for (int i = 0; i < count; ++i) {
        deadly.push_back(random() % 5 == 0);
        futures.push_back(pool.apply_async(
            [](int n, bool dies) {
                if (dies) { ::_exit(1); }
                return n;
            },
            i, static_cast<bool>(deadly.back())));
    }
    std::size_t innocent = 0;
    for (int i = 0; i < count; ++i) {
        const auto at = static_cast<std::size_t>(i);
        try {
            if (get_soon(futures[at]) != i) { FAIL("wrong value"); }
            if (deadly[at]) { FAIL("survived its own death"); }
        } catch (const WorkerDied&) { innocent += !deadly[at]; }
    }
    stop = true;
    killer.join();
    CHECK(innocent <= kills);
    check_works(pool);
    pool.join();
    CHECK(open_descriptors() <= descriptors + 5);  // those of the pool itself, and of the program for all pools
}

template <class P>
void futures_outlive_everything() {
    std::vector<Future<int>> futures;
    {
        P pool{2};
        for (int i = 0; i < 5; ++i) { futures.push_back(pool.apply_async(same, i)); }
        futures.push_back(pool.apply_async([]() -> int { throw std::out_of_range("no"); }));
        futures.push_back(pool.apply_async([]() -> int {
            if (has_processes<P>()) { ::raise(SIGSEGV); }
            throw std::out_of_range("no");
        }));
    }
    for (int i = 0; i < 5; ++i) { CHECK(futures[static_cast<std::size_t>(i)].get() == i); }
    CHECK_THROWS_AS(futures[5].get(), std::out_of_range);
    if (has_processes<P>()) { CHECK_THROWS_AS(futures[6].get(), WorkerDied); }
    futures.clear();  // the last one unread, after everything else
}
ON_EVERY_ENGINE("DTH-24 values/errors and deaths are there after the pool is gone", futures_outlive_everything)

// ---- memory

TEST_CASE("DTH-26 a task that runs out of memory throws bad_alloc; one that runs out of stack dies") {
    if (under_sanitizer) { return; }  // which needs all the address space there is
    Pool pool{{.workers = 1, .initializer = [] {
                   const rlimit limit{std::size_t{400} << 30, std::size_t{400} << 30};
                   ::setrlimit(RLIMIT_AS, &limit);
               }}};
    const auto pid = pool.apply([] { return ::getpid(); });
    CHECK_THROWS_AS(pool.apply([](std::size_t n) { return std::vector<char>(n).size(); }, std::size_t{1} << 42),
                    std::bad_alloc);
    CHECK(pool.apply([] { return ::getpid(); }) == pid);
    struct Recurse {
        static int down(int n) {  // NOLINT
            volatile char fill[4096];
            fill[n % 4096] = static_cast<char>(n);
            return n < 0 ? 0 : down(n + 1) + fill[n % 4096];
        }
    };
    CHECK(death_of([&] { pool.apply([] { return Recurse::down(1); }); }).signal() == SIGSEGV);
    check_works(pool);
}

// ---- the application's own children

TEST_CASE("DTH-27 each end of a task has its own error and an end that was meant is no death") {
    const auto for_ever = [] { std::this_thread::sleep_for(100s); };
    Pool pool{PoolOptions{.workers = 1, .max_tasks_per_worker = 1}};
    for (int i = 0; i < 5; ++i) { pool.apply(same, i); }
    CHECK(pool.stats().workers_died == 0);  // recycled
    CHECK_THROWS_AS(pool.apply(TaskOptions{.timeout = 5ms}, for_ever), TaskTimedOut);
    auto killed = pool.apply_async(for_ever);
    wait_until([&] { return killed.running(); }, "the task");
    CHECK(killed.kill());
    CHECK_THROWS_AS(killed.get(), TaskCancelled);
    CHECK_THROWS_AS(pool.apply([] { ::raise(SIGABRT); }), WorkerDied);
    auto terminated = pool.apply_async(for_ever);
    const auto deaths = pool.stats().workers_died;
    wait_until([&] { return terminated.running(); }, "the task");
    pool.terminate();
    pool.join();
    CHECK_THROWS_AS(terminated.get(), PoolTerminated);
    CHECK(pool.stats().workers_died == deaths);
}

TEST_CASE("DTH-30 the application ignores SIGCHLD or reaps every child itself") {
    enum class How { ignored, handler, thread };
    for (const How how : {How::ignored, How::handler, How::thread}) {
        Subprocess program{[how] {
            if (how == How::ignored) { ::signal(SIGCHLD, SIG_IGN); }
            if (how == How::handler) {
                ::signal(SIGCHLD, [](int) {
                    const int error = errno;
                    while (::waitpid(-1, nullptr, WNOHANG) > 0) {}
                    errno = error;
                });
            }
            std::atomic<bool> stop{false};
            std::thread reaper{[&] {
                while (how == How::thread && !stop) {
                    ::waitpid(-1, nullptr, WNOHANG);
                    std::this_thread::sleep_for(100us);
                }
            }};
            for (int round = 0; round < 20; ++round) {
                Pool pool{2};
                try {
                    get_soon(pool.apply_async([] { ::_exit(3); }));
                } catch (const WorkerDied& died) {
                    if (died.exit_status().code() != 3) { std::printf("%s\n", died.what()); }
                }
                if (get_soon(pool.apply_async(same, 5)) != 5) { std::printf("wrong\n"); }
                pool.close();
                if (!pool.join_for(wait_limit)) { std::printf("join hangs\n"); }
            }
            stop = true;
            reaper.join();
        }};
        CHECK(exited_with(program.wait(), 0));
        CHECK(program.output() == "");
    }
}

TEST_CASE("DTH-30 the pool reaps no child but its own") {
    const pid_t mine = ::fork();
    if (mine == 0) { ::_exit(17); }
    wait_until([&] { return !is_alive(mine); }, "the child");
    {
        Pool pool{2};
        CHECK_THROWS_AS(pool.apply([] { ::_exit(3); }), WorkerDied);
        check_works(pool);
    }
    int status = 0;
    CHECK(::waitpid(mine, &status, 0) == mine);
    CHECK(exited_with(status, 17));
}

TEST_CASE("DTH-31 a task that replaces or cripples its process") {
    Pool pool{1};
    CHECK(death_of([&] { get_soon(pool.apply_async([] { ::execl("/bin/true", "true", nullptr); })); }) ==
          ExitStatus::from_code(0));
    const auto works = [&](auto task) {
        CHECK(get_soon(pool.apply_async(task)) == 1);
        check_works(pool);
    };
    works([] {
        for (int i = 0; i < 1000; ++i) { ::close(i); }
        return 1;
    });
    works([] {
        ::setsid();
        return 1;
    });
    works([] {
        ::prctl(PR_SET_DUMPABLE, 0);
        return 1;
    });
    works([] { return ::chdir("/") == 0 ? 1 : 0; });
    works([] {
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_NOFILE, &none);
        ::setrlimit(RLIMIT_FSIZE, &none);
        return 1;
    });
    works([] {
        sigset_t all;
        ::sigfillset(&all);
        ::sigprocmask(SIG_BLOCK, &all, nullptr);
        return 1;
    });
}

TEST_CASE("DTH-31 a task that forks and returns in the child is one task") {
    SharedPage page;
    const Counter returned{page};
    Pool pool{1};
    for (int i = 0; i < 20; ++i) {
        CHECK(get_soon(pool.apply_async(
                  [](Counter both) {
                      const pid_t child = ::fork();
                      both.add();
                      return child != 0 ? 1 : 2;
                  },
                  returned)) == 1);
    }
    returned.wait_for(40);
    check_works(pool);
    CHECK(pool.stats().completed >= 20);
}

// ---- the supervisor

TEST_CASE("the supervisor is killed: every future ends in PoolBroken and so do submissions") {
    SharedPage page;
    const Counter started{page};
    const Gate never{page};
    Pool pool{{.workers = 2, .queue_capacity = 16}};
    const pid_t supervisor = pool.apply([] { return ::getppid(); });
    std::vector<pid_t> workers;
    for (const WorkerInfo& worker : pool.workers()) { workers.push_back(worker.pid); }
    const auto block = [](Counter begun, Gate end) {
        begun.add();
        end.wait();
    };
    std::vector<Future<void>> futures;
    for (int i = 0; i < 10; ++i) { futures.push_back(pool.apply_async(block, started, never)); }
    started.wait_for(2);
    std::atomic<pid_t> submitter{0};
    std::atomic<bool> refused{false};
    std::thread thread{[&] {
        submitter = ::gettid();
        try {
            for (;;) { static_cast<void>(pool.apply_async(block, started, never)); }
        } catch (const PoolBroken&) { refused = true; }
    }};
    wait_until([&] { return submitter != 0 && pool.stats().submitted == 17; }, "a full queue");
    wait_until_asleep(submitter);
    const auto start = std::chrono::steady_clock::now();
    send_signal(supervisor, SIGKILL);
    for (auto& future : futures) { CHECK_THROWS_AS(get_soon(future), PoolBroken); }
    thread.join();
    CHECK(refused);
    for (const pid_t worker : workers) { wait_until_gone(worker, wait_limit / 2); }
    CHECK(since(start) < wait_limit);  // when the tasks would end
    CHECK_THROWS_AS(pool.apply(same, 1), PoolBroken);
    CHECK_THROWS_AS(pool.map(same, std::vector<int>{1, 2}), PoolBroken);
    pool.terminate();
    CHECK(pool.join_for(wait_limit));
}

TEST_CASE("the supervisor is killed in the middle of a map") {
    SharedPage page;
    const Counter started{page};
    const Gate never{page};
    Pool pool{2};
    const pid_t supervisor = pool.apply([] { return ::getppid(); });
    std::thread killer{[&] {
        started.wait_for(2);
        send_signal(supervisor, SIGKILL);
    }};
    std::vector<int> numbers(1000);
    CHECK_THROWS_AS(pool.for_each(snapshot([started, never](int) {
                                      started.add();
                                      never.wait();
                                  }),
                                  numbers),
                    PoolBroken);
    killer.join();
}

TEST_CASE("the supervisor is killed while nobody waits: the destructor returns") {
    for (int round = 0; round < 20; ++round) {
        std::vector<Future<int>> futures;
        {
            Pool pool{2};
            const pid_t supervisor = pool.apply([] { return ::getppid(); });
            for (int i = 0; i < 100; ++i) { futures.push_back(pool.apply_async(same, i)); }
            send_signal(supervisor, SIGKILL);
        }
        for (int i = 0; i < 100; ++i) {
            try {
                if (get_soon(futures[static_cast<std::size_t>(i)]) != i) { FAIL("wrong value"); }
            } catch (const PoolBroken&) {}
        }
    }
}

}  // namespace
