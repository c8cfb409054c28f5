// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ResultSink: where the results of a call over many items go; the sinks of calls that wait for all of them.

#include <procpool/codec/codec.hpp>
#include <procpool/codec/text.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/exception_note.hpp>
#include <procpool/map/outcome.hpp>
#include <procpool/map/wire.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::map {

/// All that the engine knows of the results. Each sink says as `mode` where its results go, and as `keeps_errors`
/// whether a failed item is a result.
class ResultSink {
public:
    static constexpr bool keeps_errors = false;

    ResultSink() = default;
    ResultSink(const ResultSink&) = delete;
    ResultSink& operator=(const ResultSink&) = delete;

    /// Returns: where the results of items from `first` on go, in memory that the workers share.
    [[nodiscard]] PROCPOOL_DECL virtual void* address(std::size_t first) noexcept;
    /// Effects: decodes the results of `count` items, if there are any behind the report; where they are folded, those
    /// of the blocks from that item on, which is the first of its block.
    PROCPOOL_DECL virtual void take(std::size_t first, std::size_t count, Reader& in);
    /// Effects: decodes the results of items of one block. Called only where they are folded.
    PROCPOOL_DECL virtual void take_apart(std::size_t first, std::size_t count, Reader& in);
    /// Effects: passes the bytes of one result; sum: that of a block. Called only where errors are not kept, and there
    /// is a journal.
    PROCPOOL_DECL virtual void skip(Reader& in, bool sum);
    /// Effects: ends the result: all items are taken. Throws: what folds them.
    PROCPOOL_DECL virtual void end();
    /// Called only where errors are kept.
    PROCPOOL_DECL virtual void fail(std::size_t index, const std::exception_ptr& error);

protected:
    ~ResultSink() = default;

    /// Effects: has the system use large pages, where it allows that, for memory that is about to be written.
    static void advise_large_pages(void* address, std::size_t size) noexcept;
};

template <class Result>
inline constexpr bool is_outcome_v = false;
template <class T>
inline constexpr bool is_outcome_v<Outcome<T>> = true;

/// Returns: the result of an item. Its error, if it is an Outcome, is then that of the item, and so is what decoding
/// throws.
template <class Result>
[[nodiscard]] Result decode_result(Reader& in, std::size_t item) {
    try {
        Result result = Codec<Result>::decode(in);
        if constexpr (is_outcome_v<Result>) {
            if (!result) { core::note_item(result.error(), item); }
        }
        return result;
    } catch (...) {
        core::note_item(std::current_exception(), item);
        throw;
    }
}

/// Effects: as decode_result(), to the end of `results`.
template <class Result>
void decode_result_to_end(std::vector<Result>& results, Reader& in, std::size_t item) {
    if constexpr (is_outcome_v<Result>) {
        results.push_back(decode_result<Result>(in, item));
    } else {
        try {
            codec::decode_to_end(results, in);
        } catch (...) {
            core::note_item(std::current_exception(), item);
            throw;
        }
    }
}

/// The results of consecutive items, decoded, that wait for those before them.
struct Piece {
    std::size_t first = 0;  ///< item

    explicit Piece(std::size_t from) noexcept : first(from) {}
    Piece(const Piece&) = delete;
    Piece& operator=(const Piece&) = delete;
    virtual ~Piece() = default;
};

/// Pieces in the order of their items, however they come.
class Pieces {
public:
    Pieces() noexcept;
    Pieces(const Pieces&) = delete;
    Pieces& operator=(const Pieces&) = delete;
    ~Pieces();

    /// Requires: there is no piece with the same first item.
    void add(std::unique_ptr<Piece> piece);
    /// Returns: the piece with the lowest items; null when there is none.
    [[nodiscard]] const Piece* lowest() const noexcept { return lowest_; }
    /// Requires: lowest() != nullptr.
    [[nodiscard]] std::unique_ptr<Piece> take_lowest() noexcept;

private:
    std::vector<Piece*> heap_;  // owned
    const Piece* lowest_ = nullptr;
};

class NoResults final : public ResultSink {
public:
    static constexpr Results mode = Results::none;
};

