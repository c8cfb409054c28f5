// expect: procpool: keys and values of a SharedMap are trivially copyable or std::string
// SPDX-License-Identifier: BSL-1.0
// Needs Boost, as its name says.
#include <procpool/shared_map.hpp>
#include <procpool/shm/shared.hpp>

#include <vector>

void use() { const procpool::Shared<procpool::SharedMap<int, std::vector<int>>> map{1 << 20}; }
