// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ActorCalls: the calls of an actor, and their code.

#include <procpool/actor/life.hpp>
#include <procpool/client/submission.hpp>
#include <procpool/codec/call.hpp>
#include <procpool/codec/callable.hpp>
#include <procpool/codec/mistake.hpp>
#include <procpool/codec/overload_set.hpp>
#include <procpool/codec/refusal.hpp>
#include <procpool/future/future.hpp>
#include <procpool/pool/options.hpp>
#include <procpool/worker/task_frame.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::actor {

/// A call of an actor without its payload.
struct CallType {
    TaskCode code;
    bool plain;               ///< see client::Submission
    std::uintptr_t function;  ///< where it is one, its address, which the actor must have; 0: none
};

/// A function with the object that it is called on.
template <class T, class F>
struct Method {
    F& function;
    T& object;

    template <class... Args>
    requires std::is_invocable_v<F&, T&, Args...>
    decltype(auto) operator()(Args&&... args) const {
        return std::invoke(function, object, std::forward<Args>(args)...);
    }
};

template <class T, class F, class... Args>
using call_result_t = codec::task_result_t<Method<T, std::decay_t<F>>, Args...>;

/// Whether the call can be made, and sent, and its result sent back.
template <class T, class F, class... Args>
concept ActorCall = codec::Sendable<F> &&
                        codec::call_t<Method<T, std::decay_t<F>>, Args...>::form != codec::CallForm::impossible &&
                    (Encodable<codec::wire_type_t<Args>> && ...) &&
                    (std::is_void_v<call_result_t<T, F, Args...>> ||
                     (Encodable<call_result_t<T, F, Args...>> &&
                      codec::outlives_reader_v<call_result_t<T, F, Args...>>));

template <class F>
struct not_callable_on_object {
    static_assert(
        codec::never<F>,
        "procpool: this function cannot be called on the actor's object with these arguments: it is called as "
        "f(object, args...), the object as T&, or as object.member(args...) for a pointer to a member; the "
        "arguments are rvalues, of the types that they travel as (char arrays and string_views arrive as "
        "std::string): check their number and types");
};
template <class F>
struct options_not_first {
    static_assert(codec::never<F>,
                  "procpool: an actor's call takes TaskOptions, before the function: "
                  "call(TaskOptions{...}, f, args...)");
};

/// Does not compile, and says why, unless ActorCall<T, F, Args...>.
template <class T, class F, class... Args>
constexpr auto require_actor_call() {
    if constexpr ((std::same_as<std::decay_t<Args>, TaskOptions> || ...)) {
        static_cast<void>(sizeof(options_not_first<F>));
    } else if constexpr (!codec::may_be_function_v<std::decay_t<F>> || !codec::Sendable<F>) {
        codec::require_sendable<F>();
    } else if constexpr (!(Encodable<codec::wire_type_t<Args>> && ...)) {
        (codec::require_travels<codec::wire_type_t<Args>>(), ...);
    } else if constexpr (codec::call_t<Method<T, std::decay_t<F>>, Args...>::form == codec::CallForm::impossible) {
        static_cast<void>(sizeof(not_callable_on_object<F>));
    } else if constexpr (!ActorCall<T, F, Args...>) {
        codec::require_travels<call_result_t<T, F, Args...>>();
        static_assert(codec::outlives_reader_v<call_result_t<T, F, Args...>>,
                      "procpool: the result of this call holds a string_view or span, and what it views stays with the "
                      "actor: return std::string or std::vector instead");
    }
}

/// A pointer to a member function on its way: its first word, where its second is 0, as it is but for functions of
/// some base classes. Then it and a small argument fit into the first line of a slot.
template <class F>
struct MethodPointer {
    static_assert(sizeof(F) == 2 * sizeof(std::uintptr_t));
    using Words = std::array<std::uintptr_t, 2>;
    static constexpr std::uintptr_t both = ~(~std::uintptr_t{0} >> 1);  ///< written before two words

    static void encode(Writer& out, const F& function) {
        const auto words = std::bit_cast<Words>(function);
        if (words[1] == 0 && words[0] < both) [[likely]] {
            codec::encode_plain(out, words[0]);
        } else {
            codec::encode_plain(out, both);
            codec::encode_plain(out, words);
        }
    }
    static F decode(Reader& in) {
        const auto first = codec::decode_plain<std::uintptr_t>(in);
        return std::bit_cast<F>(first < both ? Words{first, 0} : codec::decode_plain<Words>(in));
    }
};

template <class F>
[[nodiscard]] F decode_function(Reader& in) {
    if constexpr (std::is_member_function_pointer_v<F>) {
        return MethodPointer<F>::decode(in);
    } else {
        return codec::decode_callable<F>(in);
    }
}

/// The code of a call: decodes it, makes it on this worker's object, encodes what it returns.
template <class T, class F, class... Args>
void call_code(TaskFrame& frame) {
    using Function = std::decay_t<F>;
    using Bound = Method<T, Function>;
    using Result = call_result_t<T, F, Args...>;
    Life& life = Life::of_this_worker();
    T& object = *static_cast<T*>(life.object());
    const Life::Call ends_with_result{life};
    Reader in{frame.arguments};
    auto function = decode_function<Function>(in);
    auto arguments = codec::decode_arguments<Bound, Args...>(in);
    const std::stop_token stop =
        codec::takes_stop_token_v<Bound, Args...> ? frame.host.stop_token() : std::stop_token{};
    Bound bound{function, object};
    if constexpr (std::is_void_v<Result>) {
        codec::invoke_call<Bound, Args...>(bound, arguments, stop);
    } else {
        const auto& result = codec::invoke_call<Bound, Args...>(bound, arguments, stop);
        codec::encode_result<Result>(frame.result, result);
    }
}

