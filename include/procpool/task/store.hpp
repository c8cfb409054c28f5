// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Store: where a payload lies: in the slot, in the slot's pocket or window, or in extents.

#include <procpool/core/fault_point.hpp>
#include <procpool/task/extents.hpp>
#include <procpool/task/slot.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace procpool::inline v0::detail::task {

/// One side of all slots, arguments or results. Memory follows the slot: the owner of the slot owns its payload's
/// memory.
template <bool is_result>
class Store {
public:
    /// Payloads up to this lie close to each other. Windows do not: each is on a page of its own, and as far from the
    /// next one as the lines are that take each other's place in a cache.
    static constexpr std::size_t pocket_bytes = apart;

    /// pockets: pocket_bytes for each slot. touched: a byte for each slot, zero.
    void attach(Slot* first_slot, std::byte* pockets, std::byte* windows, std::size_t window_size,
                std::uint8_t* touched) noexcept {
        slots_ = first_slot;
        pockets_ = pockets;
        windows_ = windows;
        window_size_ = window_size;
        touched_ = touched;
    }
    [[nodiscard]] Extents& extents() noexcept { return extents_; }
    [[nodiscard]] const Extents& extents() const noexcept { return extents_; }

    /// The buffer a writer starts with.
    [[nodiscard]] std::span<std::byte> first_buffer(std::uint32_t slot) const noexcept { return inlined(slots_[slot]); }

    /// The buffer for payloads beyond the slot's own line.
    [[nodiscard]] std::span<std::byte> pocket(std::uint32_t slot) const noexcept {
        return {pockets_ + slot * pocket_bytes, pocket_bytes};
    }
    /// The buffer for payloads beyond the pocket.
    [[nodiscard]] std::span<std::byte> window(std::uint32_t slot) const noexcept {
        return {windows_ + slot * window_size_, window_size_};
    }

    /// Returns: a buffer of at least `need` bytes that starts with the first `used` of `current`. Throws:
    /// SharedMemoryExhausted.
    [[nodiscard]] std::span<std::byte> grow(std::uint32_t slot, std::uint32_t generation, std::span<std::byte> current,
                                            std::size_t used, std::size_t need) {
        if (need <= pocket_bytes) {
            std::memcpy(pocket(slot).data(), current.data(), used);
            return pocket(slot);
        }
        if (need <= window_size_) {
            const std::span<std::byte> ready = touch(slot, need);
            if (current.data() != ready.data()) { std::memcpy(ready.data(), current.data(), used); }
            return ready;
        }
        Large& record = large(slots_[slot]);
        const bool was_large = current.size() > window_size_;
        const std::size_t wanted = was_large ? std::max(need, current.size() * 2) : need;
        if constexpr (is_result) {
            slots_[slot].has_extents = true;
        }  // before the rest, since its worker may die at any instruction
        const Extents::Run run = acquire(wanted, need, Extents::stamp(slot, generation));
        std::memcpy(extents_.address(run), current.data(), used);
        reach(FaultPoint::result_grown);
        const Extents::Run before = run_of(slots_[slot]);
        // release: a reader of this run that finds the worker dead finds the bytes copied to it.
        record.run.store((std::uint64_t{run.count} << 32) | run.first, std::memory_order_release);
        if (was_large) { release_run(slot, before); }
        return {extents_.address(run), run.count * Extents::extent_size};
    }

    /// Effects: records that the payload is the first `size` bytes of `buffer`, which first_buffer() or grow() gave, or
    /// which is the caller's own, if they fit into the slot's line.
    void seal(std::uint32_t index, std::span<const std::byte> buffer, std::size_t size) noexcept {
        Slot& slot = slots_[index];
        if (buffer.size() > window_size_) {
            large(slot).size = size;
            bytes(slot) = Slot::large;
            return;
        }
        if (size > Slot::inline_bytes) {
            bytes(slot) = static_cast<std::uint32_t>(size) + (buffer.size() > pocket_bytes ? Slot::in_window : 0);
            return;
        }
        const auto inside = inlined(slot);
        if (size != 0 && buffer.data() != inside.data()) { std::memcpy(inside.data(), buffer.data(), size); }
        bytes(slot) = static_cast<std::uint32_t>(size);
    }

    /// Returns: the payload; an empty one where the slot names memory that it does not have: a task has written there.
    [[nodiscard]] std::span<std::byte> payload(std::uint32_t index) const noexcept {
        Slot& slot = slots_[index];
        const std::uint32_t size = bytes(slot);
        if (size <= Slot::inline_bytes) { return inlined(slot).first(size); }
        if (size <= pocket_bytes) { return pocket(index).first(size); }
        // As numbers without a sign: a smaller one is far beyond the window.
        if (size - Slot::in_window <= window_size_) { return window(index).first(size - Slot::in_window); }
        return large_payload(index);
    }

    /// Returns: the rest of the memory that a payload lies in; none behind one in the slot's line, or where the slot
    /// names memory that it does not have.
    [[nodiscard]] std::span<std::byte> behind(std::uint32_t index) const noexcept {
        const std::uint32_t size = bytes(slots_[index]);
        if (size <= Slot::inline_bytes) { return {}; }
        if (size <= pocket_bytes) { return pocket(index).subspan(size); }
        if (size - Slot::in_window <= window_size_) { return window(index).subspan(size - Slot::in_window); }
        const Held held = this->held(index);
        return std::span{extents_.address(held.run), held.run.count * Extents::extent_size}.subspan(held.size);
    }

