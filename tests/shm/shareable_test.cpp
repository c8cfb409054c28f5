// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/shareable.hpp>

#include "support/catch.hpp"

#include <pthread.h>
#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <latch>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <shared_mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace procpool;

namespace {

struct Counters {
    std::atomic<int> number;
    std::atomic<long> sum{3};
    double plain;
};
struct Many {
    Counters counters[100];
    std::atomic_flag flag;
};
struct Base {
    std::atomic<int> number;
};
struct Derived : Base {
    std::atomic<int> more;
};
struct DerivedWithText : Base {
    std::string text;
};
struct Config {
    std::string name;
    double scale;
};
struct WithMutex {
    int number;
    std::mutex mutex;
};
struct Large {
    long words[5];
};
class Unknown {
public:
    ~Unknown() {}
};
class Enabled {
public:
    ~Enabled() {}
};
struct HoldsEnabled {
    Enabled enabled;
    std::atomic<int> number;
};

}  // namespace

template <>
inline constexpr bool procpool::enable_shared<Enabled> = true;

TEST_CASE("plain objects; lock-free atomics; aggregates of them; what opts in") {
    STATIC_REQUIRE(Shareable<int>);
    STATIC_REQUIRE(Shareable<int*>);
    STATIC_REQUIRE(Shareable<std::span<int>>);
    STATIC_REQUIRE(Shareable<std::pair<int, int>>);
    STATIC_REQUIRE(Shareable<std::optional<int>>);
    STATIC_REQUIRE(Shareable<const std::atomic<int>>);
    STATIC_REQUIRE(Shareable<std::atomic<int*>>);
    STATIC_REQUIRE(Shareable<std::atomic_flag>);
    STATIC_REQUIRE(Shareable<Counters>);
    STATIC_REQUIRE(Shareable<Many>);
    STATIC_REQUIRE(Shareable<std::array<std::atomic<int>, 4>>);
    STATIC_REQUIRE(Shareable<std::array<std::atomic<int>, 400>>);
    STATIC_REQUIRE(Shareable<Derived>);
    STATIC_REQUIRE(Shareable<Enabled>);
    STATIC_REQUIRE(Shareable<HoldsEnabled>);
    STATIC_REQUIRE(Shareable<pthread_mutex_t>);
}

TEST_CASE("what means nothing to another process is not shared") {
    STATIC_REQUIRE_FALSE(Shareable<std::string>);
    STATIC_REQUIRE_FALSE(Shareable<std::vector<int>>);
    STATIC_REQUIRE_FALSE(Shareable<std::map<int, int>>);
    STATIC_REQUIRE_FALSE(Shareable<std::optional<std::string>>);
    STATIC_REQUIRE_FALSE(Shareable<std::unique_ptr<int>>);
    STATIC_REQUIRE_FALSE(Shareable<std::function<void()>>);
    STATIC_REQUIRE_FALSE(Shareable<std::mutex>);
    STATIC_REQUIRE_FALSE(Shareable<std::recursive_mutex>);
    STATIC_REQUIRE_FALSE(Shareable<std::shared_mutex>);
    STATIC_REQUIRE_FALSE(Shareable<std::condition_variable>);
    STATIC_REQUIRE_FALSE(Shareable<std::once_flag>);
    STATIC_REQUIRE_FALSE(Shareable<std::binary_semaphore>);
    STATIC_REQUIRE_FALSE(Shareable<std::latch>);
    STATIC_REQUIRE_FALSE(Shareable<std::atomic<Large>>);
    STATIC_REQUIRE_FALSE(Shareable<Config>);
    STATIC_REQUIRE_FALSE(Shareable<WithMutex>);
    STATIC_REQUIRE_FALSE(Shareable<DerivedWithText>);
    STATIC_REQUIRE_FALSE(Shareable<Unknown>);
    STATIC_REQUIRE_FALSE(Shareable<std::array<std::mutex, 2>>);
}
