// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Inputs of calls over many items.

#include <cstddef>
#include <iterator>
#include <numeric>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

namespace procpool_test {

inline int square(int x) { return x * x; }

inline std::vector<int> first_numbers(std::size_t n) {
    std::vector<int> numbers(n);
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
}

/// 0 … n-1, each once, in one pass; throws when the one at `bad` is read.
class Generator {
public:
    explicit Generator(int n, int bad = -1) : n_(n), bad_(bad) {}
    class iterator {
    public:
        using value_type = int;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;
        iterator() = default;
        explicit iterator(Generator* from) : from_(from) {}
        int operator*() const {
            if (from_->at_ == from_->bad_) { throw std::domain_error("bad item " + std::to_string(from_->bad_)); }
            return from_->at_;
        }
        iterator& operator++() {
            ++from_->at_;
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& it, std::default_sentinel_t) { return it.from_->is_over(); }

    private:
        Generator* from_ = nullptr;
    };
    iterator begin() { return iterator{this}; }
    static std::default_sentinel_t end() { return {}; }
    [[nodiscard]] bool is_over() const { return at_ >= n_; }

private:
    int n_;
    int bad_;
    int at_ = 0;
};

static_assert(std::ranges::input_range<Generator> && !std::ranges::forward_range<Generator>);

}  // namespace procpool_test
