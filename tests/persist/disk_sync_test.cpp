// SPDX-License-Identifier: BSL-1.0
#include <procpool/persist/disk_sync.hpp>

#include "support/catch.hpp"
#include "support/events.hpp"

#include <atomic>
#include <chrono>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

using namespace std::chrono_literals;
using namespace procpool_test;
using procpool::detail::persist::DiskSync;

namespace {

TEST_CASE("disk sync: what is written is synchronised by another thread and at the end") {
    std::atomic<int> syncs{0};
    std::atomic<std::thread::id> by{};
    {
        DiskSync sync{[&] {
                          by = std::this_thread::get_id();
                          ++syncs;
                      },
                      1ms};
        std::this_thread::sleep_for(2ms);  // the thread starts with what is written after the first interval
        for (int round = 1; round <= 3; ++round) {
            const int before = syncs;
            sync.note_written();
            wait_until([&] { return syncs > before; }, "a synchronisation");
            CHECK(by.load() != std::this_thread::get_id());
        }
    }
    const int all = syncs;
    {
        DiskSync sync{[&] { ++syncs; }, 24h};
        sync.note_written();
    }
    CHECK(syncs == all);  // a short call pays nothing
}

TEST_CASE("disk sync: the end synchronises what the thread has not") {
    std::atomic<int> syncs{0};
    {
        DiskSync sync{[&] { ++syncs; }, 100ms};
        std::this_thread::sleep_for(101ms);
        sync.note_written();
        wait_until([&] { return syncs == 1; }, "a synchronisation");
        sync.note_written();  // within the interval, most likely
    }
    CHECK(syncs == 2);
}

TEST_CASE("disk sync: a child that was forked leaves it alone") {
    std::atomic<int> syncs{0};
    auto* const sync = new DiskSync{[&] { ++syncs; }, 1ms};
    std::this_thread::sleep_for(2ms);
    sync->note_written();
    wait_until([&] { return syncs == 1; }, "a synchronisation");
    const pid_t child = ::fork();
    if (child == 0) {
        sync->~DiskSync();  // does not wait for a thread that is not here
        ::_exit(17);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 17));
    delete sync;
}

}  // namespace
