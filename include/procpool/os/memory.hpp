// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Mapping: address space that forked children share, committed on use. Budget: keeps committed memory within the free
/// memory.

#include <procpool/core/config.hpp>
#include <procpool/os/identity.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace procpool::inline v0::detail::os {

class RegionFile;

/// Every range below is rounded to the kernel's pages by the kernel or to 64 KiB by us.
inline constexpr std::size_t page_size = 4096;

/// Where the library's own mappings are, up to 32 of them. They hold no data but the library's, so a number that
/// happens to be an address there is no pointer of a user's.
class Reservations {
public:
    void add(std::uintptr_t begin, std::size_t size) noexcept;
    void remove(std::uintptr_t begin) noexcept;
    [[nodiscard]] bool hold(const void* address) const noexcept;

private:
    struct Range {
        std::atomic<std::uintptr_t> begin;
        std::atomic<std::size_t> size;
    };
    std::array<Range, 32> ranges_{};
};
inline constinit Reservations reservations{};

/// A mapping shared with the children forked after it was made, at the same address in all of them.
class Mapping {
public:
    Mapping() noexcept = default;
    /// Reserves `size` bytes of address space; memory is used page by page as it is written, and reads as zero before,
    /// also where the program has asked by mlockall(MCL_FUTURE) that all it maps be there at once. Throws:
    /// SharedMemoryExhausted.
    explicit Mapping(std::size_t size);
    Mapping(Mapping&& other) noexcept
        : address_(std::exchange(other.address_, nullptr)),
          size_(std::exchange(other.size_, 0)),
          owner_(std::exchange(other.owner_, 0)) {}
    Mapping& operator=(Mapping&& other) noexcept {
        std::swap(address_, other.address_);
        std::swap(size_, other.size_);
        std::swap(owner_, other.owner_);
        return *this;
    }
    /// Effects: gives the memory back at once, in the process that made it: pages of shared memory live as long as any
    /// process that has inherited the mapping, and that may be a child of another pool.
    ~Mapping() {
        if (address_ != nullptr) { unmap(); }
    }

    /// Reserves as much as can be had: from `most`, halving, down to `least`. Throws: SharedMemoryExhausted.
    [[nodiscard]] static Mapping reserve(std::size_t most, std::size_t least) { return reserve(most, least, nullptr); }
    /// As above, as a mapping of that file if it can be had, and without a file if not: the file is closed then.
    [[nodiscard]] static Mapping reserve(std::size_t most, std::size_t least, RegionFile& file) {
        return reserve(most, least, &file);
    }

    /// Releases the ownership: the mapping stays to the end of the program.
    void leave() noexcept { address_ = nullptr; }

    [[nodiscard]] std::byte* data() const noexcept { return static_cast<std::byte*>(address_); }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    [[nodiscard]] static Mapping reserve(std::size_t most, std::size_t least, RegionFile* file);
    [[nodiscard]] bool map(std::size_t size, RegionFile* file);
    void unmap() noexcept;

    void* address_ = nullptr;
    std::size_t size_ = 0;
    Token owner_ = 0;
};

/// Effects: asks for large pages, so that the first use of much memory has hundreds of times fewer page faults.
void advise_large_pages(void* address, std::size_t size) noexcept;

/// How much address space to ask for: plenty, because unused space costs nothing, but within what the process may have.
[[nodiscard]] std::size_t generous_reservation() noexcept;

inline constexpr std::size_t least_reservation = std::size_t{64} << 20;
/// Memory of this size or more is committed before it is touched.
inline constexpr std::size_t checked_commit = std::size_t{1} << 20;

/// Bytes that must be left beyond the request: other processes take some between the look and the use.
inline constexpr std::uint64_t spare_memory = std::uint64_t{16} << 20;

/// Returns: how many bytes of the pages of [address, address + size) would have to be found if they were touched.
[[nodiscard, gnu::cold]] std::size_t absent_bytes(const std::byte* address, std::size_t size) noexcept;

/// Counts memory that is about to be used for the first time, in pieces of any size, and looks at the free memory
/// before their sum can exceed it: a page that is touched when nothing is left ends a process, and not always the one
/// that touched it. All-zero memory is the valid initial state. One in shared memory counts for all processes that use
/// it, and none that writes there wildly can make it allow more than `most` without a look.
class Budget {
public:
    /// Requires: size is not large; a large one goes through commit(). Throws: SharedMemoryExhausted when not enough is
    /// left.
    void charge(std::size_t size);
    /// As above, for [address, address + size), some of which may be there already.
    void charge(const std::byte* address, std::size_t size);

    void note_refusal() noexcept { refused_.store(true, std::memory_order_relaxed); }
    /// Returns: whether something has been refused since the last call.
    [[nodiscard]] bool take_refusal() noexcept {
        return refused_.load(std::memory_order_relaxed) && refused_.exchange(false, std::memory_order_relaxed);
    }

private:
    static constexpr std::int64_t most = std::int64_t{4} << 20;  // several budgets must fit into spare_memory
    static constexpr std::uint64_t share = 64;  // 1/share of the free memory may be used without a look

    [[nodiscard]] bool spend(std::size_t size) noexcept;
    [[nodiscard, gnu::cold]] bool look(std::size_t size);
    [[noreturn, gnu::cold]] void refuse(std::size_t size);

    std::atomic<std::int64_t> left_;
    std::atomic<bool> refused_;
};

/// For this process's own use.
inline constinit Budget own_budget{};

/// Effects: makes the pages of [address, address + size) usable, so that touching them cannot fail.
/// Throws: SharedMemoryExhausted when the machine or a cgroup has not that much left; never lets the kernel kill
/// a process for it. Some of it may be there then.
void commit(std::byte* address, std::size_t size);

/// Effects: gives the whole pages within [address, address + size) back to the system; they read as zero afterwards.
/// Returns: false when the system does not support it; nothing has changed then.
bool give_back(std::byte* address, std::size_t size) noexcept;

/// Effects: makes the memory read-only for this process. Best effort.
void make_read_only(std::byte* address, std::size_t size) noexcept;

/// Effects: when memory runs out, the kernel ends this process before the one that forked it, almost whatever their
/// sizes. Best effort. Called by: worker, before user code; takes no lock and allocates nothing.
void give_way_when_memory_runs_out() noexcept;
/// Effects: when memory runs out, the kernel ends others before this process. Best effort: it takes a privilege.
void stay_when_memory_runs_out() noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/memory.ipp>
#endif
