// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/client_links.hpp>

#include <procpool/codec/exception.hpp>
#include <procpool/codec/plain.hpp>
#include <procpool/core/deadlock.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/scope.hpp>

#include <algorithm>
#include <mutex>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::client {

[[noreturn]] PROCPOOL_DECL void throw_no_result() {
    throw std::logic_error("procpool: the result of a future that is an argument has been taken");
}

PROCPOOL_DECL Submitted Client::submit_linked(const Submission& submission, std::span<Dependency> dependencies,
                                              EncodeLinked encode) {
    check_code(reinterpret_cast<std::uintptr_t>(submission.code));
    Lock lock{mutex_};
    std::uint32_t index = no_slot;
    for (;;) {
        index = acquire(lock, submission);
        if (index == no_slot) { return {}; }
        const Pinned pinned = pin(index, dependencies);
        if (pinned == Pinned::all) { break; }
        add_free(index);
        if (pinned == Pinned::too_many) { return {.has_too_many = true}; }
        if (submission.patience == Patience::try_once) { return {}; }
        lock.unlock();
        wait_for_capacity(submission);
        lock.lock();
    }
    // From here on this slot is the caller's, and what it depends on stays.
    const auto give_up = [&](std::span<std::byte> buffer) {
        if (!lock.owns_lock()) { lock.lock(); }
        board_.arguments.abandon(index, buffer);
        for (Dependency& one : dependencies) { unpin(one.edge); }
        add_free(index);
        lock.unlock();
        board_.notify_capacity_waiter();
    };
    const auto failed = std::ranges::find_if(dependencies, [](const Dependency& one) { return one.error != nullptr; });
    if (failed != dependencies.end()) {
        give_up(board_.arguments.first_buffer(index));
        return {.error = failed->error};
    }
    if (!submission.plain) { lock.unlock(); }
    Growth growth{*this, index, submission.plain};
    Writer out{board_.arguments.first_buffer(index), Growth::grow, &growth, place_of_};
    try {
        const Encoding inner{*this};
        encode(out, [&](std::size_t number) { write_dependency(out, dependencies[number]); });
    } catch (...) {
        give_up(out.buffer());
        throw;
    }
    board_.arguments.seal(index, out.buffer(), out.size());
    if (!lock.owns_lock()) {
        lock.lock();
        if (!accepts(submission)) {
            board_.arguments.release(index);
            give_up(board_.arguments.first_buffer(index));
            throw_ended();
        }
    }
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    for (Dependency& one : std::views::reverse(dependencies)) {
        if (one.edge == 0) { continue; }
        edge(one.edge).sibling.store(std::exchange(first, one.edge), std::memory_order_relaxed);
        ++count;
    }
    linked_.push_back({{}, first});
    const Ticket ticket = publish<true>(lock, index, submission, {first, count});
    return {.ticket = ticket};
}

/// Effects: what the task in that slot depends on stays where it is, or is copied. Requires: mutex_ is held.
PROCPOOL_DECL Client::Pinned Client::pin(std::uint32_t index, std::span<Dependency> dependencies) {
    std::uint32_t bit = task::Links::being_submitted;
    const auto undo = [&](Pinned why) {
        for (Dependency& one : dependencies) {
            unpin(std::exchange(one.edge, 0));
            one.bytes.clear();
            one.error = nullptr;
        }
        return why;
    };
    for (Dependency& one : dependencies) {
        if (!is_in_slot(one.ticket)) {
            copy_kept(one);
            continue;
        }
        if (++bit > board_.most_dependencies()) { return undo(Pinned::too_many); }
        if (free_edge_ == 0 && fresh_edge_ == board_.edges().size()) { free_settled(true); }
        if (free_edge_ == 0 && fresh_edge_ == board_.edges().size()) {
            return undo(linked_.empty() ? Pinned::too_many : Pinned::no_room);
        }
        one.edge = free_edge_ != 0 ? free_edge_ : ++fresh_edge_;
        task::Edge& edge = this->edge(one.edge);
        if (one.edge == free_edge_) { free_edge_ = task::Edge::get(edge.sibling); }
        edge.dependency.store(one.ticket.slot, std::memory_order_relaxed);
        edge.dependency_number.store(static_cast<std::uint32_t>(one.ticket.serial), std::memory_order_relaxed);
        edge.dependant.store(index, std::memory_order_relaxed);
        edge.bit.store(bit, std::memory_order_relaxed);
        ++notes_[one.ticket.slot].pins;
    }
    return Pinned::all;
}

/// Effects: frees the edge; what it pinned goes if nobody wants it any more. 0: there is none. Requires: mutex_ is
/// held.
PROCPOOL_DECL void Client::unpin(std::uint32_t name) noexcept {
    if (name == 0) { return; }
    task::Edge& edge = this->edge(name);
    const std::uint32_t index = task::Edge::get(edge.dependency);
    edge.sibling.store(std::exchange(free_edge_, name), std::memory_order_relaxed);
    SlotNotes& notes = notes_[index];
    const std::uint64_t serial = notes.serial.load(std::memory_order_relaxed);
    if (--notes.pins == 0 && notes.dropped.load(std::memory_order_relaxed) == serial + 1) {
        free_if_decided({serial, index});
    }
}

