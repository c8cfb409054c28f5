// SPDX-License-Identifier: BSL-1.0
#include "watcher.hpp"

#include <algorithm>
#include <tuple>

namespace procpool_top {

namespace {

[[nodiscard]] double seconds(std::chrono::steady_clock::duration time) {
    return std::chrono::duration<double>(time).count();
}

[[nodiscard]] std::string name_of(std::int32_t pid) {
    const auto use = procpool::detail::os::use_of_process(pid);
    return use ? use->name : std::string{};
}

}  // namespace

void Watcher::find() {
    found_ = view::find_pools(only_);
    if (only_ != 0 && found_.files.empty()) { found_.hidden = procpool::detail::os::files_in_memory("", only_).hidden; }
    found_at_ = Clock::now();
}

Snapshot Watcher::look() {
    const Clock::time_point begin = Clock::now();
    Snapshot snapshot;
    constexpr std::chrono::seconds often_enough{1};
    for (bool again = !found_at_ || begin - *found_at_ >= often_enough;; again = true) {
        if (again) { find(); }
        snapshot.pools.clear();
        snapshot.refused.clear();
        bool is_any_gone = false;
        for (const procpool::detail::os::OpenFile& file : found_.files) {
            view::Look look = view::read_pool(file);
            if (look.pool) {
                snapshot.pools.push_back(compare(std::move(*look.pool), Clock::now()));
            } else if (look.why_not.empty()) {
                is_any_gone = true;
            } else {
                snapshot.refused.push_back({file.pid, name_of(file.pid), std::move(look.why_not)});
            }
        }
        if (!is_any_gone || again) { break; }
    }
    if (only_ != 0 && found_.hidden != 0) {
        snapshot.refused.push_back({only_, name_of(only_), "it belongs to another user"});
    }
    snapshot.hidden = found_.hidden;
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
    Before record{now, shown.pool.view.all_ended(), {}};
    if (last != before_.end()) { shown.rate = rate(last->second.ended, record.ended); }
    for (const view::WorkerView& worker : shown.pool.view.workers) {
        WorkerChange change;
        Worker noted{worker.tasks_done, worker.cpu_seconds, {}};
        const Worker* before = nullptr;
        if (last != before_.end()) {
            const auto found = last->second.workers.find(worker.pid);
            if (found != last->second.workers.end()) { before = &found->second; }
        }
        if (before != nullptr) {
            change.rate = rate(before->tasks_done, worker.tasks_done);
            if (before->cpu_seconds && worker.cpu_seconds) {
                change.cpu = rate(*before->cpu_seconds, *worker.cpu_seconds);
            }
        }
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
