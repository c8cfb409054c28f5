// SPDX-License-Identifier: BSL-1.0
#include <procpool/view/foreign_pool.hpp>

#include <procpool/os/region_file.hpp>
#include <procpool/procpool.hpp>

#include "os/in_child.hpp"
#include "os/refusal.hpp"
#include "pool/subprocess.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <random>
#include <set>
#include <thread>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace procpool;
using namespace procpool_test;
namespace view = procpool::detail::view;
namespace os = procpool::detail::os;
using procpool::detail::task::BoardHead;

namespace {

[[nodiscard]] os::OpenFiles pools_of_this_process() { return view::find_pools(::getpid()); }

/// Returns: the one pool of this process.
[[nodiscard]] view::ForeignPool only_pool() {
    const os::OpenFiles found = pools_of_this_process();
    REQUIRE(found.files.size() == 1);
    view::Look look = view::read_pool(found.files.front());
    INFO(look.why_not);
    REQUIRE(look.pool.has_value());
    return *look.pool;
}

/// Returns: the files of pools that a process has open.
[[nodiscard]] std::size_t files_open_in(pid_t pid) {
    return os::files_in_memory(os::RegionFile::prefix, {&pid, 1}).files.size();
}

void hold(Gate begun, Gate may_end) {
    begun.set();
    may_end.wait();
}

/// A file in memory that says that it is a pool's.
class Fake {
public:
    explicit Fake(std::uint64_t size = 0) : number_(::memfd_create("procpool:fake", MFD_CLOEXEC)) {
        REQUIRE(number_ >= 0);
        resize(size);
    }
    Fake(const Fake&) = delete;
    Fake& operator=(const Fake&) = delete;
    ~Fake() { ::close(number_); }

