// SPDX-License-Identifier: BSL-1.0
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 in its own <regex>, with sanitizers
#endif
#include <procpool/codec/standard_exceptions.hpp>

#include <procpool/core/type_name.hpp>

#include "codec/thrown.hpp"
#include "support/catch.hpp"

#include <any>
#include <chrono>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

/// Type and what() are as thrown; twice, since a worker may pass on what a worker of its own threw.
template <class E, class F>
void check_travels(F f) {
    const auto before = thrown_by(f);
    const auto after = round_trip_thrown(round_trip_thrown(before));
    INFO(detail::type_name<E>() << ": " << what_thrown(before));
    CHECK(type_thrown(after) == typeid(E));
    CHECK(what_thrown(after) == what_thrown(before));
}

template <class E>
void check_value(const E& e) {
    check_travels<E>([&] { throw E(e); });
}

}  // namespace

TEST_CASE("EXC-01: standard exceptions with a message arrive as themselves") {
    check_value(std::logic_error("a"));
    check_value(std::invalid_argument("b"));
    check_value(std::domain_error("c"));
    check_value(std::length_error("d"));
    check_value(std::out_of_range("e"));
    check_value(std::runtime_error(""));
    check_value(std::range_error("g"));
    check_value(std::overflow_error("h"));
    check_value(std::underflow_error("i"));
    check_travels<std::out_of_range>([] { static_cast<void>(std::vector<int>().at(3)); });
}

TEST_CASE("EXC-01: standard exceptions without a message arrive as themselves") {
    check_value(std::exception());
    check_value(std::bad_alloc());
    check_value(std::bad_array_new_length());
    check_value(std::bad_cast());
    check_value(std::bad_typeid());
    check_value(std::bad_exception());
    check_value(std::bad_function_call());
    check_value(std::bad_optional_access());
    check_value(std::bad_variant_access());
    check_value(std::bad_any_cast());
    check_value(std::bad_weak_ptr());
    check_travels<std::bad_function_call>([] { std::function<void()>()(); });
    check_travels<std::bad_optional_access>([] { static_cast<void>(std::optional<int>().value()); });
    check_travels<std::bad_variant_access>([] { static_cast<void>(std::get<int>(std::variant<char, int>())); });
    check_travels<std::bad_any_cast>([] { static_cast<void>(std::any_cast<int>(std::any(1.0))); });
    check_travels<std::bad_weak_ptr>([] { std::shared_ptr<int> pointer{std::weak_ptr<int>()}; });
}

TEST_CASE("EXC-01: system errors arrive with their code and a what() that does not grow") {
    check_value(std::system_error(2, std::generic_category(), "open"));
    check_value(std::system_error(std::error_code(3, std::system_category())));
    check_value(std::system_error(2, std::generic_category(), ""));
    check_value(std::future_error(std::future_errc::no_state));
    check_value(std::ios_base::failure("reading"));
    const auto after =
        round_trip_thrown(std::make_exception_ptr(std::system_error(2, std::generic_category(), "open")));
    caught_as<std::system_error>(
        after, [](const std::system_error& e) { CHECK(e.code() == std::errc::no_such_file_or_directory); });
    caught_as<std::ios_base::failure>(round_trip_thrown(thrown_by([] {
                                          std::ifstream file;
                                          file.exceptions(std::ios::failbit);
                                          file.open("/does/not/exist");
                                      })),
                                      [](const std::ios_base::failure& e) {
                                          CHECK(e.code() == std::io_errc::stream);
                                          CHECK(e.what() == std::string("basic_ios::clear: iostream error"));
                                      });
}

TEST_CASE("EXC-01: filesystem errors arrive with their paths") {
    const std::error_code code(2, std::generic_category());
    check_value(std::filesystem::filesystem_error("no path", code));
    check_value(std::filesystem::filesystem_error("one path", "/a", code));
    check_value(std::filesystem::filesystem_error("two paths", "/a", "/b", code));
    check_value(std::filesystem::filesystem_error("empty paths", "", "", code));
    const auto thrown = thrown_by([] { std::filesystem::rename("/does/not/exist", "/nor/this"); });
    check_travels<std::filesystem::filesystem_error>([&] { std::rethrow_exception(thrown); });
    caught_as<std::filesystem::filesystem_error>(round_trip_thrown(thrown),
                                                 [](const std::filesystem::filesystem_error& e) {
                                                     CHECK(e.path1() == "/does/not/exist");
                                                     CHECK(e.path2() == "/nor/this");
                                                     CHECK(e.code() == std::errc::no_such_file_or_directory);
                                                 });
}

