// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Outcome: the result of one item of many, or its error.

#include <procpool/codec/call.hpp>
#include <procpool/codec/exception.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

namespace procpool::inline v0 {

/// The result of a call, or the error that it ended with. T may be void. Copies share the error.
template <class T>
class [[nodiscard]] Outcome {
    struct Nothing {};
    using Value = std::conditional_t<std::is_void_v<T>, Nothing, T>;

public:
    /// A call that returned; for void only.
    Outcome() requires std::is_void_v<T> : value_(std::in_place) {}
    /// A call that returned a value, which is constructed from `value`.
    template <class U = Value>
    requires(!std::is_void_v<T> && !std::is_same_v<std::remove_cvref_t<U>, Outcome> &&
             std::is_constructible_v<Value, U>) explicit(!std::is_convertible_v<U, Value>) Outcome(U&& value)
        : value_(std::in_place, std::forward<U>(value)) {}
    /// Returns: the outcome of a call that ended with that error, which is not null.
    [[nodiscard]] static Outcome failed(std::exception_ptr error) noexcept {
        return Outcome(Failed{}, std::move(error));
    }

    /// \{
    /// Whether the call returned.
    [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
    [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }
    /// \}

    /// \{
    /// The value. Throws: the error, if there is no value.
    decltype(auto) value() & { return get(*this); }
    decltype(auto) value() const& { return get(*this); }
    decltype(auto) value() && { return get(std::move(*this)); }
    decltype(auto) operator*() & { return get(*this); }
    decltype(auto) operator*() const& { return get(*this); }
    decltype(auto) operator*() && { return get(std::move(*this)); }
    auto operator->() requires(!std::is_void_v<T>) { return &get(*this); }
    auto operator->() const requires(!std::is_void_v<T>) { return &get(*this); }
    /// \}

    /// The error; null if there is a value.
    [[nodiscard]] std::exception_ptr error() const noexcept { return error_; }

private:
    struct Failed {};
    Outcome(Failed, std::exception_ptr error) noexcept : error_(std::move(error)) {}

    template <class Self>
    static decltype(auto) get(Self&& self) {
        if (!self.has_value()) { std::rethrow_exception(self.error_); }
        if constexpr (!std::is_void_v<T>) { return *std::forward<Self>(self).value_; }
    }

    std::optional<Value> value_;
    std::exception_ptr error_;  // null if there is a value
};

/// Its size comes first, so that a value that does not decode costs no other.
template <class T>
struct Codec<Outcome<T>> {
    using parts = std::conditional_t<std::is_void_v<T>, detail::codec::TypeList<>,
                                     detail::codec::TypeList<std::conditional_t<std::is_void_v<T>, int, T>>>;

    /// Throws: what the value's Codec throws; the writer is as before then, but for its size.
    static void encode(Writer& out, const Outcome<T>& outcome) {
        const std::size_t start = out.size();
        detail::codec::encode_plain(out, std::uint64_t{0});
        if (!outcome.has_value()) {
            detail::codec::encode_exception(out, outcome.error());
        } else if constexpr (!std::is_void_v<T>) {
            detail::codec::encode_result<T>(out, *outcome);
        }
        const std::uint64_t head = (out.size() - start - sizeof(std::uint64_t)) << 1 | (outcome.has_value() ? 0 : 1);
        std::memcpy(out.buffer().data() + start, &head, sizeof head);
    }

    static Outcome<T> decode(Reader& in) {
        const auto head = detail::codec::decode_plain<std::uint64_t>(in);
        Reader inner = in.take_part(static_cast<std::size_t>(head >> 1));
        if ((head & 1) != 0) { return Outcome<T>::failed(detail::codec::decode_exception(inner)); }
        if constexpr (std::is_void_v<T>) {
            return Outcome<T>{};
        } else {
            try {
                return Outcome<T>{Codec<T>::decode(inner)};
            } catch (...) { return Outcome<T>::failed(std::current_exception()); }
        }
    }
};

namespace detail::map {

/// Effects: passes the bytes of an Outcome. Returns: whether it is an error.
inline bool skip_outcome(Reader& in) {
    const auto head = codec::decode_plain<std::uint64_t>(in);
    static_cast<void>(in.take(static_cast<std::size_t>(head >> 1)));
    return (head & 1) != 0;
}
/// Returns: the error that the bytes of an Outcome are.
[[nodiscard]] inline std::exception_ptr decode_outcome_error(std::span<const std::byte> bytes) {
    Reader in{bytes.subspan(sizeof(std::uint64_t))};
    return codec::decode_exception(in);
}

}  // namespace detail::map

}  // namespace procpool
