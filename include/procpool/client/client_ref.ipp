// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/client.hpp>
#include <procpool/client/client_ref.hpp>

namespace procpool::inline v0::detail::client {

PROCPOOL_DECL ClientRef::ClientRef(Client& client) noexcept : client_(&client) { client.retain(); }

PROCPOOL_DECL bool ClientRef::is_mine() const noexcept { return client_->is_mine(); }

PROCPOOL_DECL void ClientRef::release(Client* client) noexcept {
    if (client->is_mine()) { Client::release_ticket(client); }
}

}  // namespace procpool::detail::client
