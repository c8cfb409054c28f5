// SPDX-License-Identifier: BSL-1.0
#include <procpool/json.hpp>

#include <procpool/procpool.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <cstddef>
#include <string>
#include <vector>

using namespace procpool_test;
using nlohmann::json;
using nlohmann::ordered_json;

namespace {

struct Document {
    std::string id;
    json body;
};

json example() {
    return {{"list", {1, 2u, -3, 2.5, nullptr, true, "text"}},
            {"deep", {{"bytes", json::binary({1, 2}, 7)}, {"none", json::binary({})}}},
            {"empty", json::array()},
            {"also", json::object()}};
}

}  // namespace

TEST_CASE("nlohmann::json travels - down to the kinds of its numbers") {
    const json value = example();
    const json arrived = round_trip(value);
    CHECK(arrived == value);
    for (std::size_t i = 0; i < value["list"].size(); ++i) {
        CHECK(arrived["list"][i].type() == value["list"][i].type());
    }
    CHECK(arrived["deep"]["bytes"].get_binary().subtype() == 7);
    CHECK_FALSE(arrived["deep"]["none"].get_binary().has_subtype());
    for (const json& simple :
         {json(), json(1), json("text"), json::array({json::array()}), json(json::value_t::discarded)}) {
        CHECK(round_trip(simple).type() == simple.type());
    }
}

TEST_CASE("ordered_json keeps the order of its members") {
    ordered_json value;
    value["z"] = 1;
    value["a"] = {{"y", 2}, {"b", 3}};
    CHECK(round_trip(value).dump() == value.dump());
}

TEST_CASE("JSON travels in aggregates and containers as argument/item and result") {
    const Document document{"id", example()};
    CHECK(round_trip(document).body == document.body);
    CHECK(round_trip(std::vector{document.body})[0] == document.body);
    procpool::Pool pool{2};
    CHECK(pool.apply(
              [](const json& value) -> json {
                  return {{"n", value["list"].size()}};
              },
              example()) == json{{"n", 7}});
    CHECK(pool.map([](const json& value) { return value.dump(); }, std::vector<json>{1, "x"}) ==
          std::vector<std::string>{"1", "\"x\""});
}

TEST_CASE("bytes that are no JSON value are refused") {
    auto bytes = to_bytes(json(true));
    bytes[0] = std::byte{200};
    CHECK_THROWS_AS(from_bytes<json>(bytes), procpool::CodecError);
    auto object = to_bytes(json{{"key", 1}});
    object[1] = std::byte{255};  // its length
    CHECK_THROWS_AS(from_bytes<json>(object), procpool::CodecError);
}
