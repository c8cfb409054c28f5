// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Lets nlohmann::json, ordered_json and every other basic_json travel. Not part of <procpool/procpool.hpp>.

#include <procpool/codec/codec.hpp>
#include <procpool/codec/container.hpp>
#include <procpool/codec/length.hpp>
#include <procpool/codec/text.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace procpool::inline v0::detail::codec {

template <class T>
concept Json = nlohmann::detail::is_basic_json<T>::value;

/// Writes the kind of the value, then the value: it arrives as it was, down to the kinds of its numbers and the order
/// of its members.
template <Json J>
struct JsonCodec {
    using Kind = nlohmann::detail::value_t;
    using parts = TypeList<>;

    static void encode(Writer& out, const J& value) {
        Codec<std::uint8_t>::encode(out, static_cast<std::uint8_t>(value.type()));
        switch (value.type()) {
            case Kind::null:
            case Kind::discarded: break;
            case Kind::boolean: encode_as<typename J::boolean_t>(out, value); break;
            case Kind::number_integer: encode_as<typename J::number_integer_t>(out, value); break;
            case Kind::number_unsigned: encode_as<typename J::number_unsigned_t>(out, value); break;
            case Kind::number_float: encode_as<typename J::number_float_t>(out, value); break;
            case Kind::string: encode_as<typename J::string_t>(out, value); break;
            case Kind::array: encode_as<typename J::array_t>(out, value); break;
            case Kind::binary: {
                const auto& binary = value.get_binary();
                Codec<Bytes>::encode(out, binary);
                Codec<bool>::encode(out, binary.has_subtype());
                if (binary.has_subtype()) { Codec<std::uint64_t>::encode(out, binary.subtype()); }
                break;
            }
            case Kind::object:
                encode_length(out, value.size());
                for (const auto& [key, member] : value.template get_ref<const Object&>()) {
                    Codec<typename Object::key_type>::encode(out, key);
                    encode(out, member);
                }
                break;
        }
    }

    static J decode(Reader& in) {
        switch (static_cast<Kind>(Codec<std::uint8_t>::decode(in))) {
            case Kind::null: return nullptr;
            case Kind::discarded: return Kind::discarded;
            case Kind::boolean: return Codec<typename J::boolean_t>::decode(in);
            case Kind::number_integer: return Codec<typename J::number_integer_t>::decode(in);
            case Kind::number_unsigned: return Codec<typename J::number_unsigned_t>::decode(in);
            case Kind::number_float: return Codec<typename J::number_float_t>::decode(in);
            case Kind::string: return Codec<typename J::string_t>::decode(in);
            case Kind::array: return Codec<typename J::array_t>::decode(in);
            case Kind::binary: {
                auto bytes = Codec<Bytes>::decode(in);
                if (!Codec<bool>::decode(in)) { return J::binary(std::move(bytes)); }
                return J::binary(std::move(bytes),
                                 static_cast<typename J::binary_t::subtype_type>(Codec<std::uint64_t>::decode(in)));
            }
            case Kind::object: {
                Object object;
                for (std::size_t left = decode_length(in); left != 0; --left) {
                    auto key = Codec<typename Object::key_type>::decode(in);
                    if constexpr (requires {
                                      object.emplace_back(std::move(key), decode(in));
                                  }) {  // the members of an ordered_json are a vector
                        object.emplace_back(std::move(key), decode(in));
                    } else {
                        object.emplace_hint(object.end(), std::move(key), decode(in));
                    }
                }
                return object;
            }
        }
        throw CodecError("procpool: the bytes of a JSON value name no kind of it");
    }

private:
    using Object = typename J::object_t;
    using Bytes = typename J::binary_t::container_type;

    template <class T>
    static void encode_as(Writer& out, const J& value) {
        Codec<T>::encode(out, value.template get_ref<const T&>());
    }
};

}  // namespace procpool::detail::codec

namespace procpool::inline v0 {

template <detail::codec::Json J>
struct Codec<J> : detail::codec::JsonCodec<J> {};

}  // namespace procpool
