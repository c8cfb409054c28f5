// SPDX-License-Identifier: BSL-1.0
// An initializer that returns an object keeps it in its worker: tasks get it by reference. Here it is a model, which
// each worker loads once; when a worker dies, its replacement loads it anew.

#include <procpool/procpool.hpp>

#include <fmt/ranges.h>

#include <atomic>
#include <csignal>
#include <numeric>
#include <stdexcept>
#include <vector>

/// Stands for something large that takes long to load, and is neither copied nor sent.
class Model {
public:
    explicit Model(std::size_t size) : weights_(size) { std::iota(weights_.begin(), weights_.end(), 1.0); }
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;

    double predict(double x) { return x * weights_.back(); }

private:
    std::vector<double> weights_;
};

struct Connection {
    int socket;
};

int main() {
    procpool::Shared<std::atomic<int>> loaded{0};
    procpool::ProcessPool pool{{
        .workers = 2,
        .initializer =
            [count = loaded.get()] {
                ++*count;
                return Model{1000};
            },
    }};

    const auto predict = procpool::with_state([](Model& model, double x) { return model.predict(x); });
    fmt::print("{}\n", pool.map(predict, std::vector<double>{1, 2, 3, 4}));
    fmt::print("{}\n", pool.apply(predict, 0.5));

    pool.broadcast([] {});  // both workers are up
    fmt::print("the model was loaded {} times\n", loaded->load());

    try {
        pool.apply(procpool::with_state([](Model&) { std::raise(SIGKILL); }));
    } catch (const procpool::WorkerDied& error) { fmt::print("a worker {}\n", to_string(error.exit_status())); }
    pool.broadcast([] {});
    fmt::print("the model was loaded {} times; {}\n", loaded->load(), pool.map(predict, std::vector<double>{5, 6}));

    const auto other = procpool::with_state([](Connection& connection) { return connection.socket; });
    try {
        pool.apply(other);
    } catch (const std::logic_error& error) { fmt::print("{}\n", error.what()); }
}
