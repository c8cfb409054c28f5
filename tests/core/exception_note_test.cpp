// SPDX-License-Identifier: BSL-1.0
#include <procpool/core/exception_note.hpp>

#include "support/catch.hpp"

#include <array>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <typeinfo>
#include <utility>
#include <vector>

using namespace procpool::detail::core;

namespace {

struct Counting : std::runtime_error {
    explicit Counting(int& destroyed) : std::runtime_error("counting"), destroyed_(&destroyed) {}
    Counting(const Counting&) = default;
    Counting& operator=(const Counting&) = default;
    ~Counting() override { ++*destroyed_; }

private:
    int* destroyed_;
};

template <class E>
std::exception_ptr thrown(const E& e) {
    try {
        throw E(e);
    } catch (...) { return std::current_exception(); }
}

/// Returns: the item of the exception for a handler that refers to it; -1 for none.
int item_in_handler(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) {
        const ExceptionNote* const note = note_of(e);
        return note == nullptr || !note->item() ? -1 : static_cast<int>(*note->item());
    }
}

TEST_CASE("a note is found through the pointer and in a handler - the type stays") {
    for (const std::exception_ptr& error :
         {thrown(std::runtime_error("text")), std::make_exception_ptr(std::runtime_error("text"))}) {
        CHECK(note_of(error) == nullptr);
        CHECK(item_in_handler(error) == -1);
        note_item(error, 7);
        REQUIRE(note_of(error) != nullptr);
        CHECK(note_of(error)->item() == 7);
        CHECK(note_of(error)->frames().empty());
        CHECK(item_in_handler(error) == 7);
        try {
            std::rethrow_exception(error);
        } catch (const std::exception& e) {
            CHECK(typeid(e) == typeid(std::runtime_error));
            CHECK(e.what() == std::string{"text"});
        }
    }
}

TEST_CASE("the first item that is noted stays") {  // the object may be shared
    const std::exception_ptr error = thrown(std::logic_error("text"));
    note_item(error, 3);
    note_item(error, 4);
    CHECK(note_of(error)->item() == 3);
    const std::array<std::uintptr_t, 2> frames{1, 2};
    note_frames(error, frames);
    CHECK(note_of(error)->item() == 3);
    CHECK(note_of(error)->frames().size() == 2);
}

TEST_CASE("several exceptions have a note each - of enclosing handlers too") {
    const std::exception_ptr outer = thrown(std::runtime_error("outer"));
    const std::exception_ptr inner = std::make_exception_ptr(std::logic_error("inner"));
    note_item(outer, 1);
    note_item(inner, 2);
    try {
        std::rethrow_exception(outer);
    } catch (const std::exception& one) {
        try {
            std::rethrow_exception(inner);
        } catch (const std::exception& two) {
            CHECK(note_of(one)->item() == 1);
            CHECK(note_of(two)->item() == 2);
            try {
                throw 3;
            } catch (int) {
                CHECK(note_of(one)->item() == 1);
                CHECK(note_of(two)->item() == 2);
            }
        }
        CHECK(note_of(one)->item() == 1);
    }
}

TEST_CASE("a note survives that the object itself is thrown again") {
    int destroyed = 0;
    try {
        try {
            throw Counting(destroyed);
        } catch (...) {
            note_item(std::current_exception(), 5);
            try {
                throw;
            } catch (...) { throw; }
        }
    } catch (const std::exception& e) {
        CHECK(note_of(e)->item() == 5);
        CHECK(destroyed == 0);
    }
    CHECK(destroyed == 1);
}

TEST_CASE("the object is destroyed once - by the last owner") {
    int destroyed = 0;
    std::exception_ptr error = thrown(Counting(destroyed));
    destroyed = 0;  // copies on the way
    note_item(error, 1);
    std::exception_ptr other = error;
    error = nullptr;
    CHECK(destroyed == 0);
    std::thread([last = std::exchange(other, nullptr)]() mutable {
        CHECK(item_in_handler(last) == 1);
        last = nullptr;
    }).join();
    CHECK(destroyed == 1);
}

TEST_CASE("any object may have a note - also one without a destructor") {
    const std::exception_ptr number = thrown(42);
    note_item(number, 9);
    CHECK(note_of(number)->item() == 9);
    struct alignas(16) Large {
        std::array<char, 5000> bytes{};
    };
    const std::exception_ptr large = std::make_exception_ptr(Large{});
    note_item(large, 10);
    CHECK(note_of(large)->item() == 10);
}

TEST_CASE("what is no exception in flight has no note") {
    const std::runtime_error on_stack("text");
    CHECK(note_of(on_stack) == nullptr);
    const std::exception_ptr error = thrown(on_stack);
    note_item(error, 1);
    try {
        std::rethrow_exception(error);
    } catch (const std::runtime_error& e) {
        const std::runtime_error copy = e;
        CHECK(note_of(copy) == nullptr);
        CHECK(note_of(on_stack) == nullptr);
        CHECK(note_of(e) != nullptr);
    }
    note_item(nullptr, 1);
    CHECK(note_of(std::exception_ptr{}) == nullptr);
}

TEST_CASE("two threads that note items of one object leave one of them", "[thread]") {
    for (int round = 0; round < 200; ++round) {
        const std::exception_ptr error = std::make_exception_ptr(std::runtime_error("shared"));
        std::thread other([error] { note_item(error, 1); });
        note_item(error, 2);
        other.join();
        const ExceptionNote* const note = note_of(error);
        REQUIRE(note != nullptr);
        REQUIRE(note->item());
        CHECK((*note->item() == 1 || *note->item() == 2));
    }
}

}  // namespace
