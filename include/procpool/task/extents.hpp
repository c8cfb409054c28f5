// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Extents: memory for payloads that are too large for a window, taken and given back without a lock.

#include <procpool/core/error.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/os/memory.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace procpool::inline v0::detail::task {

/// A table of equal pieces of memory with one word each: free, or the stamp of its owner, a task or a call over many
/// items. A run of neighbours holds one payload. A process that dies leaves stamped words behind and nothing else;
/// freeing the slot they name frees them; those of a call are the parent's. All-zero memory is a valid table but for
/// what attach() sets. Workers write the words of results, so a task may have written anything there: a run is believed
/// as far as its words say that it belongs to the slot that names it.
class Extents {
public:
    struct Run {
        std::uint32_t first;
        std::uint32_t count;
    };

    static constexpr std::size_t extent_size = std::size_t{256} << 10;
    /// Freed memory is kept for the next payload up to this much, since fresh pages cost ten times as much as used
    /// ones.
    static constexpr std::uint64_t keep_warm = std::uint64_t{256} << 20;

    /// The counts that takers and releasers of extents share. All-zero memory is the valid initial state.
    struct Use {
        std::atomic<std::uint64_t>
            warm_bytes;     ///< an estimate: workers that die between two of its steps may leave it off
        os::Budget budget;  ///< of memory that its owners are about to touch for the first time
    };

    void attach(std::atomic<std::uint64_t>* words, std::byte* memory, std::uint32_t count, Use& use) noexcept {
        use_ = &use;
        words_ = words;
        memory_ = memory;
        count_ = count;
    }

    /// Returns: the stamp of a payload of that task; never that of another task in the same slot.
    [[nodiscard]] static constexpr std::uint64_t stamp(std::uint32_t slot, std::uint32_t generation) noexcept {
        return (std::uint64_t{generation} << 32) | (std::uint64_t{slot} + 1) << 1;
    }

    /// Returns: the stamp of what the chunks of a call have in common; never that of another call, or of a task. Calls
    /// are counted from 1.
    [[nodiscard]] static constexpr std::uint64_t stamp_of_call(std::uint64_t call) noexcept {
        return (call >> call_bits) << 32 | call_bit | (call & ((std::uint64_t{1} << call_bits) - 1)) << 1;
    }

    /// Returns: a run of at least `size` bytes that can be touched. Throws: SharedMemoryExhausted; nothing is held
    /// then. Called by: parent for arguments, worker for results; any thread.
    [[nodiscard]] Run acquire(std::size_t size, std::uint64_t owner) {
        const std::size_t pieces = size / extent_size + (size % extent_size != 0 ? 1 : 0);
        if (pieces > count_) { throw SharedMemoryExhausted{size}; }
        const auto wanted = static_cast<std::uint32_t>(pieces);
        try {
            return acquire_extents(wanted, size, owner);
        } catch (const SharedMemoryExhausted&) {
            use_->budget.note_refusal();
            if (!shed(owner)) { throw; }
        }
        return acquire_extents(wanted, size, owner);
    }

    /// Counts memory that its owners are about to touch for the first time.
    [[nodiscard]] os::Budget& budget() noexcept { return use_->budget; }

    /// Frees the run's extents. Called by: the process that frees the slot.
    void release(Run run) noexcept {
        const std::uint64_t bytes = run.count * extent_size;
        const bool keep = use_->warm_bytes.load(std::memory_order_relaxed) + bytes <= keep_warm ||
                          !os::give_back(address(run), bytes);
        if (keep) { use_->warm_bytes.fetch_add(bytes, std::memory_order_relaxed); }
        for (std::uint32_t i = 0; i < run.count; ++i) {
            // release: our accesses to the memory come before those of the next owner, whose take() acquires.
            words_[run.first + i].store(keep ? free_warm : free_cold, std::memory_order_release);
        }
    }

