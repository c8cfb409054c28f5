// SPDX-License-Identifier: BSL-1.0
// map_outcomes() keeps what became of each item, its value or its error: one bad item costs one item.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

int parse(const std::string& text) {
    if (text == "crash") { std::abort(); }
    return std::stoi(text);
}

int main() {
    procpool::ProcessPool pool{2};

    // [outcomes]
    const std::vector<std::string> texts{"12", "twelve", "crash", "13"};
    const auto outcomes = pool.map_outcomes(parse, texts);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        try {
            fmt::print("{}: {}\n", texts[i], outcomes[i].value());
        } catch (const procpool::WorkerDied& death) {
            fmt::print("{}: the worker {}\n", texts[i], to_string(death.exit_status()));
        } catch (const std::invalid_argument&) { fmt::print("{}: no number\n", texts[i]); }
    }
    // [/outcomes]
}
