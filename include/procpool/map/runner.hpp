// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ChunkRunner: runs the items of one chunk in the worker, and accounts for them. chunk_code(): the task that does it.

#include <procpool/codec/bytes.hpp>
#include <procpool/codec/call.hpp>
#include <procpool/codec/callable.hpp>
#include <procpool/core/config.hpp>
#include <procpool/map/chunk_function.hpp>
#include <procpool/map/kept.hpp>
#include <procpool/map/outcome.hpp>
#include <procpool/map/seeded.hpp>
#include <procpool/map/wire.hpp>
#include <procpool/map/wrapped.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/throw_place.hpp>
#include <procpool/task/thread_context.hpp>
#include <procpool/worker/task_frame.hpp>
#include <procpool/worker/throw_report.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::map {

/// Knows no type of the user's. Called by: the worker, for one task.
class ChunkRunner {
public:
    ChunkRunner(const ChunkRunner&) = delete;
    ChunkRunner& operator=(const ChunkRunner&) = delete;

    /// Effects: runs the items, and leaves the report and the results in the frame.
    void run();

protected:
    static constexpr std::uint64_t largest_block =
        64;  // the cost of a death where items take next to nothing: a promise

    /// result_size: of each result behind the report, where all are of one size, and 0 elsewhere. adds_bytes: each item
    /// adds to the bytes of the result, so that their number must be noted with each item that is counted.
    ChunkRunner(TaskFrame& frame, std::size_t result_size, bool adds_bytes);
    ~ChunkRunner() = default;

    /// Effects: reads on to the first item that is run.
    virtual void begin_items() = 0;
    /// Effects: runs items up to `end`, or stops before it, and counts them in done_; accounts for them after each
    /// block, all but the last. block: its size; 0 for a single block. cheapest: blocks take next to nothing.
    virtual void run_blocks(std::uint64_t end, std::uint64_t block, bool cheapest) = 0;
    /// Effects: writes what is left to write when all items have run.
    virtual void end_items() = 0;

    void leave_if_impostor() {
        if (limit_ == os::Wiped{0}) [[unlikely]] { host_.leave_if_impostor(); }
    }

    /// Effects: accounts for the items of a block. Returns: whether the next block may begin.
    [[nodiscard, gnu::always_inline]] bool end_block(bool cheapest) {
        if (cheapest) {
            note_completed<sizeof(ChunkReport::completed)>();
            return !host_.stop_requested() && host_.item_budget() != 0;
        }
        set_whole();
        const bool goes_on = seal(whole_);
        note_completed<sizeof(ChunkReport::completed)>();
        return goes_on;
    }

    const std::span<const std::byte> arguments_;
    Writer& out_;
    task::TaskContext& host_;
    Reader in_;
    const ChunkHead head_;
    std::byte* results_ = nullptr;
    std::uint64_t done_;
    std::size_t whole_ = 0;  ///< size of the result without an item that is being encoded
    os::Wiped own_limit_{};
    os::Wiped& limit_;  ///< the items before it are run

private:
    [[nodiscard]] bool run_all();
    void note_failure(const std::exception_ptr& error);
    bool note_progress();

    [[gnu::always_inline]] void set_whole() noexcept {
        if (result_size_ != 0 && report_.error_at == 0) {
            whole_ = sizeof(ChunkReport) + (done_ - head_.skip) * result_size_;
        }
    }
    /// Effects: the first `bytes` that have been written are the task's result. Returns: whether the next item may
    /// begin.
    [[gnu::always_inline]] bool seal(std::size_t bytes) {
        const std::size_t size = out_.size();
        out_.rewind(bytes);
        const bool goes_on = host_.finish_items(done_ - head_.skip, out_);
        out_.rewind(size);
        return goes_on;
    }
    /// Effects: writes the first `bytes` of the report. All but `completed`, which is the first, changes only with a
    /// look at the clock and with an error.
    template <std::size_t bytes>
    void note_completed() noexcept {
        // Last: it must not speak of results that are not there if the worker dies.
        std::atomic_signal_fence(std::memory_order_seq_cst);
        report_.completed = done_;
        std::memcpy(out_.buffer().data(), &report_, bytes);
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }

    ChunkReport report_{};
    const std::size_t result_size_;
    const bool adds_bytes_;
};

