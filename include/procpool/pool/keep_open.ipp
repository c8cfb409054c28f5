// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/pool/keep_open.hpp>

#include <procpool/client/client.hpp>

#include <utility>

namespace procpool::inline v0::detail::pool {

PROCPOOL_DECL KeepOpen::KeepOpen(client::Client& client, client::OpenUntil until) : client_(&client), until_(until) {
    client.keep_open(until);
}

PROCPOOL_DECL void KeepOpen::release() noexcept {
    client::Client* const client = std::exchange(client_, nullptr);
    if (client != nullptr && client->is_mine()) { client->let_close(until_); }
}

PROCPOOL_DECL OpenCall::OpenCall(KeepOpen keep) : keep_(std::move(keep)), outer_(std::exchange(innermost_, this)) {}

PROCPOOL_DECL void OpenCall::release_all(const client::Client& client) noexcept {
    for (OpenCall* call = innermost_; call != nullptr; call = call->outer_) {
        if (call->keep_.is_of(client)) { call->keep_.release(); }
    }
}

}  // namespace procpool::detail::pool
