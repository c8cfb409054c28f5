// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// KeptClient: what a call needs of its pool, though the pool may go.

#include <procpool/future/future.hpp>

namespace procpool::inline v0::detail::map {

class KeptClient {
public:
    /// Called by: while the pool lives.
    explicit KeptClient(client::Client& client) noexcept : client_(client) { client.retain(); }
    KeptClient(const KeptClient&) = delete;
    KeptClient& operator=(const KeptClient&) = delete;
    ~KeptClient() {
        if (client_.is_mine()) { client::Client::release_ticket(&client_); }
    }
    [[nodiscard]] client::Client& operator*() const noexcept { return client_; }

private:
    client::Client& client_;
};

}  // namespace procpool::detail::map
