// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ThreadLocals: a child does not destroy the thread_local objects that belong to the thread it was forked from.

#include <procpool/os/modules.hpp>

#include <link.h>
#include <pthread.h>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

extern "C" int __cxa_thread_atexit_impl(void (*)(void*), void*, void*) noexcept;

namespace procpool::inline v0::detail::os {

/// exit() runs the destructors of the caller's thread_local objects before any function that could be registered. glibc
/// keeps them in a list whose head is a word of the thread's static storage. prepare() finds that word by what it is
/// for: it changes when a destructor is registered, to the address of an entry that holds the object and the former
/// head. Where no word does, forget() does nothing.
class ThreadLocals {
public:
    /// Called by: the parent, before it forks; any thread. Memory order: the offset says nothing about other memory, so
    /// relaxed.
    static void prepare() {
        if (offset_.load(std::memory_order_relaxed) == unknown) { offset_.store(find(), std::memory_order_relaxed); }
    }

    /// Effects: no destructor of a thread_local object made so far runs on this thread. Called by: a child, right after
    /// its fork.
    static void forget() noexcept {
        const std::ptrdiff_t offset = offset_.load(std::memory_order_relaxed);
        if (offset != unknown && offset != none) { *at(offset) = nullptr; }
    }

private:
    struct Entry {  // as glibc has it since 2.18
        void* function;
        void* object;
        void* module;
        Entry* next;
    };
    static constexpr std::ptrdiff_t unknown = PTRDIFF_MIN;
    static constexpr std::ptrdiff_t none = PTRDIFF_MAX;

    [[nodiscard]] static std::byte* base() noexcept {
        return reinterpret_cast<std::byte*>(::pthread_self());
    }  // the same distance away in all threads
    [[nodiscard]] static Entry** at(std::ptrdiff_t offset) noexcept {
        return reinterpret_cast<Entry**>(base() + offset);
    }

    /// The thread_local storage of this thread, in words, module by module.
    [[nodiscard]] static std::vector<Entry**> words() {
        std::vector<Entry**> all;
        ::dl_iterate_phdr(
            [](dl_phdr_info* info, std::size_t, void* into) {
                if (info->dlpi_tls_data == nullptr) { return 0; }
                for (int i = 0; i < info->dlpi_phnum; ++i) {
                    if (info->dlpi_phdr[i].p_type != PT_TLS) { continue; }
                    const auto begin = (reinterpret_cast<std::uintptr_t>(info->dlpi_tls_data) + alignof(void*) - 1) &
                                       ~(alignof(void*) - 1);
                    const std::size_t count = info->dlpi_phdr[i].p_memsz / sizeof(void*);
                    for (std::size_t k = 0; k < count; ++k) {
                        static_cast<std::vector<Entry**>*>(into)->push_back(reinterpret_cast<Entry**>(begin) + k);
                    }
                }
                return 0;
            },
            &all);
        return all;
    }

    [[nodiscard]] static std::ptrdiff_t find() {
        static constinit char object = 0;
        const std::vector<Entry**> places = words();
        std::vector<Entry*> before(places.size());
        for (std::size_t i = 0; i < places.size(); ++i) { before[i] = load(places[i]); }
        void* const no_module =
            reinterpret_cast<void*>(std::uintptr_t{1});  // then it is the program's, which is never unloaded
        if (::__cxa_thread_atexit_impl([](void*) {}, &object, no_module) != 0) { return none; }
        for (std::size_t i = 0; i < places.size(); ++i) {
            Entry* const now = load(places[i]);
            if (now == before[i] || reinterpret_cast<std::uintptr_t>(now) % alignof(Entry) != 0 ||
                !may_be_address(now) || !is_readable(now)) {
                continue;
            }
            if (now->object != &object || now->next != before[i]) { continue; }
            *places[i] = now->next;
            std::free(now);
            return reinterpret_cast<std::byte*>(places[i]) - base();
        }
        return none;
    }
    [[nodiscard]] static Entry* load(Entry* const volatile* place) noexcept { return *place; }

    static inline constinit std::atomic<std::ptrdiff_t> offset_{unknown};
};

}  // namespace procpool::detail::os
