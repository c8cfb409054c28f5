// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/client_links.hpp>

#include <procpool/codec/exception.hpp>
#include <procpool/codec/plain.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/scope.hpp>
#include <procpool/log/tracer.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::client {

[[noreturn]] PROCPOOL_DECL void throw_no_result() {
    throw std::logic_error("procpool: the result of a future that is an argument has been taken");
}

inline void write_bytes(Writer& out, std::span<const std::byte> bytes) {
    codec::encode_plain(out, std::uint64_t{bytes.size()});
    out.write(bytes.data(), bytes.size());
}

PROCPOOL_DECL Submitted Client::submit_linked(const Submission& submission, std::span<Dependency> dependencies,
                                              EncodeLinked encode) {
    check_code(reinterpret_cast<std::uintptr_t>(submission.code));
    Lock lock{mutex_};
    const std::uint32_t index = acquire(lock, submission);
    if (index == no_slot) { return {}; }
    try {
        if (!pin(index, dependencies)) {
            add_free(index);
            return {.has_too_many = true};
        }
    } catch (...) {
        add_free(index);
        throw;
    }
    // From here on this slot is the caller's, and what it depends on stays.
    const auto give_up = [&](std::span<std::byte> buffer) {
        const PinnedValues gone{std::move(notes_[index].values)};
        if (!lock.owns_lock()) { lock.lock(); }
        board_.arguments.abandon(index, buffer);
        for (Dependency& one : dependencies) { unpin(one.edge); }
        add_free(index);
        lock.unlock();
        board_.notify_capacity_waiter();
    };
    // A failure that has left its slot is an argument as a value is: another one before it may fail, too.
    const auto cancelled = std::ranges::find_if(dependencies, [](const Dependency& one) {
        return one.kept && one.kept.phase() != task::Phase::done && one.kept.ending() == Ending::cancelled;
    });
    if (cancelled != dependencies.end()) {
        give_up(board_.arguments.first_buffer(index));
        Submitted submitted;
        try {
            Taken{*this, place_of_, Taken::in_parcel, std::move(cancelled->kept)}.require_value();
        } catch (...) { submitted.error = std::current_exception(); }
        return submitted;
    }
    if (!submission.plain) { lock.unlock(); }
    Growth growth{*this, index, submission.plain};
    Writer out{board_.arguments.first_buffer(index), Growth::grow, &growth, place_of_};
    Encoded encoded;
    try {
        const Encoding inner{*this, out, notes_[index].values};
        encode(out, [&](std::size_t number) { write_dependency(out, dependencies[number]); });
        encoded = end_arguments(out, inner);
        if (!lock.owns_lock()) { lock.lock(); }
        linked_.emplace_back();
    } catch (...) {
        give_up(out.buffer());
        throw;
    }
    board_.arguments.seal(index, out.buffer(), encoded.size);
    if (!submission.plain && !accepts(submission)) {
        linked_.pop_back();
        board_.arguments.release(index);
        give_up(board_.arguments.first_buffer(index));
        throw_ended();
    }
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    for (std::size_t left = dependencies.size(); left != 0; --left) {
        const std::uint32_t name = dependencies[left - 1].edge;
        if (name == 0) { continue; }
        edge(name).sibling.store(std::exchange(first, name), std::memory_order_relaxed);
        ++count;
    }
    linked_.back().first_edge = first;
    is_unsettled_ = true;
    if (board_.control.trace_id != 0) [[unlikely]] {
        const auto serial = static_cast<std::uint64_t>(issued_ + 1);  // which publish() gives it
        for (const Dependency& one : dependencies) { log::trace_edge(board_, serial, one.ticket.serial); }
    }
    const Ticket ticket = publish<true>(lock, index, submission, encoded.traits, {first, count});
    return {.ticket = ticket};
}

