// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// A call, f(args...), as it is made in another process: its arguments, its result, and their bytes.

#include <procpool/codec/callable.hpp>
#include <procpool/codec/mistake.hpp>
#include <procpool/codec/refusal.hpp>
#include <procpool/codec/repeated.hpp>
#include <procpool/codec/standard.hpp>
#include <procpool/codec/wire_type.hpp>
#include <procpool/core/config.hpp>

#include <cstddef>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace procpool::inline v0::detail::codec {

/// The type that a result arrives as: by value, and text as a string of its own. References to arrays and functions
/// decay.
template <class T, class Value = std::decay_t<T>>
struct returned {
    using type = Value;
};
template <class T, class C>
requires Character<std::remove_const_t<C>>
struct returned<T, C*> : wire_type<C*> {
};
template <class T, class C, class Traits>
struct returned<T, std::basic_string_view<C, Traits>> : wire_type<std::basic_string_view<C, Traits>> {};

template <class T>
inline constexpr bool is_span_v = false;
template <class T, std::size_t Extent>
inline constexpr bool is_span_v<std::span<T, Extent>> = true;

/// Whether a result of this type outlives the Reader that decodes it. A span does if it is in shared memory, which
/// shows only at run time.
template <class T>
inline constexpr bool outlives_reader_v = is_span_v<T> || !holds_view<T>();

/// How a call reaches its function; the first that compiles is taken.
enum class CallForm { impossible, direct, with_stop_token, with_pointers, with_pointers_and_stop_token };

/// The call of a decayed F with arguments that were passed as Args: of an lvalue, since it may be called more than
/// once, or of an rvalue where only that can be called.
template <class F, class... Args>
struct Call {
    template <class Callee>
    static consteval CallForm find_form() {
        if constexpr (std::is_invocable_v<Callee, passed_t<wire_type_t<Args>>...>) {
            return CallForm::direct;
        } else if constexpr (std::is_invocable_v<Callee, std::stop_token, passed_t<wire_type_t<Args>>...>) {
            return CallForm::with_stop_token;
        } else if constexpr (std::is_invocable_v<Callee, passed_t<wire_type_as_pointer_t<Args>>...>) {
            return CallForm::with_pointers;
        } else if constexpr (std::is_invocable_v<Callee, std::stop_token, passed_t<wire_type_as_pointer_t<Args>>...>) {
            return CallForm::with_pointers_and_stop_token;
        } else {
            return CallForm::impossible;
        }
    }

    /// Whether the call uses up the function object, or values that it holds.
    static constexpr bool once = [] {
        if constexpr (find_form<F&>() != CallForm::impossible) {
            return false;
        } else {
            return find_form<F&&>() != CallForm::impossible;
        }
    }();
    using Callee = std::conditional_t<once, F&&, F&>;

    static constexpr CallForm form = find_form<Callee>();
    static constexpr bool takes_stop_token =
        form == CallForm::with_stop_token || form == CallForm::with_pointers_and_stop_token;
    static constexpr bool as_strings = form == CallForm::direct || form == CallForm::with_stop_token;

    using Arguments =
        std::conditional_t<as_strings, std::tuple<wire_type_t<Args>...>, std::tuple<wire_type_as_pointer_t<Args>...>>;

    template <class As, class... Decoded>
    static auto find_result(std::tuple<Decoded...>*) {
        if constexpr (form == CallForm::impossible) {
            return std::type_identity<this_call_is_refused>{};
        } else if constexpr (takes_stop_token) {
            return returned<std::invoke_result_t<As, std::stop_token, passed_t<Decoded>...>>{};
        } else {
            return returned<std::invoke_result_t<As, passed_t<Decoded>...>>{};
        }
    }

    template <class As>
    using ResultOf = typename decltype(find_result<As>(static_cast<Arguments*>(nullptr)))::type;
    using Result = ResultOf<Callee>;
};

template <class F, class... Args>
using call_t = Call<std::decay_t<F>, Args...>;

/// The std::tuple that a call's arguments are decoded as.
template <class F, class... Args>
using arguments_t = typename call_t<F, Args...>::Arguments;

/// The type that a call returns, by value; void included.
template <class F, class... Args>
using task_result_t = typename call_t<F, Args...>::Result;

/// Whether the call receives a std::stop_token before its arguments.
template <class F, class... Args>
inline constexpr bool takes_stop_token_v = call_t<F, Args...>::takes_stop_token;

