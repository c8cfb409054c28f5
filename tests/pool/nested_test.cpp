// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <numeric>
#include <string>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

TEST_CASE("a task may build a pool of its own") {
    Pool outer{2};
    const std::vector<int> numbers{1, 2, 3, 4, 5, 6};
    CHECK(outer.map(
              [](int n) {
                  Pool inner{2};
                  const std::vector<int> more{n, 10 * n};
                  const auto doubled = inner.map([](int m) { return 2 * m; }, more);
                  return doubled[0] + doubled[1];
              },
              numbers) == std::vector<int>{22, 44, 66, 88, 110, 132});
}

TEST_CASE("shared memory made in a task serves the task's own pool") {
    Pool outer{1};
    CHECK(outer.apply([] {
        SharedArray<int> array(100);
        Pool inner{2};
        std::iota(array.begin(), array.end(), 0);
        inner.for_each([](int& x) { x *= 3; }, array);
        return std::accumulate(array.begin(), array.end(), 0);
    }) == 3 * 4950);
}

TEST_CASE("NST-03 an inner pool in scope or leaked: its workers end with the outer worker") {
    for (const bool leaked : {false, true}) {
        for (const bool killed : {false, true}) {
            SharedPage page;
            const Gate never{page};
            std::vector<pid_t> inner_pids;
            {
                Pool outer{1};
                auto future = outer.apply_async(
                    [](bool leak) {
                        auto* const inner = new Pool{2};
                        std::vector<pid_t> pids{inner->apply([] { return ::getppid(); })};
                        for (const WorkerInfo& worker : inner->workers()) { pids.push_back(worker.pid); }
                        if (!leak) { delete inner; }
                        return pids;
                    },
                    leaked);
                inner_pids = get_soon(future);
                CHECK(inner_pids.size() == 3);
                for (const pid_t pid : inner_pids) { CHECK(is_alive(pid) == leaked); }
                if (killed) { send_signal(outer.workers().at(0).pid, SIGKILL); }
                outer.close();
                CHECK(outer.join_for(wait_limit));
            }
            for (const pid_t pid : inner_pids) { wait_until_gone(pid); }
        }
    }
}

struct Deep {
    static int run(int depth, Counter entered, Gate never) {
        entered.add();
        if (depth == 0) {
            never.wait(1h);
            return 0;
        }
        Pool pool{1};
        return pool.apply(run, depth - 1, entered, never);
    }
};

TEST_CASE("SHD-14 the outermost of four levels of pools is terminated - killed or its worker dies") {
    enum class How { terminate, kill, death };
    for (const How how : {How::terminate, How::kill, How::death}) {
        SharedPage page;
        const Counter entered{page};
        const Gate never{page};
        Subprocess program{[=] {
            Pool pool{{.workers = 1, .terminate_grace = 200ms}};
            auto future = pool.apply_async(Deep::run, 3, entered, never);
            entered.wait_for(4);
            if (how == How::terminate) { pool.terminate(); }
            if (how == How::kill) { pool.kill(); }
            if (how == How::death) { send_signal(pool.workers().at(0).pid, SIGKILL); }
            try {
                get_soon(future);
            } catch (const Error&) { std::printf("ended\n"); }
        }};
        CHECK(exited_with(program.wait(), 0));  // the output ends with the last of all descendants
        CHECK(program.output() == "ended\n");
    }
}

TEST_CASE("NST-06 EXC-15 an exception crosses two levels of pools as itself - a death as WorkerDied") {
    Pool outer{1};
    CHECK_THROWS_AS(outer.apply([] {
        Pool inner{1};
        inner.apply([] { throw std::out_of_range("deep"); });
    }),
                    std::out_of_range);
    try {
        outer.apply([] {
            Pool inner{1};
            inner.apply([] { ::_exit(9); });
        });
        CHECK(false);
    } catch (const WorkerDied& died) {
        CHECK(died.exit_status() == ExitStatus::from_code(9));
    } catch (const RemoteError& error) { CHECK(contains(error.type_name(), "WorkerDied")); }
    CHECK(outer.apply(same, 5) == 5);
    CHECK(outer.stats().workers_died == 0);
}

TEST_CASE("NST-07 ten generations of pools") {
    struct Generations {
        static std::vector<std::size_t> run(int depth) {
            std::vector<std::size_t> descriptors{open_descriptors()};
            if (depth > 0) {
                Pool pool{1};
                const auto below = pool.apply(run, depth - 1);
                descriptors.insert(descriptors.end(), below.begin(), below.end());
            }
            return descriptors;
        }
    };
    Pool pool{1};
    const auto descriptors = pool.apply(Generations::run, 9);
    REQUIRE(descriptors.size() == 10);
    CHECK(descriptors[9] <= descriptors[0] + 3);
}

TEST_CASE("NST-02 a task that builds a pool for itself is refused at a depth and nothing is left") {
    struct Bomb {
        static unsigned fall(unsigned above) {
            try {
                Pool pool{1};
                return pool.apply(fall, above + 1);
            } catch (const std::logic_error& error) {
                if (!contains(error.what(), "too deep")) { throw; }
                return above;
            }
        }
    };
    Pool pool{1};
    CHECK(pool.apply([] { return Bomb::fall(1); }) == 10);
}

TEST_CASE("inline and thread pools in tasks and process pools beside threads") {
    Pool outer{1};
    CHECK(outer.apply([] { return InlinePool{}.apply(same, 4); }) == 4);
    CHECK(outer.apply([] { return ThreadPool{2}.apply(same, 5); }) == 5);
    ThreadPool threads{2};
    CHECK(threads.apply([] { return Pool{1}.apply(same, 6); }) == 6);
}

TEST_CASE("an inline pool's task may use the pool") {
    static InlinePool* pool = nullptr;
    InlinePool mine;
    pool = &mine;
    CHECK(mine.apply([] { return pool->apply([] { return pool->apply(same, 7); }); }) == 7);
}

}  // namespace
