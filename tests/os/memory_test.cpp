// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/memory.hpp>

#include <procpool/core/error.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/os/call.hpp>
#include <procpool/os/cgroup.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"
#include "support/memory_group.hpp"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
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
    std::vector<unsigned char> resident(size / detail::os::page_size);
    if (::mincore(begin, size, resident.data()) != 0) { return 999999; }
    std::size_t count = 0;
    for (const unsigned char page : resident) { count += page & 1U; }
    return count;
}

}  // namespace

TEST_CASE("a mapping reads as zero and is shared with children forked later") {
    const detail::os::Mapping mapping{3 * detail::os::page_size};
    REQUIRE(mapping.size() == 3 * detail::os::page_size);
    CHECK(all_zero(mapping.data(), mapping.size()));
    CHECK(in_child([&] {
              std::memset(mapping.data(), 7, mapping.size());
              return 0;
          }) == 0);
    CHECK(mapping.data()[mapping.size() - 1] == std::byte{7});
}

TEST_CASE("a mapping moves with its owner") {
    detail::os::Mapping first{detail::os::page_size};
    std::byte* const address = first.data();
    detail::os::Mapping second{std::move(first)};
    CHECK(first.data() == nullptr);  // NOLINT(bugprone-use-after-move): it is empty
    CHECK(second.data() == address);
    detail::os::Mapping third;
    third = std::move(second);
    CHECK(third.data() == address);
    third.data()[0] = std::byte{1};
}

TEST_CASE("a reservation costs no memory and is not in core dumps") {
    constexpr std::size_t size = std::size_t{1} << 30;
    const detail::os::Mapping mapping = detail::os::Mapping::reserve(size, size);
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
        const detail::os::Mapping mapping{too_much};
        FAIL("did not throw");
    } catch (const SharedMemoryExhausted& e) { CHECK(e.bytes() == too_much); }
}

TEST_CASE("the memory of a mapping that is gone is not kept by a child that has inherited it") {
    std::optional<detail::os::Mapping> mapping{std::in_place, 64 * detail::os::page_size};
    std::memset(mapping->data(), 7, mapping->size());
    std::byte* const memory = mapping->data();
    int gone[2];
    REQUIRE(::pipe(gone) == 0);
    const pid_t child = start_child([&] {
        ::close(gone[1]);
        char end = 0;
        if (::read(gone[0], &end, 1) != 0) { return 1; }
        if (detail::os::absent_bytes(memory, 64 * detail::os::page_size) != 64 * detail::os::page_size) { return 2; }
        return all_zero(memory, 64 * detail::os::page_size) ? 0 : 3;
    });
    mapping.reset();
    ::close(gone[0]);
    ::close(gone[1]);
    CHECK(wait_for_child(child) == 0);
}

