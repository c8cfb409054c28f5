// SPDX-License-Identifier: BSL-1.0
/// \file
/// primitives: locks and conditions among processes, beside those of the C library and of Boost, in turns. One thread:
/// processor time, so that the load of the machine does not count.

#include "config.hpp"

#include <procpool/core/error.hpp>
#include <procpool/shared_map.hpp>
#include <procpool/shm/shared.hpp>
#include <procpool/sync/condition.hpp>
#include <procpool/sync/guarded.hpp>
#include <procpool/sync/member.hpp>
#include <procpool/sync/mutex.hpp>
#include <procpool/sync/recursive_mutex.hpp>

#include <boost/interprocess/sync/interprocess_condition.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace benchmarks;
using procpool::Shared;

class PthreadMutex {
public:
    explicit PthreadMutex(bool robust) {
        pthread_mutexattr_t attributes;
        ::pthread_mutexattr_init(&attributes);
        ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        if (robust) { ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST); }
        ::pthread_mutex_init(&mutex_, &attributes);
    }
    void lock() { require(::pthread_mutex_lock(&mutex_) == 0, "pthread_mutex_lock"); }
    void unlock() { ::pthread_mutex_unlock(&mutex_); }

private:
    pthread_mutex_t mutex_;
};
struct Plain : PthreadMutex {
    Plain() : PthreadMutex(false) {}
};
struct Robust : PthreadMutex {
    Robust() : PthreadMutex(true) {}
};
/// A lock as multiprocessing.Lock has it.
class SemaphoreLock {
public:
    SemaphoreLock() { ::sem_init(&semaphore_, 1, 1); }
    void lock() { ::sem_wait(&semaphore_); }
    void unlock() { ::sem_post(&semaphore_); }

private:
    sem_t semaphore_;
};
class PthreadCondition {
public:
    PthreadCondition() {
        pthread_condattr_t attributes;
        ::pthread_condattr_init(&attributes);
        ::pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        ::pthread_cond_init(&condition_, &attributes);
    }
    void notify_one() { ::pthread_cond_signal(&condition_); }

private:
    pthread_cond_t condition_;
};

using BoostMutex = boost::interprocess::interprocess_mutex;
using BoostCondition = boost::interprocess::interprocess_condition;

}  // namespace

template <>
inline constexpr bool procpool::enable_shared<Plain> = true;
template <>
inline constexpr bool procpool::enable_shared<Robust> = true;
template <>
inline constexpr bool procpool::enable_shared<SemaphoreLock> = true;
template <>
inline constexpr bool procpool::enable_shared<PthreadCondition> = true;
template <>
inline constexpr bool procpool::enable_shared<BoostMutex> = true;
template <>
inline constexpr bool procpool::enable_shared<BoostCondition> = true;

namespace {

template <class M>
void add_pair(Turns& turns, const std::string& name, M& mutex, std::size_t count) {
    add_calls(turns, "lock and unlock: " + name, count, [&mutex] {
        mutex.lock();
        asm volatile("" ::: "memory");
        mutex.unlock();
    });
}

struct Crowd {
    std::atomic<std::size_t> ready = 0;
    std::atomic<bool> go = false;
    std::uint64_t lines[8] = {};
};

/// Processes that lock, touch a line, unlock, and do something else for a while. The operations are theirs together.
template <class M>
void add_crowd(Turns& turns, const std::string& name, M& mutex, std::size_t processes, std::size_t count) {
    turns.add("lock and unlock, " + std::to_string(processes) + " processes: " + name, count, [=, &mutex] {
        const Shared<Crowd> crowd;
        std::vector<pid_t> children;
        for (std::size_t i = 0; i < processes; ++i) {
            children.push_back(::fork());
            require(children.back() >= 0, "fork");
            if (children.back() != 0) { continue; }
            ++crowd->ready;
            while (!crowd->go) { ::sched_yield(); }
            for (std::size_t n = 0; n < count / processes; ++n) {
                mutex.lock();
                for (std::uint64_t& word : crowd->lines) { word = word + 1; }
                asm volatile("" ::: "memory");
                mutex.unlock();
                for (int pause = 0; pause < 6; ++pause) { procpool::detail::relax(); }
            }
            ::_exit(0);
        }
        while (crowd->ready < processes) { ::sched_yield(); }
        const double time = seconds([&] {
            crowd->go = true;
            for (const pid_t child : children) { ::waitpid(child, nullptr, 0); }
        });
        require(crowd->lines[0] == count / processes * processes, "not exclusive");
        return time;
    });
}

/// Returns: nanoseconds from the kill of an owner to the exception in a process that sleeps for the lock.
double owner_death(std::size_t rounds) {
    struct Scene {
        procpool::Mutex mutex;
        std::atomic<int> step = 0;
        std::atomic<std::int64_t> told = 0;
    };
    const auto now = [] { return Clock::now().time_since_epoch().count(); };
    std::vector<double> all;
    for (std::size_t i = 0; i < rounds; ++i) {
        const Shared<Scene> scene;
        const auto start = [&](auto f) {
            const pid_t child = ::fork();
            require(child >= 0, "fork");
            if (child == 0) {
                f();
                ::_exit(0);
            }
            return child;
        };
        const pid_t owner = start([&] {
            scene->mutex.lock();
            scene->step = 1;
            ::pause();
        });
        while (scene->step < 1) { ::sched_yield(); }
        const pid_t waiter = start([&] {
            scene->step = 2;
            try {
                scene->mutex.lock();
            } catch (const procpool::OwnerDied&) { scene->told = now(); }
        });
        while (scene->step < 2) { ::sched_yield(); }
        ::usleep(2000);  // until it sleeps
        const auto killed = now();
        ::kill(owner, SIGKILL);
        ::waitpid(owner, nullptr, 0);
        ::waitpid(waiter, nullptr, 0);
        require(scene->told != 0, "the waiter was not told");
        all.push_back(static_cast<double>(scene->told - killed));
    }
    return median(all);
}

}  // namespace

