// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Few: a sequence that is mostly short.

#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::core {

/// The first elements lie in it, and all of them on the heap once they are more. T: default-constructible.
template <class T, std::size_t in_place = 4>
class Few {
public:
    /// Makes room for `count` elements in one step.
    void reserve(std::size_t count) {
        if (count > in_place) { many_.reserve(count); }
    }
    void push_back(T element) {
        if (size_ < in_place && many_.capacity() == 0) {
            few_[size_++] = std::move(element);
            return;
        }
        if (many_.capacity() == 0) {
            many_.reserve(4 * in_place);
            for (T& one : few_) { many_.push_back(std::move(one)); }
        }
        many_.push_back(std::move(element));
    }
    [[nodiscard]] std::span<T> all() noexcept {
        return many_.empty() ? std::span{few_.data(), size_} : std::span{many_};
    }

private:
    std::array<T, in_place> few_{};
    std::size_t size_ = 0;
    std::vector<T> many_;
};

}  // namespace procpool::detail::core
