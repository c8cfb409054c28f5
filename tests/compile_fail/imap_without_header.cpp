// expect: procpool: this call is defined in a header of its own: include <procpool/map/imap.hpp>, or all of
// <procpool/procpool.hpp> SPDX-License-Identifier: BSL-1.0
#include <procpool/pool/process_pool.hpp>

#include <vector>

void use(procpool::Pool& pool, const std::vector<int>& items) {
    for (const int a : pool.imap(
             procpool::MapOptions{.window = 2}, [](int b) { return b; }, items)) {
        static_cast<void>(a);
    }
}
