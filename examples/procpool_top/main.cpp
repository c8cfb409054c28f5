// SPDX-License-Identifier: BSL-1.0
// procpool-top: shows what the pools of running programs do. It needs nothing of a program but that it is the same
// user's and uses the same version of procpool.

#include "json.hpp"
#include "screen.hpp"
#include "serve.hpp"
#include "watcher.hpp"

#include <procpool/view/prometheus.hpp>

#include <fmt/core.h>
#include <unistd.h>
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace procpool_top;

constexpr std::string_view usage =
    "procpool-top shows the pools of this user's programs.\n"
    "\n"
    "  procpool-top                 on the terminal, once a second; j, k, space and b scroll, q ends it\n"
    "  procpool-top --once          once, as text\n"
    "  procpool-top --json          once, as one JSON document in a line\n"
    "  procpool-top --prometheus    once, in the text format of Prometheus\n"
    "  procpool-top --serve ADDRESS as a web page at 127.0.0.1:PORT, until SIGINT or SIGTERM\n"
    "\n"
    "  --pid PID                    only the program that has this process\n"
    "  --interval SECONDS           how often; with --json: a line each time, until SIGINT or SIGTERM\n"
    "  --version, --help\n";

enum class Mode { screen, once, json, prometheus, serve };

struct Options {
    Mode mode = Mode::screen;
    std::int32_t pid = 0;
    std::optional<std::chrono::milliseconds> interval;
    std::string address;
};

class Mistake : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <class T>
[[nodiscard]] T number_in(std::string_view option, std::string_view text, T least, T most) {
    T number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || !(number >= least && number <= most)) {
        throw Mistake{fmt::format("{} takes a number from {} to {}, not \"{}\"", option, least, most, text)};
    }
    return number;
}

[[nodiscard]] Options options_in(const std::vector<std::string_view>& arguments) {
    Options options;
    std::string_view mode;
    const auto set_mode = [&](std::string_view name, Mode to) {
        if (!mode.empty() && mode != name) { throw Mistake{fmt::format("{} and {} exclude each other", mode, name)}; }
        mode = name;
        options.mode = to;
    };
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view one = arguments[i];
        const auto value = [&] {
            if (i + 1 == arguments.size()) { throw Mistake{fmt::format("{} needs a value", one)}; }
            return arguments[++i];
        };
        if (one == "--once") {
            set_mode(one, Mode::once);
        } else if (one == "--json") {
            set_mode(one, Mode::json);
        } else if (one == "--prometheus") {
            set_mode(one, Mode::prometheus);
        } else if (one == "--serve") {
            set_mode(one, Mode::serve);
            options.address = value();
        } else if (one == "--pid") {
            options.pid = number_in<std::int32_t>(one, value(), 1, INT32_MAX);
        } else if (one == "--interval") {
            constexpr double shortest = 0.01;
            constexpr double longest = 86400;
            options.interval = std::chrono::milliseconds{
                static_cast<long long>(1000 * number_in<double>(one, value(), shortest, longest))};
        } else {
            throw Mistake{fmt::format("what is \"{}\"? --help lists the options", one)};
        }
    }
    return options;
}

[[nodiscard]] std::string to_prometheus(const Snapshot& snapshot) {
    std::vector<view::ExposedPool> pools;
    for (const ShownPool& shown : snapshot.pools) {
        pools.push_back({&shown.pool.view,
                         {{"program", shown.pool.program_name.value_or("")},
                          {"supervisor", std::to_string(shown.pool.supervisor)}}});
    }
    return view::prometheus_text(pools);
}

/// Returns: false when nobody reads the output any more.
[[nodiscard]] bool print(std::string_view text) {
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
}

[[nodiscard]] int print_json(Watcher& watcher, const std::optional<std::chrono::milliseconds>& interval) {
    if (interval) { catch_signals(); }
    auto next = std::chrono::steady_clock::now();
    do {
        if (!print(to_json(watcher.look()) + "\n")) { return EXIT_FAILURE; }
        if (!interval) { break; }
        next = std::max(next + *interval, std::chrono::steady_clock::now());
    } while (sleep_until(next));
    return EXIT_SUCCESS;
}

[[nodiscard]] int run(const Options& options) {
    Watcher watcher{options.pid};
    switch (options.mode) {
        case Mode::once: return print(to_text(watcher.look(), std::string::npos)) ? EXIT_SUCCESS : EXIT_FAILURE;
        case Mode::json: return print_json(watcher, options.interval);
        case Mode::prometheus: return print(to_prometheus(watcher.look())) ? EXIT_SUCCESS : EXIT_FAILURE;
        case Mode::serve:
            return serve(options.address, {.json = [&watcher] { return to_json(watcher.look()); },
                                           .prometheus = [&watcher] { return to_prometheus(watcher.look()); }});
        case Mode::screen: break;
    }
    if (::isatty(STDOUT_FILENO) != 1) {
        return print(to_text(watcher.look(), std::string::npos)) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    catch_signals();
    show(watcher, options.interval.value_or(std::chrono::seconds{1}));
    return EXIT_SUCCESS;
}

}  // namespace

int main(int count, char** arguments) {
    const std::vector<std::string_view> all{arguments + 1, arguments + std::max(count, 1)};
    if (std::ranges::find(all, "--help") != all.end()) { return print(usage) ? EXIT_SUCCESS : EXIT_FAILURE; }
    if (std::ranges::find(all, "--version") != all.end()) {
        return print(fmt::format("procpool-top {}.{}.{}\n", PROCPOOL_VERSION_MAJOR, PROCPOOL_VERSION_MINOR,
                                 PROCPOOL_VERSION_PATCH))
                   ? EXIT_SUCCESS
                   : EXIT_FAILURE;
    }
    constexpr int wrongly_called = 2;
    try {
        return run(options_in(all));
    } catch (const Mistake& mistake) {
        std::fprintf(stderr, "procpool-top: %s\n", mistake.what());
        return wrongly_called;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "procpool-top: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
