// SPDX-License-Identifier: BSL-1.0
#include <procpool/pool/graph.hpp>
#include "pool/engines.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <signal.h>

using namespace procpool_test;

namespace {

/// What graph() has given. Takes nothing but what that may give.
struct Drawing {
    struct Node {
        std::string label;  // as it is written, with the state behind it
        std::string state;
    };
    std::string name;
    std::map<std::uint64_t, Node> nodes;
    std::set<std::pair<std::uint64_t, std::uint64_t>> edges;

    /// Throws: std::runtime_error.
    explicit Drawing(const std::string& dot) {
        std::istringstream lines{dot};
        std::string line;
        const auto next = [&] {
            if (!std::getline(lines, line)) { throw std::runtime_error("DOT: no more lines in\n" + dot); }
            rest_ = line;
        };
        next();
        take("digraph ");
        name = string();
        take(" {");
        end();
        next();
        take("  graph [rankdir=LR, bgcolor=transparent];");
        end();
        next();
        take("  node [");
        next();
        take("  edge [");
        std::uint64_t newest = 0;
        std::pair<std::uint64_t, std::uint64_t> newest_edge;
        for (next(); rest_ != "}"; next()) {
            take("  t");
            const std::uint64_t number = digits();
            if (rest_.starts_with(" -> ")) {
                take(" -> t");
                const std::pair edge{number, digits()};
                require(edge > newest_edge, "the edges in order, each once");
                require(nodes.contains(edge.first) && nodes.contains(edge.second), "edges between nodes");
                edges.insert(newest_edge = edge);
                take(";");
            } else {
                require(number > newest && edges.empty(), "the nodes first, in order");
                newest = number;
                take(" [label=");
                Node& node = nodes[number];
                node.label = string();
                take(", class=");
                node.state = rest_.substr(0, rest_.find_first_not_of("abcdefghijklmnopqrstuvwxyz"));
                take(node.state);
                require(rest_.ends_with("\"];") || rest_.ends_with("penwidth=2];"), "the end of a node");
                rest_ = {};
            }
            end();
        }
        require(!std::getline(lines, line), "nothing more");
    }

    /// The number of the node with that label and state.
    [[nodiscard]] std::uint64_t number_of(std::string_view label, std::string_view state) const {
        for (const auto& [number, node] : nodes) {
            if (node.label.starts_with(std::string{label} + "\\n") && node.state == state) { return number; }
        }
        throw std::runtime_error("no node " + std::string{label} + " that is " + std::string{state});
    }

private:
    void require(bool holds, const char* what) const {
        if (!holds) { throw std::runtime_error("DOT: expected " + std::string{what} + " at: " + std::string{rest_}); }
    }
    void take(std::string_view what) {
        require(rest_.starts_with(what), std::string{what}.c_str());
        rest_.remove_prefix(what.size());
    }
    void end() const { require(rest_.empty(), "the end of the line"); }
    std::uint64_t digits() {
        std::uint64_t number = 0;
        require(!rest_.empty() && rest_.front() >= '1' && rest_.front() <= '9', "a number");
        for (; !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; rest_.remove_prefix(1)) {
            number = number * 10 + static_cast<std::uint64_t>(rest_.front() - '0');
        }
        return number;
    }
    std::string string() {
        take("\"");
        std::string text;
        while (!rest_.starts_with("\"")) {
            require(rest_.size() > 2, "the end of a string");
            const std::size_t size = rest_.front() == '\\' ? 2 : 1;
            text += rest_.substr(0, size);
            rest_.remove_prefix(size);
        }
        rest_.remove_prefix(1);
        return text;
    }

