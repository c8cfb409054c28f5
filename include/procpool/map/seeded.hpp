// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Seeded: a function of a call over many items that takes a generator of random numbers behind its item.

#include <procpool/codec/call.hpp>
#include <procpool/codec/callable.hpp>
#include <procpool/core/random.hpp>
#include <procpool/map/kept.hpp>
#include <procpool/map/wire.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::map {

/// Whether a Callee can be called with a generator behind Args, and takes it by reference: from a copy it would draw
/// the same numbers as from the next one.
template <class Callee, class... Args>
inline constexpr bool takes_random_v =
    std::is_invocable_v<Callee, Args..., Random&> && !std::is_invocable_v<Callee, Args..., Random>;

/// Called without a generator, calls f with the one that it has been given for the item. The generator does not travel:
/// the runner makes it in the worker.
template <class F>
struct Seeded {
    using Wrapped = F;
    F f;
    mutable Random* random = nullptr;  // a call reads it first, so that one within another may change it

    template <class... Args>
    requires takes_random_v<F&, Args...>
    decltype(auto) operator()(Args&&... args) { return std::invoke(f, std::forward<Args>(args)..., *random); }
    template <class... Args>
    requires(may_be_large_v<Seeded>&& takes_random_v<const F&, Args...>) decltype(auto) operator()(
        Args&&... args) const {
        return std::invoke(f, std::forward<Args>(args)..., *random);
    }
};

template <class F>
inline constexpr bool is_seeded_object_v = false;
template <class F>
inline constexpr bool is_seeded_object_v<Seeded<F>> = true;

/// Whether F is Seeded, or wraps what is.
template <class F>
consteval bool is_seeded() {
    if constexpr (is_seeded_object_v<F>) {
        return true;
    } else if constexpr (requires { typename F::Wrapped; }) {
        return is_seeded<typename F::Wrapped>();
    } else {
        return false;
    }
}
template <class F>
inline constexpr bool is_seeded_v = is_seeded<std::remove_const_t<F>>();

/// Returns: the one that f is, or wraps. Requires: is_seeded_v.
template <class F>
[[nodiscard]] const auto& seeded_in(const F& f) noexcept {
    if constexpr (is_seeded_object_v<F>) {
        return f;
    } else {
        return seeded_in(f.f);
    }
}

/// Whether F can be called with Args, or Seeded<F> can.
template <class F, class... Args>
inline constexpr bool is_called_v = codec::call_t<F, Args...>::form != codec::CallForm::impossible;

template <class F, class... Args>
consteval auto find_callee() {
    if constexpr (is_seeded_object_v<F> || !codec::may_be_function_v<F> || codec::looks_like_range_v<F>) {
        return std::type_identity<F>{};
    } else if constexpr (is_called_v<F, Args...>) {
        return std::type_identity<F>{};
    } else if constexpr (is_called_v<Seeded<F>, Args...>) {
        return std::type_identity<Seeded<F>>{};
    } else {
        return std::type_identity<F>{};
    }
}
/// The callee that gets Args, as which they are passed: F, or Seeded<F> where F takes a generator behind them.
template <class F, class... Args>
using callee_t = typename decltype(find_callee<F, Args...>())::type;

/// Returns: f as a Callee, which is F or Seeded<F>.
template <class Callee, class F>
[[nodiscard]] Callee as_callee(F&& f) {
    if constexpr (std::is_same_v<Callee, std::remove_cvref_t<F>>) {
        return std::forward<F>(f);
    } else {
        return Callee{.f = std::forward<F>(f)};
    }
}

/// The generators of the items of a chunk, in the worker.
template <bool is_seeded>
class ItemRandom {
public:
    explicit ItemRandom(Reader&) noexcept {}
    template <class F>
    void begin(std::uint64_t, const F&) const noexcept {}
};
template <>
class ItemRandom<true> {
public:
    explicit ItemRandom(Reader& in) : of_(codec::decode_plain<ChunkSeed>(in)) {}
    /// Effects: f has the generator of the chunk's item `i`, for its next call.
    template <class F>
    [[gnu::always_inline]] void begin(std::uint64_t i, const F& f) noexcept {
        random_.seed(of_.seed, of_.first + i);
        seeded_in(f).random = &random_;
    }

private:
    const ChunkSeed of_;
    Random random_;
};

}  // namespace procpool::detail::map

namespace procpool::inline v0::detail::codec {

template <class F>
inline constexpr std::size_t most_bytes_v<map::Seeded<F>> = most_bytes_v<F>;

}  // namespace procpool::detail::codec

namespace procpool::inline v0 {

template <class F>
struct Codec<detail::map::Seeded<F>> {
    using parts = detail::codec::TypeList<>;
    static void encode(Writer& out, const detail::map::Seeded<F>& value) {
        detail::codec::encode_callable<F>(out, value.f);
    }
    static detail::map::Seeded<F> decode(Reader& in) { return {.f = detail::codec::decode_callable<F>(in)}; }
};

}  // namespace procpool
