// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Pages: which pages of a mapping may be there, as far as a process knows.

#include <procpool/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace procpool::inline v0::detail::shm {

/// A bit for each page up to the last that has been in use. Not thread-safe.
class Pages {
public:
    /// Effects: marks the pages that [offset, offset + size) touches as there. Throws: std::bad_alloc.
    void add(std::size_t offset, std::size_t size);
    /// Effects: marks the pages within [offset, offset + size) as absent.
    void remove(std::size_t offset, std::size_t size) noexcept;
    /// Returns: how many bytes of the pages that the range touches are there.
    [[nodiscard]] std::size_t bytes_touched(std::size_t offset, std::size_t size) const noexcept;
    /// As above, of the pages that lie within the range.
    [[nodiscard]] std::size_t bytes_within(std::size_t offset, std::size_t size) const noexcept;

private:
    struct Range {
        std::size_t begin;
        std::size_t end;
    };
    [[nodiscard]] static Range touched(std::size_t offset, std::size_t size) noexcept;
    [[nodiscard]] static Range within(std::size_t offset, std::size_t size) noexcept;
    [[nodiscard]] std::size_t count(Range range) const noexcept;
    template <class F>
    void each_word(Range range, F f) const;

    std::vector<std::uint64_t> words_;
};

}  // namespace procpool::detail::shm

#if PROCPOOL_BODIES
#include <procpool/shm/pages.ipp>
#endif
