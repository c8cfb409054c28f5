// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Codec of protocol buffers, known by their shape: their library is not included.

#include <procpool/codec/built_in.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/codec/length.hpp>
#include <procpool/core/config.hpp>

#include <concepts>
#include <cstddef>
#include <limits>
#include <string>
#include <type_traits>

namespace procpool::inline v0::detail::codec {

/// A class that is written and parsed as the messages that protoc generates.
template <class T>
concept Message = std::is_class_v<T> && std::is_default_constructible_v<T> &&
    requires(const T& message, T& parsed, void* bytes, const void* in, int size) {
    { message.ByteSizeLong() } -> std::convertible_to<std::size_t>;
    { message.SerializeToArray(bytes, size) } -> std::convertible_to<bool>;
    { parsed.ParseFromArray(in, size) } -> std::convertible_to<bool>;
};

/// Sizes of messages are ints, to their library.
inline constexpr std::size_t most_message_bytes = std::numeric_limits<int>::max();

[[noreturn]] void refuse_message_size();
/// lacks: the required fields that the message lacks; empty when that is not the reason.
[[noreturn]] void refuse_message(const std::string& type, const std::string& lacks);
[[noreturn]] void refuse_message_bytes(const std::string& type);

/// Returns: the message's own name; empty where it has none.
template <Message T>
[[nodiscard]] std::string name_of_message(const T& message) {
    if constexpr (requires {
                      { message.GetTypeName() } -> std::convertible_to<std::string>;
                  }) {
        return std::string(message.GetTypeName());
    } else {
        return {};
    }
}

template <Message T>
struct BuiltInCodec<T, StandardKind::other> {
    using parts = TypeList<>;

    static void encode(Writer& out, const T& message) {
        if constexpr (requires {
                          { message.IsInitialized() } -> std::convertible_to<bool>;
                      }) {
            if (!message.IsInitialized()) { refuse_message(name_of_message(message), lacks(message)); }
        }
        const std::size_t size = message.ByteSizeLong();
        if (size > most_message_bytes) { refuse_message_size(); }
        encode_length(out, size);
        if (!message.SerializeToArray(out.claim(size), static_cast<int>(size))) {
            refuse_message(name_of_message(message), {});
        }
    }

    static T decode(Reader& in) {
        const std::size_t size = decode_length(in);
        if (size > most_message_bytes) { refuse_message_size(); }
        T message;
        if (!message.ParseFromArray(in.take(size), static_cast<int>(size))) {
            refuse_message_bytes(name_of_message(message));
        }
        return message;
    }

private:
    [[nodiscard]] static std::string lacks(const T& message) {
        if constexpr (requires {
                          { message.InitializationErrorString() } -> std::convertible_to<std::string>;
                      }) {
            return message.InitializationErrorString();
        } else {
            return "required ones";
        }
    }
};

}  // namespace procpool::detail::codec

#if PROCPOOL_BODIES
#include <procpool/codec/message.ipp>
#endif
