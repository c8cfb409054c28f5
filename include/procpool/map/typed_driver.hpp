// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// TypedMapDriver: a MapDriver that reads a range, and writes its items as chunks.

#include <procpool/codec/callable.hpp>
#include <procpool/codec/padding.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/error.hpp>
#include <procpool/map/driver.hpp>
#include <procpool/map/input.hpp>
#include <procpool/map/kept.hpp>
#include <procpool/map/read_items.hpp>
#include <procpool/map/runner.hpp>
#include <procpool/map/seeded.hpp>
#include <procpool/map/wire.hpp>
#include <procpool/map/wrapped.hpp>
#include <procpool/persist/lasting.hpp>
#include <procpool/worker/with_state.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace procpool::inline v0::detail::map {

/// The sum of a block of items; void where they are not folded.
template <class F, Results results>
struct sum_of {
    using type = void;
};
template <class F>
struct sum_of<F, Results::folded> {
    using type = typename F::Value;
};

/// One call of map() or its relatives. Single pass: the range's begin() is called once.
template <class F, class Item, Items items, class Range, class Sink>
class TypedMapDriver final : public MapDriver {
    /// The items' bytes can be copied as one, or left where they are.
    static constexpr bool copies_block =
        items == Items::copied && std::ranges::contiguous_range<Range> && codec::is_plain_v<Item> &&
        !std::is_empty_v<Item> &&
        std::is_same_v<Item, std::remove_cvref_t<std::iter_reference_t<std::ranges::iterator_t<Range>>>>;
    /// Items need a size before them to be told apart.
    static constexpr bool frames = items == Items::copied && (!codec::is_plain_v<Item> || std::is_empty_v<Item>);

public:
    struct Mode {
        bool shares_items = false;  ///< they stay where they are, in shared memory; only if may_share_items
        DrivenBy driven_by = DrivenBy::caller;
        const StopRequest& request = StopRequest::never();
        std::optional<Deadline> expires = {};  ///< see MapDriver
    };
    /// Whether the code for items that are copied can also use them where they are.
    static constexpr bool may_share_items = copies_block;

    /// Lifetime: the references outlive it. Throws: std::invalid_argument; as check_callable(); PoolClosed and its
    /// like.
    TypedMapDriver(client::Client& client, const MapOptions& options, const F& f, Range& range, Sink& sink,
                   const Mode& mode = {})
        : MapDriver(client, options, sink,
                    {.code = chunk_code<F, Item, items, Sink::mode>,
                     .items = size_if_known(range),
                     .bytes_per_item = items == Items::copied && !mode.shares_items ? sizeof(Item) : 0,
                     .reads_at_once = reads_at_once_v<std::remove_cv_t<Range>>,
                     .keeps_errors = Sink::keeps_errors,
                     .folds = Sink::mode == Results::folded,
                     .frames = frames},
                    mode.driven_by, mode.request, mode.expires),
          f_(f),
          range_(range),
          next_(std::ranges::begin(range)),
          shares_items_(items != Items::copied || mode.shares_items) {
        if constexpr (items == Items::in_place) { refuse_hedge(options); }
        check_callable(client, f);
        if (options.journal) { open_journal_of_call(); }
    }

private:
    /// An item is left only when the next one is wanted, which may be long in coming. Throws: what the range throws.
    [[nodiscard]] bool is_at_end() override {
        if (std::exchange(is_taken_, false)) { ++next_; }
        return next_ == std::ranges::end(range_);
    }