/// Effects: copies the result of a task that is not in its slot. Requires: mutex_ is held.
PROCPOOL_DECL void Client::copy_kept(Dependency& dependency) {
    const Parcel* const kept = kept_.find(dependency.ticket.serial);
    if (kept == nullptr) { throw_no_result(); }
    dependency.is_exception = kept->phase() != task::Phase::done || kept->ending() == Ending::exception;
    if (kept->phase() == task::Phase::done) {
        dependency.bytes.assign(kept->bytes().begin(), kept->bytes().end());
        return;
    }
    try {
        Taken{*this, place_of_, Taken::in_parcel, kept->clone()}.require_value();
    } catch (...) {
        if (kept->ending() == Ending::cancelled) {
            dependency.error = std::current_exception();
            return;
        }
        Writer out{dependency.bytes, codec::grow_vector, &dependency.bytes, place_of_};
        codec::encode_exception(out, std::current_exception());  // one of this library's
        dependency.bytes.resize(out.size());
    }
}

PROCPOOL_DECL void Client::write_dependency(Writer& out, const Dependency& dependency) {
    if (dependency.edge != 0) {
        edge(dependency.edge).offset.store(static_cast<std::uint32_t>(out.size()), std::memory_order_relaxed);
        codec::encode_plain(out, ResultAt::slot);
        codec::encode_plain(out, dependency.ticket.slot);
        codec::encode_plain(out, static_cast<std::uint32_t>(dependency.ticket.serial));
    } else {
        codec::encode_plain(out, dependency.is_exception ? ResultAt::error : ResultAt::here);
        codec::encode_plain(out, std::uint64_t{dependency.bytes.size()});
        out.write(dependency.bytes.data(), dependency.bytes.size());
    }
}

PROCPOOL_DECL void Client::consume(Ticket ticket) noexcept {
    const std::lock_guard guard{mutex_};
    SlotNotes& notes = notes_[ticket.slot];
    if (!is_in_slot(ticket)) {
        static_cast<void>(kept_.take(ticket.serial));
        return;
    }
    notes.observed.store(ticket.serial + 1, std::memory_order_relaxed);
    notes.dropped.store(ticket.serial + 1, std::memory_order_seq_cst);  // as drop()
    if (notes.pins == 0) { free_if_decided(ticket); }                   // settled already
}

PROCPOOL_DECL Taken Client::copy(Ticket ticket) {
    {
        const std::lock_guard guard{mutex_};
        if (!is_in_slot(ticket)) {
            const Parcel* const kept = kept_.find(ticket.serial);
            if (kept == nullptr) { throw_no_result(); }
            return Taken{*this, place_of_, Taken::in_parcel, kept->clone()};
        }
        ++notes_[ticket.slot].pins;
    }
    const core::OnExit unpinned{[&]() noexcept {
        const std::lock_guard guard{mutex_};
        --notes_[ticket.slot].pins;
    }};
    const task::Phase phase = word_of(ticket.slot).phase();
    Parcel parcel = describe(ticket.slot, phase);
    if (phase == task::Phase::done) { parcel.copy(board_.results.payload(ticket.slot)); }
    return Taken{*this, place_of_, Taken::in_parcel, std::move(parcel)};
}

/// Effects: frees what settled tasks had pinned, first of those that were submitted first. all: looks at every one.
/// Requires: mutex_ is held.
PROCPOOL_DECL void Client::free_settled(bool all) noexcept {
    constexpr std::size_t few = 4;
    const auto is_settled = [&](const LinkedTask& one) {
        return is_decided(one.ticket) &&
               board_.is_settled(one.ticket.slot, static_cast<std::uint32_t>(one.ticket.serial));
    };
    std::size_t left = all ? linked_.size() : few;
    for (; left != 0 && !linked_.empty() && is_settled(linked_.front()); --left) { pop_settled(0); }
    for (left = std::min(left, linked_.size()); left != 0 && !linked_.empty(); --left) {
        next_linked_ = next_linked_ + 1 < linked_.size() ? next_linked_ + 1 : 0;
        if (is_settled(linked_[next_linked_])) { pop_settled(next_linked_); }
    }
}

PROCPOOL_DECL void Client::pop_settled(std::size_t place) noexcept {
    const LinkedTask settled = std::exchange(linked_[place], linked_.front());
    linked_.pop_front();
    for (std::uint32_t name = settled.first_edge; name != 0;) {
        const std::uint32_t next = task::Edge::get(edge(name).sibling);
        unpin(name);
        name = next;
    }
    SlotNotes& notes = notes_[settled.ticket.slot];
    if (notes.lingering == task::Phase::free || notes.serial.load(std::memory_order_relaxed) != settled.ticket.serial) {
        return;
    }
    clear(settled.ticket.slot, std::exchange(notes.lingering, task::Phase::free));
    add_free(settled.ticket.slot);
}

/// Effects: frees a taken slot; later, if the task is still in lists of others. Requires: mutex_ is held.
PROCPOOL_DECL void Client::clear_and_free(std::uint32_t index, task::Phase phase) noexcept {
    const std::uint64_t serial = notes_[index].serial.load(std::memory_order_relaxed);
    if (phase != task::Phase::done && !board_.is_settled(index, static_cast<std::uint32_t>(serial))) {
        notes_[index].lingering = phase;
        return;
    }
    clear(index, phase);
    add_free(index);
}

[[gnu::cold]] PROCPOOL_DECL void Client::give_back_undone(std::uint32_t index, task::Phase phase) noexcept {
    {
        const std::lock_guard guard{mutex_};
        clear_and_free(index, phase);
    }
    board_.notify_capacity_waiter();
}

}  // namespace procpool::detail::client
