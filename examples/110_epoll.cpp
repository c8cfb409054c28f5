// SPDX-License-Identifier: BSL-1.0
// An event loop of the program's own drives a pool: a CompletionQueue has a descriptor that is readable when futures
// are ready.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <cstdint>
#include <set>
#include <string>

std::uint64_t count_primes(std::uint64_t below) {
    std::uint64_t count = 0;
    for (std::uint64_t n = 2; n < below; ++n) {
        bool is_prime = true;
        for (std::uint64_t d = 2; d * d <= n && is_prime; ++d) { is_prime = n % d != 0; }
        count += is_prime ? 1 : 0;
    }
    return count;
}

int main() {
    procpool::ProcessPool pool{2};
    procpool::CompletionQueue completions;

    const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    const itimerspec every_millisecond{{0, 1'000'000}, {0, 1'000'000}};
    timerfd_settime(timer, 0, &every_millisecond, nullptr);

    const int loop = epoll_create1(EPOLL_CLOEXEC);
    for (const int descriptor : {completions.native_handle(), timer}) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = descriptor;
        epoll_ctl(loop, EPOLL_CTL_ADD, descriptor, &event);
    }

    std::set<std::string> lines;  // tasks end in any order
    int unfinished = 0;
    for (const std::uint64_t below : {100, 20'000, 300'000}) {
        ++unfinished;
        completions.add(pool.apply_async(count_primes, below), [&, below](procpool::Future<std::uint64_t> count) {
            lines.insert(fmt::format("{:7} primes below {}", count.get(), below));
            --unfinished;
        });
    }

    std::uint64_t ticks = 0;
    while (unfinished > 0) {
        epoll_event event{};
        if (epoll_wait(loop, &event, 1, -1) != 1) { continue; }
        if (event.data.fd == timer) {  // the loop serves its other clients meanwhile
            std::uint64_t expirations = 0;
            if (read(timer, &expirations, sizeof expirations) > 0) { ticks += expirations; }
        } else {
            completions.run_ready();
        }
    }
    for (const std::string& line : lines) { fmt::print("{}\n", line); }
    fmt::print("{}\n", ticks > 0 ? "The timer ticked meanwhile." : "The timer never ticked.");
    close(loop);
    close(timer);
}
