// SPDX-License-Identifier: BSL-1.0
#include <procpool/sync/member.hpp>

#include <procpool/shm/shared.hpp>
#include <procpool/sync/placement.hpp>

#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <atomic>
#include <barrier>
#include <cstdio>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;
using detail::Deadline;
using detail::sync::Members;
using detail::sync::Stamp;

template <>
inline constexpr bool procpool::enable_shared<detail::sync::RobustLock> = true;

namespace {

/// A child that lives until it is killed or `then` returns, and its stamp.
class Member {
public:
    template <class Then>
    explicit Member(Then then) {
        Members::prepare();
        pid = start_child([&] {
            stamp->store(Members::own());
            then();
            return 0;
        });
        wait_until([&] { return stamp->load() != detail::sync::nobody; }, "a member");
    }
    Member()
        : Member([] {
              for (;;) { ::pause(); }
          }) {}

    Shared<std::atomic<Stamp>> stamp;
    pid_t pid;
};

std::uint64_t place_of(Stamp stamp) { return stamp & 0xffff; }

}  // namespace

TEST_CASE("a thread has one stamp all its life and is alive - so is another with another stamp") {
    Members::prepare();
    const Stamp mine = Members::own();
    CHECK(mine != detail::sync::nobody);
    CHECK(Members::own() == mine);
    CHECK(Members::is_alive(mine));
    CHECK(Members::pid_of(mine) == ::getpid());
    Stamp other = 0;
    std::thread{[&] {
        other = Members::own();
        if (!Members::is_alive(other) || !Members::is_alive(mine)) { other = 0; }
    }}.join();
    CHECK(other != 0);
    CHECK(other != mine);
    CHECK_FALSE(Members::is_alive(other));  // it has ended
}

TEST_CASE("stamps that nobody has are dead") {
    Members::prepare();
    CHECK_FALSE(Members::is_alive(detail::sync::nobody));
    CHECK_FALSE(Members::is_alive(1));
    CHECK_FALSE(Members::is_alive(Stamp{Members::most}));
    CHECK_FALSE(Members::is_alive(~Stamp{0}));
    CHECK_FALSE(Members::is_alive(Stamp{0xffff}));
    CHECK(Members::pid_of(detail::sync::nobody) == 0);
    CHECK(Members::pid_of(~Stamp{0}) == 0);
    const std::atomic<std::uint32_t> word{0};
    CHECK(Members::wait(word, 0, detail::sync::nobody, Deadline::never()));
}

TEST_CASE("a forked child is another member - dead as soon as it is killed though nobody has waited for it") {
    Members::prepare();
    const Stamp mine = Members::own();
    const Member child;
    const Stamp stamp = child.stamp->load();
    CHECK(stamp != mine);
    CHECK(Members::is_alive(stamp));
    CHECK(Members::pid_of(stamp) == child.pid);
    CHECK(in_child([&] { return Members::is_alive(mine) && Members::is_alive(stamp) ? 0 : 1; }) == 0);
    ::kill(child.pid, SIGKILL);
    siginfo_t info;
    ::waitid(P_PID, static_cast<id_t>(child.pid), &info, WEXITED | WNOWAIT);
    CHECK_FALSE(Members::is_alive(stamp));
    CHECK(Members::is_alive(mine));
    kill_and_reap(child.pid);
    CHECK_FALSE(Members::is_alive(stamp));
}

TEST_CASE("a place is used again and the former stamp stays dead") {
    const Member first;
    const Stamp old = first.stamp->load();
    kill_and_reap(first.pid);
    const Member second;
    const Stamp young = second.stamp->load();
    CHECK(place_of(young) == place_of(old));
    CHECK(young != old);
    CHECK(Members::is_alive(young));
    CHECK_FALSE(Members::is_alive(old));
    CHECK(Members::pid_of(old) == 0);
    kill_and_reap(second.pid);
}

TEST_CASE("a process with the number of a dead one keeps neither its place nor its lock alive") {
    const Shared<detail::sync::RobustLock> lock;
    const Shared<std::atomic<Stamp>> stamp;
    constexpr int not_permitted = 77;
    const auto first_of_namespace = [&] {
        // Returns: a child that does f() and then stays.
        const auto start = [&](auto f) {
            SharedPage page;
            const Gate done{page};
            const pid_t child = start_child([&] {
                f();
                done.set();
                return ::pause();
            });
            done.wait();
            return child;
        };
        const pid_t victim = start([&] {
            stamp->store(Members::own());
            static_cast<void>(lock->lock());
        });
        kill_and_reap(victim);
        std::FILE* const file = std::fopen("/proc/sys/kernel/ns_last_pid", "w");
        if (file == nullptr) { return not_permitted; }
        std::fprintf(file, "%d", victim - 1);
        std::fclose(file);
        const pid_t namesake = start([] {});
        if (namesake != victim) { return not_permitted; }
        const bool is_alive = Members::is_alive(stamp->load());
        const bool told = lock->try_lock() == detail::sync::Locked::owner_died;
        kill_and_reap(namesake);
        return !is_alive && told ? 0 : 1;
    };
    const int result =
        in_child([&] { return ::unshare(CLONE_NEWPID) == 0 ? in_child(first_of_namespace) : not_permitted; });
    if (result == not_permitted) { WARN("process numbers cannot be chosen here"); }
    CHECK((result == 0 || result == not_permitted));
}

