// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// A client with a crew, without the pool above them; tasks are plain functions of 64-bit numbers.

#include <procpool/client/client.hpp>
#include <procpool/client/failure.hpp>
#include <procpool/client/submission.hpp>
#include <procpool/client/taken.hpp>
#include <procpool/engine/engine.hpp>
#include <procpool/os/affinity.hpp>
#include <procpool/task/board.hpp>
#include <procpool/worker/setup.hpp>
#include <procpool/worker/task_frame.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace procpool_test {

namespace cli = procpool::detail::client;

[[nodiscard]] inline std::uint64_t number_in(std::span<const std::byte> bytes) {
    if (bytes.size() < sizeof(std::uint64_t)) { throw std::runtime_error("no number there"); }
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}
[[nodiscard]] inline std::uint64_t answer(std::uint64_t argument) { return argument * 3 + 1; }

/// The code of most tasks: answers its argument.
inline void answer_code(procpool::detail::TaskFrame& frame) {
    const std::uint64_t value = answer(number_in(frame.arguments));
    frame.result.write(&value, sizeof value);
}
/// Answers with the requested number of bytes.
inline void blob_code(procpool::detail::TaskFrame& frame) {
    const std::uint64_t size = number_in(frame.arguments);
    std::memset(frame.result.claim(size), static_cast<int>(size & 0xff), size);
}

/// A task as a test uses it.
class Task {
public:
    Task(cli::Client& client, cli::Ticket ticket) noexcept : client_(&client), ticket_(ticket) {}
    Task(Task&& other) noexcept : client_(std::exchange(other.client_, nullptr)), ticket_(other.ticket_) {}
    Task& operator=(Task&& other) noexcept {
        std::swap(client_, other.client_);
        std::swap(ticket_, other.ticket_);
        return *this;
    }
    ~Task() {
        if (client_ == nullptr) { return; }
        client_->drop(ticket_, false);
        cli::Client::release_ticket(client_);
    }

    [[nodiscard]] cli::Ticket ticket() const noexcept { return ticket_; }
    [[nodiscard]] bool is_decided() const { return client_->is_decided(ticket_); }
    [[nodiscard]] bool wait(
        procpool::detail::Deadline deadline = procpool::detail::Deadline::after(std::chrono::seconds{20})) const {
        return client_->wait(ticket_, deadline);
    }
    bool withdraw() const { return client_->withdraw(ticket_); }

    /// Waits, takes, and gives what was taken to `see`.
    template <class See>
    auto take(See see) {
        if (!wait()) { throw std::runtime_error("waited too long for a task"); }
        struct Release {
            cli::Client* client;
            ~Release() { cli::Client::release_ticket(client); }
        } const release{std::exchange(client_, nullptr)};
        const cli::Client::Taken taken = release.client->take(ticket_);
        return see(taken);
    }
    [[nodiscard]] std::uint64_t number() {
        return take([](const cli::Client::Taken& taken) {
            if (taken.phase() != procpool::detail::task::Phase::done) {
                throw std::runtime_error("the task is not done");
            }
            return number_in(taken.bytes());
        });
    }
    [[nodiscard]] procpool::detail::task::Phase phase() {
        return take([](const cli::Client::Taken& taken) { return taken.phase(); });
    }
    [[nodiscard]] cli::Failure failure() {
        return take([](const cli::Client::Taken& taken) {
            return taken.failure() == nullptr ? cli::Failure{} : *taken.failure();
        });
    }

private:
    cli::Client* client_;
    cli::Ticket ticket_;
};

[[nodiscard]] inline procpool::detail::worker::Setup setup_for(std::uint32_t workers) {
    return {workers, {}, {}, std::chrono::milliseconds{60000}, std::chrono::milliseconds{3000}, "test"};
}

/// The parts that a pool puts together.
template <procpool::Engine E>
class Bench {
public:
    Bench(std::uint32_t capacity, procpool::detail::worker::Setup setup)
        : client_(new cli::Client(capacity, 2 * setup.places + 2, E::traits().place_of, !E::traits().shares_memory)) {
        try {
            E::traits().prepare();
            client_->board().control.places = setup.places;
            client_->board().control.workers = setup.places;
            client_->board().control.spinners = static_cast<std::uint32_t>(procpool::detail::os::affinity_cpus() - 1);
            client_->set_crew(E::traits().make_crew(*client_, std::move(setup)));
        } catch (...) {
            delete client_;
            throw;
        }
    }
    Bench(std::uint32_t capacity, std::uint32_t workers) : Bench(capacity, setup_for(workers)) {}
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;
    ~Bench() {
        client_->stop(procpool::detail::task::Life::closing);
        static_cast<void>(client_->join(procpool::detail::Deadline::never()));
        cli::Client::release_pool(client_);
    }

    cli::Client& operator*() const noexcept { return *client_; }
    cli::Client* operator->() const noexcept { return client_; }

    [[nodiscard]] std::optional<Task> try_submit(std::uint64_t argument, const cli::Submission& task) const {
        const auto ticket =
            client_->submit(task, [&](procpool::Writer& out) { out.write(&argument, sizeof argument); });
        if (!ticket) { return std::nullopt; }
        return Task{*client_, *ticket};
    }
    [[nodiscard]] Task submit(std::uint64_t argument, procpool::detail::TaskCode code = answer_code) const {
        return std::move(*try_submit(argument, {.code = code, .plain = argument % 2 == 0}));
    }

private:
    cli::Client* client_;
};

using ThreadBench = Bench<procpool::ThreadEngine>;
using ForkBench = Bench<procpool::ForkEngine>;
using InlineBench = Bench<procpool::InlineEngine>;

}  // namespace procpool_test
