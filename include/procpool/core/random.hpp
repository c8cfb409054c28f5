// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Random: an engine of random numbers with as many independent streams as one likes, such as one for each item of a
/// call.

#include <procpool/core/config.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <limits>
#include <type_traits>

namespace procpool::inline v0 {

namespace detail::core {

/// Philox4x32-10: ten rounds that make 128 random bits of a counter and a key. Source: Salmon, Moraes, Dror and Shaw,
/// "Parallel random numbers: as easy as 1, 2, 3", SC 2011; the constants are theirs.
[[nodiscard]] constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                                std::array<std::uint32_t, 2> key) noexcept {
    constexpr int rounds = 10;
    constexpr std::array<std::uint64_t, 2> factors{0xd2511f53, 0xcd9e8d57};
    constexpr std::array<std::uint32_t, 2> steps{0x9e3779b9, 0xbb67ae85};  // of the key, from round to round
    for (int round = 0; round < rounds; ++round) {
        const std::uint64_t first = factors[0] * counter[0];
        const std::uint64_t second = factors[1] * counter[2];
        counter = {static_cast<std::uint32_t>(second >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(second),
                   static_cast<std::uint32_t>(first >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(first)};
        key = {key[0] + steps[0], key[1] + steps[1]};
    }
    return counter;
}

}  // namespace detail::core

/// A random number engine of 64 bits, as those of `<random>`, for distributions and std::shuffle(). Two streams of one
/// seed have nothing to do with each other, nor have those of two seeds: each stream has 2^64 numbers. In a call over
/// many items, a function that takes a `Random&` behind its item gets Random{MapOptions::seed, index of the item}.
///
/// The numbers are those of Philox4x32-10, which passes the tests of TestU01, with the key {seed low, seed high} and
/// the counter {block low, block high, stream low, stream high}, two numbers a block, low words first. They are the
/// same on all machines and in all versions of the library. (The distributions of `<random>` differ between standard
/// libraries.) It is not for secrets. It travels as its 32 bytes.
class Random {
public:
    /// The type of its numbers.
    using result_type = std::uint64_t;
    /// The seed where none is given.
    static constexpr std::uint64_t default_seed = 0;

    /// Stream 0 of the default seed.
    constexpr Random() noexcept : Random(default_seed) {}
    /// A stream of a seed, from its beginning.
    constexpr explicit Random(std::uint64_t seed, std::uint64_t stream = 0) noexcept : seed_(seed), stream_(stream) {}
    /// Takes seed and stream from a seed sequence, such as std::seed_seq: its first four words, low ones first.
    template <class Sequence>
    requires(!std::is_convertible_v<Sequence, std::uint64_t> && !std::same_as<std::remove_cv_t<Sequence>, Random> &&
             requires(Sequence & words, std::uint32_t* to) {
                 words.generate(to, to);
             }) explicit Random(Sequence& words) {
        seed(words);
    }

    /// \{
    /// As constructed anew.
    constexpr void seed(std::uint64_t seed = default_seed, std::uint64_t stream = 0) noexcept {
        *this = Random(seed, stream);
    }
    template <class Sequence>
    requires(!std::is_convertible_v<Sequence, std::uint64_t> &&
             requires(Sequence & words, std::uint32_t* to) { words.generate(to, to); }) void seed(Sequence& words) {
        std::array<std::uint32_t, 4> made{};
        words.generate(made.begin(), made.end());
        seed(join(made[0], made[1]), join(made[2], made[3]));
    }
    /// \}

    /// \{
    /// The least and the largest of its numbers.
    [[nodiscard]] static constexpr result_type min() noexcept { return 0; }
    [[nodiscard]] static constexpr result_type max() noexcept { return std::numeric_limits<result_type>::max(); }
    /// \}

    /// Returns: the next number of the stream.
    constexpr result_type operator()() noexcept {
        if (position_++ % 2 != 0) {
            const result_type second = second_;
            second_ = 0;
            return second;
        }
        const std::array<result_type, 2> both = numbers_of(position_ / 2);
        second_ = both[1];
        return both[0];
    }
    /// Passes `count` numbers, in a time that does not depend on `count`.
    constexpr void discard(std::uint64_t count) noexcept {
        position_ += count;
        second_ = position_ % 2 != 0 ? numbers_of(position_ / 2)[1] : 0;
    }

    /// Whether they give the same numbers from here on.
    [[nodiscard]] friend constexpr bool operator==(const Random&, const Random&) noexcept = default;

    /// Writes the state as three decimal numbers: seed, stream, and how many numbers have been given.
    template <class C, class Traits>
    friend std::basic_ostream<C, Traits>& operator<<(std::basic_ostream<C, Traits>& out, const Random& random) {
        using Stream = std::basic_ostream<C, Traits>;
        const auto flags = out.flags(Stream::dec | Stream::left);
        const C space = out.widen(' ');
        const C fill = out.fill(space);
        out << random.seed_ << space << random.stream_ << space << random.position_;
        out.fill(fill);
        out.flags(flags);
        return out;
    }
    /// Reads a state. The engine stays as it was when there is none, and the stream has failed.
    template <class C, class Traits>
    friend std::basic_istream<C, Traits>& operator>>(std::basic_istream<C, Traits>& in, Random& random) {
        using Stream = std::basic_istream<C, Traits>;
        const auto flags = in.flags(Stream::dec | Stream::skipws);
        std::uint64_t seed = 0;
        std::uint64_t stream = 0;
        std::uint64_t position = 0;
        if (in >> seed >> stream >> position) {
            random.seed(seed, stream);
            random.discard(position);
        }
        in.flags(flags);
        return in;
    }

private:
    [[nodiscard]] static constexpr std::uint64_t join(std::uint32_t low, std::uint32_t high) noexcept {
        return std::uint64_t{high} << 32 | low;
    }
    [[nodiscard]] constexpr std::array<result_type, 2> numbers_of(std::uint64_t block) const noexcept {
        const auto low = [](std::uint64_t word) { return static_cast<std::uint32_t>(word); };
        const auto high = [](std::uint64_t word) { return static_cast<std::uint32_t>(word >> 32); };
        const std::array<std::uint32_t, 4> words =
            detail::core::philox4x32({low(block), high(block), low(stream_), high(stream_)}, {low(seed_), high(seed_)});
        return {join(words[0], words[1]), join(words[2], words[3])};
    }

    std::uint64_t seed_;
    std::uint64_t stream_;
    std::uint64_t position_ = 0;  // the number of the stream that comes next
    result_type second_ = 0;      // of the block, where that is the next one; 0 elsewhere, so that equal ones have
                                  // equal bytes
};

static_assert(std::is_trivially_copyable_v<Random> && sizeof(Random) == 4 * sizeof(std::uint64_t),
              "its bytes are its state, so it travels as these");

}  // namespace procpool
