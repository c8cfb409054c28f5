// SPDX-License-Identifier: BSL-1.0
// A process dies, or stands still, at each step of a memo.
#include <procpool/core/fault_point.hpp>
#include <procpool/persist/check_file.hpp>

#include "os/in_child.hpp"
#include "persist/directory.hpp"

#include <chrono>
#include <csignal>
#include <optional>

#include <unistd.h>

using namespace procpool;
using namespace procpool_test;
using detail::FaultPoint;

namespace {

constexpr FaultPoint points[] = {FaultPoint::memo_alone,    FaultPoint::memo_made,   FaultPoint::memo_missing,
                                 FaultPoint::memo_computed, FaultPoint::memo_locked, FaultPoint::memo_written,
                                 FaultPoint::memo_committed};
constexpr bool is_at_opening(FaultPoint point) { return point <= FaultPoint::memo_made; }

FaultPoint fatal = FaultPoint::none;
int left_until = 0;

void die_at(FaultPoint point, int nth) {
    fatal = point;
    left_until = nth;
    detail::fault_hook = [](FaultPoint reached) {
        if (reached == fatal && --left_until == 0) { ::kill(::getpid(), SIGKILL); }
    };
}

const Gate* arrived = nullptr;
const Gate* may_go_on = nullptr;

void hold_at(FaultPoint point, const Gate& tells, const Gate& waits_for) {
    fatal = point;
    left_until = 1;
    arrived = &tells;
    may_go_on = &waits_for;
    detail::fault_hook = [](FaultPoint reached) {
        if (reached != fatal || --left_until != 0) { return; }
        arrived->set();
        may_go_on->wait();
    };
}

[[nodiscard]] std::string text_of(int i) {
    return std::string(static_cast<std::size_t>(i * 37 % 2500), 'x') + std::to_string(i);
}

[[nodiscard]] int use(const std::filesystem::path& path, int from, int to) {
    Memo memo{path};
    const auto f = memo(text_of, "text", 1);
    for (int i = from; i != to; ++i) {
        if (f(i) != text_of(i)) { return 1; }
    }
    return 0;
}

}  // namespace

TEST_CASE("a process that dies at any step of a memo leaves it whole and without a lock") {
    for (const FaultPoint point : points) {
        for (const int nth : {1, 3}) {
            if (is_at_opening(point) && nth != 1) { continue; }
            for (const bool has_company : {false, true}) {
                if (is_at_opening(point) && has_company) { continue; }  // it would not be alone
                INFO("point " << static_cast<int>(point) << " for the " << nth << "th time, company " << has_company);
                const TemporaryDirectory directory;
                CHECK(in_child([&] { return use(directory.memo(), 0, 10); }) == 0);
                std::optional<Memo> company;
                if (has_company) { company.emplace(directory.memo()); }
                CHECK(in_child([&] {
                          die_at(point, nth);
                          return use(directory.memo(), 10, 20);
                      }) == 128 + SIGKILL);
                CHECK(detail::persist::is_whole(detail::os::FileView{(directory.memo() / "data.mdb").c_str()}.bytes()));
                CHECK(in_child([&] { return use(directory.memo(), 0, 30); }, std::chrono::seconds{10}) == 0);
                const Memo memo{directory.memo()};
                const MemoStats stats = memo.stats();
                CHECK(stats.damaged == 0);
                Calls calls;
                CHECK(memo(square)(5) == 25);
                CHECK(memo(square)(5) == 25);
                CHECK(calls.take() == 1);
            }
        }
    }
}

TEST_CASE("those who wait for one who is alone go on when it dies") {
    for (const FaultPoint point : {FaultPoint::memo_alone, FaultPoint::memo_made}) {
        const TemporaryDirectory directory;
        SharedPage page;
        const Gate stands{page};
        const Gate never{page};
        const pid_t alone = start_child([&] {
            hold_at(point, stands, never);
            return use(directory.memo(), 0, 10);
        });
        stands.wait();
        std::vector<pid_t> others;
        for (int i = 0; i != 3; ++i) {
            others.push_back(start_child([&] { return use(directory.memo(), 0, 10); }));
        }
        ::kill(alone, SIGKILL);
        CHECK(wait_for_child(alone) == SIGKILL);
        for (const pid_t other : others) { CHECK(wait_for_child(other) == 0); }
        CHECK(Memo{directory.memo()}.stats().damaged == 0);
    }
}

TEST_CASE("others look and one writes while another stands still at any step") {
    for (const FaultPoint point : {FaultPoint::memo_missing, FaultPoint::memo_computed, FaultPoint::memo_committed}) {
        const TemporaryDirectory directory;
        CHECK(in_child([&] { return use(directory.memo(), 0, 10); }) == 0);
        SharedPage page;
        const Gate stands{page};
        const Gate may_go{page};
        const pid_t child = start_child([&] {
            hold_at(point, stands, may_go);
            return use(directory.memo(), 10, 11);
        });
        stands.wait();
        CHECK(in_child([&] { return use(directory.memo(), 0, 10); }) == 0);  // only looks
        may_go.set();
        CHECK(wait_for_child(child) == 0);
    }
}

TEST_CASE("a worker that dies while it keeps a result costs that task only") {
    const TemporaryDirectory directory;
    const Memo memo{directory.memo()};
    Calls calls;
    const auto f = memo([](int x) {
        Calls::add();
        return x * 3;
    });
    for (const FaultPoint point : {FaultPoint::memo_computed, FaultPoint::memo_written, FaultPoint::memo_committed}) {
        die_at(point, 1);  // each worker inherits it: the first task of each kills it
        Pool pool{2};
        detail::fault_hook = nullptr;
        const int x = static_cast<int>(point) * 100;
        CHECK_THROWS_AS(pool.apply(f, x), WorkerDied);
        CHECK(f(x) == x * 3);
        CHECK(f(x) == x * 3);
    }
    CHECK(memo.stats().damaged == 0);
}
