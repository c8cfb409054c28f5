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
                             bool code_may_differ, bool open_to_all, std::uint32_t companion_seats,
                             std::uint32_t indices, bool shrinks, std::string_view name)
    : Holder(os::process_token()),
      region_file_(name, code_may_differ),
      region_(open_to_all ? os::Mapping{}
                          : os::Mapping::reserve(os::generous_reservation(), os::least_reservation, region_file_)),
      heap_region_(open_to_all ? &HeapBoards::of_this_process() : nullptr),
      board_(task::Board::create(open_to_all ? heap_region_.memory() : std::span{region_.data(), region_.size()},
                                 size_of_board({.slot_count = capacity,
                                                .seats = seats,
                                                .parkers = Parkers::count,
                                                .notes = sizeof(SlotNotes),
                                                .companion_seats = companion_seats,
                                                .indices = indices,
                                                .shrinks = shrinks},
                                               code_may_differ, open_to_all))),
      place_of_(where),
      modules_(code_may_differ ? std::optional{os::Modules::loaded_now()} : std::nullopt),
      parkers_(board_.parkers()),
      notes_(reinterpret_cast<SlotNotes*>(board_.notes()), capacity) {
    if (code_may_differ) { place_for_children = where; }
    detached_.reserve(capacity);
}

PROCPOOL_DECL task::BoardSize Client::size_of_board(task::BoardSize size, bool has_guests,
                                                    bool open_to_all) const noexcept {
    if (!has_guests) { return size; }
    constexpr std::uint32_t many = 1024;
    constexpr std::uint32_t few = 256;
    constexpr std::size_t large = std::size_t{1} << 30;
    size.guests = !open_to_all && region_.size() >= large ? many : few;
    size.open_to_all = open_to_all;
    // The time makes it differ from those of other processes, as good as certainly; the process's count from its own.
    static constinit std::atomic<std::uint64_t> boards{0};
    constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;
    const auto now = static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
    size.id = ((now ^ os::process_token()) * golden + boards.fetch_add(1, std::memory_order_relaxed)) | 1;
    return size;
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

PROCPOOL_DECL bool shares_memory(const Client& client) noexcept { return client.board().control.shares_memory; }

PROCPOOL_DECL const std::shared_ptr<Unobserved>& unobserved_of(const Client& client) noexcept {
    return client.unobserved();
}

}  // namespace procpool::detail::client
