// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/error.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/os/call.hpp>
#include <procpool/os/cgroup.hpp>
#include <procpool/os/descriptor.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/os/region_file.hpp>
#include <procpool/os/sanitizer.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL void Reservations::add(std::uintptr_t begin, std::size_t size) noexcept {
    for (auto& range : ranges_) {
        std::uintptr_t none = 0;
        if (range.begin.compare_exchange_strong(none, begin, std::memory_order_relaxed)) {
            range.size.store(size, std::memory_order_relaxed);
            return;
        }
    }
}

PROCPOOL_DECL void Reservations::remove(std::uintptr_t begin) noexcept {
    for (auto& range : ranges_) {
        if (range.begin.load(std::memory_order_relaxed) != begin) { continue; }
        range.size.store(0, std::memory_order_relaxed);
        range.begin.store(0, std::memory_order_relaxed);
    }
}

PROCPOOL_DECL bool Reservations::hold(const void* address) const noexcept {
    for (const auto& range : ranges_) {
        if (reinterpret_cast<std::uintptr_t>(address) - range.begin.load(std::memory_order_relaxed) <
            range.size.load(std::memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

PROCPOOL_DECL Mapping::Mapping(std::size_t size) : size_(size) {
    if (!map(size, nullptr)) { throw SharedMemoryExhausted{size}; }
}

PROCPOOL_DECL void Mapping::unmap() noexcept {
    if (is_process(owner_)) { ::madvise(address_, size_, MADV_REMOVE); }
    reservations.remove(reinterpret_cast<std::uintptr_t>(address_));
    ::munmap(address_, size_);
}

PROCPOOL_DECL Mapping Mapping::reserve(std::size_t most, std::size_t least, RegionFile* file) {
    Mapping mapping;
    for (std::size_t size = std::max(most, least);; size = std::max(size / 2, least)) {
        if (mapping.map(size, file)) {
            mapping.size_ = size;
            return mapping;
        }
        if (size == least) { throw SharedMemoryExhausted{least}; }
    }
}

/// Returns: the address of a mapping of the file, or without one for -1; -1 when it cannot be had. It allows no access,
/// for locked memory that can be touched is populated at once.
[[nodiscard, gnu::noinline]] PROCPOOL_DECL std::intptr_t map_untouched(std::size_t size, int file) noexcept {
    const int flags = MAP_SHARED | MAP_NORESERVE | (file < 0 ? MAP_ANONYMOUS : 0);
    return try_call("mmap",
                    [=] { return reinterpret_cast<std::intptr_t>(::mmap(nullptr, size, PROT_NONE, flags, file, 0)); });
}

/// Where all mappings are locked from the start, one beyond RLIMIT_MEMLOCK cannot be made; but a small one can be
/// unlocked, and grows then. Returns: its address, -1 when it cannot be had.
[[nodiscard, gnu::noinline]] PROCPOOL_DECL std::intptr_t map_unlocked(std::size_t size, int file) noexcept {
    void* const small = ::mmap(nullptr, page_size, PROT_NONE, MAP_SHARED | MAP_NORESERVE, file, 0);
    if (small == MAP_FAILED) { return -1; }
    ::munlock(small, page_size);
    void* const whole = ::mremap(small, page_size, size, MREMAP_MAYMOVE);
    if (whole == MAP_FAILED) { ::munmap(small, page_size); }
    return reinterpret_cast<std::intptr_t>(whole);
}

/// As above, of a file of its own.
[[nodiscard, gnu::noinline]] PROCPOOL_DECL std::intptr_t map_unlocked(std::size_t size) noexcept {
    rlimit largest_file{};
    if (::getrlimit(RLIMIT_FSIZE, &largest_file) != 0 || size > largest_file.rlim_cur) {
        return -1;  // ftruncate() would send SIGXFSZ
    }
    const Descriptor file{try_call("memfd_create", [] { return ::memfd_create("procpool", MFD_CLOEXEC); })};
    if (!file || ::ftruncate(file.number(), static_cast<off_t>(size)) != 0) { return -1; }
    return map_unlocked(size, file.number());
}

[[gnu::noinline]] PROCPOOL_DECL bool Mapping::map(std::size_t size, RegionFile* file) {
    owner_ = process_token();
    std::intptr_t address = -1;
    if (file != nullptr) {
        if (const int number = file->create(size); number >= 0) {
            address = map_untouched(size, number);
            if (address == -1 && errno == EAGAIN) { address = map_unlocked(size, number); }
        }
        if (address == -1) { file->close(); }
    }
    if (address == -1) { address = map_untouched(size, -1); }
    if (address == -1 && errno == EAGAIN) { address = map_unlocked(size); }
    if (address == -1) { return false; }
    void* const memory = reinterpret_cast<void*>(address);
    ::munlock(memory, size);
    if (::mprotect(memory, size, PROT_READ | PROT_WRITE) != 0) {
        ::munmap(memory, size);
        return false;
    }
    address_ = memory;
    reservations.add(static_cast<std::uintptr_t>(address), size);
    ::madvise(address_, size, MADV_DONTDUMP);  // one core dump would fault in all of it
    return true;
}

PROCPOOL_DECL void advise_large_pages(void* address, std::size_t size) noexcept {
    constexpr std::size_t large = std::size_t{2} << 20;
    if (size < 2 * large) { return; }
    const auto begin = reinterpret_cast<std::uintptr_t>(address);
    const std::uintptr_t first = round_up(begin, large);
    const std::size_t whole = (begin + size - first) & ~(large - 1);
    ::madvise(reinterpret_cast<void*>(first), whole, MADV_HUGEPAGE);
}

PROCPOOL_DECL std::size_t generous_reservation() noexcept {
    if (has_thread_sanitizer()) { return std::size_t{1} << 30; }  // its shadow memory is several times as large
    std::uint64_t most = std::uint64_t{256} << 30;
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    const long bytes = ::sysconf(_SC_PAGESIZE);
    if (pages > 0 && bytes > 0) {
        most = std::min(most, 4 * static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(bytes));
    }
    rlimit limit{};
    if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        most = std::min<std::uint64_t>(most, limit.rlim_cur / 4);
    }
    return static_cast<std::size_t>(most) & ~(page_size - 1);
}

PROCPOOL_DECL std::size_t absent_bytes(const std::byte* address, std::size_t size) noexcept {
    constexpr std::size_t at_a_time = 256;
    std::array<unsigned char, at_a_time> present{};
    std::size_t absent = 0;
    std::uintptr_t at = reinterpret_cast<std::uintptr_t>(address) & ~(page_size - 1);
    const std::uintptr_t end = round_up(reinterpret_cast<std::uintptr_t>(address) + size, page_size);
    while (at < end) {
        const std::size_t bytes = std::min(end - at, at_a_time * page_size);
        if (::mincore(reinterpret_cast<void*>(at), bytes, present.data()) != 0) { return absent + (end - at); }
        absent +=
            page_size * static_cast<std::size_t>(std::count_if(present.data(), present.data() + bytes / page_size,
                                                               [](unsigned char one) { return (one & 1U) == 0; }));
        at += bytes;
    }
    return absent;
}

[[gnu::noinline]] PROCPOOL_DECL void Budget::charge(std::size_t size) {
    if (!spend(size) && !look(size)) { refuse(size); }
}

[[gnu::noinline]] PROCPOOL_DECL void Budget::charge(const std::byte* address, std::size_t size) {
    if (spend(size) || look(size)) { return; }
    const std::size_t absent = absent_bytes(address, size);
    if (absent != 0 && (absent >= size || !look(absent))) { refuse(size); }
}

PROCPOOL_DECL bool Budget::spend(std::size_t size) noexcept {
    const auto cost = static_cast<std::int64_t>(size);
    std::int64_t left = left_.load(std::memory_order_relaxed);
    while (left >= cost && left <= most) {
        if (left_.compare_exchange_weak(left, left - cost, std::memory_order_relaxed)) { return true; }
    }
    return false;
}

[[gnu::noinline]] PROCPOOL_DECL bool Budget::look(std::size_t size) {
    const std::uint64_t needed = size + spare_memory;
    const std::uint64_t available = Limits{}.available_memory(needed + share * most);
    if (available < needed) { return false; }
    left_.store(std::min(most, static_cast<std::int64_t>((available - needed) / share)), std::memory_order_relaxed);
    return true;
}

[[gnu::noinline]] PROCPOOL_DECL void Budget::refuse(std::size_t size) {
    note_refusal();
    throw SharedMemoryExhausted{size};
}

[[gnu::noinline]] PROCPOOL_DECL void commit(std::byte* address, std::size_t size) {
    constexpr std::uint64_t least_piece = std::uint64_t{256} << 10;
    // Other processes may do the same at the same time, so this one uses 1/share of the free memory before another
    // look.
    constexpr std::uint64_t share = 64;
    const auto end = round_up(reinterpret_cast<std::uintptr_t>(address) + size, page_size);
    for (auto at = reinterpret_cast<std::uintptr_t>(address) & ~(page_size - 1); at < end;) {
        const std::uint64_t available = Limits{}.available_memory(end - at + spare_memory + (std::uint64_t{1} << 30));
        if (available < end - at + spare_memory) { throw SharedMemoryExhausted{size}; }
        const std::uint64_t piece = std::max(least_piece, ((available - spare_memory) / share) & ~(least_piece - 1));
        const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(end - at, piece));
#ifdef MADV_POPULATE_WRITE
        if (::madvise(reinterpret_cast<void*>(at), bytes, MADV_POPULATE_WRITE) != 0 &&
            (errno == ENOMEM || errno == EFAULT)) {
            throw SharedMemoryExhausted{size};
        }
#endif
        at += bytes;
    }
}

PROCPOOL_DECL bool give_back(std::byte* address, std::size_t size) noexcept {
    const auto begin = (reinterpret_cast<std::uintptr_t>(address) + page_size - 1) & ~(page_size - 1);
    const auto end = (reinterpret_cast<std::uintptr_t>(address) + size) & ~(page_size - 1);
    return begin >= end || ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_REMOVE) == 0;
}

PROCPOOL_DECL void make_read_only(std::byte* address, std::size_t size) noexcept {
    ::mprotect(address, size, PROT_READ);
}

PROCPOOL_DECL void stay_when_memory_runs_out() noexcept {
    const Descriptor file{::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)};
    constexpr std::string_view late = "-500";
    [[maybe_unused]] const ssize_t written = ::write(file.number(), late.data(), late.size());
}

PROCPOOL_DECL void give_way_when_memory_runs_out() noexcept {
    const Descriptor file{::open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC)};
    std::array<char, 16> text{};
    const ssize_t size = ::read(file.number(), text.data(), text.size());
    constexpr int first_of_all = 1000;
    int score = 0;  // from -1000; a thousandth of the memory that there may be
    if (size <= 0 || std::from_chars(text.data(), text.data() + size, score).ec != std::errc{}) { return; }
    score += ((first_of_all - score) * 9 + 9) / 10;  // each pool within a pool leaves room for another
    const char* const end = std::to_chars(text.data(), text.data() + text.size(), score).ptr;
    [[maybe_unused]] const ssize_t written =
        ::pwrite(file.number(), text.data(), static_cast<std::size_t>(end - text.data()), 0);
}

}  // namespace procpool::detail::os
