// SPDX-License-Identifier: BSL-1.0
// Compiled with AddressSanitizer, and linked with a library that is not: a crash in a task is reported by the
// sanitizer, and the pool goes on.
#include <procpool/procpool.hpp>

#include <cstdio>

int main() {
    procpool::Pool pool{1};
    try {
        pool.apply([](int n) { return *(new int[1] + n); }, 1);  // one behind the end
    } catch (const procpool::WorkerDied& death) { std::puts(death.what()); }
    return pool.apply([] { return 42; }) == 42 ? 0 : 1;
}
