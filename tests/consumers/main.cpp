// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

int main() {
    procpool::ProcessPool pool{2};
    return pool.apply([](int x) { return x * 2; }, 21) == 42 ? 0 : 1;
}
