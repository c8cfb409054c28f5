// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/cgroup.hpp>

#include "support/catch.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

using namespace procpool;

namespace {

/// The files of a machine that a test makes up.
class FakeRoot {
public:
    FakeRoot() {
        std::string name = (std::filesystem::temp_directory_path() / "procpool-root-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) { throw std::runtime_error("mkdtemp"); }
        folder_ = name;
    }
    FakeRoot(const FakeRoot&) = delete;
    FakeRoot& operator=(const FakeRoot&) = delete;
    ~FakeRoot() { std::filesystem::remove_all(folder_); }

    void write(const std::string& path, const std::string& text) const {
        std::filesystem::create_directories(std::filesystem::path{folder_ + path}.parent_path());
        std::ofstream{folder_ + path} << text;
    }
    [[nodiscard]] const std::string& folder() const { return folder_; }
    [[nodiscard]] double cpus() const { return detail::os::Limits{folder_}.cpu_quota(); }
    [[nodiscard]] std::uint64_t memory() const { return detail::os::Limits{folder_}.available_memory(); }
    [[nodiscard]] std::uint64_t memory(std::uint64_t enough) const {
        return detail::os::Limits{folder_}.available_memory(enough);
    }

private:
    std::string folder_;
};

constexpr double unlimited = std::numeric_limits<double>::infinity();
constexpr std::uint64_t unlimited_memory = std::numeric_limits<std::uint64_t>::max();

}  // namespace

TEST_CASE("a machine without any of the files limits nothing") {
    const FakeRoot root;
    CHECK(root.cpus() == unlimited);
    CHECK(root.memory() == unlimited_memory);
}

TEST_CASE("memory pressure is that of the group where it is told and otherwise that of the machine") {
    const FakeRoot root;
    const auto pressure = [&] { return detail::os::Limits{root.folder()}.memory_pressure(); };
    CHECK(pressure() == 0);
    root.write("/proc/pressure/memory", "some avg10=12.50 avg60=1.00 avg300=0.00 total=7\nfull avg10=99.00\n");
    CHECK(pressure() == 12.5);
    root.write("/proc/self/cgroup", "0::/mine\n");
    CHECK(pressure() == 12.5);
    root.write("/sys/fs/cgroup/mine/memory.pressure", "some avg10=3.25 avg60=1.00 avg300=0.00 total=7\n");
    CHECK(pressure() == 3.25);
    root.write("/sys/fs/cgroup/mine/memory.pressure", "full avg10=3.25\n");
    CHECK(pressure() == 0);
}

TEST_CASE("a CPU quota is its time over its period") {
    const auto [text, quota] = GENERATE(table<std::string, double>({
        {"50000 100000\n", 0.5},
        {"400000 100000\n", 4.0},
        {"max 100000\n", unlimited},
        {"max\n", unlimited},
        {"", unlimited},
        {"\n", unlimited},
        {"50000", unlimited},
        {"50000 0", unlimited},
        {"-50000 100000", unlimited},
        {"0 100000", unlimited},
        {"50000 often", unlimited},
        {"garbage garbage", unlimited},
    }));
    CAPTURE(text);
    const FakeRoot root;
    root.write("/proc/self/cgroup", "0::/here\n");
    root.write("/sys/fs/cgroup/here/cpu.max", text);
    CHECK(root.cpus() == quota);
}

TEST_CASE("of nested groups: the least holds") {
    const FakeRoot root;
    root.write("/proc/self/cgroup", "0::/outer/middle/inner\n");
    root.write("/sys/fs/cgroup/outer/middle/inner/cpu.max", "max 100000");
    root.write("/sys/fs/cgroup/outer/middle/cpu.max", "150000 100000");
    CHECK(root.cpus() == 1.5);
    root.write("/sys/fs/cgroup/outer/cpu.max", "300000 100000");
    CHECK(root.cpus() == 1.5);
    root.write("/sys/fs/cgroup/cpu.max", "50000 100000");  // a container sees its own group as the root
    CHECK(root.cpus() == 0.5);

    root.write("/sys/fs/cgroup/outer/middle/inner/memory.max", "1000000");
    root.write("/sys/fs/cgroup/outer/middle/inner/memory.current", "0");
    root.write("/sys/fs/cgroup/outer/memory.max", "900000");
    root.write("/sys/fs/cgroup/outer/memory.current", "800000");
    CHECK(root.memory() == 100000);
}

TEST_CASE("groups of version 1 count too - each in its own hierarchy") {
    const FakeRoot root;
    root.write("/proc/self/cgroup", "12:memory:/m/deep\n7:cpuset:/\n4:cpu,cpuacct:/c\n1:name=systemd:/\n0::/\n");
    root.write("/sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", "250000\n");
    root.write("/sys/fs/cgroup/cpu/c/cpu.cfs_period_us", "100000\n");
    root.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    root.write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    CHECK(root.cpus() == 2.5);
    root.write("/sys/fs/cgroup/cpu.max", "100000 100000\n");
    CHECK(root.cpus() == 1.0);

    root.write("/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "5000");
    root.write("/sys/fs/cgroup/memory/m/memory.usage_in_bytes", "1000");
    root.write("/sys/fs/cgroup/memory/m/deep/memory.limit_in_bytes", "9223372036854771712");
    root.write("/sys/fs/cgroup/memory/m/deep/memory.usage_in_bytes", "1000");
    CHECK(root.memory() == 4000);
}

TEST_CASE("available memory is the machine's or what a group has left") {
    const FakeRoot root;
    root.write("/proc/meminfo",
               "MemTotal:       1000 kB\nHugePages_Total:       0\nMemAvailable:    400 kB\nDirectMap4k:   1 kB\n");
    CHECK(root.memory() == 400 * 1024);
    root.write("/proc/self/cgroup", "0::/here\n");
    root.write("/sys/fs/cgroup/here/memory.max", "max\n");
    root.write("/sys/fs/cgroup/here/memory.current", "12345\n");
    CHECK(root.memory() == 400 * 1024);
    root.write("/sys/fs/cgroup/here/memory.max", "20000\n");
    CHECK(root.memory() == 20000 - 12345);
    root.write("/sys/fs/cgroup/here/memory.max", "1000\n");  // over its limit
    CHECK(root.memory() == 0);
    root.write("/sys/fs/cgroup/here/memory.current", "");
    CHECK(root.memory() == 400 * 1024);
}

TEST_CASE("file pages of a group are available: the kernel gives them back at once") {
    const FakeRoot root;
    root.write("/proc/self/cgroup", "0::/here\n");
    root.write("/sys/fs/cgroup/here/memory.max", "1000000\n");
    root.write("/sys/fs/cgroup/here/memory.current", "950000\n");
    root.write("/sys/fs/cgroup/here/memory.stat",
               "anon 400000\nfile 500000\nshmem 100000\ninactive_anon 7\nactive_anon 8\ninactive_file "
               "300000\nactive_file 100000\n");
    CHECK(root.memory() == 50000 + 400000);  // and not what shared memory has, which "file" includes
    root.write("/sys/fs/cgroup/here/memory.stat",
               "inactive_file 300000\nactive_file 100000\nslab_reclaimable 20000\nslab 90000\n");
    CHECK(root.memory() == 50000 + 400000 + 10000);
    root.write("/sys/fs/cgroup/here/memory.stat", "inactive_file 9000000\n");  // read a little later than the usage
    CHECK(root.memory() == 1000000);
    root.write("/sys/fs/cgroup/here/memory.stat",
               "inactive_file\nactive_file many\nactive_file_too 5\ninactive_file -3\n");
    CHECK(root.memory() == 50000);
    root.write("/sys/fs/cgroup/here/memory.max", "900000\n");  // over its limit, but for files
    root.write("/sys/fs/cgroup/here/memory.stat", "active_file 200000\ninactive_file 0");
    CHECK(root.memory() == 150000);
}

TEST_CASE("file pages of groups of version 1 are available too - those of the groups below included") {
    const FakeRoot root;
    root.write("/proc/self/cgroup", "12:memory:/m/deep\n0::/\n");
    root.write("/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "5000");
    root.write("/sys/fs/cgroup/memory/m/memory.usage_in_bytes", "4000");
    root.write("/sys/fs/cgroup/memory/m/memory.stat",
               "cache 3000\ninactive_file 10\nactive_file 20\ntotal_cache 3000\ntotal_inactive_file "
               "1500\ntotal_active_file 700\n");
    root.write("/sys/fs/cgroup/memory/m/deep/memory.limit_in_bytes", "9223372036854771712");
    root.write("/sys/fs/cgroup/memory/m/deep/memory.usage_in_bytes", "1000");
    CHECK(root.memory() == 1000 + 2200);
}

TEST_CASE("what could be given back is not looked at where enough is left without it") {
    const FakeRoot root;
    root.write("/proc/self/cgroup", "0::/here\n");
    root.write("/sys/fs/cgroup/here/memory.max", "1000000\n");
    root.write("/sys/fs/cgroup/here/memory.current", "600000\n");
    root.write("/sys/fs/cgroup/here/memory.stat", "inactive_file 100000\n");
    CHECK(root.memory() == 500000);
    CHECK(root.memory(400000) == 400000);
    CHECK(root.memory(400001) == 500000);
}

TEST_CASE("a group that would only be slowed down is not limited") {
    const FakeRoot root;
    root.write("/proc/self/cgroup", "0::/here\n");
    root.write("/sys/fs/cgroup/here/memory.high", "1000\n");
    root.write("/sys/fs/cgroup/here/memory.max", "1000000\n");
    root.write("/sys/fs/cgroup/here/memory.current", "5000\n");
    CHECK(root.memory() == 995000);
}

TEST_CASE("malformed lists of groups limit nothing") {
    const std::string text = GENERATE(as<std::string>{}, "", "\n\n", "0", "0:", "0::", "0::here",
                                      "::", "no colons at all", "0::/\n:::::\n", "4:cpu:relative\n3:memory:a/b\n");
    CAPTURE(text);
    const FakeRoot root;
    root.write("/proc/self/cgroup", text);
    root.write("/proc/meminfo", "MemAvailable: many kB\n");
    CHECK(root.cpus() == unlimited);
    CHECK(root.memory() == unlimited_memory);
}

TEST_CASE("a group above the root of its namespace does no harm") {
    const FakeRoot root;
    root.write("/proc/self/cgroup", "0::/../../elsewhere\n");
    CHECK(root.cpus() == unlimited);
}

TEST_CASE("this machine has memory and CPUs") {
    CHECK(detail::os::Limits{}.available_memory() > 1 << 20);
    CHECK(detail::os::Limits{}.cpu_quota() > 0);
}
