// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/modules.hpp>
#include <procpool/os/segments.hpp>
#include <procpool/os/thread_locals.hpp>

#include <pthread.h>
#include <cstdlib>
#include <vector>

extern "C" int __cxa_thread_atexit_impl(void (*)(void*), void*, void*) noexcept;

namespace procpool::inline v0::detail::os {

struct ThreadLocals::Entry {  // as glibc has it since 2.18
    void* function;
    void* object;
    void* module;
    Entry* next;
};

/// A word of a thread's storage may lead to what belongs to ThreadSanitizer, whose checks die of it.
[[nodiscard, gnu::noinline, gnu::no_sanitize_thread]] PROCPOOL_DECL bool ThreadLocals::is_entry(
    const Entry* entry, const void* object, const Entry* next) noexcept {
    return entry->object == object && entry->next == next;
}

/// The same distance away from the list's head in all threads.
PROCPOOL_DECL std::byte* ThreadLocals::base() noexcept { return reinterpret_cast<std::byte*>(::pthread_self()); }

PROCPOOL_DECL void ThreadLocals::forget() noexcept {
    const std::ptrdiff_t offset = offset_.load(std::memory_order_relaxed);
    if (offset != unknown && offset != none) { *reinterpret_cast<Entry**>(base() + offset) = nullptr; }
}

PROCPOOL_DECL std::ptrdiff_t ThreadLocals::find() {
    static constinit char object = 0;
    const auto load = [](Entry* const volatile* place) noexcept -> Entry* { return *place; };
    std::vector<Entry**> places;  // the words of this thread's thread_local storage, module by module
    any_segment([&](const Segment& segment) {
        if (segment.module.dlpi_tls_data == nullptr || segment.header.p_type != PT_TLS) { return false; }
        const auto begin = (reinterpret_cast<std::uintptr_t>(segment.module.dlpi_tls_data) + alignof(void*) - 1) &
                           ~(alignof(void*) - 1);
        const std::size_t count = segment.header.p_memsz / sizeof(void*);
        for (std::size_t i = 0; i < count; ++i) { places.push_back(reinterpret_cast<Entry**>(begin) + i); }
        return false;
    });
    std::vector<Entry*> before(places.size());
    for (std::size_t i = 0; i < places.size(); ++i) { before[i] = load(places[i]); }
    void* const no_module =
        reinterpret_cast<void*>(std::uintptr_t{1});  // then it is the program's, which is never unloaded
    if (::__cxa_thread_atexit_impl([](void*) {}, &object, no_module) != 0) { return none; }
    for (std::size_t i = 0; i < places.size(); ++i) {
        Entry* const now = load(places[i]);
        if (now == before[i] || reinterpret_cast<std::uintptr_t>(now) % alignof(Entry) != 0 || !may_be_address(now) ||
            !is_readable(now) || !is_entry(now, &object, before[i])) {
            continue;
        }
        *places[i] = now->next;
        std::free(now);
        return reinterpret_cast<std::byte*>(places[i]) - base();
    }
    return none;
}

}  // namespace procpool::detail::os
