// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// KeptClient: what a call needs of its pool, though the pool may go.

#include <procpool/pool/future.hpp>

namespace procpool::algorithm {

class KeptClient {
public:
    /// Called by: while the pool lives.
    explicit KeptClient(engine::Client& client) noexcept : client_(client) { client.retain(); }
    KeptClient(const KeptClient&) = delete;
    KeptClient& operator=(const KeptClient&) = delete;
    ~KeptClient() {
        if (client_.is_mine()) { engine::Client::release_ticket(&client_); }
    }
    [[nodiscard]] engine::Client& operator*() const noexcept { return client_; }

private:
    engine::Client& client_;
};

}  // namespace procpool::algorithm
