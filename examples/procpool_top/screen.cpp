// SPDX-License-Identifier: BSL-1.0
#include "screen.hpp"

#include <procpool/core/printable.hpp>
#include <procpool/pool/stats.hpp>

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <optional>
#include <string_view>
#include <vector>

namespace procpool_top {

namespace {

volatile sig_atomic_t is_asked_to_end = 0;
volatile sig_atomic_t is_asked_to_pause = 0;

/// Cuts a line at so many characters; each byte that begins one counts.
[[nodiscard]] std::string_view cut(std::string_view line, std::size_t width) {
    std::size_t characters = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const bool begins = (static_cast<unsigned char>(line[i]) & 0xc0) != 0x80;
        if (begins && ++characters > width) { return line.substr(0, i); }
    }
    return line;
}

[[nodiscard]] std::string printable(std::string_view text) {
    std::string result;
    procpool::detail::core::append_printable(result, text);
    return result;
}

[[nodiscard]] std::string time_text(double seconds) {
    if (seconds < 1e-6) { return fmt::format("{:.0f} ns", seconds * 1e9); }
    if (seconds < 1e-3) { return fmt::format("{:.3g} us", seconds * 1e6); }
    if (seconds < 1) { return fmt::format("{:.3g} ms", seconds * 1e3); }
    if (seconds < 60) { return fmt::format("{:.1f} s", seconds); }
    const auto whole = static_cast<long long>(seconds);
    return whole < 3600 ? fmt::format("{}:{:02}", whole / 60, whole % 60)
                        : fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

[[nodiscard]] std::string size_text(std::uint64_t bytes) {
    auto value = static_cast<double>(bytes);
    for (const char unit : std::string_view{" KMGT"}) {
        if (value < 1000 || unit == 'T') {
            return fmt::format("{:.{}f}{}", value, value < 10 && unit != ' ' ? 1 : 0, unit);
        }
        value /= 1024;
    }
    return {};
}

template <class T, class Text>
[[nodiscard]] std::string text_or_dash(const std::optional<T>& value, Text text) {
    return value ? text(*value) : "-";
}

class Lines {
public:
    explicit Lines(std::size_t width) : width_(width) {}
    void add(std::string_view line) {
        text_ += cut(line, width_);
        text_ += '\n';
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    std::size_t width_;
    std::string text_;
};

[[nodiscard]] std::string text_of(const view::TaskView& task) {
    std::string text =
        fmt::format("#{}", text_or_dash(task.number, [](std::uint64_t number) { return std::to_string(number); }));
    if (task.label) { text += fmt::format(" {}", printable(*task.label)); }
    if (task.items_done) { text += fmt::format(" ({} items done)", *task.items_done); }
    if (task.attempt.value_or(0) != 0) { text += fmt::format(" (attempt {})", *task.attempt + 1); }
    return text;
}

void add_worker(Lines& lines, const view::WorkerView& worker, const WorkerChange& change) {
    const std::string rate = text_or_dash(change.rate, [](double value) { return fmt::format("{:.1f}", value); });
    const std::string cpu = text_or_dash(change.cpu, [](double value) { return fmt::format("{:.0f}", value * 100); });
    const std::string age = fmt::format("{}{}", change.age_is_minimum ? ">" : "", text_or_dash(change.age, time_text));
    lines.add(fmt::format("  {:>4} {:>8} {:<8} {:>9} {:>8} {:>5} {:>6} {:>10}  {}",
                          text_or_dash(worker.index, [](std::uint32_t value) { return std::to_string(value); }),
                          worker.pid, worker.state_name(), worker.tasks_done, rate, cpu,
                          text_or_dash(worker.resident_bytes, size_text), worker.task ? age : "",
                          worker.task ? text_of(*worker.task) : ""));
}

void add_times(Lines& lines, std::string_view name, const procpool::detail::task::Histogram::Counts& counts,
               double tick) {
    const procpool::Percentiles all = procpool::detail::pool::percentiles_of(counts, tick);
    const auto text = [](std::chrono::nanoseconds time) { return time_text(static_cast<double>(time.count()) / 1e9); };
    if (all.count != 0) {
        lines.add(fmt::format("  {}: 50 % up to {}, 95 % up to {}, 99 % up to {}", name, text(all.p50), text(all.p95),
                              text(all.p99)));
    }
}

void add_pool(Lines& lines, const ShownPool& shown) {
    const view::ForeignPool& pool = shown.pool;
    const view::PoolView& view = pool.view;
    lines.add("");
    lines.add(fmt::format("{} ({})  pool \"{}\"  {}{}{}  up {}", printable(pool.program_name.value_or("?")),
                          pool.program, printable(view.name), view.state,
                          view.is_paused ? ", paused: little memory" : "", view.is_reforking ? ", reforking" : "",
                          time_text(view.uptime)));
    if (!view.reason.empty()) { lines.add(fmt::format("  {}", printable(view.reason))); }
    using State = view::WorkerView::State;
    lines.add(fmt::format("  workers: {} of {}, {} busy; {} started, {} recycled", view.workers.size(),
                          view.workers_wanted, view.count(State::busy), view.started, view.recycled));
    std::string deaths;
    for (const auto& [reason, count] : view.deaths) {
        deaths += fmt::format("{}{} {}", deaths.empty() ? "" : ", ", count, reason);
    }
    if (!deaths.empty()) { lines.add(fmt::format("  deaths: {}", deaths)); }
    std::string ended;
    for (std::size_t i = 0; i < view.ended.size(); ++i) {
        if (view.ended[i] != 0) {
            ended += fmt::format(", {} {}", view.ended[i], to_string(static_cast<procpool::Ending>(i)));
        }
    }
    if (view.retried != 0) { ended += fmt::format(", {} retried", view.retried); }
    const std::string rate = shown.rate ? fmt::format(", {:.1f} a second", *shown.rate) : std::string{};
    lines.add(fmt::format("  tasks: {} ended{}{}", view.all_ended(), rate, ended));
    const view::QueueView& queue = view.queue;
    std::string levels;
    for (std::size_t i = 0; i < queue.priorities.size(); ++i) {
        const int priority = 3 - static_cast<int>(i);
        if (priority != 0 && queue.priorities[i].pending != 0) {
            levels += fmt::format(", {} of priority {}", queue.priorities[i].pending, priority);
        }
    }
    lines.add(fmt::format("  queue: {}{} pending, {} blocked, {} running, {} with a result to take; room for {}{}",
                          queue.is_exact ? "" : "about ", queue.pending, queue.blocked, queue.running, queue.ended,
                          queue.capacity, levels));
    if (view.times) {
        add_times(lines, "waiting", view.times->waiting, view.times->nanoseconds_per_tick);
        add_times(lines, "running", view.times->running, view.times->nanoseconds_per_tick);
    }
    lines.add("     #      PID STATE        TASKS  TASKS/S  CPU%    RES        AGE  TASK");
    for (std::size_t i = 0; i < view.workers.size(); ++i) { add_worker(lines, view.workers[i], shown.workers[i]); }
}

/// Effects: waits until then, a signal, or something to read. Returns: whether there is something. -1: of nothing.
[[nodiscard]] bool wait_for(int descriptor, std::chrono::steady_clock::time_point when) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(when - std::chrono::steady_clock::now()).count();
    pollfd one{descriptor, POLLIN, 0};
    return ::poll(&one, 1, static_cast<int>(std::clamp<long long>(left, 0, 60'000))) > 0;
}

/// The terminal shows the snapshots on a screen of their own, and gives each key at once.
class Screen {
public:
    Screen() { enter(); }
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;
    ~Screen() { leave(); }

    void show(const Snapshot& snapshot) {
        winsize size{};
        if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
            size.ws_col = 80;
            size.ws_row = 24;
        }
        lines_.clear();
        const std::string text = to_text(snapshot, size.ws_col);
        for (std::size_t from = 0; from < text.size();) {
            const std::size_t end = std::min(text.find('\n', from), text.size());
            lines_.emplace_back(text.substr(from, end - from));
            from = end + 1;
        }
        rows_ = size.ws_row;
        columns_ = size.ws_col;
        draw();
    }

    /// Returns: false when the person at the terminal wants no more.
    [[nodiscard]] bool obey_until(std::chrono::steady_clock::time_point when) {
        while (is_asked_to_end == 0) {
            if (is_asked_to_pause != 0) {
                pause();
                return true;
            }
            if (std::chrono::steady_clock::now() >= when) { return true; }
            if (wait_for(reads_keys_ ? STDIN_FILENO : -1, when) && !obey_keys()) { return false; }
        }
        return false;
    }

private:
    /// The first line stays; of the others there are as many as fit, and a line that says where they are.
    void draw() {
        const bool is_whole = lines_.size() <= rows_;
        const std::size_t shown = is_whole ? rows_ : std::max<std::size_t>(rows_, 3) - 2;
        top_ = is_whole ? 1 : std::clamp<std::size_t>(top_, 1, lines_.size() - shown);
        std::string drawn = "\x1b[H" + lines_.front() + "\x1b[K";
        for (std::size_t i = top_; i < std::min(top_ + shown, lines_.size()); ++i) {
            drawn += "\r\n" + lines_[i] + "\x1b[K";
        }
        if (!is_whole) {
            const std::string where =
                fmt::format("lines {} to {} of {}; j, k, space, b: others", top_ + 1, top_ + shown, lines_.size());
            drawn += "\r\n" + std::string{cut(where, columns_)} + "\x1b[K";
        }
        write(drawn + "\x1b[J");
    }

    /// Returns: false for "q".
    [[nodiscard]] bool obey_keys() {
        std::array<char, 64> bytes{};
        const ssize_t count = ::read(STDIN_FILENO, bytes.data(), bytes.size());
        if (count <= 0) {
            reads_keys_ = count < 0 && errno == EINTR;  // or the terminal is gone
            return true;
        }
        const std::size_t page = std::max<std::size_t>(rows_, 4) - 3;
        std::string_view keys{bytes.data(), static_cast<std::size_t>(count)};
        while (!keys.empty()) {
            const auto is = [&](std::string_view name) {
                const bool found = keys.starts_with(name);
                if (found) { keys.remove_prefix(name.size()); }
                return found;
            };
            if (is("q") || is("Q")) { return false; }
            if (is("j") || is("\x1b[B") || is("\x1bOB")) {
                top_ += 1;
            } else if (is("k") || is("\x1b[A") || is("\x1bOA")) {
                top_ -= std::min<std::size_t>(top_, 1);
            } else if (is(" ") || is("\x1b[6~")) {
                top_ += page;
            } else if (is("b") || is("\x1b[5~")) {
                top_ -= std::min(top_, page);
            } else {
                keys.remove_prefix(1);
            }
        }
        draw();
        return true;
    }

    /// The shell has the terminal as it was until it continues the program.
    void pause() {
        is_asked_to_pause = 0;
        leave();
        ::signal(SIGTSTP, SIG_DFL);
        ::raise(SIGTSTP);
        enter();
    }

    void enter() {
        struct sigaction action {};
        action.sa_handler = [](int) { is_asked_to_pause = 1; };
        ::sigaction(SIGTSTP, &action, nullptr);
        if (::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before_) == 0) {
            termios raw = before_;
            raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
            reads_keys_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
        }
        write("\x1b[?1049h\x1b[?25l");
    }
    void leave() {
        write("\x1b[?25h\x1b[?1049l");
        if (reads_keys_) { ::tcsetattr(STDIN_FILENO, TCSANOW, &before_); }
        reads_keys_ = false;
    }

    static void write(std::string_view text) {
        while (!text.empty()) {
            const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
            if (written < 0 && errno != EINTR) { return; }
            text.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
        }
    }

    termios before_{};
    bool reads_keys_ = false;
    std::vector<std::string> lines_;
    std::size_t rows_ = 0;
    std::size_t columns_ = 0;
    std::size_t top_ = 1;  // the line below the first
};

}  // namespace

std::string to_text(const Snapshot& snapshot, std::size_t width) {
    Lines lines{width};
    std::array<char, 32> clock{};
    const auto now = static_cast<std::time_t>(snapshot.time);
    std::tm parts{};
    std::strftime(clock.data(), clock.size(), "%H:%M:%S", ::localtime_r(&now, &parts));
    const std::size_t pools = snapshot.pools.size();
    lines.add(fmt::format("procpool-top  {}  {} pool{}", clock.data(), pools, pools == 1 ? "" : "s"));
    for (const ShownPool& shown : snapshot.pools) { add_pool(lines, shown); }
    if (!snapshot.refused.empty() || snapshot.hidden != 0) { lines.add(""); }
    for (const Refused& one : snapshot.refused) {
        lines.add(fmt::format("{} ({}) cannot be shown: {}", printable(one.name), one.pid, printable(one.why)));
    }
    if (snapshot.hidden != 0) {
        lines.add(fmt::format("{} processes of other users cannot be looked at", snapshot.hidden));
    }
    return lines.take();
}

bool sleep_until(std::chrono::steady_clock::time_point when) {
    while (is_asked_to_end == 0) {
        if (std::chrono::steady_clock::now() >= when) { return true; }
        static_cast<void>(wait_for(-1, when));
    }
    return false;
}

void catch_signals() {
    struct sigaction action {};
    action.sa_handler = [](int) { is_asked_to_end = 1; };
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

void show(Watcher& watcher, std::chrono::milliseconds interval) {
    Screen screen;
    auto next = std::chrono::steady_clock::now();
    do {
        screen.show(watcher.look());
        next = std::max(next + interval, std::chrono::steady_clock::now());
    } while (screen.obey_until(next));
}

}  // namespace procpool_top
