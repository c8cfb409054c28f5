// SPDX-License-Identifier: BSL-1.0
// Pools where memory is short, locked, or shared with children that live longer.
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"
#include "support/memory_group.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

using namespace procpool_test;

namespace {

constexpr std::size_t mega = std::size_t{1} << 20;

/// Runs a program in a group of its own, if there may be one. It prints nothing when all is right.
template <class F>
void in_group(std::size_t limit, F f) {
    const MemoryGroup group{limit};
    if (!group) { return; }
    Subprocess program{[&] {
        if (!group.join()) { return; }
        f(group);
    }};
    const int status = program.wait();
    CAPTURE(status, program.output());
    CHECK(exited_with(status, 0));
    CHECK(program.output() == "");
}

[[nodiscard]] std::vector<char> as_it_is(std::vector<char> bytes) { return bytes; }

/// Effects: leaves no memory for a pool; memory in use stays usable.
[[nodiscard]] std::vector<SharedArray<char>> take_all_memory() {
    std::vector<SharedArray<char>> all;
    try {
        for (;;) { all.emplace_back(100'000); }
    } catch (const SharedMemoryExhausted&) { return all; }
}

}  // namespace

TEST_CASE("in a group many payloads of any size end in values or in SharedMemoryExhausted: and nobody is killed",
          "[serial]") {
    if (under_sanitizer) { return; }
    const std::size_t size = GENERATE(std::size_t{3000}, std::size_t{60'000}, std::size_t{900} << 10);
    CAPTURE(size);
    in_group(128 * mega, [&](const MemoryGroup&) {
        Pool pool{{.workers = 2, .queue_capacity = 100'000}};
        std::vector<Future<std::vector<char>>> futures;
        bool refused = false;
        try {
            while (futures.size() * size < 256 * mega) {
                futures.push_back(pool.apply_async(as_it_is, std::vector<char>(size, 'x')));
            }
        } catch (const SharedMemoryExhausted&) { refused = true; }
        std::size_t arrived = 0;
        for (auto& future : futures) {
            try {
                if (future.get() != std::vector<char>(size, 'x')) { std::printf("wrong\n"); }
                ++arrived;
            } catch (const SharedMemoryExhausted&) { refused = true; }
        }
        if (!refused) { std::printf("nothing was refused\n"); }
        if (arrived * size < 5 * mega) { std::printf("only %zu arrived\n", arrived); }
        futures.clear();
        if (pool.apply(as_it_is, std::vector<char>(size, 'y')) != std::vector<char>(size, 'y')) {
            std::printf("wrong afterwards\n");
        }
    });
}

TEST_CASE("a task that throws where no memory is left costs no worker", "[serial]") {
    if (under_sanitizer) { return; }
    in_group(128 * mega, [](const MemoryGroup&) {
        Pool pool{1};
        const pid_t worker = pool.apply([] { return this_worker::pid(); });
        const auto all = take_all_memory();
        for (const std::size_t length : {std::size_t{1}, std::size_t{5000}, std::size_t{300'000}}) {
            try {
                pool.apply([](std::size_t n) { throw std::runtime_error(std::string(n, 'x')); }, length);
                std::printf("nothing thrown\n");
            } catch (const WorkerDied&) { std::printf("the worker died\n"); } catch (const SharedMemoryExhausted&) {
            } catch (const RemoteError&) {  // that there was no memory for what was thrown
            } catch (const std::runtime_error& error) {
                if (std::string{error.what()}.size() != length) { std::printf("another error\n"); }
            }
        }
        if (pool.apply([] { return this_worker::pid(); }) != worker) { std::printf("another worker\n"); }
    });
}

TEST_CASE("the memory of a pool is gone with it also while a child lives that was forked meanwhile", "[serial]") {
    if (under_sanitizer) { return; }
    in_group(512 * mega, [](const MemoryGroup& group) {
        const auto shared = [&] { return static_cast<std::size_t>(group.stat("shmem")); };
        auto first = std::make_unique<Pool>(1);
        for (int i = 0; i < 2; ++i) { static_cast<void>(first->apply(as_it_is, std::vector<char>(60 * mega, 'x'))); }
        SharedArray<char> array{20 * mega};
        Process child{[] { ::pause(); }};
        Pool second{1};
        second.apply([] {});
        if (shared() < 100 * mega) { std::printf("%zu bytes are used\n", shared()); }
        first.reset();
        if (shared() > 40 * mega) { std::printf("%zu bytes are kept\n", shared()); }
        array = SharedArray<char>{1};
        if (shared() > 20 * mega) { std::printf("%zu bytes are kept of an array\n", shared()); }
        child.kill();
    });
}

TEST_CASE("a pool - its payloads and a Process work where the program locks all it maps", "[serial]") {
    if (under_sanitizer) { return; }
    const bool little = GENERATE(false, true);
    const MemoryGroup group{512 * mega};
    if (!little && ::geteuid() == 0 && !group) { return; }  // if it goes wrong, it takes all memory
    Subprocess program{[&] {
        if (group && !group.join()) { return; }
        if (little) {
            const rlimit limit{4 * mega, 4 * mega};
            if (::setrlimit(RLIMIT_MEMLOCK, &limit) != 0 || (::geteuid() == 0 && ::setuid(65534) != 0)) { return; }
        }
        if (::mlockall(MCL_FUTURE) != 0) { return; }
        Pool pool{2};
        if (pool.apply(as_it_is, std::vector<char>(300'000, 'x')).size() != 300'000) { std::printf("wrong\n"); }
        const SharedArray<int> array{100'000};
        pool.for_each([](int& one) { one = 3; }, array);
        if (!std::ranges::all_of(array, [](int one) { return one == 3; })) { std::printf("wrong array\n"); }
        Process child{[] {}};
        child.join();
        if (child.exit_status().code() != 0) { std::printf("wrong child\n"); }
        if (kilobytes_in("/proc/self/status", "VmRSS") > 200'000) { std::printf("all of it is there\n"); }
    }};
    const int status = program.wait();
    CAPTURE(status, program.output());
    CHECK(exited_with(status, 0));
    CHECK(program.output() == "");
}

TEST_CASE("a task that takes all memory costs its worker not a parent that has more", "[serial]") {
    if (under_sanitizer) { return; }
    in_group(256 * mega, [](const MemoryGroup&) {
        Pool pool{2};
        const std::vector<char> mine(160 * mega, 'x');
        try {
            pool.apply([] {
                for (std::vector<std::vector<char>> all;;) { all.emplace_back(mega, 'x'); }
            });
        } catch (const WorkerDied& died) {
            if (died.exit_status().signal() != SIGKILL) { std::printf("died of something else\n"); }
        }
        if (pool.apply([](int x) { return x; }, mine[77]) != 'x') { std::printf("wrong\n"); }
    });
}

TEST_CASE("files that were read leave room for payloads and arrays in a group", "[serial]") {
    if (under_sanitizer) { return; }
    const std::string path =
        (std::filesystem::temp_directory_path() / ("procpool-files-" + std::to_string(::getpid()))).string();
    struct statfs system {};
    constexpr decltype(system.f_type) tmpfs = 0x01021994;
    if (::statfs(std::filesystem::temp_directory_path().c_str(), &system) != 0 || system.f_type == tmpfs) {
        return;
    }  // its files are memory
    in_group(128 * mega, [&](const MemoryGroup&) {
        std::vector<char> block(mega, 'x');
        {
            std::ofstream file{path, std::ios::binary};
            for (int i = 0; i < 200; ++i) { file.write(block.data(), static_cast<std::streamsize>(block.size())); }
        }
        for (std::ifstream file{path, std::ios::binary};
             file.read(block.data(), static_cast<std::streamsize>(block.size()));) {}
        Pool pool{1};
        if (pool.apply([](const std::vector<char>& bytes) { return bytes.size(); }, std::vector<char>(3 * mega)) !=
            3 * mega) {
            std::printf("wrong\n");
        }
        const SharedArray<char> array{20 * mega};
        if (array.size() != 20 * mega) { std::printf("wrong array\n"); }
    });
    std::filesystem::remove(path);
}

TEST_CASE("a task that writes beyond a SharedArray harms neither the others nor the parent") {
    Pool pool{1};
    std::vector<SharedArray<long>> arrays;
    for (int i = 0; i < 10; ++i) { arrays.emplace_back(8); }
    arrays.erase(arrays.begin() + 4);
    for (const SharedArray<long>& array : arrays) { std::ranges::fill(array, 7); }
    for (long beyond = 0; beyond < 8; ++beyond) {
        for (const long value : {0L, -1L, 0x4141414141414141L}) {
            for (const SharedArray<long>& array : arrays) {
                pool.apply([](std::span<long> s, long at, long what) { s.data()[8 + at] = what; }, array, beyond,
                           value);
            }
        }
    }
    for (const SharedArray<long>& array : arrays) {
        CHECK(std::ranges::all_of(array, [](long one) { return one == 7; }));
    }
    arrays.clear();
    for (std::size_t i = 1; i < 50; ++i) {
        arrays.emplace_back(i * 10);
        CHECK(std::ranges::all_of(arrays.back(), [](long one) { return one == 0; }));
    }
}