TEST_CASE("a process that executes another program is dead") {
    const Member child{[] { ::execl("/bin/sleep", "sleep", "60", nullptr); }};
    wait_until([&] { return !Members::is_alive(child.stamp->load()); }, "the death");
    CHECK(::kill(child.pid, 0) == 0);
    kill_and_reap(child.pid);
}

TEST_CASE("a child of a bare clone is refused since its death would not show") {
    Members::prepare();
    const auto child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
    if (child == 0) {
        try {
            static_cast<void>(Members::own());
        } catch (const std::system_error& error) { ::_exit(error.code() == std::errc::not_supported ? 0 : 2); }
        ::_exit(1);
    }
    CHECK(wait_for_child(child) == 0);
}

TEST_CASE("threads that join at a time have different stamps", "[thread]") {
    Members::prepare();
    constexpr int threads = 8;
    std::mutex mutex;
    std::set<Stamp> stamps;
    std::barrier together{threads};
    std::vector<std::thread> all;
    for (int i = 0; i < threads; ++i) {
        all.emplace_back([&] {
            together.arrive_and_wait();
            const Stamp stamp = Members::own();
            {
                const std::lock_guard guard{mutex};
                stamps.insert(stamp);
            }
            together.arrive_and_wait();
        });
    }
    for (std::thread& thread : all) { thread.join(); }
    CHECK(stamps.size() == threads);
    for (const Stamp stamp : stamps) { CHECK_FALSE(Members::is_alive(stamp)); }
}

TEST_CASE("a wait for a word ends when the word changes - at its deadline - or when the member dies") {
    const Shared<std::atomic<std::uint32_t>> word;
    const Member child;
    const Stamp stamp = child.stamp->load();
    const auto sleeps = [&] {
        while (word->load() == 0 && Members::is_alive(stamp)) {
            if (!Members::wait(*word, 0, stamp, Deadline::never())) { return 1; }
        }
        return 0;
    };
    const auto start = detail::Clock::now();
    CHECK_FALSE(Members::wait(*word, 0, stamp, Deadline::after(20ms)));
    CHECK(detail::Clock::now() - start >= 20ms);

    const pid_t first = start_child(sleeps);
    wait_for_sleep(first);
    detail::os::change_and_wake(*word, detail::os::Change::set, detail::os::Operand{1});
    CHECK(wait_for_child(first) == 0);

    word->store(0);
    std::array<pid_t, 3> waiters{};
    for (pid_t& waiter : waiters) { waiter = start_child(sleeps); }
    for (const pid_t waiter : waiters) { wait_for_sleep(waiter); }
    ::kill(child.pid, SIGKILL);
    for (const pid_t waiter : waiters) { CHECK(wait_for_child(waiter) == 0); }
    kill_and_reap(child.pid);
    CHECK(Members::wait(*word, 0, stamp, Deadline::never()));
}

TEST_CASE("what processes share is refused in memory that children get a copy of") {
    const auto refusal = [](const void* address) -> std::string {
        try {
            detail::sync::require_shared_memory(address, "Mutex");
        } catch (const std::logic_error& error) { return error.what(); }
        return "";
    };
    const int on_stack = 0;
    static int global = 0;
    const auto on_heap = std::make_unique<int>();
    const std::string text =
        "procpool: a Mutex in memory that only this process has is another one in each process: write "
        "Shared<Mutex>, or make it a member of what is Shared";
    CHECK(refusal(&on_stack) == text);
    CHECK(refusal(&global) == text);
    CHECK(refusal(on_heap.get()) == text);
    CHECK(refusal(nullptr) == text);

    const Shared<int> shared;
    CHECK(refusal(shared.get()).empty());
    void* const mapping = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(refusal(mapping).empty());
    ::munmap(mapping, 4096);
    CHECK(in_child([&] { return refusal(shared.get()).empty() && !refusal(&on_stack).empty() ? 0 : 1; }) == 0);
}
