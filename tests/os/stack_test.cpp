// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/stack.hpp>

#include "support/catch.hpp"

#include <pthread.h>
#include <cstdint>
#include <memory>
#include <thread>

using namespace procpool;

namespace {

std::uintptr_t here() { return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)); }

}  // namespace

TEST_CASE("a thread finds its own stack") {
    const detail::os::Stack first = detail::os::stack_that_holds(here());
    CHECK(first.holds(here()));
    detail::os::Stack second;
    std::uintptr_t there = 0;
    std::thread([&] {
        there = here();
        second = detail::os::stack_that_holds(there);
    }).join();
    CHECK(second.holds(there));
    CHECK_FALSE(second.holds(here()));
    CHECK_FALSE(first.holds(there));
    CHECK(detail::os::stack_that_holds(here()).begin == first.begin);
}

TEST_CASE("a small stack is told as small and without its guard") {
    constexpr std::size_t size = std::size_t{256} << 10;
    pthread_attr_t attributes;
    REQUIRE(::pthread_attr_init(&attributes) == 0);
    REQUIRE(::pthread_attr_setstacksize(&attributes, size) == 0);
    detail::os::Stack found;
    pthread_t thread{};
    const auto look = [](void* to) -> void* {
        *static_cast<detail::os::Stack*>(to) = detail::os::stack_that_holds(here());
        return nullptr;
    };
    REQUIRE(::pthread_create(&thread, &attributes, look, &found) == 0);
    ::pthread_join(thread, nullptr);
    ::pthread_attr_destroy(&attributes);
    CHECK(found.end > found.begin);
    CHECK(found.end - found.begin <= size);
    CHECK(found.end - found.begin >= size / 2);
}

TEST_CASE("memory that is no stack of the thread is unknown") {
    const auto memory = std::make_unique<int>();
    const detail::os::Stack found = detail::os::stack_that_holds(reinterpret_cast<std::uintptr_t>(memory.get()));
    CHECK(found.begin == found.end);
}
