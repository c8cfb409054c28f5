// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/sinks.hpp>

#include <procpool/os/memory.hpp>

#include <algorithm>

namespace procpool::inline v0::detail::map {

PROCPOOL_DECL void* ResultSink::address(std::size_t) noexcept { return nullptr; }
PROCPOOL_DECL void ResultSink::take(std::size_t, std::size_t, Reader&) {}
PROCPOOL_DECL void ResultSink::take_apart(std::size_t, std::size_t, Reader&) {}
PROCPOOL_DECL void ResultSink::skip(Reader&, bool) {}
PROCPOOL_DECL void ResultSink::end() {}
PROCPOOL_DECL void ResultSink::fail(std::size_t, const std::exception_ptr&) {}
PROCPOOL_DECL void ResultSink::advise_large_pages(void* address, std::size_t size) noexcept {
    os::advise_large_pages(address, size);
}

/// Whether a piece comes after another, for heaps whose front is the lowest.
struct IsAfter {
    [[nodiscard]] bool operator()(const Piece* a, const Piece* b) const noexcept { return a->first > b->first; }
};

PROCPOOL_DECL Pieces::Pieces() noexcept = default;

PROCPOOL_DECL Pieces::~Pieces() {
    for (const Piece* const piece : heap_) { delete piece; }
}

PROCPOOL_DECL void Pieces::add(std::unique_ptr<Piece> piece) {
    heap_.push_back(piece.get());
    static_cast<void>(piece.release());
    std::push_heap(heap_.begin(), heap_.end(), IsAfter{});
    lowest_ = heap_.front();
}

PROCPOOL_DECL std::unique_ptr<Piece> Pieces::take_lowest() noexcept {
    std::pop_heap(heap_.begin(), heap_.end(), IsAfter{});
    std::unique_ptr<Piece> lowest{heap_.back()};
    heap_.pop_back();
    lowest_ = heap_.empty() ? nullptr : heap_.front();
    return lowest;
}

}  // namespace procpool::detail::map
