// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/own_stack.hpp>
#include <procpool/os/process.hpp>

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <algorithm>
#include <climits>
#include <cstddef>
#include <cstdint>

extern "C" void* __libc_stack_end;

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL bool on_first_stack() noexcept {
    rlimit limit{};
    if (!in_first_thread() || ::getrlimit(RLIMIT_STACK, &limit) != 0) { return false; }
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    return reinterpret_cast<std::uintptr_t>(__libc_stack_end) - here <
           limit.rlim_cur;  // a coroutine's stack is elsewhere
}

PROCPOOL_DECL void run_on_own_stack(void (*run)(void*), void* what) noexcept {
    constexpr std::size_t page = 4096;
    constexpr std::size_t least = std::size_t{8} << 20;
    constexpr std::size_t most = std::size_t{256} << 20;  // for `ulimit -s unlimited`
    rlimit limit{};
    const std::size_t allowed =
        ::getrlimit(RLIMIT_STACK, &limit) == 0 ? std::min<std::size_t>(limit.rlim_cur, most) : least;
    const std::size_t size = (std::max(allowed, static_cast<std::size_t>(PTHREAD_STACK_MIN)) + page - 1) / page * page;
    // Not glibc's own choice: it would take the stack of a thread of the parent, to which captured references may lead.
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK;
    void* const memory = ::mmap(nullptr, page + size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED) { return; }
    ::mprotect(memory, page, PROT_NONE);
    struct Start {
        void (*run)(void*);
        void* what;
    } start{run, what};
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstack(&attributes, static_cast<std::byte*>(memory) + page, size);
    pthread_t thread{};
    constexpr auto begin = [](void* from) -> void* {
        const Start copy = *static_cast<Start*>(from);
        copy.run(copy.what);
        return nullptr;
    };
    const int error = ::pthread_create(&thread, &attributes, begin, &start);
    ::pthread_attr_destroy(&attributes);
    while (error == 0) { ::pause(); }
    ::munmap(memory, page + size);
}

}  // namespace procpool::detail::os
