// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/deadline.hpp>
#include <procpool/os/region_file.hpp>
#include <procpool/task/board.hpp>
#include <procpool/view/board_parts.hpp>
#include <procpool/view/foreign_pool.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>
#include <tuple>

namespace procpool::inline v0::detail::view {

/// Copies of what a file holds. A part that does not lie in the file, or has more than there can be, is not read.
class BoardCopy {
public:
    explicit BoardCopy(const os::MemoryFile& file) : file_(file) {}

    /// Returns: whether all that there must be could be read.
    [[nodiscard]] bool read() {
        if (!file_.read(0, &head_, sizeof head_) || !read_array(head_.control, &control_, 1) ||
            !read_array(head_.from_workers, &from_workers_, 1)) {
            return false;
        }
        unsigned char measures = 0;  // the one truth value that is looked at; any byte may be there
        std::memcpy(&measures, &control_.measures, sizeof measures);
        control_.measures = measures != 0;
        constexpr std::uint64_t most_seats = task::Word::most_seats;
        seats_ = part<task::Seat>(head_.seats, most_seats);
        sitters_ = part<std::atomic<std::int32_t>>(head_.sitters, most_seats);
        if (control_.measures) { latencies_ = part<task::Latencies>(head_.latencies, most_seats); }
        return !seats_.empty() && sitters_.size() == seats_.size();
    }
    /// Whether the board was one all the time. A program that ends gives the memory back, which reads as zero then.
    [[nodiscard]] bool is_still_there() const noexcept {
        std::uint64_t magic = 0;
        return file_.read(0, &magic, sizeof magic) && magic == task::BoardHead::right_magic;
    }

    [[nodiscard]] PoolView view() const {
        PoolView view = view_of({&head_, &control_, &from_workers_, seats_, sitters_, latencies_});
        read_queue(view.queue);
        for (WorkerView& worker : view.workers) {
            if (worker.state == WorkerView::State::busy) { worker.task = task_on(worker.seat); }
        }
        return view;
    }

private:
    /// Returns: whether the element lies in the file, and could be read.
    template <class T>
    [[nodiscard]] bool read_array(task::BoardHead::Part where, T* to, std::uint64_t count,
                                  std::uint64_t first = 0) const noexcept {
        if (first > where.count || count > where.count - first || where.offset > file_.size() ||
            where.count > (file_.size() - where.offset) / sizeof(T)) {
            return false;
        }
        return file_.read(where.offset + first * sizeof(T), static_cast<void*>(to),
                          static_cast<std::size_t>(count) * sizeof(T));
    }
    template <class T>
    [[nodiscard]] std::span<const T> part(task::BoardHead::Part where, std::uint64_t most) {
        if (where.count > most) { return {}; }
        auto& kept = std::get<std::vector<T>>(kept_);
        kept = std::vector<T>(static_cast<std::size_t>(where.count));
        return read_array(where, kept.data(), where.count) ? std::span<const T>{kept} : std::span<const T>{};
    }

    void read_queue(QueueView& queue) const {
        const std::uint64_t parents = std::min<std::uint64_t>(head_.parents_slots, head_.all_slots.count);
        const std::uint64_t used =
            std::min<std::uint64_t>(control_.slots_used.load(std::memory_order_relaxed), parents);
        const std::uint64_t guests = std::min<std::uint64_t>(from_workers_.guests.used.load(std::memory_order_relaxed),
                                                             head_.all_slots.count - parents);
        constexpr std::uint64_t at_a_time = 512;
        std::vector<task::Slot> copies(at_a_time);
        std::vector<task::Issue> issues(at_a_time);
        constexpr std::uint64_t most = std::uint64_t{1} << 16;  // a snapshot must stay cheap
        const std::uint64_t looked_at = std::min(used, most);
        for (std::uint64_t at = 0; at < looked_at; at += at_a_time) {
            const std::uint64_t count = std::min(at_a_time, looked_at - at);
            const auto size = static_cast<std::size_t>(count);
            if (!read_array(head_.all_slots, copies.data(), count, at) ||
                !read_array(head_.issues, issues.data(), count, at)) {
                return;
            }
            add_to_queue(queue, std::span{copies}.first(size), std::span{issues}.first(size));
        }
        if (used > most) { queue.scale(static_cast<double>(used) / static_cast<double>(most)); }
        for (std::uint64_t at = 0; at < guests; at += at_a_time) {
            const std::uint64_t count = std::min(at_a_time, guests - at);
            if (!read_array(head_.all_slots, copies.data(), count, parents + at)) { return; }
            add_to_queue(queue, std::span{copies}.first(static_cast<std::size_t>(count)), {});
        }
    }

