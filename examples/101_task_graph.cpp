// SPDX-License-Identifier: BSL-1.0
// Tasks that wait for tasks: a future is an argument. Texts are parsed; each is counted and rendered once that is done,
// and what came of them is merged. The results go from worker to worker, and only what is asked for comes here.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <cctype>
#include <cstddef>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

using Words = std::vector<std::string>;
using Counts = std::map<std::string, int>;

Words parse(const std::string& text) {
    Words words;
    std::istringstream in{text};
    for (std::string word; in >> word;) { words.push_back(word); }
    return words;
}
Counts count(const Words& words) {
    Counts counts;
    for (const std::string& word : words) { ++counts[word]; }
    return counts;
}
std::string render(const std::string& title, const Words& words) {
    std::string page = "<h1>" + title + "</h1><p>";
    for (const std::string& word : words) { page += (page.back() == '>' ? "" : " ") + word; }
    page[page.find("<p>") + 3] = static_cast<char>(std::toupper(words.at(0).at(0)));  // throws if there is none
    return page + ".</p>";
}
Counts merge(const std::vector<Counts>& all) {
    Counts sums;
    for (const Counts& one : all) {
        for (const auto& [word, times] : one) { sums[word] += times; }
    }
    return sums;
}

int main() {
    procpool::ProcessPool pool{3};
    const std::vector<std::pair<std::string, std::string>> texts{
        {"Head", "if you can keep your head"}, {"Trust", "if you can trust yourself"}, {"Dream", "if you can dream"}};

    // [graph]
    // The result of a future goes to one task. That of a SharedFuture goes to any number of them.
    std::vector<procpool::Future<Counts>> counts;
    std::vector<procpool::Future<std::string>> pages;
    for (const auto& [title, text] : texts) {
        const procpool::SharedFuture<Words> words = pool.apply_async(parse, text).share();
        counts.push_back(pool.apply_async(count, words));
        pages.push_back(pool.apply_async(render, title, words));
    }
    procpool::Future<Counts> merged = pool.apply_async(merge, when_all(counts));
    // [/graph]
    for (const auto& [word, times] : merged.get()) {
        if (times > 1) { fmt::print("{}: {}\n", word, times); }
    }
    for (const std::string& page : when_all(pages).get()) { fmt::print("{}\n", page); }

    // An error passes through all that waits for it; nothing of that is called, and other tasks are spared.
    const auto page_of = pool.app(render);
    const auto words_of = pool.app(parse);
    const auto size_of = pool.app([](const std::string& page) { return page.size(); });
    auto good = size_of(page_of(std::string{"One"}, words_of("one")));
    auto bad = size_of(page_of(std::string{"None"}, words_of("")));
    fmt::print("{} characters\n", good.get());
    try {
        fmt::print("{} characters\n", bad.get());
    } catch (const std::out_of_range&) { fmt::print("out_of_range: a text without words\n"); }
}