/// The bytes say it all, and writing them runs no code of the user's.
template <class F, class... Args>
inline constexpr bool is_plain_actor_call_v = codec::is_plain_call_v<F, Args...> ||
                                              (std::is_member_pointer_v<std::decay_t<F>> &&
                                               (codec::is_plain_argument_v<Args> && ...));

/// Effects: writes the function, then the arguments.
template <class F, class... Args>
void encode_call(Writer& out, const F& f, const Args&... args) {
    using Function = std::decay_t<const F>;
    if constexpr (std::is_function_v<std::remove_pointer_t<Function>>) {
        codec::encode_plain(out, Function{f});  // it is looked at before: see CallType
    } else if constexpr (std::is_member_function_pointer_v<Function>) {
        MethodPointer<Function>::encode(out, f);
    } else {
        codec::encode_callable<Function>(out, f);
    }
    (Codec<codec::wire_type_t<Args>>::encode(out, codec::to_wire(args)), ...);
}

/// The calls of an Actor and of an ActorRef. Self: has submit() and is_newer().
template <class Self, class T>
class ActorCalls {
public:
    /// \{
    /// Lets the actor call f(object, args...), or object.member(args...) for a pointer to a member, const or not, on
    /// its T; f may take a std::stop_token before args. Calls run one at a time, those of one thread in its order. What
    /// is said of ProcessPool::apply_async() about f, its arguments, its result and the wait for room in the queue
    /// holds here. Of the options, retries and priority must be 0: a call runs at most once, and in its turn. A call
    /// that exceeds its timeout costs the actor its process: see ActorOptions::restarts. A call that waits for one of
    /// its own actor throws std::system_error (resource_deadlock_would_occur), but actors whose calls wait for each
    /// other in a circle, A for B and B for A, wait for ever, which nothing tells: give such calls a timeout. In a
    /// worker process the future of an ActorRef's call has no then(), on_done() and co_await. Returns: the future of
    /// f's result; get() throws f's exception; ActorDied when the actor's process ends before the call does;
    /// TaskTimedOut. Throws: ActorDied when the actor is dead; PoolClosed after stop(), and when the Actor is gone;
    /// CodecError when f or an argument cannot travel; SharedMemoryExhausted; std::invalid_argument for bad options.
    /// Nothing is queued then.
    template <class F, class... Args>
    requires(!std::same_as<F, TaskOptions>) auto call(F f, Args&&... args) const
        -> Future<call_result_t<T, F, Args...>> {
        return Future<call_result_t<T, F, Args...>>{submit<F, Args...>(nullptr, f, args...)};
    }
    template <class F, class... Args>
    auto call(const TaskOptions& options, F f, Args&&... args) const -> Future<call_result_t<T, F, Args...>> {
        return Future<call_result_t<T, F, Args...>>{submit<F, Args...>(&options, f, args...)};
    }
    /// \}
    /// Chosen for braces that are no TaskOptions; does not compile.
    template <class Nothing = void, class... Args>
    auto call(const codec::MistakenOptions&, const codec::AnyValue&, Args&&...) const {
        static_assert(codec::never<Nothing>,
                      "procpool: these braces are no options of an actor's call, which has timeout and label, as in "
                      "call({.timeout = 5s, .label = name}, f, args...); a time has a unit; its priority and retries "
                      "are 0, and its process is restarted by ActorOptions::restarts");
        return codec::this_call_is_refused{};
    }
    /// Chosen for what has no type, such as the name of an overloaded member; does not compile.
    template <
        class Mistake = codec::
            this_name_stands_for_several_functions_or_is_a_template__or_these_braces_have_no_type_or_a_misspelt_option,
        class Remedy = codec::
            write_a_lambda_that_calls_it_or_static_cast_it__and_before_braces_their_type_as_in_TaskOptions_or_std_vector>
    void call(...) const = delete;

protected:
    ActorCalls() noexcept = default;
    ActorCalls(const ActorCalls&) noexcept = default;
    ActorCalls& operator=(const ActorCalls&) noexcept = default;
    ~ActorCalls() = default;

private:
    template <class F, class... Args>
    TaskHandle submit(const TaskOptions* options, const F& f, const std::remove_reference_t<Args>&... args) const {
        require_actor_call<T, F, Args...>();
        if constexpr (ActorCall<T, F, Args...>) {
            const Self& self = static_cast<const Self&>(*this);
            if constexpr (codec::is_snapshot_v<F>) {
                codec::check_snapshot(f, [&](const void* address) { return self.is_newer(address); });
            }
            CallType type{call_code<T, F, Args...>, is_plain_actor_call_v<F, Args...>, 0};
            if constexpr (std::is_function_v<std::remove_pointer_t<F>>) {
                type.function = reinterpret_cast<std::uintptr_t>(f);
            }
            return self.submit_call(
                type, options, [&](Writer& out) { encode_call<F, std::remove_reference_t<Args>...>(out, f, args...); });
        } else {
            return {};
        }
    }
};

}  // namespace procpool::detail::actor
