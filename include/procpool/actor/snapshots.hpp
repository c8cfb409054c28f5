// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Snapshots: the last whole encoded state of an actor's object, for its next life.

#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/function_ref.hpp>
#include <procpool/os/memory.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace procpool::inline v0::detail::actor {

/// Two blocks of memory that an actor's processes inherit, and a word that says which one counts: a process may die at
/// any step of a save.
class Snapshots {
public:
    /// bytes: room for one. Throws: SharedMemoryExhausted.
    explicit Snapshots(std::size_t bytes);

    /// Effects: what `encode(Writer&)` writes counts from now on. Throws: what it throws; CodecError when it writes too
    /// much; SharedMemoryExhausted. The last one counts then. Called by: the actor's process.
    void save(core::FunctionRef<void(Writer&)> encode);
    /// Returns: the bytes that count; of data() null when there are none. Called by: the actor's process.
    [[nodiscard]] std::span<const std::byte> newest() const noexcept;

private:
    /// All-zero memory is the valid initial state.
    struct Header {
        std::atomic<std::uint64_t> newest;  ///< how many were saved; the last one is in block newest % 2
        std::uint64_t sizes[2];
    };
    struct Growth;

    [[nodiscard]] Header& header() const noexcept { return *reinterpret_cast<Header*>(memory_.data()); }
    [[nodiscard]] std::span<std::byte> block(std::uint64_t number) const noexcept {
        return {memory_.data() + os::page_size + number % 2 * bytes_, bytes_};
    }

    std::size_t bytes_;              // of a block; whole pages
    std::size_t committed_[2] = {};  // of each block, by this process
    os::Mapping memory_;
};

}  // namespace procpool::detail::actor

#if PROCPOOL_BODIES
#include <procpool/actor/snapshots.ipp>
#endif
