// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProgramLock: one thread at a time in a process, also in a child that was forked while another thread held the lock.

#include <procpool/core/config.hpp>
#include <procpool/os/identity.hpp>

#include <atomic>

namespace procpool::inline v0::detail::os {

/// A lock for rare and slow steps. It names the process that holds it: a forked child finds the name of its ancestor,
/// none of whose threads lives there, and takes it over. (A std::mutex would stay locked in the child for ever.)
/// Lockable as std::mutex is.
class ProgramLock {
public:
    /// Throws: std::system_error at the program's first call of process_token() only.
    void lock();
    void unlock() noexcept { holder_.store(free, std::memory_order_release); }

private:
    static constexpr Token free = 0;
    std::atomic<Token> holder_{free};
};

/// Held while the library opens what a child of its own inherits, and forks it: no other child of the library's
/// inherits that.
inline constinit ProgramLock forking{};

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/program_lock.ipp>
#endif
