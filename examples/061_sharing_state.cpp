// SPDX-License-Identifier: BSL-1.0
// State that processes share: a value and its lock, a queue, and an object in a process of its own. Each outlives the
// death of any process that uses it.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <map>
#include <string>
#include <vector>

struct Stock {
    int left = 100;
    int sold = 0;
};
using Counts = std::map<std::string, int>;

std::size_t letters(procpool::Queue<std::string>* queue) {
    std::size_t sum = 0;
    for (const std::string& word : *queue) { sum += word.size(); }
    return sum;
}

// [sharing]
void sell(int n, procpool::Guarded<Stock>* stock) {
    stock->with([n](Stock& now) { now = {now.left - n, now.sold + n}; });
}
void count(const std::string& word, procpool::ActorRef<Counts> counts) {
    counts.call([](Counts& all, const std::string& key) { ++all[key]; }, word).get();
}
// [/sharing]

int main() {
    procpool::ProcessPool pool{2};
    const std::vector<std::string> words{"to", "be", "or", "not", "to", "be"};

    // [sharing]
    // A value and its lock. The address travels: to the workers of all pools, to Processes and forks.
    const procpool::Shared<procpool::Guarded<Stock>> stock;
    pool.for_each(sell, std::vector{1, 2, 3, 4}, procpool::repeat(stock.get()));
    // A queue: letters() loops over it until it is closed and drained.
    const procpool::Shared<procpool::Queue<std::string>> queue{100};
    auto length = pool.apply_async(letters, queue.get());
    for (const std::string& word : words) { queue->put(word); }
    queue->close();
    // An actor: an object in a process of its own, called from anywhere, one call at a time.
    auto counts = procpool::actor<Counts>();
    pool.for_each(count, words, procpool::repeat(counts.ref()));
    // [/sharing]

    const Stock now = stock->load();
    fmt::print("{} left, {} sold\n", now.left, now.sold);
    fmt::print("{} letters\n", length.get());
    fmt::print("{} words, {} times \"be\"\n", counts.call(&Counts::size).get(),
               counts.call([](Counts& all) { return all["be"]; }).get());
}
