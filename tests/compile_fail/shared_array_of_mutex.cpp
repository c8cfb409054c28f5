// expect: procpool: a SharedArray holds elements that mean the same to every process: neither locks of the standard library nor atomics that are not lock-free
// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/shared_array.hpp>

#include <mutex>

void use() { const procpool::SharedArray<std::mutex> mutexes{2}; }
