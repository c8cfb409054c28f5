// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/pool/linked_call.hpp>

#include <procpool/client/failure.hpp>
#include <procpool/codec/exception.hpp>
#include <procpool/codec/plain.hpp>
#include <procpool/core/error.hpp>
#include <procpool/task/board.hpp>

#include <cstddef>
#include <exception>
#include <vector>

namespace procpool::inline v0::detail::pool {

/// Effects: the task ends in an exception whose bytes these are.
[[noreturn]] inline void end_in(TaskFrame& frame, std::span<const std::byte> exception) {
    frame.result.rewind(0);
    frame.result.write(exception.data(), exception.size());
    frame.outcome = Ending::exception;
    throw NoValue{};
}
[[noreturn]] inline void end_in(TaskFrame& frame, const std::exception_ptr& error) {
    frame.result.rewind(0);
    codec::encode_exception(frame.result, error);
    frame.outcome = Ending::exception;
    throw NoValue{};
}

/// Returns: the error of a task that has no result, from what workers can see of it.
[[nodiscard]] inline std::exception_ptr error_of_lost(const task::Board& board, std::uint32_t slot, task::Word word) {
    const task::Slot& task = board.all_slots()[slot];
    const task::Issue& issue = board.issue(slot);
    client::Failure failure{.ending = task.ending(word.phase())};
    failure.death = {task.pid, task.exit_status};
    if (failure.ending == Ending::died) {
        failure.death.crash = board.crashes.of(board.number_of(slot).load(std::memory_order_relaxed));
    }
    failure.death.excess = {issue.excess, board.control.kill_rss};
    if (issue.is_timed()) { failure.timeout = issue.time_limit(); }
    if (issue.has(task::Slot::labelled)) { failure.label = task::text_within(board.label(slot).text); }
    return client::error_of(failure, {}, board.from_workers.reason());
}

/// The result of a decided task in its slot: a value, the bytes of an exception, or what it is lost to.
struct ResultInSlot {
    std::span<const std::byte> bytes = {};
    bool is_exception = false;
    std::exception_ptr error = nullptr;

    [[nodiscard]] bool has_value() const noexcept { return !is_exception && error == nullptr; }
};
[[nodiscard]] inline ResultInSlot result_in(const task::Board& board, std::uint32_t slot, std::uint32_t number) {
    const task::Word word{board.all_slots()[slot].word.load(std::memory_order_acquire)};
    const auto found = static_cast<std::uint32_t>(board.number_of(slot).load(std::memory_order_acquire));
    if (found != number || !word.finished()) {  // a task has written there
        return {.error = std::make_exception_ptr(Error{"procpool: " + core::sentence(Ending::overwritten, {})})};
    }
    if (word.phase() != task::Phase::done) { return {.error = error_of_lost(board, slot, word)}; }
    return {board.results.payload(slot), board.all_slots()[slot].outcome == Ending::exception};
}

PROCPOOL_DECL void refuse_arrived() { throw CodecError("procpool: another task's result has other parts"); }

PROCPOOL_DECL Arrived arrive(Reader& in, TaskFrame& frame) {
    const auto at = codec::decode_plain<client::ResultAt>(in);
    // Another worker's result has the addresses that this one's may have.
    const codec::VisibilityOf where = frame.result.where();
    if (at == client::ResultAt::all) { return {{}, where, codec::decode_plain<std::uint64_t>(in)}; }
    if (at != client::ResultAt::slot) {
        const auto size = codec::decode_plain<std::uint64_t>(in);
        const std::span bytes{in.take(size), size};
        if (at == client::ResultAt::error) { end_in(frame, bytes); }
        return {bytes, where};
    }
    const auto slot = codec::decode_plain<std::uint32_t>(in);
    const auto number = codec::decode_plain<std::uint32_t>(in);
    const ResultInSlot result = result_in(frame.host.board_of_task(), slot, number);
    if (result.error) { end_in(frame, result.error); }
    if (result.is_exception) { end_in(frame, result.bytes); }
    return {result.bytes, where};
}

PROCPOOL_DECL std::vector<std::byte> with_results(const task::Board& board, std::uint32_t slot) {
    const std::span<const std::byte> arguments = board.arguments.payload(slot);
    constexpr std::size_t replaced = sizeof(client::ResultAt) + 2 * sizeof(std::uint32_t);
    std::vector<std::byte> bytes(arguments.size());
    Writer out{bytes, codec::grow_vector, &bytes};
    std::size_t done = 0;
    board.each_edge_of(slot, [&](const task::Edge& edge) {
        const std::size_t at = task::Edge::get(edge.offset);
        out.write(arguments.data() + done, at - done);
        done = at + replaced;
        const ResultInSlot result =
            result_in(board, task::Edge::get(edge.dependency), task::Edge::get(edge.dependency_number));
        codec::encode_plain(out, result.has_value() ? client::ResultAt::here : client::ResultAt::error);
        if (!result.error) {
            codec::encode_plain(out, std::uint64_t{result.bytes.size()});
            out.write(result.bytes.data(), result.bytes.size());
            return;
        }
        std::vector<std::byte> encoded(512);
        Writer error{encoded, codec::grow_vector, &encoded, codec::visibility_in_this_process};
        codec::encode_exception(error, result.error);
        codec::encode_plain(out, std::uint64_t{error.size()});
        out.write(encoded.data(), error.size());
    });
    out.write(arguments.data() + done, arguments.size() - done);
    bytes.resize(out.size());
    return bytes;
}

PROCPOOL_DECL void write_future(Writer& out, FutureBase& future, client::WriteDependency write, std::size_t& next) {
    const std::optional<std::size_t> parts = future::Argument::parts(future);
    if (!parts) { return write(next++); }
    codec::encode_plain(out, client::ResultAt::all);
    codec::encode_plain(out, std::uint64_t{*parts});
    future::Argument::each_part(future, [&](FutureBase& part, bool) { write_future(out, part, write, next); });
}

}  // namespace procpool::detail::pool
