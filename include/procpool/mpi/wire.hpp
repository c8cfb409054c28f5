// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Wire: messages between the ranks of an MPI job, sent and received without waiting.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/mpi/message.hpp>
#include <procpool/os/alarm.hpp>
#include <procpool/os/streams.hpp>

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::mpi {

/// Bytes that are being received, in the order in which the rank has sent them.
class LargeBytes {
public:
    LargeBytes(std::size_t size) : bytes_(new std::byte[size]), size_(size) {}
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {bytes_.get(), size_}; }

private:
    friend class Wire;
    std::unique_ptr<std::byte[]> bytes_;  // not a vector, which would clear them
    std::size_t size_;
    std::vector<MPI_Request> parts_;
};

/// Initialises MPI when it is made; one of them in a process, used by the thread that made it. All that it sends goes
/// out in the order of the calls, and no call waits for another rank: a rank that is lost never answers. Only functions
/// of MPI-3.1.
class Wire {
public:
    Wire() {
        int provided = 0;
        MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
        MPI_Comm_dup(MPI_COMM_WORLD, &world_);
        MPI_Comm_rank(world_, &rank_);
        MPI_Comm_size(world_, &size_);
    }
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;

    /// Effects: ends this process's part in MPI, which waits for the other ranks: when that takes longer, the process
    /// ends there, successfully.
    void finalize(std::chrono::milliseconds longest) {
        os::flush_standard_streams();
        const os::Alarm alarm{longest};
        MPI_Finalize();
    }

    [[nodiscard]] int rank() const noexcept { return rank_; }
    [[nodiscard]] int size() const noexcept { return size_; }

    /// keeps: what the bytes lie in, if they are large: it lives until they are sent.
    void send(int to, Message head, std::string_view text = {}, std::span<const std::byte> bytes = {},
              std::shared_ptr<const void> keeps = {}, std::span<const std::uint64_t> numbers = {}) {
        head.text_size = static_cast<std::uint32_t>(text.size());
        head.numbers = static_cast<std::uint32_t>(numbers.size());
        head.bytes = bytes.size();
        const std::span<const std::byte> inlined = head.is_large() ? std::span<const std::byte>{} : bytes;
        Sending sending{spare_buffer(), to, {}, {}, {}};
        append(sending.buffer, &head, sizeof head);
        append(sending.buffer, text.data(), text.size());
        append(sending.buffer, numbers.data(), numbers.size_bytes());
        append(sending.buffer, inlined.data(), inlined.size());
        sendings_.push_back(std::move(sending));
        Sending& sent = sendings_.back();
        sent.requests.resize(1);
        MPI_Isend(sent.buffer.data(), static_cast<int>(sent.buffer.size()), MPI_BYTE, to, messages, world_,
                  sent.requests.data());
        if (!head.is_large()) { return; }
        sent.keeps = std::move(keeps);
        for (std::size_t at = 0; at < bytes.size(); at += most_at_once) {
            MPI_Isend(bytes.data() + at, part_at(at, bytes.size()), MPI_BYTE, to, large, world_,
                      &sent.requests.emplace_back());
        }
    }

    /// Effects: after the large bytes that were sent last, if there were any, sends `then` to the same rank when they
    /// have been read, unless it is forgotten before. Requires: send() was the last call.
    void follow_large(Message then) noexcept {
        if (sendings_.back().requests.size() > 1) { sendings_.back().then = then; }
    }

    /// Returns: whether there was a message; those of a rank come in their order.
    [[nodiscard]] bool receive(Received& message) {
        while (receive_bytes(message)) {
            if (message.open()) { return true; }
        }
        return false;
    }

    /// Effects: begins to receive the large bytes of a message, in the order of the messages of that rank.
    void begin(LargeBytes& large_bytes, int from) {
        const std::span<std::byte> bytes = large_bytes.bytes();
        for (std::size_t at = 0; at < bytes.size(); at += most_at_once) {
            MPI_Irecv(bytes.data() + at, part_at(at, bytes.size()), MPI_BYTE, from, large, world_,
                      &large_bytes.parts_.emplace_back());
        }
    }
    [[nodiscard]] bool have_come(LargeBytes& large_bytes) { return are_complete(large_bytes.parts_); }
    /// Effects: a rank that is lost may still write there, as long as this process lives.
    void abandon(LargeBytes&& large_bytes) { abandoned_.push_back(std::move(large_bytes)); }

