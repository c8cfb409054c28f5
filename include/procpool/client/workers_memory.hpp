// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// WorkersMemory: finds memory that is newer than the workers, which therefore lack it.

#include <procpool/codec/callable.hpp>
#include <procpool/os/memory_mark.hpp>

#include <mutex>
#include <utility>

namespace procpool::inline v0::detail::client {

/// Called by: parent, any thread.
class WorkersMemory {
public:
    /// Remembers the memory of this moment. Called after the workers have been forked, so that no memory of theirs
    /// counts as newer.
    void mark() {
        if (!codec::snapshots_are_used) { return; }
        os::MemoryMark now = os::MemoryMark::of_now();
        const std::lock_guard guard{mutex_};
        mark_ = std::move(now);
    }

    /// Whether the memory at `address` is certain to be newer than the workers.
    [[nodiscard]] bool lacks(const void* address) const {
        const std::lock_guard guard{mutex_};
        return mark_.is_older_than(address);
    }

private:
    mutable std::mutex mutex_;
    os::MemoryMark mark_;
};

}  // namespace procpool::detail::client