TEST_CASE("a child that destroys an inherited mapping takes nothing from its parent") {
    std::optional<detail::os::Mapping> mapping{std::in_place, 4 * detail::os::page_size};
    std::memset(mapping->data(), 7, mapping->size());
    CHECK(in_child([&] {
              detail::os::Mapping moved{std::move(*mapping)};
              mapping.reset();
              mapping = std::move(moved);
              mapping.reset();
              return 0;
          }) == 0);
    CHECK(mapping->data()[0] == std::byte{7});
    CHECK(mapping->data()[mapping->size() - 1] == std::byte{7});
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // the memory that they map cannot be locked
namespace {
constexpr std::size_t beyond_any_lock = std::size_t{256} << 20;

/// Returns: 0 where a large mapping costs nothing after mlockall(), and can be used.
int map_after_mlockall(int flags) {
    if (::mlockall(flags) != 0) { return 0; }  // without the right there is nothing to see
    detail::os::Mapping mapping = detail::os::Mapping::reserve(beyond_any_lock, beyond_any_lock);
    if (resident_pages(mapping.data(), mapping.size()) != 0) { return 1; }
    mapping.data()[5 * detail::os::page_size] = std::byte{1};
    if (resident_pages(mapping.data(), mapping.size()) > 512) { return 2; }
    const int in_grandchild =
        in_child([&] { return mapping.data()[5 * detail::os::page_size] == std::byte{1} ? 0 : 3; });
    if (in_grandchild != 0) { return in_grandchild; }
    detail::os::commit(mapping.data(), std::size_t{1} << 20);
    if (!detail::os::give_back(mapping.data(), mapping.size()) ||
        mapping.data()[5 * detail::os::page_size] != std::byte{0}) {
        return 4;
    }
    return 0;
}
}  // namespace

TEST_CASE("a reservation costs nothing where the program locks all it maps") {
    CHECK(in_child([] { return map_after_mlockall(MCL_FUTURE); }) == 0);
    CHECK(in_child([] { return map_after_mlockall(MCL_FUTURE | MCL_ONFAULT); }) == 0);
}

TEST_CASE("a reservation can be had where the program locks all it maps and may lock only little") {
    CHECK(in_child([] {
              rlimit limit{};
              ::getrlimit(RLIMIT_MEMLOCK, &limit);
              limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, std::size_t{4} << 20);
              if (::setrlimit(RLIMIT_MEMLOCK, &limit) != 0) { return 20; }
              if (::geteuid() == 0 && ::setuid(65534) != 0) { return 0; }  // root may lock anything
              return map_after_mlockall(MCL_FUTURE);
          }) == 0);
    CHECK(in_child([] {  // and no file may be so large: a refusal, not SIGXFSZ
              rlimit limit{std::size_t{4} << 20, std::size_t{4} << 20};
              if (::setrlimit(RLIMIT_FSIZE, &limit) != 0 || ::setrlimit(RLIMIT_MEMLOCK, &limit) != 0) { return 0; }
              if (::geteuid() == 0 && ::setuid(65534) != 0) { return 0; }
              if (::mlockall(MCL_FUTURE) != 0) { return 0; }
              try {
                  const detail::os::Mapping mapping{beyond_any_lock};
                  return 1;
              } catch (const SharedMemoryExhausted&) { return 0; }
          }) == 0);
}
#endif

#if !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)  // they need address space of their own without limit
TEST_CASE("a reservation halves until it fits and gives up at the least") {
    CHECK(in_child([] {
              std::size_t used = 0;
              std::ifstream{"/proc/self/statm"} >> used;
              const rlim_t most = used * detail::os::page_size + (std::size_t{300} << 20);
              const rlimit limit{most, most};
              if (::setrlimit(RLIMIT_AS, &limit) != 0) { return 1; }
              if (detail::os::generous_reservation() > most / 4) { return 2; }
              {
                  const detail::os::Mapping mapping =
                      detail::os::Mapping::reserve(std::size_t{16} << 30, std::size_t{1} << 20);
                  if (mapping.size() < std::size_t{64} << 20 || mapping.size() > std::size_t{300} << 20) { return 3; }
                  mapping.data()[mapping.size() - 1] = std::byte{1};
              }
              {
                  const detail::os::Mapping mapping =
                      detail::os::Mapping::reserve(0, std::size_t{5} << 20);  // never less than the least
                  if (mapping.size() != std::size_t{5} << 20) { return 4; }
              }
              try {
                  const detail::os::Mapping mapping =
                      detail::os::Mapping::reserve(std::size_t{16} << 30, std::size_t{1} << 30);
                  return 5;
              } catch (const SharedMemoryExhausted& e) { return e.bytes() == std::size_t{1} << 30 ? 0 : 6; }
          }) == 0);
}

TEST_CASE("the reservation is generous where nothing limits it") {
    rlimit limit{};
    ::getrlimit(RLIMIT_AS, &limit);
    if (limit.rlim_cur == RLIM_INFINITY) { CHECK(detail::os::generous_reservation() >= std::size_t{1} << 30); }
    CHECK(detail::os::generous_reservation() % detail::os::page_size == 0);
}
#endif

