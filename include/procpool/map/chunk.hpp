// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// A chunk: the task in which a worker calls one function for a few items of a map.

#include <procpool/codec/call.hpp>
#include <procpool/codec/exception.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/map/chunk_head.hpp>
#include <procpool/map/outcome.hpp>
#include <procpool/map/wrapped.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/worker/task_frame.hpp>

#include <algorithm>
#include <array>
#include <atomic>
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

namespace procpool::inline v0::detail::map {

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
    static constexpr bool folds = results == Results::folded;
    static constexpr std::uint64_t largest_block =
        64;  // what a death may cost where items take next to nothing: a promise
    /// Each item adds to the bytes of the result, so that how many count must be said with each that is counted.
    static constexpr bool leaves_bytes =
        (results == Results::copied || results == Results::folded) && !std::is_void_v<Result> && !plain_results;
    /// Results of one size are kept here until it is certain that this is the worker, and not a child that an item has
    /// forked: the loop stores nothing that others see, so that it can be vectorized. Larger ones are looked at one by
    /// one.
    static constexpr bool stores_results = plain_results || (results == Results::shared && !std::is_void_v<Result>);
    static constexpr std::size_t largest_buffered = 64;
    static constexpr bool buffers = [] {
        if constexpr (stores_results) {
            return sizeof(Result) <= largest_buffered;
        } else {
            return false;
        }
    }();
    static constexpr std::size_t buffer_size = [] {
        if constexpr (buffers) {
            return largest_block * sizeof(Result);
        } else {
            return 1;
        }
    }();
    struct Nothing {};
    template <class Folded>
    struct Folds {
        using type = Nothing;
    };
    template <Wrapper Folded>
    requires folds struct Folds<Folded> {
        using type = Accumulator<Folded>;
    };

public:
    explicit ChunkRun(TaskFrame& frame)
        : frame_(frame),
          in_(frame.arguments),
          head_(decode_plain<ChunkHead>(in_)),
          f_(decode_callable<F>(in_)),
          items_(frame.arguments.data() + frame.arguments.size() - in_.remaining()),
          done_(head_.skip),
          limit_(frame.host.wiped_word() != nullptr ? *frame.host.wiped_word() : own_limit_) {
        if constexpr (items != Items::in_place) {
            if constexpr (takes_stop_token_v<F, Item>) { stop_ = frame.host.stop_token(); }
        }
    }