    [[nodiscard]] std::optional<TaskView> task_on(std::uint32_t number) const {
        const task::Seat& seat = seats_[number];
        const std::uint32_t current = seat.current.load(std::memory_order_relaxed);
        const std::uint64_t place = std::uint64_t{current} - 1;
        task::Slot slot{};
        if (current == 0 || place >= head_.all_slots.count || !read_array(head_.all_slots, &slot, 1, place)) {
            return std::nullopt;
        }
        const task::Word word{slot.word.load(std::memory_order_relaxed)};
        if (word.phase() != task::Phase::started || word.seat() != number) {
            return std::nullopt;
        }  // it is done by now
        TaskView view;
        view.slot = static_cast<std::uint32_t>(place);
        view.generation = word.generation();
        const bool is_guests = place >= head_.parents_slots;
        const bool is_limited = slot.has(task::Slot::limited);
        if (is_guests) {
            task::Guest guest{};
            if (read_array(head_.guests, &guest, 1, place - head_.parents_slots)) {
                view.number = guest.number.load(std::memory_order_relaxed) & ~task::Guests::number_bit;
                view.timeout = timeout_of(is_limited, guest.issue);
            }
        } else {
            view.number = number_of(place);
            task::Issue issue{};
            if (read_array(head_.issues, &issue, 1, place)) { view.timeout = timeout_of(is_limited, issue); }
        }
        view.attempt = is_limited ? slot.attempt : 0U;
        const auto is_its = [&](std::uint64_t record) { return record >> 32 == word.generation() && record != 0; };
        if (const std::uint64_t progress = seat.progress.load(std::memory_order_relaxed); is_its(progress)) {
            view.items_done = static_cast<std::uint32_t>(progress);
        }
        std::int64_t started = 0;
        if (is_its(seat.item.load(std::memory_order_relaxed)) && !view.items_done) {
            started = seat.task_started.load(std::memory_order_relaxed);
        }
        task::TaskLabel label{};
        if (slot.is_clocked() && read_array(head_.labels, &label, 1, place)) {
            if (slot.is_labelled()) { view.label = task::text_within(label.text); }
            if (slot.is_labelled() || slot.is_traced()) { started = label.started.load(std::memory_order_relaxed); }
        }
        const std::int64_t age = Clock::now().time_since_epoch().count() - started;
        if (started > 0 && age >= 0) { view.age = static_cast<double>(age) / 1e9; }
        return view;
    }

    [[nodiscard]] static std::optional<double> timeout_of(bool is_limited, const task::Issue& issue) noexcept {
        const std::chrono::nanoseconds limit = issue.time_limit();
        return is_limited && limit.count() > 0 ? std::optional{static_cast<double>(limit.count()) / 1e9} : std::nullopt;
    }
    [[nodiscard]] std::optional<std::uint64_t> number_of(std::uint64_t slot) const noexcept {
        constexpr std::uint64_t most = 4096;
        std::uint64_t number = 0;
        if (slot >= head_.notes.count || head_.note_size > most || head_.notes.offset > file_.size() ||
            !file_.read(head_.notes.offset + slot * head_.note_size, &number, sizeof number) || number == 0) {
            return std::nullopt;
        }
        return number;
    }

