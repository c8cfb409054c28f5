// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/client.hpp>

#include <procpool/core/error.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace procpool::inline v0::detail::client {

PROCPOOL_DECL Client::Client(std::uint32_t capacity, std::uint32_t seats, codec::VisibilityOf where,
                             bool code_may_differ)
    : Holder(os::process_token()),
      region_(os::Mapping::reserve(os::generous_reservation(), os::least_reservation)),
      board_(task::Board::create(
          region_, {capacity, seats, Parkers::count, sizeof(SlotNotes), code_may_differ ? guest_slots : 0})),
      place_of_(where),
      modules_(code_may_differ ? std::optional{os::Modules::loaded_now()} : std::nullopt),
      parkers_(board_.parkers()),
      notes_(reinterpret_cast<SlotNotes*>(board_.notes()), capacity) {
    if (code_may_differ) { place_for_children = where; }
    detached_.reserve(capacity);
}

PROCPOOL_DECL void Client::set_crew(std::unique_ptr<Crew> crew) {
    crew_ = std::move(crew);
    mark_memory();
}

PROCPOOL_DECL void Client::check_new_code(std::uintptr_t address) const {
    const std::lock_guard guard{modules_mutex_};
    if (modules_ && !modules_->contain(address)) {
        throw CodecError(
            "procpool: this task's code was loaded after the workers were forked: build the pool later, or call "
            "refork()");
    }
    known_page(address).store(address / code_page, std::memory_order_relaxed);
}

PROCPOOL_DECL std::optional<Ticket> submit(Client& client, const Submission& submission, Encode encode) {
    return client.submit(submission, encode);
}

PROCPOOL_DECL void check_code(const Client& client, std::uintptr_t address) { client.check_code(address); }

PROCPOOL_DECL bool is_newer_than_workers(const Client& client, const void* address) {
    return client.is_newer_than_workers(address);
}

PROCPOOL_DECL codec::VisibilityOf place_of(const Client& client) noexcept { return client.place_of(); }

PROCPOOL_DECL const std::shared_ptr<Unobserved>& unobserved_of(const Client& client) noexcept {
    return client.unobserved();
}

}  // namespace procpool::detail::client
