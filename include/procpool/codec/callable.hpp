// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Callables that travel to another process: pointers to code, closures that are nothing but bytes, and function
/// objects that are encodable. A closure's bytes are searched for addresses that mean nothing to the receiver.

#include <procpool/codec/address.hpp>
#include <procpool/codec/captured.hpp>
#include <procpool/codec/codec.hpp>
#include <procpool/codec/mistake.hpp>
#include <procpool/codec/plain.hpp>
#include <procpool/codec/refusal.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/type_text.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace procpool::inline v0::detail::codec {

/// A callable that is not searched: it refers, in the worker, to the memory as it was when the pool was built or last
/// reforked.
template <CopiedAsBytes F>
class Snapshot {
public:
    explicit Snapshot(F function) noexcept : function_(std::move(function)) {}

    template <class... Args>
    requires std::is_invocable_v<F&, Args...>
    decltype(auto) operator()(Args&&... args) { return std::invoke(function_, std::forward<Args>(args)...); }
    template <class... Args>
    requires std::is_invocable_v<const F&, Args...>
    decltype(auto) operator()(Args&&... args) const { return std::invoke(function_, std::forward<Args>(args)...); }

private:
    F function_;
};

/// Whether the program calls snapshot() anywhere: pools remember which memory their workers have only if it does.
inline constinit bool snapshots_are_used = false;
template <class F>
inline const bool uses_snapshot = (snapshots_are_used = true);  // while the program, or its library, is loaded

}  // namespace procpool::detail::codec

namespace procpool::inline v0 {

/// Returns: f, allowed to refer to memory that workers have only a copy of: right for tables that were loaded before
/// the pool was built, wrong for memory that changes after that, or lies on the stack of a function that has returned.
/// Memory that is certain to be newer than the workers is refused when the task is submitted; memory that was freed
/// before they were forked, and is used again, cannot be distinguished from what it was.
template <class F>
[[nodiscard]] auto snapshot(F&& f) {
    using Function = std::decay_t<F>;
    static_assert(
        detail::codec::CopiedAsBytes<Function>,
        "procpool: snapshot() takes closures that capture references, pointers and trivially copyable values only: "
        "capture strings and containers by reference, or pass them as arguments");
    if constexpr (detail::codec::CopiedAsBytes<Function>) {
        static_cast<void>(&detail::codec::uses_snapshot<Function>);
        return detail::codec::Snapshot<Function>(std::forward<F>(f));
    } else {
        return detail::codec::this_call_is_refused{};
    }
}

}  // namespace procpool

