// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// KeptClient: what a call needs of its pool, though the pool may go. Hold: the pool closes when it is gone.

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

class Hold {
public:
    /// Throws: as a submission.
    explicit Hold(engine::Client& client) : client_(client) { client.hold(); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() { client_.release_hold(); }

private:
    engine::Client& client_;
};

}  // namespace procpool::algorithm
