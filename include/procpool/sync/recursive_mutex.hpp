// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// RecursiveMutex: a Mutex that its owner may lock again.

#include <procpool/core/uncopied.hpp>
#include <procpool/shm/shareable.hpp>
#include <procpool/sync/mutex.hpp>

namespace procpool::inline v0 {

/// As Mutex, but its owner may lock it any number of times; others can once it has been unlocked as often. An owner
/// that dies with it is one death, at any depth.
class RecursiveMutex : public detail::sync::MutexBase {
public:
    /// \{
    /// Unlocked. Throws: as Mutex.
    RecursiveMutex() : RecursiveMutex(OnOwnerDeath::report) {}
    explicit RecursiveMutex(OnOwnerDeath on_death)
        : MutexBase(detail::sync::RobustLock::Kind::recursive, on_death, "RecursiveMutex") {}
    /// \}
    PROCPOOL_UNCOPIED(RecursiveMutex, it_is_not_copied__capture_or_pass_its_address,
                      "procpool: a RecursiveMutex is not copied: capture or pass its address")
    RecursiveMutex& operator=(const RecursiveMutex&) = delete;
    ~RecursiveMutex() = default;
};

template <>
inline constexpr bool enable_shared<RecursiveMutex> = true;

}  // namespace procpool