int main(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        const std::size_t count = arguments.pick<std::size_t>(100, 50'000, 200'000);
        Turns turns{arguments.pick<std::size_t>(1, 5, 9)};
        const Shared<procpool::Mutex> mutex;
        const Shared<procpool::RecursiveMutex> recursive;
        const Shared<Plain> plain;
        const Shared<Robust> robust;
        const Shared<BoostMutex> boost;
        const Shared<SemaphoreLock> semaphore;
        add_pair(turns, "Mutex", *mutex, count);
        add_pair(turns, "RecursiveMutex", *recursive, count);
        add_pair(turns, "pthread mutex, not robust", *plain, count);
        add_pair(turns, "pthread mutex, robust", *robust, count);
        add_pair(turns, "Boost interprocess_mutex", *boost, count);
        add_pair(turns, "sem_t", *semaphore, count);
        for (const std::size_t processes : {std::size_t{2}, std::size_t{8}}) {
            add_crowd(turns, "Mutex", *mutex, processes, count / 2);
            add_crowd(turns, "pthread mutex, not robust", *plain, processes, count / 2);
            add_crowd(turns, "Boost interprocess_mutex", *boost, processes, count / 2);
            add_crowd(turns, "sem_t", *semaphore, processes, count / 2);
        }

        const Shared<procpool::Guarded<std::int64_t>> guarded{0};
        const Shared<std::atomic<std::int64_t>> atomic{0};
        add_calls(turns, "increment with a lock: Guarded", count,
                  [g = guarded.get()] { g->with([](std::int64_t& n) { ++n; }); });
        add_calls(turns, "increment: atomic", count, [a = atomic.get()] { ++*a; });

        const Shared<procpool::Condition> condition;
        const Shared<PthreadCondition> pthread_condition;
        const Shared<BoostCondition> boost_condition;
        const std::string nobody = "notify_one when nobody sleeps: ";
        add_calls(turns, nobody + "Condition", count, [c = condition.get()] { c->notify_one(); });
        add_calls(turns, nobody + "pthread_cond_signal", count, [c = pthread_condition.get()] { c->notify_one(); });
        add_calls(turns, nobody + "Boost interprocess_condition", count,
                  [c = boost_condition.get()] { c->notify_one(); });

        const Shared<procpool::SharedMap<std::int64_t, std::int64_t>> map{std::size_t{16} << 20};
        const auto keys = static_cast<std::int64_t>(arguments.pick<std::size_t>(1000, 100'000, 100'000));
        for (std::int64_t key = 0; key < keys; ++key) { map->put(key * 7919, key); }
        add_calls(turns, "a map of 100,000, get: SharedMap", count,
                  [m = map.get(), keys, key = std::int64_t{0}]() mutable {
                      key = (key + 31'337) % keys;
                      require(m->get(key * 7919) == key, "wrong value");
                  });
        add_calls(turns, "a map of 100,000, put: SharedMap", count,
                  [m = map.get(), keys, key = std::int64_t{0}]() mutable {
                      key = (key + 31'337) % keys;
                      m->put(key * 7919, key);
                  });

        using procpool::detail::sync::Members;
        const auto own = Members::own();
        add_calls(turns, "look whether a process lives: Members", count,
                  [own] { require(Members::is_alive(own), "dead"); });
        add_calls(turns, "look whether a process lives: kill", count / 10,
                  [pid = ::getppid()] { require(::kill(pid, 0) == 0, "dead"); });
        turns.run_and_report();
        report("a killed owner to OwnerDied in a blocked waiter", owner_death(arguments.pick<std::size_t>(1, 5, 21)),
               "ns");
    });
}
