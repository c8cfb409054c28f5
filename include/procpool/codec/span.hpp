// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Spans: an address where the receiver shares the memory, the elements otherwise.

#include <procpool/codec/address.hpp>
#include <procpool/codec/container.hpp>
#include <procpool/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::codec {

/// why: completes the message "the bytes of a span …".
[[noreturn]] void refuse_span(const char* why);

/// Returns: bools that live as long as the Reader; sets their number.
[[nodiscard]] bool* decode_bools(Reader& in, std::size_t& count);

/// Lifetime: unless it lies in shared memory, a decoded span views memory of the Reader. Elements that cannot be
/// moved, such as atomics, and those that do not travel themselves but may be in a SharedArray, can be in shared memory
/// only.
template <class T, std::size_t Extent>
struct BuiltInCodec<std::span<T, Extent>, StandardKind::other> {
    using Span = std::span<T, Extent>;
    using Element = std::remove_cv_t<T>;
    static constexpr bool movable = std::is_move_constructible_v<Element>;
    using parts = std::conditional_t<movable, TypeList<Element>, TypeList<>>;
    static constexpr bool travels_by_address = std::is_trivially_copyable_v<Element> && !RefersElsewhere<Element>;
    static constexpr bool views_reader = movable;

    static void encode(Writer& out, const Span& span) {
        constexpr bool copyable = movable && Encodable<Element>;
        const bool by_address = !copyable || (!span.empty() && out.visibility_of(span.data()) == Visibility::shared);
        Codec<bool>::encode(out, by_address);
        if (by_address) {
            encode_plain(out, std::uint64_t{span.size()});
            encode_address(out, span.empty() ? nullptr : to_plain_address(span.data()), typeid(Span));
        } else if constexpr (copyable) {
            if constexpr (in_one_piece_v<Element>) {
                encode_block(out, span.data(), span.size());
            } else {
                encode_elements(out, span.size(), span);
            }
        }
    }

    static Span decode(Reader& in) {
        if (Codec<bool>::decode(in)) {
            const auto count = decode_plain<std::uint64_t>(in);
            T* const first = decode_address<T>(in, count);
            if (first == nullptr && count != 0) { refuse_span("refer to nothing"); }
            return make(first, count);
        }
        if constexpr (!(movable && Encodable<Element>)) {
            refuse_span("hold elements that cannot be copied");
        } else if constexpr (std::is_same_v<Element, bool>) {  // a vector<bool> has no bools to view
            std::size_t count = 0;
            bool* const first = decode_bools(in, count);
            return make(first, count);
        } else {
            auto& elements = in.keep(Codec<std::vector<Element>>::decode(in));
            return make(elements.data(), elements.size());
        }
    }

private:
    static Span make(T* first, std::uint64_t count) {
        if (Extent != std::dynamic_extent && count != Extent) { refuse_span("are of another extent"); }
        return Span(first, static_cast<std::size_t>(count));
    }
};

}  // namespace procpool::detail::codec

#if PROCPOOL_BODIES
#include <procpool/codec/span.ipp>
#endif
