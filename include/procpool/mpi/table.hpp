// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Table: what the companion knows of its machines, for the program.

#include <procpool/core/config.hpp>
#include <procpool/core/mpi_options.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/os/futex.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/task/control.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace procpool::inline v0::detail::mpi {

enum class NodeState : std::uint32_t { expected, serves, refused, lost, ended };

/// A machine. Written by the companion, the texts before the state says that they are there; the first one by the
/// program, before there is a companion, and states by the supervisor, when there is none any more.
struct alignas(apart) NodeRecord {
    std::atomic<NodeState> state;
    std::atomic<std::uint32_t> workers;
    std::atomic<std::uint64_t> done;
    std::atomic<std::int64_t> round_trip;
    std::array<char, 64> host;
};

/// In memory of its own, which program and companion share. Zeroed memory is the valid initial state.
class Table {
public:
    /// slot_count: of the board.
    Table(int size, std::size_t slot_count)
        : memory_(sizeof(Head) + sizeof(NodeRecord) * static_cast<std::size_t>(size) +
                  sizeof(std::atomic<std::uint64_t>) * slot_count),
          size_(size) {}

    [[nodiscard]] std::span<NodeRecord> nodes() const noexcept {
        return {reinterpret_cast<NodeRecord*>(memory_.data() + sizeof(Head)), static_cast<std::size_t>(size_)};
    }

    /// Of the task in a slot that runs on another machine: as task::Seat::progress.
    [[nodiscard]] std::uint64_t progress(std::uint32_t slot) const noexcept {
        return progress_at(slot).load(std::memory_order_relaxed);
    }
    /// Called by: companion.
    void set_progress(std::uint32_t slot, std::uint32_t generation, std::uint64_t items) noexcept {
        progress_at(slot).store(std::uint64_t{generation} << 32 | (items & 0xffffffff), std::memory_order_relaxed);
    }

    /// Whether all machines have said hello, or will not.
    enum class Start : std::uint32_t { waits, done, failed };
    /// Blocks until that is known, or a while has passed. Called by: the program.
    [[nodiscard]] Start wait(Deadline deadline) const noexcept {
        std::atomic<std::uint32_t>& word = head().start;
        const std::uint32_t seen = word.load(std::memory_order_acquire);
        if (static_cast<Start>(seen) == Start::waits) { static_cast<void>(os::futex_wait(word, seen, deadline)); }
        return static_cast<Start>(word.load(std::memory_order_acquire));
    }
    /// Called by: companion; its supervisor, when that has ended: so never by two at a time. why: when it failed.
    void set_start(Start start, std::string_view why = {}) noexcept {
        Head& own = head();
        if (static_cast<Start>(own.start.load(std::memory_order_relaxed)) != Start::waits) { return; }
        why.copy(own.why.data(), own.why.size() - 1);
        own.start.store(static_cast<std::uint32_t>(start), std::memory_order_release);  // pairs with wait()
        os::futex_wake(own.start);
    }
    [[nodiscard]] std::string_view why() const noexcept { return task::text_within(head().why); }

private:
    struct alignas(apart) Head {
        std::atomic<std::uint32_t> start;
        std::array<char, 400> why;
    };
    [[nodiscard]] Head& head() const noexcept { return *reinterpret_cast<Head*>(memory_.data()); }

    [[nodiscard]] std::atomic<std::uint64_t>& progress_at(std::uint32_t slot) const noexcept {
        std::byte* const after_nodes = memory_.data() + sizeof(Head) + nodes().size_bytes();
        return reinterpret_cast<std::atomic<std::uint64_t>*>(after_nodes)[slot];
    }

    os::Mapping memory_;
    int size_;
};

}  // namespace procpool::detail::mpi
