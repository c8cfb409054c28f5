// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/scatter.hpp>

#include <procpool/client/client.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/scope.hpp>
#include <procpool/future/task_handle.hpp>
#include <procpool/pool/each_worker.hpp>
#include <procpool/task/thread_context.hpp>

#include <cstring>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::map {

PROCPOOL_DECL task::KeptPart& part_here(std::uint64_t number) {
    return *task::thread_context.task->parts().find(number);
}

PROCPOOL_DECL bool find_part(TaskFrame& frame, Reader& in,
                             core::FunctionRef<std::unique_ptr<task::KeptPart>(Reader&)> keep) {
    PartHead head{};
    in.read(&head, sizeof head);
    task::KeptParts& parts = frame.host.parts();
    if (head.sent != 0) {
        Reader part = in.take_part(head.sent);
        if (parts.find(head.number) == nullptr) { parts.keep(head.number, keep(part)); }
    }
    const PartFound found = parts.find(head.number) != nullptr ? PartFound::yes : PartFound::no;
    frame.result.write(&found, sizeof found);
    return found == PartFound::yes;
}

inline void drop_code(TaskFrame& frame) {
    Reader in{frame.arguments};
    std::uint64_t number = 0;
    in.read(&number, sizeof number);
    frame.host.parts().drop(number);
}

/// Effects: has workers drop the parts that no handle needs, as far as there is room in the queue.
inline void drop_unwanted(client::Client& client) {
    client::EveryWorker& all = client.every_worker();
    std::vector<client::EveryWorker::Unwanted> unwanted;
    {
        const std::lock_guard guard{all.dropping};
        unwanted.swap(all.unwanted);
    }
    const core::OnExit keep_rest{[&] {
        try {
            const std::lock_guard guard{all.dropping};
            all.unwanted.insert(all.unwanted.end(), unwanted.begin(), unwanted.end());
        } catch (const std::bad_alloc&) {}  // those stay until their workers end
    }};
    std::erase_if(unwanted, [&](const client::EveryWorker::Unwanted& part) {
        const std::optional<client::Ticket> ticket = client.submit(
            {.code = drop_code, .patience = client::Patience::try_once, .plain = true, .worker = part.worker},
            [&](Writer& out) { out.write(&part.number, sizeof part.number); });
        if (ticket) { TaskHandle{client, *ticket}.set_observed(); }  // a worker that dies takes the part along
        return ticket.has_value();
    });
}

[[nodiscard]] inline bool is_lost(const client::Taken& taken) {
    return taken.ending() == Ending::value && (taken.bytes().empty() || taken.bytes()[0] == std::byte{0});
}

PROCPOOL_DECL ScatteredBase::ScatteredBase(client::Client& client, std::uint32_t parts, bool remakes, TaskCode keep,
                                           core::FunctionRef<void(Writer&, std::uint32_t)> encode)
    : client_(client),
      number_(client.every_worker().scattered.fetch_add(1, std::memory_order_relaxed) + 1),
      count_(parts),
      copies_(remakes ? count_ : 0) {
    try {
        drop_unwanted(client);
        const auto write = [&](Writer& out, std::uint32_t part) {
            PartHead head{number_, 0};
            out.write(&head, sizeof head);
            encode(out, part);
            const auto bytes = out.buffer().first(out.size()).subspan(sizeof head);
            head.sent = bytes.size();
            std::memcpy(out.buffer().data(), &head, sizeof head);
            if (remakes) { copies_[part].assign(bytes.begin(), bytes.end()); }
        };
        std::vector<TaskHandle> tasks = pool::submit_to_each(client, "procpool: scatter() in a task of the pool",
                                                             {.code = keep}, pool::first_workers(count_), write);
        pool::wait_for_all(tasks);
        for (TaskHandle& task : tasks) { task.take().require_value(); }
    } catch (...) {
        drop();
        throw;
    }
}

PROCPOOL_DECL ScatteredBase& ScatteredBase::operator=(ScatteredBase&& other) noexcept {
    if (this == &other) { return *this; }
    drop();
    client_ = std::move(other.client_);
    number_ = other.number_;
    count_ = other.count_;
    copies_ = std::move(other.copies_);
    return *this;
}

PROCPOOL_DECL void ScatteredBase::drop() noexcept {
    if (!client_ || !client_.is_mine()) { return; }
    try {
        {
            client::EveryWorker& all = client_->every_worker();
            const std::lock_guard guard{all.dropping};
            for (std::uint32_t worker = 0; worker < count_; ++worker) { all.unwanted.push_back({number_, worker}); }
        }
        drop_unwanted(*client_);
    } catch (...) {  // the pool is closed, and its workers are about to end
    }
}

PROCPOOL_DECL client::Client& ScatteredBase::client() const {
    if (!client_) { throw std::logic_error("procpool: this handle has no parts, or they have been moved from it"); }
    if (!client_.is_mine()) { throw std::logic_error("procpool: these parts belong to another process"); }
    return *client_;
}

PROCPOOL_DECL std::vector<client::Taken> ScatteredBase::run(TaskCode code, const TaskOptions* options,
                                                            client::Encode call) const {
    client::Client& to = client();
    drop_unwanted(to);
    client::Submission task{.code = code};
    if (options != nullptr) { pool::set_options(task, *options); }
    constexpr const char* deadlock = "procpool: a call on the parts of a range in a task of the pool";
    const auto run_on = [&](std::span<const std::uint32_t> parts, bool send) {
        std::vector<TaskHandle> tasks =
            pool::submit_to_each(to, deadlock, task, parts, [&](Writer& out, std::uint32_t part) {
                const PartHead head{number_, send ? copies_[part].size() : 0};
                out.write(&head, sizeof head);
                if (send) { out.write(copies_[part].data(), copies_[part].size()); }
                call(out);
            });
        pool::wait_for_all(tasks);
        return tasks;
    };
    std::vector<TaskHandle> tasks = run_on(pool::first_workers(count_), false);
    std::vector<std::optional<client::Taken>> ended(count_);
    std::vector<std::uint32_t> lost;
    for (std::uint32_t part = 0; part < count_; ++part) {
        ended[part].emplace(tasks[part].take());
        if (is_lost(*ended[part])) { lost.push_back(part); }
    }
    if (!lost.empty() && !copies_.empty()) {
        std::vector<TaskHandle> again = run_on(lost, true);
        for (std::size_t i = 0; i < lost.size(); ++i) { ended[lost[i]].emplace(again[i].take()); }
    }
    std::vector<client::Taken> all;
    all.reserve(count_);
    for (std::uint32_t part = 0; part < count_; ++part) {
        ended[part]->require_value();
        if (is_lost(*ended[part])) { throw PartLost(part); }
        all.push_back(std::move(*ended[part]));
    }
    return all;
}

}  // namespace procpool::detail::map
