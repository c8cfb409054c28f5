// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Callables that the workers of a call over many items run in place of the user's function: it, and what they do with
/// its results.

#include <procpool/client/submission.hpp>
#include <procpool/codec/call.hpp>
#include <procpool/codec/callable.hpp>
#include <procpool/map/kept.hpp>
#include <procpool/map/outcome.hpp>
#include <procpool/worker/with_state.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace procpool::inline v0::detail::map {

/// Wrappers travel as what they wrap does, each by a Codec; their calls have been checked with the user's types.
template <class F>
concept Wrapper = requires {
    typename F::Wrapped;
};

/// Throws: CodecError when `f`, or the callable it wraps, is code that the workers do not have, or has captured what
/// only this process has, or is a snapshot of memory that is newer than they are; std::logic_error when it wants a
/// state that they do not have.
template <class F>
void check_callable(const client::Client& client, const F& f) {
    if constexpr (worker::WantsState<F>) {
        worker::require_state(client::state_type_of(client), typeid(typename F::StateWanted));
    }
    if constexpr (Wrapper<F>) {
        check_callable(client, f.f);
        if constexpr (requires { f.g; }) { check_callable(client, f.g); }
    } else if constexpr (std::is_function_v<std::remove_pointer_t<F>>) {
        client::check_code(client, reinterpret_cast<std::uintptr_t>(f));
    } else if constexpr (codec::is_snapshot_v<F>) {
        codec::check_snapshot(f, [&](const void* address) { return client::is_newer_than_workers(client, address); });
    } else {
        codec::check_captures(f, client::place_of(client));
    }
}

/// Called with a tuple, calls f(args...). Args are types that arguments were passed as.
template <class F, class... Args>
struct ApplyTuple {
    using Wrapped = F;
    using Stored = std::tuple<codec::wire_type_t<Args>...>;
    F f;

    decltype(auto) operator()(Stored&& stored) requires(!codec::takes_stop_token_v<F, Args...>) {
        return call(f, stored, {});
    }
    decltype(auto) operator()(std::stop_token stop, Stored&& stored) requires codec::takes_stop_token_v<F, Args...> {
        return call(f, stored, stop);
    }
    decltype(auto) operator()(Stored&& stored) const
        requires(may_be_large_v<ApplyTuple>&& codec::calls_const_v<F, Args...> &&
                 !codec::takes_stop_token_v<F, Args...>) {
        return call(f, stored, {});
    }
    decltype(auto) operator()(std::stop_token stop, Stored&& stored) const requires(
        may_be_large_v<ApplyTuple>&& codec::calls_const_v<F, Args...>&& codec::takes_stop_token_v<F, Args...>) {
        return call(f, stored, stop);
    }

private:
    template <class Callee>
    static decltype(auto) call(Callee& f, Stored& stored, const std::stop_token& stop) {
        if constexpr (codec::call_t<F, Args...>::as_strings) {
            return codec::invoke_call<Callee, Args...>(f, stored, stop);
        } else {  // by value: what f returns may point into these
            codec::arguments_t<F, Args...> arguments(std::move(stored));
            return static_cast<codec::task_result_t<F, Args...>>(
                codec::invoke_call<Callee, Args...>(f, arguments, stop));
        }
    }
};

/// Returns the value of f as an Outcome; its exceptions are caught where the outcome is encoded.
template <class F, class Item>
struct AsOutcome {
    using Wrapped = F;
    using Result = codec::task_result_t<F, Item>;
    F f;

    template <class... Args>
    requires std::is_invocable_v<F&, Args...> Outcome<Result>
    operator()(Args&&... args) { return call(f, std::forward<Args>(args)...); }
    template <class... Args>
    requires(may_be_large_v<AsOutcome>&& std::is_invocable_v<const F&, Args...>) Outcome<Result>
    operator()(Args&&... args) const { return call(f, std::forward<Args>(args)...); }

private:
    template <class Callee, class... Args>
    static Outcome<Result> call(Callee& f, Args&&... args) {
        if constexpr (std::is_void_v<Result>) {
            static_cast<void>(std::invoke(f, std::forward<Args>(args)...));
            return {};
        } else {
            return Outcome<Result>(static_cast<Result>(std::invoke(f, std::forward<Args>(args)...)));
        }
    }
};

