// SPDX-License-Identifier: BSL-1.0
/// \file
/// primitives: semaphores, events, latches and barriers among processes, beside those of the C library and of Boost, in
/// turns.

#include "config.hpp"

#include <procpool/shm/shared.hpp>
#include <procpool/sync/barrier.hpp>
#include <procpool/sync/bounded_semaphore.hpp>
#include <procpool/sync/event.hpp>
#include <procpool/sync/latch.hpp>
#include <procpool/sync/permits.hpp>
#include <procpool/sync/semaphore.hpp>

#include <boost/interprocess/sync/interprocess_semaphore.hpp>

#include <string>

#include <pthread.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace benchmarks;
using procpool::Shared;

class PosixSemaphore {
public:
    explicit PosixSemaphore(unsigned initial) { ::sem_init(&semaphore_, 1, initial); }
    void acquire() {
        while (::sem_wait(&semaphore_) != 0) {}
    }
    void release() { ::sem_post(&semaphore_); }

private:
    sem_t semaphore_;
};
class BoostSemaphore {
public:
    explicit BoostSemaphore(unsigned initial) : semaphore_(initial) {}
    void acquire() { semaphore_.wait(); }
    void release() { semaphore_.post(); }

private:
    boost::interprocess::interprocess_semaphore semaphore_;
};
class PthreadBarrier {
public:
    explicit PthreadBarrier(unsigned parties) {
        pthread_barrierattr_t attributes;
        ::pthread_barrierattr_init(&attributes);
        ::pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        ::pthread_barrier_init(&barrier_, &attributes, parties);
    }
    void arrive_and_wait() { ::pthread_barrier_wait(&barrier_); }

private:
    pthread_barrier_t barrier_;
};

}  // namespace

template <>
inline constexpr bool procpool::enable_shared<PosixSemaphore> = true;
template <>
inline constexpr bool procpool::enable_shared<BoostSemaphore> = true;
template <>
inline constexpr bool procpool::enable_shared<PthreadBarrier> = true;

namespace {

template <class S>
void add_pair(Turns& turns, const std::string& name, S& semaphore, std::size_t count) {
    add_calls(turns, "acquire and release: " + name, count, [&semaphore] {
        semaphore.acquire();
        semaphore.release();
    });
}

/// other(i) runs `count` times in a child meanwhile.
template <class Own, class Other>
void add_with_child(Turns& turns, std::string name, std::size_t count, Own own, Other other) {
    turns.add(std::move(name), count, [=] {
        const pid_t child = ::fork();
        require(child >= 0, "fork");
        if (child == 0) {
            for (std::size_t i = 0; i < count; ++i) { other(); }
            ::_exit(0);
        }
        const double time = seconds([&] {
            for (std::size_t i = 0; i < count; ++i) { own(); }
        });
        ::waitpid(child, nullptr, 0);
        return time;
    });
}

template <class S>
void add_round_trip(Turns& turns, const std::string& name, S& there, S& back, std::size_t count) {
    add_with_child(
        turns, "there and back between two processes: " + name, count,
        [&] {
            there.release();
            back.acquire();
        },
        [&] {
            there.acquire();
            back.release();
        });
}

template <class B>
void add_passes(Turns& turns, const std::string& name, B& barrier, std::size_t count) {
    const auto arrive = [&barrier] { barrier.arrive_and_wait(); };
    add_with_child(turns, "a barrier of two processes: " + name, count, arrive, arrive);
}

}  // namespace

int main(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        const std::size_t count = arguments.pick<std::size_t>(100, 50'000, 200'000);
        Turns turns{arguments.pick<std::size_t>(1, 5, 9)};

        const Shared<procpool::Semaphore> one{1};
        const Shared<procpool::BoundedSemaphore> bounded{1};
        const Shared<procpool::Permits> permits{1};
        const Shared<PosixSemaphore> posix{1U};
        const Shared<BoostSemaphore> boost{1U};
        add_pair(turns, "Semaphore", *one, count);
        add_pair(turns, "BoundedSemaphore", *bounded, count);
        add_calls(turns, "acquire and release: Permits", count,
                  [p = permits.get()] { const procpool::Permits::Permit permit = p->acquire(); });
        add_pair(turns, "sem_t", *posix, count);
        add_pair(turns, "Boost interprocess_semaphore", *boost, count);

        const Shared<procpool::Event> event;
        const Shared<procpool::Event> set;
        set->set();
        const Shared<procpool::Latch> latch{static_cast<std::ptrdiff_t>(procpool::Latch::most)};
        add_calls(turns, "wait for what has happened: Event", count, [e = set.get()] { e->wait(); });
        add_calls(turns, "set and clear: Event", count, [e = event.get()] {
            e->set();
            e->clear();
        });
        add_calls(turns, "count down: Latch", count, [l = latch.get()] { l->count_down(); });

        const Shared<procpool::Semaphore> there{0};
        const Shared<procpool::Semaphore> back{0};
        const Shared<PosixSemaphore> posix_there{0U};
        const Shared<PosixSemaphore> posix_back{0U};
        const std::size_t trips = arguments.pick<std::size_t>(10, 2000, 10'000);
        add_round_trip(turns, "Semaphore", *there, *back, trips);
        add_round_trip(turns, "sem_t", *posix_there, *posix_back, trips);

        const Shared<procpool::Barrier> barrier{2};
        const Shared<PthreadBarrier> pthread_barrier{2U};
        add_passes(turns, "Barrier", *barrier, trips);
        add_passes(turns, "pthread_barrier_t", *pthread_barrier, trips);
        turns.run_and_report();
    });
}