    void encode_items(Writer& out, std::size_t wanted, ChunkHead& head) override {
        head.count = wanted;
        if constexpr (items != Items::copied || copies_block) {
            if (shares_items_) { head.items = reinterpret_cast<std::uint64_t>(std::to_address(next_)); }
        }
        codec::encode_plain(out, head);
        TypedMapDriver::write_function(out, head, submitted());
        if constexpr (items != Items::copied || copies_block) {
            if (!shares_items_) {
                const auto left = static_cast<std::size_t>(std::ranges::distance(next_, std::ranges::end(range_)));
                head.count = std::min(wanted, left);
                out.write(std::to_address(next_), head.count * sizeof(Item));
            }
            next_ += static_cast<std::iter_difference_t<Iterator>>(head.count);
        } else {
            encode_each(out, wanted, head);
        }
        std::memcpy(out.buffer().data(), &head, sizeof head);
    }

    void encode_each(Writer& out, std::size_t wanted, ChunkHead& head) {
        head.count = 0;
        std::size_t whole = out.size();
        try {
            while (head.count < wanted && !is_at_end()) {
                if ((head.flags & ChunkHead::framed) != 0) {
                    decltype(auto) item = *next_;
                    encode_framed(out, head.count == 0, [&] { encode_item<Item>(out, item); });
                } else {
                    encode_item<Item>(out, *next_);
                }
                ++head.count;
                whole = out.size();
                is_taken_ = true;
            }
        } catch (const SharedMemoryExhausted&) {
            if (head.count == 0) { throw; }
            out.rewind(whole);  // the item is the first of the next chunk
        } catch (...) {
            if (head.count == 0) { throw; }
            out.rewind(whole);
            error_ = std::current_exception();
        }
    }

    void write_function(Writer& out, ChunkHead& head, [[maybe_unused]] std::size_t first) override {
        if constexpr (is_seeded_v<F>) { codec::encode_plain(out, ChunkSeed{.seed = options().seed, .first = first}); }
        if constexpr (may_be_large_v<F>) {
            write_callable(out, head, [this](Writer& to) { codec::encode_callable<F>(to, f_); });
        } else {
            codec::encode_callable<F>(out, f_);
        }
    }

    void open_journal_of_call() {
        if constexpr (items != Items::copied) {
            refuse_journal(options(), "for_each() of a function that changes its items",
                           "these are in memory that goes with the program");
        } else {
            using Result =
                std::conditional_t<Sink::mode == Results::none, void, typename item_result<F, Item, items>::type>;
            using Sum = typename sum_of<F, Sink::mode>::type;
            open_journal({.results = typeid(Result),
                          .sums = typeid(Sum),
                          .items = typeid(Item),
                          .results_last = !persist::may_hold_address<Result>() && !persist::may_hold_address<Sum>(),
                          .known = [this](Writer& out) {
                              worker::each_state_wanted<F>([this](const std::type_info& type) {
                                  persist::require_version_for_state(type, !options().journal_version.empty());
                              });
                              if constexpr (is_seeded_v<F>) { codec::encode_plain(out, options().seed); }
                              persist::write_known(out, f_, !options().journal_version.empty());
                          }});
        }
    }

    void read_items(std::size_t most, ReadItems& to) override {
        if constexpr (items == Items::copied) {
            try {
                while (to.count() < most && !is_at_end()) {
                    decltype(auto) item = *next_;
                    const auto encode = [&item](Writer& out) { encode_item<Item>(out, item); };
                    if constexpr (codec::is_plain_v<Item> && !std::is_empty_v<Item>) {
                        to.add(encode, [&encode](Writer& out) {
                            encode(out);
                            std::byte* const bytes = out.buffer().data();
                            codec::copy_without_padding(bytes, codec::value_from_bytes<Item>(bytes));
                        });
                    } else {
                        to.add(encode, encode);
                    }
                    is_taken_ = true;
                }
            } catch (...) { error_ = std::current_exception(); }
        }
    }

    [[nodiscard]] std::exception_ptr take_input_error() noexcept override { return std::exchange(error_, nullptr); }

    using Iterator = std::ranges::iterator_t<Range>;

    const F& f_;
    Range& range_;
    Iterator next_;
    const bool shares_items_;
    bool is_taken_ = false;  // the item at next_
    std::exception_ptr error_;
};

}  // namespace procpool::detail::map
