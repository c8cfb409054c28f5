// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Block: what a reference to an actor refers to, in memory that all processes of the program share.

#include <procpool/core/config.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/per_process.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail {

namespace client {
class Client;
}
namespace task {
class Board;
}

namespace actor {

/// Serves one actor after the other and never anything else, since references to the former ones may be anywhere.
/// All-zero memory is the valid initial state.
struct alignas(cache_line) Block {
    std::atomic<std::uint64_t> number;    ///< odd: of the actor that has it; even: it has none
    std::atomic<client::Client*> client;  ///< of the actor, in its maker's memory; null: there is none yet, or no more
    os::Token maker;                      ///< of the process that makes its actors; written once
    std::atomic<std::uint32_t> users;     ///< threads of the maker that use the client by a reference
    std::atomic<task::Board*> board;      ///< for calls of other processes, as long as it is there; null: they cannot
    std::atomic<std::uint64_t> board_id;  ///< see client::GuestBoard
    std::atomic<std::uint32_t> constructed;  ///< an object of the actor has been: later failures are deaths
};
static_assert(std::is_standard_layout_v<Block> && std::is_trivially_destructible_v<Block>,
              "processes share the bytes; none destroys them");

/// The blocks that this process has made. Called by: any thread.
class Blocks : public os::OfOneProcess {
public:
    [[nodiscard]] static Blocks& of_this_process();

    /// Returns: a block, with a number that no other actor had there. Throws: SharedMemoryExhausted, std::bad_alloc.
    [[nodiscard]] Block& take();
    /// Effects: references to its actor are told from now on that it is gone.
    void give_back(Block& block) noexcept;

private:
    std::mutex mutex_;
    std::vector<Block*> free_;  // has room for all there are

    std::size_t made_ = 0;
    static inline constinit os::PerProcess<Blocks> blocks_{};
};

/// A block for as long as it lives, in the process that made it.
class OwnBlock {
public:
    OwnBlock() : block_(&Blocks::of_this_process().take()) {}
    OwnBlock(OwnBlock&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    OwnBlock& operator=(OwnBlock&& other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~OwnBlock() {
        if (block_ != nullptr && os::is_process(block_->maker)) { Blocks::of_this_process().give_back(*block_); }
    }
    [[nodiscard]] Block* get() const noexcept { return block_; }

private:
    Block* block_;
};

}  // namespace actor

}  // namespace procpool::detail

#if PROCPOOL_BODIES
#include <procpool/actor/block.ipp>
#endif
