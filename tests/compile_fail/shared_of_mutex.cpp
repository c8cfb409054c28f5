// expect: procpool: a std::mutex or another lock of the standard library works among the threads of one process only
// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/shared.hpp>

#include <mutex>

void use() { const procpool::Shared<std::mutex> mutex; }
