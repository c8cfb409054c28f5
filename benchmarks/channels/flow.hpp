// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Items of 16 bytes and of 4 KB from processes to processes, and there and back by two channels; for channels that
/// have put(const Item&) and get(Item&). They are made in shared memory, or what children inherit.

#include "../common.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace benchmarks {

template <std::size_t size>
struct Item {
    std::uint64_t number;
    std::array<std::byte, size - sizeof(std::uint64_t)> rest;
};

/// Returns: the process number of a child that runs the function.
template <class Function>
pid_t start(Function function) {
    const pid_t child = ::fork();
    require(child >= 0, "fork");
    if (child == 0) {
        int status = 0;
        try {
            function();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s\n", error.what());
            status = 1;
        }
        ::_exit(status);
    }
    return child;
}

inline void wait_for(pid_t child) {
    int status = 1;
    require(::waitpid(child, &status, 0) == child && status == 0, "a child failed");
}

struct Start {
    std::atomic<int> ready;
    std::atomic<bool> go;
    std::atomic<std::uint64_t> sum;
};

/// Returns: nanoseconds for each item, from `sides` processes to as many.
template <class Channel, std::size_t size>
double flow(int sides, std::size_t each) {
    Channel channel;
    void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(page != MAP_FAILED, "mmap");
    auto& shared = *::new (page) Start{};
    const auto begin = [&] {
        shared.ready.fetch_add(1);
        while (!shared.go.load()) { ::sched_yield(); }
    };
    std::vector<pid_t> children;
    for (int i = 0; i < sides; ++i) {
        children.push_back(start([&] {
            begin();
            Item<size> item{};
            for (std::uint64_t n = 0; n < each; ++n) {
                item.number = n;
                channel.put(item);
            }
        }));
        children.push_back(start([&] {
            begin();
            Item<size> item{};
            std::uint64_t sum = 0;
            for (std::uint64_t n = 0; n < each; ++n) {
                channel.get(item);
                sum += item.number;
            }
            shared.sum.fetch_add(sum);
        }));
    }
    while (shared.ready.load() != 2 * sides) { ::sched_yield(); }
    const std::size_t count = each * static_cast<std::size_t>(sides);
    const double took = nanoseconds_each(count, [&] {
        shared.go.store(true);
        for (const pid_t child : children) { wait_for(child); }
    });
    require(shared.sum.load() == count * (each - 1) / 2, "wrong sum");
    ::munmap(page, 4096);
    return took;
}

/// Returns: nanoseconds for an item of 16 bytes there and one back.
template <class Channel>
double there_and_back(std::size_t count) {
    Channel there;
    Channel back;
    constexpr std::size_t first = 100;
    const pid_t child = start([&] {
        Item<16> item{};
        for (std::size_t i = 0; i < first + count; ++i) {
            there.get(item);
            ++item.number;
            back.put(item);
        }
    });
    Item<16> item{};
    const auto trips = [&](std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) {
            there.put(item);
            back.get(item);
        }
    };
    trips(first);
    const double took = nanoseconds_each(count, [&] { trips(count); });
    require(item.number == first + count, "wrong number");
    wait_for(child);
    return took;
}

/// A round of all that the figures need. share: of the items, for slow channels.
template <class Small, class Large>
void measure_channel(const Arguments& arguments, std::size_t share) {
    const auto items = arguments.pick<std::size_t>(1000, 50'000, 200'000) / share;
    report("16 B from one process to one", flow<Small, 16>(1, items), "ns");
    report("16 B from two processes to two", flow<Small, 16>(2, items / 2), "ns");
    report("4 KB from one process to one", flow<Large, 4096>(1, std::max<std::size_t>(items / 8, 100)), "ns");
    report("16 B there and back", there_and_back<Small>(std::max<std::size_t>(items / 100, 100)), "ns");
}

}  // namespace benchmarks
