// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The standard containers, their adaptors included. Comparators, hashes and allocators do not travel: the first two
/// must be empty, and the third is made anew.

#include <procpool/codec/length.hpp>
#include <procpool/codec/product.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::codec {

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

template <class T>
struct BuiltInCodec<T, StandardKind::sequence> : SequenceCodec<T> {};

template <class T, class Allocator>
struct BuiltInCodec<std::vector<T, Allocator>, StandardKind::other> : SequenceCodec<std::vector<T, Allocator>> {
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
struct BuiltInCodec<std::vector<bool, Allocator>, StandardKind::other> {
    using parts = TypeList<>;

    static void encode(Writer& out, const std::vector<bool, Allocator>& bits) {
        encode_length(out, bits.size());
        std::byte* const bytes = out.claim(bits.size());
        for (std::size_t i = 0; i != bits.size(); ++i) { bytes[i] = std::byte{bits[i]}; }
    }
    static std::vector<bool, Allocator> decode(Reader& in) {
        const std::size_t count = decode_length(in);
        const std::byte* const bytes = in.take(count);
        std::vector<bool, Allocator> bits(count);
        for (std::size_t i = 0; i != count; ++i) { bits[i] = bytes[i] != std::byte{0}; }
        return bits;
    }
};

template <class List>
struct BuiltInCodec<List, StandardKind::forward_list> {
    using Element = typename List::value_type;
    using parts = TypeList<Element>;

    static void encode(Writer& out, const List& list) {
        std::size_t count = 0;
        for (auto element = list.begin(); element != list.end(); ++element) { ++count; }
        encode_elements(out, count, list);
    }
    static List decode(Reader& in) {
        List list;
        auto last = list.before_begin();
        const auto prepare = [](std::size_t) {};
        decode_elements(in, prepare, [&] { last = list.insert_after(last, Codec<Element>::decode(in)); });
        return list;
    }
};

/// Containers of keys. Sorted keys arrive sorted, so each goes to the end in constant time.
template <class Set>
struct BuiltInCodec<Set, StandardKind::set> {
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
struct BuiltInCodec<Map, StandardKind::map> {
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

/// Adaptors travel as the container within, which is protected: a heap stays the heap it is.
template <class Adaptor>
struct BuiltInCodec<Adaptor, StandardKind::adaptor> {
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

}  // namespace procpool::detail::codec
