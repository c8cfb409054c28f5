// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// SentMemory: which machines have the memory that tasks refer to. FarMemory: that memory on one of them.

#include <procpool/client/client.hpp>
#include <procpool/client/reference.hpp>
#include <procpool/core/config.hpp>
#include <procpool/mpi/wire.hpp>
#include <procpool/task/board.hpp>
#include <procpool/task/extents.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::mpi {

/// Called by: companion.
class SentMemory {
public:
    /// Effects: from now on that machine has it. Returns: false when it has had it before.
    [[nodiscard]] bool add(const client::Reference& memory, int node) {
        Sent& sent = sent_.try_emplace(memory.number, Sent{memory.address, {}}).first->second;
        if (std::ranges::find(sent.nodes, node) != sent.nodes.end()) { return false; }
        sent.nodes.push_back(node);
        return true;
    }

    /// Effects: forgets what the parent has given up. Calls gone(number, node) for each machine that has it.
    /// Memory order: acquire: the memory's words come after it.
    template <class Gone>
    void tidy(const task::Board& board, Gone gone) {
        const std::uint64_t ended = board.control.calls_ended.load(std::memory_order_acquire);
        if (std::exchange(seen_, ended) == ended) { return; }
        std::erase_if(sent_, [&](const auto& one) {
            const auto& [number, sent] = one;
            const auto* const begin = reinterpret_cast<const std::byte*>(sent.address);
            if (board.arguments.extents().is_of_call(begin, number)) { return false; }
            for (const int node : sent.nodes) { gone(number, node); }
            return true;
        });
    }

private:
    struct Sent {
        std::uint64_t address;
        std::vector<int> nodes;
    };
    std::unordered_map<std::uint64_t, Sent> sent_;  // by numbers
    std::uint64_t seen_ = 0;                        // of Control::calls_ended
};

/// Bytes that tasks of this machine refer to. Workers find them in its board's argument memory, under the number that
/// they have on rank 0: an agent's client numbers nothing itself. Tasks here share it: rank 0 may have given it up
/// while some still run. Called by: agent.
class FarMemory {
public:
    FarMemory(client::Client& client, Received&& message, std::optional<LargeBytes>&& large)
        : client_(client),
          message_(std::move(message)),
          large_(std::move(large)) {}
    FarMemory(const FarMemory&) = delete;
    FarMemory& operator=(const FarMemory&) = delete;
    ~FarMemory() {
        if (run_.count != 0) { client_.end_call(run_, {}); }
    }

    /// Effects: it is on the board. Throws: SharedMemoryExhausted, and may be called again.
    void place() {
        if (run_.count != 0) { return; }
        const std::span<const std::byte> bytes = large_ ? large_->bytes() : message_.bytes();
        run_ = client_.acquire_for_call(message_.head.count, std::max<std::size_t>(1, bytes.size()));
        if (!bytes.empty()) {
            std::memcpy(client_.board().arguments.extents().address(run_), bytes.data(), bytes.size());
        }
        large_.reset();
        message_ = {};
    }

private:
    client::Client& client_;
    Received message_;  // until it is placed, these two
    std::optional<LargeBytes> large_;
    task::Extents::Run run_{0, 0};
};

}  // namespace procpool::detail::mpi