/// The result of f for an item: void, or the type as which it arrives.
template <class F, class Item, Items items>
struct item_result {
    using type = codec::task_result_t<F, Item>;
};
template <class F, class Item>
struct item_result<F, Item, Items::in_place> {
    using type = std::remove_cvref_t<std::invoke_result_t<F&, Item&>>;
};

/// Calls a function for one item after the other.
template <class F, class Item, Items items, Results results>
class TypedChunkRunner final : public ChunkRunner {
    using Result = typename item_result<F, Item, items>::type;
    static constexpr bool copied_plain = codec::is_plain_v<Item> && !std::is_empty_v<Item>;
    static constexpr bool folds = results == Results::folded;

    static constexpr bool plain_results = [] {
        if constexpr (results == Results::copied) { return codec::is_plain_v<Result> && !std::is_empty_v<Result>; }
        return false;
    }();
    static constexpr bool adds_bytes =
        (results == Results::copied || results == Results::folded) && !std::is_void_v<Result> && !plain_results;
    /// Results of one size are kept here until it is certain that this is the worker, and not a child that an item has
    /// forked: the loop stores nothing that others see, so that it can be vectorized. Larger ones are looked at one by
    /// one.
    static constexpr bool stores_results = plain_results || (results == Results::shared && !std::is_void_v<Result>);
    static constexpr std::size_t size_of_result = [] {
        if constexpr (stores_results) { return sizeof(Result); }
        return std::size_t{0};
    }();
    static constexpr std::size_t largest_buffered = 64;
    static constexpr bool buffers = stores_results && size_of_result <= largest_buffered;

    /// Not between a generator's being given to the function and the call: decoding may run any code.
    static constexpr bool decodes_where_passed = codec::decodes_where_passed_v<F, Item> && !is_seeded_v<F>;

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
    explicit TypedChunkRunner(TaskFrame& frame)
        : ChunkRunner(frame, plain_results ? size_of_result : 0, adds_bytes),
          random_(in_),
          function_(in_, head_, host_),
          items_(head_.items != 0 ? reinterpret_cast<const std::byte*>(head_.items)
                                  : arguments_.data() + arguments_.size() - in_.remaining()) {
        if constexpr (items != Items::in_place) {
            if constexpr (codec::takes_stop_token_v<F, Item>) { stop_ = host_.stop_token(); }
        }
    }

private:
    void begin_items() override {
        if constexpr (folds) {
            if (head_.carry != 0) {
                Reader carried{arguments_.last(head_.carry)};
                folded_.resume(carried);
            }
        }
        if constexpr (items == Items::copied && !copied_plain) {
            for (std::uint64_t i = 0; i < done_; ++i) {
                if ((head_.flags & ChunkHead::framed) != 0) {
                    skip_framed(in_);
                } else {
                    static_cast<void>(codec::decode_arguments<F, Item>(in_));
                }
            }
        }
    }

    void end_items() override {
        if constexpr (folds) {
            if (folded_.has_value()) {
                folded_.encode(out_);
                whole_ = out_.size();
            }
        }
    }

    /// Blocks end at multiples of their size, so that loops that the compiler vectorizes find their items aligned.
    [[gnu::always_inline]] void run_blocks(std::uint64_t end, std::uint64_t block, bool cheapest) override {
        for (std::uint64_t next = block == 0 ? end : (done_ / block + 1) * block;; next += block) {
            run_block(std::min(next, end));
            if (next >= end || !end_block(cheapest)) { return; }
        }
    }

