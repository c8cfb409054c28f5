// SPDX-License-Identifier: BSL-1.0
/// \file
/// journal: what one does without: each result is a file, written under another name and renamed, and read when it is
/// there. The pool is procpool's.

#include "config.hpp"

#include <procpool/procpool.hpp>

#include <cstddef>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
    using namespace benchmarks;
    using namespace benchmarks::journal;
    return program(argc, argv, [](const Arguments& arguments) {
        const Folder folder;
        procpool::Pool pool{arguments.workers};
        const std::size_t count = arguments.pick<std::size_t>(1000, 5000, 20'000);
        const std::vector<int> items = numbers(count);
        const auto keep = [](int i, const std::string& in) {
            const std::string path = in + std::to_string(i);
            if (std::ifstream file{path}) {
                std::ostringstream text;
                text << file.rdbuf();
                return text.str();
            }
            std::string result = hundred_bytes(i);
            std::ofstream{path + ".new"} << result;
            require(std::rename((path + ".new").c_str(), path.c_str()) == 0, "rename");
            return result;
        };
        const auto run = [&] {
            std::vector<std::string> results;
            const double took =
                seconds([&] { results = pool.map(keep, items, procpool::repeat(folder.file("result"))); });
            require_all(results, count);
            return took;
        };
        Turns turns{arguments.pick<std::size_t>(1, 2, 3)};
        turns.add(kept, count, [&] {
            folder.empty();
            return run();
        });
        turns.add(given_again, count, run);
        turns.run_and_report();
    });
}