    /// A large payload: its run, and how many bytes of it count.
    struct Held {
        Extents::Run run;
        std::size_t size;
    };
    /// Returns: an empty run where the slot has no large payload, or names memory that it does not have.
    [[nodiscard, gnu::noinline]] Held held(std::uint32_t index) const noexcept {
        const Extents::Run run = run_of(slots_[index]);
        const std::uint64_t size = large(slots_[index]).size;
        if (!is_large(index) || size > run.count * Extents::extent_size || !extents_.is_of(run, index)) {
            return {{0, 0}, 0};
        }
        return {run, size};
    }

    [[nodiscard]] bool is_large(std::uint32_t index) const noexcept { return bytes(slots_[index]) == Slot::large; }

    /// Effects: clears the slot's payload, and frees extents that a dead worker took for it, noted or not.
    void release_after_death(std::uint32_t index, std::uint32_t generation) noexcept {
        if (slots_[index].has_extents) {
            extents_.release_all_of(Extents::stamp(index, generation));
        }  // the table is long
        slots_[index].has_extents = false;
        bytes(slots_[index]) = 0;
    }

    /// Gives the extents of a payload back, if it has any. buffer: as for seal(), where the payload was never sealed.
    void release(std::uint32_t index) noexcept {
        if (is_large(index)) { release_run(index, run_of(slots_[index])); }
        bytes(slots_[index]) = 0;
    }

    /// Effects: gives back the window's memory. Returns: whether there was any. Requires: the slot is free, and
    /// the caller's own.
    bool shed_window(std::uint32_t index) noexcept {
        if (touched_[index] == 0 || !os::give_back(window(index).data(), touched_bytes(index))) { return false; }
        touched_[index] = 0;
        return true;
    }
    void abandon(std::uint32_t index, std::span<const std::byte> buffer) noexcept {
        if (buffer.size() > window_size_) { release_run(index, run_of(slots_[index])); }
        bytes(slots_[index]) = 0;
    }

private:
    [[nodiscard]] static std::uint32_t& bytes(Slot& slot) noexcept {
        if constexpr (is_result) {
            return slot.result_bytes;
        } else {
            return slot.argument_bytes;
        }
    }
    [[nodiscard]] static Large& large(Slot& slot) noexcept {
        if constexpr (is_result) {
            return slot.large_result;
        } else {
            return slot.large_argument;
        }
    }
    [[nodiscard]] static std::span<std::byte> inlined(Slot& slot) noexcept {
        if constexpr (is_result) {
            return slot.result;
        } else {
            return slot.argument;
        }
    }
    [[nodiscard]] static Extents::Run run_of(Slot& slot) noexcept {
        const std::uint64_t run = large(slot).run.load(std::memory_order_acquire);
        return {static_cast<std::uint32_t>(run), static_cast<std::uint32_t>(run >> 32)};
    }

    [[nodiscard, gnu::noinline]] std::span<std::byte> large_payload(std::uint32_t index) const noexcept {
        const Held held = this->held(index);
        return {extents_.address(held.run), held.size};
    }

    /// Gives back only memory that belongs to the slot.
    void release_run(std::uint32_t index, Extents::Run run) noexcept {
        if (extents_.is_of(run, index)) { extents_.release(run); }
    }

    /// Returns: as much of the window as has been counted, at least `need` bytes. Throws: SharedMemoryExhausted.
    [[nodiscard]] std::span<std::byte> touch(std::uint32_t slot, std::size_t need) {
        const std::size_t ready = touched_bytes(slot);
        return need <= ready ? window(slot).first(ready) : touch_more(slot, ready, need);
    }
    /// Returns: the bytes counted, at most the window: another worker may have written anything there.
    [[nodiscard]] std::size_t touched_bytes(std::uint32_t slot) const noexcept {
        return std::min(touched_[slot] * os::page_size, window_size_);
    }
    [[gnu::noinline]] std::span<std::byte> touch_more(std::uint32_t slot, std::size_t ready, std::size_t need) {
        const std::size_t more = std::bit_ceil(round_up(need, os::page_size));
        extents_.budget().charge(window(slot).data() + ready, more - ready);
        touched_[slot] = static_cast<std::uint8_t>(more / os::page_size);
        return window(slot).first(more);
    }

    /// Returns: a run of `wanted` bytes, which may spare copies later, or of `need` bytes if that cannot be had.
    [[nodiscard]] Extents::Run acquire(std::size_t wanted, std::size_t need, std::uint64_t owner) {
        if (wanted > need) {
            try {
                return extents_.acquire(wanted, owner);
            } catch (const SharedMemoryExhausted&) {}
        }
        return extents_.acquire(need, owner);
    }

    Slot* slots_;
    std::byte* pockets_;
    std::byte* windows_;
    std::size_t window_size_;
    std::uint8_t*
        touched_;  // of each slot's window, so many pages from its start have been counted; of the slot's owner
    Extents extents_;
};

using ArgumentStore = Store<false>;
using ResultStore = Store<true>;

}  // namespace procpool::detail::task
