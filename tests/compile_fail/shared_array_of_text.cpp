// expect: procpool: a SharedArray holds trivially copyable elements, since no process runs constructors for another
// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/shared_array.hpp>

#include <string>

void use() { const procpool::SharedArray<std::string> texts{2}; }