    /// Effects: forgets what has been sent.
    void tidy() {
        for (auto sending = sendings_.begin(); sending != sendings_.end();) {
            if (!are_complete(sending->requests)) {
                ++sending;
                continue;
            }
            if (sending->then) { send(sending->to, *sending->then); }
            if (spare_.size() < most_spare) { spare_.push_back(std::move(sending->buffer)); }
            sending = sendings_.erase(sending);
        }
    }
    [[nodiscard]] bool is_idle() const noexcept { return sendings_.empty(); }
    /// Effects: what goes to a rank that is lost, or is only half here, is not waited for.
    void forget(int rank) {
        for (auto sending = sendings_.begin(); sending != sendings_.end();) {
            const auto next = std::next(sending);
            if (sending->to == rank) { lost_.splice(lost_.end(), sendings_, sending); }
            sending = next;
        }
        for (auto coming = comings_.begin(); coming != comings_.end();) {
            const auto next = std::next(coming);
            if (coming->message.from == rank) { lost_comings_.splice(lost_comings_.end(), comings_, coming); }
            coming = next;
        }
    }

private:
    static constexpr int messages = 1;  // tags
    static constexpr int large = 2;
    static constexpr std::size_t most_at_once = std::size_t{1} << 30;  // MPI counts in int
    static constexpr std::size_t most_spare = 64;

    struct Sending {
        std::vector<std::byte> buffer;
        int to;
        std::vector<MPI_Request> requests;
        std::shared_ptr<const void> keeps;
        std::optional<Message> then{};
    };
    /// A message whose bytes are not all here: its rank may be lost before they are.
    struct Coming {
        Received message;
        MPI_Request request;
    };

    /// As receive(), without a look at what it is.
    [[nodiscard]] bool receive_bytes(Received& message) {
        const auto is_blocked = [&](auto end, int from) {  // by an earlier one of that rank
            return std::any_of(comings_.begin(), end, [=](const Coming& one) { return one.message.from == from; });
        };
        for (auto coming = comings_.begin(); coming != comings_.end(); ++coming) {
            if (is_blocked(coming, coming->message.from) || !is_complete(coming->request)) { continue; }
            message = std::move(coming->message);
            comings_.erase(coming);
            return true;
        }
        for (;;) {
            int found = 0;
            MPI_Message matched{};
            MPI_Status status{};
            MPI_Improbe(MPI_ANY_SOURCE, messages, world_, &found, &matched, &status);
            if (found == 0) { return false; }
            int size = 0;
            MPI_Get_count(&status, MPI_BYTE, &size);
            message.from = status.MPI_SOURCE;
            message.buffer.resize(static_cast<std::size_t>(size));
            MPI_Request request{};
            MPI_Imrecv(message.buffer.data(), size, MPI_BYTE, &matched, &request);
            if (!is_blocked(comings_.end(), message.from) && is_complete(request)) { return true; }
            comings_.push_back({std::move(message), request});
            message = {};
        }
    }
    [[nodiscard]] static bool is_complete(MPI_Request& request) {
        int complete = 0;
        MPI_Test(&request, &complete, MPI_STATUS_IGNORE);
        return complete != 0;
    }

    [[nodiscard]] static int part_at(std::size_t at, std::size_t size) noexcept {
        return static_cast<int>(std::min(most_at_once, size - at));
    }
    static void append(std::vector<std::byte>& buffer, const void* bytes, std::size_t size) {
        const auto* const begin = static_cast<const std::byte*>(bytes);
        buffer.insert(buffer.end(), begin, begin + size);
    }
    [[nodiscard]] std::vector<std::byte> spare_buffer() {
        std::vector<std::byte> buffer;
        if (!spare_.empty()) {
            buffer = std::move(spare_.back());
            spare_.pop_back();
            buffer.clear();
        }
        return buffer;
    }
    [[nodiscard]] static bool are_complete(std::vector<MPI_Request>& requests) {
        int complete = 0;
        MPI_Testall(static_cast<int>(requests.size()), requests.data(), &complete, MPI_STATUSES_IGNORE);
        return complete != 0;
    }

    MPI_Comm world_{};
    int rank_ = 0;
    int size_ = 1;
    std::list<Sending> sendings_;
    std::list<Coming> comings_;
    std::list<Sending> lost_;         // MPI may still read their bytes
    std::list<Coming> lost_comings_;  // and write these
    std::vector<LargeBytes> abandoned_;
    std::vector<std::vector<std::byte>> spare_;
};

}  // namespace procpool::detail::mpi