/// Whether the call can be made of a const function object too, with a result of the same type: then calls do not
/// change it.
template <class F, class... Args>
inline constexpr bool calls_const_v = [] {
    using Made = call_t<F, Args...>;
    if constexpr (Made::once || Made::form == CallForm::impossible ||
                  Made::template find_form<const std::decay_t<F>&>() != Made::form) {
        return false;
    } else {
        return std::is_same_v<typename Made::template ResultOf<const std::decay_t<F>&>, typename Made::Result>;
    }
}();

/// Whether the call can be made, and sent, and its result sent back.
template <class F, class... Args>
concept TaskCall = Sendable<F> && call_t<F, Args...>::form != CallForm::impossible &&
                   (Encodable<wire_type_t<Args>> && ...) &&
                   (std::is_void_v<task_result_t<F, Args...>> ||
                    (Encodable<task_result_t<F, Args...>> && outlives_reader_v<task_result_t<F, Args...>>));

/// F: the function; Args: the arguments it would be called with.
template <class Mistake, class F, class... Args>
struct not_callable {
    static_assert(
        never<F>,
        "procpool: this function cannot be called with these arguments as rvalues (char arrays and string_views arrive "
        "as std::string): check their number and types, and take by value or const& what the function takes by &");
};
template <class F, class... Args>
struct not_callable<TakesReference, F, Args...> {
    static_assert(
        never<F>,
        "procpool: this function takes an argument by reference (T&), but it would get a copy, in the worker: take it "
        "by value or const&, and "
        "return what comes of it; or pass what lies in shared memory, as std::ref(*shared) or a span of a SharedArray");
};
template <class F>
struct takes_random {
    static_assert(
        never<F>,
        "procpool: this function takes a generator (procpool::Random), and only calls over many items give one to "
        "their functions: make it in the function, procpool::Random random{seed, stream}");
};
template <class Mistake, class F, class... Args>
struct not_callable<TakesRandom<Mistake>, F, Args...> : takes_random<F> {};
template <class F, class... Args>
struct not_callable<TakesRandomWrong, F, Args...> : takes_random<F> {};
template <class F, class... Args>
struct not_callable<NotAFunction, F, Args...> : not_a_function<F> {};
template <class F, class... Args>
struct not_callable<WrongBound, F, Args...> {
    static_assert(never<F>,
                  "procpool: the values given to bind_front() do not fit the first parameters of its function");
};
template <std::size_t Given, std::size_t Wanted, class F, class... Args>
struct not_callable<TooFew<Given, Wanted>, F, Args...> {
    static_assert(never<F>, "procpool: too few arguments for this function: pass one for each parameter");
};
template <std::size_t Given, std::size_t Wanted, class F, class... Args>
struct not_callable<TooMany<Given, Wanted>, F, Args...> {
    static_assert(never<F>, "procpool: too many arguments for this function");
};
template <std::size_t Position, class Given, class Wanted, class F, class... Args>
struct not_callable<WrongType<Position, Given, Wanted>, F, Args...> {
    static_assert(never<F>,
                  "procpool: an argument does not convert to the type that this function takes there, see "
                  "WrongType<its number, given, taken> nearby");
};

