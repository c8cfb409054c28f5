// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/stored_value.hpp>

#include <procpool/client/call_memory.hpp>
#include <procpool/client/client.hpp>
#include <procpool/client/encoding.hpp>
#include <procpool/client/listed_references.hpp>
#include <procpool/codec/plain.hpp>
#include <procpool/core/error.hpp>
#include <procpool/task/board.hpp>
#include <procpool/task/thread_context.hpp>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::client {

[[noreturn, gnu::cold]] PROCPOOL_DECL void throw_empty_ref() {
    throw std::logic_error("procpool: this Ref has been moved from");
}

[[noreturn, gnu::cold]] PROCPOOL_DECL void throw_foreign_ref() {
    throw std::logic_error(
        "procpool: this Ref is of the process that called put(), and cannot be used here: pass it as an argument, or "
        "look at its value there before this process is forked");
}

[[noreturn, gnu::cold]] inline void throw_given_up() {
    throw std::logic_error(
        "procpool: this Ref is used after the last handle in the process that called put(), and the last task with it");
}

PROCPOOL_DECL StoredValue::StoredValue(Client& home) : home_(home), encoded_for_(home.place_of()) {}

PROCPOOL_DECL StoredValue::StoredValue(const task::Extents& memory, std::uint64_t number,
                                       std::span<const std::byte> bytes)
    : memory_(&memory),
      number_(number),
      bytes_(bytes),
      has_bytes_(true) {}

PROCPOOL_DECL StoredValue::StoredValue(std::span<const std::byte> bytes)
    : has_bytes_(true),
      own_(bytes.begin(), bytes.end()) {
    bytes_ = own_;
}

PROCPOOL_DECL StoredValue::~StoredValue() {
    for (const Place& place : places_) { give_up(place); }
}

PROCPOOL_DECL void StoredValue::give_up(const Place& place) noexcept {
    if (!place.pool.is_mine()) { return; }
    if (place.pool->has_pool()) {
        place.pool->end_call(place.memory, {});
    } else {
        place.pool->board().arguments.extents().release(place.memory);
    }
}

PROCPOOL_DECL void StoredValue::encode_at_home() {
    if (!home_->board().control.shares_memory) {
        places_.push_back(encode_for(*home_));
        memory_ = &home_->board().arguments.extents();
        number_ = places_.front().number;
        bytes_ = places_.front().bytes;
    } else {
        own_.resize(256);
        Writer out{own_, codec::grow_vector, &own_, home_->place_of()};
        encode(out);
        own_.resize(out.size());
        bytes_ = own_;
    }
    has_bytes_ = true;
}

[[gnu::cold]] PROCPOOL_DECL void StoredValue::require_home() const {
    if (!home_->has_pool()) { throw std::logic_error("procpool: the pool is gone that this Ref's value was put to"); }
}

PROCPOOL_DECL bool StoredValue::had_bytes() const noexcept {
    return memory_ == nullptr || memory_->is_of_call(bytes_.data(), number_);
}

PROCPOOL_DECL std::span<const std::byte> StoredValue::bytes() const {
    require_pool();
    if (!had_bytes()) { throw_given_up(); }
    return bytes_;
}

PROCPOOL_DECL void StoredValue::write(Writer& out) {
    require_pool();
    const Encoding* const arguments = Encoding::of(out);
    if (arguments == nullptr) { return write_bytes(out); }
    if (!is_mine()) { throw_foreign_ref(); }
    Client& client = arguments->client();
    StoredValueAt at{StoredValueAt::Where::here, 0, reinterpret_cast<std::uint64_t>(this), 0};
    if (!client.board().control.shares_memory) { at = place_on(client); }
    client.note_values();
    arguments->values().add(shared_from_this());
    codec::encode_plain(out, at);
}

PROCPOOL_DECL Reference StoredValue::reference_for(const Client& client) const {
    const std::lock_guard guard{mutex_};
    const auto place = std::ranges::find(places_, &client, [](const Place& one) { return one.pool.get(); });
    return {place->number, reinterpret_cast<std::uintptr_t>(place->bytes.data()), place->bytes.size()};
}

PROCPOOL_DECL Reference reference_of(const void* value, const Client& client) {
    return static_cast<const StoredValue*>(value)->reference_for(client);
}

PROCPOOL_DECL StoredValueAt StoredValue::place_on(Client& client) {
    const auto at = [](std::uint64_t number, std::span<const std::byte> bytes) {
        return StoredValueAt{StoredValueAt::Where::on_board, number, reinterpret_cast<std::uint64_t>(bytes.data()),
                             bytes.size()};
    };
    if (memory_ != nullptr && home_.get() == &client) { return at(number_, bytes_); }
    const std::lock_guard guard{mutex_};
    for (const Place& place : places_) {
        if (place.pool.get() == &client) { return at(place.number, place.bytes); }
    }
    std::erase_if(places_, [](const Place& one) {
        if (one.pool->has_pool()) { return false; }
        give_up(one);
        return true;
    });
    const Place& place = places_.emplace_back(encode_for(client));
    return at(place.number, place.bytes);
}

/// Returns: the value in memory of that client.
PROCPOOL_DECL StoredValue::Place StoredValue::encode_for(Client& client) const {
    CallMemory memory{client};
    Writer out{{}, CallMemory::grow, &memory, client.place_of()};
    if (has_bytes_ && encoded_for_ == client.place_of()) {
        const std::span<const std::byte> known = bytes();
        out.write(known.data(), known.size());
    } else {
        encode(out);
    }
    if (memory.empty()) {
        static_cast<void>(CallMemory::grow(&memory, {}, 0, 1));
    }  // which tells that it has not ended
    memory.trim(out.size());
    Place place{ClientRef{client}, memory.call(), memory.run(), {memory.data(), out.size()}};
    static_cast<void>(memory.detach());
    return place;
}

PROCPOOL_DECL void StoredValue::write_bytes(Writer& out) const {
    const std::size_t start = out.size();
    StoredValueAt at{StoredValueAt::Where::follows, 0, 0, 0};
    codec::encode_plain(out, at);
    const std::size_t begin = out.size();
    if (has_bytes_ && encoded_for_ == out.where()) {
        const std::span<const std::byte> known = bytes();
        out.write(known.data(), known.size());
    } else {
        encode(out);
    }
    at.size = out.size() - begin;
    std::memcpy(out.buffer().data() + start, &at, sizeof at);
}

PROCPOOL_DECL StoredValueAt read_stored(Reader& in) { return codec::decode_plain<StoredValueAt>(in); }

[[nodiscard]] inline task::TaskContext& context_of_task() {
    if (task::thread_context.task == nullptr) {
        throw CodecError("procpool: a Ref that has come as an argument is decoded outside of its task");
    }
    return *task::thread_context.task;
}

PROCPOOL_DECL std::shared_ptr<const void> kept_stored(const StoredValueAt& at) {
    return context_of_task().kept_value(at.number);
}

PROCPOOL_DECL std::span<const std::byte> bytes_of_stored(const StoredValueAt& at) {
    return bytes_here(context_of_task().board_of_task(), {at.number, at.place, at.size});
}

PROCPOOL_DECL void keep_stored(const StoredValueAt& at, std::span<const std::byte> bytes,
                               std::shared_ptr<const void> value) {
    context_of_task().keep_value(at.number, bytes.data(), std::move(value));
}

PROCPOOL_DECL const task::Extents& memory_of_task() { return context_of_task().board_of_task().arguments.extents(); }

}  // namespace procpool::detail::client
