// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ExceptionType: how exceptions of one type travel; and the list of those that users registered.

#include <procpool/codec/text.hpp>
#include <procpool/core/config.hpp>

#include <atomic>
#include <concepts>
#include <exception>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace procpool::inline v0::detail::codec {

struct ExceptionType {
    const std::type_info* type;
    /// Effects: writes `thrown`, which holds an exception of this type or one derived from it, without its nested
    /// exceptions.
    void (*encode)(Writer& out, const std::exception_ptr& thrown);
    /// Effects: throws the exception, with the one being handled nested in it if that is wanted. Sets `decoded` when it
    /// throws this exception, and not one of decoding it.
    void (*raise)(Reader& in, bool nested, bool& decoded);
};

/// Whether both are of one type: two images of a program may have a type_info each for it.
[[nodiscard]] bool same_type(const std::type_info& a, const std::type_info& b) noexcept;

/// Calls use(e) with the exception in `thrown`. Requires: it is an E.
template <class E, class Use>
void with_exception(const std::exception_ptr& thrown, const Use& use) {
    // A pointer caught by reference is null with GCC.
    using Caught = std::conditional_t<std::is_pointer_v<E>, E, const E&>;
    try {
        std::rethrow_exception(thrown);
    } catch (Caught e) { use(e); }
}

/// Effects: as ExceptionType::raise, for an exception that is decoded. Cold, as all that is made for each type here:
/// programs get dozens of these, and seldom use one.
template <class E>
[[noreturn, gnu::cold]] void raise_decoded(E& e, bool nested, bool& decoded) {
    decoded = true;
    if (nested) { std::throw_with_nested(std::move(e)); }
    throw E(std::move(e));
}

/// Returns: the exception that was encoded, with `nested` inside unless that is null. Throws: any exception of
/// decoding.
[[nodiscard]] std::exception_ptr decode_as(const ExceptionType& how, Reader& in, const std::exception_ptr& nested);

/// Effects: makes e.what() return `text`, whatever the constructor of E made of it, where E lets its base be assigned
/// to.
template <class E>
void set_what(E& e, const std::string& text) {
    if constexpr (std::derived_from<E, std::runtime_error>) {
        static_cast<std::runtime_error&>(e) = std::runtime_error(text);
    } else if constexpr (std::derived_from<E, std::logic_error>) {
        static_cast<std::logic_error&>(e) = std::logic_error(text);
    }
}

/// The codec of an exception that is not Encodable; the primary template is for one that what() describes completely.
template <class E>
struct ExceptionCodec {
    static void encode(Writer& out, const E& e) { Codec<std::string>::encode(out, e.what()); }
    static E decode(Reader& in) {
        const std::string text = Codec<std::string>::decode(in);
        E e(text);
        set_what(e, text);
        return e;
    }
};

/// The ExceptionType of E, whose values Via encodes and decodes.
template <class E, class Via>
struct ExceptionTypeOf {
    [[gnu::cold]] static void encode(Writer& out, const std::exception_ptr& thrown) {
        with_exception<E>(thrown, [&](const E& e) { Via::encode(out, e); });
    }
    [[gnu::cold]] static void raise(Reader& in, bool nested, bool& decoded) {
        E e = Via::decode(in);
        raise_decoded(e, nested, decoded);
    }
    static constexpr ExceptionType value{&typeid(E), &encode, &raise};
};

/// A place in the list of registered types. Lives as long as the program.
struct RegisteredException {
    ExceptionType how;
    std::atomic<bool> listed{false};
    const RegisteredException* next = nullptr;
};

inline constinit std::atomic<const RegisteredException*> registered_exceptions{nullptr};

template <class E>
concept MadeFromText = std::constructible_from<E, const std::string&> && requires(const E& e) {
    { e.what() } -> std::convertible_to<std::string>;
};

template <class E, class Via>
inline constinit RegisteredException registration{ExceptionTypeOf<E, Via>::value};

/// Effects: puts the type into the list, unless it is there.
void list_exception(RegisteredException& entry) noexcept;

/// Returns: the first registered type for which is_it(type_info) holds, or null.
template <class IsIt>
[[nodiscard]] const ExceptionType* find_registered(const IsIt& is_it) {
    for (auto* entry = registered_exceptions.load(std::memory_order_acquire); entry != nullptr; entry = entry->next) {
        if (is_it(*entry->how.type)) { return &entry->how; }
    }
    return nullptr;
}

}  // namespace procpool::detail::codec

namespace procpool::inline v0 {

/// Effects: exceptions of exactly the type E come back from tasks as themselves: by Codec<E> if E is Encodable, made
/// from their what() otherwise. One call is enough, before the pool is built. Called by: any thread; it
/// takes no lock.
template <class E>
void register_exception() {
    static_assert(
        Encodable<E> || detail::codec::MadeFromText<E>,
        "procpool: this exception type cannot be registered: specialise procpool::Codec<E>, or give it a constructor "
        "that takes its what() as a std::string");
    using Via = std::conditional_t<Encodable<E>, Codec<E>, detail::codec::ExceptionCodec<E>>;
    detail::codec::list_exception(detail::codec::registration<E, Via>);
}

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/codec/exception_type.ipp>
#endif
