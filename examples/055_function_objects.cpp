// SPDX-License-Identifier: BSL-1.0
// A closure may capture plain values only. To carry strings, containers or anything else that travels, use an aggregate
// with an operator(), bind_front(), or repeat().

#include <procpool/procpool.hpp>

#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

// [functions]
struct Label {  // an aggregate with an operator() is a function that takes its members with it
    std::string language;
    std::string operator()(const std::string& word) const { return word + "." + language; }
};
// [/functions]

std::string decorate(const std::string& left, const std::string& word, const std::string& right) {
    return left + word + right;
}
bool is_in(const std::string& word, const std::vector<std::string>& list) {
    return std::ranges::count(list, word) != 0;
}

int main() {
    procpool::ProcessPool pool{2};
    const std::vector<std::string> words{"one", "two", "ten"};
    const std::vector<std::string> small{"one", "two"};

    // [functions]
    fmt::print("{}\n", pool.map(Label{"fr"}, words));
    fmt::print("{}\n", pool.map(procpool::bind_front(decorate, "<"), words, procpool::repeat(">")));
    fmt::print("{}\n", pool.map(is_in, words, procpool::repeat(small)));  // sent once for many items
    // [/functions]
}
