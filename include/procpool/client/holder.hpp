// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Holder: what a future's task is held by, the pool's client or a guest.

#include <procpool/os/identity.hpp>

namespace procpool::inline v0::detail::client {

/// The base of Client and GuestTask. A guest's is no process's own here, so that the usual path asks one question only.
class Holder {
public:
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;

    /// Whether it is a Client of this process.
    [[nodiscard, gnu::always_inline]] bool is_mine() const noexcept { return os::is_process(owner_); }
    /// Whether it is a GuestTask.
    [[nodiscard]] bool is_guest() const noexcept { return owner_ == guest; }

protected:
    static constexpr os::Token guest = ~os::Token{0};  // tokens are counted from 1

    explicit Holder(os::Token owner) noexcept : owner_(owner) {}
    ~Holder() = default;

private:
    const os::Token owner_;
};

}  // namespace procpool::detail::client
