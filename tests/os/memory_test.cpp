// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/memory.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <utility>
#include <vector>

using namespace procpool;
using namespace procpool_test;

namespace {

bool all_zero(const std::byte* begin, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
        if (begin[i] != std::byte{0}) { return false; }
    }
    return true;
}

std::size_t resident_pages(std::byte* begin, std::size_t size) {
    std::vector<unsigned char> resident(size / os::page_size);
    if (::mincore(begin, size, resident.data()) != 0) { return 999999; }
    std::size_t count = 0;
    for (const unsigned char page : resident) { count += page & 1U; }
    return count;
}

}  // namespace

TEST_CASE("a mapping reads as zero and is shared with children forked later") {
    const os::Mapping mapping{3 * os::page_size};
    REQUIRE(mapping.size() == 3 * os::page_size);
    CHECK(all_zero(mapping.data(), mapping.size()));
    CHECK(in_child([&] {
              std::memset(mapping.data(), 7, mapping.size());
              return 0;
          }) == 0);
    CHECK(mapping.data()[mapping.size() - 1] == std::byte{7});
}

TEST_CASE("a mapping moves with its owner") {
    os::Mapping first{os::page_size};
    std::byte* const address = first.data();
    os::Mapping second{std::move(first)};
    CHECK(first.data() == nullptr);  // NOLINT(bugprone-use-after-move): it is empty
    CHECK(second.data() == address);
    os::Mapping third;
    third = std::move(second);
    CHECK(third.data() == address);
    third.data()[0] = std::byte{1};
}

TEST_CASE("a reservation costs no memory and is not in core dumps") {
    constexpr std::size_t size = std::size_t{1} << 30;
    const os::Mapping mapping = os::Mapping::reserve(size, size);
    mapping.data()[size / 2] = std::byte{1};
    CHECK(resident_pages(mapping.data(), size) <= 512);  // one, or one huge page

    std::ifstream maps{"/proc/self/smaps"};
    std::ostringstream start;
    start << std::hex << reinterpret_cast<std::uintptr_t>(mapping.data()) << '-';
    bool ours = false;
    std::string flags;
    for (std::string line; std::getline(maps, line);) {
        if (line.starts_with(start.str())) { ours = true; }
        if (ours && line.starts_with("VmFlags:")) {
            flags = line;
            break;
        }
    }
    CHECK(flags.find(" dd") != std::string::npos);  // MADV_DONTDUMP
}

TEST_CASE("a mapping that cannot be had is an exception that says how much") {
    constexpr std::size_t too_much = std::size_t{1} << 60;
    try {
        const os::Mapping mapping{too_much};
        FAIL("did not throw");
    } catch (const SharedMemoryExhausted& e) { CHECK(e.bytes() == too_much); }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they need address space of their own without limit
TEST_CASE("a reservation halves until it fits, and gives up at the least") {
    CHECK(in_child([] {
              std::size_t used = 0;
              std::ifstream{"/proc/self/statm"} >> used;
              const rlim_t most = used * os::page_size + (std::size_t{300} << 20);
              const rlimit limit{most, most};
              if (::setrlimit(RLIMIT_AS, &limit) != 0) { return 1; }
              if (os::generous_reservation() > most / 4) { return 2; }
              {
                  const os::Mapping mapping = os::Mapping::reserve(std::size_t{16} << 30, std::size_t{1} << 20);
                  if (mapping.size() < std::size_t{64} << 20 || mapping.size() > std::size_t{300} << 20) { return 3; }
                  mapping.data()[mapping.size() - 1] = std::byte{1};
              }
              {
                  const os::Mapping mapping = os::Mapping::reserve(0, std::size_t{5} << 20);  // never less than the least
                  if (mapping.size() != std::size_t{5} << 20) { return 4; }
              }
              try {
                  const os::Mapping mapping = os::Mapping::reserve(std::size_t{16} << 30, std::size_t{1} << 30);
                  return 5;
              } catch (const SharedMemoryExhausted& e) { return e.bytes() == std::size_t{1} << 30 ? 0 : 6; }
          }) == 0);
}

TEST_CASE("the reservation is generous where nothing limits it") {
    rlimit limit{};
    ::getrlimit(RLIMIT_AS, &limit);
    if (limit.rlim_cur == RLIM_INFINITY) { CHECK(os::generous_reservation() >= std::size_t{1} << 30); }
    CHECK(os::generous_reservation() % os::page_size == 0);
}
#endif

TEST_CASE("committed memory can be touched") {
    const os::Mapping mapping{16 * os::page_size};
    os::commit(mapping.data() + 100, 4 * os::page_size);
    CHECK(all_zero(mapping.data(), mapping.size()));
#ifdef MADV_POPULATE_WRITE
    const os::Mapping fresh{16 * os::page_size};
    os::commit(fresh.data() + 100, 4 * os::page_size);
    const std::size_t resident = resident_pages(fresh.data(), fresh.size());
    CHECK((resident == 0 || resident >= 5));  // the range's pages, first and last included, or a kernel that cannot
#endif
}

TEST_CASE("more than there is is not committed") {
    constexpr std::size_t size = std::size_t{1} << 40;
    const os::Mapping mapping{size};
    REQUIRE(os::Limits{}.available_memory() < size);
    try {
        os::commit(mapping.data(), size);
        FAIL("did not throw");
    } catch (const SharedMemoryExhausted& e) { CHECK(e.bytes() == size); }
    CHECK(resident_pages(mapping.data(), 1 << 20) == 0);
}

TEST_CASE("memory that was given back reads as zero, but for what is not a whole page of it") {
    const os::Mapping mapping{8 * os::page_size};
    std::memset(mapping.data(), 1, mapping.size());
    REQUIRE(os::give_back(mapping.data() + 1, 4 * os::page_size));
    CHECK(mapping.data()[os::page_size - 1] == std::byte{1});
    CHECK(all_zero(mapping.data() + os::page_size, 3 * os::page_size));
    CHECK(mapping.data()[4 * os::page_size] == std::byte{1});
    CHECK(os::give_back(mapping.data() + 1, os::page_size));  // holds no whole page
    CHECK(mapping.data()[1] == std::byte{1});
    CHECK(os::give_back(mapping.data(), 0));
    mapping.data()[os::page_size] = std::byte{9};  // and can be used again
    CHECK(mapping.data()[os::page_size] == std::byte{9});
}

TEST_CASE("memory that was given back is zero for every process") {
    const os::Mapping mapping{4 * os::page_size};
    std::memset(mapping.data(), 1, mapping.size());
    CHECK(in_child([&] { return os::give_back(mapping.data(), mapping.size()) ? 0 : 1; }) == 0);
    CHECK(all_zero(mapping.data(), mapping.size()));
}

TEST_CASE("memory made read-only in a child stays writable in its parent") {
    const os::Mapping mapping{2 * os::page_size};
    CHECK(in_child([&] {
              std::signal(SIGSEGV, [](int) { ::_exit(42); });
              os::make_read_only(mapping.data(), mapping.size());
              if (mapping.data()[0] != std::byte{0}) { return 1; }
              *static_cast<volatile std::byte*>(mapping.data()) = std::byte{1};
              return 2;
          }) == 42);
    mapping.data()[0] = std::byte{3};
    CHECK(mapping.data()[0] == std::byte{3});
}
