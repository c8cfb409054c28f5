// SPDX-License-Identifier: BSL-1.0
#include <procpool/sync/mutex.hpp>

#include <procpool/core/error.hpp>
#include <procpool/shm/shared.hpp>
#include <procpool/sync/recursive_mutex.hpp>

#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"
#include "support/held.hpp"
#include "support/interrupted.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <array>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <new>
#include <optional>
#include <thread>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

template <class M>
pid_t start_owner(M& mutex) {
    return start_holder([&] { return std::unique_lock{mutex}; });
}
/// The mutex's owner has died. Returns: its process number.
template <class M>
pid_t poison(M& mutex) {
    const pid_t owner = start_owner(mutex);
    kill_and_reap(owner);
    return owner;
}

/// Returns: whose death f() reports; 0: none.
template <class F>
pid_t death_reported_by(F f) {
    try {
        f();
    } catch (const OwnerDied& death) { return death.pid(); }
    return 0;
}
/// Returns: the condition that f()'s std::system_error names, or none.
template <class F>
std::optional<std::errc> error_of(F f) {
    try {
        f();
    } catch (const std::system_error& error) { return static_cast<std::errc>(error.code().value()); }
    return std::nullopt;
}
template <class M>
bool is_free(M& mutex) {
    return in_child([&] { return mutex.try_lock() ? 0 : 1; }) == 0;
}

struct Account {
    Mutex mutex;
    long balance = 100;
};

}  // namespace

TEMPLATE_TEST_CASE("SYN-01 a lock is had by one - a guard lets go of it also when an exception passes", "", Mutex,
                   RecursiveMutex) {
    const Shared<TestType> mutex;
    CHECK_FALSE(mutex->was_locked());
    CHECK(mutex->try_lock());
    CHECK(in_child([&] { return mutex->try_lock() ? 1 : 0; }) == 0);
    mutex->unlock();
    CHECK(error_of([&] { mutex->unlock(); }) == std::errc::operation_not_permitted);
    try {
        const std::lock_guard guard{*mutex};
        throw 1;
    } catch (int) {}
    CHECK_FALSE(mutex->was_locked());
}

TEST_CASE("SYN-01 processes that change a number under a lock lose nothing") {
    const Shared<Account> account;
    constexpr int each = 20'000;
    std::array<pid_t, 4> children{};
    for (pid_t& child : children) {
        child = start_child([&] {
            for (int i = 0; i < each; ++i) {
                const std::scoped_lock hold{account->mutex};
                account->balance = account->balance + 1;
            }
            return 0;
        });
    }
    for (const pid_t child : children) { CHECK(wait_for_child(child) == 0); }
    CHECK(account->balance == 100 + 4 * each);
}

