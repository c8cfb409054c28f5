// SPDX-License-Identifier: BSL-1.0
#include "codec/decoders.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <tuple>
#include <unordered_map>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

namespace {

/// Effects: changes, removes or adds bytes; lengths and addresses become the numbers that most goes wrong with.
void damage(Generator& random, std::vector<std::byte>& bytes) {
    const auto at = [&] { return static_cast<std::ptrdiff_t>(up_to(random, bytes.size() - 1)); };
    if (bytes.empty()) { bytes.push_back(static_cast<std::byte>(random())); }
    switch (up_to(random, 5)) {
        case 0: bytes[static_cast<std::size_t>(at())] = static_cast<std::byte>(random()); break;
        case 1: bytes[static_cast<std::size_t>(at())] ^= static_cast<std::byte>(1U << up_to(random, 7)); break;
        case 2: bytes.resize(up_to(random, bytes.size())); break;
        case 3: bytes.insert(bytes.begin() + at(), 1 + up_to(random, 8), static_cast<std::byte>(random())); break;
        case 4: {
            const auto first = at();
            bytes.erase(bytes.begin() + first,
                        bytes.begin() + first +
                            static_cast<std::ptrdiff_t>(up_to(random, bytes.size() - static_cast<std::size_t>(first))));
            break;
        }
        default: {
            static int in_this_program;
            const std::uint64_t words[]{0,
                                        1,
                                        ~std::uint64_t{0},
                                        std::uint64_t{1} << 63,
                                        std::uint64_t{1} << 32,
                                        up_to(random, 1000),
                                        bytes.size(),
                                        reinterpret_cast<std::uintptr_t>(&in_this_program),
                                        reinterpret_cast<std::uintptr_t>(&category_of_tests),
                                        reinterpret_cast<std::uintptr_t>(bytes.data())};
            const std::uint64_t word = words[up_to(random, std::size(words) - 1)];
            const std::size_t size = std::min({bytes.size(), sizeof word, std::size_t{1} << up_to(random, 3)});
            std::memcpy(bytes.data() + up_to(random, bytes.size() - size), &word, size);
        }
    }
}

/// Counts what decoders ask for.
std::size_t asked_for = 0;

template <class T>
struct CountingAllocator {
    using value_type = T;
    CountingAllocator() = default;
    template <class U>
    CountingAllocator(const CountingAllocator<U>&) noexcept {}
    T* allocate(std::size_t count) {
        asked_for += count * sizeof(T);
        return std::allocator<T>().allocate(count);
    }
    void deallocate(T* memory, std::size_t count) noexcept { std::allocator<T>().deallocate(memory, count); }
    bool operator==(const CountingAllocator&) const = default;
};

using Text = std::basic_string<char, std::char_traits<char>, CountingAllocator<char>>;
template <class T>
using Row = std::vector<T, CountingAllocator<T>>;
using Numbers =
    std::unordered_map<int, double, std::hash<int>, std::equal_to<>, CountingAllocator<std::pair<const int, double>>>;
using Sorted = std::map<int, Text, std::less<>, CountingAllocator<std::pair<const int, Text>>>;

template <class T>
void check_memory(Generator& random, const T& value) {
    for (int i = 0; i != 2000; ++i) {
        auto bytes = to_bytes(value);
        for (std::size_t n = 1 + up_to(random, 3); n-- != 0;) { damage(random, bytes); }
        asked_for = 0;
        Reader in{bytes, visibility_unknown};
        try {
            static_cast<void>(Codec<T>::decode(in));
        } catch (const CodecError&) {}
        REQUIRE(asked_for <= 200 * bytes.size() + 1000);
    }
}

}  // namespace

TEST_CASE("no decoder does harm with bytes that nobody encoded") {
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    Generator random(seed);
    for (std::size_t type = 0; type != decoded_types; ++type) {
        CAPTURE(type);
        for (int i = 0; i != 300; ++i) {
            auto bytes = encode_any(type, random);
            decode_as_type(type, bytes);
            for (int step = 0; step != 4; ++step) {
                damage(random, bytes);
                const std::vector<std::byte> exact(
                    bytes);  // memory of its own size, so that AddressSanitizer sees a step beyond
                decode_as_type(type, exact);
            }
            std::vector<std::byte> noise(up_to(random, 100));
            for (std::byte& byte : noise) {
                byte = static_cast<std::byte>(up_to(random, 3) == 0 ? random() : up_to(random, 3));
            }
            decode_as_type(type, noise);
        }
    }
}

TEST_CASE("no decoder asks for more memory than its bytes bear out") {
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    Generator random(seed);
    check_memory(random, Text("some text that does not fit into the string itself"));
    check_memory(random, Row<int>{1, 2, 3, 4, 5});
    check_memory(random, Row<Text>{"a", "some text that does not fit into the string itself"});
    check_memory(random, Row<Row<bool>>{{true}, {}, {false, true}});
    check_memory(random, Row<std::tuple<>>(20));
    check_memory(random, Numbers{{1, 1.0}, {2, 2.0}});
    check_memory(random, Sorted{{1, "a"}, {2, "b"}});
    check_memory(random, std::list<int, CountingAllocator<int>>{1, 2, 3});
    check_memory(random, std::deque<int, CountingAllocator<int>>{1, 2, 3});
}
