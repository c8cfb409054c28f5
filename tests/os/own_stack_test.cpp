// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/own_stack.hpp>

#include <procpool/os/process.hpp>
#include <procpool/os/signals.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"

#include <pthread.h>
#include <cstddef>
#include <cstdint>

using namespace procpool;
using namespace procpool_test;

namespace {

[[gnu::noinline]] int use_stack(std::size_t megabytes) {
    volatile std::byte large[1 << 20];
    large[0] = std::byte{1};
    return megabytes == 0 ? static_cast<int>(large[0]) : use_stack(megabytes - 1) + static_cast<int>(large[0]);
}

void* fork_and_use_4_megabytes(void*) {
    const int code = in_child([] {
        if (detail::os::on_first_stack()) { return 1; }
        detail::os::run_on_own_stack(
            [](void* what) { detail::os::leave(use_stack(3) + *static_cast<const int*>(what)); }, new int{3});
        return 2;
    });
    return reinterpret_cast<void*>(static_cast<std::intptr_t>(code));
}

}  // namespace

TEST_CASE("a child of a thread with a small stack can run on a large one") {
    CHECK(detail::os::on_first_stack());
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, 512 << 10);
    pthread_t thread{};
    REQUIRE(::pthread_create(&thread, &attributes, fork_and_use_4_megabytes, nullptr) == 0);
    void* code = nullptr;
    ::pthread_join(thread, &code);
    ::pthread_attr_destroy(&attributes);
    CHECK(reinterpret_cast<std::intptr_t>(code) == 7);
}