// For each of the small numbers, which messages can name.
#define PROCPOOL_REFUSE_ARGUMENTS(number)                                                                             \
    template <std::size_t Given, class F, class... Args>                                                              \
    struct not_callable<TooFew<Given, number>, F, Args...> {                                                          \
        static_assert(never<F>, "procpool: too few arguments for this function, which takes " #number                 \
                                ": pass one for each parameter (a pointer to a function does not know its default "   \
                                "arguments: call it in a lambda)");                                                   \
    };                                                                                                                \
    template <std::size_t Given, class F, class... Args>                                                              \
    struct not_callable<TooMany<Given, number>, F, Args...> {                                                         \
        static_assert(never<F>, "procpool: too many arguments for this function, which takes " #number);              \
    };                                                                                                                \
    template <class Given, class Wanted, class F, class... Args>                                                      \
    struct not_callable<WrongType<number, Given, Wanted>, F, Args...> {                                               \
        static_assert(never<F>, "procpool: argument " #number                                                         \
                                " does not convert to the type that this function takes there, see WrongType<its "    \
                                "number, given, taken> nearby (char arrays and string_views arrive as std::string)"); \
    };
PROCPOOL_REFUSE_ARGUMENTS(0)
PROCPOOL_REFUSE_ARGUMENTS(1)
PROCPOOL_REFUSE_ARGUMENTS(2)
PROCPOOL_REFUSE_ARGUMENTS(3)
PROCPOOL_REFUSE_ARGUMENTS(4)
#undef PROCPOOL_REFUSE_ARGUMENTS

/// Does not compile, and says why, unless TaskCall<F, Args...>: the first of its mistakes. NotCallable: says what is
/// wrong with the call itself, as not_callable.
template <template <class...> class NotCallable, class F, class... Args>
constexpr auto require_call() {
    if constexpr (!may_be_function_v<std::decay_t<F>> || !Sendable<F>) {
        require_sendable<F>();
    } else if constexpr (!(Encodable<wire_type_t<Args>> && ...)) {
        (require_travels<wire_type_t<Args>>(), ...);
    } else if constexpr (call_t<F, Args...>::form == CallForm::impossible) {
        static_cast<void>(sizeof(NotCallable<mistake_t<std::decay_t<F>, passed_t<wire_type_t<Args>>...>,
                                             std::decay_t<F>, passed_t<wire_type_t<Args>>...>));
    } else if constexpr (!std::is_void_v<task_result_t<F, Args...>>) {
        require_travels<task_result_t<F, Args...>>();
        static_assert(
            outlives_reader_v<task_result_t<F, Args...>>,
            "procpool: the result of this function holds a string_view or span, or a Ref, and what it refers to ends "
            "with the task: return std::string or std::vector instead, or the value");
    }
}
template <class F, class... Args>
constexpr auto require_task_call() {
    require_call<not_callable, F, Args...>();
}

/// An argument is its bytes, which it gives without waiting: the result of a SharedFuture has to be there first.
template <class Argument>
inline constexpr bool is_plain_argument_v = is_plain_v<wire_type_t<Argument>>&& noexcept(
    wire_type<std::decay_t<Argument>>::from(std::declval<const std::decay_t<Argument>&>()));

/// The callable and all arguments are their bytes, so that they may be copied without a Writer; check_captures() is
/// still due.
template <class F, class... Args>
inline constexpr bool is_plain_call_v =
    (callable_kind_v<F> == CallableKind::nothing || callable_kind_v<F> == CallableKind::bytes ||
     std::is_function_v<std::remove_pointer_t<std::decay_t<F>>>)&&(is_plain_argument_v<Args>&&...);

/// Effects: writes the callable, then the arguments. Throws: CodecError; any exception of Codecs.
template <class F, class... Args>
void encode_call(Writer& out, const F& f, const Args&... args) {
    require_task_call<F, Args...>();
    using Function = std::decay_t<const F>;
    if constexpr (callable_kind_v<Function> == CallableKind::pointer) {
        encode_plain(out, Function{f});  // the pool has seen that the workers have this code: see Client::check_code()
    } else {
        encode_callable<Function>(out, f);
    }
    (Codec<wire_type_t<Args>>::encode(out, to_wire(args)), ...);
}

/// As encode_call(), for workers that may have the program's code elsewhere: pools encode calls so if their engine
/// `is_far`.
template <class F, class... Args>
void encode_call_by_name(Writer& out, const F& f, const Args&... args) {
    require_task_call<F, Args...>();
    encode_callable<std::decay_t<const F>>(out, f);
    (Codec<wire_type_t<Args>>::encode(out, to_wire(args)), ...);
}

/// Effects: writes the callable alone, as the engine wants it: as encode_call() or encode_call_by_name() do.
template <class E, class F>
void encode_function_for(Writer& out, const F& f) {
    using Function = std::decay_t<const F>;
    if constexpr (!requires { requires E::is_far; } && callable_kind_v<Function> == CallableKind::pointer) {
        encode_plain(out, Function{f});
    } else {
        encode_callable<Function>(out, f);
    }
}

/// As the one or the other, as the engine wants it.
template <class E, class F, class... Args>
void encode_call_for(Writer& out, const F& f, const Args&... args) {
    if constexpr (requires { requires E::is_far; }) {  // qualified: an argument's room may have a function of that name
        codec::encode_call_by_name<F, Args...>(out, f, args...);
    } else {
        codec::encode_call<F, Args...>(out, f, args...);
    }
}

template <class... Ts>
[[nodiscard]] std::tuple<Ts...> decode_tuple(Reader& in, std::type_identity<std::tuple<Ts...>>) {
    return std::tuple<Ts...>{Codec<Ts>::decode(in)...};
}

/// Returns: the arguments of a call, behind its callable.
template <class F, class... Args>
[[nodiscard]] arguments_t<F, Args...> decode_arguments(Reader& in) {
    return decode_tuple(in, std::type_identity<arguments_t<F, Args...>>{});
}

/// Returns: f(args...), with `stop` before them if f wants it, the arguments as rvalues unless they are Repeated. A
/// reference may be to an argument. F: const only if calls_const_v.
template <class F, class... Args>
decltype(auto) invoke_call(F& f, arguments_t<F, Args...>& arguments, const std::stop_token& stop) {
    using Callee = std::conditional_t<std::is_const_v<F>, F&, typename call_t<F, Args...>::Callee>;
    return std::apply(
        [&]<class... Decoded>(Decoded&... decoded) -> decltype(auto) {
            if constexpr (takes_stop_token_v<F, Args...>) {
                return std::invoke(static_cast<Callee>(f), stop, passed<Decoded>::from(decoded)...);
            } else {
                return std::invoke(static_cast<Callee>(f), passed<Decoded>::from(decoded)...);
            }
        },
        arguments);
}

/// The argument of a call as it came.
struct EncodedArgument {
    Reader& in;
};

/// Whether the argument of a call can be decoded where the function takes it. That spares moving what has just been
/// written in other pieces, as compilers do with a std::string: a processor waits then until all it has written before
/// is in its cache. Not where the result might refer to the argument, which must live longer then.
template <class F, class... Args>
inline constexpr bool decodes_where_passed_v = [] {
    if constexpr (sizeof...(Args) == 1 && call_t<F, Args...>::form == CallForm::direct && !call_t<F, Args...>::once &&
                  !std::is_member_pointer_v<F>) {
        using Decoded = std::tuple_element_t<0, arguments_t<F, Args...>>;
        if constexpr (std::is_same_v<passed_t<Decoded>, Decoded&&>) {
            using Returned = std::invoke_result_t<F&, Decoded>;
            return std::is_void_v<Returned> || std::is_arithmetic_v<Returned> || std::is_same_v<Returned, Decoded> ||
                   std::is_same_v<Returned, std::string>;
        }
    }
    return false;
}();

/// Returns: as above, of an argument that is yet to be decoded. Requires: decodes_where_passed_v.
template <class F, class Arg>
auto invoke_call(F& f, EncodedArgument& argument, const std::stop_token&) {
    return f(Codec<std::tuple_element_t<0, arguments_t<F, Arg>>>::decode(argument.in));
}

[[noreturn]] void refuse_span_of_task(const std::type_info& span);

/// Effects: writes the result of a task. Throws: CodecError, also when it is a span of memory that ends with the task.
template <class Result, class Value>
void encode_result(Writer& out, const Value& value) {
    if constexpr (is_span_v<Result>) {
        if (!value.empty() && out.visibility_of(value.data()) != Visibility::shared) {
            refuse_span_of_task(typeid(Result));
        }
    }
    Codec<Result>::encode(out, to_wire(value));
}

/// Effects: decodes the call that encode_call() wrote, makes it, and encodes the result to `out` while the arguments
/// live, since the result may refer to them. Throws: any exception of the function or of Codecs; CodecError.
template <class F, class... Args>
void run_call(Reader& in, Writer& out, const std::stop_token& stop = {}) {
    using Result = task_result_t<F, Args...>;
    using Function = std::decay_t<F>;
    auto f = decode_callable<Function>(in);
    auto arguments = [&] {
        if constexpr (decodes_where_passed_v<Function, Args...>) {
            return EncodedArgument{in};
        } else {
            return decode_arguments<F, Args...>(in);
        }
    }();
    if constexpr (std::is_void_v<Result>) {
        invoke_call<Function, Args...>(f, arguments, stop);
    } else {
        const auto& result = invoke_call<Function, Args...>(f, arguments, stop);
        encode_result<Result>(out, result);
    }
}

}  // namespace procpool::detail::codec

#if PROCPOOL_BODIES
#include <procpool/codec/call.ipp>
#endif
