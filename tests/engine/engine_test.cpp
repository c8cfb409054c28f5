// SPDX-License-Identifier: BSL-1.0
#include <procpool/engine/engine.hpp>
#include <procpool/engine/thread.hpp>
#include <procpool/shm/heap.hpp>

#include <procpool/engine/thread.hpp>
#include <procpool/shm/heap.hpp>

#include "engine/harness.hpp"
#include "support/catch.hpp"

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

static_assert(Engine<ForkEngine> && Engine<ThreadEngine> && Engine<InlineEngine> && Engine<AnyEngine>);
static_assert(!Engine<int> && !Engine<detail::engine::ThreadCrew>);

namespace {

struct WithoutReference {
    static detail::engine::Traits traits();
};
static_assert(!Engine<WithoutReference>);

}  // namespace

TEMPLATE_TEST_CASE("whatever the engine: tasks come back with their answers", "", ForkEngine, ThreadEngine,
                   InlineEngine) {
    const Bench<TestType> bench{4, 2};
    for (std::uint64_t i = 0; i < 50; ++i) { CHECK(bench.submit(i).number() == answer(i)); }
    bench->stop(detail::task::Life::closing);
    CHECK(bench->join(detail::Deadline::after(std::chrono::seconds{20})));
    CHECK_THROWS_AS(bench.submit(1), PoolClosed);
}

TEST_CASE("what an address means to workers depends on where it lies and where they run") {
    const int on_stack = 0;
    static int a_static = 0;
    void* const shared = detail::shm::Heap::of_this_process().allocate(8);
    CHECK(ForkEngine::traits().place_of(&on_stack) == Visibility::this_process);
    CHECK(ForkEngine::traits().place_of(&a_static) == Visibility::everywhere);
    CHECK(ForkEngine::traits().place_of(shared) == Visibility::shared);
    CHECK(ForkEngine::traits().place_of(nullptr) == Visibility::everywhere);
    CHECK(ForkEngine::traits().place_of(reinterpret_cast<const void*>(&answer_code)) == Visibility::everywhere);
    CHECK(ForkEngine::traits().place_of(reinterpret_cast<const void*>(std::uintptr_t{12345})) ==
          Visibility::everywhere);  // no address at all
    CHECK(ThreadEngine::traits().place_of(&on_stack) == Visibility::shared);
    CHECK(InlineEngine::traits().place_of(&on_stack) == Visibility::shared);
    detail::shm::Heap::of_this_process().deallocate(shared, 8);
}

TEST_CASE("an engine tells what its workers share and contain") {
    CHECK(ForkEngine::traits().contains_crashes);
    CHECK_FALSE(ThreadEngine::traits().contains_crashes);
    CHECK_FALSE(InlineEngine::traits().contains_crashes);
    CHECK_FALSE(ForkEngine::traits().shares_memory);
    CHECK(ThreadEngine::traits().shares_memory);
    CHECK(InlineEngine::traits().shares_memory);
    CHECK(InlineEngine::traits().most_workers == 1);
}