    /// Whether there is such a run and all of it was taken for a task of that slot. Called by: a process that frees the
    /// run, or reads what is there.
    [[nodiscard]] bool is_of(Run run, std::uint32_t slot) const noexcept {
        if (run.count == 0 || run.first >= count_ || run.count > count_ - run.first) { return false; }
        for (std::uint32_t i = 0; i < run.count; ++i) {
            const std::uint64_t owner = words_[run.first + i].load(std::memory_order_relaxed);
            if ((static_cast<std::uint32_t>(owner) & ~warm_bit) != static_cast<std::uint32_t>(stamp(slot, 0))) {
                return false;
            }
        }
        return true;
    }

    /// Effects: is_of_call() says no from now on, although the run is not free yet. Called by: parent.
    void end_call(Run run) noexcept {
        std::atomic<std::uint64_t>& word = words_[run.first];
        word.store((word.load(std::memory_order_relaxed) & warm_bit) | stamp_of_call(no_call),
                   std::memory_order_relaxed);
    }

    /// Whether the run that begins at that address is that call's, and the call has not ended. Memory order: relaxed:
    /// the answer carries nothing else; the parent notifies a worker that has been told yes, and would sleep.
    [[nodiscard]] bool is_of_call(const std::byte* address, std::uint64_t call) const noexcept {
        const auto extent = static_cast<std::size_t>(address - memory_) / extent_size;
        return (words_[extent].load(std::memory_order_relaxed) & ~warm_bit) == stamp_of_call(call);
    }

    /// Whether that many bytes from an address on lie in a run that begins there, and is that call's as is_of_call()
    /// says: any numbers may be asked about.
    [[nodiscard]] bool hold_of_call(std::uint64_t address, std::uint64_t size, std::uint64_t call) const noexcept {
        const std::uint64_t offset = address - reinterpret_cast<std::uintptr_t>(memory_);
        const std::uint64_t first = offset / extent_size;
        if (offset % extent_size != 0 || first >= count_ || size > (count_ - first) * extent_size) { return false; }
        for (std::uint64_t i = first; i == first || i * extent_size < offset + size; ++i) {
            if ((words_[i].load(std::memory_order_relaxed) & ~warm_bit) != stamp_of_call(call)) { return false; }
        }
        return true;
    }

    /// Returns: where the run of a call begins that has not ended; null when there is none. Looks at all extents before
    /// it. Requires: the call has one run.
    [[nodiscard]] const std::byte* find_call(std::uint64_t call) const noexcept {
        for (std::uint32_t i = 0; i < count_; ++i) {
            if ((words_[i].load(std::memory_order_relaxed) & ~warm_bit) == stamp_of_call(call)) {
                return address({i, 1});
            }
        }
        return nullptr;
    }

    /// Frees the extents that a dead worker had taken for a task, noted in the slot or not.
    void release_all_of(std::uint64_t owner) noexcept {
        for (std::uint32_t i = 0; i < count_; ++i) {
            if ((words_[i].load(std::memory_order_relaxed) & ~warm_bit) == owner) { release({i, 1}); }
        }
    }

    /// Effects: gives back the memory of free extents. owner: owns each of them for a moment, so that its death loses
    /// none. Returns: whether there was any.
    [[gnu::cold]] bool shed(std::uint64_t owner) noexcept {
        bool any = false;
        for (std::uint32_t i = 0; i < count_ && use_->warm_bytes.load(std::memory_order_relaxed) >= extent_size; ++i) {
            std::uint64_t seen = free_warm;
            if (words_[i].load(std::memory_order_relaxed) != seen) { continue; }
            if (!words_[i].compare_exchange_strong(seen, owner | warm_bit, std::memory_order_acquire,
                                                   std::memory_order_relaxed)) {
                continue;
            }
            const bool gone = os::give_back(address({i, 1}), extent_size);
            if (gone) { use_->warm_bytes.fetch_sub(extent_size, std::memory_order_relaxed); }
            words_[i].store(gone ? free_cold : free_warm, std::memory_order_release);
            any = any || gone;
        }
        return any;
    }