/// Results as a vector, where all are plain and their number is known: each chunk is copied to its place. The vector
/// grows as they come, so that its pages are touched for the first time while the workers run.
template <class Result>
class PlainResults final : public ResultSink {
public:
    static constexpr Results mode = Results::copied;
    explicit PlainResults(std::optional<std::size_t> count) {
        all_.reserve(*count);
        advise_large_pages(all_.data(), all_.capacity() * sizeof(Result));
    }
    void take(std::size_t first, std::size_t count, Reader& in) override {
        if (all_.size() < first + count) { all_.resize(first + count); }
        in.read(all_.data() + first, count * sizeof(Result));
    }
    void skip(Reader& in, bool) override { static_cast<void>(in.take(sizeof(Result))); }
    [[nodiscard]] std::vector<Result> vector() && { return std::move(all_); }

private:
    std::vector<Result> all_;
};

template <class Result>
inline constexpr bool fits_plain_results_v = codec::is_plain_v<Result>&& std::is_default_constructible_v<Result> &&
                                             !std::is_empty_v<Result> && !std::is_same_v<Result, bool>;

/// Results as a vector, decoded one by one. Those that come before their turn are kept apart.
template <class Result>
class DecodedResults : public ResultSink {
public:
    static constexpr Results mode = Results::copied;
    explicit DecodedResults(std::optional<std::size_t> count) {
        if (count) {
            all_.reserve(*count);
            if constexpr (requires { all_.data(); }) {  // not where they are bits
                advise_large_pages(all_.data(), all_.capacity() * sizeof(Result));
            }
        }
    }
    void take(std::size_t first, std::size_t count, Reader& in) override {
        std::vector<Result>& results = place_of(first, count);
        for (std::size_t i = 0; i < count; ++i) { decode_result_to_end(results, in, first + i); }
        append_pieces();
    }
    void skip(Reader& in, bool) override { static_cast<void>(Codec<Result>::decode(in)); }
    [[nodiscard]] std::vector<Result> vector() && { return std::move(all_); }

protected:
    /// Effects: counts a result that is not decoded, of the item `index`.
    void add_result(std::size_t index, Result&& result) {
        place_of(index, 1).push_back(std::move(result));
        append_pieces();
    }

private:
    struct Decoded final : Piece {
        using Piece::Piece;
        std::vector<Result> results;
    };
    [[nodiscard]] std::vector<Result>& place_of(std::size_t first, std::size_t count) {
        if (first == all_.size()) { return all_; }
        auto piece = std::make_unique<Decoded>(first);
        std::vector<Result>& results = piece->results;
        results.reserve(count);
        pieces_.add(std::move(piece));
        return results;
    }
    void append_pieces() {
        while (pieces_.lowest() != nullptr && pieces_.lowest()->first == all_.size()) {
            const std::unique_ptr<Piece> piece = pieces_.take_lowest();
            for (auto&& result : static_cast<Decoded&>(*piece).results) { all_.push_back(std::move(result)); }
        }
    }

    std::vector<Result> all_;
    Pieces pieces_;
};
/// Every item's value or error.
template <class Result>
class Outcomes final : public DecodedResults<Outcome<Result>> {
public:
    static constexpr bool keeps_errors = true;
    Outcomes() noexcept : DecodedResults<Outcome<Result>>(std::nullopt) {}
    void fail(std::size_t index, const std::exception_ptr& error) override {
        this->add_result(index, Outcome<Result>::failed(error));
    }
};

/// Results assigned to the elements of a span.
template <class Result, class Element>
class AssignedResults final : public ResultSink {
public:
    static constexpr Results mode = Results::copied;
    explicit AssignedResults(std::span<Element> output) noexcept : output_(output) {}
    void take(std::size_t first, std::size_t count, Reader& in) override {
        // first may lie behind it too: chunks are on their way when it is found.
        if (first + count > output_.size()) { throw too_small(); }
        for (std::size_t i = first; i < first + count; ++i) { output_[i] = decode_result<Result>(in, i); }
        taken_ += count;
    }
    void skip(Reader& in, bool) override { static_cast<void>(Codec<Result>::decode(in)); }
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
class SharedResults final : public ResultSink {
public:
    static constexpr Results mode = Results::shared;
    explicit SharedResults(Element* output) noexcept : output_(output) {}
    [[nodiscard]] void* address(std::size_t first) noexcept override { return output_ + first; }

private:
    Element* output_;
};

}  // namespace procpool::detail::map

#if PROCPOOL_BODIES
#include <procpool/map/sinks.ipp>
#endif
