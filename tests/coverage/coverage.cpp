// SPDX-License-Identifier: BSL-1.0
// A program built with --coverage whose workers write what they have counted when they end, as the README says.
#include <procpool/procpool.hpp>

#include <vector>

extern "C" void __gcov_dump();

namespace {

int only_in_tasks(int n) { return n * 2; }

}  // namespace

int main() {
    procpool::ProcessPool pool{procpool::PoolOptions{.workers = 2, .finalizer = [] { __gcov_dump(); }}};
    return pool.map([](int n) { return only_in_tasks(n); }, std::vector{1, 2, 3}) == std::vector{2, 4, 6} ? 0 : 1;
}
