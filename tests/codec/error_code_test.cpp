// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/error_code.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <future>
#include <ios>
#include <memory>
#include <string>
#include <system_error>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

namespace {

struct Weather : std::error_category {
    const char* name() const noexcept override { return "weather"; }
    std::string message(int) const override { return "rain"; }
};
const Weather weather;

}  // namespace

TEST_CASE("error codes arrive with their category") {
    for (const auto* category :
         {&std::generic_category(), &std::system_category(), &std::iostream_category(), &std::future_category()}) {
        const std::error_code code(3, *category);
        CHECK(round_trip(code) == code);
    }
    CHECK(round_trip(std::error_code(1, weather)).message() == "rain");
}

TEST_CASE("a category that only this process has is refused") {
    const Weather local;
    CHECK(
        contains(text_thrown<CodecError>([&] { static_cast<void>(to_bytes(std::error_code(1, local))); }), "weather"));
}
