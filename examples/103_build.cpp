// SPDX-License-Identifier: BSL-1.0
// A build system in miniature. It reads rules, and makes a task of each, which waits for those of its inputs and runs
// the compiler. A rule that fails spares those that do not depend on it; the others end in its error.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <stdlib.h>
#include <sys/wait.h>

struct Rule {
    std::vector<std::string> inputs;
    std::string command;
};

struct BuildError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Lines of "target: inputs", each with a line for its command below.
std::map<std::string, Rule> read_rules(const std::string& path) {
    std::map<std::string, Rule> rules;
    std::ifstream in{path};
    for (std::string line; std::getline(in, line);) {
        const std::size_t colon = line.find(':');
        Rule& rule = rules[line.substr(0, colon)];
        std::istringstream inputs{line.substr(colon + 1)};
        for (std::string input; inputs >> input;) { rule.inputs.push_back(input); }
        std::getline(in, rule.command);
    }
    return rules;
}

// What the compiler says of a file that it refuses is in the target's log.
void run(const std::string& target, const std::string& command) {
    const std::string redirected = "(" + command + ") > " + target + ".log 2>&1";
    if (std::system(redirected.c_str()) != 0) { throw BuildError(target); }
}

class Build {
public:
    Build(procpool::Pool& pool, std::map<std::string, Rule> rules) : pool_(pool), rules_(std::move(rules)) {
        for (const auto& [target, rule] : rules_) { submit(target); }
    }

    void report() const {
        for (const auto& [target, built] : targets_) {
            try {
                built.get();
                fmt::print("{}: built\n", target);
            } catch (const BuildError& error) {
                if (error.what() != target) {
                    fmt::print("{}: not built, {} failed\n", target, error.what());
                } else {
                    fmt::print("{}: failed at {}\n", target, first_error(target));
                }
            }
        }
    }

private:
    const procpool::SharedFuture<void>& submit(const std::string& target) {
        const auto [place, is_new] = targets_.try_emplace(target);
        procpool::SharedFuture<void>& built = place->second;
        if (!is_new && !built.valid()) { throw std::runtime_error(target + " depends on itself"); }
        if (!is_new) { return built; }
        // A future of void orders its task behind another, and gives it no argument.
        std::vector<procpool::SharedFuture<void>> inputs;
        for (const std::string& input : rules_.at(target).inputs) {
            if (rules_.contains(input)) { inputs.push_back(submit(input)); }
        }
        const std::string& command = rules_.at(target).command;
        built = pool_.apply_async({.label = target}, run, target, command, when_all(inputs)).share();
        return built;
    }

    static std::string first_error(const std::string& target) {
        std::ifstream in{target + ".log"};
        std::string file, line;
        std::getline(std::getline(in, file, ':'), line, ':');
        return file + ", line " + line;
    }

    procpool::Pool& pool_;
    std::map<std::string, Rule> rules_;
    std::map<std::string, procpool::SharedFuture<void>> targets_;
};

int main() {
    procpool::register_exception<BuildError>();
    const std::filesystem::path before = std::filesystem::current_path();
    std::string folder = (std::filesystem::temp_directory_path() / "procpool_XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) { return EXIT_FAILURE; }
    std::filesystem::current_path(folder);

    ::setenv("CXX", PROCPOOL_EXAMPLE_COMPILER, 1);
    std::ofstream{"twice.cpp"} << "int twice(int n) { return 2 * n; }\n";
    std::ofstream{"answer.cpp"} << "int twice(int n);\nint main() { return twice(21); }\n";
    std::ofstream{"broken.cpp"} << "int twice(int n);\nin main() { return twice(21); }\n";
    std::ofstream{"rules"} << R"(answer: answer.o twice.o
$CXX -o answer answer.o twice.o
broken: broken.o twice.o
$CXX -o broken broken.o twice.o
checked: broken
./broken
answer.o: answer.cpp
$CXX -c answer.cpp
broken.o: broken.cpp
$CXX -c broken.cpp
twice.o: twice.cpp
$CXX -c twice.cpp
)";
    {
        procpool::ProcessPool pool{2};
        Build{pool, read_rules("rules")}.report();
    }
    fmt::print("answer ends with {}\n", WEXITSTATUS(std::system("./answer")));

    std::filesystem::current_path(before);
    std::filesystem::remove_all(folder);
}