    std::string_view rest_;
};

int begin_and_wait(int n, Counter begun, Gate may_end) {
    begun.add();
    may_end.wait();
    return n;
}
int sum(std::tuple<int, int> both) { return std::get<0>(both) + std::get<1>(both); }

using Edges = std::set<std::pair<std::uint64_t, std::uint64_t>>;

template <class P>
void shows_states() {
    SharedPage page;
    const Counter begun{page};
    const Gate may_end{page};
    P pool{PoolOptions{.workers = 2, .name = "pictures"}};
    CHECK(Drawing{pool.graph()}.nodes.empty());
    CHECK(Drawing{pool.graph()}.name == "pictures");

    auto parsed = pool.apply_async(TaskOptions{.label = "parse"}, same, 20).share();
    CHECK(parsed.get() == 20);
    auto unrelated = pool.apply_async(TaskOptions{.label = "unrelated"}, same, 1);
    unrelated.wait();
    auto counted = pool.apply_async(TaskOptions{.label = "count"}, begin_and_wait, parsed, begun, may_end);
    auto rendered = pool.apply_async(TaskOptions{.label = "render"}, begin_and_wait, parsed, begun, may_end);
    begun.wait_for(2);
    auto merged =
        pool.apply_async(TaskOptions{.label = "merge"}, sum, when_all(std::move(counted), std::move(rendered)));
    auto alone = pool.apply_async(same, 3);

    const std::string text = pool.graph();
    CAPTURE(text);
    const Drawing drawing{text};
    REQUIRE(drawing.nodes.size() == 5);
    const std::uint64_t parse = drawing.number_of("parse", "done");
    const std::uint64_t count = drawing.number_of("count", "running");
    const std::uint64_t render = drawing.number_of("render", "running");
    const std::uint64_t merge = drawing.number_of("merge", "blocked");
    const std::uint64_t number = drawing.number_of("task 6", "pending");
    CHECK(number == 6);
    CHECK(drawing.edges == Edges{{parse, count}, {parse, render}, {count, merge}, {render, merge}});
    CHECK(drawing.nodes.at(parse).label == "parse\\ndone");
    CHECK(drawing.nodes.at(merge).label == "merge\\nblocked");
    CHECK(drawing.nodes.at(number).label == "task 6\\npending");
    CHECK((std::set{drawing.nodes.at(count).label, drawing.nodes.at(render).label}) ==
          (drawing.nodes.at(count).label.ends_with("0")
               ? std::set<std::string>{"count\\nrunning on worker 0", "render\\nrunning on worker 1"}
               : std::set<std::string>{"count\\nrunning on worker 1", "render\\nrunning on worker 0"}));
    CHECK(pool.graph() == text);  // nothing has happened since

    may_end.set();
    CHECK(get_soon(merged) == 40);
    CHECK(get_soon(alone) == 3);
    CHECK(Drawing{pool.graph()}.nodes.empty());
    pool.close();
    pool.join();
    CHECK(Drawing{pool.graph()}.nodes.empty());
}
ON_ENGINES_WITH_WORKERS("a graph shows what has not ended and what it depends on in which state", shows_states)

template <class P>
void shows_endings() {
    SharedPage page;
    const Counter begun{page};
    const Gate may_end{page};
    P pool{1};
    auto failing = pool.apply_async(TaskOptions{.label = "failing"}, fail, 1).share();
    failing.wait();
    auto held = pool.apply_async(TaskOptions{.label = "held"}, begin_and_wait, 1, begun, may_end);
    begun.wait_for(1);
    auto first = held.share();
    auto twice = pool.apply_async(
        TaskOptions{.label = "twice"}, [](int a, int b, int c) { return a + b + c; }, first, first, failing);
    auto last = pool.apply_async(TaskOptions{.label = "last"}, same, std::move(twice));
    {
        const Drawing drawing{pool.graph()};
        CHECK(drawing.nodes.size() == 4);
        const std::uint64_t from = drawing.number_of("held", "running");
        const std::uint64_t failed = drawing.number_of("failing", "done");
        const std::uint64_t to = drawing.number_of("twice", "blocked");
        CHECK(drawing.edges == Edges{{from, to}, {failed, to}, {to, drawing.number_of("last", "blocked")}});
    }
    CHECK(last.cancel());
    {
        const Drawing drawing{pool.graph()};
        CHECK(drawing.nodes.size() == 3);
        CHECK(drawing.edges.size() == 2);
    }
    may_end.set();
    CHECK_THROWS_AS(get_soon(last), TaskCancelled);
    CHECK(first.get() == 1);
    pool.close();
    pool.join();
    CHECK(Drawing{pool.graph()}.nodes.empty());
}
ON_ENGINES_WITH_WORKERS("a graph has each edge once and shows failed tasks as done and cancelled ones no more",
                        shows_endings)

TEST_CASE("the graph of a pool without workers shows the task that looks at it - inline") {
    static InlinePool* looked_at = nullptr;
    InlinePool pool;
    looked_at = &pool;
    auto parsed = pool.apply_async(TaskOptions{.label = "parse"}, same, 20).share();
    const std::string text = pool.apply(
        TaskOptions{.label = "look"}, [](int) { return looked_at->graph(); }, parsed);
    const Drawing drawing{text};
    CHECK(drawing.nodes.size() == 2);
    CHECK(drawing.edges == Edges{{drawing.number_of("parse", "done"), drawing.number_of("look", "running")}});
    CHECK(Drawing{pool.graph()}.nodes.empty());
}

TEST_CASE("labels and names in a graph are escaped") {
    using detail::client::TaskGraph;
    const auto label_of = [](const char* label) {
        TaskGraph graph;
        graph.nodes.push_back({.number = 7, .state = TaskGraph::State::pending, .label = label});
        const Drawing drawing{detail::pool::dot_of(graph, label)};
        REQUIRE(drawing.nodes.size() == 1);
        const std::string written = drawing.nodes.at(7).label;
        REQUIRE(written.ends_with("\\npending"));
        const std::string text = written.substr(0, written.size() - std::string_view{"\\npending"}.size());
        if (*label != '\0') { CHECK(drawing.name == text); }
        return text;
    };
    CHECK(label_of("plain, \xc3\xa9 and <b>") == "plain, \xc3\xa9 and <b>");
    CHECK(label_of("") == "task 7");
    CHECK(label_of("a \"quoted\" one") == R"(a \"quoted\" one)");
    CHECK(label_of("\\N and \\") == R"(\\N and \\)");
    CHECK(label_of("two\nlines\n") == R"(two\nlines\n)");
    CHECK(label_of("a\rb\tc\x1b[1m\xc2\x9b") == R"(a\\rb\\tc\\x1b[1m\\u009b)");
    CHECK(label_of("&lt; & &amp;") == "&amp;lt; &amp; &amp;amp;");
    CHECK(label_of("no \xff UTF-8 \xc3") == R"(no \\xff UTF-8 \\xc3)");
    CHECK(label_of("\"];\n} digraph {") == R"(\"];\n} digraph {)");
    CHECK(label_of("\"") == R"(\")");
    CHECK(detail::pool::dot_of({}, "").starts_with("digraph \"\" {\n"));

    TaskGraph graph;
    graph.nodes.push_back({.number = 8,
                           .state = TaskGraph::State::running,
                           .place = TaskGraph::Place::machine,
                           .where = 3,
                           .label = "far"});
    graph.nodes.push_back({.number = 9, .state = TaskGraph::State::running, .label = "lost"});
    graph.edges.push_back({8, 9});
    const Drawing drawing{detail::pool::dot_of(graph, "far")};
    CHECK(drawing.nodes.at(8).label == "far\\nrunning on machine 3");
    CHECK(drawing.nodes.at(9).label == "lost\\nrunning");
    CHECK(drawing.edges == Edges{{8, 9}});
}

TEST_CASE("a label that is long or odd comes whole into the graph of a pool") {
    SharedPage page;
    const Counter begun{page};
    const Gate may_end{page};
    Pool pool{PoolOptions{.workers = 1, .name = "o\"dd"}};
    auto odd = pool.apply_async(TaskOptions{.label = "line 1\n\"line\" 2"}, begin_and_wait, 1, begun, may_end);
    auto longer = pool.apply_async(TaskOptions{.label = std::string(100, 'x')}, same, std::move(odd));
    begun.wait_for(1);
    const Drawing drawing{pool.graph()};
    CHECK(drawing.name == "o\\\"dd");
    CHECK(drawing.nodes.size() == 2);
    CHECK(drawing.edges == Edges{{drawing.number_of(R"(line 1\n\"line\" 2)", "running"),
                                  drawing.number_of(std::string(100, 'x'), "blocked")}});
    may_end.set();
    CHECK(get_soon(longer) == 1);
}

/// Returns: what cannot be so in a graph, or nothing.
std::string what_is_wrong_in(const std::string& text) try {
    const Drawing drawing{text};
    for (const auto& [from, to] : drawing.edges) {
        const std::string& dependency = drawing.nodes.at(from).state;
        const std::string& dependant = drawing.nodes.at(to).state;
        if (dependant == "done") { throw std::runtime_error("an edge to a task that is done"); }
        if (dependant != "blocked" && dependency != "done") {
            throw std::runtime_error("a task that is not blocked before those that it depends on are done");
        }
    }
    return {};
} catch (const std::exception& error) { return error.what() + std::string{" in\n"} + text; }

int spin(int n) {
    for (const auto start = std::chrono::steady_clock::now(); since(start) < 10us;) {}
    return n;
}

/// Pairs of tasks, one after the other, with many slots in between that graph() looks at: so it takes longer to get
/// from the one to the other than a worker does.
template <class P>
void is_in_order() {
    constexpr int pairs = 300;
    constexpr int between = 3000;
    SharedPage page;
    for (std::size_t round = 0; round < times(10); ++round) {
        const Counter begun{page};
        const Gate may_end{page};
        P pool{PoolOptions{.workers = 1, .queue_capacity = 4096}};
        auto holding = pool.apply_async(begin_and_wait, 0, begun, may_end);
        begun.wait_for(1);
        std::vector<Future<int>> firsts;
        std::vector<Future<int>> withdrawn;
        std::vector<Future<int>> seconds;
        for (int i = 0; i < pairs; ++i) { firsts.push_back(pool.apply_async(spin, i)); }
        for (int i = 0; i < between; ++i) {
            withdrawn.push_back(pool.apply_async(spin, i));
            REQUIRE(withdrawn.back().cancel());
        }
        for (Future<int>& first : firsts) { seconds.push_back(pool.apply_async(spin, std::move(first))); }
        std::vector<std::string> texts{pool.graph()};
        may_end.set();
        const auto start = std::chrono::steady_clock::now();
        while (!seconds.back().ready() && since(start) < wait_limit) { texts.push_back(pool.graph()); }
        for (const std::string& text : texts) { REQUIRE(what_is_wrong_in(text) == ""); }
        CHECK(Drawing{texts.front()}.edges.size() == pairs);
        CHECK(get_soon(seconds.back()) == pairs - 1);
        CHECK(get_soon(holding) == 0);
    }
}
ON_ENGINES_WITH_WORKERS("a graph shows no task that runs before those that it waits for have ended", is_in_order)

/// Another thread looks at the graph of a pool, and requires that it is one that there can be, until it is told to
/// stop.
template <class P>
class Onlooker {
public:
    explicit Onlooker(const P& pool) : thread_([this, &pool] { look_on(pool); }) {}
    Onlooker(const Onlooker&) = delete;
    Onlooker& operator=(const Onlooker&) = delete;
    ~Onlooker() { stop(); }
    /// Returns: what was wrong first, or nothing.
    std::string stop() {
        may_stop_ = true;
        if (thread_.joinable()) { thread_.join(); }
        return wrong_;
    }
    [[nodiscard]] std::uint64_t edges() const { return edges_; }

private:
    void look_on(const P& pool) {
        while (!may_stop_ && wrong_.empty()) {
            const std::string text = pool.graph();
            wrong_ = what_is_wrong_in(text);
            edges_ += wrong_.empty() ? Drawing{text}.edges.size() : 0;
        }
    }

