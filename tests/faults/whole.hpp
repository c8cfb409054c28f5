// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The conditions that must hold of a pool after something has died: all workers, and nothing of the dead.

#include <procpool/client/client.hpp>
#include <procpool/task/board.hpp>

#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <procpool/client/client.hpp>
#include <procpool/task/board.hpp>

#include <atomic>
#include <set>
#include <string>
#include <vector>

namespace procpool_test {

/// The time in which a pool must have got over a death.
inline constexpr std::chrono::seconds recovery{under_sanitizer ? 20 : 2};

// An explicit instantiation may name private members: tests look at the board, users cannot.
detail::client::Client* client_of(const detail::PoolBase& pool);
template <auto member>
struct ClientOf {
    friend detail::client::Client* client_of(const detail::PoolBase& pool) { return pool.*member; }
};
template struct ClientOf<&detail::PoolBase::client_>;

[[nodiscard]] inline detail::task::Board& board_of(const detail::PoolBase& pool) { return client_of(pool)->board(); }

[[nodiscard]] inline std::size_t slots_in_use(const Pool& pool) {
    std::size_t count = 0;
    for (const detail::task::Slot& slot : board_of(pool).all_slots()) {
        if (detail::task::Word{slot.word.load()}.phase() != detail::task::Phase::free) { ++count; }
    }
    return count;
}
[[nodiscard]] inline std::uint32_t extents_in_use(const Pool& pool) {
    return board_of(pool).results.extents().was_owned() + board_of(pool).arguments.extents().was_owned();
}

/// Uses its processor and makes no call.
[[noreturn]] inline void spin_for_ever() {
    for (std::atomic<int> round{0};; round.store(1, std::memory_order_relaxed)) {}
}

/// Has every worker of a pool do something at the same time. Made before the pool, whose workers inherit the page.
class Muster {
public:
    Muster() : arrived_(page_) {}

    /// Returns when size() tasks have been running at once, which takes as many workers as can take tasks.
    void call(Pool& pool, std::chrono::nanoseconds limit = recovery) {
        const auto all = static_cast<std::int64_t>(pool.size());
        expected_ += all;
        std::vector<Future<void>> tasks;
        for (std::size_t i = 0; i < pool.size(); ++i) {
            tasks.push_back(pool.apply_async(
                [](Counter arrived, std::int64_t expected) {
                    arrived.add();
                    arrived.wait_for(expected);
                },
                arrived_, expected_));
        }
        for (Future<void>& task : tasks) { get_soon(task, limit); }
    }

private:
    SharedPage page_;
    Counter arrived_;
    std::int64_t expected_ = 0;
};

/// Throws unless all workers are there soon, each with its index and a living process.
inline void wait_for_full_set(const Pool& pool, std::chrono::nanoseconds limit = recovery) {
    const auto is_full = [&] {
        std::set<std::size_t> indices;
        const std::vector<WorkerInfo> workers = pool.workers();
        for (const WorkerInfo& info : workers) {
            if (!is_alive(info.pid)) { return false; }
            indices.insert(info.index);
        }
        return workers.size() == pool.size() && indices.size() == pool.size() && *indices.rbegin() == pool.size() - 1;
    };
    try {
        wait_until(is_full, "a full set of workers", limit);
    } catch (const std::runtime_error& error) {
        std::string text = error.what();
        for (const detail::task::Seat& seat : board_of(pool).seats()) {
            text += fmt::format("; index {} pid {} state {}", seat.index.load(), seat.pid.load(),
                                static_cast<int>(seat.state.load()));
        }
        throw std::runtime_error(text);
    }
}

/// Requires: no future of the pool is held. Throws unless the pool is soon as good as new.
inline void require_whole(Pool& pool, Muster& muster) {
    wait_for_full_set(pool);
    muster.call(pool);
    wait_until([&] { return slots_in_use(pool) == 0; }, "slots to be free", recovery);
    wait_until([&] { return extents_in_use(pool) == 0; }, "extents to be free", recovery);
}

}  // namespace procpool_test
