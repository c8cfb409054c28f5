// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// KeyedSums: values by key, those of equal keys folded as they come.

#include <procpool/codec/call.hpp>
#include <procpool/codec/length.hpp>
#include <procpool/map/key_hash.hpp>
#include <procpool/map/wire.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::map {

/// Effects: `sum` becomes g(sum, value).
template <class G, class V>
void fold_value(G& g, V& sum, std::type_identity_t<V>&& value) {
    V next = static_cast<V>(std::invoke(g, std::move(sum), std::move(value)));  // which may refer to the sum
    sum = std::move(next);
}

/// A hash table, whose entries lie in the order in which their keys came first.
template <class K, class V>
class HashedSums {
    using Hash = KeyHash<K>;

public:
    struct Entry {
        std::uint64_t hash;
        K first;
        V second;
    };

    /// Effects: the value of that key becomes g(it, value), or `value` where there is none.
    template <class G, class Key>
    void add(G& g, Key&& key, V&& value) {
        add_hashed(g, Hash::hash(key), std::forward<Key>(key), std::move(value));
    }
    /// Effects: adds all values of the other, which is empty then.
    template <class G>
    void merge(G& g, HashedSums& other) {
        if (entries_.empty()) { return swap(other); }
        for (Entry& entry : other.entries_) {
            add_hashed(g, entry.hash, std::move(entry.first), std::move(entry.second));
        }
        other.clear();
    }
    void clear() noexcept {
        constexpr std::size_t much = 8;
        if (slots_.size() / much < entries_.size()) {
            std::fill(slots_.begin(), slots_.end(), Slot{});
        } else {
            for (std::uint32_t i = 0; i < entries_.size(); ++i) {
                std::size_t at = entries_[i].hash >> shift_;
                while (slots_[at].entry != i + 1) { at = next(at); }
                slots_[at] = {};
            }
        }
        entries_.clear();
    }
    [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }
    [[nodiscard]] static decltype(auto) decode_key(Reader& in) { return Hash::decode(in); }

    [[nodiscard]] std::map<K, V> sorted() && {
        struct Place {
            FirstBytes order;
            Entry* entry;
        };
        std::vector<Place> places;
        places.reserve(entries_.size());
        for (Entry& entry : entries_) { places.push_back({Hash::order(entry.first), &entry}); }
        std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
            return a.order != b.order ? a.order < b.order : a.entry->first < b.entry->first;
        });
        std::map<K, V> all;
        for (const Place& place : places) {
            all.emplace_hint(all.end(), std::move(place.entry->first), std::move(place.entry->second));
        }
        return all;
    }

private:
    /// Half of them are free at least.
    struct Slot {
        std::uint32_t tag = 0;    // of the hash
        std::uint32_t entry = 0;  // its position from 1 on; 0 in a free slot
    };

    template <class G, class Key>
    void add_hashed(G& g, std::uint64_t hash, Key&& key, V&& value) {
        if (2 * entries_.size() >= slots_.size()) { grow(); }
        const auto tag = static_cast<std::uint32_t>(hash);
        for (std::size_t at = hash >> shift_;; at = next(at)) {
            Slot& slot = slots_[at];
            if (slot.entry == 0) {
                entries_.push_back({hash, K(std::forward<Key>(key)), std::move(value)});
                slot = {tag, static_cast<std::uint32_t>(entries_.size())};
                return;
            }
            if (slot.tag == tag && Hash::equal(entries_[slot.entry - 1].first, key)) {
                return fold_value(g, entries_[slot.entry - 1].second, std::move(value));
            }
        }
    }
    [[nodiscard]] std::size_t next(std::size_t at) const noexcept { return (at + 1) & (slots_.size() - 1); }
    void grow() {
        constexpr std::size_t least = 16;
        if (slots_.size() > UINT32_MAX) { throw std::length_error("procpool: more than 2^31 keys"); }
        slots_.assign(std::max(least, 2 * slots_.size()), Slot{});
        shift_ = static_cast<unsigned>(std::countl_zero(slots_.size())) + 1;
        for (std::uint32_t i = 0; i < entries_.size(); ++i) {
            std::size_t at = entries_[i].hash >> shift_;
            while (slots_[at].entry != 0) { at = next(at); }
            slots_[at] = {static_cast<std::uint32_t>(entries_[i].hash), i + 1};
        }
    }
    void swap(HashedSums& other) noexcept {
        entries_.swap(other.entries_);
        slots_.swap(other.slots_);
        std::swap(shift_, other.shift_);
    }

    std::vector<Entry> entries_;
    std::vector<Slot> slots_;  // a power of two of them
    unsigned shift_ = 0;       // of a hash, to the slot where the search for it begins
};

