// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// A chunk: the task in which a worker calls one function for a few items of a map.

#include <procpool/codec/call.hpp>
#include <procpool/codec/exception.hpp>
#include <procpool/codec/task_frame.hpp>
#include <procpool/core/deadline.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

namespace procpool::algorithm {

/// Where a chunk's items are.
enum class Items : std::uint8_t {
    copied,   ///< behind the callable
    shared,   ///< at an address that the worker has too
    in_place  ///< likewise, and the function changes them
};

/// Where its results go.
enum class Results : std::uint8_t {
    none,
    copied,  ///< behind the report
    shared   ///< to an address that the parent has too
};

/// What a chunk's arguments begin with; the callable follows, then the items.
struct ChunkHead {
    std::uint64_t skip;     ///< items that have been dealt with before
    std::uint64_t count;    ///< items, those included
    std::uint64_t items;    ///< address, unless copied
    std::uint64_t results;  ///< address, if shared
    std::uint64_t exact;    ///< 1: each item is accounted for by itself
    std::uint64_t attempt;  ///< of the item at `skip`
};

/// What a chunk's result begins with; the results of the items from `skip` to `completed` follow, then, if failed is 1, the exception of
/// the next item. Without it the chunk was asked to stop, or its worker may begin no more items, or died.
struct ChunkReport {
    std::uint64_t completed;
    std::uint64_t failed;
    std::uint64_t nanoseconds;
};

/// What f makes of an item: void, or the type as which its result arrives.
template <class F, class Item, Items items>
struct item_result {
    using type = task_result_t<F, Item>;
};
template <class F, class Item>
struct item_result<F, Item, Items::in_place> {
    using type = std::remove_cvref_t<std::invoke_result_t<F&, Item&>>;
};

/// Calls a function for one item after the other, in the worker.
template <class F, class Item, Items items, Results results>
class ChunkRun {
    using Result = typename item_result<F, Item, items>::type;
    static constexpr bool copied_plain = is_plain_v<Item> && !std::is_empty_v<Item>;
    static constexpr bool plain_results = [] {
        if constexpr (results == Results::copied) {
            return is_plain_v<Result> && !std::is_empty_v<Result>;
        } else {
            return false;
        }
    }();

public:
    explicit ChunkRun(TaskFrame& frame)
        : frame_(frame), in_(frame.arguments), head_(decode_plain<ChunkHead>(in_)), f_(decode_callable<F>(in_)),
          items_(frame.arguments.data() + frame.arguments.size() - in_.remaining()), done_(head_.skip) {}

    void operator()() {
        report_.completed = done_;
        encode_plain(frame_.result, report_);
        if constexpr (plain_results) { results_ = frame_.result.claim((head_.count - head_.skip) * sizeof(Result)); }
        whole_ = sizeof(ChunkReport);
        frame_.host.start_items(static_cast<unsigned>(head_.attempt));
        std::exception_ptr error;
        try {
            skip_items();
            run_all();
        } catch (...) {
            error = std::current_exception();
        }
        note_progress();
        frame_.result.rewind(whole_);
        if (error) {
            report_.failed = 1;
            write_report();
            encode_exception(frame_.result, error);
        }
    }

private:
    /// Accounts for items block by block; blocks grow while items are cheap, so that accounting costs little.
    void run_all() {
        constexpr std::uint64_t largest = 64;
        constexpr std::chrono::nanoseconds cheap{100};
        const Clock::time_point start = Clock::now();
        Clock::time_point last = start;
        std::uint64_t block = 1;
        const std::uint64_t budget = frame_.host.item_budget();
        const std::uint64_t end = head_.count - done_ > budget ? done_ + budget : head_.count;
        while (done_ < end && !frame_.host.stop_requested()) {
            const std::uint64_t before = done_;
            run_block(std::min(end, done_ + block));
            const Clock::time_point now = Clock::now();
            report_.nanoseconds = static_cast<std::uint64_t>((now - start).count());
            note_progress();
            if (head_.exact == 0) { block = now - last < cheap * static_cast<std::int64_t>(done_ - before) ? std::min(block * 2, largest) : 1; }
            last = now;
        }
    }

    /// What is finished now is what is left if the worker dies.
    void note_progress() {
        if constexpr (plain_results) { whole_ = sizeof(ChunkReport) + (done_ - head_.skip) * sizeof(Result); }
        const std::size_t size = frame_.result.size();
        frame_.result.rewind(whole_);
        frame_.host.finish_items(done_ - head_.skip, frame_.result);
        frame_.result.rewind(size);
        report_.completed = done_;  // last: it must not speak of results that are not there
        write_report();
    }

    void write_report() noexcept { std::memcpy(frame_.result.buffer().data(), &report_, sizeof report_); }

    void skip_items() {
        if constexpr (items == Items::copied && !copied_plain) {
            for (std::uint64_t i = 0; i < done_; ++i) { static_cast<void>(decode_arguments<F, Item>(in_)); }
        }
    }

    void run_block(std::uint64_t end) {
        if constexpr (items == Items::copied && !copied_plain) {
            for (; done_ < end; ++done_) {
                std::tuple<typename std::tuple_element<0, arguments_t<F, Item>>::type> arguments{decode_arguments<F, Item>(in_)};
                finish_item([&]() -> decltype(auto) { return invoke_call<F, Item>(f_, arguments, std::stop_token{}); });
            }
        } else if constexpr (items == Items::copied) {
            const std::byte* const bytes = items_;
            for (; done_ < end; ++done_) { call_with(value_from_bytes<Item>(bytes + done_ * sizeof(Item))); }
        } else if constexpr (items == Items::shared) {
            const auto* const all = reinterpret_cast<const Item*>(head_.items);
            for (; done_ < end; ++done_) { call_with(Item(all[done_])); }
        } else {
            auto* const all = reinterpret_cast<Item*>(head_.items);
            for (; done_ < end; ++done_) { std::invoke(f_, all[done_]); }
        }
    }

    void call_with(Item item) {
        if constexpr (Call<F, Item>::form == CallForm::direct) {
            finish_item([&]() -> decltype(auto) { return std::invoke(f_, std::move(item)); });
        } else {
            std::tuple<Item> arguments{std::move(item)};
            finish_item([&]() -> decltype(auto) { return invoke_call<F, Item>(f_, arguments, std::stop_token{}); });
        }
    }

    template <class Invoke>
    void finish_item(Invoke invoke) {
        if constexpr (results == Results::none || std::is_void_v<Result>) {
            static_cast<void>(invoke());
        } else if constexpr (results == Results::shared) {
            reinterpret_cast<Result*>(head_.results)[done_] = invoke();
        } else if constexpr (plain_results) {
            const Result result = invoke();
            std::memcpy(results_ + (done_ - head_.skip) * sizeof(Result), std::addressof(result), sizeof(Result));
        } else {
            const auto& result = invoke();
            encode_result<Result>(frame_.result, result);
            whole_ = frame_.result.size();
        }
    }

    TaskFrame& frame_;
    Reader in_;
    ChunkHead head_;
    F f_;
    const std::byte* items_;
    std::byte* results_ = nullptr;
    std::uint64_t done_;
    ChunkReport report_{};
    std::size_t whole_ = 0;  ///< size of the result without an item that is being encoded
};

template <class F, class Item, Items items, Results results>
void chunk_code(TaskFrame& frame) {
    ChunkRun<F, Item, items, results>{frame}();
}

}  // namespace procpool::algorithm
