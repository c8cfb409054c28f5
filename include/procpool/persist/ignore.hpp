// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ignore: an argument that a memo does not look at.

#include <procpool/codec/standard.hpp>
#include <procpool/codec/wire_type.hpp>
#include <procpool/core/requirements.hpp>

#include <type_traits>

namespace procpool::inline v0 {

/// An argument of a memo's function, or a member of one, that is no part of what the result is looked up by: how much
/// is printed, say, or by how many threads. The function gets the value itself:
///
///     const auto solve = memo(+[](const Problem& problem, int verbosity) { ... });
///     pool.map(solve, problems, procpool::repeat(procpool::ignore(2)));
///
/// It travels as its value does. Text is kept as a std::string.
template <class T>
struct ignore {
    T value;  ///< what the function gets

    /// The value, for functions that take it as a member of something else.
    operator const T&() const noexcept { return value; }
};
/// \cond
template <class T>
ignore(T) -> ignore<detail::codec::wire_type_t<T>>;
/// \endcond

/// Travels as its value, and not as a part of what holds it: no bytes of that are all there is to it.
template <class T>
struct Codec<ignore<T>> {
    /// \cond
    using parts = detail::codec::TypeList<std::remove_cv_t<T>>;

    static void encode(Writer& out, const ignore<T>& ignored) {
        Codec<std::remove_cv_t<T>>::encode(out, ignored.value);
    }
    static ignore<T> decode(Reader& in) { return {Codec<std::remove_cv_t<T>>::decode(in)}; }
    /// \endcond
};

namespace detail::persist {
template <class T>
inline constexpr bool is_ignored_v = false;
template <class T>
inline constexpr bool is_ignored_v<ignore<T>> = true;
}  // namespace detail::persist

}  // namespace procpool
