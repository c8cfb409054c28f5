// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/memory_mark.hpp>

#include "support/catch.hpp"

#include <sys/mman.h>
#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <vector>

using namespace procpool;

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool heap_is_the_c_librarys = false;
#elif defined(__has_feature)
constexpr bool heap_is_the_c_librarys = !__has_feature(address_sanitizer);
#else
constexpr bool heap_is_the_c_librarys = true;
#endif

constexpr std::size_t page_size = 4096;

struct PagesToMark {
    explicit PagesToMark(int protection)
        : begin(::mmap(nullptr, 16 * page_size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
        REQUIRE(begin != MAP_FAILED);
    }
    PagesToMark(const PagesToMark&) = delete;
    PagesToMark& operator=(const PagesToMark&) = delete;
    ~PagesToMark() { ::munmap(begin, 16 * page_size); }
    [[nodiscard]] const std::byte* at(std::size_t offset) const {
        return static_cast<const std::byte*>(begin) + offset;
    }
    void* begin;
};

/// Whether a variable some frames further down is newer than the mark.
[[gnu::noinline]] bool is_deep_variable_newer(const detail::os::MemoryMark& mark, int depth) {
    volatile std::byte room[4096];
    room[0] = std::byte{1};
    const bool newer =
        depth > 0 ? is_deep_variable_newer(mark, depth - 1) : mark.is_older_than(const_cast<std::byte*>(&room[0]));
    return newer && room[0] == std::byte{1};
}

using Block = std::array<char, 1000>;
std::vector<std::unique_ptr<Block>> many_blocks() {
    std::vector<std::unique_ptr<Block>> blocks;
    for (int i = 0; i != 2000; ++i) { blocks.push_back(std::make_unique<Block>()); }
    return blocks;
}

int of_the_program = 1;

}  // namespace

TEST_CASE("a mark that has not been made takes nothing for newer") {
    const detail::os::MemoryMark mark;
    CHECK_FALSE(mark.is_older_than(&mark));
    CHECK_FALSE(mark.is_older_than(&of_the_program));
}

TEST_CASE("memory that was there is not newer than a mark") {
    const PagesToMark pages(PROT_READ | PROT_WRITE);
    const auto blocks = many_blocks();
    const int on_stack = 1;
    const detail::os::MemoryMark mark = detail::os::MemoryMark::of_now();
    CHECK_FALSE(mark.is_older_than(&on_stack));
    CHECK_FALSE(mark.is_older_than(&of_the_program));
    CHECK_FALSE(mark.is_older_than(pages.at(0)));
    CHECK_FALSE(mark.is_older_than(pages.at(16 * page_size - 1)));
    CHECK(std::ranges::none_of(blocks, [&](const auto& block) {
        return mark.is_older_than(block.get()) || mark.is_older_than(block.get() + 1);
    }));
}

TEST_CASE("what is mapped or made readable after a mark is newer") {
    PagesToMark closed(PROT_NONE);
    const detail::os::MemoryMark mark = detail::os::MemoryMark::of_now();
    const PagesToMark mapped(PROT_READ | PROT_WRITE);
    REQUIRE(::mprotect(closed.begin, 16 * page_size, PROT_READ) == 0);
    CHECK(mark.is_older_than(mapped.at(page_size)));
    CHECK(mark.is_older_than(closed.at(page_size)));
    const detail::os::MemoryMark again = detail::os::MemoryMark::of_now();
    CHECK_FALSE(again.is_older_than(mapped.at(page_size)));
    CHECK_FALSE(again.is_older_than(closed.at(page_size)));
}

TEST_CASE("what the heap has grown by after a mark is newer") {
    if (!heap_is_the_c_librarys) { return; }
    const detail::os::MemoryMark mark = detail::os::MemoryMark::of_now();
    const auto blocks = many_blocks();
    CHECK(mark.is_older_than(blocks.back().get()));
    const auto is_newer = [&](const auto& block) { return mark.is_older_than(block.get()); };
    CHECK(std::ranges::count_if(blocks, is_newer) > 1900);  // the others were free before
    const detail::os::MemoryMark again = detail::os::MemoryMark::of_now();
    CHECK_FALSE(again.is_older_than(blocks.back().get()));
}

TEST_CASE("what the stack has grown by after a mark is newer") {
    if (!heap_is_the_c_librarys) { return; }  // which may keep variables elsewhere
    const detail::os::MemoryMark mark = detail::os::MemoryMark::of_now();
    CHECK(is_deep_variable_newer(mark, 10));
}
