// SPDX-License-Identifier: BSL-1.0
// A script with Python's multiprocessing.Manager, line by line: a dictionary, a lock, an event and a queue that
// processes share. The original is 123_manager.py. There is no manager's process here but for the dictionary, which is
// an actor; the others are words in shared memory.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

using Counts = std::map<std::string, int>;
using Results = procpool::Queue<std::pair<int, int>>;

std::vector<std::string> split(const std::string& text) {
    std::istringstream in{text};
    std::vector<std::string> words;
    for (std::string word; in >> word;) { words.push_back(word); }
    return words;
}

void count(int number, const std::vector<std::string>& words, procpool::ActorRef<Counts> counts, procpool::Mutex* lock,
           procpool::Event* start, Results* results) {
    start->wait();
    for (const std::string& word : words) {
        // A call of one function that increments would need no lock: calls run one at a time.
        const std::scoped_lock hold{*lock};
        const int before = counts.call([](Counts& all, const std::string& key) { return all[key]; }, word).get();
        counts.call([](Counts& all, const std::string& key, int times) { all[key] = times; }, word, before + 1).get();
    }
    results->put({number, static_cast<int>(words.size())});
}

int main() {
    const std::vector<std::string> texts{"to be or not to be", "that is the question",
                                         "whether tis nobler in the mind to suffer"};
    auto counts = procpool::actor<Counts>();
    const procpool::Shared<procpool::Mutex> lock;
    const procpool::Shared<procpool::Event> start;
    const procpool::Shared<Results> results{texts.size()};
    std::vector<procpool::Process> processes;
    for (int number = 0; number < static_cast<int>(texts.size()); ++number) {
        processes.emplace_back(count, number, split(texts[static_cast<std::size_t>(number)]), counts.ref(), lock.get(),
                               start.get(), results.get());
    }
    start->set();
    for (procpool::Process& process : processes) { process.join(); }
    std::vector<std::pair<int, int>> done;
    for (std::size_t i = 0; i < processes.size(); ++i) { done.push_back(results->get()); }
    std::sort(done.begin(), done.end());
    for (const auto& [number, words] : done) { fmt::print("process {} has counted {} words\n", number, words); }
    for (const auto& [word, times] : counts.call([](Counts& all) { return all; }).get()) {
        if (times > 1) { fmt::print("{}: {}\n", word, times); }
    }
}