    void resize(std::uint64_t size) const { REQUIRE(::ftruncate(number_, static_cast<off_t>(size)) == 0); }
    template <class T>
    void write(std::uint64_t offset, const T& value) const {
        REQUIRE(::pwrite(number_, &value, sizeof value, static_cast<off_t>(offset)) == sizeof value);
    }
    [[nodiscard]] view::Look look() const { return view::read_pool({::getpid(), number_}); }
    [[nodiscard]] int number() const noexcept { return number_; }

private:
    int number_;
};

/// A copy of the start of a pool's memory in a file of the same size.
class Copy : public Fake {
public:
    explicit Copy(const view::ForeignPool& pool) {
        const os::OpenFiles found = os::files_in_memory(os::RegionFile::prefix, {&pool.supervisor, 1});
        REQUIRE(found.files.size() == 1);
        const os::MemoryFile file = os::MemoryFile::open(found.files.front());
        REQUIRE(file.inode() == pool.inode);
        head_ = std::make_unique<BoardHead>();
        REQUIRE(file.read(0, head_.get(), sizeof(BoardHead)));
        std::vector<char> text(static_cast<std::size_t>(head_->issues.offset + head_->issues.count * 64));
        REQUIRE(file.read(0, text.data(), text.size()));
        resize(file.size());
        REQUIRE(::pwrite(number(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
        size_ = text.size();
        say_it_is_ours();
    }
    /// A pool is shown as its supervisor's.
    void say_it_is_ours() const {
        write(head_->control.offset + offsetof(detail::task::Control, supervisor_pid), ::getpid());
    }
    [[nodiscard]] const BoardHead& head() const noexcept { return *head_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    std::unique_ptr<BoardHead> head_;
    std::size_t size_ = 0;
};

}  // namespace

TEST_CASE("another process sees workers and tasks and the queue of a pool") {
    SharedPage page;
    const Gate begun{page};
    const Gate may_end{page};
    ProcessPool pool{PoolOptions{.workers = 2, .queue_capacity = 100, .name = "seen", .latencies = true}};
    for (int i = 0; i < 10; ++i) {
        pool.apply_async(+[] {}).get();
    }
    CHECK_THROWS_AS(pool.apply_async(+[] { throw std::runtime_error("as asked"); }).get(), std::runtime_error);
    CHECK_THROWS_AS(pool.apply_async(+[] { ::raise(SIGKILL); }).get(), WorkerDied);
    wait_until([&] { return pool.workers().size() == 2; }, "the replacement");
    auto held = pool.apply_async(TaskOptions{.timeout = std::chrono::hours{1}, .retries = 3, .label = "held"}, hold,
                                 begun, may_end);
    begun.wait();
    const Gate other_begun{page};
    auto other = pool.apply_async(hold, other_begun, may_end);
    other_begun.wait();
    auto usual = pool.apply_async(+[] {});
    auto urgent = pool.apply_async(
        TaskOptions{.priority = 3}, +[] {});
    auto withdrawn = pool.apply_async(+[] {});
    CHECK(withdrawn.cancel());
    auto blocked = pool.apply_async(
        +[](int x) { return x; }, pool.apply_async(+[] { return 1; }));
    auto mailed = pool.apply_on_async(
        1, +[] {});

    const view::ForeignPool seen = only_pool();
    CHECK(seen.program == ::getpid());
    CHECK(seen.supervisor == seen.view.supervisor);
    CHECK(seen.view.name == "seen");
    CHECK(seen.view.state == "open");
    CHECK(seen.view.workers_wanted == 2);
    CHECK(seen.view.uptime > 0);
    REQUIRE(seen.view.workers.size() == 2);
    const std::vector<WorkerInfo> workers = pool.workers();
    for (std::size_t i = 0; i < 2; ++i) {
        const view::WorkerView& worker = seen.view.workers[i];
        CHECK(worker.index == i);
        CHECK(worker.pid == workers[i].pid);
        CHECK(worker.state == view::WorkerView::State::busy);
        CHECK(worker.resident_bytes.value_or(0) > 0);
        CHECK(worker.shared_bytes.value_or(UINT64_MAX) <= worker.resident_bytes.value_or(0));
        REQUIRE(worker.task.has_value());
        const bool is_labelled = worker.task->label.has_value();
        CHECK(worker.task->label.value_or("held") == "held");
        CHECK(worker.task->timeout.has_value() == is_labelled);
        CHECK(worker.task->number == (is_labelled ? 13U : 14U));
        CHECK(worker.task->age.has_value() == is_labelled);
        CHECK(worker.task->attempt == 0U);
    }
    CHECK(seen.view.queue.capacity == 100);
    CHECK(seen.view.queue.running == 2);
    CHECK(seen.view.queue.pending == 4);
    CHECK(seen.view.queue.blocked == 1);
    CHECK(seen.view.queue.priorities[0].pending == 1);
    CHECK(seen.view.queue.priorities[3].pending == 2);
    CHECK(seen.view.queue.priorities[3].blocked == 1);
    CHECK(seen.view.queue.for_one_worker.pending == 1);
    const auto ended = [&](Ending ending) { return seen.view.ended[static_cast<std::size_t>(ending)]; };
    CHECK(ended(Ending::value) == 10);
    CHECK(ended(Ending::exception) == 1);
    CHECK(ended(Ending::died) == 1);
    CHECK(ended(Ending::cancelled) == 1);
    CHECK(seen.view.all_ended() == 13);
    CHECK(seen.view.deaths == std::map<std::string, std::uint64_t>{{"SIGKILL", 1}});
    CHECK(seen.view.started == 3);
    REQUIRE(seen.view.times.has_value());
    CHECK(std::accumulate(seen.view.times->running.begin(), seen.view.times->running.end(), std::uint64_t{0}) == 11);
    may_end.set();
    pool.close();
    pool.join();
}

TEST_CASE("the number of workers that are wanted is seen as it changes") {
    ProcessPool pool{PoolOptions{.workers = 1, .grow_to = 3}};
    CHECK(only_pool().view.workers_wanted == 1);
    pool.resize(3);
    CHECK(only_pool().view.workers_wanted == 3);
    wait_until([&] { return only_pool().view.workers.size() == 3; }, "three workers");
    pool.resize(1);
    wait_until([&] { return only_pool().view.workers.size() == 1; }, "one worker");
    CHECK(only_pool().view.deaths.empty());
}

TEST_CASE("tasks that end with their pool are counted by how") {
    SharedPage page;
    const Gate begun{page};
    const Gate may_end{page};
    ProcessPool pool{PoolOptions{.workers = 1}};
    auto timed = pool.apply_async(
        TaskOptions{.timeout = std::chrono::milliseconds{1}}, +[] { ::pause(); });
    timed.wait();
    auto held = pool.apply_async(hold, begun, may_end);
    auto pending = pool.apply_async(+[] {});
    begun.wait();
    const os::OpenFiles found = pools_of_this_process();
    REQUIRE(found.files.size() == 1);
    const os::MemoryFile file = os::MemoryFile::open(found.files.front());  // which stays when the supervisor is gone
    pool.kill();
    pool.join();
    BoardHead head{};
    REQUIRE(file.read(0, &head, sizeof head));
    const auto lost = [&](Ending ending) { return head.lost[static_cast<std::size_t>(ending)].load(); };
    CHECK(lost(Ending::timed_out) == 1);
    CHECK(lost(Ending::terminated) == 2);
    CHECK(lost(Ending::died) == 0);
}

TEST_CASE("the file of a pool's memory is open in its supervisor alone") {
    ProcessPool pool{PoolOptions{.workers = 3, .max_tasks_per_worker = 2}};
    for (int i = 0; i < 20; ++i) {
        pool.apply(+[] {});
    }
    for (int round = 0; round < 3; ++round) {
        const view::ForeignPool seen = only_pool();
        CHECK(files_open_in(::getpid()) == 0);
        CHECK(files_open_in(seen.supervisor) == 1);
        for (const WorkerInfo& worker : pool.workers()) {
            // One that has just been forked is about to close it.
            wait_until([&] { return files_open_in(worker.pid) == 0; }, "a worker to close the file");
        }
        CHECK(pool.apply(+[] { return files_open_in(::getpid()); }) == 0);
        const pid_t before = seen.supervisor;
        pool.refork();
        CHECK(only_pool().supervisor != before);
    }
    const view::ForeignPool seen = only_pool();
    pool.close();
    pool.join();
    CHECK(pools_of_this_process().files.empty());
}

TEST_CASE("no child has the file of a pool that another thread builds") {
    constexpr int rounds = 15;
    constexpr int threads = 4;
    std::atomic<int> strays{0};
    std::vector<std::thread> all;
    all.reserve(threads);
    for (int thread = 0; thread < threads; ++thread) {
        all.emplace_back([thread, &strays] {
            for (int round = 0; round < rounds; ++round) {
                if (thread == 0) {
                    Process child{[] { return files_open_in(::getpid()) == 0 ? 0 : 1; }};
                    child.join();
                    if (child.exit_status() != ExitStatus::from_code(0)) { ++strays; }
                    continue;
                }
                ProcessPool pool{PoolOptions{.workers = 1}};
                const auto open_in_supervisor = [] { return files_open_in(::getppid()); };
                if (pool.apply(+[] { return files_open_in(::getpid()); }) != 0) { ++strays; }
                if (pool.apply(open_in_supervisor) != 1) { ++strays; }
            }
        });
    }
    for (std::thread& one : all) { one.join(); }
    CHECK(strays == 0);
}

namespace {
std::function<void()> before_bell;  // called once, between the memory of a pool and the fork of its supervisor
}

TEST_CASE("processes that are forked in the middle of a pool's construction have not its file") {
    std::optional<ProcessPool<>> inner;
    std::optional<Process> child;
    before_bell = [&] {
        CHECK(files_open_in(::getpid()) == 1);
        inner.emplace(PoolOptions{.workers = 1});
        child.emplace([] { return files_open_in(::getpid()) == 0 ? 0 : 1; });
    };
    os::refuse_call = [](const char* name) noexcept {
        if (before_bell && std::strcmp(name, "eventfd") == 0) { std::exchange(before_bell, nullptr)(); }
        return 0;
    };
    ProcessPool outer{PoolOptions{.workers = 1}};
    os::refuse_call = nullptr;
    REQUIRE(inner.has_value());
    for (ProcessPool<>* const pool : {&*inner, &outer}) {
        CHECK(pool->apply(+[] { return files_open_in(::getpid()); }) == 0);
        CHECK(pool->apply(+[] { return files_open_in(::getppid()); }) == 1);
    }
    CHECK(files_open_in(::getpid()) == 0);
    child->join();
    CHECK(child->exit_status() == ExitStatus::from_code(0));
}

TEST_CASE("nobody can make the file of a pool smaller") {
    ProcessPool pool{PoolOptions{.workers = 1}};
    const os::OpenFiles found = pools_of_this_process();
    REQUIRE(found.files.size() == 1);
    const std::string path =
        "/proc/" + std::to_string(found.files[0].pid) + "/fd/" + std::to_string(found.files[0].number);
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(file >= 0);
    CHECK(::ftruncate(file, 0) == -1);
    CHECK(errno == EPERM);
    ::close(file);
    CHECK(pool.apply(+[] { return 7; }) == 7);
}

TEST_CASE("a pool without a file works and cannot be looked at") {
    const auto works_unseen = [] {
        ProcessPool pool{PoolOptions{.workers = 2}};
        if (pool.apply(+[] { return 7; }) != 7) { return 1; }
        if (!pools_of_this_process().files.empty()) { return 2; }
        pool.refork();
        return pool.apply(+[] { return 8; }) == 8 ? 0 : 3;
    };
    SECTION("where files may not be as large") {
        CHECK(in_child([&] {
                  const rlimit small{1 << 20, 1 << 20};
                  return ::setrlimit(RLIMIT_FSIZE, &small) == 0 ? works_unseen() : 98;
              }) == 0);
    }
    SECTION("where the system refuses files in memory") {
        for (const int error : {ENOSYS, EPERM, EMFILE, ENOMEM}) {
            INFO(error);
            const Refusal refusal{"memfd_create", error};
            CHECK(works_unseen() == 0);
        }
    }
    SECTION("where the kernel knows no files that cannot be executed") {
        const Refusal refusal{"memfd_create", EINVAL};
        CHECK(works_unseen() == 0);
    }
}

TEST_CASE("a supervisor that lets nobody look has no view after a refork and the pool works") {
    ProcessPool pool{PoolOptions{.workers = 1}};
    {
        const Refusal refusal{"open", EACCES};
        pool.refork();
    }
    CHECK(pools_of_this_process().files.empty());
    CHECK(pool.apply(+[] { return 7; }) == 7);
}

TEST_CASE("a pool of threads has no file") {
    ThreadPool pool{PoolOptions{.workers = 2}};
    CHECK(pools_of_this_process().files.empty());
    CHECK(pool.prometheus().find("procpool_workers{pool=\"procpool\",state=\"idle\"}") != std::string::npos);
}

TEST_CASE("a pool writes its text while it works", "[thread]") {
    ThreadPool pool{PoolOptions{.workers = 2, .name = "busy", .latencies = true}};
    std::atomic<bool> may_end{false};
    std::thread submitter{[&] {
        while (!may_end) {
            pool.apply_async(
                    TaskOptions{.priority = 1, .label = "one"}, +[] {})
                .get();
        }
    }};
    for (int i = 0; i < 200; ++i) {
        const std::string text = pool.prometheus();
        CHECK(text.find("procpool_task_seconds_count{pool=\"busy\"} ") != std::string::npos);
    }
    may_end = true;
    submitter.join();
}

TEST_CASE("what is no pool's memory is told") {
    CHECK(Fake{}.look().why_not == "its memory is smaller than a pool's");
    CHECK(Fake{1 << 20}.look().why_not.empty());  // one that is being built looks the same
    const Fake other{1 << 20};
    other.write(0, std::uint64_t{1});
    CHECK(other.look().why_not == "its memory is no pool's");
    const Fake version{1 << 20};
    version.write(0, BoardHead::right_magic);
    version.write(8, detail::task::layout_of_board() + 1);
    CHECK(version.look().why_not == "another version of procpool, or another compiler's");
    const Fake cut{1 << 20};
    cut.write(0, BoardHead::right_magic);
    cut.write(8, detail::task::layout_of_board());
    cut.write(16, std::uint64_t{1} << 40);
    CHECK(cut.look().why_not == "its memory has another size than the pool's");
    cut.write(16, std::uint64_t{1} << 20);
    CHECK(cut.look().why_not == "its memory is damaged");
    const Fake small{24};
    small.write(0, BoardHead::right_magic);
    small.write(8, detail::task::layout_of_board());
    small.write(16, std::uint64_t{24});
    CHECK(small.look().why_not == "its memory is damaged");

    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    CHECK_FALSE(view::read_pool({::getpid(), ends[0]}).why_not.empty());
    const int folder = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_FALSE(view::read_pool({::getpid(), folder}).why_not.empty());
    const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK_FALSE(view::read_pool({::getpid(), file}).why_not.empty());
    CHECK(view::read_pool({::getpid(), 9999}).why_not.empty());  // it has ended
    for (const int open : {ends[0], ends[1], folder, file}) { ::close(open); }
}

TEST_CASE("a damaged pool's memory is told or shown wrong and never believed") {
    SharedPage page;
    const Gate may_end{page};
    const Gate begun{page};
    ProcessPool pool{PoolOptions{.workers = 2, .queue_capacity = 64, .latencies = true}};
    auto held = pool.apply_async(TaskOptions{.label = "held"}, hold, begun, may_end);
    begun.wait();
    const view::ForeignPool seen = only_pool();
    std::random_device entropy;
    const auto seed = entropy();
    INFO("seed " << seed);
    std::mt19937_64 random{seed};
    const Copy copy{seen};
    const auto count = static_cast<std::size_t>(sizeof(BoardHead) / sizeof(std::uint64_t));
    std::vector<std::uint64_t> before(copy.size() / 8);
    REQUIRE(::pread(copy.number(), before.data(), before.size() * 8, 0) == static_cast<ssize_t>(before.size() * 8));
    const std::array<std::uint64_t, 8> values{
        0, 1, 0xffff, 0xffffffff, 1U << 20, UINT64_MAX, std::uint64_t{1} << 63, seen.view.queue.capacity};
    for (int round = 0; round < 2000; ++round) {
        std::vector<std::size_t> places;
        for (std::size_t i = 1 + random() % 20; i > 0; --i) {
            // The first three words say whether it is one at all.
            const bool in_head = random() % 2 == 0;
            places.push_back(3 + random() % ((in_head ? count : before.size()) - 3));
            const std::uint64_t value = random() % 3 == 0 ? random() : values[random() % values.size()];
            copy.write(places.back() * 8, value);
        }
        static_cast<void>(copy.look());
        for (const std::size_t place : places) { copy.write(place * 8, before[place]); }
    }
    const view::Look last = copy.look();
    REQUIRE(last.pool.has_value());
    CHECK(last.pool->view.name == seen.view.name);
    may_end.set();
}

TEST_CASE("memory that is cut off while it is read is told") {
    ProcessPool pool{PoolOptions{.workers = 2}};
    const Copy copy{only_pool()};
    std::atomic<bool> may_end{false};
    std::thread cutter{[&] {
        while (!may_end) {
            if (::ftruncate(copy.number(), 0) != 0) { return; }
            if (::ftruncate(copy.number(), static_cast<off_t>(copy.head().size)) != 0) { return; }
            copy.write(0, BoardHead::right_magic);
            copy.write(8, detail::task::layout_of_board());
            copy.write(16, copy.head().size);
            copy.say_it_is_ours();
        }
    }};
    for (int i = 0; i < 5000; ++i) { static_cast<void>(copy.look()); }
    may_end = true;
    cutter.join();
}

TEST_CASE("a program that is killed while it is looked at is gone") {
    std::random_device entropy;
    const auto seed = entropy();
    INFO("seed " << seed);
    std::mt19937 random{seed};
    std::size_t seen = 0;
    for (int round = 0; round < 30; ++round) {
        SharedPage page;
        const Gate is_built{page};
        const pid_t program = start_child([&] {
            ProcessPool pool{PoolOptions{.workers = 2}};
            is_built.set();
            for (;;) {
                pool.apply(+[] {});
            }
            return 0;
        });
        is_built.wait();
        const os::OpenFiles found = view::find_pools(program);
        REQUIRE(found.files.size() == 1);
        const auto killed_after = random() % 20;
        for (unsigned look = 0;; ++look) {
            if (look == killed_after) { ::kill(program, SIGKILL); }
            const view::Look now = view::read_pool(found.files.front());
            if (now.pool) { ++seen; }
            CHECK(now.why_not.empty());
            if (look >= killed_after && !now.pool) { break; }
        }
        CHECK(wait_for_child(program) == SIGKILL);
    }
    CHECK(seen > 0);
}
