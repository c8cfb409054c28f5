// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/exception_note.hpp>

#include <cstring>
#include <new>
#include <typeinfo>

namespace procpool::inline v0::detail::core {

/// The part of the header that both libraries have, just before the object.
struct ThrownHeader {
    const std::type_info* type;
    void (*destroy)(void*);
    void (*handlers[2])();
    const void* next;  // the header of the exception that was being caught before
    int counts[2];
    const void* found[4];
    std::uint64_t exception_class;
    std::uint64_t unwinder[3];

    [[nodiscard]] static ThrownHeader* of(const void* object) noexcept {
        return static_cast<ThrownHeader*>(const_cast<void*>(object)) - 1;
    }
    /// Returns: the word that is `words` before this part.
    [[nodiscard]] void** before(int words) noexcept { return reinterpret_cast<void**>(this) - words; }
};
static_assert(sizeof(ThrownHeader) == 112, "so far before the object is its type");

/// The runtime library. An exception that std::rethrow_exception() throws has a header of its own, without an object
/// behind it, which says where the object is.
#if defined(_LIBCPP_VERSION)
inline constexpr std::uint64_t exception_class = 0x434c4e47432b2b00;  // CLNGC++
inline constexpr int words_before_type = 2;                           // reserve, referenceCount
inline constexpr int free_word = 2;
inline constexpr int word_of_object = 1;  // in a header without an object
#else
inline constexpr std::uint64_t exception_class = 0x474e5543432b2b00;  // GNUCC++
inline constexpr int words_before_type = 0;
inline constexpr int free_word = 1;
inline constexpr int word_of_object = 0;
#endif
inline constexpr std::uint64_t class_without_object = exception_class + 1;

extern "C" {
/// The exceptions that this thread handles, innermost first.
struct ProcpoolCaughtExceptions {
    const void* innermost;
};
ProcpoolCaughtExceptions* procpool_caught_exceptions() noexcept __asm__("__cxa_get_globals");
}

PROCPOOL_DECL const void* thrown_object(const std::exception_ptr& thrown) noexcept {
    static_assert(sizeof thrown == sizeof(void*), "a std::exception_ptr is a pointer to the object");
    const void* object = nullptr;
    std::memcpy(&object, static_cast<const void*>(&thrown), sizeof object);
    return object;
}

/// The destructor of an object with a note.
[[gnu::cold]] PROCPOOL_DECL void destroy_noted(void* object) noexcept {
    void** const word = ThrownHeader::of(object)->before(free_word);
    const auto* const note = static_cast<const ExceptionNote*>(*word);
    *word = nullptr;
    if (note->destroy_ != nullptr) { note->destroy_(object); }
    delete note;
}

/// Requires: there is a header before the object. Memory order: the note is whole where its destructor is in place.
[[nodiscard, gnu::cold]] PROCPOOL_DECL ExceptionNote* find_note(const void* object) noexcept {
    ThrownHeader* const header = ThrownHeader::of(object);
    if (header->exception_class != exception_class ||
        __atomic_load_n(&header->destroy, __ATOMIC_ACQUIRE) != &destroy_noted) {
        return nullptr;
    }
    return static_cast<ExceptionNote*>(*header->before(free_word));
}

/// Returns: the note of the exception, which gets one if it has none; null when it cannot have one.
[[nodiscard, gnu::cold]] PROCPOOL_DECL ExceptionNote* find_or_make_note(const std::exception_ptr& thrown) noexcept {
    const void* const object = thrown_object(thrown);
    if (object == nullptr) { return nullptr; }
    if (ExceptionNote* const note = find_note(object)) { return note; }
    ThrownHeader* const header = ThrownHeader::of(object);
    if (header->exception_class != exception_class) { return nullptr; }
    auto* const note = new (std::nothrow) ExceptionNote{__atomic_load_n(&header->destroy, __ATOMIC_RELAXED)};
    void* none = nullptr;
    // The exception may be one of the caller's that two threads throw: one of them gets the word, and only then changes
    // the destructor, which `thrown` keeps from being called.
    if (note == nullptr || !__atomic_compare_exchange_n(header->before(free_word), &none, static_cast<void*>(note),
                                                        false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        delete note;
        return find_note(object);
    }
    __atomic_store_n(&header->destroy, &destroy_noted, __ATOMIC_RELEASE);
    return note;
}

[[gnu::cold]] PROCPOOL_DECL void note_item(const std::exception_ptr& thrown, std::size_t item) noexcept {
    if (ExceptionNote* const note = find_or_make_note(thrown)) {
        std::size_t none = ExceptionNote::no_item;
        note->item_.compare_exchange_strong(none, item, std::memory_order_relaxed);
    }
}

[[gnu::cold]] PROCPOOL_DECL void note_frames(const std::exception_ptr& thrown,
                                             std::span<const std::uintptr_t> frames) noexcept {
    if (ExceptionNote* const note = find_or_make_note(thrown)) {
        try {
            note->frames_.assign(frames.begin(), frames.end());
        } catch (const std::bad_alloc&) {}
    }
}

[[gnu::cold]] PROCPOOL_DECL const ExceptionNote* note_of(const std::exception_ptr& thrown) noexcept {
    const void* const object = thrown_object(thrown);
    return object == nullptr ? nullptr : find_note(object);
}

[[gnu::cold]] PROCPOOL_DECL const ExceptionNote* note_of(const std::exception& e) noexcept {
    const void* const wanted = dynamic_cast<const void*>(&e);
    const void* caught = procpool_caught_exceptions()->innermost;
    while (caught != nullptr) {
        auto* const header =
            reinterpret_cast<ThrownHeader*>(static_cast<void**>(const_cast<void*>(caught)) + words_before_type);
        const void* object = nullptr;
        if (header->exception_class == exception_class) {
            object = header + 1;
        } else if (header->exception_class == class_without_object) {
            object = *header->before(word_of_object);
        } else {
            return nullptr;  // of another language: nothing else is known of it
        }
        if (object == wanted) { return find_note(object); }
        caught = header->next;
    }
    return nullptr;
}

}  // namespace procpool::detail::core
