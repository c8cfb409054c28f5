// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

/// Neither copied nor moved.
struct Model {
    explicit Model(int a_factor) : factor(a_factor) {}
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;
    int times(int x) const { return factor * x; }
    int factor;
    int calls = 0;
    std::vector<int> seen = {};
};
struct Connection {
    std::string name;
};

Model make_model() { return Model{10}; }
int predict(Model& model, int x) {
    ++model.calls;
    return model.times(x);
}
std::string what_of(auto call) {
    try {
        call();
        return "nothing was thrown";
    } catch (const std::logic_error& error) { return error.what(); }
}
bool names(const std::string& text, const char* one, const char* other) {
    return text.find(one) != std::string::npos && text.find(other) != std::string::npos;
}

// ---- calls of every form

template <class P>
void reaches_tasks() {
    P pool{PoolOptions{.workers = 2, .initializer = make_model}};
    const auto f = with_state(predict);
    CHECK(pool.apply(f, 1) == 10);
    CHECK(pool.apply(TaskOptions{.retries = 1}, f, 2) == 20);
    CHECK(pool.apply_async(f, 3).get() == 30);
    CHECK(pool.try_apply_async(f, 4)->get() == 40);
    CHECK(pool.apply(with_state([](Model& model, const std::string& text, int n) {
                         return text + std::to_string(model.times(n));
                     }),
                     "ten times two is ", 2) == "ten times two is 20");
    CHECK(pool.apply(with_state<Model>([](auto& model, auto n) { return model.factor + n; }), 5) == 15);
    CHECK(pool.apply(with_state([](const Model& model) { return model.factor; })) == 10);
    CHECK(pool.apply(with_state(&Model::times), 6) == 60);
    CHECK(pool.apply([] { return this_worker::state<Model>().factor; }) == 10);
    pool.apply(with_state([](Model& model) { model.seen.push_back(1); }));
    CHECK_THROWS_AS(pool.apply(with_state([](Model&) { throw std::out_of_range("beyond"); })), std::out_of_range);
}
ON_EVERY_ENGINE("STA-01 a task gets the worker's object by reference", reaches_tasks)

