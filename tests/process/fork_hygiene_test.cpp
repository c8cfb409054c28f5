// SPDX-License-Identifier: BSL-1.0
// State that children take over from the thread that forked them, and state that they must not.
#include <procpool/process/process.hpp>
#include <procpool/procpool.hpp>

#include "pool/subprocess.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <array>
#include <atomic>
#include <cstdlib>
#include <thread>

#include <link.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

Word* destroyed = nullptr;
struct Connection {
    bool open = false;
    ~Connection() {
        if (open) { destroyed->fetch_add(1); }
    }
};
thread_local Connection connection;

/// Registers exit functions all the time, so that it holds the lock of their list now and then.
class Registers {
public:
    Registers()
        : thread_([this] {
              while (!stop_) {
                  std::atexit([] {});
                  std::this_thread::yield();
              }
          }) {}
    ~Registers() {
        stop_ = true;
        thread_.join();
    }

private:
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

[[gnu::noinline]] int use_a_megabyte() {
    volatile char large[1 << 20];
    large[0] = 1;
    return large[0];
}

}  // namespace

TEST_CASE("thread_local objects of the program are destroyed in no child") {
    SharedPage page;
    destroyed = page.word();
    Subprocess program{[] {
        connection.open = true;
        {
            Pool pool{2};
            pool.broadcast([] {});
            try {
                pool.apply([] { std::exit(3); });
            } catch (const WorkerDied&) {}
        }
        for (const int how : {0, 1, 2}) {
            Process process{[how] {
                if (how == 1) { std::exit(0); }
                if (how == 2) { std::quick_exit(0); }
            }};
            process.join();
        }
        ::_exit(fork_map([](int n) { return n; }, std::vector{1, 2, 3}).size() == 3 ? 0 : 1);
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(destroyed->load() == 0);
}

TEST_CASE("at_quick_exit functions of the program run in no child and those of a task do") {
    SharedPage page;
    static Word* ran = nullptr;
    ran = page.word();
    Subprocess program{[] {
        std::at_quick_exit([] { ran->fetch_add(1); });
        Pool pool{1};
        try {
            pool.apply([] {
                std::at_quick_exit([] { ran->fetch_add(10); });
                std::quick_exit(4);
            });
        } catch (const WorkerDied& died) { ::_exit(died.exit_status() == ExitStatus::from_code(4) ? 0 : 1); }
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(ran->load() == 10);
}

TEST_CASE("children are forked while another thread registers exit functions", "[slow]") {
    Subprocess program{[] {
        const Registers other;
        for (int round = 0; round < 20; ++round) {
            Pool pool{PoolOptions{.workers = 1, .start_timeout = 60s}};
            if (pool.apply([] { return 1; }) != 1) { ::_exit(1); }
            try {
                pool.apply([] { std::exit(3); });
            } catch (const WorkerDied& died) {
                if (died.exit_status() != ExitStatus::from_code(3)) { ::_exit(2); }
            }
            Process process{[] { std::exit(5); }};
            process.join();
            if (process.exit_status() != ExitStatus::from_code(5)) { ::_exit(3); }
        }
        std::_Exit(0);
    }};
    CHECK(exited_with(program.wait(280s), 0));
}

TEST_CASE("a child gets the locks that a thread of its parent held") {
    Subprocess program{[] {
        Process{[] {}}.join();  // so that the parent has made its one-time look-ups
        std::atomic<bool> held{false};
        std::atomic<bool> may_end{false};
        std::thread holder{[&] {
            std::array<std::atomic<bool>*, 2> flags{&held, &may_end};
            ::dl_iterate_phdr(
                [](dl_phdr_info*, std::size_t, void* both) {
                    auto& [now_held, end] = *static_cast<std::array<std::atomic<bool>*, 2>*>(both);
                    now_held->store(true);
                    wait_until([&] { return end->load(); }, "the end of the test");
                    return 1;
                },
                &flags);
        }};
        wait_until([&] { return held.load(); }, "the lock");
        Process process{[] { return ::dl_iterate_phdr([](dl_phdr_info*, std::size_t, void*) { return 5; }, nullptr); }};
        process.join();
        may_end = true;
        holder.join();
        ::_exit(process.exit_status() == ExitStatus::from_code(5) ? 0 : 1);
    }};
    CHECK(exited_with(program.wait(), 0));
}

TEST_CASE("tasks have the stack that ulimit allows although a thread with a small one built the pool") {
    SharedPage page;
    const Counter good{page};
    const auto build = [](void* counter) -> void* {
        Pool pool{1};
        int local = 7;  // on the small stack
        const auto sum = [&] {
            return fork_map([&](int n) { return n + local + use_a_megabyte(); }, std::vector{1})[0];
        };
        static_cast<const Counter*>(counter)->add(pool.apply(use_a_megabyte) + sum());
        pool.refork();
        static_cast<const Counter*>(counter)->add(pool.apply(use_a_megabyte));
        return nullptr;
    };
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, 256 << 10);
    pthread_t thread{};
    REQUIRE(::pthread_create(&thread, &attributes, build, const_cast<Counter*>(&good)) == 0);
    ::pthread_join(thread, nullptr);
    ::pthread_attr_destroy(&attributes);
    CHECK(good.value() == 11);
}

TEST_CASE("standard input is empty in children where there is no dev null") {
    if (::getuid() != 0) { return; }
    Subprocess program{[] {
        int ends[2];
        if (::pipe(ends) != 0 || ::write(ends[1], "secret", 6) != 6) { ::_exit(1); }
        ::dup2(ends[0], STDIN_FILENO);
        if (::chroot("/proc/self/fdinfo") != 0) { ::_exit(0); }
        const auto reads_nothing = [] {
            char byte = 0;
            return ::read(STDIN_FILENO, &byte, 1) == 0 ? 1 : 0;
        };
        Pool pool{1};
        Process process{reads_nothing};
        process.join();
        ::_exit(pool.apply(reads_nothing) == 1 && process.exit_status() == ExitStatus::from_code(1) ? 0 : 2);
    }};
    CHECK(exited_with(program.wait(), 0));
}
