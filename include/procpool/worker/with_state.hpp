// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// with_state(): a function object that gives its function the object which the worker's initializer has returned.

#include <procpool/codec/bind_front.hpp>
#include <procpool/codec/callable.hpp>
#include <procpool/codec/mistake.hpp>
#include <procpool/codec/overload_set.hpp>
#include <procpool/worker/state.hpp>

#include <stop_token>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace procpool::inline v0::detail::worker {

/// Calls f(state, args...), or f(stop, state, args...) for the arguments (stop, args...). Travels as f does.
template <class State, class F>
struct WithState {
    using Wrapped = F;
    using StateWanted = std::remove_cv_t<State>;
    F f;

    template <class... Args>
    requires(codec::BoundCall<F&, State&>::template is_possible<Args...>) decltype(auto) operator()(Args&&... args) & {
        return codec::BoundCall<F&, State&>::template call<Args...>(f, this_worker::state<StateWanted>(),
                                                                    std::forward<Args>(args)...);
    }
    template <class... Args>
    requires(codec::BoundCall<const F&, State&>::template is_possible<Args...>) decltype(auto) operator()(
        Args&&... args) const& {
        return codec::BoundCall<const F&, State&>::template call<Args...>(f, this_worker::state<StateWanted>(),
                                                                          std::forward<Args>(args)...);
    }
    template <class... Args>
    requires(codec::BoundCall<F&&, State&>::template is_possible<Args...>) decltype(auto) operator()(
        Args&&... args) && {
        return codec::BoundCall<F&&, State&>::template call<Args...>(std::move(f), this_worker::state<StateWanted>(),
                                                                     std::forward<Args>(args)...);
    }
};

/// A function object that wants one itself.
template <class F>
concept WantsState = requires {
    typename F::StateWanted;
    requires std::is_same_v<F, WithState<typename F::StateWanted, typename F::Wrapped>> ||
        std::is_same_v<F, WithState<const typename F::StateWanted, typename F::Wrapped>>;
};

/// Effects: calls require(type) for each state that f, or what it wraps, wants.
template <class F, class Require>
void each_state_wanted(const Require& require) {
    if constexpr (requires { typename F::Wrapped; }) {
        if constexpr (WantsState<F>) { require(typeid(typename F::StateWanted)); }
        each_state_wanted<typename F::Wrapped>(require);
    }
}

/// The object that a function takes first, behind a std::stop_token, as far as its type shows; void otherwise.
template <class Parameters>
struct first_reference {
    using type = void;
};
template <class First, class... Others>
struct first_reference<codec::TypeList<First&, Others...>> {
    using type = std::remove_volatile_t<First>;
};
template <class... Others>
struct first_reference<codec::TypeList<std::stop_token, Others...>> : first_reference<codec::TypeList<Others...>> {};
template <class First, class... Others>
requires(std::is_same_v<std::remove_const_t<First>,
                        std::stop_token>) struct first_reference<codec::TypeList<First&, Others...>>
    : first_reference<codec::TypeList<Others...>> {
};

/// The type that was asked for, or else the one that the function takes.
template <class Asked, class F>
using wanted_state_t = std::conditional_t<std::is_void_v<Asked>,
                                          typename first_reference<typename codec::parameters<F>::type>::type, Asked>;

template <class F>
struct no_state_to_see {
    static_assert(codec::never<F>,
                  "procpool: with_state() sees the type of the state in a function that takes it first, by reference: "
                  "[](Model& model, int x) { ... }; for a generic lambda or function object say which it is: "
                  "with_state<Model>(f)");
};
template <class F>
struct other_state_taken {
    static_assert(codec::never<F>,
                  "procpool: this function does not take the state that with_state<State>() should give it: it gets it "
                  "as its first argument, by reference");
};

/// Whether the parameters of the function, as far as its type shows, begin with what takes that state.
template <class State, class Parameters>
inline constexpr bool takes_state_v = true;
template <class State, class First, class... Others>
inline constexpr bool takes_state_v<State, codec::TypeList<First, Others...>> = std::is_convertible_v<State&, First>;
template <class State, class... Others>
inline constexpr bool takes_state_v<State, codec::TypeList<std::stop_token, Others...>> =
    takes_state_v<State, codec::TypeList<Others...>>;
template <class State>
inline constexpr bool takes_state_v<State, codec::TypeList<>> = false;

}  // namespace procpool::detail::worker

namespace procpool::inline v0 {

namespace detail::codec {

template <class State, class F>
struct BuiltInCodec<worker::WithState<State, F>, StandardKind::other> {
    using parts = TypeList<>;

    static void encode(Writer& out, const worker::WithState<State, F>& call) { encode_callable<F>(out, call.f); }
    static worker::WithState<State, F> decode(Reader& in) { return {decode_callable<F>(in)}; }
};

template <class State, class F>
inline constexpr std::size_t most_bytes_v<worker::WithState<State, F>> = most_bytes_v<F>;

template <class State, class F, class... Passed>
struct mistake<worker::WithState<State, F>, Passed...> : after_bound<mistake_t<F, State&, Passed...>, 1> {};

}  // namespace detail::codec

/// Returns: a function object for tasks of a pool whose PoolOptions::initializer returns an object: its call is
/// f(state, args...) with the object of the worker that runs it, by reference; f(stop, state, args...) where f wants a
/// std::stop_token first. The type of the state is that of f's first parameter; a generic f needs it said,
/// with_state<Model>(f). It is exactly the type that the initializer returns; or, where that is a std::unique_ptr or
/// std::shared_ptr of what is not const, the type that this owns. A pool whose initializer returns another one, or
/// none, refuses the call when it is made, by a std::logic_error that names both; so does a worker.
template <class State = void, class F>
[[nodiscard]] auto with_state(F&& f) {
    using Function = std::decay_t<F>;
    using Wanted = detail::worker::wanted_state_t<State, Function>;
    detail::codec::require_sendable<Function>();
    if constexpr (!detail::codec::Sendable<Function>) {
        return detail::codec::this_call_is_refused{};
    } else if constexpr (!std::is_class_v<Wanted>) {
        return static_cast<void>(sizeof(detail::worker::no_state_to_see<Function>)),
               detail::codec::this_call_is_refused{};
    } else if constexpr (!detail::worker::takes_state_v<Wanted, typename detail::codec::parameters<Function>::type>) {
        return static_cast<void>(sizeof(detail::worker::other_state_taken<Function>)),
               detail::codec::this_call_is_refused{};
    } else {
        return detail::worker::WithState<Wanted, Function>{std::forward<F>(f)};
    }
}

PROCPOOL_REFUSE_UNTYPED(with_state)

}  // namespace procpool
