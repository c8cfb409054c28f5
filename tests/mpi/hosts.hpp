// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// A test case's hold on other emulated hosts than its own: hosts.sh, called by rank 0 on node1.

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>

namespace procpool_test {

/// Runs a command of hosts.sh, such as "crash node3". Throws: std::runtime_error when it fails, or outside such hosts.
inline void hosts(const std::string& command) {
    const char* const script = std::getenv("PROCPOOL_HOSTS_SH");
    if (script == nullptr) { throw std::runtime_error("this is not on emulated hosts"); }
    const std::string line = "bash '" + std::string{script} + "' " + command;
    if (std::system(line.c_str()) != 0) { throw std::runtime_error("failed: " + line); }
}

/// A host that nobody can reach while this lives. It has to end before the program does: mpirun waits for the host.
class CutOff {
public:
    explicit CutOff(std::string host) : host_(std::move(host)) { hosts("cut " + host_); }
    CutOff(const CutOff&) = delete;
    CutOff& operator=(const CutOff&) = delete;
    ~CutOff() { hosts("mend " + host_); }

private:
    std::string host_;
};

/// A host that stands still while this lives.
class Frozen {
public:
    explicit Frozen(std::string host) : host_(std::move(host)) { hosts("freeze " + host_); }
    Frozen(const Frozen&) = delete;
    Frozen& operator=(const Frozen&) = delete;
    ~Frozen() { hosts("thaw " + host_); }

private:
    std::string host_;
};

}  // namespace procpool_test