TEST_CASE("committed memory can be touched") {
    const detail::os::Mapping mapping{16 * detail::os::page_size};
    detail::os::commit(mapping.data() + 100, 4 * detail::os::page_size);
    CHECK(all_zero(mapping.data(), mapping.size()));
#ifdef MADV_POPULATE_WRITE
    const detail::os::Mapping fresh{16 * detail::os::page_size};
    detail::os::commit(fresh.data() + 100, 4 * detail::os::page_size);
    const std::size_t resident = resident_pages(fresh.data(), fresh.size());
    CHECK((resident == 0 || resident >= 5));  // the range's pages, first and last included, or a kernel that cannot
#endif
}

TEST_CASE("more than there is is not committed") {
    constexpr std::size_t size = std::size_t{1} << 40;
    const detail::os::Mapping mapping{size};
    REQUIRE(detail::os::Limits{}.available_memory() < size);
    try {
        detail::os::commit(mapping.data(), size);
        FAIL("did not throw");
    } catch (const SharedMemoryExhausted& e) { CHECK(e.bytes() == size); }
    CHECK(resident_pages(mapping.data(), 1 << 20) == 0);
}

TEST_CASE("pages that are not there are told from those that are") {
    constexpr std::size_t pages = 1000;
    const detail::os::Mapping mapping{pages * detail::os::page_size};
    CHECK(detail::os::absent_bytes(mapping.data(), mapping.size()) == pages * detail::os::page_size);
    for (const std::size_t page : {0, 1, 300, 999}) { mapping.data()[page * detail::os::page_size] = std::byte{1}; }
    if (resident_pages(mapping.data(), mapping.size()) != 4) { return; }  // huge pages
    CHECK(detail::os::absent_bytes(mapping.data(), mapping.size()) == (pages - 4) * detail::os::page_size);
    CHECK(detail::os::absent_bytes(mapping.data() + 1, 1) == 0);
    CHECK(detail::os::absent_bytes(mapping.data() + detail::os::page_size + 1, detail::os::page_size) ==
          detail::os::page_size);
    CHECK(detail::os::absent_bytes(mapping.data(), 0) == 0);
}