/// As HashedSums, for keys that only have an order.
template <class K, class V>
class OrderedSums {
public:
    template <class G, class Key>
    void add(G& g, Key&& key, V&& value) {
        const auto [at, is_new] = all_.try_emplace(std::forward<Key>(key), std::move(value));
        if (!is_new) { fold_value(g, at->second, std::move(value)); }
    }
    template <class G>
    void merge(G& g, OrderedSums& other) {
        if (all_.empty()) { return all_.swap(other.all_); }
        while (!other.all_.empty()) {
            auto added = all_.insert(other.all_.extract(other.all_.begin()));
            if (!added.inserted) { fold_value(g, added.position->second, std::move(added.node.mapped())); }
        }
    }
    void clear() noexcept { all_.clear(); }
    [[nodiscard]] const std::map<K, V>& entries() const noexcept { return all_; }
    [[nodiscard]] static K decode_key(Reader& in) { return Codec<K>::decode(in); }
    [[nodiscard]] std::map<K, V> sorted() && { return std::move(all_); }

private:
    std::map<K, V> all_;
};

/// One value, in the place of sums.
template <class K, class V>
struct OneValue {
    std::pair<K, V> pair;
    [[nodiscard]] std::span<const std::pair<K, V>, 1> entries() const noexcept {
        return std::span<const std::pair<K, V>, 1>{&pair, 1};
    }
};

template <class K, class V>
using KeyedSums = std::conditional_t<KeyHash<K>::exists, HashedSums<K, V>, OrderedSums<K, V>>;

/// Effects: writes them behind their size.
template <class K, class V, template <class...> class Sums>
void encode_sums(Writer& out, const Sums<K, V>& sums) {
    const std::size_t frame = begin_frame(out);
    codec::encode_length(out, sums.entries().size());
    const std::size_t start = out.size();
    for (const auto& entry : sums.entries()) {
        Codec<K>::encode(out, entry.first);
        codec::encode_result<V>(out, entry.second);
    }
    // As codec::encode_elements().
    if (const std::size_t used = out.size() - start; used < sums.entries().size()) {
        const std::size_t more = sums.entries().size() - used;
        std::memset(out.claim(more), 0, more);
    }
    end_frame(out, frame);
}

/// Effects: adds what encode_sums() wrote; `in` is behind the size.
template <class G, class K, class V, template <class...> class Sums>
void add_encoded(Reader& in, G& g, Sums<K, V>& sums) {
    codec::decode_elements(
        in, [](std::size_t) {},
        [&] {
            auto key = Sums<K, V>::decode_key(in);
            sums.add(g, std::move(key), Codec<V>::decode(in));
        });
}

template <class K, class V, template <class...> class Sums>
struct SumsCodec {
    using parts = codec::TypeList<K, V>;
    static void encode(Writer& out, const Sums<K, V>& sums) { encode_sums(out, sums); }
    static Sums<K, V> decode(Reader& in) {
        Sums<K, V> sums;
        Reader part = in.take_part(codec::decode_length(in));
        const auto last = [](V&&, V&& value) { return std::move(value); };  // no key is there twice
        add_encoded(part, last, sums);
        return sums;
    }
};

}  // namespace procpool::detail::map

namespace procpool::inline v0 {

template <class K, class V>
struct Codec<detail::map::HashedSums<K, V>> : detail::map::SumsCodec<K, V, detail::map::HashedSums> {};
template <class K, class V>
struct Codec<detail::map::OrderedSums<K, V>> : detail::map::SumsCodec<K, V, detail::map::OrderedSums> {};
template <class K, class V>
struct Codec<detail::map::OneValue<K, V>> {
    static void encode(Writer& out, const detail::map::OneValue<K, V>& one) { detail::map::encode_sums(out, one); }
};

}  // namespace procpool
