// expect: procpool: a std::atomic that is not lock-free has a lock of one process
// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/shared.hpp>

#include <atomic>

struct Large {
    long words[8];
};

void use() { const procpool::Shared<std::atomic<Large>> large; }
