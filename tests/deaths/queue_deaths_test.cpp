// SPDX-License-Identifier: BSL-1.0
#include <procpool/channel/queue.hpp>

#include <procpool/shm/shared.hpp>

#include "channel/items.hpp"
#include "deaths/fatal_point.hpp"
#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

constexpr QueueOptions small{.capacity = 2, .bytes = 4096};

/// The place of an item's bytes: in the cell, in the queue's memory, in the memory of large items.
constexpr std::size_t sizes[] = {8, 600, 100'000};

bool was_killed(pid_t child) {
    const int status = wait_for_child(child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/// Puts the items and takes them again in two children, which wait as long as it takes.
void require_works(Queue<Item>& queue, std::vector<std::uint32_t> left, std::size_t size) {
    constexpr std::uint32_t count = 10;
    const pid_t consumer = start_child([&] {
        for (const std::uint32_t number : left) {
            if (const Item item = queue.get(); !is_sound(item) || item.number != number) { return 1; }
        }
        for (std::uint32_t i = 0; i < count; ++i) {
            if (const Item item = queue.get(); !is_sound(item) || item.number != 100 + i) { return 2; }
        }
        return 0;
    });
    const pid_t producer = start_child([&] {
        for (std::uint32_t i = 0; i < count; ++i) { queue.put(make_item(2, 100 + i, size)); }
        return 0;
    });
    CHECK(wait_for_child(producer) == 0);
    CHECK(wait_for_child(consumer) == 0);
    CHECK(queue.was_size() == 0);
}

}  // namespace

TEST_CASE("a producer dies at every step and its item is put or not") {
    for (const auto point : {FaultPoint::queue_cell_written, FaultPoint::queue_bytes_half,
                             FaultPoint::queue_bytes_written, FaultPoint::queue_stepped}) {
        for (const std::size_t size : sizes) {
            if (point == FaultPoint::queue_bytes_half && size == sizes[0]) { continue; }
            CAPTURE(static_cast<int>(point), size);
            const Shared<Queue<Item>> queue{small};
            queue->put(make_item(1, 1, size));
            CHECK(was_killed(start_child([&] {
                die_at(point);
                queue->put(make_item(1, 2, size));
                return 0;
            })));
            const bool was_put = point == FaultPoint::queue_stepped;
            CHECK(queue->was_size() == (was_put ? 2 : 1));
            require_works(*queue, was_put ? std::vector<std::uint32_t>{1, 2} : std::vector<std::uint32_t>{1}, size);
        }
    }
}

TEST_CASE("a producer dies while a consumer sleeps and another producer waits for the lock") {
    for (const auto point :
         {FaultPoint::queue_cell_written, FaultPoint::queue_bytes_written, FaultPoint::queue_stepped}) {
        CAPTURE(static_cast<int>(point));
        const Shared<Queue<Item>> queue{small};
        SharedPage page;
        const Gate at_it{page};
        const Gate may_die{page};
        const pid_t consumer = start_child([&] {
            const std::uint32_t first = queue->get().number;
            return first == (point == FaultPoint::queue_stepped ? 1 : 2) ? 0 : 1;
        });
        wait_for_sleep(consumer);
        const pid_t victim = start_child([&] {
            hold_at(point, at_it, may_die);
            queue->put(make_item(1, 1, 8));
            return 0;
        });
        at_it.wait();
        const pid_t producer = start_child([&] {
            queue->put(make_item(1, 2, 8));
            return 0;
        });
        wait_for_sleep(producer);
        kill_and_reap(victim);
        CHECK(wait_for_child(producer) == 0);
        CHECK(wait_for_child(consumer) == 0);
    }
}

TEST_CASE("a consumer dies at every step and takes at most the item in its hand") {
    for (const auto point : {FaultPoint::queue_copied_out, FaultPoint::queue_taken}) {
        for (const std::size_t size : sizes) {
            CAPTURE(static_cast<int>(point), size);
            const Shared<Queue<Item>> queue{small};
            queue->put(make_item(1, 1, size));
            queue->put(make_item(1, 2, size));
            const pid_t producer = start_child([&] {
                queue->put(make_item(1, 3, size));
                return 0;
            });
            wait_for_sleep(producer);
            CHECK(was_killed(start_child([&] {
                die_at(point);
                return static_cast<int>(queue->get().number);
            })));
            if (point == FaultPoint::queue_taken) {
                CHECK(wait_for_child(producer) == 0);
                CHECK(queue->get().number == 2);  // and settles what the dead one was at
                CHECK(queue->lost() == 1);
                require_works(*queue, {3}, size);
            } else {
                CHECK(queue->was_size() == 2);
                CHECK(queue->lost() == 0);
                CHECK(queue->get().number == 1);
                CHECK(wait_for_child(producer) == 0);
                require_works(*queue, {2, 3}, size);
            }
        }
    }
}

TEST_CASE("a process that sleeps or is about to is killed and the next one takes its place") {
    for (const bool full : {false, true}) {
        for (const bool sleeps : {false, true}) {
            CAPTURE(full, sleeps);
            const Shared<Queue<Item>> queue{small};
            if (full) {
                queue->put(make_item(1, 1, 8));
                queue->put(make_item(1, 2, 8));
            }
            const auto use = [&] {
                if (!full) { return queue->get().number == 3 ? 0 : 1; }
                queue->put(make_item(1, 3, 8));
                return 0;
            };
            SharedPage page;
            const Gate at_it{page};
            const Gate never{page};
            const pid_t victim = start_child([&] {
                if (!sleeps) {
                    hold_at(full ? FaultPoint::queue_putter_asleep : FaultPoint::queue_getter_asleep, at_it, never);
                }
                return use();
            });
            sleeps ? wait_for_sleep(victim) : at_it.wait();
            const pid_t next = start_child(use);
            wait_for_sleep(next);
            kill_and_reap(victim);
            if (full) {
                CHECK(queue->get().number == 1);
            } else {
                queue->put(make_item(1, 3, 8));
            }
            CHECK(wait_for_child(next) == 0);
            require_works(*queue, full ? std::vector<std::uint32_t>{2, 3} : std::vector<std::uint32_t>{}, 8);
        }
    }
}

TEST_CASE("what happens between the bit that says that a process sleeps and its sleep is not missed") {
    const Shared<Queue<Item>> queue{small};
    SharedPage page;
    const Gate at_it{page};
    const Gate may_sleep{page};
    const pid_t consumer = start_child([&] {
        hold_at(FaultPoint::queue_getter_asleep, at_it, may_sleep);
        return static_cast<int>(queue->get().number);
    });
    at_it.wait();
    CHECK(was_killed(start_child([&] {
        die_at(FaultPoint::queue_stepped);
        queue->put(make_item(1, 5, 8));
        return 0;
    })));
    may_sleep.set();
    CHECK(WEXITSTATUS(wait_for_child(consumer)) == 5);

    const Gate at_it_too{page};
    const Gate may_sleep_too{page};
    queue->put(make_item(1, 6, 8));
    queue->put(make_item(1, 7, 8));
    const pid_t producer = start_child([&] {
        hold_at(FaultPoint::queue_putter_asleep, at_it_too, may_sleep_too);
        queue->put(make_item(1, 8, 8));
        return 0;
    });
    at_it_too.wait();
    CHECK(was_killed(start_child([&] {
        die_at(FaultPoint::queue_taken);
        return static_cast<int>(queue->get().number);
    })));
    may_sleep_too.set();
    CHECK(wait_for_child(producer) == 0);
    require_works(*queue, {7, 8}, 8);
}

TEST_CASE("processes that close a queue and die do it wholly for those that come") {
    const Shared<Queue<Item>> queue{small};
    queue->put(make_item(1, 1, 8));
    CHECK(was_killed(start_child([&] {
        die_at(FaultPoint::queue_half_closed);
        queue->close();
        return 0;
    })));
    CHECK(queue->was_closed());
    CHECK_THROWS_AS(queue->put(make_item(1, 2, 8)), QueueClosed);
    CHECK(queue->get().number == 1);
    CHECK_THROWS_AS(queue->get(), QueueClosed);
}

TEST_CASE("a consumer that dies while it reports an item done is counted right") {
    const Shared<Queue<Item>> queue{small};
    for (int round = 1; round <= 2; ++round) {  // the next one has the place of the dead one
        queue->put(make_item(1, 1, 8));
        queue->put(make_item(1, 2, 8));
        CHECK(was_killed(start_child([&] {
            static_cast<void>(queue->get());
            static_cast<void>(queue->get());
            die_at(FaultPoint::queue_item_done);
            queue->task_done();
            return 0;
        })));
        if (round == 1) {
            CHECK_FALSE(queue->try_get());
            CHECK(queue->lost() == 1);
        }
        CHECK(queue->join_for(0s));
        queue->put(make_item(1, 3, 8));
        CHECK_FALSE(queue->join_for(0s));
        CHECK(queue->get().number == 3);
        queue->task_done();
        CHECK(queue->join_for(0s));
        CHECK(queue->lost() == static_cast<std::size_t>(round));
    }
}

TEST_CASE("a producer that dies in the middle of many items has put whole steps of them") {
    struct Death {
        FaultPoint point;
        int nth;
        std::size_t put;
    };
    for (const auto& [point, nth, put] : {Death{FaultPoint::queue_cell_written, 1, 0},
                                          {FaultPoint::queue_bytes_half, 200, 0},
                                          {FaultPoint::queue_bytes_written, 256, 0},
                                          {FaultPoint::queue_stepped, 1, 256},
                                          {FaultPoint::queue_bytes_written, 300, 256},
                                          {FaultPoint::queue_stepped, 2, 300}}) {
        CAPTURE(static_cast<int>(point), nth);
        const Shared<Queue<Item>> queue{QueueOptions{.capacity = 1000, .bytes = 1 << 20}};
        CHECK(was_killed(start_child([&, point = point, nth = nth] {
            std::vector<Item> items;
            for (std::uint32_t i = 0; i < 300; ++i) { items.push_back(make_item(1, i, 600)); }
            die_at(point, nth);
            queue->put_all(items);
            return 0;
        })));
        CHECK(queue->was_size() == put);
        std::vector<std::uint32_t> left(put);
        for (std::uint32_t i = 0; i < put; ++i) { left[i] = i; }
        require_works(*queue, left, 600);
    }
}

TEST_CASE("a consumer that dies in the middle of many items has taken whole steps of them") {
    struct Death {
        FaultPoint point;
        int nth;
        std::uint32_t taken;
    };
    for (const auto& [point, nth, taken] : {Death{FaultPoint::queue_copied_out, 1, 0},
                                            {FaultPoint::queue_taken, 1, 256},
                                            {FaultPoint::queue_taken, 2, 300}}) {
        CAPTURE(static_cast<int>(point), nth);
        const Shared<Queue<Item>> queue{QueueOptions{.capacity = 400, .bytes = 1 << 20}};
        for (std::uint32_t i = 0; i < 300; ++i) { queue->put(make_item(1, i, 8)); }
        CHECK(was_killed(start_child([&, point = point, nth = nth] {
            die_at(point, nth);
            static_cast<void>(queue->get_some(300));
            return 0;
        })));
        CHECK(queue->was_size() == 300 - taken);
        CHECK(queue->lost() == taken);
        std::vector<std::uint32_t> left;
        for (std::uint32_t i = taken; i < 300; ++i) { left.push_back(i); }
        require_works(*queue, left, 8);
        CHECK(queue->join_for(0s));
    }
}

TEST_CASE("many items at a time wake one that sleeps and one that waits for room") {
    const Shared<Queue<Item>> queue{small};
    const pid_t consumer = start_child([&] {
        for (std::uint32_t next = 0; next < 50;) {
            for (const Item& item : queue->get_some(7)) {
                if (!is_sound(item) || item.number != next++) { return 1; }
            }
        }
        return 0;
    });
    wait_for_sleep(consumer);
    std::vector<Item> items;
    for (std::uint32_t i = 0; i < 50; ++i) { items.push_back(make_item(1, i, i * 20)); }
    const pid_t producer = start_child([&] {
        queue->put_all(items);
        return 0;
    });
    CHECK(wait_for_child(producer) == 0);
    CHECK(wait_for_child(consumer) == 0);
}

TEST_CASE("a queue that is closed while an item is put is not drained before that has an end") {
    for (const bool dies : {false, true}) {
        CAPTURE(dies);
        const Shared<Queue<Item>> queue{small};
        SharedPage page;
        const Gate at_it{page};
        const Gate may_go_on{page};
        const pid_t producer = start_child([&] {
            hold_at(FaultPoint::queue_bytes_written, at_it, may_go_on);
            queue->put(make_item(1, 1, 8));
            return 0;
        });
        at_it.wait();
        queue->close();
        const pid_t consumer = start_child([&] {
            int items = 0;
            for ([[maybe_unused]] const Item& item : *queue) { ++items; }
            return items;
        });
        wait_for_sleep(consumer);
        if (dies) {
            kill_and_reap(producer);
        } else {
            may_go_on.set();
            CHECK(wait_for_child(producer) == 0);
        }
        CHECK(WEXITSTATUS(wait_for_child(consumer)) == (dies ? 0 : 1));
        CHECK(queue->was_size() == 0);
    }
}

TEST_CASE("producers and consumers are killed at random and replaced") {
    // PROCPOOL_TEST_ROUNDS: kills, for longer runs by hand; PROCPOOL_TEST_SEED: of a former run
    const char* const rounds = std::getenv("PROCPOOL_TEST_ROUNDS");
    const char* const given = std::getenv("PROCPOOL_TEST_SEED");
    const int kills_wanted = rounds == nullptr ? 100 : std::atoi(rounds);
    const std::uint32_t seed = given == nullptr ? std::random_device{}() : static_cast<std::uint32_t>(std::atol(given));
    CAPTURE(seed);
    std::mt19937 random{seed};
    const Shared<Queue<Item>> queue{QueueOptions{.capacity = 64, .bytes = 131072}};
    std::size_t all_killed_consumers = 0;
    for (int kills = 0; kills < kills_wanted;) {
        const Shared<Ledger> ledger;
        struct Player {
            pid_t pid;
            bool produces;
        };
        std::vector<Player> players;
        std::uint32_t producers = 0;
        const auto start = [&](bool produces) {
            const auto own_seed = static_cast<std::uint32_t>(random());
            const int nth = random() % 3 == 0 ? static_cast<int>(1 + random() % 400) : 0;  // 0: dies by others only
            const std::uint32_t id = produces ? producers++ : 0;
            players.push_back({start_child([&, own_seed, nth, id, produces] {
                                   if (nth != 0) { die_at(FaultPoint::count, nth); }
                                   if (produces) {
                                       std::mt19937 own{own_seed};
                                       for (std::uint32_t i = 0; i < Ledger::items; ++i) {
                                           queue->put(make_item(id, i, random_size(own)));
                                           ledger->put[id] = i + 1;
                                       }
                                       return 0;
                                   }
                                   Checker checker{*ledger};
                                   for (;;) {
                                       const Item item = queue->get();
                                       if (item.producer == UINT32_MAX) { break; }
                                       checker.take(item);
                                       queue->task_done();
                                   }
                                   queue->task_done();  // of the mark
                                   return 0;
                               }),
                               produces});
        };
        std::uint32_t killed_consumers = 0;
        for (int i = 0; i < 3; ++i) {
            start(true);
            start(false);
        }
        while (kills < kills_wanted && producers + 6 < Ledger::producers) {
            std::this_thread::sleep_for(std::chrono::microseconds{random() % 3000});
            if (random() % 2 == 0) { ::kill(players[random() % players.size()].pid, SIGKILL); }
            for (std::size_t i = 0; i < players.size(); ++i) {
                int status = 0;
                if (::waitpid(players[i].pid, &status, WNOHANG) != players[i].pid) { continue; }
                const bool produces = players[i].produces;
                if (WIFSIGNALED(status)) {
                    ++kills;
                    killed_consumers += produces ? 0 : 1;
                }
                players.erase(players.begin() + static_cast<std::ptrdiff_t>(i));
                start(produces);
            }
        }
        // Those that are left get to the end, each consumer to a mark of its own, unless it dies before.
        std::uint32_t consumers = 0;
        for (const Player& player : players) {
            player.produces ? kill_and_reap(player.pid) : static_cast<void>(++consumers);
        }
        const pid_t closer = start_child([&] {
            for (std::uint32_t i = 0; i < consumers; ++i) { queue->put(Item{UINT32_MAX, 0, 0, {}}); }
            return 0;
        });
        for (const Player& player : players) {
            if (player.produces) { continue; }
            const int status = wait_for_child(player.pid);
            killed_consumers += WIFSIGNALED(status) ? 1 : 0;
        }
        Checker checker{*ledger};
        for (int status = 0; queue->was_size() != 0 || ::waitpid(closer, &status, WNOHANG) != closer;) {
            const std::optional<Item> item = queue->get_for(1ms);
            if (!item) { continue; }
            if (item->producer != UINT32_MAX) { checker.take(*item); }
            queue->task_done();
        }
        all_killed_consumers += killed_consumers;
        CHECK(queue->join_for(0s));
        CHECK(queue->lost() <= all_killed_consumers);
        std::uint32_t lost = 0;
        for (std::uint32_t id = 0; id < producers; ++id) {
            for (std::uint32_t i = 0; i < ledger->put[id]; ++i) { lost += ledger->got[id][i] == 0 ? 1 : 0; }
        }
        CHECK(ledger->torn == 0);
        CHECK(ledger->doubled == 0);
        CHECK(ledger->out_of_order == 0);
        CHECK(lost <= killed_consumers);
        CHECK(ledger->taken > 0);
    }
}
