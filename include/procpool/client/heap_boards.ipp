// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/heap_boards.hpp>

#include <procpool/os/memory.hpp>
#include <procpool/shm/heap.hpp>
#include <procpool/task/board.hpp>

#include <algorithm>
#include <cstdint>

namespace procpool::inline v0::detail::client {

PROCPOOL_DECL HeapBoards& HeapBoards::of_this_process() {
    static constinit os::PerProcess<HeapBoards> of_process;
    return of_process.get([] { return new HeapBoards; });
}

PROCPOOL_DECL std::span<std::byte> HeapBoards::take() {
    constexpr std::size_t least = std::size_t{16} << 20;
    constexpr std::size_t most = std::size_t{1} << 30;
    constexpr std::size_t share = 64;  // of the free addresses
    const std::lock_guard guard{mutex_};
    if (const std::span<std::byte> again = take_ended(); !again.empty()) { return again; }
    ended_.reserve(made_ + 1);
    shm::Heap& heap = shm::Heap::of_this_process();
    const std::size_t size = std::clamp(heap.free_bytes() / share & ~(os::page_size - 1), least, most);
    const auto memory = reinterpret_cast<std::uintptr_t>(heap.reserve(size + os::page_size));
    ++made_;
    return {reinterpret_cast<std::byte*>(round_up(memory, os::page_size)), size};
}

PROCPOOL_DECL std::span<std::byte> HeapBoards::take_ended() {
    for (auto at = ended_.begin(); ended_.end() - at > static_cast<std::ptrdiff_t>(kept); ++at) {
        auto& board = *reinterpret_cast<task::Board*>(at->data());
        if (board.guests.was_in_use() != 0) {
            static_cast<void>(board.guests.sweep(board.results, task::Guests::own_stamp()));
        }
        if (board.guests.was_in_use() != 0 || !os::give_back(at->data(), at->size())) { continue; }
        const std::span<std::byte> region = *at;
        ended_.erase(at);
        return region;
    }
    return {};
}

PROCPOOL_DECL void HeapBoards::give_back(std::span<std::byte> region) noexcept {
    const std::lock_guard guard{mutex_};
    ended_.push_back(region);  // there is room
}

}  // namespace procpool::detail::client