TEST_CASE("threads that change a number under locks lose nothing", "[thread]") {
    const Shared<Account> account;
    const Shared<RecursiveMutex> outer;
    std::array<std::thread, 3> threads;
    constexpr int each = 1000;
    for (std::thread& thread : threads) {
        thread = std::thread{[&] {
            for (int i = 0; i < each; ++i) {
                if (i % 3 == 0) {
                    std::unique_lock hold{account->mutex, 1h};
                    account->balance = account->balance + 1;
                } else if (i % 3 == 1) {
                    const std::scoped_lock hold{*outer, account->mutex};
                    account->balance = account->balance + 1;
                } else {
                    while (!account->mutex.try_lock()) { std::this_thread::yield(); }
                    account->balance = account->balance + 1;
                    account->mutex.unlock();
                }
            }
        }};
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(account->balance == 100 + 3 * each);
}

TEST_CASE("SYN-02 another process sees that a lock is held and by which process - and cannot unlock it") {
    const Shared<Mutex> mutex;
    CHECK(mutex->was_owner() == 0);
    const pid_t child = start_owner(*mutex);
    CHECK(mutex->was_locked());
    CHECK(mutex->was_owner() == child);
    CHECK(error_of([&] { mutex->unlock(); }) == std::errc::operation_not_permitted);
    CHECK(mutex->was_locked());
    kill_and_reap(child);
}

TEST_CASE("SYN-03 a timed attempt ends at its time and leaves the lock sound") {
    const Shared<Mutex> mutex;
    SharedPage page;
    const Gate may_end{page};
    const Gate held{page};
    const pid_t child = start_child([&] {
        const std::scoped_lock hold{*mutex};
        held.set();
        may_end.wait();
        return 0;
    });
    held.wait();
    CHECK_FALSE(mutex->try_lock_for(0s));
    CHECK_FALSE(mutex->try_lock_for(-1h));
    const auto start = detail::Clock::now();
    CHECK_FALSE(mutex->try_lock_for(20ms));
    CHECK(detail::Clock::now() - start >= 20ms);
    CHECK_FALSE(mutex->try_lock_until(detail::Clock::now() + 5ms));
    CHECK_FALSE(mutex->try_lock_until(std::chrono::system_clock::now() + 5ms));
    CHECK_FALSE(mutex->try_lock_until(std::chrono::system_clock::time_point::min()));
    may_end.set();
    CHECK(mutex->try_lock_until(std::chrono::system_clock::time_point::max()));
    mutex->unlock();
    CHECK(mutex->try_lock_for(std::chrono::hours::max()));
    mutex->unlock();
    CHECK(wait_for_child(child) == 0);
}

TEST_CASE("SYN-03 a timeout that races with the hand-over leaves no ghost that holds the lock", "[thread]") {
    const Shared<Account> account;
    constexpr int rounds = 1000;
    std::atomic<bool> done = false;
    int timeouts = 0;
    int got = 0;
    std::thread other{[&] {
        while (!done) {
            const std::scoped_lock hold{account->mutex};
            const auto until = detail::Clock::now() + 30us;
            while (detail::Clock::now() < until) {}
        }
    }};
    for (int i = 0; i < rounds; ++i) {
        if (account->mutex.try_lock_for(std::chrono::microseconds{i % 60})) {
            ++got;
            account->mutex.unlock();
        } else {
            ++timeouts;
        }
    }
    done = true;
    other.join();
    CHECK(got + timeouts == rounds);
    CHECK(account->mutex.try_lock());
    account->mutex.unlock();
}

TEST_CASE("the owner's second attempt throws instead of waiting for itself") {
    const Shared<Mutex> mutex;
    mutex->lock();
    const auto deadlock = std::errc::resource_deadlock_would_occur;
    CHECK(error_of([&] { mutex->lock(); }) == deadlock);
    CHECK(error_of([&] { static_cast<void>(mutex->try_lock()); }) == deadlock);
    CHECK(error_of([&] { static_cast<void>(mutex->try_lock_for(1h)); }) == deadlock);
    CHECK(error_of([&] { mutex->recover([] {}); }) == deadlock);
    mutex->unlock();
    CHECK(is_free(*mutex));
}

TEST_CASE("SYN-04 a recursive lock is free after as many unlocks as locks") {
    const Shared<RecursiveMutex> mutex;
    mutex->lock();
    CHECK(mutex->try_lock());
    CHECK(mutex->try_lock_for(1s));
    CHECK(mutex->was_owner() == ::getpid());
    for (int depth = 3; depth > 0; --depth) {
        CHECK_FALSE(is_free(*mutex));
        mutex->unlock();
    }
    CHECK(is_free(*mutex));
    mutex->recover([] {});  // the child died with it
    CHECK(error_of([&] { mutex->unlock(); }) == std::errc::operation_not_permitted);
}

TEMPLATE_TEST_CASE("SYN-05 a forked child does not hold what its parent holds", "", Mutex, RecursiveMutex) {
    const Shared<TestType> mutex;
    mutex->lock();
    const auto stranger = [&] {
        if (mutex->try_lock() || mutex->try_lock_for(5ms)) { return 1; }
        if (error_of([&] { mutex->unlock(); }) != std::errc::operation_not_permitted) { return 2; }
        return 0;
    };
    CHECK(in_child(stranger) == 0);
    const pid_t waiter = start_child([&] {
        mutex->lock();
        mutex->unlock();
        return 0;
    });
    wait_for_sleep(waiter);
    mutex->unlock();
    CHECK(wait_for_child(waiter) == 0);

    // Held by another thread at the fork: the child waits for a living owner, unlike with a std::mutex.
    SharedPage page;
    const Gate held{page};
    const Gate may_end{page};
    std::thread owner{[&] {
        mutex->lock();
        held.set();
        may_end.wait();
        mutex->unlock();
    }};
    held.wait();
    CHECK(in_child(stranger) == 0);
    const pid_t other = start_child([&] {
        mutex->lock();
        mutex->unlock();
        return 0;
    });
    wait_for_sleep(other);
    may_end.set();
    CHECK(wait_for_child(other) == 0);
    owner.join();
}

TEMPLATE_TEST_CASE("an owner's death is told to everybody until recover", "", Mutex, RecursiveMutex) {
    const Shared<TestType> mutex;
    const pid_t dead = poison(*mutex);
    CHECK(death_reported_by([&] { mutex->lock(); }) == dead);
    CHECK_FALSE(mutex->was_locked());
    CHECK(death_reported_by([&] { static_cast<void>(mutex->try_lock()); }) == dead);
    CHECK(death_reported_by([&] { static_cast<void>(mutex->try_lock_for(1h)); }) == dead);
    CHECK(death_reported_by([&] {
              const std::unique_lock hold{*mutex, std::chrono::system_clock::now() + 1h};
          }) == dead);
    CHECK(in_child([&] { return death_reported_by([&] { mutex->lock(); }) == dead ? 0 : 1; }) == 0);
    CHECK_FALSE(mutex->was_locked());

    CHECK_THROWS_AS(mutex->recover([] { throw 1; }), int);
    CHECK(death_reported_by([&] { mutex->lock(); }) == dead);
    const pid_t repairer = start_child([&] {
        mutex->recover([] { ::raise(SIGKILL); });
        return 0;
    });
    CHECK(WIFSIGNALED(wait_for_child(repairer)));
    CHECK(death_reported_by([&] { mutex->lock(); }) == repairer);

    bool held = false;
    mutex->recover([&] { held = mutex->was_owner() == ::getpid(); });
    CHECK(held);
    CHECK(mutex->try_lock());
    mutex->unlock();
    mutex->recover([] {});  // also what is sound
    CHECK_THROWS_AS(mutex->recover([] { throw 1; }), int);
    CHECK(mutex->try_lock());
    mutex->unlock();
}

TEST_CASE("the text of OwnerDied names the process") {
    const Shared<Mutex> mutex;
    const pid_t dead = poison(*mutex);
    CHECK_THROWS_WITH(mutex->lock(), "procpool: process " + std::to_string(dead) +
                                         " died while it held a lock, and what the lock protects may be half "
                                         "changed: look at it in recover()");
}

TEST_CASE("a thread that ends with a lock is named - with its process that lives on") {
    const Shared<Mutex> mutex;
    pid_t thread = 0;
    std::thread{[&] {
        thread = this_thread();
        mutex->lock();
    }}.join();
    const auto told = [&](pid_t process) {
        try {
            mutex->lock();
        } catch (const OwnerDied& death) {
            CHECK(death.pid() == process);
            CHECK(death.thread() == thread);
            return std::string{death.what()};
        }
        return std::string{};
    };
    CHECK(told(::getpid()) == "procpool: thread " + std::to_string(thread) + " of process " +
                                  std::to_string(::getpid()) +
                                  " ended while it held a lock, and what the lock protects may be half changed: look "
                                  "at it in recover()");
    CHECK_THROWS_AS(mutex->recover([] { throw 1; }), int);
    static_cast<void>(told(::getpid()));
    mutex->recover([] {});
    thread = poison(*mutex);
    CHECK_THAT(told(thread), Catch::StartsWith("procpool: process " + std::to_string(thread) + " died while"));
}

TEMPLATE_TEST_CASE("a lock whose bytes have been overwritten says so to everybody that wants it", "", Mutex,
                   RecursiveMutex) {
    for (const int byte : {0, 0xff, 0x55, 1}) {
        CAPTURE(byte);
        struct Bytes {
            alignas(TestType) std::byte bytes[sizeof(TestType)];
        };
        const Shared<Bytes> memory;
        auto& mutex = *::new (memory->bytes) TestType;
        std::memset(memory->bytes, byte, sizeof memory->bytes);
        const auto overwritten = std::errc::state_not_recoverable;
        CHECK(error_of([&] { mutex.lock(); }) == overwritten);
        CHECK(error_of([&] { static_cast<void>(mutex.try_lock()); }) == overwritten);
        CHECK(error_of([&] { static_cast<void>(mutex.try_lock_for(1h)); }) == overwritten);
        CHECK(error_of([&] { mutex.recover([] {}); }) == overwritten);
        CHECK(error_of([&] { mutex.unlock(); }) == overwritten);
    }
}

TEST_CASE("a thread that waits for a lock whose bytes are overwritten is told when it is woken or looks again") {
    for (const bool is_woken : {false, true}) {
        CAPTURE(is_woken);
        struct Bytes {
            alignas(Mutex) std::byte bytes[sizeof(Mutex)];
        };
        const Shared<Bytes> memory;
        auto& mutex = *::new (memory->bytes) Mutex;
        const pid_t owner = start_owner(mutex);
        const pid_t waiter =
            start_child([&] { return error_of([&] { mutex.lock(); }) == std::errc::state_not_recoverable ? 0 : 1; });
        wait_for_sleep(waiter);
        std::memset(memory->bytes, 0, sizeof memory->bytes);
        if (is_woken) { detail::os::futex_wake(reinterpret_cast<std::atomic<std::uint32_t>&>(mutex)); }
        CHECK(wait_for_child(waiter) == 0);
        kill_and_reap(owner);
    }
}

TEMPLATE_TEST_CASE("guards of the standard library take the Shared of a lock", "", Mutex, RecursiveMutex) {
    const Shared<TestType> mutex;
    const Shared<TestType> other;
    {
        const std::lock_guard guard{mutex};
        CHECK_FALSE(is_free(*mutex));
    }
    {
        const std::scoped_lock both{mutex, other};
        CHECK_FALSE(is_free(*mutex));
        CHECK_FALSE(is_free(*other));
    }
    {
        const std::unique_lock soon{mutex, 1s};
        const std::unique_lock at_once{other, std::try_to_lock};
        CHECK((soon.owns_lock() && at_once.owns_lock()));
    }
    const std::unique_lock until{mutex, detail::Clock::now() + 1h};
    CHECK(until.owns_lock());
    CHECK(is_free(*other));
    static_assert(!detail::shm::LockOfGuards<int>);
}

TEST_CASE("an owner that dies deep in a recursive lock is one death") {
    const Shared<RecursiveMutex> mutex;
    kill_and_reap(start_holder([&] { return std::array{std::unique_lock{*mutex}, std::unique_lock{*mutex}}; }));
    CHECK_THROWS_AS(mutex->lock(), OwnerDied);
    mutex->recover([] {});
    mutex->lock();
    mutex->unlock();
    CHECK(is_free(*mutex));
}

TEST_CASE("a lock that ignores deaths goes on to the next owner") {
    const Shared<Mutex> mutex{OnOwnerDeath::ignore};
    for (int i = 0; i < 2; ++i) {
        poison(*mutex);
        CHECK(mutex->try_lock());
        mutex->unlock();
        CHECK(is_free(*mutex));  // dies with it, by the way
    }
    const Shared<RecursiveMutex> recursive{OnOwnerDeath::ignore};
    poison(*recursive);
    recursive->lock();
    recursive->unlock();
}

TEST_CASE("SYN-11 threads that sleep for a lock are told of the death of its owner") {
    const Shared<Mutex> mutex;
    const pid_t owner = start_owner(*mutex);
    std::array<pid_t, 3> waiters{};
    for (std::size_t i = 0; i < waiters.size(); ++i) {
        waiters[i] = start_child([&, i] {
            return death_reported_by([&] {
                       if (i == 2) {
                           static_cast<void>(mutex->try_lock_for(1h));
                       } else {
                           mutex->lock();
                       }
                   }) == owner
                       ? 0
                       : 1;
        });
        wait_for_sleep(waiters[i]);
    }
    kill_and_reap(waiters[0]);  // one that waits is killed before
    kill_and_reap(owner);
    CHECK(wait_for_child(waiters[1]) == 0);
    CHECK(wait_for_child(waiters[2]) == 0);
}

TEST_CASE("a program that is executed and a thread that ends count as dead owners") {
    const Shared<Mutex> mutex;
    const pid_t child = start_child([&] {
        mutex->lock();
        ::execl("/bin/sleep", "sleep", "60", nullptr);
        return 1;
    });
    const auto told = [&] {
        try {
            if (mutex->try_lock()) { mutex->unlock(); }
        } catch (const OwnerDied& death) { return death.pid() == child; }
        return false;
    };
    wait_until(told, "the death of a program that was executed");
    CHECK(::kill(child, 0) == 0);
    kill_and_reap(child);
    mutex->recover([] {});

    std::thread{[&] { mutex->lock(); }}.join();
    CHECK(death_reported_by([&] { mutex->lock(); }) == ::getpid());
    mutex->recover([] {});
    pthread_t thread{};
    const auto lock_and_exit = [](void* address) -> void* {
        static_cast<Mutex*>(address)->lock();
        ::pthread_exit(nullptr);
    };
    REQUIRE(::pthread_create(&thread, nullptr, lock_and_exit, mutex.get()) == 0);
    ::pthread_join(thread, nullptr);
    CHECK(death_reported_by([&] { mutex->lock(); }) == ::getpid());
}

TEST_CASE("std::lock and std::scoped_lock hold nothing when one of their locks reports a death") {
    const Shared<std::array<Mutex, 3>> locks;
    auto& [first, second, third] = *locks;
    poison(second);
    CHECK_THROWS_AS((std::scoped_lock{first, second, third}), OwnerDied);
    CHECK_THROWS_AS(std::lock(third, second), OwnerDied);
    for (Mutex& mutex : *locks) { CHECK_FALSE(mutex.was_locked()); }
    second.recover([] {});
    { const std::scoped_lock hold{first, second, third}; }
}

TEST_CASE("SYN-17 a lock lies where processes share memory or its constructor throws") {
    CHECK_THROWS_WITH(Mutex{}, Catch::ContainsSubstring("procpool: a Mutex in memory that only this process has"));
    CHECK_THROWS_WITH(RecursiveMutex{}, Catch::ContainsSubstring("write Shared<RecursiveMutex>"));
    CHECK_THROWS_AS(std::make_unique<Account>(), std::logic_error);
    static_assert(!std::is_copy_assignable_v<Mutex> && !std::is_move_constructible_v<Account>);
    const Shared<Account> shared;
    CHECK(shared->balance == 100);

    void* const memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    auto* const mapped = ::new (memory) Mutex;
    mapped->lock();
    CHECK_FALSE(is_free(*mapped));
    mapped->~Mutex();
    ::munmap(memory, 4096);
}

TEST_CASE("SYN-18 those that wait for a lock that is destroyed are told - and its memory is kept for them") {
    std::optional<Shared<Mutex>> mutex;
    mutex.emplace();
    Mutex* const address = mutex->get();
    address->lock();
    std::array<pid_t, 2> waiters{};
    for (pid_t& waiter : waiters) {
        waiter = start_child([&] {
            try {
                address->lock();
            } catch (const std::logic_error& error) {
                return std::string{error.what()} == "procpool: the lock has been destroyed" ? 0 : 1;
            }
            return 2;
        });
        wait_for_sleep(waiter);
    }
    mutex.reset();
    std::vector<Shared<Mutex>> others;
    for (int i = 0; i < 30; ++i) { others.emplace_back(); }
    for (const pid_t waiter : waiters) { CHECK(wait_for_child(waiter) == 0); }
    CHECK_THROWS_AS(address->try_lock(), std::logic_error);
    CHECK_THROWS_AS(address->recover([] {}), std::logic_error);
}

TEST_CASE("SIG-02 signals every millisecond change nothing about waiting for a lock") {
    const Shared<Mutex> mutex;
    SharedPage page;
    const Gate timed_out{page};
    const pid_t owner = start_owner(*mutex);
    const pid_t waiter = start_child([&] {
        interrupt_every_millisecond();
        const auto start = detail::Clock::now();
        if (mutex->try_lock_for(50ms)) { return 1; }
        if (detail::Clock::now() - start < 50ms) { return 2; }
        timed_out.set();
        return death_reported_by([&] { mutex->lock(); }) == owner ? 0 : 3;
    });
    timed_out.wait();
    wait_for_sleep(waiter);
    kill_and_reap(owner);
    CHECK(wait_for_child(waiter) == 0);
}

TEST_CASE("SYN-06 random kills of owners: survivors have a whole record or are told") {
    struct Record {
        Mutex mutex;
        std::atomic<long> first;  // atomic, since a torn record is read here
        std::atomic<long> second;
    };
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::minstd_rand random{seed};
    const Shared<Record> record;
    SharedPage page;
    const Counter torn{page};
    const Counter told{page};
    const Counter steps{page};
    const auto work = [&] {
        for (;;) {
            try {
                const std::scoped_lock hold{record->mutex};
                const long next = record->first + 1;
                if (record->second + 1 != next) { torn.add(); }
                record->first = next;
                record->second = next;
                steps.add();
            } catch (const OwnerDied&) {
                told.add();
                record->mutex.recover([&] { record->second = record->first.load(); });
            }
        }
        return 0;
    };
    std::array<pid_t, 3> workers{};
    for (pid_t& worker : workers) { worker = start_child(work); }
    const auto end = detail::Clock::now() + 1s;
    int kills = 0;
    while (detail::Clock::now() < end) {
        ::usleep(static_cast<useconds_t>(random() % 3000));
        pid_t& victim = workers[random() % workers.size()];
        kill_and_reap(victim);
        ++kills;
        steps.wait_for(steps.value() + 1);  // the two survivors go on
        victim = start_child(work);
    }
    for (const pid_t worker : workers) { kill_and_reap(worker); }
    CAPTURE(kills);
    CHECK(torn.value() == 0);
    CHECK(told.value() <= kills);
    CHECK(steps.value() > kills);
}

TEST_CASE("a repair may lock the RecursiveMutex that it repairs") {
    const Shared<RecursiveMutex> mutex;
    CHECK(WIFSIGNALED(wait_for_child(start_child([&] {
        mutex->lock();
        ::raise(SIGKILL);
        return 1;
    }))));
    CHECK_THROWS_AS(mutex->lock(), OwnerDied);
    bool locked_within = false;
    mutex->recover([&] {
        const std::scoped_lock again{*mutex};
        locked_within = true;
    });
    CHECK(locked_within);
    const std::scoped_lock sound{*mutex};
}

TEST_CASE("an array of locks is shared") {
    const Shared<Mutex[3]> stripes;
    for (Mutex& stripe : *stripes) { const std::scoped_lock hold{stripe}; }
}