    void operator()() {
        report_.completed = done_;
        encode_plain(frame_.result, report_);
        if constexpr (plain_results) { results_ = frame_.result.claim((head_.count - head_.skip) * sizeof(Result)); }
        whole_ = sizeof(ChunkReport);
        frame_.host.start_items(static_cast<unsigned>(head_.attempt));
        std::exception_ptr error;
        try {
            if constexpr (folds) {
                if (head_.carry != 0) {
                    Reader carried{frame_.arguments.last(head_.carry)};
                    folded_.resume(carried);
                }
            }
            skip_items();
            run_all();
            if constexpr (folds) {
                if (folded_.has_value()) {
                    folded_.encode(frame_.result);
                    whole_ = frame_.result.size();
                }
            }
        } catch (...) {
            error = std::current_exception();
            if (!error) { throw; }  // pthread_exit()
        }
        if (error) { note_failure(error); }
        note_progress();
        frame_.result.rewind(whole_);
    }

private:
    /// Accounts for items block by block: one by one, or by up to 64 of them where they take under 100 ns. The clock is
    /// looked at every few microseconds, after one block or several: it takes time itself, and waits for all memory
    /// accesses that are under way.
    void run_all() {
        constexpr std::uint64_t most_blocks = 32;
        constexpr std::chrono::nanoseconds cheap{100};
        constexpr std::chrono::microseconds often{2};
        constexpr std::chrono::milliseconds longest_brief{1};
        const Clock::time_point start = Clock::now();
        Clock::time_point last = start;
        std::uint64_t block = 1;
        std::uint64_t blocks = 1;
        const std::uint64_t budget = frame_.host.item_budget();
        const std::uint64_t first = done_;
        const std::uint64_t end = head_.count - done_ > budget ? done_ + budget : head_.count;
        while (done_ < end && !frame_.host.stop_requested() && (done_ == first || frame_.host.item_budget() != 0)) {
            const std::uint64_t before = done_;
            try {
                if (blocks == 1) {
                    run_block(std::min(end, done_ + block));
                } else {
                    run_blocks(block, std::min(end, done_ + block * blocks));
                }
            } catch (...) {
                const std::exception_ptr error = std::current_exception();
                if (!error || (head_.flags & ChunkHead::goes_on) == 0) { throw; }
                if (report_.error_at == 0) { note_failure(error); }
                ++done_;
            }
            const Clock::time_point now = Clock::now();
            report_.nanoseconds = static_cast<std::uint64_t>((now - start).count());
            note_progress();
            const auto elapsed = now - last;
            if ((head_.flags & ChunkHead::exact) == 0) {
                block = elapsed < cheap * static_cast<std::int64_t>(done_ - before) ? std::min(block * 2, largest_block)
                                                                                    : 1;
            }
            blocks = elapsed < often ? std::min(blocks * 2, most_blocks) : std::max(blocks / 2, std::uint64_t{1});
            if ((head_.flags & ChunkHead::brief) != 0 && now - start > longest_brief) { return; }
            last = now;
        }
    }

    void run_blocks(std::uint64_t block, std::uint64_t end) {
        const bool cheapest = block == largest_block && !leaves_bytes;
        if constexpr (plain_results) {
            if (cheapest && report_.error_at == 0) {
                seal(sizeof(ChunkReport) + (end - head_.skip) * sizeof(Result));
            }  // as if all were there
        }
        // Blocks end at multiples of their size, so that loops that the compiler vectorizes find their items aligned.
        for (std::uint64_t next = (done_ / block + 1) * block;; next += block) {
            run_block(std::min(next, end));
            if (next >= end) { return; }
            if (cheapest) {
                note_completed();
            } else {
                note_progress();
            }
            if (frame_.host.stop_requested() || frame_.host.item_budget() == 0) { return; }
        }
    }

    /// Effects: the item that would have been next has failed. Its error lies behind all results there are, and, where
    /// room for all results was claimed, behind that.
    void note_failure(const std::exception_ptr& error) {
        leave_if_impostor();
        const bool more_results = plain_results && (head_.flags & ChunkHead::goes_on) != 0;
        const std::size_t claimed =
            more_results ? static_cast<std::size_t>(head_.count - head_.skip) * sizeof_result() : 0;
        set_whole();
        const std::size_t at = std::max(whole_, sizeof(ChunkReport) + claimed);
        frame_.result.rewind(at);
        encode_exception(frame_.result, error);
        whole_ = frame_.result.size();
        if constexpr (plain_results) {
            results_ = frame_.result.buffer().data() + sizeof(ChunkReport);
        }  // the buffer may have grown
        report_.failed_item = done_;
        report_.error_at = at;
    }

    [[nodiscard]] static constexpr std::size_t sizeof_result() noexcept {
        if constexpr (plain_results) {
            return sizeof(Result);
        } else {
            return 0;
        }
    }

    void set_whole() noexcept {
        if constexpr (plain_results) {
            if (report_.error_at == 0) { whole_ = sizeof(ChunkReport) + (done_ - head_.skip) * sizeof(Result); }
        }
    }

    /// What is finished now is what is left if the worker dies.
    void note_progress() {
        set_whole();
        seal(whole_);
        note_completed<sizeof(ChunkReport)>();
    }