TEST_CASE("a budget refuses what the machine has not") {
    const detail::os::Mapping mapping{std::size_t{1} << 20};
    auto& budget = *reinterpret_cast<detail::os::Budget*>(mapping.data());  // all-zero memory
    for (int i = 0; i < 10'000; ++i) { budget.charge(1000); }
    const std::uint64_t available = detail::os::Limits{}.available_memory();
    if (available == std::numeric_limits<std::uint64_t>::max()) { return; }
    CHECK_THROWS_AS(budget.charge(available), SharedMemoryExhausted);
    std::memset(mapping.data(), 0x7f, sizeof budget);  // as a wild write may leave it
    CHECK_THROWS_AS(budget.charge(available), SharedMemoryExhausted);
    budget.charge(1000);
    std::memset(mapping.data(), 0xff, sizeof budget);
    budget.charge(1000);
}

TEST_CASE("in a group the sum of small pieces is refused before anybody is killed: whoever takes them", "[serial]") {
    const MemoryGroup group{std::size_t{128} << 20};
    if (!group) { return; }
    CHECK(in_child([&] {
              if (!group.join()) { return 50; }
              constexpr std::size_t piece = 20 * detail::os::page_size;
              const detail::os::Mapping mapping{std::size_t{1} << 30};
              auto& budget = *reinterpret_cast<detail::os::Budget*>(mapping.data());
              auto& next = *reinterpret_cast<std::atomic<std::size_t>*>(mapping.data() + 64);
              next = 1;
              const auto take_all = [&] {
                  for (;;) {
                      std::byte* const memory = mapping.data() + next.fetch_add(1) * piece;
                      try {
                          budget.charge(memory, piece);
                      } catch (const SharedMemoryExhausted&) { return 0; }
                      std::memset(memory, 1, piece);
                  }
              };
              std::array<pid_t, 4> children{};
              for (pid_t& child : children) { child = start_child(take_all); }
              for (const pid_t child : children) {
                  if (wait_for_child(child) != 0) { return 1; }
              }
              if (next * piece < std::size_t{80} << 20) { return 2; }  // refused too early
              budget.charge(mapping.data() + piece, piece);            // memory that is there already is not refused
              try {
                  detail::os::commit(mapping.data() + (std::size_t{512} << 20), std::size_t{1} << 20);
                  return 3;
              } catch (const SharedMemoryExhausted&) { return 0; }
          }) == 0);
}

TEST_CASE("in a group several that commit much at a time are refused before anybody is killed", "[serial]") {
    const MemoryGroup group{std::size_t{256} << 20};
    if (!group) { return; }
    CHECK(in_child([&] {
              if (!group.join()) { return 50; }
              constexpr std::size_t piece = std::size_t{80} << 20;
              const detail::os::Mapping mapping{4 * piece};
              std::array<pid_t, 4> children{};
              for (std::size_t i = 0; i < children.size(); ++i) {
                  children[i] = start_child([&, i] {
                      try {
                          detail::os::commit(mapping.data() + i * piece, piece);
                      } catch (const SharedMemoryExhausted&) { return 1; }
                      return 0;
                  });
              }
              int refused = 0;
              for (const pid_t child : children) {
                  const int status = wait_for_child(child);
                  if (!WIFEXITED(status)) { return 60; }
                  refused += WEXITSTATUS(status);
              }
              return refused;
          }) >= 1);
}

TEST_CASE("of a process and one that it forked: the latter gives way when memory runs out") {
    const auto score = [] {
        int value = -2000;
        std::ifstream{"/proc/self/oom_score_adj"} >> value;
        return value;
    };
    const int before = score();
    CHECK(in_child([&] {
              detail::os::give_way_when_memory_runs_out();
              const int first = score();
              detail::os::give_way_when_memory_runs_out();
              const int second = score();
              if (before == 1000) { return first == 1000 && second == 1000 ? 0 : 1; }
              return first > before && first >= before + (1000 - before) * 8 / 10 && second >= first && second <= 1000
                         ? 0
                         : 2;
          }) == 0);
    CHECK(score() == before);
}

TEST_CASE("memory that was given back reads as zero but for what is not a whole page of it") {
    const detail::os::Mapping mapping{8 * detail::os::page_size};
    std::memset(mapping.data(), 1, mapping.size());
    REQUIRE(detail::os::give_back(mapping.data() + 1, 4 * detail::os::page_size));
    CHECK(mapping.data()[detail::os::page_size - 1] == std::byte{1});
    CHECK(all_zero(mapping.data() + detail::os::page_size, 3 * detail::os::page_size));
    CHECK(mapping.data()[4 * detail::os::page_size] == std::byte{1});
    CHECK(detail::os::give_back(mapping.data() + 1, detail::os::page_size));  // holds no whole page
    CHECK(mapping.data()[1] == std::byte{1});
    CHECK(detail::os::give_back(mapping.data(), 0));
    mapping.data()[detail::os::page_size] = std::byte{9};  // and can be used again
    CHECK(mapping.data()[detail::os::page_size] == std::byte{9});
}

TEST_CASE("memory that was given back is zero for every process") {
    const detail::os::Mapping mapping{4 * detail::os::page_size};
    std::memset(mapping.data(), 1, mapping.size());
    CHECK(in_child([&] { return detail::os::give_back(mapping.data(), mapping.size()) ? 0 : 1; }) == 0);
    CHECK(all_zero(mapping.data(), mapping.size()));
}

TEST_CASE("memory made read-only in a child stays writable in its parent") {
    const detail::os::Mapping mapping{2 * detail::os::page_size};
    CHECK(in_child([&] {
              std::signal(SIGSEGV, [](int) { ::_exit(42); });
              detail::os::make_read_only(mapping.data(), mapping.size());
              if (mapping.data()[0] != std::byte{0}) { return 1; }
              *static_cast<volatile std::byte*>(mapping.data()) = std::byte{1};
              return 2;
          }) == 42);
    mapping.data()[0] = std::byte{3};
    CHECK(mapping.data()[0] == std::byte{3});
}