/// Effects: what the task in that slot depends on stays where it is, or is copied. Returns: false when there are not so
/// many edges; nothing has changed then. Requires: mutex_ is held.
PROCPOOL_DECL bool Client::pin(std::uint32_t index, std::span<Dependency> dependencies) {
    std::uint32_t bit = task::Links::being_submitted;
    const auto undo = [&] {
        for (Dependency& one : dependencies) {
            unpin(std::exchange(one.edge, 0));
            one.kept = {};
        }
        return false;
    };
    for (Dependency& one : dependencies) {
        if (!is_in_slot(one.ticket)) {
            try {
                one.kept = copy_kept(one.ticket);
            } catch (...) {
                undo();
                throw;
            }
            continue;
        }
        if (++bit > board_.most_dependencies()) { return undo(); }
        if (free_edge_ == 0 && fresh_edge_ == board_.edges().size()) { free_settled(true); }
        if (free_edge_ == 0 && fresh_edge_ == board_.edges().size()) { return undo(); }
        one.edge = free_edge_ != 0 ? free_edge_ : ++fresh_edge_;
        task::Edge& edge = this->edge(one.edge);
        if (one.edge == free_edge_) { free_edge_ = task::Edge::get(edge.sibling); }
        task::Edge::set(edge.dependency, one.ticket.slot);
        task::Edge::set(edge.dependency_number, static_cast<std::uint32_t>(one.ticket.serial));
        task::Edge::set(edge.dependant, index);
        task::Edge::set(edge.bit, bit);
        ++notes_[one.ticket.slot].pins;
    }
    return true;
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

/// Returns: what a task has left that is not in its slot. Throws: std::logic_error when it has been taken. Requires:
/// mutex_ is held.
PROCPOOL_DECL Parcel Client::copy_kept(Ticket ticket) {
    const Parcel* const kept = kept_.find(ticket.serial);
    if (kept == nullptr) { throw_no_result(); }
    return kept->clone();
}

PROCPOOL_DECL void Client::write_dependency(Writer& out, const Dependency& dependency) {
    if (dependency.edge != 0) {
        edge(dependency.edge).offset.store(static_cast<std::uint32_t>(out.size()), std::memory_order_relaxed);
        constexpr ResultAt at = ResultAt::slot;
        const std::array name{dependency.ticket.slot, static_cast<std::uint32_t>(dependency.ticket.serial)};
        std::byte* const to = out.claim(sizeof at + sizeof name);
        std::memcpy(to, &at, sizeof at);
        std::memcpy(to + sizeof at, &name, sizeof name);
    } else {
        if (dependency.kept.phase() == task::Phase::done) {
            const bool has_value = dependency.kept.ending() != Ending::exception;
            codec::encode_plain(out, has_value ? ResultAt::here : ResultAt::error);
            return write_bytes(out, dependency.kept.bytes());
        }
        std::vector<std::byte> encoded;
        Writer error{encoded, codec::grow_vector, &encoded, place_of_};
        try {
            Taken{*this, place_of_, Taken::in_parcel, dependency.kept.clone()}.require_value();
        } catch (...) { codec::encode_exception(error, std::current_exception()); }
        codec::encode_plain(out, ResultAt::error);
        write_bytes(out, std::span{encoded}.first(error.size()));
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
        if (!is_in_slot(ticket)) { return Taken{*this, place_of_, Taken::in_parcel, copy_kept(ticket)}; }
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
    for (std::size_t left = all ? linked_.size() : few; left != 0 && !linked_.empty() && is_settled(linked_.front());
         --left) {
        pop_settled(0);
    }
    for (std::size_t left = all ? linked_.size() : std::min<std::size_t>(1, linked_.size()); left != 0; --left) {
        next_linked_ = next_linked_ + 1 < linked_.size() ? next_linked_ + 1 : 0;
        if (!linked_.empty() && is_settled(linked_[next_linked_])) { pop_settled(next_linked_); }
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
    orphan_values(settled.ticket.slot);
    clear(settled.ticket.slot, std::exchange(notes.lingering, task::Phase::free));
    add_free(settled.ticket.slot);
}

/// Effects: frees a taken slot; later, if the task is still in lists of others. Requires: mutex_ is held.
PROCPOOL_DECL void Client::clear_and_free(std::uint32_t index, task::Phase phase) noexcept {
    const std::uint64_t serial = notes_[index].serial.load(std::memory_order_relaxed);
    // A task that has not waited for others misses nothing, unless a task has written there.
    if (phase != task::Phase::done && board_.is_linked(index) &&
        !board_.is_settled(index, static_cast<std::uint32_t>(serial))) {
        notes_[index].lingering = phase;
        return;
    }
    orphan_values(index);
    clear(index, phase);
    add_free(index);
}

[[gnu::cold]] PROCPOOL_DECL void Client::give_back_undone(std::uint32_t index, task::Phase phase) noexcept {
    {
        const std::lock_guard guard{mutex_};
        clear_and_free(index, phase);
    }
    board_.notify_capacity_waiter();
    release_orphans();
}

/// Effects: frees what settled tasks had pinned, and values that tasks referred to. Requires: the lock is held; it may
/// be released between.
[[gnu::cold]] PROCPOOL_DECL void Client::settle(Lock& lock) noexcept {
    if (!linked_.empty()) { free_settled(free_ == no_slot && fresh_ == notes_.size()); }
    if (!orphans_.empty()) {
        lock.unlock();
        release_orphans();
        lock.lock();
    }
    is_unsettled_ = !linked_.empty() || !orphans_.empty();
}

}  // namespace procpool::detail::client
