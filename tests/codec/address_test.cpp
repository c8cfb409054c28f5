// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/address.hpp>

#include <procpool/codec/standard.hpp>
#include <procpool/os/code_name.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

namespace {

int twice(int n) { return 2 * n; }

struct Incomplete;
std::uint64_t words_of_nobody[2];

struct Counter {
    int number;
    int get() const { return number; }
};
int a_static = 1;

/// As an engine says it whose workers are on other machines.
Visibility code_is_elsewhere(const void* address) {
    if (procpool::detail::os::name_of(reinterpret_cast<std::uintptr_t>(address)) != 0) { return Visibility::named; }
    return address == nullptr ? Visibility::everywhere : Visibility::this_process;
}

struct Node {
    int value;
    Node* next;
};

}  // namespace

TEST_CASE("pointers into shared memory and null travel") {
    std::vector<int> memory(10);
    const Sharing sharing{std::span(memory)};
    CHECK(round_trip(&memory[3]) == &memory[3]);
    CHECK(round_trip(static_cast<const void*>(&memory[3])) == &memory[3]);
    CHECK(round_trip(static_cast<int*>(nullptr)) == nullptr);
    CHECK(&round_trip(std::ref(memory[4])).get() == &memory[4]);
    CHECK(&round_trip(std::cref(memory[4])).get() == &memory[4]);
}

TEST_CASE("pointers to private memory are refused with the ways out") {
    int local = 1;
    static int of_the_program = 1;
    for (int* const pointer : {&local, &of_the_program}) {
        const auto text = text_thrown<CodecError>([&] { static_cast<void>(to_bytes(pointer)); });
        CHECK(contains(text, "int*"));
        CHECK(contains(text, "pass or return the value itself"));
        CHECK(contains(text, "SharedArray"));
        CHECK(contains(text, "fork_map"));
        CHECK_FALSE(contains(text, "capture"));
    }
    CHECK(contains(text_thrown<CodecError>([&] { static_cast<void>(to_bytes(std::ref(local))); }),
                   "reference_wrapper<int>"));
    CHECK_THROWS_AS(to_bytes(Node{1, reinterpret_cast<Node*>(&local)}), CodecError);
    CHECK_THROWS_AS(to_bytes(std::vector<Node>{{1, nullptr}, {1, reinterpret_cast<Node*>(&local)}}), CodecError);
    CHECK(round_trip(Node{1, nullptr}).value == 1);
}

TEST_CASE("functions travel by address") {
    CHECK(round_trip(&twice)(3) == 6);
    CHECK(round_trip(std::ref(twice))(3) == 6);
    CHECK(round_trip(static_cast<int (*)(int) noexcept>(nullptr)) == nullptr);
    Bytes nowhere(visibility_unknown);
    CHECK_THROWS_AS(Codec<int (*)(int)>::encode(nowhere.writer, &twice), CodecError);
}

TEST_CASE("a receiver that has the code elsewhere gets names and takes no addresses") {
    Bytes bytes(code_is_elsewhere);
    Codec<int (*)(int)>::encode(bytes.writer, &twice);
    Codec<int (*)(int)>::encode(bytes.writer, nullptr);
    Codec<int (Counter::*)() const>::encode(bytes.writer, &Counter::get);
    const auto written = bytes.written();
    std::uint64_t first = 0;
    std::memcpy(&first, written.data(), sizeof first);
    CHECK(first == procpool::detail::os::name_of(reinterpret_cast<std::uintptr_t>(&twice)));
    Reader in{written, code_is_elsewhere};
    CHECK(Codec<int (*)(int)>::decode(in) == &twice);
    CHECK(Codec<int (*)(int)>::decode(in) == nullptr);
    CHECK((Counter{3}.*Codec<int (Counter::*)() const>::decode(in))() == 3);

    const auto addresses = to_bytes(&twice);
    Reader raw{addresses, code_is_elsewhere};
    CHECK_THROWS_AS(Codec<int (*)(int)>::decode(raw), CodecError);
    const auto of_method = to_bytes(&Counter::get);
    Reader raw_method{of_method, code_is_elsewhere};
    CHECK_THROWS_AS(Codec<int (Counter::*)() const>::decode(raw_method), CodecError);

    Bytes of_heap(code_is_elsewhere);
    const auto no_function = std::make_unique<int>(1);
    CHECK_THROWS_AS(Codec<int (*)(int)>::encode(of_heap.writer, reinterpret_cast<int (*)(int)>(no_function.get())),
                    CodecError);
    CHECK_THROWS_AS(Codec<int*>::encode(of_heap.writer, &a_static), CodecError);
}

TEST_CASE("a pointer to a member function travels by address") {
    CHECK((Counter{4}.*round_trip(&Counter::get))() == 4);
    CHECK(round_trip(static_cast<int (Counter::*)() const>(nullptr)) == nullptr);
    Bytes nowhere(visibility_unknown);
    CHECK_THROWS_AS(Codec<int (Counter::*)() const>::encode(nowhere.writer, &Counter::get), CodecError);
}

TEST_CASE("an address that a worker wrote is refused unless all of it is shared") {
    alignas(int) std::array<std::byte, 8> memory{};
    const Sharing sharing{std::span(memory)};
    const auto shared = reinterpret_cast<std::uintptr_t>(memory.data());
    const auto decode = [](auto as, std::uintptr_t address) {
        const auto bytes = to_bytes(address);
        Reader in{bytes, place};
        static_cast<void>(Codec<decltype(as)>::decode(in));
    };
    int* pointer = nullptr;
    decode(pointer, 0);
    decode(pointer, shared);
    decode(pointer, shared + 4);
    const std::array<std::byte, 8> elsewhere{};
    for (const std::uintptr_t address :
         {shared + 1, shared + 8, shared - 4, reinterpret_cast<std::uintptr_t>(elsewhere.data()), ~std::uintptr_t{3},
          std::uintptr_t{8}}) {
        CAPTURE(address - shared);
        CHECK_THROWS_AS(decode(pointer, address), CodecError);
        CHECK_THROWS_AS(decode(std::ref(*reinterpret_cast<int*>(memory.data())), address), CodecError);
    }
    CHECK_THROWS_AS(decode(static_cast<long*>(nullptr), shared + 4), CodecError);
    CHECK_THROWS_AS(decode(static_cast<std::array<int, 3>*>(nullptr), shared), CodecError);
    CHECK_THROWS_AS(decode(static_cast<const void*>(nullptr), shared + 8), CodecError);
    decode(&twice, reinterpret_cast<std::uintptr_t>(&twice));
    Bytes bytes;
    encode_plain(bytes.writer, reinterpret_cast<std::uintptr_t>(&twice));
    const auto written = bytes.written();
    Reader knows_nothing{written, visibility_unknown};
    CHECK_THROWS_AS(Codec<int (*)(int)>::decode(knows_nothing), CodecError);
}

TEST_CASE("a pointer to a type that is not complete travels") {
    const Sharing sharing{std::span(words_of_nobody)};
    auto* const pointer = reinterpret_cast<Incomplete*>(words_of_nobody);
    CHECK(round_trip(pointer) == pointer);
}
