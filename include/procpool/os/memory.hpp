// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Mapping: address space that forked children share, committed on use.

#include <procpool/core/error.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/os/call.hpp>
#include <procpool/os/cgroup.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

namespace procpool::os {

inline constexpr std::size_t page_size = 4096;  // every range below is rounded to the kernel's pages by the kernel or to 64 KiB by us

/// Where the library's own mappings are, as far as there is room to note it. Nobody's data but ours is there, so a number that happens to be
/// an address there is no pointer of a user's.
class Reservations {
public:
    void add(std::uintptr_t begin, std::size_t size) noexcept {
        for (auto& range : ranges_) {
            std::uintptr_t none = 0;
            if (range.begin.compare_exchange_strong(none, begin, std::memory_order_relaxed)) {
                range.size.store(size, std::memory_order_relaxed);
                return;
            }
        }
    }
    void remove(std::uintptr_t begin) noexcept {
        for (auto& range : ranges_) {
            if (range.begin.load(std::memory_order_relaxed) != begin) { continue; }
            range.size.store(0, std::memory_order_relaxed);
            range.begin.store(0, std::memory_order_relaxed);
        }
    }
    [[nodiscard]] bool hold(const void* address) const noexcept {
        for (const auto& range : ranges_) {
            if (reinterpret_cast<std::uintptr_t>(address) - range.begin.load(std::memory_order_relaxed) < range.size.load(std::memory_order_relaxed)) {
                return true;
            }
        }
        return false;
    }

private:
    struct Range {
        std::atomic<std::uintptr_t> begin;
        std::atomic<std::size_t> size;
    };
    std::array<Range, 32> ranges_{};
};
inline constinit Reservations reservations{};

/// An anonymous mapping shared with the children forked after it was made, at the same address in all of them.
class Mapping {
public:
    Mapping() noexcept = default;
    /// Reserves `size` bytes of address space; memory is used page by page as it is written, and reads as zero before.
    /// Throws: SharedMemoryExhausted.
    explicit Mapping(std::size_t size) : size_(size) {
        if (!map(size)) { throw SharedMemoryExhausted{size}; }
    }
    Mapping(Mapping&& other) noexcept : address_(std::exchange(other.address_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Mapping& operator=(Mapping&& other) noexcept {
        std::swap(address_, other.address_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Mapping() {
        if (address_ == nullptr) { return; }
        reservations.remove(reinterpret_cast<std::uintptr_t>(address_));
        ::munmap(address_, size_);
    }

    /// Reserves as much as can be had: from `most`, halving, down to `least`. Throws: SharedMemoryExhausted.
    [[nodiscard]] static Mapping reserve(std::size_t most, std::size_t least) {
        Mapping mapping;
        for (std::size_t size = std::max(most, least);; size = std::max(size / 2, least)) {
            if (mapping.map(size)) {
                mapping.size_ = size;
                return mapping;
            }
            if (size == least) { throw SharedMemoryExhausted{least}; }
        }
    }

    /// Gives the mapping up: it stays to the end of the program.
    void leave() noexcept { address_ = nullptr; }

    [[nodiscard]] std::byte* data() const noexcept { return static_cast<std::byte*>(address_); }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    [[nodiscard]] bool map(std::size_t size) noexcept {
        constexpr int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE;
        const auto address = try_call("mmap", [size] {
            return reinterpret_cast<std::intptr_t>(::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, -1, 0));
        });
        if (address == -1) { return false; }
        address_ = reinterpret_cast<void*>(address);
        reservations.add(static_cast<std::uintptr_t>(address), size);
        ::madvise(address_, size, MADV_DONTDUMP);  // one core dump would fault in all of it
        return true;
    }

    void* address_ = nullptr;
    std::size_t size_ = 0;
};

/// Effects: whoever touches so much memory for the first time has hundreds of times fewer page faults, if the system allows it.
inline void advise_large_pages(void* address, std::size_t size) noexcept {
    constexpr std::size_t large = std::size_t{2} << 20;
    if (size < 2 * large) { return; }
    const auto begin = reinterpret_cast<std::uintptr_t>(address);
    const std::uintptr_t first = round_up(begin, large);
    const std::size_t whole = (begin + size - first) & ~(large - 1);
    ::madvise(reinterpret_cast<void*>(first), whole, MADV_HUGEPAGE);
}

/// How much address space to ask for: plenty, because unused space costs nothing, but within what the process may have.
[[nodiscard]] inline std::size_t generous_reservation() noexcept {
#if defined(__SANITIZE_THREAD__)
    return std::size_t{1} << 30;  // its shadow memory is several times as large
#else
    std::uint64_t most = std::uint64_t{256} << 30;
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    const long bytes = ::sysconf(_SC_PAGESIZE);
    if (pages > 0 && bytes > 0) { most = std::min(most, 4 * static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(bytes)); }
    rlimit limit{};
    if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) { most = std::min<std::uint64_t>(most, limit.rlim_cur / 4); }
    return static_cast<std::size_t>(most) & ~(page_size - 1);
#endif
}

inline constexpr std::size_t least_reservation = std::size_t{64} << 20;
/// From this size on, memory is asked for before it is touched.
inline constexpr std::size_t checked_commit = std::size_t{1} << 20;

/// Effects: makes the pages of [address, address + size) usable, so that touching them cannot fail.
/// Throws: SharedMemoryExhausted when the machine or a cgroup has not that much left; never lets the kernel kill somebody for it.
inline void commit(std::byte* address, std::size_t size) {
    constexpr std::uint64_t margin = std::uint64_t{16} << 20;
    if (Limits{}.available_memory() < size + margin) { throw SharedMemoryExhausted{size}; }
#ifdef MADV_POPULATE_WRITE
    const auto begin = reinterpret_cast<std::uintptr_t>(address) & ~(page_size - 1);
    const auto end = (reinterpret_cast<std::uintptr_t>(address) + size + page_size - 1) & ~(page_size - 1);
    if (::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE) != 0 && (errno == ENOMEM || errno == EFAULT)) {
        throw SharedMemoryExhausted{size};
    }
#endif
}

/// Effects: gives the whole pages within [address, address + size) back to the system; they read as zero afterwards.
/// Returns: false when the system does not support it; nothing has changed then.
inline bool give_back(std::byte* address, std::size_t size) noexcept {
    const auto begin = (reinterpret_cast<std::uintptr_t>(address) + page_size - 1) & ~(page_size - 1);
    const auto end = (reinterpret_cast<std::uintptr_t>(address) + size) & ~(page_size - 1);
    return begin >= end || ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_REMOVE) == 0;
}

/// Effects: this process can no longer write there. Best effort.
inline void make_read_only(std::byte* address, std::size_t size) noexcept { ::mprotect(address, size, PROT_READ); }

}  // namespace procpool::os
