// SPDX-License-Identifier: BSL-1.0
/// \file
/// graphs: a chain of procpool's tasks by on_done(): each one's end submits the next, in this program.

#include "config.hpp"

#include <procpool/procpool.hpp>

#include <future>
#include <utility>

namespace {

using namespace benchmarks;
using namespace benchmarks::graphs;

/// One chain at a time.
class Chain {
public:
    explicit Chain(procpool::Pool& pool) : pool_(pool) {}

    int run(int steps) {
        left_ = steps;
        end_ = {};
        submit(0);
        return end_.get_future().get();
    }

private:
    void submit(int x) {
        last_ = pool_.apply_async(increment, x);
        last_.on_done([this] {
            const int result = last_.get();
            if (--left_ > 0) {
                submit(result);
            } else {
                end_.set_value(result);
            }
        });
    }

    procpool::Pool& pool_;
    int left_ = 0;
    procpool::Future<int> last_;
    std::promise<int> end_;
};

}  // namespace

int main(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        procpool::Pool pool{arguments.workers};
        Chain all{pool};
        Turns turns = make_turns(arguments);
        const std::size_t steps = arguments.pick<std::size_t>(100, 2500, 5000);
        add_graph(turns, chain, steps, steps, [&] { return all.run(static_cast<int>(steps)); });
        turns.run_and_report();
    });
}
