// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Boost.Interprocess's message_queue as a channel.

#include "flow.hpp"

#include <boost/interprocess/ipc/message_queue.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace benchmarks {

/// bytes: the most that a message may have, each of which takes as much memory.
template <std::size_t size, std::size_t bytes>
class MessageQueue {
    using Queue = boost::interprocess::message_queue;

public:
    MessageQueue() {
        static int made = 0;
        const std::string name = "procpool_benchmark_" + std::to_string(::getpid()) + "_" + std::to_string(made++);
        queue_ = std::make_unique<Queue>(boost::interprocess::create_only, name.c_str(), 1024, bytes);
        Queue::remove(name.c_str());
    }
    void put(const Item<size>& item) { queue_->send(&item, size, 0); }
    void get(Item<size>& item) {
        Queue::size_type received = 0;
        unsigned priority = 0;
        std::array<std::byte, bytes> message;
        queue_->receive(message.data(), bytes, received, priority);
        std::memcpy(&item, message.data(), size);
    }

private:
    std::unique_ptr<Queue> queue_;
};

}  // namespace benchmarks
