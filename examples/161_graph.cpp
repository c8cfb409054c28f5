// SPDX-License-Identifier: BSL-1.0
// Which task waits for which? graph() draws what has not ended, in the language of Graphviz, and a trace has an arrow
// for each dependency.
//     161_graph [trace]               and then, for a picture of the graph:
//     161_graph | sed '/^}/q' | dot -Tsvg > graph.svg

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using Words = std::vector<std::string>;

Words parse(const std::string& text) {
    std::istringstream in{text};
    return {std::istream_iterator<std::string>{in}, {}};
}
std::size_t count(const Words& words, procpool::Event* begun, procpool::Event* may_end) {
    begun->set();
    may_end->wait();  // so that there is something to be seen
    return words.size();
}
std::string render(const Words& words) {
    std::string page;
    for (const std::string& word : words) { page += "<i>" + word + "</i>"; }
    return page;
}
std::string merge(const std::tuple<std::size_t, std::string>& parts) {
    return fmt::format("{} words: {}", std::get<0>(parts), std::get<1>(parts));
}

int main(int argc, char** argv) {
    const bool keep = argc > 1;
    const std::filesystem::path path =
        keep ? std::filesystem::path{argv[1]}
             : std::filesystem::temp_directory_path() /
                   fmt::format("procpool_{}.json", std::chrono::steady_clock::now().time_since_epoch().count());
    const procpool::Shared<procpool::Event> begun;
    const procpool::Shared<procpool::Event> may_end;
    procpool::ProcessPool pool{procpool::PoolOptions{.workers = 1, .name = "pages", .trace = true}};

    // [graph]
    auto words = pool.apply_async({.label = "parse"}, parse, "to be or not to be").share();
    auto counted = pool.apply_async({.label = "count"}, count, words, begun.get(), may_end.get());
    begun->wait();
    auto rendered = pool.apply_async({.label = "render"}, render, words);
    auto merged = pool.apply_async({.label = "merge"}, merge, when_all(std::move(counted), std::move(rendered)));
    fmt::print("{}", pool.graph());
    // [/graph]
    may_end->set();
    fmt::print("{}\n", merged.get());

    pool.write_trace(path);
    std::ifstream file{path};
    const std::string trace{std::istreambuf_iterator<char>{file}, {}};
    int arrows = 0;
    for (std::size_t at = 0; (at = trace.find("\"ph\":\"s\"", at)) != std::string::npos; ++at) { ++arrows; }
    fmt::print("arrows in the trace: {}\n", arrows);
    if (!keep) { std::filesystem::remove(path); }
}
