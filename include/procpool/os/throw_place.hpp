// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ThrowPlace: where an exception was thrown, recorded while the frames that threw it are still on the stack.
///
/// The unwinder first searches for a handler, and removes frames only then. On its way it asks the std::type_info of
/// each handler, innermost first, whether that handler takes the exception: by a virtual function, `__do_catch()` in
/// libstdc++, `can_catch()` in libc++abi. intercept_throws() gives the std::type_info of NeverThrown another virtual
/// table, whose function records the stack and says no. So the handlers
///
///     catch (const os::NeverThrown&) { throw; } catch (...) { … }
///
/// know of each exception that comes so far where it was thrown. Exceptions that are caught on their way are not
/// recorded, and code that throws nothing runs the same instructions as without the first handler.

#include <procpool/core/config.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace procpool::inline v0::detail::os {

/// Nothing throws it.
struct NeverThrown {};

/// The last exception of this thread that came to a handler of NeverThrown.
struct ThrowPlace {
    static constexpr std::size_t most_frames = 32;

    const void* object;  ///< that was thrown, or what it points to
    bool is_pointer;
    std::uint32_t count;
    std::array<std::uintptr_t, most_frames> storage;

    /// Return addresses, innermost first, with those of the throw itself; none when nothing was recorded.
    [[nodiscard]] std::span<const std::uintptr_t> frames() const noexcept { return std::span{storage}.first(count); }
};
inline constinit thread_local ThrowPlace throw_place{};

/// Whether this process records them, once intercept_throws() has been called in it or in its parent.
inline constinit std::atomic<bool> records_throws{false};

/// Effects: throws can be recorded in this process, and in the children that it forks; once is enough. Throws:
/// std::system_error when the std::type_info cannot be made writable. Called by: any thread; it takes the loader's
/// lock.
void intercept_throws();

/// Effects: forgets the place. Returns: where `object` was thrown, by this thread; no frames where that was not
/// recorded.
[[nodiscard]] ThrowPlace take_throw_place(const void* object) noexcept;

/// Returns: a line for each frame as describe_address() words it, numbered from 0, the function that threw first;
/// without the frames of the throw itself, of the worker, and of the library's code between the user's functions.
[[nodiscard]] std::string describe_throw(std::span<const std::uintptr_t> frames);

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/throw_place.ipp>
#endif
