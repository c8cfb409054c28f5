// SPDX-License-Identifier: BSL-1.0
// The initializer gives every worker what it needs for itself, once: a table, a connection, a model.

#include <procpool/procpool.hpp>

#include <fmt/ranges.h>

#include <atomic>
#include <map>
#include <string>
#include <vector>

/// Empty in the parent; every worker fills its own.
std::map<std::string, std::string> dictionary;

std::string translate(const std::string& word) {
    const auto found = dictionary.find(word);
    return found == dictionary.end() ? "?" : found->second;
}

int main() {
    procpool::Shared<std::atomic<int>> loaded{0};
    procpool::Shared<std::atomic<int>> finished{0};

    procpool::ProcessPool pool{{
        .workers = 3,
        .initializer =
            [count = loaded.get()] {
                dictionary = {{"one", "uno"}, {"two", "due"}, {"three", "tre"}};  // imagine that this takes a while
                ++*count;
            },
        .finalizer = [count = finished.get()] { ++*count; },
        .name = "translator",  // ps and top show translator:0, translator:1, ...
    }};

    fmt::print("{}\n", pool.map(translate, std::vector<std::string>{"three", "two", "one", "zero"}));
    fmt::print("in the parent the dictionary has {} words\n", dictionary.size());

    pool.join();  // waits for the workers to end
    fmt::print("{} workers loaded it, {} ended in peace\n", loaded->load(), finished->load());
}
