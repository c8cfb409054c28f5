// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// type_digest_v: a number for a type as far as its bytes depend on it, the same in another build.

#include <procpool/codec/call.hpp>
#include <procpool/core/requirements.hpp>
#include <procpool/core/type_text.hpp>

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace procpool::inline v0::detail::persist {

/// FNV-1a, which compilers can do.
[[nodiscard]] consteval std::uint64_t digest_text(std::string_view text, std::uint64_t digest) {
    for (const char letter : text) { digest = (digest ^ static_cast<unsigned char>(letter)) * 0x100000001B3; }
    return digest;
}

template <class T, class... Seen>
consteval std::uint64_t digest_type(std::uint64_t digest);

template <class... Parts, class... Seen>
consteval std::uint64_t digest_parts(codec::TypeList<Parts...>, codec::TypeList<Seen...>, std::uint64_t digest) {
    ((digest = digest_type<std::remove_cv_t<std::remove_all_extents_t<Parts>>, Seen...>(digest)), ...);
    return digest_text(")", digest);
}

/// Its name and size, and those of what it is made of, as far as that can be seen: a struct whose members change is
/// another one.
template <class T, class... Seen>
consteval std::uint64_t digest_type(std::uint64_t digest) {
    digest = digest_text(type_text<T>(), digest);
    if constexpr (std::is_object_v<T> && !(std::is_same_v<T, Seen> || ...)) {
        digest = digest_text("(", digest ^ sizeof(T));
        if constexpr (requires { typename Codec<T>::parts; }) {
            return digest_parts(typename Codec<T>::parts{}, codec::TypeList<T, Seen...>{}, digest);
        } else if constexpr (codec::Visitable<T>) {
            return digest_parts(codec::fields_t<T>{}, codec::TypeList<T, Seen...>{}, digest);
        }
    }
    return digest_text(")", digest);
}

template <class... Types>
inline constexpr std::uint64_t type_digest_v = digest_parts(codec::TypeList<Types...>{}, codec::TypeList<>{},
                                                            0xCBF29CE484222325);

}  // namespace procpool::detail::persist
