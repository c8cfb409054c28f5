// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ScratchBoard: a board in a mapping of its own, and the parent's steps on it in their simplest form.

#include <procpool/task/board.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

namespace procpool_test {

class ScratchBoard {
public:
    explicit ScratchBoard(procpool::detail::task::BoardSize size, std::size_t bytes = std::size_t{64} << 20)
        : region_(bytes),
          board_(procpool::detail::task::Board::create(region_, size)) {}

    procpool::detail::task::Board* operator->() const noexcept { return &board_; }
    procpool::detail::task::Board& operator*() const noexcept { return board_; }

    [[nodiscard]] procpool::detail::task::Slot& slot(std::uint32_t index) const noexcept {
        return board_.all_slots()[index];
    }
    [[nodiscard]] procpool::detail::task::Word word(std::uint32_t index) const noexcept {
        return procpool::detail::task::Word{slot(index).word.load(std::memory_order_acquire)};
    }

    [[nodiscard]] procpool::detail::task::Ring& ring() const noexcept {
        return board_.queue.ring(procpool::detail::task::Queue::usual);
    }

    /// Called by: the producer. Returns: the position, whose low half is the task's generation; its number is one more.
    std::uint64_t publish(std::uint32_t index, std::uint64_t argument, bool waited = false) const {
        const auto buffer = board_.arguments.first_buffer(index);
        std::memcpy(buffer.data(), &argument, sizeof argument);
        board_.arguments.seal(index, buffer, sizeof argument);
        const std::uint64_t position = ring().tail();
        board_.number_of(index).store(position + 1, std::memory_order_release);
        board_.publish({index, static_cast<std::uint32_t>(position)}, procpool::detail::task::Queue::usual, waited);
        return position;
    }
    [[nodiscard]] std::uint64_t argument(std::uint32_t index) const noexcept {
        return number(board_.arguments.payload(index));
    }
    [[nodiscard]] std::uint64_t result(std::uint32_t index) const noexcept {
        return number(board_.results.payload(index));
    }
    void write_result(std::uint32_t index, std::uint64_t value) const {
        const auto buffer = board_.results.first_buffer(index);
        std::memcpy(buffer.data(), &value, sizeof value);
        board_.results.seal(index, buffer, sizeof value);
    }

    /// Makes a finished task taken. Returns: the phase it had.
    [[nodiscard]] std::optional<procpool::detail::task::Phase> take(std::uint32_t index) const noexcept {
        procpool::detail::task::Word seen = word(index);
        while (seen.finished()) {
            std::uint64_t bits = seen.bits();
            if (slot(index).word.compare_exchange_weak(bits, seen.with(procpool::detail::task::Phase::taken).bits(),
                                                       std::memory_order_acq_rel)) {
                return seen.phase();
            }
            seen = procpool::detail::task::Word{bits};
        }
        return std::nullopt;
    }
    void free(std::uint32_t index) const noexcept {
        slot(index).word.store(word(index).with(procpool::detail::task::Phase::free).with_waited(false).bits(),
                               std::memory_order_release);
    }

private:
    [[nodiscard]] static std::uint64_t number(std::span<const std::byte> bytes) noexcept {
        std::uint64_t value = 0;
        std::memcpy(&value, bytes.data(), std::min(sizeof value, bytes.size()));
        return value;
    }

    procpool::detail::os::Mapping region_;
    procpool::detail::task::Board& board_;
};

}  // namespace procpool_test