    /// Effects: the task's result is so many bytes of what has been written.
    void seal(std::size_t bytes) {
        const std::size_t size = frame_.result.size();
        frame_.result.rewind(bytes);
        frame_.host.finish_items(done_ - head_.skip, frame_.result);
        frame_.result.rewind(size);
    }

    /// Effects: so many bytes of the report are there. What else it says than `completed`, which is the first, changes
    /// only with a look at the clock and with an error.
    template <std::size_t bytes = sizeof(ChunkReport::completed)>
    void note_completed() noexcept {
        std::atomic_signal_fence(
            std::memory_order_seq_cst);  // last: it must not speak of results that are not there if the worker dies
        report_.completed = done_;
        std::memcpy(frame_.result.buffer().data(), &report_, bytes);
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }

    void skip_items() {
        if constexpr (items == Items::copied && !copied_plain) {
            for (std::uint64_t i = 0; i < done_; ++i) {
                if ((head_.flags & ChunkHead::framed) != 0) {
                    skip_framed(in_);
                } else {
                    static_cast<void>(decode_arguments<F, Item>(in_));
                }
            }
        }
    }

    /// Where results of one size go; a copy of its own for each block, for the same reason as run_each()'s count.
    struct Output {
        std::byte* first;
        std::uint64_t skip;
    };
    [[nodiscard]] Output output() const noexcept {
        if constexpr (results == Results::shared) { return {reinterpret_cast<std::byte*>(head_.results), 0}; }
        return {results_, head_.skip};
    }
    /// They are folded.
    struct Sum {
        typename Folds<F>::type& folded;
    };

    /// A child that an item has forked finds the limit to be 0: it runs no other item, and stores nothing.
    void run_block(std::uint64_t end) {
        limit_ = os::Wiped{end};
        if constexpr (folds) {
            fold_block_of(end);
        } else if constexpr (buffers) {
            alignas(Result) std::array<std::byte, buffer_size> buffer;
            const std::uint64_t first = done_;
            try {
                run_items(Output{buffer.data(), first});
            } catch (...) {
                store_results(buffer.data(), first);
                throw;
            }
            store_results(buffer.data(), first);
        } else {
            run_items(output());
            leave_if_impostor();
        }
    }

    /// Effects: as run_block(), but no further than the end of the block of items that are folded together.
    void fold_block_of(std::uint64_t end) {
        if ((head_.flags & ChunkHead::apart) != 0) {
            run_items(output());
            leave_if_impostor();
            return;
        }
        limit_ = os::Wiped{std::min(end, done_ - done_ % fold_block + fold_block)};
        if constexpr (std::is_trivially_copyable_v<typename F::Value>) {
            struct InRegisters {
                Accumulator<F>& home;
                Accumulator<F> sum = home;
                ~InRegisters() { home = sum; }  // also when an item throws
            } here{folded_};
            run_items(Sum{here.sum});
        } else {
            run_items(Sum{folded_});
        }
        leave_if_impostor();
        if (done_ % fold_block == 0 || done_ == head_.count) {
            folded_.encode(frame_.result);
            whole_ = frame_.result.size();
            folded_.reset();
        }
    }

    void leave_if_impostor() {
        if (limit_ == os::Wiped{0}) [[unlikely]] { frame_.host.leave_if_impostor(); }
    }

    /// Effects: the results of items from `first` on are where they belong.
    void store_results(const std::byte* from, std::uint64_t first) {
        leave_if_impostor();
        const Output out = output();
        std::byte* const to = out.first + (first - out.skip) * sizeof(Result);
        if (done_ - first == 1) {
            std::memcpy(to, from, sizeof(Result));
        } else {
            std::memcpy(to, from, (done_ - first) * sizeof(Result));
        }
    }