namespace procpool::inline v0::detail::codec {

template <class F>
inline constexpr bool is_snapshot_v = false;
template <class F>
inline constexpr bool is_snapshot_v<Snapshot<F>> = true;

/// Classes whose bytes are searched for addresses when they are sent, as a task's function or as a value: closures; the
/// results of std::bind and its like; types that name something static in the program; and snapshots, which are
/// excepted from the search.
template <class T>
concept Searched =
    std::is_class_v<T> && !std::is_aggregate_v<T> && !std::is_empty_v<T> && CopiedAsBytes<T> &&
    (is_closure_v<T> || is_snapshot_v<T> || std::is_bind_expression_v<T> || type_text<T>().starts_with("std::_Bind") ||
     type_text<T>().starts_with("std::_Mem_fn<") || type_text<T>().starts_with("std::_Not_fn<") ||
     type_text<T>() == "std::type_index" || type_text<T>() == "std::source_location");

/// Those of them that are an address of something static, or a pointer to a member function, and nothing else.
template <class T>
concept NamesStatic = Searched<T> && sizeof(T) >= sizeof(void*) &&
                      (type_text<T>() == "std::type_index" || type_text<T>() == "std::source_location" ||
                       type_text<T>().starts_with("std::_Mem_fn<"));

/// How a callable travels.
enum class CallableKind {
    cannot,   ///< it does not
    nothing,  ///< it is empty: the type says it all
    pointer,  ///< a pointer to a function or member
    value,    ///< by its Codec
    bytes     ///< as its bytes, searched for addresses unless it is a snapshot
};

template <class F>
consteval CallableKind callable_kind() {
    if constexpr (is_snapshot_v<F>) {
        return CallableKind::bytes;
    } else if constexpr (std::is_pointer_v<F> || std::is_member_pointer_v<F>) {
        return CallableKind::pointer;
    } else if constexpr (!requires { requires !Codec<F>::by_member; }) {
        return Encodable<F> ? CallableKind::value : CallableKind::cannot;
    } else if constexpr (std::is_empty_v<F> && CopiedAsBytes<F>) {
        return CallableKind::nothing;
    } else if constexpr (!Searched<F> && Encodable<F> && (!is_plain_v<F> || Visitable<F>)) {
        return CallableKind::value;
    } else {
        return CopiedAsBytes<F> ? CallableKind::bytes : CallableKind::cannot;
    }
}

template <class F>
inline constexpr CallableKind callable_kind_v = callable_kind<std::decay_t<F>>();

/// A callable that can be sent.
template <class F>
concept Sendable = (callable_kind_v<F> != CallableKind::cannot);

template <class F>
struct not_sendable {
    static_assert(never<F>,
                  "procpool: this function object cannot travel: make it an aggregate of encodable members with an "
                  "operator(), give it a serialize(Archive&) member, or specialise procpool::Codec<T> for it; of one "
                  "that holds any function, as std::function does, pass the function itself, or "
                  "procpool::bind_front(f, values...)");
};
template <class F>
requires(is_closure_v<F>&& std::is_copy_constructible_v<F>) struct not_sendable<F> {
    static_assert(never<F>,
                  "procpool: this closure cannot travel: it captured a string, a container or another value that is "
                  "more than its bytes. Write a struct with an operator(), whose members travel, or "
                  "procpool::bind_front(f, values...), or pass the values as arguments (procpool::repeat(value) in a "
                  "call over many items)");
};
template <class F>
requires(is_closure_v<F> && !std::is_copy_constructible_v<F>) struct not_sendable<F> {
    static_assert(never<F>,
                  "procpool: this closure cannot travel: it captured what can only be moved. A std::unique_ptr travels "
                  "by procpool::bind_front(f, std::move(pointer)), for a call that is made once, or as a member of a "
                  "struct with an operator(); of a SharedArray capture the span(), of a Shared get(), of a Future what "
                  "it gives; a pool stays where it is, but a task may build its own");
};
/// Of std::function and its like.
template <class F>
requires TypeErased<F>
struct not_sendable<F> : why_refused<F>::template check<F> {
};
template <class F>
requires std::is_bind_expression_v<F>
struct not_sendable<F> {
    static_assert(never<F>,
                  "procpool: a std::bind() holds what cannot travel, such as a string or container: write "
                  "procpool::bind_front(f, values...), "
                  "or pass the values as arguments");
};
template <class F>
struct not_a_function {
    static_assert(
        never<F>,
        "procpool: what was given as the function cannot be called: the function comes first (second, after options), "
        "then its arguments, or ranges of them");
};
/// Its maker has been refused, and said why.
template <>
struct not_a_function<this_call_is_refused> {};

/// Does not compile unless F is Sendable.
template <class F>
constexpr auto require_sendable() {
    using Function = std::decay_t<F>;
    if constexpr (!may_be_function_v<Function>) {
        static_cast<void>(sizeof(not_a_function<Function>));
    } else if constexpr (!Sendable<F>) {
        if constexpr (Visitable<Function>) {
            require_travels<Function>();  // says which member
        } else {
            static_cast<void>(sizeof(not_sendable<Function>));
        }
    }
}

/// Returns: the sum; SIZE_MAX where it is more.
[[nodiscard]] consteval std::size_t add_sizes(std::initializer_list<std::size_t> sizes) {
    std::size_t sum = 0;
    for (const std::size_t size : sizes) { sum = size > SIZE_MAX - sum ? SIZE_MAX : sum + size; }
    return sum;
}

/// Bytes of a T as it travels, at most; SIZE_MAX where the value decides.
template <class T>
inline constexpr std::size_t most_bytes_v = is_plain_v<T> ? sizeof(T) : SIZE_MAX;
template <class T>
requires(callable_kind_v<T> == CallableKind::nothing || callable_kind_v<T> == CallableKind::pointer ||
         callable_kind_v<T> == CallableKind::bytes) inline constexpr std::size_t most_bytes_v<T> = sizeof(T);

[[noreturn]] void refuse_captures(const std::type_info& function);
[[noreturn]] void refuse_named_captures(const std::type_info& function);
[[noreturn]] void refuse_snapshot(const std::type_info& function);

/// Returns: whether one of f's members may be an address of which `is_wrong` holds.
template <class F, class Is>
[[nodiscard]] bool may_have_captured([[maybe_unused]] const F& f, [[maybe_unused]] const Is& is_wrong) {
    if constexpr (!holds_no_address_v<F>) {
        for (std::size_t offset = 0; offset != sizeof(F); offset += sizeof(void*)) {
            const void* word = nullptr;
            std::memcpy(&word, reinterpret_cast<const std::byte*>(std::addressof(f)) + offset, sizeof(word));
            if (is_wrong(word) && may_be_captured(f, offset)) [[unlikely]] { return true; }
        }
    }
    return false;
}

/// Throws: CodecError. Requires: an address that differs_there() may have been captured.
template <class F, class Where>
[[noreturn, gnu::cold, gnu::noinline]] void refuse_captures_of(const F& f, const Where& visibility_of) {
    const auto is_named = [&](const void* word) { return visibility_of(word) == Visibility::named; };
    if (may_have_captured(f, is_named)) { refuse_named_captures(typeid(F)); }
    refuse_captures(typeid(F));
}

/// Throws: CodecError when a word within `f` is an address that differs_there(): on this process's stack or heap, as
/// of something captured by reference, or `this`; or of something static, or a function, where the receiver has those
/// elsewhere, for bytes cannot be rewritten. (A program that is not position-independent is at one address everywhere.)
/// An F that holds no address is not searched. In others, a number that happens to be such an address is taken for one,
/// unless numbers_are_told_apart. visibility_of: a VisibilityOf, or another function object of its form.
template <class F, class Where>
void check_captures([[maybe_unused]] const F& f, [[maybe_unused]] const Where& visibility_of) {
    if constexpr (callable_kind_v<F> == CallableKind::bytes && !is_snapshot_v<F> && !NamesStatic<F>) {
        if (may_have_captured(f, [&](const void* word) { return differs_there(visibility_of(word)); })) {
            refuse_captures_of(f, visibility_of);
        }
    }
}

/// Throws: CodecError when a snapshot refers to memory that is newer than the workers, of which `is_newer` holds.
template <class F, class Is>
void check_snapshot(const Snapshot<F>& f, const Is& is_newer) {
    if (may_have_captured(f, is_newer)) { refuse_snapshot(typeid(F)); }
}

/// Effects: writes an object that NamesStatic. Throws: CodecError when that is known to this process only.
void encode_static(Writer& out, const void* object, std::size_t size, const std::type_info& type);
/// Effects: reads one. Throws: CodecError when what it names is not loaded here.
void decode_static(Reader& in, void* object, std::size_t size);

/// F is decayed, and Sendable. Throws: CodecError as check_captures() does.
template <class F>
void encode_callable(Writer& out, const F& f) {
    require_sendable<F>();
    constexpr CallableKind kind = callable_kind_v<F>;
    if constexpr (NamesStatic<F>) {
        encode_static(out, std::addressof(f), sizeof(F), typeid(F));
    } else if constexpr (kind == CallableKind::bytes) {
        check_captures(f, [&](const void* address) { return out.visibility_of(address); });
        encode_plain(out, f);
    } else if constexpr (kind == CallableKind::pointer || kind == CallableKind::value) {
        Codec<F>::encode(out, f);
    }
}

template <class F>
[[nodiscard]] F decode_callable(Reader& in) {
    constexpr CallableKind kind = callable_kind_v<F>;
    if constexpr (NamesStatic<F>) {
        std::byte bytes[sizeof(F)];
        decode_static(in, bytes, sizeof(F));
        return value_from_bytes<F>(bytes);
    } else if constexpr (kind == CallableKind::bytes || kind == CallableKind::nothing) {
        return decode_plain<F>(in);
    } else {
        return Codec<F>::decode(in);
    }
}

/// Codec of a callable as a value, such as an argument or an element of a container.
template <Searched F>
struct BuiltInCodec<F, StandardKind::other> {
    static constexpr bool by_member = false;
    using parts = TypeList<>;

    static void encode(Writer& out, const F& f) { encode_callable<F>(out, f); }
    static F decode(Reader& in) { return decode_callable<F>(in); }
};

}  // namespace procpool::detail::codec

#if PROCPOOL_BODIES
#include <procpool/codec/callable.ipp>
#endif
