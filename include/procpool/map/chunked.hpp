// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Chunked: runs a function over a range on the workers, chunk by chunk, and gives the results to a sink.

#include <procpool/map/chunk.hpp>
#include <procpool/map/chunk_call.hpp>
#include <procpool/map/chunk_input.hpp>
#include <procpool/map/wrapped.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>

namespace procpool::inline v0::detail::map {

/// One call of map() or its relatives.
/// Sink: static constexpr Results mode; void* address(first) where mode is shared; take(first, count, Reader&) where it
/// is copied or folded; take_apart(first, count, Reader&) and end() where it is folded; fail(index, exception_ptr) if
/// it has static constexpr bool keeps_errors.
template <class F, class Item, Items items, class Range, class Sink>
class Chunked final : public ChunkCall {
    using Input = ChunkInput<Item, items, Range>;
    static constexpr bool keeps_errors = requires { requires Sink::keeps_errors; };

public:
    /// Lifetime: the references outlive it. Throws: std::invalid_argument; as check_callable(); PoolClosed and its
    /// like.
    Chunked(client::Client& client, const MapOptions& options, const F& f, Range& range, Sink& sink,
            Pace pace = Pace::call, const Orders& orders = Orders::none())
        : ChunkCall(client, options, pace, orders,
                    {.code = chunk_code<F, Item, items, Sink::mode>,
                     .items = size_if_known(range),
                     .bytes_per_item = items == Items::copied ? sizeof(Item) : 0,
                     .keeps_errors = keeps_errors,
                     .folds = Sink::mode == Results::folded,
                     .frames = Input::frames}),
          f_(f),
          sink_(sink),
          input_(range) {
        check_callable(client, f);
    }

private:
    [[nodiscard]] bool is_at_end() override { return input_.is_at_end(); }
    void encode_items(Writer& out, std::size_t wanted, ChunkHead& head) override {
        if constexpr (Sink::mode == Results::shared) {
            head.results = reinterpret_cast<std::uint64_t>(sink_.address(submitted()));
        }
        input_.encode(out, f_, wanted, head);
    }
    [[nodiscard]] std::exception_ptr take_input_error() noexcept override { return input_.take_error(); }
    void take_values([[maybe_unused]] std::size_t first, [[maybe_unused]] std::size_t count,
                     [[maybe_unused]] Reader& in, [[maybe_unused]] bool apart) override {
        if constexpr (Sink::mode == Results::folded) {
            if (apart) {
                sink_.take_apart(first, count, in);
                return;
            }
        }
        if constexpr (Sink::mode == Results::copied || Sink::mode == Results::folded) { sink_.take(first, count, in); }
    }
    void end_values() override {
        if constexpr (Sink::mode == Results::folded) { sink_.end(); }
    }
    void keep_error([[maybe_unused]] std::size_t index, [[maybe_unused]] const std::exception_ptr& error) override {
        if constexpr (keeps_errors) { sink_.fail(index, error); }
    }

    const F& f_;
    Sink& sink_;
    Input input_;
};

}  // namespace procpool::detail::map
