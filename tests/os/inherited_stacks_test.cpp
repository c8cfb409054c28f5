// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/inherited_stacks.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <stop_token>
#include <thread>

#include <dlfcn.h>

using namespace procpool;
using namespace procpool_test;

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__SANITIZE_THREAD__)

namespace {

/// glibc's mark that the calling thread looks a symbol up.
void set_mark(int mark) noexcept { asm volatile("movl %0, %%fs:0x1c" : : "r"(mark) : "memory"); }

/// Does not look up symbols itself, as a call of another module's function may.
void stand_still() noexcept {
    for (;;) {
        long number = 34;  // pause()
        asm volatile("syscall" : "+a"(number) : : "rcx", "r11", "memory");
    }
}

}  // namespace

TEST_CASE("a child forked while a thread looked a symbol up can load modules beside a thread of its own") {
    std::atomic<bool> is_marked{false};
    const std::jthread looks_up{[&](const std::stop_token& stop) {
        set_mark(1);
        is_marked.store(true);
        while (!stop.stop_requested()) {}
        set_mark(0);
    }};
    while (!is_marked.load()) {}
    CHECK(in_child([] {
              detail::os::wipe_inherited_stacks();
              std::thread{stand_still}.detach();
              void* const module = ::dlopen(PROCPOOL_TEST_RUNTIMES, RTLD_NOW | RTLD_GLOBAL);
              return module != nullptr && ::dlclose(module) == 0 ? 0 : 1;
          }) == 0);
}

#endif
