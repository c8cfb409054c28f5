// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Finds addresses among the members of a class that cannot be taken apart, such as a closure: whether there may be
/// one, and whether a certain word is one.

#include <procpool/codec/plain.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <type_traits>

#if defined(__has_builtin)
#if __has_builtin(__builtin_dump_struct) && defined(__clang__) && __clang_major__ >= 15  // older ones only print
#define PROCPOOL_VISITS_MEMBERS
#elif __has_builtin(__builtin_clear_padding)
#define PROCPOOL_CLEARS_PADDING
#endif
#endif

namespace procpool::inline v0::detail::codec {

template <std::size_t Size>
struct FilledBytes {
    unsigned char bytes[Size];

    [[nodiscard]] static consteval FilledBytes with(unsigned char fill) {
        FilledBytes filled{};
        for (unsigned char& byte : filled.bytes) { byte = fill; }
        return filled;
    }
};

/// Whether bytes can become a T while the compiler runs. They cannot if a member of T, or of its members, is a pointer,
/// a reference or a union.
template <class T, unsigned char Fill>
concept MadeOfBytes = requires {
    typename std::bool_constant<(static_cast<void>(__builtin_bit_cast(T, FilledBytes<sizeof(T)>::with(Fill))), true)>;
};

struct ArrayOfPointers {
    void* pointers[1];
};
/// GCC before 14 overlooks the elements of arrays there.
inline constexpr bool arrays_are_looked_into = !MadeOfBytes<ArrayOfPointers, 0>;

template <auto>
struct TemplateArgument;
/// Whether a T of these bytes can be a template argument. GCC before 14 takes closures for one, and does not overlook
/// that an element of an array would be a pointer to nothing.
template <class T, unsigned char Fill>
concept MadeTemplateArgument = requires {
    typename TemplateArgument<__builtin_bit_cast(T, FilledBytes<sizeof(T)>::with(Fill))>;
};
inline constexpr std::size_t largest_template_argument = 512;  // each byte takes the compiler's time

/// Whether F is known to hold no pointer and no reference. It cannot be known of some classes that hold none: those
/// with an optional or another union, a pair or tuple, a class without constexpr constructor; with GCC before 14
/// private members.
template <class F>
consteval bool holds_no_address() {
    if constexpr (std::is_empty_v<F> || sizeof(F) < sizeof(void*) || alignof(F) < alignof(void*)) {
        return true;
    } else if constexpr (!__is_trivially_copyable(
                             F)) {  // the builtin, for GCC 12 takes another view of closures once a std::tuple held one
        return false;
    } else if constexpr (!MadeOfBytes<F, 0>) {
        return false;
    } else if constexpr (arrays_are_looked_into) {
        return true;
    } else if constexpr (sizeof(F) > largest_template_argument) {
        return false;
    } else if constexpr (!MadeOfBytes<F, 1>) {
        return false;
    } else {
        return MadeTemplateArgument<F, 1>;
    }
}

template <class F>
inline constexpr bool holds_no_address_v = holds_no_address<F>();

#if defined(PROCPOOL_VISITS_MEMBERS)

/// Visits the members of an object, and theirs, to see whether one is the address that a word of the object looks like.
/// Clang's builtin for printing an object calls a function for each of its members, with what would be printed.
class MemberSearch {
public:
    /// Requires: `word` is one of the `size` bytes at `begin`, and as many as a pointer follow it there.
    MemberSearch(const void* begin, std::size_t size, const std::byte* word) noexcept
        : begin_(begin),
          end_(static_cast<const std::byte*>(begin) + size),
          word_(word) {
        std::memcpy(&address_, word, sizeof(address_));
    }

    /// Requires: `object` is the object that lies there.
    template <class T>
    [[nodiscard]] bool finds_address_in(const T& object) {
        visit_members(object);
        return found_;
    }

private:
    template <class T>
    void visit_members(const T& object) {
        const auto visit = [](MemberSearch& search, const char*, const auto&... printed) {
            (search.look_at(printed), ...);
            return 0;
        };
        __builtin_dump_struct(std::addressof(object), visit, *this);
    }

    /// A pointer is printed if it is a member; and for a member that cannot be printed, its address, or that of what it
    /// refers to if it is a reference. The rest are texts and numbers.
    template <class T>
    void look_at(const T& printed) {
        if constexpr (std::is_pointer_v<T>) {
            const void* const member = to_plain(std::addressof(printed));
            const void* const value = to_plain(printed);
            if (is_within(member)) {
                found_ = found_ || member == word_;
            } else if (is_within(value)) {
                look_at_member(printed);
            } else {
                found_ = found_ || value == address_;
            }
        }
    }

    template <class T>
    void look_at_member(T* member) {
        using Element = std::remove_cv_t<std::remove_all_extents_t<T>>;
        if constexpr (requires { sizeof(T); }) {
            if constexpr (std::is_arithmetic_v<Element> || std::is_enum_v<Element> || std::is_null_pointer_v<Element>) {
                return;
            } else if constexpr (std::is_array_v<T>) {
                for (auto& element : *member) { look_at_member(std::addressof(element)); }
            } else if constexpr ((std::is_class_v<T> || std::is_union_v<T>)&&CopiedAsBytes<Element>) {
                if (covers_word(*member)) { visit_members(*member); }
            } else {
                found_ = found_ || covers_word(*member);
            }
        }
    }

    template <class T>
    [[nodiscard]] bool covers_word(const T& member) const noexcept {
        const auto* const at = static_cast<const std::byte*>(to_plain(std::addressof(member)));
        return std::less_equal<>{}(at, word_) && std::less<>{}(word_, at + sizeof(T));
    }
    [[nodiscard]] bool is_within(const void* address) const noexcept {
        return std::less_equal<>{}(begin_, address) && std::less<>{}(address, end_);
    }
    template <class T>
    [[nodiscard]] static const void* to_plain(T* address) noexcept {
        if constexpr (std::is_function_v<T>) {
            return reinterpret_cast<const void*>(address);
        } else {
            return const_cast<const void*>(static_cast<const volatile void*>(address));
        }
    }

    const void* begin_;
    const void* end_;
    const std::byte* word_;
    const void* address_;
    bool found_ = false;
};

/// Whether may_be_captured() distinguishes numbers from addresses.
inline constexpr bool numbers_are_told_apart = true;

#else

inline constexpr bool numbers_are_told_apart = false;

#endif

/// Returns: false when the word of `f` at `offset`, which looks like an address, is none that f captured: some of it is
/// padding; or it is a number, where numbers_are_told_apart.
template <CopiedAsBytes F>
[[nodiscard]] bool may_be_captured(const F& f, std::size_t offset) {
#if defined(PROCPOOL_VISITS_MEMBERS)
    const auto* const word = reinterpret_cast<const std::byte*>(std::addressof(f)) + offset;
    return MemberSearch(std::addressof(f), sizeof(F), word).finds_address_in(f);
#elif defined(PROCPOOL_CLEARS_PADDING)
    F copy = value_from_bytes<F>(std::addressof(f));
    std::byte* const word = reinterpret_cast<std::byte*>(std::addressof(copy)) + offset;
    const std::uintptr_t ones = UINTPTR_MAX;
    std::memcpy(word, &ones, sizeof(ones));
    __builtin_clear_padding(&copy);
    return std::memcmp(word, &ones, sizeof(ones)) == 0;
#else
    static_cast<void>(f);
    static_cast<void>(offset);
    return true;
#endif
}

}  // namespace procpool::detail::codec

#undef PROCPOOL_VISITS_MEMBERS
#undef PROCPOOL_CLEARS_PADDING
