// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Arena, ArenaAllocator: memory of a fixed size for containers that processes share. By Boost.Interprocess, whose
/// headers it needs. Not part of <procpool/procpool.hpp>.

#include <procpool/core/error.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/shm/shareable.hpp>
#include <procpool/shm/shared_array.hpp>

#include <boost/interprocess/mem_algo/rbtree_best_fit.hpp>
#include <boost/interprocess/sync/null_mutex.hpp>

#include <cstddef>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace procpool::inline v0 {

/// Shared memory of which any process allocates. It has no lock: it lies beside the containers that it serves, in one
/// Guarded whose lock protects all of them. A process that dies while it allocates so poisons these containers and no
/// others. A class with both is shared once enable_shared says so:
///
///     struct Index {
///         Arena arena{16 << 20};
///         std::map<int, int, std::less<>, ArenaAllocator<std::pair<const int, int>>> map{arena};
///     };
///     template <> inline constexpr bool procpool::enable_shared<Index> = true;
///     Shared<Guarded<Index>> index;
///
/// Containers in containers get the allocator from a std::scoped_allocator_adaptor.
class Arena {
public:
    /// Throws: SharedMemoryExhausted; std::invalid_argument when that is less than an arena needs for itself.
    explicit Arena(std::size_t bytes) : memory_(large_enough(bytes)) { reset(); }
    PROCPOOL_UNCOPIED(Arena, it_is_not_copied__capture_or_pass_its_address,
                      "procpool: an Arena is not copied: capture or pass the address of what it lies in")
    Arena& operator=(const Arena&) = delete;
    /// Gives the memory back, in the process that made it.
    ~Arena() = default;

    /// Returns: memory that is not zeroed. Throws: SharedMemoryExhausted when there is no piece of that size.
    /// Called by: any process, with the lock of what the arena serves.
    [[nodiscard]] void* allocate(std::size_t bytes, std::size_t alignment = alignof(std::max_align_t)) {
        void* const memory =
            alignment <= Blocks::Alignment ? blocks().allocate(bytes) : blocks().allocate_aligned(bytes, alignment);
        if (memory == nullptr) { throw SharedMemoryExhausted{bytes}; }
        return memory;
    }
    /// Requires: the memory comes from allocate(). Called by: as that.
    void deallocate(void* memory) noexcept { blocks().deallocate(memory); }
    /// Effects: takes all memory back at once, also where a death has left it half changed. Containers in it must not
    /// be used any more, nor destroyed: make new ones in their place.
    void reset() noexcept { ::new (memory_.data()) Blocks(memory_.size(), 0); }

    /// Bytes not allocated now, in one piece or several.
    [[nodiscard]] std::size_t free_bytes() const noexcept { return blocks().get_free_memory(); }

private:
    /// Plain pointers, since the memory has one address in all processes.
    struct Unlocked {
        using mutex_type = boost::interprocess::null_mutex;
        using recursive_mutex_type = boost::interprocess::null_mutex;
    };
    using Blocks = boost::interprocess::rbtree_best_fit<Unlocked, void*>;

    [[nodiscard]] static std::size_t large_enough(std::size_t bytes) {
        const std::size_t least = Blocks::get_min_size(0);
        if (bytes < least) {
            throw std::invalid_argument("procpool: an Arena has at least " + std::to_string(least) + " bytes");
        }
        return bytes;
    }
    [[nodiscard]] Blocks& blocks() const noexcept { return *std::launder(reinterpret_cast<Blocks*>(memory_.data())); }

    SharedArray<std::byte> memory_;
};

template <>
inline constexpr bool enable_shared<Arena> = true;

/// Allocates for a container from an Arena, which outlives it.
template <class T>
class ArenaAllocator {
public:
    using value_type = T;  ///< the type of the objects

    /// \{
    /// Implicit, so that a container is made from an arena.
    ArenaAllocator(Arena& arena) noexcept : arena_(&arena) {}
    template <class U>
    ArenaAllocator(const ArenaAllocator<U>& other) noexcept : arena_(&other.arena()) {}
    /// \}

    /// Throws: as Arena::allocate().
    [[nodiscard]] T* allocate(std::size_t n) {
        if (n > PTRDIFF_MAX / sizeof(T)) { throw SharedMemoryExhausted{SIZE_MAX}; }
        return static_cast<T*>(arena_->allocate(n * sizeof(T), alignof(T)));
    }
    /// As of every allocator.
    void deallocate(T* memory, std::size_t) noexcept { arena_->deallocate(memory); }
    /// The arena that it allocates in.
    [[nodiscard]] Arena& arena() const noexcept { return *arena_; }

    /// Whether one may deallocate what the other has allocated.
    [[nodiscard]] friend bool operator==(const ArenaAllocator& a, const ArenaAllocator& b) noexcept {
        return a.arena_ == b.arena_;
    }

private:
    Arena* arena_;
};

namespace detail::shm {
template <class A>
inline constexpr bool is_arena_allocator = false;
template <class T>
inline constexpr bool is_arena_allocator<ArenaAllocator<T>> = true;
}  // namespace detail::shm

/// Containers whose elements lie in an arena.
template <class T>
requires detail::shm::is_arena_allocator<typename T::allocator_type>
inline constexpr bool enable_shared<T> = true;

}  // namespace procpool
