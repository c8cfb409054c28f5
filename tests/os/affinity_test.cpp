// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/affinity.hpp>

#include <procpool/os/usable_cpus.hpp>

#include "os/in_child.hpp"
#include "os/refusal.hpp"
#include "support/catch.hpp"

#include <sched.h>
#include <stdlib.h>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

using namespace procpool;
using namespace procpool_test;

TEST_CASE("an affinity of one CPU means one CPU") {
    CHECK(in_child([] {
              cpu_set_t one;
              CPU_ZERO(&one);
              cpu_set_t all;
              ::sched_getaffinity(0, sizeof all, &all);
              if (detail::os::affinity_cpus() != static_cast<std::size_t>(CPU_COUNT(&all))) { return 1; }
              for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
                  if (CPU_ISSET(cpu, &all)) {
                      CPU_SET(cpu, &one);
                      break;
                  }
              }
              if (::sched_setaffinity(0, sizeof one, &one) != 0) { return 2; }
              ::unsetenv("PROCPOOL_WORKERS");
              return detail::os::affinity_cpus() == 1 && usable_cpus() == 1 ? 0 : 3;
          }) == 0);
}

using detail::os::CpuSet;
using Numbers = std::vector<std::size_t>;

TEST_CASE("a list of CPUs as sysfs has it is read") {
    const auto numbers = [](std::string_view text) {
        const auto set = CpuSet::in_text(text);
        return set ? set->numbers() : Numbers{999};
    };
    CHECK(numbers("0-3,8-11\n") == Numbers{0, 1, 2, 3, 8, 9, 10, 11});
    CHECK(numbers("0\n") == Numbers{0});
    CHECK(numbers("5,2,70-71") == Numbers{2, 5, 70, 71});
    CHECK(numbers("4-4") == Numbers{4});
    CHECK(numbers("\n").empty());  // a node of memory alone
    CHECK(numbers("").empty());
    for (const char* const wrong :
         {"a", "-3", "3-", "3-1", "1,,2", "1,", ",1", "1 2", "0-1048576", "99999999999999999999", "1-2-3"}) {
        INFO(wrong);
        CHECK_FALSE(CpuSet::in_text(wrong).has_value());
    }
}

TEST_CASE("sets of CPUs have what both have") {
    const CpuSet low = *CpuSet::in_text("0-70");
    const CpuSet high = *CpuSet::in_text("69-200");
    CHECK((low & high).numbers() == Numbers{69, 70});
    CHECK((low & CpuSet{}).empty());
    CHECK(low.count() == 71);
    CHECK(low.has(70));
    CHECK_FALSE(low.has(71));
    CHECK_FALSE(low.has(100'000));
}

TEST_CASE("a thread is bound to CPUs; to none it is not") {
    CHECK(in_child([] {
              const auto allowed = CpuSet::of_this_thread();
              if (!allowed) { return 1; }
              CpuSet one;
              one.add(allowed->numbers().back());
              if (one.bind_this_thread() != 0) { return 2; }
              if (CpuSet::of_this_thread()->numbers() != one.numbers()) { return 3; }
              return CpuSet{}.bind_this_thread() == EINVAL ? 0 : 4;
          }) == 0);
    const Refusal refused{"sched_getaffinity", EPERM};
    CHECK_FALSE(CpuSet::of_this_thread().has_value());
    CHECK(detail::os::affinity_cpus() == 1);
}

TEST_CASE("memory nodes are those with allowed CPUs in the order of their numbers") {
    namespace fs = std::filesystem;
    std::string folder = (fs::temp_directory_path() / "procpool_nodes_XXXXXX").string();
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    const auto write = [&](const std::string& name, const char* text) {
        fs::create_directories((fs::path(folder) / name).parent_path());
        std::ofstream{fs::path(folder) / name} << text;
    };
    const auto found = [&](const char* allowed) {
        std::vector<Numbers> all;
        for (const CpuSet& node : detail::os::memory_nodes(*CpuSet::in_text(allowed), folder)) {
            all.push_back(node.numbers());
        }
        return all;
    };
    CHECK(found("3-5") == std::vector<Numbers>{{3, 4, 5}});  // nothing is told
    write("online", "0-2,10\n");
    write("node0/cpulist", "0-3,8-11\n");
    write("node1/cpulist", "4-7\n");
    write("node2/cpulist", "\n");  // memory without CPUs; node10 has no file
    CHECK(found("0-15") == std::vector<Numbers>{{0, 1, 2, 3, 8, 9, 10, 11}, {4, 5, 6, 7}});
    CHECK(found("3,5") == std::vector<Numbers>{{3}, {5}});
    CHECK(found("6") == std::vector<Numbers>{{6}});
    CHECK(found("12-13") == std::vector<Numbers>{{12, 13}});  // of no node
    write("node10/cpulist", "12-15\n");
    CHECK(found("2,13") == std::vector<Numbers>{{2}, {13}});
    fs::remove_all(folder);
}
