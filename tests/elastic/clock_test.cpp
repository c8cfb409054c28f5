// SPDX-License-Identifier: BSL-1.0
#include "elastic/sizes.hpp"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <memory>
#include <vector>

using namespace procpool_test;

namespace {

/// The seconds by which the machine's clock has been set; shared by all processes.
std::atomic<std::atomic<long>*> clock_offset{nullptr};

}  // namespace

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/// In the place of the C library's.
extern "C" int clock_gettime(clockid_t clock, timespec* when) noexcept {
    const auto result = static_cast<int>(::syscall(SYS_clock_gettime, clock, when));
    const std::atomic<long>* const offset = clock_offset.load();
    if (clock == CLOCK_REALTIME && offset != nullptr) { when->tv_sec += offset->load(); }
    return result;
}

namespace {

TEST_CASE("a machine whose clock jumps") {
    const Shared<std::atomic<long>> offset{0};
    clock_offset.store(offset.get());
    const auto shown = [] { return std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()); };
    const std::time_t before = shown();
    SharedPage page;
    const Gate open{page};
    std::mt19937 random{new_seed()};
    {
        Pool pool{PoolOptions{.workers = 2, .grow_to = 4, .idle_timeout = 2ms}};
        auto patient = pool.apply_async(
            TaskOptions{.timeout = 1h},
            [](Gate gate) {
                gate.wait();
                return 1;
            },
            open);
        for (int round = 0; round < 100; ++round) {
            constexpr long day = 24 * 60 * 60;
            offset->store(std::uniform_int_distribution<long>{-day, day}(random));
            pool.resize(2 + static_cast<std::size_t>(round) % 3);
            CHECK(pool.apply(
                      TaskOptions{.timeout = 1h, .retries = 1}, [](int x) { return x + 1; }, round) == round + 1);
            auto late = pool.apply_async(TaskOptions{.timeout = 1ms}, [] { ::pause(); });
            CHECK_THROWS_AS(late.get(), TaskTimedOut);
        }
        offset->store(1'000'000'000);
        CHECK(shown() - before >= 999'999'999);  // the library sees it as this program does
        open.set();
        CHECK(patient.get() == 1);
        pool.resize(2);
        wait_until([&] { return pool.workers().size() == 1; }, "idle workers to leave");
        CHECK(pool.stats().timed_out == 100);
    }
    clock_offset.store(nullptr);
}

}  // namespace
#endif
