// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessPool's map_reduce_by_key().

#include <procpool/map/input.hpp>
#include <procpool/map/keyed_sums.hpp>
#include <procpool/map/map.hpp>
#include <procpool/map/sinks.hpp>
#include <procpool/map/wrapped.hpp>
#include <procpool/pool/process_pool.hpp>

#include <algorithm>  // and the concepts of ranges
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

namespace detail::map {

/// The pair of a key and a value that a function gives, by itself or in a range; void for other results.
template <class T>
struct keyed {
    using type = void;
};
template <class K, class V>
struct keyed<std::pair<K, V>> {
    using type = std::pair<std::remove_const_t<K>, V>;
};
template <std::ranges::input_range T>
struct keyed<T> : std::conditional_t<std::ranges::input_range<std::ranges::range_value_t<T>>, std::type_identity<void>,
                                     keyed<std::ranges::range_value_t<T>>> {};
template <class T>
using keyed_t = typename keyed<T>::type;

template <class Pair>
using sums_of_t = KeyedSums<typename Pair::first_type, typename Pair::second_type>;

/// f, and a function that folds the values that it gives for equal keys. Mapped: f's result for an item. A call returns
/// the item's one value, or its sums.
template <class F, class G, class Mapped>
struct MapByKey {
    using Wrapped = F;
    using Pair = keyed_t<Mapped>;
    using Value = sums_of_t<Pair>;
    F f;
    G g;
    Value of_item;  // here for its memory

    template <class... Args>
    requires std::is_invocable_v<F&, Args...>
    decltype(auto) operator()(Args&&... args) {
        if constexpr (!std::ranges::input_range<Mapped>) {
            return OneValue<typename Pair::first_type, typename Pair::second_type>{
                Pair(std::invoke(f, std::forward<Args>(args)...))};
        } else {
            of_item.clear();
            auto&& pairs = std::invoke(f, std::forward<Args>(args)...);
            for (auto&& pair : pairs) {
                using V = typename Pair::second_type;
                if constexpr (std::is_lvalue_reference_v<std::invoke_result_t<F&, Args...>>) {
                    of_item.add(g, pair.first, V(pair.second));
                } else {
                    of_item.add(g, std::move(pair.first), V(std::move(pair.second)));
                }
            }
            return (of_item);
        }
    }
};

/// The sums so far of the block that a worker is at: the items are added one after the other.
template <class F, class G, class Mapped>
class Accumulator<MapByKey<F, G, Mapped>> {
    using Sums = typename MapByKey<F, G, Mapped>::Value;

public:
    void add(MapByKey<F, G, Mapped>& f, Sums& item) {
        has_value_ = true;
        sums_.merge(f.g, item);
    }
    template <class K, class V>
    void add(MapByKey<F, G, Mapped>& f, OneValue<K, V>&& item) {
        has_value_ = true;
        sums_.add(f.g, std::move(item.pair.first), std::move(item.pair.second));
    }
    [[nodiscard]] bool has_value() const noexcept { return has_value_; }
    void encode(Writer& out) const { encode_sums(out, sums_); }
    void resume(Reader& in) {
        has_value_ = true;
        sums_ = Codec<Sums>::decode(in);
    }
    void reset() noexcept {
        has_value_ = false;
        sums_.clear();
    }

private:
    Sums sums_;
    bool has_value_ = false;  // of an item, which may have given none
};

/// Folds results in the order of the items: the pairs of each from left to right, the items of each block, then the
/// blocks.
template <class G, class Mapped>
class ResultsByKey final : public ResultSink {
    using Pair = keyed_t<Mapped>;
    using Sums = sums_of_t<Pair>;

public:
    static constexpr Results mode = Results::folded;

    ResultsByKey(G& g, codec::VisibilityOf place_of) noexcept : g_(g), place_of_(place_of) {}

    void take(std::size_t first, std::size_t count, Reader& in) override { take_sums(first, count, fold_block, in); }
    void take_apart(std::size_t first, std::size_t count, Reader& in) override { take_sums(first, count, 1, in); }
    void skip(Reader& in, bool) override { static_cast<void>(in.take(codec::decode_length(in))); }
    void end() override { end_block(); }

    [[nodiscard]] std::map<typename Pair::first_type, typename Pair::second_type> value() && {
        return std::move(all_).sorted();
    }

private:
    /// The sums of items up to `end` that came before their turn.
    struct Part final : Piece {
        Part(std::size_t from, std::size_t to, std::span<const std::byte> sums)
            : Piece(from),
              end(to),
              bytes(sums.begin(), sums.end()) {}
        std::size_t end;
        std::vector<std::byte> bytes;
    };

