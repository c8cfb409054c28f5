// expect: procpool: a string or container keeps its elements in memory of one process, so that it means nothing to others: give it to the task as an argument
// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/shared.hpp>

#include <string>

struct Config {
    double scale;
    std::string name;
};

void use() { const procpool::Shared<Config> config; }
