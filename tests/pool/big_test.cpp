// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include <sys/resource.h>

using namespace procpool_test;

namespace {

/// Travels as so many bytes, and holds none of them.
struct Flood {
    std::uint64_t size = 0;
    static constexpr std::size_t block = std::size_t{1} << 20;
};

}  // namespace

/// Each block begins with its number.
template <>
struct procpool::Codec<Flood> {
    static void encode(Writer& out, const Flood& flood) {
        Codec<std::uint64_t>::encode(out, flood.size);
        out.reserve(flood.size);
        for (std::uint64_t i = 0; i < flood.size / Flood::block; ++i) {
            std::byte* const block = out.claim(Flood::block);
            std::memset(block, static_cast<int>(i & 0xff), Flood::block);
            std::memcpy(block, &i, sizeof i);
        }
    }
    static Flood decode(Reader& in) {
        const auto size = Codec<std::uint64_t>::decode(in);
        for (std::uint64_t i = 0; i < size / Flood::block; ++i) {
            const std::byte* const block = in.take(Flood::block);
            if (std::memcmp(block, &i, sizeof i) != 0 || block[Flood::block - 1] != static_cast<std::byte>(i)) {
                throw CodecError("a wrong block");
            }
        }
        return Flood{size};
    }
};

namespace {

std::string pattern(std::size_t size, unsigned seed = 1) {
    std::string text(size, '\0');
    std::uint32_t state = seed;
    for (char& c : text) {
        state = state * 1664525 + 1013904223;
        c = static_cast<char>(state >> 24);
    }
    return text;
}

long shared_memory() { return kilobytes_in("/proc/self/smaps_rollup", "Pss_Shmem"); }

template <class P>
void every_size_survives() {
    P pool{2};
    std::size_t wrong = 0;
    for (const std::size_t size : {std::size_t{0},      std::size_t{1},       std::size_t{7},
                                   std::size_t{8},      std::size_t{9},       std::size_t{15},
                                   std::size_t{16},     std::size_t{17},      std::size_t{4095},
                                   std::size_t{4096},   std::size_t{4097},    std::size_t{65527},
                                   std::size_t{65528},  std::size_t{65535},   std::size_t{65536},
                                   std::size_t{65537},  std::size_t{262143},  std::size_t{262144},
                                   std::size_t{262145}, std::size_t{1} << 20, (std::size_t{3} << 20) + 1}) {
        CAPTURE(size);
        const std::string text = pattern(size);
        std::vector<Future<std::string>> futures;
        for (int i = 0; i < 5; ++i) {
            futures.push_back(pool.apply_async([](std::string s) { return s; }, text));
        }
        for (auto& future : futures) { wrong += get_soon(future) != text; }
        // With everything beside it, so that no part starts where a page does.
        const auto mixed = pool.apply(
            [](char a, std::string s, double d, std::vector<char> v) {
                return std::tuple{d, v, s, a};
            },
            'a', text, 2.5, std::vector<char>(text.begin(), text.end()));
        wrong += mixed != std::tuple{2.5, std::vector<char>(text.begin(), text.end()), text, 'a'};
        const auto thrown = [&]() -> std::string {
            try {
                pool.apply([](const std::string& s) { throw std::runtime_error(s); }, text);
            } catch (const std::runtime_error& error) { return error.what(); }
            return "nothing";
        };
        wrong += thrown() != std::string{text.c_str()};
        CHECK(wrong == 0);
    }
}
ON_EVERY_ENGINE("BIG-01 arguments/results and errors around every boundary of size", every_size_survives)

TEST_CASE("BIG-01 100 MB to a worker and back - twenty times in the same memory", "[slow]") {
    Pool pool{2};
    const std::string text = pattern(std::size_t{100} << 20);
    long shared_after_first = 0;
    long resident_after_first = 0;
    const int rounds = under_sanitizer ? 4 : 20;
    for (int round = 0; round < rounds; ++round) {
        if (get_soon(pool.apply_async([](std::string s) { return s; }, text)) != text) {
            FAIL("wrong in round " << round);
        }
        if (round == 1) {
            shared_after_first = shared_memory();
            resident_after_first = kilobytes_in("/proc/self/status", "VmRSS");
        }
    }
    CHECK(shared_memory() < shared_after_first + (50 << 10));
    CHECK(kilobytes_in("/proc/self/status", "VmRSS") < resident_after_first + (150 << 10));
}

TEST_CASE("BIG-01 100 MB stay no longer in shared memory than they are needed", "[slow]") {
    Pool pool{1};
    {
        std::vector<Future<std::size_t>> futures;
        const std::string text = pattern(std::size_t{100} << 20);
        for (int i = 0; i < 5; ++i) {
            futures.push_back(pool.apply_async([](const std::string& s) { return s.size(); }, text));
        }
        for (auto& future : futures) { CHECK(get_soon(future) == text.size()); }
    }
    CHECK(shared_memory() < (400 << 10));
}

TEST_CASE("BIG-02 more than 2 GiB and more than 4 GiB travel whole", "[slow][serial]") {
    if (under_sanitizer || kilobytes_in("/proc/meminfo", "MemAvailable") < 12'000'000) { return; }
    Pool pool{1};
    CHECK(pool.apply([](const Flood& flood) { return flood.size; }, Flood{4'300'000'000}) == 4'300'000'000);
    CHECK(pool.apply([] { return Flood{2'200'000'000}; }).size == 2'200'000'000);
}

TEST_CASE("BIG-05 large results that nobody reads stop nobody") {
    for (const bool terminated : {false, true}) {
        std::vector<Future<std::string>> kept;
        {
            Pool pool{{.workers = 2, .queue_capacity = 8, .terminate_grace = 100ms}};
            for (unsigned i = 0; i < 100; ++i) {
                auto future = pool.apply_async(pattern, std::size_t{1} << 20, i);
                if (i % 2 == 0) { kept.push_back(std::move(future)); }
            }
            if (terminated) { pool.terminate(); }
            pool.close();
            CHECK(pool.join_for(wait_limit));
        }
        for (unsigned i = 0; i < 50; ++i) {
            try {
                if (kept[i].get() != pattern(std::size_t{1} << 20, 2 * i)) { FAIL("wrong result"); }
            } catch (const PoolTerminated&) { CHECK(terminated); }
        }
    }
}

TEST_CASE("BIG-05 a thousand results of 1 MB - read only when all are there", "[slow]") {
    Pool pool{2};
    std::vector<Future<std::string>> futures;
    const auto count = static_cast<unsigned>(times(1000));
    for (unsigned i = 0; i < count; ++i) {
        futures.push_back(pool.apply_async(
            [](unsigned n) { return std::string(std::size_t{1} << 20, static_cast<char>('a' + n % 26)); }, i));
    }
    std::size_t right = 0;
    for (unsigned i = 0; i < count; ++i) {
        const std::string text = futures[i].get();
        right += text.size() == std::size_t{1} << 20 && text.front() == static_cast<char>('a' + i % 26) &&
                 text.back() == text.front();
    }
    CHECK(right == count);
}

TEST_CASE("BIG-06 more in flight than memory for it: everything arrives or says that memory is short") {
    Subprocess program{[] {
        if (under_sanitizer) { return; }
        // As much address space as is used, and 1 GB: a pool can reserve a quarter of it.
        const long used = kilobytes_in("/proc/self/status", "VmSize");
        const rlim_t most = (static_cast<rlim_t>(used) << 10) + (rlim_t{1} << 30);
        const rlimit limit{most, most};
        ::setrlimit(RLIMIT_AS, &limit);
        Pool pool{4};
        int arrived = 0;
        int refused = 0;
        for (int round = 0; round < 5; ++round) {
            std::vector<Future<std::string>> futures;
            for (int i = 0; i < 5; ++i) {
                futures.push_back(pool.apply_async([] { return std::string(std::size_t{40} << 20, 'x'); }));
            }
            for (auto& future : futures) {
                try {
                    arrived += get_soon(future).size() == std::size_t{40} << 20;
                } catch (const std::bad_alloc&) { ++refused; }
            }
        }
        if (arrived + refused != 25) { std::printf("lost\n"); }
        if (arrived < 5) { std::printf("only %d arrived\n", arrived); }
        try {
            static_cast<void>(pool.apply_async([](const std::string& s) { return s.size(); },
                                               std::string(std::size_t{400} << 20, 'x')));
            std::printf("accepted\n");
        } catch (const std::bad_alloc&) {}
        try {
            pool.apply([] {
                return std::vector<char>(std::size_t{400} << 20).size() != 0 ? std::string(std::size_t{300} << 20, 'x')
                                                                             : "";
            });
            std::printf("returned\n");
        } catch (const std::bad_alloc&) {}
        if (get_soon(pool.apply_async([](int x) { return x; }, 5)) != 5) { std::printf("wrong\n"); }
    }};
    const int status = program.wait();
    CAPTURE(status, program.output());
    CHECK(exited_with(status, 0));
    CHECK(program.output() == "");
}

TEST_CASE("BIG-07 no address space for a pool is an error not a signal") {
    Subprocess program{[] {
        if (under_sanitizer) { return; }
        static_cast<void>(Pool{1});  // the program's heap
        const long used = kilobytes_in("/proc/self/status", "VmSize");
        const rlim_t most = (static_cast<rlim_t>(used) << 10) + (rlim_t{32} << 20);
        const rlimit limit{most, most};
        ::setrlimit(RLIMIT_AS, &limit);
        for (int i = 0; i < 3; ++i) {
            try {
                const Pool pool{1};
                std::printf("made\n");
            } catch (const SharedMemoryExhausted& error) {
                if (error.bytes() == 0) { std::printf("how much?\n"); }
            }
        }
    }};
    const int status = program.wait();
    CAPTURE(status, program.output());
    CHECK(exited_with(status, 0));
    CHECK(program.output() == "");
}

template <class P>
void one_input_for_many_tasks() {
    constexpr std::size_t size = std::size_t{100} << 20;
    SharedArray<char> input(size);
    std::memset(input.data(), 1, size);
    P pool{2};
    const auto sum_part = [](std::span<const char> all, std::size_t part) {
        long sum = 0;
        for (std::size_t i = part * all.size() / 100; i < (part + 1) * all.size() / 100; ++i) { sum += all[i]; }
        return sum;
    };
    std::vector<Future<long>> futures;
    for (std::size_t part = 0; part < 100; ++part) { futures.push_back(pool.apply_async(sum_part, input, part)); }
    long sum = 0;
    for (auto& future : futures) { sum += get_soon(future); }
    CHECK(sum == static_cast<long>(size));
    CHECK(pool.apply([](std::span<char> all) { return all.data(); }, input) == input.data());  // not copied
    pool.apply([](std::span<char> all) { all[7] = 77; }, input);
    CHECK(input[7] == 77);
    pool.apply([](std::span<char> part) { part[0] = 78; }, input.span().subspan(8));
    CHECK(input[8] == 78);
}
template <class P>
void shared_objects() {
    Shared<std::atomic<int>> before{5};
    P pool{2};
    Shared<std::atomic<int>> after{0};
    std::vector<int> numbers(1000);
    pool.for_each([p = after.get()](int) { ++*p; }, numbers);
    CHECK(*after == 1000);
    pool.apply([](std::atomic<int>& counter) { counter += 10; }, std::ref(*before));
    CHECK(*before == 15);
}
TEST_CASE("BIG-09 one large read-only input for a hundred tasks - copied for none - processes", "[slow]") {
    one_input_for_many_tasks<Pool>();
}
TEST_CASE("BIG-09 one large read-only input for a hundred tasks - copied for none - threads") {
    one_input_for_many_tasks<ThreadPool>();
}
ON_EVERY_ENGINE("SharedArray's sibling: one object that all tasks change", shared_objects)

TEST_CASE("a span of private memory is copied - a reference to it refused") {
    Pool pool{1};
    std::vector<int> mine{1, 2, 3};
    CHECK(pool.apply([](std::span<const int> all) { return std::accumulate(all.begin(), all.end(), 0); },
                     std::span<const int>{mine}) == 6);
    CHECK_THROWS_AS(pool.apply([](int& x) { x = 1; }, std::ref(mine[0])), CodecError);
    CHECK(mine[0] == 1);
}

}  // namespace
