// SPDX-License-Identifier: BSL-1.0
// watch SECONDS PROGRAM [ARGUMENT...]: runs a program and answers for every process that comes of it.
// At the time limit it prints where each of them stands and kills them all. When the program has ended it fails if
// a process of it is left: orphans come to this process (PR_SET_CHILD_SUBREAPER), so none can hide.
// Exit status: the program's; 124 at the time limit, 125 when processes were left, 128 + n when signal n ended it.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

std::string text_of(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream{path}.rdbuf();  // swallows the error of reading about a process that has just ended
    return text.str();
}

std::string line_of(const fs::path& path) {
    std::string text = text_of(path);
    std::replace(text.begin(), text.end(), '\0', ' ');
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) { text.pop_back(); }
    return text;
}

std::vector<pid_t> numbers_in(const fs::path& folder) {
    std::vector<pid_t> found;
    std::error_code ended;
    for (fs::directory_iterator it{folder, ended}; !ended && it != fs::directory_iterator{}; it.increment(ended)) {
        const std::string name = it->path().filename();
        if (name.find_first_not_of("0123456789") == std::string::npos) { found.push_back(std::atoi(name.c_str())); }
    }
    return found;
}

struct Stat {
    char state = '?';
    pid_t parent = 0;
};

Stat stat_of(pid_t pid) {
    const std::string text = text_of("/proc/" + std::to_string(pid) + "/stat");
    Stat found;
    const std::size_t name_end = text.rfind(')');
    if (name_end != std::string::npos) { std::istringstream{text.substr(name_end + 1)} >> found.state >> found.parent; }
    return found;
}

/// All that descend from this process, parents before their children.
std::vector<pid_t> descendants() {
    std::multimap<pid_t, pid_t> children;
    for (const pid_t pid : numbers_in("/proc")) { children.emplace(stat_of(pid).parent, pid); }
    std::vector<pid_t> found{::getpid()};
    for (std::size_t i = 0; i < found.size(); ++i) {
        const auto [first, last] = children.equal_range(found[i]);
        for (auto it = first; it != last; ++it) { found.push_back(it->second); }
    }
    found.erase(found.begin());
    return found;
}

std::string describe(pid_t pid) {
    const fs::path proc = "/proc/" + std::to_string(pid);
    const std::string command = line_of(proc / "cmdline");
    const Stat stat = stat_of(pid);
    std::ostringstream text;
    text << "process " << pid << " (parent " << stat.parent << ", state " << stat.state
         << "): " << (command.empty() ? line_of(proc / "comm") : command);
    return text.str();
}

void print_stacks(pid_t pid, bool with_gdb) {
    std::fprintf(stderr, "\n--- %s\n", describe(pid).c_str());
    const fs::path tasks = "/proc/" + std::to_string(pid) + "/task";
    for (const pid_t thread : numbers_in(tasks)) {
        const fs::path task = tasks / std::to_string(thread);
        std::fprintf(stderr, "thread %d (%s), waits in %s, system call %s\n%s", thread, line_of(task / "comm").c_str(),
                     line_of(task / "wchan").c_str(), line_of(task / "syscall").c_str(),
                     text_of(task / "stack").c_str());
    }
    if (!with_gdb) { return; }
    std::fflush(stderr);
    const std::string gdb =
        "timeout -k 1 15 gdb -nx -batch -iex 'set debuginfod enabled off' -ex 'set pagination off' "
        "-ex 'thread apply all bt 40' -p " +
        std::to_string(pid) + " </dev/null 1>&2 2>/dev/null";
    if (std::system(gdb.c_str()) != 0) { std::fprintf(stderr, "(gdb could not look at it)\n"); }
}

void print_all_stacks() {
    const bool has_gdb = std::system("command -v gdb >/dev/null 2>&1 && command -v timeout >/dev/null 2>&1") == 0;
    const std::vector<pid_t> pids = descendants();
    const auto enough = Clock::now() + 20s;
    for (const pid_t pid : pids) { print_stacks(pid, has_gdb && Clock::now() < enough && stat_of(pid).state != 'Z'); }
}

/// Collects every child that has ended. Returns true when `program` was one of them, and how it ended.
bool reap(pid_t program, int& status) {
    bool seen = false;
    for (;;) {
        int its_status = 0;
        const pid_t pid = ::waitpid(-1, &its_status, WNOHANG);
        if (pid <= 0) { return seen; }
        if (pid == program) {
            seen = true;
            status = its_status;
        }
    }
}

void kill_all() {
    const auto enough = Clock::now() + 5s;
    for (std::vector<pid_t> left = descendants(); !left.empty() && Clock::now() < enough; left = descendants()) {
        for (const pid_t pid : left) { ::kill(pid, SIGKILL); }
        int ignored = 0;
        reap(0, ignored);
        ::usleep(2000);
    }
}

[[noreturn]] void become(char** command, const sigset_t& mask, pid_t watcher) {
    ::setsid();
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != watcher) { ::_exit(127); }
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    ::execvp(command[0], command);
    std::perror(command[0]);
    ::_exit(127);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3 || std::atof(argv[1]) <= 0) {
        std::fprintf(stderr, "usage: watch SECONDS PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    const auto limit =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(std::atof(argv[1])));
    sigset_t mask, signals;
    sigemptyset(&signals);
    for (const int signal : {SIGCHLD, SIGINT, SIGTERM, SIGHUP}) { sigaddset(&signals, signal); }
    ::sigprocmask(SIG_BLOCK, &signals, &mask);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);

    const pid_t watcher = ::getpid();
    const pid_t program = ::fork();
    if (program < 0) {
        std::perror("watch: fork");
        return 2;
    }
    if (program == 0) { become(argv + 2, mask, watcher); }

    int status = 0;
    while (!reap(program, status)) {
        const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(limit - Clock::now());
        if (left <= 0ns) {
            std::fprintf(stderr, "\nwatch: '%s' still runs after %s s. Where its processes stand:\n", argv[2], argv[1]);
            print_all_stacks();
            kill_all();
            return 124;
        }
        const timespec wait{left / 1s, static_cast<long>((left % 1s).count())};
        const int signal = ::sigtimedwait(&signals, nullptr, &wait);
        if (signal > 0 && signal != SIGCHLD) {
            kill_all();
            return 128 + signal;
        }
    }

    const auto grace = Clock::now() + 5s;  // a supervisor dies a moment after its parent, on a busy machine a long one
    std::vector<pid_t> left = descendants();
    while (!left.empty() && Clock::now() < grace) {
        ::usleep(10000);
        reap(0, status);
        left = descendants();
    }
    if (!left.empty()) {
        std::fprintf(stderr, "watch: '%s' ended and left %zu process(es) behind:\n", argv[2], left.size());
        for (const pid_t pid : left) { print_stacks(pid, false); }
        kill_all();
        return 125;
    }
    if (WIFSIGNALED(status)) {
        std::fprintf(stderr, "watch: '%s' was killed by signal %d\n", argv[2], WTERMSIG(status));
        return 128 + WTERMSIG(status);
    }
    return WEXITSTATUS(status);
}
