// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/modules.hpp>

#include "support/catch.hpp"

#include <sys/mman.h>
#include <cstdio>
#include <cstring>
#include <memory>

using namespace procpool;

namespace {

int a_function() { return 1; }
const int a_constant = 7;
int a_variable = 8;

bool in_module(const void* address) {
    const bool now = detail::os::in_loaded_module(address);
    const bool snapshot = detail::os::Modules::loaded_now().contain(reinterpret_cast<std::uintptr_t>(address));
    REQUIRE(now == snapshot);
    return now;
}

}  // namespace

TEST_CASE("code/constants and statics lie in a module - of the program or a library") {
    CHECK(in_module(reinterpret_cast<const void*>(&a_function)));
    CHECK(in_module(reinterpret_cast<const void*>(&std::puts)));
    CHECK(in_module(&a_constant));
    CHECK(in_module(&a_variable));
    CHECK(in_module("a literal"));
    CHECK(a_function() == 1);
}

TEST_CASE("stack/heap and mappings lie in no module") {
    const int on_stack = 1;
    const auto on_heap = std::make_unique<int>(1);
    CHECK_FALSE(in_module(&on_stack));
    CHECK_FALSE(in_module(on_heap.get()));
    CHECK_FALSE(in_module(nullptr));
}

TEST_CASE("most numbers cannot be an address") {
    const auto may = [](std::uintptr_t number) {
        return detail::os::may_be_address(reinterpret_cast<const void*>(number));
    };
    CHECK_FALSE(may(0));
    CHECK_FALSE(may(4095));
    CHECK_FALSE(may(~std::uintptr_t{0}));
    CHECK_FALSE(may(std::uintptr_t{1} << 47));
    CHECK_FALSE(may(0x3ff0000000000000));  // 1.0
    CHECK(may(0x10000));
    const int on_stack = 1;
    CHECK(detail::os::may_be_address(&on_stack));
    CHECK(detail::os::may_be_address(&a_constant));
}

TEST_CASE("memory is readable as long as it is mapped and may be read") {
    const int on_stack = 1;
    const auto on_heap = std::make_unique<int>(1);
    CHECK(detail::os::is_readable(&on_stack));
    CHECK(detail::os::is_readable(on_heap.get()));
    CHECK(detail::os::is_readable(reinterpret_cast<const void*>(&a_function)));
    constexpr std::size_t page = 4096;
    void* const pages = ::mmap(nullptr, 2 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);  // never touched
    REQUIRE(pages != MAP_FAILED);
    const char* const last = static_cast<char*>(pages) + 2 * page - 1;
    CHECK(detail::os::is_readable(last));
    REQUIRE(::mprotect(pages, 2 * page, PROT_NONE) == 0);
    CHECK_FALSE(detail::os::is_readable(last));
    ::munmap(pages, 2 * page);
    CHECK_FALSE(detail::os::is_readable(last));
    CHECK_FALSE(detail::os::is_readable(pages));
}
