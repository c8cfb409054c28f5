// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The standard containers, their adaptors included. Comparators, hashes and allocators do not travel: the first two
/// must be empty, and the third is made anew.

#include <procpool/codec/length.hpp>
#include <procpool/codec/product.hpp>

#include <algorithm>
#include <deque>
#include <forward_list>
#include <iterator>
#include <list>
#include <map>
#include <queue>
#include <set>
#include <stack>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

/// A comparator or hash that is the same wherever it is made.
template <class T>
concept Stateless = std::is_empty_v<T> && std::is_default_constructible_v<T>;

/// Containers that grow at their end.
template <class Sequence>
struct SequenceCodec {
    using Element = typename Sequence::value_type;
    using parts = TypeList<Element>;

    static void encode(Writer& out, const Sequence& sequence) { encode_elements(out, sequence.size(), sequence); }
    static Sequence decode(Reader& in) {
        Sequence sequence;
        const auto prepare = [&](std::size_t count) {
            if constexpr (requires { sequence.reserve(count); }) {
                sequence.reserve(to_reserve(in, count, sizeof(Element)));
            }
        };
        decode_elements(in, prepare, [&] { sequence.push_back(Codec<Element>::decode(in)); });
        return sequence;
    }
};

template <class T, class Allocator>
struct Codec<std::deque<T, Allocator>> : SequenceCodec<std::deque<T, Allocator>> {};
template <class T, class Allocator>
struct Codec<std::list<T, Allocator>> : SequenceCodec<std::list<T, Allocator>> {};

template <class T, class Allocator>
struct Codec<std::vector<T, Allocator>> : SequenceCodec<std::vector<T, Allocator>> {
    using Vector = std::vector<T, Allocator>;

    static void encode(Writer& out, const Vector& vector) {
        if constexpr (in_one_piece_v<T>) {
            encode_block(out, vector.data(), vector.size());
        } else {
            SequenceCodec<Vector>::encode(out, vector);
        }
    }
    static Vector decode(Reader& in) {
        if constexpr (in_one_piece_v<T>) {
            return decode_block<Vector>(in);
        } else {
            return SequenceCodec<Vector>::decode(in);
        }
    }
};

template <class Allocator>
struct Codec<std::vector<bool, Allocator>> {
    using parts = TypeList<>;

    static void encode(Writer& out, const std::vector<bool, Allocator>& bits) {
        encode_length(out, bits.size());
        std::byte* const bytes = out.claim(bits.size());
        std::transform(bits.begin(), bits.end(), bytes, [](bool bit) { return std::byte{bit}; });
    }
    static std::vector<bool, Allocator> decode(Reader& in) {
        const std::size_t count = decode_length(in);
        const std::byte* const bytes = in.take(count);
        std::vector<bool, Allocator> bits(count);
        std::transform(bytes, bytes + count, bits.begin(), [](std::byte byte) { return byte != std::byte{0}; });
        return bits;
    }
};

template <class T, class Allocator>
struct Codec<std::forward_list<T, Allocator>> {
    using parts = TypeList<T>;

    static void encode(Writer& out, const std::forward_list<T, Allocator>& list) {
        encode_elements(out, static_cast<std::size_t>(std::distance(list.begin(), list.end())), list);
    }
    static std::forward_list<T, Allocator> decode(Reader& in) {
        std::forward_list<T, Allocator> list;
        auto last = list.before_begin();
        const auto prepare = [](std::size_t) {};
        decode_elements(in, prepare, [&] { last = list.insert_after(last, Codec<T>::decode(in)); });
        return list;
    }
};

/// Containers of keys. What was sorted arrives sorted, so that each key goes to the end at once.
template <class Set>
struct SetCodec {
    using Key = typename Set::key_type;
    using parts = TypeList<Key>;

    static void encode(Writer& out, const Set& set) { encode_elements(out, set.size(), set); }
    static Set decode(Reader& in) {
        Set set;
        const auto prepare = [&](std::size_t count) {
            if constexpr (requires { set.reserve(count); }) { set.reserve(to_reserve(in, count, sizeof(Key))); }
        };
        decode_elements(in, prepare, [&] { set.insert(set.end(), Codec<Key>::decode(in)); });
        return set;
    }
};

/// Containers of keys and what belongs to them.
template <class Map>
struct MapCodec {
    using Key = typename Map::key_type;
    using Mapped = typename Map::mapped_type;
    using parts = TypeList<Key, Mapped>;

    static void encode(Writer& out, const Map& map) { encode_elements(out, map.size(), map); }
    static Map decode(Reader& in) {
        Map map;
        const auto prepare = [&](std::size_t count) {
            if constexpr (requires { map.reserve(count); }) {
                map.reserve(to_reserve(in, count, sizeof(Key) + sizeof(Mapped)));
            }
        };
        decode_elements(in, prepare, [&] {
            Key key = Codec<Key>::decode(in);
            map.emplace_hint(map.end(), std::move(key), Codec<Mapped>::decode(in));
        });
        return map;
    }
};

template <class K, Stateless Less, class A>
struct Codec<std::set<K, Less, A>> : SetCodec<std::set<K, Less, A>> {};
template <class K, Stateless Less, class A>
struct Codec<std::multiset<K, Less, A>> : SetCodec<std::multiset<K, Less, A>> {};
template <class K, Stateless Hash, Stateless Equal, class A>
struct Codec<std::unordered_set<K, Hash, Equal, A>> : SetCodec<std::unordered_set<K, Hash, Equal, A>> {};
template <class K, Stateless Hash, Stateless Equal, class A>
struct Codec<std::unordered_multiset<K, Hash, Equal, A>> : SetCodec<std::unordered_multiset<K, Hash, Equal, A>> {};

template <class K, class T, Stateless Less, class A>
struct Codec<std::map<K, T, Less, A>> : MapCodec<std::map<K, T, Less, A>> {};
template <class K, class T, Stateless Less, class A>
struct Codec<std::multimap<K, T, Less, A>> : MapCodec<std::multimap<K, T, Less, A>> {};
template <class K, class T, Stateless Hash, Stateless Equal, class A>
struct Codec<std::unordered_map<K, T, Hash, Equal, A>> : MapCodec<std::unordered_map<K, T, Hash, Equal, A>> {};
template <class K, class T, Stateless Hash, Stateless Equal, class A>
struct Codec<std::unordered_multimap<K, T, Hash, Equal, A>> : MapCodec<std::unordered_multimap<K, T, Hash, Equal, A>> {
};

/// Adaptors travel as the container within, which is protected: a heap stays the heap it is.
template <class Adaptor>
struct AdaptorCodec {
    using Container = typename Adaptor::container_type;
    using parts = TypeList<Container>;

    static void encode(Writer& out, const Adaptor& adaptor) {
        Codec<Container>::encode(out, adaptor.*Within::member());
    }
    static Adaptor decode(Reader& in) {
        Adaptor adaptor;
        adaptor.*Within::member() = Codec<Container>::decode(in);
        return adaptor;
    }

private:
    struct Within : Adaptor {
        static constexpr Container Adaptor::*member() { return &Within::c; }
    };
};

template <class T, class Container>
struct Codec<std::stack<T, Container>> : AdaptorCodec<std::stack<T, Container>> {};
template <class T, class Container>
struct Codec<std::queue<T, Container>> : AdaptorCodec<std::queue<T, Container>> {};
template <class T, class Container, Stateless Less>
struct Codec<std::priority_queue<T, Container, Less>> : AdaptorCodec<std::priority_queue<T, Container, Less>> {};

}  // namespace procpool
