// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Counted: a value that tells how often it is encoded and decoded, and how many live.

#include "support/events.hpp"

#include <procpool/codec/codec.hpp>
#include <procpool/codec/standard.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace procpool_test {

/// How often a Counted is encoded, decoded, and how many of those that were decoded live.
struct Counts {
    explicit Counts(SharedPage& page) : encoded(page), decoded(page), alive(page) {}
    Counter encoded;
    Counter decoded;
    Counter alive;
    void reset() const {
        encoded.add(-encoded.value());
        decoded.add(-decoded.value());
    }
};

/// A value of a given size that is counted.
class Counted {
public:
    Counted(const Counts& counts, std::size_t size, int value) : counts_(counts), numbers_(size, value) {}
    Counted(const Counts& counts, std::vector<int> numbers)
        : counts_(counts),
          numbers_(std::move(numbers)),
          is_decoded_(true) {
        counts_.decoded.add();
        counts_.alive.add();
    }
    Counted(const Counted& other) : counts_(other.counts_), numbers_(other.numbers_), is_decoded_(other.is_decoded_) {
        if (is_decoded_) { counts_.alive.add(); }
    }
    Counted(Counted&& other) noexcept
        : counts_(other.counts_),
          numbers_(std::move(other.numbers_)),
          is_decoded_(std::exchange(other.is_decoded_, false)) {}
    Counted& operator=(const Counted&) = delete;
    ~Counted() {
        if (is_decoded_) { counts_.alive.add(-1); }
    }

    [[nodiscard]] const Counts& counts() const { return counts_; }
    [[nodiscard]] const std::vector<int>& numbers() const { return numbers_; }
    [[nodiscard]] int value() const { return numbers_.front() == numbers_.back() ? numbers_.front() : -1; }

private:
    Counts counts_;
    std::vector<int> numbers_;
    bool is_decoded_ = false;
};

}  // namespace procpool_test

template <>
struct procpool::Codec<procpool_test::Counted> {
    static void encode(Writer& out, const procpool_test::Counted& value) {
        value.counts().encoded.add();
        detail::codec::encode_plain(out, value.counts());
        Codec<std::vector<int>>::encode(out, value.numbers());
    }
    static procpool_test::Counted decode(Reader& in) {
        const auto counts = detail::codec::decode_plain<procpool_test::Counts>(in);
        return {counts, Codec<std::vector<int>>::decode(in)};
    }
};
