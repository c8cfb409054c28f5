// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Member: whether a thread of any process of the program lives, by a plain load.

#include <procpool/core/config.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/os/futex.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/sync/parker.hpp>
#include <procpool/sync/robust_lock.hpp>

#include <atomic>
#include <cstdint>
#include <optional>

namespace procpool::inline v0::detail::sync {

/// Names one life of one thread, for ever: generation 48 bits, place + 1 16 bits. 0: nobody's.
using Stamp = std::uint64_t;
inline constexpr Stamp nobody = 0;

/// A place of the table: a thread holds its lock from the first use to its end, at which the kernel releases it.
/// Written by the thread that holds the lock.
struct alignas(apart) Life {
    RobustLock hold;
    std::atomic<std::uint64_t> generation;
    std::atomic<std::int32_t> pid;
    Parker parker;  // of that thread; any process may notify it, also too late
};

/// The table of the family of processes that share memory, at the start of the oldest heap that they share; its pages
/// are absent until they are used. Requires: the calling process or an ancestor has made a heap. All-zero memory is an
/// empty table.
class Members {
public:
    static constexpr std::uint32_t most = 4096;

    /// Effects: makes the memory of the table, if the family has none. Called by: constructors of what uses stamps,
    /// before the children are forked that share it. Throws: SharedMemoryExhausted, std::system_error.
    static void prepare();

    /// Returns: the stamp of the calling thread, which takes a place at the first call, and another one in a forked
    /// child. Throws: std::system_error(ENOTSUP) where the kernel would not tell of the thread's death: in a child of a
    /// bare clone(); Error when all places are taken; as prepare().
    [[nodiscard]] static Stamp own() {
        if (own_.stamp != nobody && os::is_process(own_.process)) [[likely]] { return own_.stamp; }
        return join();
    }

    /// Returns: the stamp of the calling thread, if own() has been called there; nobody.
    [[nodiscard]] static Stamp own_if_any() noexcept {
        return own_.stamp != nobody && os::is_process(own_.process) ? own_.stamp : nobody;
    }

    /// Whether the thread of that stamp lives: false once it has ended, or its process has ended (also while nobody has
    /// waited for that) or executed another program. A stamp that no thread can have is dead.
    /// Memory order: acquire: what the thread did before its death is visible, as far as it came.
    [[nodiscard]] static bool is_alive(Stamp stamp) noexcept;

    /// Returns: a word, and what it is while the thread of that stamp lives; nothing when it is dead. At its death the
    /// kernel wakes one of those that sleep on the word, which wakes the others.
    [[nodiscard]] static std::optional<os::FutexLook> watch(Stamp stamp) noexcept;

    /// Effects: sleeps while the word is as expected and the thread of that stamp lives, until the deadline; may return
    /// early. Returns: false when the deadline came first.
    static bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, Stamp stamp,
                     Deadline deadline) noexcept;

    /// The part of a stamp that says where in the table it is: not 0, and less than 2^16.
    [[nodiscard]] static constexpr std::uint32_t place_of(Stamp stamp) noexcept {
        return static_cast<std::uint32_t>(stamp & 0xffff);
    }
    /// Returns: the parker of the thread that has that place, which all processes of the family can notify, and which
    /// is never given back; null when there is no such place. Its sleeper may be woken by what was meant for the
    /// thread's predecessor there.
    [[nodiscard]] static Parker* parker_at(std::uint32_t place) noexcept;

    /// Whether a thread of that process has the place, and lives. False says nothing. Memory order: as is_alive().
    [[nodiscard]] static bool is_of_process(std::uint32_t place, std::int32_t pid) noexcept;

    /// Returns: the process of the thread of that stamp; 0 when the place has another by now.
    [[nodiscard]] static std::int32_t pid_of(Stamp stamp) noexcept;

private:
    [[nodiscard]] static Stamp join();
    /// Null when the stamp names no place, or there is no table.
    [[nodiscard]] static Life* life_of(Stamp stamp) noexcept;

    struct Own {
        os::Token process;  // a forked child inherits the rest, but is another process
        Stamp stamp;
    };
    static inline constinit thread_local Own own_{};
};

}  // namespace procpool::detail::sync

#if PROCPOOL_BODIES
#include <procpool/sync/member.ipp>
#endif