template <class P>
void reaches_items() {
    P pool{PoolOptions{.workers = 2, .initializer = make_model}};
    const auto f = with_state(predict);
    std::vector<int> items(100);
    std::iota(items.begin(), items.end(), 0);
    std::vector<int> expected;
    for (const int item : items) { expected.push_back(10 * item); }
    CHECK(pool.map(f, items) == expected);
    CHECK(pool.map(MapOptions{.chunk_size = 7, .retries = 1}, f, items) == expected);
    CHECK(pool.map_async(f, items).get() == expected);
    std::vector<int> lazily;
    for (const int result : pool.imap(f, items)) { lazily.push_back(result); }
    CHECK(lazily == expected);
    int sum = 0;
    for (const auto& [index, result] : pool.imap_unordered(f, items)) { sum += result; }
    CHECK(sum == 49'500);
    CHECK(pool.map_reduce(
              f, [](int a, int b) { return a + b; }, 0, items) == 49'500);
    CHECK(pool.map_outcomes(f, items).at(9).value() == 90);
    const auto scaled_sum = with_state([](Model& model, int a, int b) { return model.times(a + b); });
    CHECK(pool.map(scaled_sum, items, repeat(1)).at(3) == 40);
    CHECK(pool.starmap(scaled_sum, std::vector<std::tuple<int, int>>{{1, 2}, {3, 4}}) == std::vector<int>{30, 70});
    SharedArray<int> shared(10);
    pool.for_each(with_state([](Model& model, int& item) { item += model.factor; }), shared);
    CHECK(std::accumulate(shared.begin(), shared.end(), 0) == 100);
    std::vector<int> out(items.size());
    pool.map_into(f, items, out);
    CHECK(out == expected);
}
ON_EVERY_ENGINE("STA-02 items of calls over many get it", reaches_items)

template <class P>
void goes_with_bound_values_and_futures() {
    P pool{PoolOptions{.workers = 2, .initializer = make_model}};
    const auto weighted = [](Model& model, const std::string& unit, int n) {
        return std::to_string(model.times(n)) + unit;
    };
    CHECK(pool.apply(bind_front(with_state(weighted), "kg"), 2) == "20kg");
    CHECK(pool.map(bind_front(with_state(weighted), "kg"), std::vector<int>{1, 2}).at(1) == "20kg");
    CHECK(pool.apply(
              with_state<Model>(bind_front([](int offset, Model& model, int n) { return offset + model.times(n); }, 3)),
              2) == 23);
    const auto stoppable = [](std::stop_token stop, Model& model, int n) {
        return stop.stop_possible() && !stop.stop_requested() ? model.times(n) : 0;
    };
    CHECK(pool.apply(with_state(stoppable), 7) == 70);
    CHECK(pool.map(with_state(stoppable), std::vector<int>{8}) == std::vector<int>{80});
    const auto f = with_state(predict);
    CHECK(pool.apply(f, pool.apply_async(f, 2)) == 200);
    const auto ten_times = pool.app(f);
    CHECK(ten_times(ten_times(3)).get() == 300);
    P other{1};
    CHECK(pool.apply(f, other.apply_async(same, 4)) == 40);  // whose future is none of this pool's
    CHECK(pool.apply([] { return this_worker::submit(with_state(predict), 5).get(); }) == 50);
}
ON_EVERY_ENGINE("STA-03 it goes with bound values; stop tokens; futures as arguments; tasks of tasks",
                goes_with_bound_values_and_futures)

// ---- one for each worker

template <class P>
void is_one_for_each_worker() {
    SharedPage page;
    const Counter made{page};
    P pool{PoolOptions{.workers = 3, .initializer = [made] {
                           made.add();
                           return Model{static_cast<int>(this_worker::index()) + 1};
                       }}};
    const std::size_t workers = pool.size();
    const auto count = with_state([](Model& model) { return std::pair{model.factor, ++model.calls}; });
    for (int round = 1; round <= 3; ++round) {
        const std::vector<std::pair<int, int>> found = pool.broadcast(count);
        REQUIRE(found.size() == workers);
        for (std::size_t index = 0; index < workers; ++index) {
            CHECK(found[index] == std::pair{static_cast<int>(index) + 1, round});
        }
    }
    if (workers > 1) { CHECK(pool.apply_on(1, with_state(predict), 4) == 8); }
    CHECK(made.value() == static_cast<std::int64_t>(workers));
}
ON_EVERY_ENGINE("STA-04 each worker makes one and keeps it", is_one_for_each_worker)

TEST_CASE("STA-05 a replacement makes it anew: after a crash; after its tasks; after refork()") {
    SharedPage page;
    const Counter made{page};
    const auto count = with_state([](Model& model) { return ++model.calls; });
    {
        Pool pool{PoolOptions{.workers = 1, .initializer = [made] {
                                  made.add();
                                  return Model{1};
                              }}};
        CHECK(pool.apply(count) == 1);
        CHECK(pool.apply(count) == 2);
        CHECK_THROWS_AS(pool.apply(with_state([](Model&) { ::_exit(3); })), WorkerDied);
        CHECK(pool.apply(count) == 1);
        CHECK(made.value() == 2);
        pool.refork();
        CHECK(pool.apply(count) == 1);
        CHECK(made.value() == 3);
    }
    Pool pool{PoolOptions{.workers = 1, .initializer = make_model, .max_tasks_per_worker = 2}};
    std::vector<int> counts;
    for (int i = 0; i < 6; ++i) { counts.push_back(pool.apply(count)); }
    CHECK(counts == std::vector<int>{1, 2, 1, 2, 1, 2});
}

/// Says when it is destroyed, and whether the finalizer has been before.
struct Mourned {
    Mourned(Counter a_finalized, Counter a_destroyed) : finalized(a_finalized), destroyed(a_destroyed) {}
    Mourned(const Mourned&) = delete;
    Mourned& operator=(const Mourned&) = delete;
    ~Mourned() {
        if (finalized.value() > destroyed.value()) { destroyed.add(); }
    }
    Counter finalized;
    Counter destroyed;
    int last = 0;
};

template <class P>
void is_destroyed_after_the_finalizer() {
    SharedPage page;
    const Counter finalized{page};
    const Counter destroyed{page};
    P pool{PoolOptions{.workers = 1,
                       .initializer =
                           [finalized, destroyed] {
                               return Mourned{finalized, destroyed};
                           },
                       .finalizer =
                           [] {
                               auto& state = this_worker::state<Mourned>();
                               if (state.last == 7) { state.finalized.add(); }
                           }}};
    pool.apply(with_state([](Mourned& state, int n) { state.last = n; }), 7);
    CHECK(destroyed.value() == 0);
    pool.join();
    CHECK(finalized.value() == 1);
    CHECK(destroyed.value() == 1);
}
ON_EVERY_ENGINE("STA-06 it is there for the finalizer and destroyed after it", is_destroyed_after_the_finalizer)

template <class P>
void is_made_when_the_pool_grows() {
    SharedPage page;
    const Counter made{page};
    P pool{PoolOptions{.workers = 1,
                       .initializer =
                           [made] {
                               made.add();
                               return Model{static_cast<int>(this_worker::index()) + 1};
                           },
                       .grow_to = 3}};
    const auto factor = with_state([](const Model& model) { return model.factor; });
    CHECK(pool.broadcast(factor) == std::vector<int>{1});
    pool.resize(3);
    CHECK(pool.broadcast(factor) == std::vector<int>{1, 2, 3});
    CHECK(made.value() == 3);
}
ON_ENGINES_WITH_WORKERS("STA-14 workers that a pool grows by make theirs", is_made_when_the_pool_grows)

// ---- which type

template <class P>
void owns_by_pointer() {
    P pool{PoolOptions{.workers = 1, .initializer = [] { return std::make_unique<Model>(3); }}};
    CHECK(pool.apply(with_state(predict), 5) == 15);
    CHECK(pool.apply(with_state([](std::unique_ptr<Model>& model) { return model->factor; })) == 3);
    CHECK(pool.map(with_state(predict), std::vector<int>{1, 2}) == std::vector<int>{3, 6});
    pool.apply(with_state([](std::unique_ptr<Model>& model) { model.reset(); }));
    CHECK(names(what_of([&] { pool.apply(with_state(predict), 5); }), "Model", "owns none"));
}
ON_EVERY_ENGINE("STA-07 what a std::unique_ptr owns is a state; and so is the pointer", owns_by_pointer)

template <class P>
void refuses_other_types() {
    const auto wants_connection = with_state([](Connection& connection, int) { return connection.name; });
    const std::vector<int> items{1, 2, 3};
    {
        P pool{PoolOptions{.workers = 1, .initializer = make_model}};
        const auto refused = [](const std::string& text) { return names(text, "Model", "Connection"); };
        CHECK(refused(what_of([&] { static_cast<void>(pool.apply_async(wants_connection, 1)); })));
        CHECK(refused(what_of([&] { static_cast<void>(pool.try_apply_async(wants_connection, 1)); })));
        CHECK(refused(what_of([&] { static_cast<void>(pool.apply_on_async(0, wants_connection, 1)); })));
        CHECK(refused(what_of([&] { static_cast<void>(pool.broadcast(wants_connection, 1)); })));
        CHECK(refused(what_of([&] { static_cast<void>(pool.map(wants_connection, items)); })));
        CHECK(refused(what_of([&] { static_cast<void>(pool.map_async(wants_connection, items).get()); })));
        CHECK(refused(what_of([&] { static_cast<void>(pool.imap(wants_connection, items)); })));
        const auto bound = bind_front(
            with_state([](Connection& connection, const std::string&, int) { return connection.name; }), "value");
        CHECK(refused(what_of([&] { static_cast<void>(pool.apply_async(bound, 1)); })));
        CHECK(refused(what_of([&] { static_cast<void>(pool.map(bound, items)); })));
        CHECK(refused(
            what_of([&] { static_cast<void>(pool.apply_async(wants_connection, pool.apply_async(same, 1))); })));
        // what the pool cannot see, the worker refuses
        CHECK(refused(what_of([&] { pool.apply([] { return this_worker::state<Connection>().name; }); })));
        CHECK(pool.stats().submitted == 2);  // same(), and the last
        CHECK(pool.apply(with_state(predict), 1) == 10);
    }
    P pool{PoolOptions{.workers = 1, .initializer = [] { return 5; }}};  // no object
    CHECK(names(what_of([&] { static_cast<void>(pool.apply_async(wants_connection, 1)); }), "Connection",
                "no initializer that returns an object"));
    CHECK(names(what_of([&] { static_cast<void>(pool.map(wants_connection, items)); }), "Connection",
                "no initializer that returns an object"));
    CHECK(names(what_of([&] { pool.apply([] { return this_worker::state<Connection>().name; }); }), "Connection",
                "no initializer that returns an object"));
    const auto submits = [] {
        const auto wants = with_state([](Connection& connection, int) { return connection.name; });
        static_cast<void>(this_worker::submit(wants, 1));
    };
    CHECK(names(what_of([&] { pool.apply(submits); }), "Connection", "no initializer that returns an object"));
}
ON_EVERY_ENGINE("STA-08 another type of state or none is refused when the call is made", refuses_other_types)

TEST_CASE("STA-09 outside of workers there is no state") {
    CHECK(names(what_of([] { static_cast<void>(this_worker::state<Model>()); }), "Model", "not in a worker"));
}

// ---- others

template <class P>
void is_not_mixed_up() {
    P pool{PoolOptions{.workers = 1, .initializer = make_model}};
    const auto build_others = [] {
        ThreadPool threads{PoolOptions{.workers = 1, .initializer = [] { return Connection{"inner"}; }}};
        InlinePool here{PoolOptions{.initializer = [] { return Model{5}; }}};
        InlinePool bare{1};
        const bool kept_apart =
            threads.apply(with_state([](Connection& connection) { return connection.name; })) == "inner" &&
            here.apply(with_state(predict), 1) == 5 && this_worker::state<Model>().factor == 10 && bare.apply([] {
                try {
                    static_cast<void>(this_worker::state<Model>());
                    return false;
                } catch (const std::logic_error&) { return true; }
            });
        return kept_apart && this_worker::state<Model>().factor == 10;
    };
    CHECK(pool.apply(build_others));
    CHECK(pool.apply(with_state(predict), 1) == 10);
}
ON_EVERY_ENGINE("STA-10 pools within a task have states of their own", is_not_mixed_up)

struct Greeter {
    bool has_state() const {
        try {
            static_cast<void>(this_worker::state<Model>());
            return true;
        } catch (const std::logic_error&) { return false; }
    }
};

TEST_CASE("STA-11 actors and processes within a task have no state of its worker's pool") {
    Pool pool{PoolOptions{.workers = 1, .initializer = make_model}};
    CHECK_FALSE(pool.apply([] {
        auto greeter = actor<Greeter>();
        return greeter.call(&Greeter::has_state).get();
    }));
    CHECK(pool.apply([] {
        Pool inner{1};
        return inner.apply([] { return !Greeter{}.has_state(); });
    }));
}

template <class P>
void breaks_as_before() {
    const auto failing = []() -> Model { throw std::runtime_error("no file of that name"); };
    if (!has_workers<P>()) {
        CHECK_THROWS_AS(P(PoolOptions{.workers = 1, .initializer = failing}), PoolBroken);
        return;
    }
    P pool{PoolOptions{.workers = 1, .initializer = failing}};
    std::string why;
    try {
        pool.apply(with_state(predict), 1);
    } catch (const PoolBroken& error) { why = error.what(); }
    CHECK(why.find("no file of that name") != std::string::npos);
}
ON_EVERY_ENGINE("STA-12 an initializer that throws breaks the pool", breaks_as_before)

TEST_CASE("STA-13 fork_map has states too") {
    const std::vector<int> items{1, 2, 3};
    int offset = 1;
    const auto f = [&offset](int x) { return this_worker::state<Model>().times(x) + offset; };
    CHECK(fork_map(PoolOptions{.workers = 2, .initializer = make_model}, f, items) == std::vector<int>{11, 21, 31});
}

}  // namespace