    template <class Out>
    void run_items(Out out) {
        if constexpr (items == Items::copied && !copied_plain) {
            for (; done_ < static_cast<std::uint64_t>(limit_); ++done_) {
                if constexpr (is_caught_v<F>) {  // the Outcome holds what decoding throws, too
                    finish_item(out, done_, [&] {
                        return with_next_item(
                            [&](auto& arguments) { return Result(invoke_call<F, Item>(f_, arguments, stop_)); });
                    });
                } else {
                    with_next_item([&](auto& arguments) {
                        finish_item(out, done_,
                                    [&]() -> decltype(auto) { return invoke_call<F, Item>(f_, arguments, stop_); });
                    });
                }
            }
        } else if constexpr (items == Items::copied) {
            const std::byte* const bytes = items_;
            run_each([&](std::uint64_t i) { call_with(out, i, value_from_bytes<Item>(bytes + i * sizeof(Item))); });
        } else if constexpr (items == Items::shared) {
            const auto* const all = reinterpret_cast<const Item*>(head_.items);
            run_each([&](std::uint64_t i) { call_with(out, i, Item(all[i])); });
        } else {
            auto* const all = reinterpret_cast<Item*>(head_.items);
            run_each([&](std::uint64_t i) { std::invoke(f_, all[i]); });
        }
    }

    /// Effects: step(i) for each item before the limit. They are counted in a register, which nothing that an item
    /// writes can alias. The limit is read for each item whose code the compiler does not see: that might fork.
    template <class Step>
    void run_each(Step step) {
        const os::Wiped* const limit = &limit_;
        struct Count {
            std::uint64_t& done;
            std::uint64_t i = done;
            ~Count() { done = i; }  // also when an item throws
        } count{done_};
        for (; count.i < static_cast<std::uint64_t>(*limit); ++count.i) { step(count.i); }
    }

    template <class Use>
    auto with_next_item(Use use) {
        const auto decode_and_use = [&](Reader& in) {
            arguments_t<F, Item> arguments{decode_arguments<F, Item>(in)};
            return use(arguments);
        };
        return (head_.flags & ChunkHead::framed) != 0 ? decode_framed(in_, decode_and_use) : decode_and_use(in_);
    }

    template <class Out>
    void call_with(Out out, std::uint64_t i, Item item) {
        if constexpr (Call<F, Item>::form == CallForm::direct) {
            finish_item(out, i, [&]() -> decltype(auto) { return std::invoke(f_, std::move(item)); });
        } else {
            std::tuple<Item> arguments{std::move(item)};
            finish_item(out, i, [&]() -> decltype(auto) { return invoke_call<F, Item>(f_, arguments, stop_); });
        }
    }

    template <class Out, class Invoke>
    void finish_item(Out out, std::uint64_t i, Invoke invoke) {
        if constexpr (results == Results::none || std::is_void_v<Result>) {
            static_cast<void>(invoke());
        } else if constexpr (std::is_same_v<Out, Sum>) {
            out.folded.add(f_, invoke());
        } else if constexpr (stores_results) {
            const Result result = invoke();
            if constexpr (!buffers) { leave_if_impostor(); }
            std::memcpy(out.first + (i - out.skip) * sizeof(Result), std::addressof(result), sizeof(Result));
        } else if constexpr (is_caught_v<F>) {
            try {
                const auto& result = invoke();
                leave_if_impostor();
                encode_result<Result>(frame_.result, result);
            } catch (...) {
                const std::exception_ptr error = std::current_exception();
                if (!error) { throw; }
                leave_if_impostor();
                frame_.result.rewind(whole_);
                encode_result<Result>(frame_.result, Result::failed(error));
            }
            whole_ = frame_.result.size();
        } else {
            const auto& result = invoke();
            leave_if_impostor();
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
    std::stop_token stop_;
    os::Wiped own_limit_{};
    os::Wiped& limit_;  ///< the items before it are run
    [[no_unique_address]] typename Folds<F>::type folded_;
};

template <class F, class Item, Items items, Results results>
void chunk_code(TaskFrame& frame) {
    ChunkRun<F, Item, items, results>{frame}();
}

}  // namespace procpool::detail::map
