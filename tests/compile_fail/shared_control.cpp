// expect-success
// SPDX-License-Identifier: BSL-1.0
// The uses of Shared and SharedArray in the other cases, done right.
#include <procpool/shm/shared.hpp>
#include <procpool/shm/shared_array.hpp>

#include <atomic>
#include <span>

struct Config {
    double scale;
    char name[16];
    std::atomic<int> users;
    std::span<const int> table;  // of shared memory
};
class Lock {
public:
    Lock();
    ~Lock();
};
template <>
inline constexpr bool procpool::enable_shared<Lock> = true;

void use() {
    const procpool::Shared<Config> config;
    const procpool::Shared<Lock> lock;
    const procpool::Shared<std::atomic<int>> counter{0};
    const procpool::SharedArray<std::atomic<int>> counters{2};
}
