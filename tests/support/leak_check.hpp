// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// LeakCheck: compares the system resources of a process before and after a test case.

#include <map>
#include <set>
#include <string>
#include <vector>

/// Called once before the first test case: here the library may make what it keeps for the life of the program.
/// Defined in no more than one source; without a definition nothing happens.
[[gnu::weak]] void leak_check_warm_up();

namespace procpool_test {

class LeakCheck {
public:
    /// Records the state of this process.
    LeakCheck();

    /// differences() returns one line for each thing that is there now and was not recorded, or the other way round.
    /// Blocks:   up to 5 s for threads that are ending and for entries of /dev/shm, which other programs make too.
    [[nodiscard]] std::vector<std::string> differences() const;

private:
    struct State {
        std::map<std::string, std::string> descriptors;  // number, what it is
        std::map<std::string, std::string> children;     // process id, name and state
        std::map<std::string, std::string> threads;      // thread id, name
        std::set<std::string> mappings;                  // shared ones: range, rights, file
        std::set<std::string> shm_files;                 // of this user, in /dev/shm
        std::set<std::string> signals;                   // dispositions that are not the default, blocked signals
    };
    [[nodiscard]] static State look();
    [[nodiscard]] std::vector<std::string> compare(const State& now) const;

    State before_;
};

}  // namespace procpool_test
