// SPDX-License-Identifier: BSL-1.0
#include "actor/objects.hpp"
#include "faults/saboteur.hpp"

#include <string>

using namespace procpool_test;

namespace {

TEST_CASE("ACT-40 an actor that dies between saving its object and saying so goes on from the one before") {
    Saboteur saboteur;
    auto saved = actor<Saved>(ActorOptions{.restarts = 100, .snapshot_every = 1});
    for (int n = 1; n <= 20; ++n) {
        saved.call([](Saved& self, int now) { self.text.assign(static_cast<std::size_t>(self.n = now), 'x'); }, n)
            .get();
        saboteur.arm(detail::FaultPoint::snapshot_half, 1, SIGKILL);
        auto dies = saved.call([](Saved& self) { self.text.assign(static_cast<std::size_t>(self.n = 1000), 'y'); });
        CHECK_THROWS_AS(get_soon(dies), ActorDied);
        const Saved found = get_soon(saved.call([](Saved& self) { return self; }));
        CHECK(found.n == n);
        CHECK(found.text == std::string(static_cast<std::size_t>(n), 'x'));
    }
}

/// Each step of a worker's life and of a call, with a successor that must serve what waits.
TEST_CASE("ACT-41 an actor that dies at any step is replaced and serves what waits") {
    using detail::FaultPoint;
    Saboteur saboteur;
    for (const FaultPoint point :
         {FaultPoint::after_fork, FaultPoint::before_ready, FaultPoint::after_claim, FaultPoint::before_run,
          FaultPoint::before_done, FaultPoint::after_done, FaultPoint::asleep}) {
        INFO(name_of(point));
        auto tally = actor<Tally>(ActorOptions{.restarts = 3}, 3);
        saboteur.arm(point, 1, SIGKILL);
        if (point == FaultPoint::after_fork || point == FaultPoint::before_ready) {
            REQUIRE(send_signal(tally.pid(), SIGKILL));
        }
        auto first = tally.call(&Tally::add, 1);
        auto second = tally.call(&Tally::value);
        saboteur.wait_for_victim();
        try {
            const int sum = get_soon(first);
            CHECK(sum == 4);
        } catch (const ActorDied&) {}
        const int left = get_soon(second);
        CHECK((left == 3 || left == 4));
        saboteur.disarm();
    }
}

}  // namespace
