// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Hold: a pool closes when it is gone. HeldCall: a call that its thread is in, and for which the pool is held.

#include <procpool/client/client.hpp>
#include <procpool/pool/cut_off.hpp>

#include <utility>

namespace procpool::inline v0 {

/// What has been accepted as one and is submitted bit by bit holds its pool: closed meanwhile, it goes on until nobody
/// does, or is joined, as each wishes. In a forked child it does nothing at its end.
class Hold {
public:
    using Until = detail::client::Client::HoldUntil;

    /// Throws: as a submission.
    explicit Hold(detail::client::Client& client, Until until = Until::released) : client_(&client), until_(until) {
        client.hold(until);
    }
    Hold(Hold&& other) noexcept : client_(std::exchange(other.client_, nullptr)), until_(other.until_) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold() { release(); }

    [[nodiscard]] bool is_of(const detail::client::Client& client) const noexcept { return client_ == &client; }
    void release() noexcept {
        detail::client::Client* const client = std::exchange(client_, nullptr);
        if (client != nullptr && client->is_mine()) { client->release_hold(until_); }
    }

private:
    detail::client::Client* client_;
    Until until_;
};

/// Whoever waits for the end of a pool, on a thread that is in such a call, would wait for himself: in the call's
/// progress function, or in a continuation that the callback thread runs while it waits in another. Made and destroyed
/// by one thread, the last one first.
class HeldCall {
public:
    explicit HeldCall(Hold hold) noexcept : hold_(std::move(hold)), outer_(std::exchange(innermost_, this)) {}
    HeldCall(const HeldCall&) = delete;
    HeldCall& operator=(const HeldCall&) = delete;
    ~HeldCall() { innermost_ = outer_; }

    /// Effects: the calls that this thread is in hold that pool no longer: once it is closed, what they have not
    /// submitted is refused.
    static void release_all(const detail::client::Client& client) noexcept {
        for (HeldCall* call = innermost_; call != nullptr; call = call->outer_) {
            if (call->hold_.is_of(client)) { call->hold_.release(); }
        }
    }

private:
    Hold hold_;
    const detail::pool::InProgramCode here_;  // the call reads ranges, encodes, decodes, and tells the progress
    HeldCall* outer_;
    static inline constinit thread_local HeldCall* innermost_ = nullptr;
};

}  // namespace procpool
