// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// A pool as one writes it with Boost.Interprocess: forked workers, a message_queue with the tasks, one with the
/// answers. Only captureless functions of a number travel.

#include <boost/interprocess/ipc/message_queue.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace benchmarks {

class MessageQueue {
public:
    static constexpr std::size_t slowness = 20;

    explicit MessageQueue(std::size_t workers) {
        for (std::size_t i = 0; i < workers; ++i) {
            const pid_t child = ::fork();
            if (child == 0) { work(); }
            workers_.push_back(child);
        }
    }
    MessageQueue(const MessageQueue&) = delete;
    MessageQueue& operator=(const MessageQueue&) = delete;
    ~MessageQueue() {
        for (std::size_t i = 0; i < workers_.size(); ++i) { send({0, nullptr, 0}); }
        for (const pid_t worker : workers_) { ::waitpid(worker, nullptr, 0); }
    }

    template <class Result>
    struct Future {
        MessageQueue* queue;
        std::uint64_t id;
        Result get() {
            const std::uint64_t answer = queue->wait(id);
            if constexpr (!std::is_void_v<Result>) { return static_cast<Result>(answer); }
        }
    };

    template <class F, class... Args>
    requires std::is_empty_v<F>
    auto submit(F /*f*/, Args... args) {
        using Result = std::invoke_result_t<F, Args...>;
        const auto call = [](std::uint64_t argument) -> std::uint64_t {
            static_cast<void>(argument);
            if constexpr (std::is_void_v<Result>) {
                F{}(static_cast<Args>(argument)...);
                return 0;
            } else {
                return static_cast<std::uint64_t>(F{}(static_cast<Args>(argument)...));
            }
        };
        send({++last_id_, call, (std::uint64_t{0} + ... + static_cast<std::uint64_t>(args))});
        return Future<Result>{this, last_id_};
    }

private:
    using Queue = boost::interprocess::message_queue;
    struct Task {
        std::uint64_t id;
        std::uint64_t (*call)(std::uint64_t);
        std::uint64_t argument;
    };
    struct Answer {
        std::uint64_t id;
        std::uint64_t value;
    };

    /// No other program finds it, and nothing of it stays behind.
    struct Unnamed {
        Unnamed(const std::string& name, std::size_t size)
            : queue(boost::interprocess::create_only, name.c_str(), capacity, size) {
            Queue::remove(name.c_str());
        }
        Queue queue;
    };

    [[noreturn]] void work() {
        for (Task task{}; tasks_.queue.receive(&task, sizeof(task), received_, priority_), task.call != nullptr;) {
            const Answer answer{task.id, task.call(task.argument)};
            answers_.queue.send(&answer, sizeof(answer), 0);
        }
        ::_exit(0);
    }
    /// Takes answers in while there is no room: the workers may be waiting for room themselves.
    void send(const Task& task) {
        while (!tasks_.queue.try_send(&task, sizeof(task), 0)) { receive(); }
    }
    void receive() {
        Answer answer{};
        answers_.queue.receive(&answer, sizeof(answer), received_, priority_);
        arrived_.emplace(answer.id, answer.value);
    }
    std::uint64_t wait(std::uint64_t id) {
        for (;;) {
            if (const auto found = arrived_.extract(id)) { return found.mapped(); }
            receive();
        }
    }

    static constexpr std::size_t capacity = 1000;
    std::string name_ = "procpool_benchmark_" + std::to_string(::getpid());
    Unnamed tasks_{name_ + "_tasks", sizeof(Task)};
    Unnamed answers_{name_ + "_answers", sizeof(Answer)};
    Queue::size_type received_ = 0;
    unsigned priority_ = 0;
    std::uint64_t last_id_ = 0;
    std::unordered_map<std::uint64_t, std::uint64_t> arrived_;
    std::vector<pid_t> workers_;
};

}  // namespace benchmarks
