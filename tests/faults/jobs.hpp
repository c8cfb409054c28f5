// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Jobs: calls to a pool whose results are known, so that each can be judged: right, dead with its worker, or wrong.

#include "faults/whole.hpp"

#include <functional>
#include <future>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace procpool_test {

/// The outcome of a job: empty text when its result is right.
struct JobEnd {
    std::string text;
    pid_t died = 0;  // the process a WorkerDied named
};

struct Job {
    std::function<bool()> ready;
    std::function<JobEnd()> end;
};
using Jobs = std::vector<Job>;

template <class Get, class T>
JobEnd judge(Get get, const T& expected) {
    try {
        return get() == expected ? JobEnd{} : JobEnd{"a wrong result"};
    } catch (const WorkerDied& died) { return {died.what(), died.pid()}; } catch (const std::exception& error) {
        return {error.what()};
    }
}

template <class T>
[[nodiscard]] Job job(Future<T> future, T expected) {
    auto held = std::make_shared<Future<T>>(std::move(future));
    return {[held] { return held->ready(); },
            [held, expected = std::move(expected)] { return judge([&] { return held->get(); }, expected); }};
}

/// A call that blocks, on a thread of its own.
template <class T, class F>
[[nodiscard]] Job blocking_job(F call, T expected) {
    auto held = std::make_shared<std::future<T>>(std::async(std::launch::async, std::move(call)));
    return {[held] { return held->wait_for(0s) == std::future_status::ready; },
            [held, expected = std::move(expected)] { return judge([&] { return held->get(); }, expected); }};
}

[[nodiscard]] inline std::size_t count_ready(const Jobs& jobs) {
    std::size_t count = 0;
    for (const Job& one : jobs) { count += one.ready() ? 1U : 0U; }
    return count;
}

// ---- tasks

[[nodiscard]] inline int seven_times(int i) { return 7 * i; }

/// About 2 MB, grown step by step.
[[nodiscard]] inline std::vector<std::string> pile(int i) {
    std::vector<std::string> strings;
    for (int n = 0; n < 7; ++n) {
        strings.emplace_back(static_cast<std::size_t>(300'000 + 10 * n + i), static_cast<char>('a' + (i + n) % 26));
    }
    return strings;
}

/// Up to 400 KB.
[[nodiscard]] inline std::string item(int i) {
    return std::string(static_cast<std::size_t>(i % 4) * 130'000 + 5, static_cast<char>('a' + i % 26));
}

[[nodiscard]] inline Jobs small_jobs(Pool& pool, int count, const TaskOptions& options = {}) {
    Jobs jobs;
    for (int i = 0; i < count; ++i) {
        TaskOptions mine = options;
        mine.priority = i % 10 == 9 ? 3 - i / 10 % 8 : 0;
        jobs.push_back(job(pool.apply_async(mine, seven_times, i), seven_times(i)));
    }
    return jobs;
}
[[nodiscard]] inline Jobs big_jobs(Pool& pool, int count, const TaskOptions& options = {}) {
    Jobs jobs;
    for (int i = 0; i < count; ++i) { jobs.push_back(job(pool.apply_async(options, pile, i), pile(i))); }
    return jobs;
}
[[nodiscard]] inline Jobs map_jobs(Pool& pool, const MapOptions& options) {
    std::vector<int> input(36);
    std::iota(input.begin(), input.end(), 0);
    std::vector<std::string> expected;
    for (const int i : input) { expected.push_back(item(i)); }
    Jobs jobs = small_jobs(pool, 10);
    jobs.push_back(blocking_job([&pool, options, input] { return pool.map(options, item, input); }, expected));
    return jobs;
}

}  // namespace procpool_test