    std::atomic<bool> may_stop_{false};
    std::atomic<std::uint64_t> edges_{0};
    std::string wrong_;
    std::thread thread_;
};

template <class P>
void is_right_meanwhile() {
    constexpr std::size_t most_deaths = 60;
    P pool{PoolOptions{.workers = 3, .queue_capacity = 64}};
    Onlooker onlooker{pool};
    std::minstd_rand random{20};
    std::size_t deaths = 0;
    const TaskOptions options{.retries = 1000, .label = "one of \"many\""};
    for (std::size_t round = 0;
         round < times(300) || (has_processes<P>() && deaths < times(most_deaths)) || onlooker.edges() == 0; ++round) {
        auto root = pool.apply_async(options, same, 1).share();
        std::vector<Future<int>> leaves;
        for (int i = 0; i < 10; ++i) {
            auto middle = pool.apply_async(options, same, root);
            leaves.push_back(pool.apply_async(
                options, [](int a, int b) { return a + b; }, std::move(middle), root));
        }
        auto total = pool.apply_async(
            options,
            [](const std::vector<int>& all) {
                int sum_of_all = 0;
                for (const int one : all) { sum_of_all += one; }
                return sum_of_all;
            },
            when_all(std::move(leaves)));
        if (has_processes<P>() && deaths < times(most_deaths)) {
            const std::vector<WorkerInfo> workers = pool.workers();
            if (!workers.empty()) { deaths += ::kill(workers[random() % workers.size()].pid, SIGKILL) == 0 ? 1U : 0U; }
        }
        REQUIRE(get_soon(total) == 20);
    }
    CHECK(onlooker.stop() == "");
    CHECK(onlooker.edges() > 0);
}
ON_ENGINES_WITH_WORKERS("a graph is one that there can be while tasks end and workers die", is_right_meanwhile)

}  // namespace