    const os::MemoryFile& file_;
    task::BoardHead head_{};
    task::Control control_{};
    task::FromWorkers from_workers_{};
    std::tuple<std::vector<task::Seat>, std::vector<std::atomic<std::int32_t>>, std::vector<task::Latencies>> kept_;
    std::span<const task::Seat> seats_;
    std::span<const std::atomic<std::int32_t>> sitters_;
    std::span<const task::Latencies> latencies_;
};

/// Returns: why this is no board to be read; empty: it is, or will be one. is_one: whether it is.
[[nodiscard]] inline std::string refusal_of(const os::MemoryFile& file, bool& is_one) {
    is_one = false;
    struct {
        std::uint64_t magic;
        std::uint64_t layout;
        std::uint64_t size;
    } first{};
    if (!file.read(0, &first, sizeof first)) { return "its memory is smaller than a pool's"; }
    if (first.magic == 0) { return {}; }
    if (first.magic != task::BoardHead::right_magic) { return "its memory is no pool's"; }
    if (first.layout != task::layout_of_board()) { return "another version of procpool, or another compiler's"; }
    if (first.size != file.size()) { return "its memory has another size than the pool's"; }
    is_one = true;
    return {};
}

/// Effects: adds what /proc says. Returns: false when the supervisor has ended.
[[nodiscard]] inline bool ask(ForeignPool& pool, std::int32_t supervisor_pid) {
    const std::optional<os::ProcessUse> supervisor = os::use_of_process(supervisor_pid, false);
    if (!supervisor || supervisor->has_ended) { return false; }
    pool.asked_at = Clock::now().time_since_epoch().count();
    pool.supervisor = supervisor_pid;
    pool.program = supervisor->parent;
    if (const auto program = os::use_of_process(pool.program, false)) { pool.program_name = program->name; }
    add_use(pool.view, supervisor_pid);
    return true;
}

/// As ask(), from memory. Returns: false when a worker is not known.
[[nodiscard]] inline bool recall(ForeignPool& pool, const ForeignPool& known) {
    for (WorkerView& worker : pool.view.workers) {
        const auto same = std::ranges::find(known.view.workers, worker.pid, &WorkerView::pid);
        if (same == known.view.workers.end()) { return false; }
        worker.resident_bytes = same->resident_bytes;
        worker.shared_bytes = same->shared_bytes;
        worker.cpu_seconds = same->cpu_seconds;
    }
    pool.asked_at = known.asked_at;
    pool.supervisor = known.supervisor;
    pool.program = known.program;
    pool.program_name = known.program_name;
    return true;
}

inline Look read_pool(os::OpenFile where, const ForeignPool* known, std::chrono::nanoseconds fresh) {
    const os::MemoryFile file = os::MemoryFile::open(where);
    if (!file) {
        const bool is_gone = errno == ENOENT || errno == ESRCH;
        return {std::nullopt, is_gone ? std::string{} : std::system_category().message(errno), !is_gone};
    }
    bool is_one = false;
    std::string why_not = refusal_of(file, is_one);
    if (!is_one) { return {std::nullopt, std::move(why_not), true}; }
    const auto copy = std::make_unique<BoardCopy>(file);
    if (!copy->read()) { return {std::nullopt, copy->is_still_there() ? "its memory is damaged" : "", true}; }
    ForeignPool pool;
    pool.view = copy->view();
    const bool is_supervisor =
        pool.view.supervisor == where.pid || pool.view.supervisor == os::own_number_of(where.pid);
    if (!copy->is_still_there() || !is_supervisor) { return {std::nullopt, {}, true}; }
    pool.device = file.device();
    pool.inode = file.inode();
    const bool is_known = known != nullptr && known->supervisor == where.pid && known->device == pool.device &&
                          known->inode == pool.inode &&
                          Clock::now().time_since_epoch().count() - known->asked_at < fresh.count();
    if (!(is_known && recall(pool, *known)) && !ask(pool, where.pid)) { return {}; }
    return {std::move(pool), {}, true};
}

inline os::OpenFiles find_pools(std::span<const std::int32_t> of, std::int32_t only) {
    os::OpenFiles found = os::files_in_memory(os::RegionFile::prefix, of);
    if (only == 0) { return found; }
    const auto parent_of = [](std::int32_t pid) {
        const auto use = os::use_of_process(pid, false);
        return use ? use->parent : 0;
    };
    const std::int32_t its_parent = parent_of(only);
    std::erase_if(found.files, [&](os::OpenFile file) {
        return file.pid != only && file.pid != its_parent && parent_of(file.pid) != only;
    });
    return found;
}

}  // namespace procpool::detail::view
