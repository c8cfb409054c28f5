// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ClientRef: keeps a client, though its pool may go.

#include <procpool/core/config.hpp>

#include <utility>

namespace procpool::inline v0::detail::client {

class Client;

/// One reference. In a forked child it does nothing at its end.
class ClientRef {
public:
    ClientRef() noexcept = default;
    /// Effects: one reference more. Requires: the pool lives, or another reference does.
    explicit ClientRef(Client& client) noexcept;
    /// Returns: a reference that takes over that of an issued ticket.
    [[nodiscard]] static ClientRef of_ticket(Client& client) noexcept {
        ClientRef taken;
        taken.client_ = &client;
        return taken;
    }
    ClientRef(ClientRef&& other) noexcept : client_(std::exchange(other.client_, nullptr)) {}
    ClientRef& operator=(ClientRef&& other) noexcept {
        ClientRef moved{std::move(other)};
        std::swap(client_, moved.client_);
        return *this;
    }
    ~ClientRef() {
        if (client_ != nullptr) { release(client_); }
    }

    [[nodiscard]] explicit operator bool() const noexcept { return client_ != nullptr; }
    [[nodiscard]] Client* get() const noexcept { return client_; }
    [[nodiscard]] Client& operator*() const noexcept { return *client_; }
    [[nodiscard]] Client* operator->() const noexcept { return client_; }
    [[nodiscard]] bool is_mine() const noexcept;
    /// Gives the reference to the caller.
    [[nodiscard]] Client* detach() noexcept { return std::exchange(client_, nullptr); }

private:
    static void release(Client* client) noexcept;

    Client* client_ = nullptr;
};

}  // namespace procpool::detail::client

#if PROCPOOL_BODIES
#include <procpool/client/client_ref.ipp>
#endif
