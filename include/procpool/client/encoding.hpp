// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Encoding: the arguments that a thread encodes, and for which pool.

#include <procpool/client/pinned_values.hpp>
#include <procpool/client/reference.hpp>
#include <procpool/core/config.hpp>

#include <cstddef>
#include <utility>

namespace procpool::inline v0 {
class Writer;
}

namespace procpool::inline v0::detail::client {

class Client;

/// While there is one, this thread encodes arguments for that client, by code of the user's maybe.
class Encoding {
public:
    enum class For {
        slot,  ///< of a task
        call   ///< of a call over many items, whose chunks have them in common
    };

    /// out: writes them. values: what they refer to.
    Encoding(Client& client, const Writer& out, PinnedValues& values, For what = For::slot) noexcept
        : client_(client),
          out_(&out),
          values_(values),
          what_(what),
          outer_(std::exchange(innermost_, this)) {}
    Encoding(const Encoding&) = delete;
    Encoding& operator=(const Encoding&) = delete;
    ~Encoding() { innermost_ = outer_; }

    /// Returns: that of the arguments that `out` writes; null when it writes something else.
    [[nodiscard]] static Encoding* of(const Writer& out) noexcept {
        Encoding* one = innermost_;
        while (one != nullptr && one->out_ != &out) { one = one->outer_; }
        return one;
    }
    /// Returns: how many slots of the client this thread has.
    [[nodiscard]] static std::size_t slots_of(const Client& client) noexcept {
        std::size_t open = 0;
        for (const Encoding* one = innermost_; one != nullptr; one = one->outer_) {
            open += &one->client_ == &client && one->what_ == For::slot ? 1U : 0U;
        }
        return open;
    }

    [[nodiscard]] Client& client() const noexcept { return client_; }
    /// The values that the arguments refer to so far: they stay until the task has left its slot.
    [[nodiscard]] PinnedValues& values() const noexcept { return values_; }
    /// The memory that the arguments have in common with those of the call's other chunks; number 0: none.
    [[nodiscard]] Reference common() const noexcept { return common_; }
    void set_common(const Reference& memory) noexcept { common_ = memory; }

private:
    Client& client_;
    const Writer* const out_;
    PinnedValues& values_;
    const For what_;
    Encoding* const outer_;
    Reference common_{};
    static inline constinit thread_local Encoding* innermost_ = nullptr;
};

}  // namespace procpool::detail::client
