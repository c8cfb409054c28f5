// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/platform.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/shm/pages.hpp>

#include <algorithm>
#include <bit>

namespace procpool::inline v0::detail::shm {

/// Calls f(word, bits) for each word of the range that there is.
template <class F>
void Pages::each_word(Range range, F f) const {
    const std::size_t end = std::min(range.end, words_.size() * 64);
    for (std::size_t page = range.begin; page < end;) {
        const std::size_t count = std::min(end - page, 64 - page % 64);
        f(page / 64, (~std::uint64_t{0} >> (64 - count)) << (page % 64));
        page += count;
    }
}

PROCPOOL_DECL Pages::Range Pages::touched(std::size_t offset, std::size_t size) noexcept {
    return {offset / os::page_size, round_up(offset + size, os::page_size) / os::page_size};
}
PROCPOOL_DECL Pages::Range Pages::within(std::size_t offset, std::size_t size) noexcept {
    return {round_up(offset, os::page_size) / os::page_size, (offset + size) / os::page_size};
}

PROCPOOL_DECL std::size_t Pages::count(Range range) const noexcept {
    std::size_t pages = 0;
    each_word(range, [&](std::size_t word, std::uint64_t bits) {
        pages += static_cast<std::size_t>(std::popcount(words_[word] & bits));
    });
    return pages * os::page_size;
}

PROCPOOL_DECL void Pages::add(std::size_t offset, std::size_t size) {
    words_.resize(std::max(words_.size(), (offset + size) / os::page_size / 64 + 1));
    each_word(touched(offset, size), [&](std::size_t word, std::uint64_t bits) { words_[word] |= bits; });
}

PROCPOOL_DECL void Pages::remove(std::size_t offset, std::size_t size) noexcept {
    each_word(within(offset, size), [&](std::size_t word, std::uint64_t bits) { words_[word] &= ~bits; });
}

PROCPOOL_DECL std::size_t Pages::bytes_touched(std::size_t offset, std::size_t size) const noexcept {
    return count(touched(offset, size));
}

PROCPOOL_DECL std::size_t Pages::bytes_within(std::size_t offset, std::size_t size) const noexcept {
    return count(within(offset, size));
}

}  // namespace procpool::detail::shm
