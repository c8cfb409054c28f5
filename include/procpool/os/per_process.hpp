// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// PerProcess: an object that each process of a program makes for itself, once, and that a forked child does not take
/// for its own.

#include <procpool/os/identity.hpp>

#include <atomic>

namespace procpool::inline v0::detail::os {

/// Base of an object that belongs to the process that made it.
class OfOneProcess {
public:
    /// Throws: std::system_error at the program's first call of process_token() only.
    OfOneProcess() : owner_(process_token()) {}

    /// Whether the caller is in the process that made the object; a forked child is not.
    [[nodiscard]] bool is_mine() const noexcept { return is_process(owner_); }

    /// Keeps the object that an ancestor left in this one's place within reach, for tools that look for leaks: it is
    /// never destroyed.
    void succeed(const OfOneProcess* inherited) noexcept { inherited_ = inherited; }

private:
    Token owner_;
    const OfOneProcess* inherited_ = nullptr;
};

/// Holds this process's one T, an OfOneProcess; T may be incomplete until a member function is called. An object that
/// is held is never destroyed: threads and statics of the program may use it to the end. Called by: any thread.
template <class T>
class PerProcess {
public:
    /// Returns: the object of this process, or the one it inherited; null when there is none. Memory order: acquire:
    /// the maker's writes to the object are visible.
    [[nodiscard]] T* newest() const noexcept { return newest_.load(std::memory_order_acquire); }

    /// Returns: the object of this process; null when it has made none.
    [[nodiscard]] T* mine() const noexcept {
        T* const object = newest();
        return object != nullptr && object->is_mine() ? object : nullptr;
    }

    /// Returns: the object of this process. Without one, make() creates it, by `new`; the object of a thread that comes
    /// second is deleted, unseen by others. Throws: any exception of make().
    template <class Make>
    [[nodiscard]] T& get(Make make) {
        return get(make, [](T&) noexcept {});
    }
    /// As above; calls made(object) once, in the thread whose object is held from now on.
    template <class Make, class Made>
    [[nodiscard]] T& get(Make make, Made made) {
        T* seen = newest();
        while (seen == nullptr || !seen->is_mine()) {
            T* const fresh = make();
            fresh->succeed(seen);
            // acq_rel: publishes the writes of make() to threads that load newest_.
            if (newest_.compare_exchange_strong(seen, fresh, std::memory_order_acq_rel, std::memory_order_acquire)) {
                made(*fresh);
                return *fresh;
            }
            delete fresh;
        }
        return *seen;
    }

private:
    std::atomic<T*> newest_{nullptr};
};

}  // namespace procpool::detail::os
