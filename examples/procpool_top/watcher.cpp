// SPDX-License-Identifier: BSL-1.0
#include "watcher.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace procpool_top {

namespace os = procpool::detail::os;

namespace {

[[nodiscard]] double seconds(std::chrono::steady_clock::duration time) {
    return std::chrono::duration<double>(time).count();
}

[[nodiscard]] std::string name_of(std::int32_t pid) {
    const auto use = os::use_of_process(pid, false);
    return use ? use->name : std::string{};
}

}  // namespace

void Watcher::find(Clock::time_point now) {
    constexpr std::chrono::seconds often_enough{60};
    if (!found_all_at_ || now - *found_all_at_ >= often_enough) {
        processes_.clear();
        found_ = {};
        found_all_at_ = now;
    }
    const std::vector<pid_t> all = os::all_processes();
    std::vector<pid_t> fresh;
    std::ranges::copy_if(all, std::back_inserter(fresh), [this](pid_t pid) { return !processes_.contains(pid); });
    processes_ = {all.begin(), all.end()};
    const auto is_gone = [this](pid_t pid) { return !processes_.contains(pid); };
    std::erase_if(found_.files, [&](const os::OpenFile& file) { return is_gone(file.pid); });
    std::erase_if(found_.hidden, is_gone);
    os::OpenFiles more = view::find_pools(fresh, only_);
    std::ranges::move(more.files, std::back_inserter(found_.files));
    std::ranges::move(more.hidden, std::back_inserter(found_.hidden));
    found_at_ = now;
}

Snapshot Watcher::look() {
    const Clock::time_point begin = Clock::now();
    Snapshot snapshot;
    constexpr std::chrono::seconds often_enough{2};
    for (bool again = !found_at_ || begin - *found_at_ >= often_enough;; again = true) {
        if (again) { find(begin); }
        snapshot.pools.clear();
        snapshot.refused.clear();
        const std::size_t before = found_.files.size();
        std::erase_if(found_.files, [&](const os::OpenFile& file) {
            constexpr std::chrono::milliseconds fresh_enough{450};  // for what /proc says
            const auto known =
                std::ranges::find_if(before_, [&](const auto& one) { return one.second.pool.supervisor == file.pid; });
            view::Look look =
                view::read_pool(file, known != before_.end() ? &known->second.pool : nullptr, fresh_enough);
            if (look.pool) {
                snapshot.pools.push_back(compare(std::move(*look.pool), Clock::now()));
            } else if (!look.why_not.empty()) {
                snapshot.refused.push_back({file.pid, name_of(file.pid), std::move(look.why_not)});
            }
            return !look.is_open;
        });
        const bool is_any_gone = found_.files.size() != before;
        if (!is_any_gone || again) { break; }
    }
    if (std::ranges::find(found_.hidden, only_) != found_.hidden.end()) {
        snapshot.refused.push_back({only_, name_of(only_), "it belongs to another user"});
    }
    snapshot.hidden = found_.hidden.size();
    std::erase_if(before_, [&](const auto& one) {
        return std::ranges::none_of(snapshot.pools, [&](const ShownPool& shown) {
            return Name{shown.pool.device, shown.pool.inode} == one.first;
        });
    });
    std::ranges::sort(snapshot.pools, {}, [](const ShownPool& shown) {
        return std::tuple{shown.pool.program, shown.pool.inode};
    });
    snapshot.time = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    snapshot.took = seconds(Clock::now() - begin);
    return snapshot;
}

ShownPool Watcher::compare(view::ForeignPool pool, Clock::time_point now) {
    ShownPool shown{std::move(pool), {}, {}};
    const Name name{shown.pool.device, shown.pool.inode};
    const auto last = before_.find(name);
    const double passed = last != before_.end() ? seconds(now - last->second.when) : 0;
    const auto rate = [passed](auto before, auto after) -> std::optional<double> {
        if (passed <= 0) { return std::nullopt; }
        return after > before ? static_cast<double>(after - before) / passed : 0;
    };
    Before record{now, shown.pool.view.all_ended(), shown.pool, {}};
    if (last != before_.end()) { shown.rate = rate(last->second.ended, record.ended); }
    for (const view::WorkerView& worker : shown.pool.view.workers) {
        WorkerChange change;
        Worker noted{worker.tasks_done, worker.cpu_seconds, {}, {}};
        const Worker* before = nullptr;
        if (last != before_.end()) {
            const auto found = last->second.workers.find(worker.pid);
            if (found != last->second.workers.end()) { before = &found->second; }
        }
        if (before != nullptr) {
            change.rate = rate(before->tasks_done, worker.tasks_done);
            const double asked = static_cast<double>(shown.pool.asked_at - last->second.pool.asked_at) / 1e9;
            change.cpu = before->cpu;
            if (before->cpu_seconds && worker.cpu_seconds && asked > 0) {
                change.cpu = std::max(0.0, *worker.cpu_seconds - *before->cpu_seconds) / asked;
            }
        }
        noted.cpu = change.cpu;
        if (worker.task) {
            const view::TaskView& task = *worker.task;
            const bool is_known = before != nullptr && before->task && before->task->slot == task.slot &&
                                  before->task->generation == task.generation;
            noted.task = is_known ? *before->task : Task{task.slot, task.generation, now};
            change.age = task.age;
            if (!task.age && is_known) {
                change.age = seconds(now - noted.task->seen);
                change.age_is_minimum = true;
            }
        }
        record.workers[worker.pid] = noted;
        shown.workers.push_back(change);
    }
    before_[name] = std::move(record);
    return shown;
}

}  // namespace procpool_top