TEST_CASE("EXC-01: regex errors arrive with their code and the library's own words") {
    check_value(std::regex_error(std::regex_constants::error_paren));
    const auto thrown = thrown_by([] { std::regex regex("["); });
    check_travels<std::regex_error>([&] { std::rethrow_exception(thrown); });
    std::regex_constants::error_type code{};
    caught_as<std::regex_error>(thrown, [&](const std::regex_error& e) { code = e.code(); });
    caught_as<std::regex_error>(round_trip_thrown(thrown), [&](const std::regex_error& e) { CHECK(e.code() == code); });
}

TEST_CASE("procpool's own errors arrive with all they tell") {
    check_value(Error("a"));
    check_value(PoolClosed());
    check_value(PoolTerminated());
    check_value(PoolBroken("why"));
    check_value(TaskCancelled());
    check_value(CodecError("b"));
    check_value(TaskTimedOut(1500ms, "label", 7));
    check_value(RemoteError("type", "what"));
    check_value(WorkerDied(ExitStatus::from_signal(11), 4711, "label", "backtrace", 7));
    check_value(PartLost(3));
    check_value(NodeLost("node2", "label", 7));
    check_value(MemoryLimitExceeded(77, 66, 4711, "label", 7));
    check_value(SharedMemoryExhausted(77));

    const auto again = [](const auto& e) { return round_trip_thrown(std::make_exception_ptr(e)); };
    caught_as<TaskTimedOut>(again(TaskTimedOut(1500ms, {}, 7)), [](const TaskTimedOut& e) {
        CHECK(e.limit() == 1500ms);
        CHECK(e.item() == 7);
    });
    caught_as<TaskTimedOut>(again(TaskTimedOut(1500ms)), [](const TaskTimedOut& e) { CHECK_FALSE(e.item()); });
    caught_as<RemoteError>(again(RemoteError("type", "what")),
                           [](const RemoteError& e) { CHECK(e.type_name() == "type"); });
    caught_as<NodeLost>(again(NodeLost("node2", "label", 7)), [](const NodeLost& e) {
        CHECK(e.host() == "node2");
        CHECK(e.label() == "label");
        CHECK(e.item() == 7);
    });
    caught_as<MemoryLimitExceeded>(again(MemoryLimitExceeded(77, 66, 4711, "label", 7)),
                                   [](const MemoryLimitExceeded& e) {
                                       CHECK(e.resident() == 77);
                                       CHECK(e.limit() == 66);
                                       CHECK(e.pid() == 4711);
                                       CHECK(e.exit_status() == ExitStatus::from_signal(9));
                                       CHECK(e.label() == "label");
                                       CHECK(e.item() == 7);
                                   });
    caught_as<PartLost>(again(PartLost(3)), [](const PartLost& e) { CHECK(e.part() == 3); });
    caught_as<SharedMemoryExhausted>(again(SharedMemoryExhausted(77)),
                                     [](const SharedMemoryExhausted& e) { CHECK(e.bytes() == 77); });
    caught_as<WorkerDied>(again(WorkerDied(ExitStatus::from_signal(11), 4711, "label", "backtrace", 7)),
                          [](const WorkerDied& e) {
                              CHECK(e.exit_status() == ExitStatus::from_signal(11));
                              CHECK(e.pid() == 4711);
                              CHECK(e.label() == "label");
                              CHECK(e.backtrace() == "backtrace");
                              CHECK(e.item() == 7);
                          });
}

TEST_CASE("a library's other words for an exception survive in a derived type") {
    const Reworded<std::bad_alloc> reworded({}, "no room for the matrix");
    const auto after = round_trip_thrown(round_trip_thrown(std::make_exception_ptr(reworded)));
    caught_as<std::bad_alloc>(
        after, [](const std::bad_alloc& e) { CHECK(e.what() == std::string("no room for the matrix")); });
}
