// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Shared by the tests of several machines. Each test case is a job of its own: on ranks other than 0 the pool's
/// constructor does not return.

#include "support/catch.hpp"

#include <procpool/mpi.hpp>
#include <procpool/procpool.hpp>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <sys/types.h>
#include <unistd.h>

namespace machines {

using namespace procpool;

/// Tasks run on the other machines only.
inline PoolOptions remote(std::size_t workers) { return {.workers = workers, .mpi = {.use_root = false}}; }

/// The process that has started another; 0 when that is gone.
inline pid_t parent_of(pid_t pid) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(in, text);  // an iterator would throw when it ends meanwhile
    if (text.empty()) { return 0; }
    std::istringstream rest(text.substr(text.rfind(')') + 2));
    char state = 0;
    pid_t parent = 0;
    rest >> state >> parent;
    return parent;
}

/// The companion of the pool of this process: the child of its supervisor that is no worker; 0 when there is none.
inline pid_t companion() {
    const pid_t self = ::getpid();
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const pid_t pid = std::atoi(entry.path().filename().c_str());
        std::ifstream in(entry.path() / "comm");
        std::string name;
        std::getline(in, name);
        if (pid > 0 && name.find("*:") != std::string::npos && parent_of(parent_of(pid)) == self) { return pid; }
    }
    return 0;
}

}  // namespace machines
