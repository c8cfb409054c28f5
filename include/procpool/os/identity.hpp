// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// process_token(): which process of a family this is, without a system call.

#include <procpool/core/config.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace procpool::inline v0::detail::os {

using Token = std::uint64_t;

/// A word that every forked child finds to be 0. A type of its own: a compiler knows that nothing a loop writes of
/// another type changes it.
enum class Wiped : std::uint64_t {};

/// A page that the kernel wipes in every forked child; null until the first use.
inline constinit std::atomic<std::atomic<Token>*> token_page{nullptr};

/// The newest token that this process or an ancestor of it took. A child inherits its value and counts on. Here, so
/// that the shared libraries of a program have one between them, as they have one page.
inline constinit std::atomic<Token> newest_token{0};

/// Effects: as process_token(), which has found no page or no token.
[[nodiscard]] Token take_process_token();

/// Returns: a number, never 0, that this process shares with no process it was forked from or has forked. getpid()
/// would be a system call each time, and a process number comes back.
/// Effects: the first call, which comes before anything of the library that may outlive a pool, keeps the library's
/// code in memory. Throws: std::system_error at the program's first call only. Memory order: a token says nothing about
/// other memory, so relaxed, but for the page's address (release, acquire: the page is mapped).
[[nodiscard]] inline Token process_token() {
    const std::atomic<Token>* const page = token_page.load(std::memory_order_acquire);
    if (page != nullptr) {
        const Token token = page->load(std::memory_order_relaxed);
        if (token != 0) { return token; }
    }
    return take_process_token();
}

/// Returns: a word for the use of one thread of this process. Requires: process_token() has been taken.
[[nodiscard]] inline Wiped& wiped_word() noexcept {
    constexpr std::size_t offset = 64;  // a line of its own
    return *reinterpret_cast<Wiped*>(reinterpret_cast<std::byte*>(token_page.load(std::memory_order_acquire)) + offset);
}

/// Whether this is still the process that took `token`; a forked child of it is not.
[[nodiscard, gnu::always_inline]] inline bool is_process(Token token) noexcept {
    const std::atomic<Token>* const page = token_page.load(std::memory_order_acquire);
    return page != nullptr && page->load(std::memory_order_relaxed) == token;
}

/// A process number, and the token of the process whose it is.
struct KnownNumber {
    std::atomic<Token> token;
    std::atomic<std::int32_t> number;
};
inline constinit KnownNumber known_number{};

/// Effects: as process_number(), which does not know it yet.
[[nodiscard]] std::int32_t ask_process_number() noexcept;

/// Returns: what getpid() says, without a system call but for the first time in each process.
/// Memory order: acquire: the number was stored before the token.
[[nodiscard]] inline std::int32_t process_number() noexcept {
    const Token token = known_number.token.load(std::memory_order_acquire);
    if (token != 0 && is_process(token)) [[likely]] { return known_number.number.load(std::memory_order_relaxed); }
    return ask_process_number();
}

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/identity.ipp>
#endif
