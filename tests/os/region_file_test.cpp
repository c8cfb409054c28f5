// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/region_file.hpp>

#include <procpool/os/memory.hpp>
#include <procpool/os/other_process.hpp>

#include "os/in_child.hpp"
#include "os/refusal.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace procpool::detail::os;
using procpool_test::in_child;
using procpool_test::Refusal;

namespace {

constexpr std::size_t size = std::size_t{1} << 30;

[[nodiscard]] OpenFiles files_here(std::string_view prefix = RegionFile::prefix) {
    const pid_t self = ::getpid();
    return files_in_memory(prefix, {&self, 1});
}
[[nodiscard]] std::size_t open_here() { return files_here().files.size(); }

}  // namespace

TEST_CASE("a reservation of a file is the memory that others read in the file") {
    RegionFile file{"one", true};
    const Mapping mapping = Mapping::reserve(size, size, file);
    const OpenFiles found = files_here("procpool:one");
    REQUIRE(found.files.size() == 1);
    const MemoryFile other = MemoryFile::open(found.files.front());
    REQUIRE(other);
    CHECK(other.size() == size);
    std::memcpy(mapping.data() + size - 8, "the end", 8);
    char text[8] = {};
    REQUIRE(other.read(size - 8, text, sizeof text));
    CHECK(std::string{text} == "the end");
    CHECK_FALSE(other.read(size - 7, text, sizeof text));
}

TEST_CASE("memory that nobody has written costs nothing when it is read in the file") {
    RegionFile file{"sparse", true};
    const Mapping mapping = Mapping::reserve(size, size, file);
    const MemoryFile other = MemoryFile::open(files_here("procpool:sparse").files.at(0));
    std::string bytes(4 << 20, 'x');
    REQUIRE(other.read(0, bytes.data(), bytes.size()));
    CHECK(bytes == std::string(bytes.size(), '\0'));
    CHECK(absent_bytes(mapping.data(), bytes.size()) == bytes.size());
}

TEST_CASE("memory of a file is given back and shared with children and not in core dumps as any other") {
    RegionFile file{"any", true};
    const Mapping mapping = Mapping::reserve(size, size, file);
    REQUIRE(open_here() == 1);
    CHECK(in_child([&] {
              std::memset(mapping.data(), 7, 16 * page_size);
              return 0;
          }) == 0);
    CHECK(mapping.data()[16 * page_size - 1] == std::byte{7});
    CHECK(absent_bytes(mapping.data(), 16 * page_size) == 0);
    CHECK(give_back(mapping.data(), 16 * page_size));
    CHECK(absent_bytes(mapping.data(), 16 * page_size) == 16 * page_size);
    CHECK(mapping.data()[0] == std::byte{0});
}

TEST_CASE("a file is closed by close and by its end and in a child") {
    {
        RegionFile file{"closed", true};
        const Mapping mapping = Mapping::reserve(size, size, file);
        CHECK(open_here() == 1);
        CHECK(in_child([&] {
                  RegionFile::close_inherited(nullptr);
                  return static_cast<int>(open_here());
              }) == 0);
        CHECK(in_child([&] {
                  RegionFile::close_inherited(&file);
                  return static_cast<int>(open_here());
              }) == 1);
        CHECK(open_here() == 1);
        file.close();
        CHECK(open_here() == 0);
        std::memset(mapping.data(), 1, page_size);
    }
    {
        RegionFile file{"ended", true};
        const Mapping mapping = Mapping::reserve(size, size, file);
        CHECK(open_here() == 1);
    }
    CHECK(open_here() == 0);
}

TEST_CASE("memory is to be had without a file") {
    RegionFile file{"refused", true};
    SECTION("where none is wanted") {
        RegionFile unwanted{"unwanted", false};
        const Mapping mapping = Mapping::reserve(size, size, unwanted);
        std::memset(mapping.data(), 1, page_size);
        CHECK(open_here() == 0);
    }
    SECTION("where the system refuses it") {
        const Refusal refusal{"memfd_create", ENOSYS};
        const Mapping mapping = Mapping::reserve(size, size, file);
        std::memset(mapping.data(), 1, page_size);
        CHECK(open_here() == 0);
    }
    SECTION("where its mapping is refused") {
        static int calls = 0;
        calls = 0;
        refuse_call = [](const char* name) noexcept {
            return std::strcmp(name, "mmap") == 0 && calls++ == 0 ? ENODEV : 0;
        };
        const Mapping mapping = Mapping::reserve(size, size, file);
        refuse_call = nullptr;
        CHECK(calls == 2);
        std::memset(mapping.data(), 1, page_size);
        CHECK(open_here() == 0);
    }
    SECTION("where files must be smaller") {
        CHECK(in_child([&] {
                  const rlimit small{size - 1, size - 1};
                  if (::setrlimit(RLIMIT_FSIZE, &small) != 0) { return 1; }
                  const Mapping mapping = Mapping::reserve(size, size, file);
                  std::memset(mapping.data(), 1, page_size);
                  return open_here() == 0 ? 0 : 2;
              }) == 0);
    }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("memory of a file costs nothing where the program locks all it maps and may lock only little") {
    CHECK(in_child([] {
              rlimit limit{};
              ::getrlimit(RLIMIT_MEMLOCK, &limit);
              limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, std::size_t{4} << 20);
              if (::setrlimit(RLIMIT_MEMLOCK, &limit) != 0) { return 20; }
              if (::geteuid() == 0 && ::setuid(65534) != 0) { return 0; }  // root may lock anything
              if (::mlockall(MCL_FUTURE) != 0) { return 0; }               // without the right there is nothing to see
              RegionFile file{"locked", true};
              const Mapping mapping = Mapping::reserve(size, size, file);
              if (absent_bytes(mapping.data(), size) != size) { return 1; }
              mapping.data()[5 * page_size] = std::byte{1};
              if (size - absent_bytes(mapping.data(), size) > 512 * page_size) { return 2; }
              return give_back(mapping.data(), size) && mapping.data()[5 * page_size] == std::byte{0} ? 0 : 3;
          }) == 0);
}
#endif

TEST_CASE("a name is cut and may hold anything") {
    RegionFile file{std::string(1000, '/') + "\n", true};
    const Mapping mapping = Mapping::reserve(size, size, file);
    CHECK(open_here() == 1);
}

TEST_CASE("a process is told by its name and parent and whether it has ended") {
    const auto self = use_of_process(::getpid());
    REQUIRE(self.has_value());
    CHECK(self->parent == ::getppid());
    CHECK_FALSE(self->has_ended);
    CHECK(self->resident_bytes > self->shared_bytes);
    CHECK_FALSE(use_of_process(0).has_value());
    CHECK_FALSE(use_of_process(-1).has_value());
    const pid_t child = procpool_test::start_child([] { return 0; });
    siginfo_t ended{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT) == 0);
    const auto zombie = use_of_process(child);
    REQUIRE(zombie.has_value());
    CHECK(zombie->has_ended);
    CHECK(zombie->parent == ::getpid());
    procpool_test::wait_for_child(child);
    CHECK_FALSE(use_of_process(child).has_value());
}