    void take_sums(std::size_t first, std::size_t count, std::size_t step, Reader& in) {
        const std::size_t end = first + count;
        for (std::size_t next = 0; first < end; first = next) {
            next = std::min(first + step, end);
            const std::size_t size = codec::decode_length(in);
            const std::span bytes{in.take(size), size};
            if (first == next_) {
                fold(next, bytes);
            } else {
                parts_.add(std::make_unique<Part>(first, next, bytes));
            }
        }
        while (parts_.lowest() != nullptr && parts_.lowest()->first == next_) {
            const std::unique_ptr<Piece> lowest = parts_.take_lowest();
            const auto& part = static_cast<Part&>(*lowest);
            fold(part.end, part.bytes);
        }
    }
    /// Effects: adds the sums of items from next_ to `end`.
    void fold(std::size_t end, std::span<const std::byte> bytes) {
        Sums& sums = end - next_ > 1 ? all_ : block_;  // a block that a worker has folded, or an item
        next_ = SIZE_MAX;                              // if this throws, nothing is folded any more
        Reader in{bytes, place_of_};
        add_encoded(in, g_, sums);
        if (end % fold_block == 0) { end_block(); }
        next_ = end;
    }
    void end_block() { all_.merge(g_, block_); }

    G& g_;
    const codec::VisibilityOf place_of_;
    Sums all_;
    Sums block_;            // of the block that next_ is in
    std::size_t next_ = 0;  // item
    Pieces parts_;
};

template <class Mapped, class F>
struct gives_no_pairs {
    static_assert(codec::never<Mapped, F>,
                  "procpool: the first function of map_reduce_by_key() must return a std::pair of a key and a value, "
                  "or a range of such pairs: std::vector<std::pair<K, V>>, a std::map");
};
template <class K>
struct keys_have_no_order {
    static_assert(codec::never<K>,
                  "procpool: the keys of map_reduce_by_key() are those of a std::map: their type needs an operator<");
};
template <class G, class V>
struct values_do_not_fold {
    static_assert(std::is_invocable_v<G&, V, V>,
                  "procpool: the second function of map_reduce_by_key() folds the values of equal keys: it must be "
                  "callable with two of them, g(V, V)");
    static_assert(!std::is_invocable_v<G&, V, V> || std::is_invocable_r_v<V, G&, V, V>,
                  "procpool: the second function of map_reduce_by_key() must return what converts to the type of the "
                  "values that it is called with");
    static_assert(std::movable<V>,
                  "procpool: the values of map_reduce_by_key() are replaced by what the second function returns: they "
                  "must be movable");
};

template <class K>
concept Ordered = requires(const K& a, const K& b) {
    { a < b } -> std::convertible_to<bool>;
};

/// The result of f for an item of the input; void where it cannot be called, or gives nothing that has keys.
template <class Input, class F>
consteval auto find_keyed() {
    if constexpr (gives_results_v<Input, F>) {
        return keyed<typename Input::template Result<F>>{};
    } else {
        return std::type_identity<void>{};
    }
}

/// Whether the call works. Does not compile, and says why, where it does not.
template <class Input, class F, class G>
constexpr auto require_by_key() {
    using Pair = typename decltype(find_keyed<Input, F>())::type;
    if constexpr (!Input::template calls<F>) {
        require_calls<Input, F>();
        return std::false_type{};
    } else if constexpr (std::is_void_v<Pair>) {
        static_cast<void>(sizeof(gives_no_pairs<typename Input::template Result<F>, F>));
        return std::false_type{};
    } else {
        using K = typename Pair::first_type;
        using V = typename Pair::second_type;
        constexpr bool folds = std::is_invocable_r_v<V, G&, V, V> && std::movable<V>;
        codec::require_sendable<G>();
        if constexpr (!Ordered<K>) { static_cast<void>(sizeof(keys_have_no_order<K>)); }
        if constexpr (codec::Sendable<G> && !folds) { static_cast<void>(sizeof(values_do_not_fold<G, V>)); }
        return std::bool_constant < Ordered<K> && folds && codec::Sendable < G >> {};
    }
}

struct MapReduceByKeyCall {};

}  // namespace detail::map

template <class F, class G, class Mapped>
struct Codec<detail::map::MapByKey<F, G, Mapped>> {
    using parts = detail::codec::TypeList<>;
    static void encode(Writer& out, const detail::map::MapByKey<F, G, Mapped>& value) {
        detail::codec::encode_callable<F>(out, value.f);
        detail::codec::encode_callable<G>(out, value.g);
    }
    static detail::map::MapByKey<F, G, Mapped> decode(Reader& in) {
        return {detail::codec::decode_callable<F>(in), detail::codec::decode_callable<G>(in), {}};
    }
};

template <class E>
template <class F, class G, class Range>
auto ProcessPool<E>::map_reduce_by_key(const MapOptions& options, F f, G reduce, Range&& range) {
    using Input = detail::map::zipped_t<Range&>;
    if constexpr (decltype(detail::map::require_by_key<Input, F, G>())::value) {
        using Mapped = typename Input::template Result<F>;
        using Folding = detail::map::MapByKey<typename Input::template Called<F>, G, Mapped>;
        detail::client::Client& run_by = open_client();
        Folding folding{Input::call(std::move(f)), std::move(reduce), {}};
        detail::map::ResultsByKey<G, Mapped> sink{folding.g, detail::client::place_of(run_by)};
        detail::map::run_items<Folding, typename Input::Item>(run_by, options, folding, range, sink);
        return std::move(sink).value();
    } else {
        return detail::codec::this_call_is_refused{};
    }
}

}  // namespace procpool
