// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Subprocess: a forked copy of the test that plays a whole program; and questions to /proc.

#include "support/events.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

namespace procpool_test {

/// The state letter of a process or thread in /proc, ' ' when there is none.
[[nodiscard]] inline char state_in(const std::string& folder) {
    std::ifstream file{folder + "/stat"};
    std::string stat;
    std::getline(file, stat);
    const std::size_t name_end = stat.rfind(')');
    return name_end == std::string::npos || name_end + 2 >= stat.size() ? ' ' : stat[name_end + 2];
}
[[nodiscard]] inline bool is_alive(pid_t pid) {
    const char state = state_in("/proc/" + std::to_string(pid));
    return state != ' ' && state != 'Z' && state != 'X';
}
/// Signals one process, never a group or all processes, whatever number it gets.
inline bool send_signal(pid_t pid, int signal) { return pid > 1 && ::kill(pid, signal) == 0; }
/// Returns when that thread of this process sleeps in the kernel, that is, is blocked.
inline void wait_until_asleep(pid_t thread) {
    wait_until([=] { return state_in("/proc/self/task/" + std::to_string(thread)) == 'S'; }, "a thread to block");
}
inline void wait_until_gone(pid_t pid, std::chrono::nanoseconds limit = wait_limit) {
    wait_until([=] { return !is_alive(pid); }, "a process to end", limit);
}

[[nodiscard]] inline std::string text_of_file(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream{path}.rdbuf();
    return text.str();
}
/// The target of a symbolic link, empty when there is none.
[[nodiscard]] inline std::string link_target(const std::string& path) {
    std::error_code gone;
    return std::filesystem::read_symlink(path, gone).string();
}
[[nodiscard]] inline std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) { ++count; }
    return count - 1;  // the iterator's own
}
/// Kilobytes, from a line of a file in /proc such as "VmRSS:   1234 kB".
[[nodiscard]] inline long kilobytes_in(const std::string& path, const std::string& key) {
    std::ifstream file{path};
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(key + ":")) { return std::atol(line.c_str() + key.size() + 1); }
    }
    return -1;
}

/// A forked child that runs a function; its standard output and error come back. Killed with the object.
/// The function may end its process in any way; when it returns, the child leaves by _exit(0), by _exit(99) when it
/// throws.
class Subprocess {
public:
    template <class F>
    explicit Subprocess(F f) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) { throw std::runtime_error("pipe2"); }
        std::fflush(nullptr);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::setpgid(0, 0);
            for (const int number : {SIGTERM, SIGINT, SIGABRT, SIGFPE, SIGILL, SIGSEGV}) {
                ::signal(number, SIG_DFL);
            }  // Catch2 3 has handlers
            ::dup2(ends[1], STDOUT_FILENO);
            ::dup2(ends[1], STDERR_FILENO);
            ::close(ends[0]);
            ::close(ends[1]);
            try {
                f();
                std::fflush(nullptr);
                ::_exit(0);
            } catch (const std::exception& error) {
                std::printf("exception: %s\n", error.what());
                std::fflush(nullptr);
                ::_exit(99);
            }
        }
        ::close(ends[1]);
        if (pid_ < 0) { throw std::runtime_error("fork"); }
        ::setpgid(pid_, pid_);
        output_end_ = ends[0];
    }
    Subprocess(const Subprocess&) = delete;
    Subprocess& operator=(const Subprocess&) = delete;
    ~Subprocess() {
        if (!ended_) {
            ::kill(-pid_, SIGKILL);
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        ::close(output_end_);
    }

    [[nodiscard]] pid_t pid() const { return pid_; }

    /// Waits for the end of the child, and of its output, which lasts as long as any process that inherited it.
    /// Returns: the status as waitpid() gives it. Throws when it takes too long.
    int wait(std::chrono::nanoseconds limit = std::chrono::seconds{40}) {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!output_ended_) {
            pollfd entry{output_end_, POLLIN, 0};
            if (::poll(&entry, 1, 10) > 0) { read_some(); }
            if (std::chrono::steady_clock::now() > end) {
                throw std::runtime_error("a subprocess did not end in time; it printed: " + output_);
            }
        }
        int status = 0;
        wait_until([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, "a subprocess to end");
        ended_ = true;
        return status;
    }
    [[nodiscard]] const std::string& output() const { return output_; }

private:
    void read_some() {
        char bytes[4096];
        const ssize_t got = ::read(output_end_, bytes, sizeof bytes);
        if (got > 0) {
            output_.append(bytes, static_cast<std::size_t>(got));
        } else if (got == 0 || errno != EINTR) {
            output_ended_ = true;
        }
    }

    pid_t pid_ = -1;
    int output_end_ = -1;
    bool output_ended_ = false;
    bool ended_ = false;
    std::string output_;
};

[[nodiscard]] inline bool exited_with(int status, int code) { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
[[nodiscard]] inline bool killed_by(int status, int signal) {
    return WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

[[nodiscard]] inline bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}
[[nodiscard]] inline std::size_t count_of(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) { ++count; }
    return count;
}

}  // namespace procpool_test
