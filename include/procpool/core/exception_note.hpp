// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ExceptionNote: facts about an exception that its type has no place for, attached to the object itself, whatever its
/// type.
///
/// A thrown object lies behind a header that the Itanium C++ ABI describes and that libstdc++ and libc++abi lay out
/// alike, on 64 bits, but for its first words:
///
///     bytes before the object   libstdc++                        libc++abi
///     128                       reference count, 4 bytes unused  unused
///     120                       unused                           reference count
///     112                       type
///     104                       destructor
///     96, 88                    handlers of unexpected(), terminate()
///     80                        next caught exception
///     72 to 40                  the unwinder's results of its first phase
///     32                        exception class, and the unwinder's own words
///
/// A word that is unused is one of alignment's (libstdc++, where `_Unwind_Exception` is aligned to 16 bytes behind a
/// count of 4 bytes) or one named `reserve` (libc++abi); both libraries zero it with the header, and never look at it,
/// so that an exception may also be thrown again. It holds the note, and the destructor becomes one that deletes the
/// note and calls the original. So a note lives exactly as long as its exception: there is no list, no lock, and
/// nothing to be done in a forked child. A header is changed only if its exception class is this library's and its word
/// is zero.

#include <procpool/core/config.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <vector>

namespace procpool::inline v0::detail::core {

/// Lifetime: that of the exception.
class ExceptionNote {
public:
    explicit ExceptionNote(void (*destroy)(void*)) noexcept : destroy_(destroy) {}

    /// The index of the item that threw the exception, in its call over many.
    [[nodiscard]] std::optional<std::size_t> item() const noexcept {
        const std::size_t item = item_.load(std::memory_order_relaxed);  // it says nothing about other memory
        return item == no_item ? std::nullopt : std::optional{item};
    }
    /// The place of the throw: return addresses, innermost first; none where that is not known.
    [[nodiscard]] std::span<const std::uintptr_t> frames() const noexcept { return frames_; }

private:
    friend void note_item(const std::exception_ptr& thrown, std::size_t item) noexcept;
    friend void note_frames(const std::exception_ptr& thrown, std::span<const std::uintptr_t> frames) noexcept;
    friend void destroy_noted(void* object) noexcept;

    static constexpr std::size_t no_item = SIZE_MAX;

    void (*destroy_)(void*);  // the object
    std::atomic<std::size_t> item_{no_item};
    std::vector<std::uintptr_t> frames_;
};

/// Returns: the object that was thrown.
[[nodiscard]] const void* thrown_object(const std::exception_ptr& thrown) noexcept;

/// Effects: the exception is that of the item, unless it is that of another one already: its object may be shared.
/// Without memory, or with a runtime library that is not known, nothing is noted.
void note_item(const std::exception_ptr& thrown, std::size_t item) noexcept;

/// Effects: the exception was thrown there. Otherwise as note_item(). Requires: nobody else has the exception.
void note_frames(const std::exception_ptr& thrown, std::span<const std::uintptr_t> frames) noexcept;

/// Returns: the exception's note; null without one.
[[nodiscard]] const ExceptionNote* note_of(const std::exception_ptr& thrown) noexcept;

/// The same for the exception that `e` refers to, if a catch block of this thread handles it; null for any other
/// object, which need not have a header.
[[nodiscard]] const ExceptionNote* note_of(const std::exception& e) noexcept;

}  // namespace procpool::detail::core

#if PROCPOOL_BODIES
#include <procpool/core/exception_note.ipp>
#endif
