// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/exception_details.hpp>

#include "codec/thrown.hpp"
#include "support/catch.hpp"

#include <procpool/core/error.hpp>
#include <procpool/core/exception_note.hpp>

#include <chrono>
#include <exception>
#include <stdexcept>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

TEST_CASE("item_of() asks the errors that tell it themselves") {
    const WorkerDied died{ExitStatus::from_code(1), 4711, "label", {}, 7};
    CHECK(item_of(died) == 7);
    CHECK(item_of(TaskTimedOut{1s, {}, 8}) == 8);
    CHECK_FALSE(item_of(TaskTimedOut{1s}));
    CHECK(item_of(std::make_exception_ptr(died)) == 7);
    CHECK_FALSE(item_of(std::runtime_error("on the stack")));
    CHECK_FALSE(item_of(std::exception_ptr{}));
    CHECK_FALSE(item_of(std::make_exception_ptr(7)));
}

TEST_CASE("item_of() prefers the call that the exception left last") {  // a worker's own pool lost its item 7
    const auto travelled = round_trip_thrown(std::make_exception_ptr(TaskTimedOut{1s, {}, 7}));
    CHECK(item_of(travelled) == 7);
    detail::core::note_item(travelled, 3);
    CHECK(item_of(travelled) == 3);
    caught_as<TaskTimedOut>(travelled, [](const TaskTimedOut& e) {
        CHECK(item_of(e) == 3);
        CHECK(e.item() == 7);
    });
}

TEST_CASE("item_of() a pointer needs no handler and no std::exception") {
    const auto number = thrown_by([] { throw 42; });
    detail::core::note_item(number, 5);
    CHECK(item_of(number) == 5);
}

}  // namespace