template <class F>
inline constexpr bool is_as_outcome_v = false;
template <class F, class Item>
inline constexpr bool is_as_outcome_v<AsOutcome<F, Item>> = true;

/// f, and a function that folds its results.
template <class F, class G, class T>
struct MapThenFold {
    using Wrapped = F;
    using Value = T;
    F f;
    G g;

    template <class... Args>
    requires std::is_invocable_v<F&, Args...>
    decltype(auto) operator()(Args&&... args) { return std::invoke(f, std::forward<Args>(args)...); }
    template <class... Args>
    requires(may_be_large_v<MapThenFold>&& std::is_invocable_v<const F&, Args...>&&
                 std::is_invocable_v<const G&, T, std::invoke_result_t<const F&, Args...>>) decltype(auto)
    operator()(Args&&... args) const {
        return std::invoke(f, std::forward<Args>(args)...);
    }
};

/// The sum so far of the block that a worker is at.
template <class F>
class Accumulator {
    using T = typename F::Value;

public:
    template <class Folding, class Value>
    void add(Folding& f, Value&& value) {
        if (sum_) {
            T next = static_cast<T>(std::invoke(
                f.g, std::move(*sum_), std::forward<Value>(value)));  // before the sum goes, which it may refer to
            sum_.reset();
            sum_.emplace(std::move(next));
        } else {
            sum_.emplace(static_cast<T>(std::forward<Value>(value)));
        }
    }
    [[nodiscard]] bool has_value() const noexcept { return sum_.has_value(); }
    void encode(Writer& out) const { codec::encode_result<T>(out, *sum_); }
    void resume(Reader& in) { sum_.emplace(Codec<T>::decode(in)); }
    void reset() noexcept { sum_.reset(); }

private:
    std::optional<T> sum_;
};

}  // namespace procpool::detail::map

namespace procpool::inline v0::detail::codec {

template <class F, class... Args>
inline constexpr std::size_t most_bytes_v<map::ApplyTuple<F, Args...>> = most_bytes_v<F>;
template <class F, class Item>
inline constexpr std::size_t most_bytes_v<map::AsOutcome<F, Item>> = most_bytes_v<F>;
template <class F, class G, class T>
inline constexpr std::size_t most_bytes_v<map::MapThenFold<F, G, T>> = add_sizes({most_bytes_v<F>, most_bytes_v<G>});

}  // namespace procpool::detail::codec

namespace procpool::inline v0 {

template <class F, class... Args>
struct Codec<detail::map::ApplyTuple<F, Args...>> {
    using parts = detail::codec::TypeList<>;
    static void encode(Writer& out, const detail::map::ApplyTuple<F, Args...>& value) {
        detail::codec::encode_callable<F>(out, value.f);
    }
    static detail::map::ApplyTuple<F, Args...> decode(Reader& in) { return {detail::codec::decode_callable<F>(in)}; }
};

template <class F, class Item>
struct Codec<detail::map::AsOutcome<F, Item>> {
    using parts = detail::codec::TypeList<>;
    static void encode(Writer& out, const detail::map::AsOutcome<F, Item>& value) {
        detail::codec::encode_callable<F>(out, value.f);
    }
    static detail::map::AsOutcome<F, Item> decode(Reader& in) { return {detail::codec::decode_callable<F>(in)}; }
};

template <class F, class G, class T>
struct Codec<detail::map::MapThenFold<F, G, T>> {
    using parts = detail::codec::TypeList<>;
    static void encode(Writer& out, const detail::map::MapThenFold<F, G, T>& value) {
        detail::codec::encode_callable<F>(out, value.f);
        detail::codec::encode_callable<G>(out, value.g);
    }
    static detail::map::MapThenFold<F, G, T> decode(Reader& in) {
        return {detail::codec::decode_callable<F>(in), detail::codec::decode_callable<G>(in)};
    }
};

}  // namespace procpool