    [[nodiscard]] std::byte* address(Run run) const noexcept { return memory_ + run.first * extent_size; }

    /// How many extents were owned when looked at, one after the other.
    [[nodiscard]] std::uint32_t was_owned() const noexcept {
        std::uint32_t owned = 0;
        for (std::uint32_t i = 0; i < count_; ++i) {
            owned += words_[i].load(std::memory_order_relaxed) > free_warm ? 1U : 0U;
        }
        return owned;
    }

private:
    static constexpr std::uint64_t warm_bit = 1;  // its pages are there
    static constexpr std::uint64_t free_cold = 0;
    static constexpr std::uint64_t free_warm = warm_bit;
    static constexpr std::uint64_t call_bit = std::uint64_t{1} << 31;  // in no stamp of a task: slots are fewer
    static constexpr int call_bits = 30;                               // of the call's number, below that one
    static constexpr std::uint64_t no_call = 0;

    [[nodiscard]] static bool take(std::atomic<std::uint64_t>& word, std::uint64_t owner,
                                   std::uint64_t& warm) noexcept {
        std::uint64_t seen = word.load(std::memory_order_relaxed);
        while (seen <= free_warm) {
            // acquire: pairs with release() by the owner before.
            if (word.compare_exchange_weak(seen, owner | seen, std::memory_order_acquire, std::memory_order_relaxed)) {
                warm += seen;
                return true;
            }
        }
        return false;
    }

    static void put_back(std::atomic<std::uint64_t>& word) noexcept {
        word.store(word.load(std::memory_order_relaxed) & warm_bit, std::memory_order_release);
    }

    [[nodiscard]] Run acquire_extents(std::uint32_t wanted, std::size_t size, std::uint64_t owner) {
        for (std::uint32_t first = 0; first + wanted <= count_;) {
            std::uint32_t got = 0;
            std::uint64_t warm = 0;
            while (got < wanted && take(words_[first + got], owner, warm)) {
                ++got;
                reach(FaultPoint::extent_taken);
            }
            const Run run{first, got};
            if (got == wanted) {
                use_->warm_bytes.fetch_sub(warm * extent_size, std::memory_order_relaxed);
                commit_or_release(run, size);
                return run;
            }
            for (std::uint32_t i = 0; i < got; ++i) { put_back(words_[first + i]); }
            first += got + 1;
        }
        throw SharedMemoryExhausted{size};
    }

    /// Effects: the run's memory is there, but for the last extent's, which is counted: the payload may need only a
    /// little of it, and another one that had it before may have needed only a little.
    void commit_or_release(Run run, std::size_t size) {
        const std::uint32_t last = run.count - 1;
        try {
            for (std::uint32_t i = 0; i < last;) {
                if (is_warm(run.first + i)) {
                    ++i;
                    continue;
                }
                const std::uint32_t cold = i;
                while (i < last && !is_warm(run.first + i)) { ++i; }
                os::commit(address({run.first + cold, i - cold}), (i - cold) * extent_size);
            }
            use_->budget.charge(address({run.first + last, 1}), extent_size);
        } catch (const SharedMemoryExhausted&) {
            os::give_back(address(run), run.count * extent_size);
            for (std::uint32_t i = 0; i < run.count; ++i) {
                words_[run.first + i].store(free_cold, std::memory_order_release);
            }
            throw SharedMemoryExhausted{size};
        }
    }
    [[nodiscard]] bool is_warm(std::uint32_t extent) const noexcept {
        return (words_[extent].load(std::memory_order_relaxed) & warm_bit) != 0;
    }

    std::atomic<std::uint64_t>* words_;
    std::byte* memory_;
    std::uint32_t count_;
    Use* use_;
};

}  // namespace procpool::detail::task
