// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Crowd: children of a test that wait for something; those that are left at the end of the test are killed.

#include "os/in_child.hpp"
#include "support/events.hpp"

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>
#include <sys/wait.h>
#include <csignal>

namespace procpool_test {

/// Whether the process or thread with this file in /proc sleeps in the kernel, where the tests' children do nothing but
/// wait for what is tested.
[[nodiscard]] inline bool sleeps(const std::string& stat_file) {
    std::FILE* const file = std::fopen(stat_file.c_str(), "r");
    if (file == nullptr) { return false; }
    char text[128] = {};
    const std::size_t size = std::fread(text, 1, sizeof(text) - 1, file);
    std::fclose(file);
    const std::size_t name_end = std::string_view{text, size}.rfind(") ");
    return name_end != std::string_view::npos && text[name_end + 2] == 'S';
}

/// Returns when the process sleeps. Throws after wait_limit.
inline void wait_until_asleep(pid_t pid) {
    const std::string file = "/proc/" + std::to_string(pid) + "/stat";
    wait_until([&] { return sleeps(file); }, "a child to sleep");
}

class Crowd {
public:
    Crowd() = default;
    Crowd(const Crowd&) = delete;
    Crowd& operator=(const Crowd&) = delete;
    ~Crowd() {
        for (const pid_t pid : pids_) {
            ::kill(pid, SIGKILL);
            ::waitpid(pid, nullptr, 0);
        }
    }

    /// Returns: the process number of a child that runs `function` and exits with what it returns.
    template <class Function>
    pid_t add(Function function) {
        pids_.push_back(start_child(function));
        return pids_.back();
    }
    template <class Function>
    void add_asleep(int count, Function function) {
        for (int i = 0; i < count; ++i) { add(function); }
        for (const pid_t pid : pids_) { wait_until_asleep(pid); }
    }
    [[nodiscard]] std::size_t size() const { return pids_.size(); }
    [[nodiscard]] pid_t operator[](std::size_t i) const { return pids_[i]; }

    /// Effects: kills and reaps the child.
    void kill(pid_t child) {
        ::kill(child, SIGKILL);
        wait_for(child);
    }
    /// Returns: the exit code of the child; 128 + n when signal n ended it. Throws after 20 s.
    int wait_for(pid_t child) {
        std::erase(pids_, child);
        const int status = wait_for_child(child);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    /// Returns: how many of the children that are left end with 0. Throws after 20 s.
    int count_good() {
        int good = 0;
        while (!pids_.empty()) { good += wait_for(pids_.back()) == 0 ? 1 : 0; }
        return good;
    }

private:
    std::vector<pid_t> pids_;
};

/// The word of a primitive that is one, or begins with it.
template <class Primitive>
[[nodiscard]] std::atomic<std::uint32_t>& word_of(Primitive& primitive) {
    return *reinterpret_cast<std::atomic<std::uint32_t>*>(&primitive);
}
inline constexpr std::uint32_t asleep_bit = 1;

/// Returns: 0 when `wait` throws std::logic_error, as of a destroyed object.
template <class Wait>
int refused(Wait wait) {
    try {
        wait();
    } catch (const std::logic_error&) { return 0; }
    return 1;
}

/// Passes a short time that is different each time, without a system call.
inline void dawdle(std::mt19937_64& random, std::uint64_t most_ns) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::nanoseconds{random() % most_ns};
    while (std::chrono::steady_clock::now() < until) {}
}

}  // namespace procpool_test
