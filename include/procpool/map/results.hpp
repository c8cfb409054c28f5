// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Where the results of a call over many items go: the sinks of Chunked.

#include <procpool/codec/codec.hpp>
#include <procpool/map/chunk_head.hpp>
#include <procpool/map/outcome.hpp>
#include <procpool/os/memory.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::map {

struct NoResults {
    static constexpr Results mode = Results::none;
};

/// Results as a vector, where all are plain and their number is known: each chunk is copied to its place. The vector
/// grows as they come, so that its pages are touched for the first time while the workers run.
template <class Result>
class PlainResults {
public:
    static constexpr Results mode = Results::copied;
    explicit PlainResults(std::optional<std::size_t> count) {
        all_.reserve(*count);
        os::advise_large_pages(all_.data(), all_.capacity() * sizeof(Result));
    }
    void take(std::size_t first, std::size_t count, Reader& in) {
        if (all_.size() < first + count) { all_.resize(first + count); }
        in.read(all_.data() + first, count * sizeof(Result));
    }
    [[nodiscard]] std::vector<Result> vector() && { return std::move(all_); }

private:
    std::vector<Result> all_;
};

template <class Result>
inline constexpr bool fits_plain_results_v = is_plain_v<Result>&& std::is_default_constructible_v<Result> &&
                                             !std::is_empty_v<Result> && !std::is_same_v<Result, bool>;

/// Results as a vector, decoded one by one, each chunk apart until all are there.
template <class Result>
class DecodedResults {
public:
    static constexpr Results mode = Results::copied;
    explicit DecodedResults(std::optional<std::size_t>) noexcept {}
    void take(std::size_t first, std::size_t count, Reader& in) {
        std::vector<Result>& decoded = chunk(first);
        decoded.reserve(decoded.size() + count);
        for (std::size_t i = 0; i < count; ++i) { decoded.push_back(Codec<Result>::decode(in)); }
    }
    [[nodiscard]] std::vector<Result> vector() && {
        std::size_t count = 0;
        for (const auto& [first, chunk] : chunks_) { count += chunk.size(); }
        std::vector<Result> all;
        all.reserve(count);
        for (auto& [first, chunk] : chunks_) { std::ranges::move(chunk, std::back_inserter(all)); }
        return all;
    }

protected:
    [[nodiscard]] std::vector<Result>& chunk(std::size_t first) { return chunks_[first]; }

private:
    std::map<std::size_t, std::vector<Result>> chunks_;
};

/// Every item's value or error.
template <class Result>
class Outcomes : public DecodedResults<Outcome<Result>> {
public:
    static constexpr bool keeps_errors = true;
    using DecodedResults<Outcome<Result>>::DecodedResults;
    void fail(std::size_t index, const std::exception_ptr& error) {
        this->chunk(index).push_back(Outcome<Result>::failed(error));
    }
};

/// Results assigned to the elements of a span.
template <class Result, class Element>
class AssignedResults {
public:
    static constexpr Results mode = Results::copied;
    explicit AssignedResults(std::span<Element> output) noexcept : output_(output) {}
    void take(std::size_t first, std::size_t count, Reader& in) {
        if (first + count > output_.size()) {
            throw too_small();
        }  // first may lie behind it too: chunks are on their way when it is found
        for (std::size_t i = first; i < first + count; ++i) { output_[i] = Codec<Result>::decode(in); }
        taken_ += count;
    }
    [[nodiscard]] bool is_full() const noexcept { return taken_ == output_.size(); }
    [[nodiscard]] static std::invalid_argument too_small() {
        return std::invalid_argument("procpool: map_into() needs an output of the input's size");
    }

private:
    std::span<Element> output_;
    std::size_t taken_ = 0;
};

/// Results that workers write where they belong.
template <class Element>
class SharedResults {
public:
    static constexpr Results mode = Results::shared;
    explicit SharedResults(Element* output) noexcept : output_(output) {}
    [[nodiscard]] void* address(std::size_t first) const noexcept { return output_ + first; }

private:
    Element* output_;
};

}  // namespace procpool::detail::map