    /// A child that an item has forked finds the limit to be 0: it runs no other item, and stores nothing.
    [[gnu::always_inline]] void run_block(std::uint64_t end) {
        limit_ = os::Wiped{end};
        if constexpr (folds) {
            fold_block_of(end);
        } else if constexpr (buffers) {
            alignas(Result) std::array<std::byte, largest_block * size_of_result> buffer;
            const struct Store {
                TypedChunkRunner& runner;
                const std::byte* from;
                std::uint64_t first;
                ~Store() { runner.store_results(from, first); }  // also when an item throws
            } at_end{*this, buffer.data(), done_};
            run_items(Output{buffer.data(), done_});
        } else {
            run_items(output());
            leave_if_impostor();
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
    /// Where results that are folded go.
    struct Sum {
        typename Folds<F>::type& folded;
    };

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
            folded_.encode(out_);
            whole_ = out_.size();
            folded_.reset();
        }
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
                if constexpr (is_as_outcome_v<F>) {  // the Outcome holds the errors of
                                                     // decoding, too
                    finish_item(out, done_, [&] {
                        return with_next_item([&](auto& arguments) {
                            random_.begin(done_, f());
                            return Result(codec::invoke_call<Callee, Item>(f(), arguments, stop_));
                        });
                    });
                } else {
                    with_next_item([&](auto& arguments) {
                        finish_item(out, done_, [&]() -> decltype(auto) {
                            random_.begin(done_, f());
                            return codec::invoke_call<Callee, Item>(f(), arguments, stop_);
                        });
                    });
                }
            }
        } else if constexpr (items == Items::copied) {
            const std::byte* const bytes = items_;
            run_each(
                [&](std::uint64_t i) { call_with(out, i, codec::value_from_bytes<Item>(bytes + i * sizeof(Item))); });
        } else if constexpr (items == Items::shared) {
            const auto* const all = reinterpret_cast<const Item*>(head_.items);
            run_each([&](std::uint64_t i) { call_with(out, i, Item(all[i])); });
        } else {
            auto* const all = reinterpret_cast<Item*>(head_.items);
            run_each([&](std::uint64_t i) {
                random_.begin(i, f());
                std::invoke(f(), all[i]);
            });
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
            if constexpr (decodes_where_passed) {
                codec::EncodedArgument argument{in};
                return use(argument);
            } else {
                codec::arguments_t<F, Item> arguments{codec::decode_arguments<F, Item>(in)};
                return use(arguments);
            }
        };
        if ((head_.flags & ChunkHead::framed) != 0) {
            Reader item = take_framed(in_);
            return decode_and_use(item);
        }
        return decode_and_use(in_);
    }

    template <class Out>
    void call_with(Out out, std::uint64_t i, Item item) {
        random_.begin(i, f());
        if constexpr (codec::Call<F, Item>::form == codec::CallForm::direct) {
            finish_item(out, i, [&]() -> decltype(auto) { return std::invoke(f(), std::move(item)); });
        } else {
            std::tuple<Item> arguments{std::move(item)};
            finish_item(out, i,
                        [&]() -> decltype(auto) { return codec::invoke_call<Callee, Item>(f(), arguments, stop_); });
        }
    }

    template <class Out, class Invoke>
    void finish_item(Out out, std::uint64_t i, Invoke invoke) {
        if constexpr (results == Results::none || std::is_void_v<Result>) {
            static_cast<void>(invoke());
        } else if constexpr (std::is_same_v<Out, Sum>) {
            out.folded.add(f(), invoke());
        } else if constexpr (stores_results) {
            const Result result = invoke();
            if constexpr (!buffers) { leave_if_impostor(); }
            std::memcpy(out.first + (i - out.skip) * sizeof(Result), std::addressof(result), sizeof(Result));
        } else if constexpr (is_as_outcome_v<F>) {
            try {
                const auto& result = invoke();
                leave_if_impostor();
                codec::encode_result<Result>(out_, result);
            } catch (const os::NeverThrown&) { throw; } catch (...) {
                const std::exception_ptr error = std::current_exception();
                if (!error) { throw; }
                leave_if_impostor();
                worker::report_throw();
                out_.rewind(whole_);
                codec::encode_result<Result>(out_, Result::failed(error));
            }
            whole_ = out_.size();
        } else {
            const auto& result = invoke();
            leave_if_impostor();
            codec::encode_result<Result>(out_, result);
            whole_ = out_.size();
        }
    }

    using Function = ChunkFunction<F, may_be_large_v<F>, is_kept_v<F, Item, items == Items::in_place>>;
    using Callee = typename Function::Type;
    [[nodiscard]] Callee& f() noexcept { return function_.get(); }

    [[no_unique_address]] ItemRandom<is_seeded_v<F>> random_;
    Function function_;
    const std::byte* items_;
    std::stop_token stop_;
    [[no_unique_address]] typename Folds<F>::type folded_;
};

/// The code of a chunk's task.
template <class F, class Item, Items items, Results results>
void chunk_code(TaskFrame& frame) {
    TypedChunkRunner<F, Item, items, results>{frame}.run();
}

}  // namespace procpool::inline v0::detail::map

#if PROCPOOL_BODIES
#include <procpool/map/runner.ipp>
#endif
