// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/client_calls.hpp>

#include <procpool/core/error.hpp>

#include <algorithm>
#include <mutex>
#include <utility>

namespace procpool::inline v0::detail::client {

PROCPOOL_DECL task::Extents::Run Client::acquire_for_call(std::uint64_t call, std::size_t size) {
    const std::uint64_t owner = task::Extents::stamp_of_call(call);
    try {
        return board_.arguments.extents().acquire(size, owner);
    } catch (const SharedMemoryExhausted&) {
        const std::lock_guard guard{mutex_};
        if (!shed()) { throw; }
    }
    return board_.arguments.extents().acquire(size, owner);
}

PROCPOOL_DECL void Client::end_call(task::Extents::Run memory, std::vector<Ticket> readers) {
    {
        const std::lock_guard guard{mutex_};
        const bool is_read = !readers.empty();
        if (is_read) { ended_calls_.push_back({memory, std::move(readers)}); }
        board_.arguments.extents().end_call(memory);
        board_.control.calls_ended.fetch_add(1, std::memory_order_release);  // after end_call() above
        if (!is_read) { board_.arguments.extents().release(memory); }
    }
    // Those that sleep, or are about to: see Loop::search_or_sleep().
    board_.wake_seats();
    crew_->tidy();
}

/// Effects: what is in a slot that is to be freed can go when mutex_ is not held. Requires: mutex_ is held.
PROCPOOL_DECL void Client::orphan_values(std::uint32_t index) noexcept {
    if (notes_[index].values.empty()) { return; }
    orphans_.append(std::move(notes_[index].values));
    is_unsettled_ = true;
}

[[gnu::cold]] PROCPOOL_DECL void Client::give_back_with_values(std::uint32_t index, task::Phase phase) noexcept {
    const PinnedValues gone{std::move(notes_[index].values)};
    give_back(index, phase);
}

/// Effects: values that tasks have referred to do not keep the client, nor it them. Requires: the crew has ended.
PROCPOOL_DECL void Client::release_values() noexcept {
    has_pool_.store(false, std::memory_order_relaxed);
    if (!has_values_.load(std::memory_order_relaxed)) { return; }
    for (SlotNotes& notes : notes_) { const PinnedValues gone{std::move(notes.values)}; }
    release_orphans();
}

PROCPOOL_DECL void Client::free_ended_calls() noexcept {
    const std::lock_guard guard{mutex_};
    free_decided_calls();
}

/// Effects: as free_ended_calls(). A reader that runs has been detached, so that a submission looks for its end, and
/// here after that. Requires: mutex_ is held.
PROCPOOL_DECL void Client::free_decided_calls() noexcept {
    std::erase_if(ended_calls_, [&](const EndedCall& call) {
        if (!std::ranges::all_of(call.readers, [&](Ticket reader) { return is_decided(reader); })) { return false; }
        board_.arguments.extents().release(call.memory);
        return true;
    });
}

}  // namespace procpool::detail::client
