// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/archive.hpp>

#include <procpool/codec/standard.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <map>
#include <string>
#include <vector>

using namespace procpool;
using namespace procpool_test;

namespace {

/// As cereal::make_nvp() and boost::serialization::make_nvp() make them.
template <class T>
struct CerealPair {
    const char* name;
    T& value;
};
template <class T>
struct BoostPair {
    [[nodiscard]] const char* name() const { return "name"; }
    [[nodiscard]] T& value() const { return *pointer; }
    T* pointer;
};

struct Cereal {
    int a = 0;
    std::map<std::string, int> b;
    std::string c;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(a, b, CerealPair<std::string>{"c", c});
    }
    bool operator==(const Cereal&) const = default;
};

struct AbstractBase {
    virtual ~AbstractBase() = default;
    virtual int answer() const = 0;
    int base = 0;
    template <class Archive>
    void serialize(Archive& archive, unsigned) {
        archive& base;
    }
};

class Boost : public AbstractBase {
public:
    explicit Boost(int n) : numbers_{n, n, n}, nested_(2) {
        base = n;
        nested_[1].c = "nested";
    }
    int answer() const override { return 42; }
    bool operator==(const Boost& other) const {
        return base == other.base && numbers_[2] == other.numbers_[2] && nested_ == other.nested_;
    }

private:
    friend struct procpool::Access;
    Boost() = default;
    template <class Archive>
    void serialize(Archive& archive, const unsigned int version) {
        CHECK(version == 0);
        archive& static_cast<AbstractBase&>(*this) & numbers_;
        archive& BoostPair<std::vector<Cereal>>{&nested_};
        if constexpr (Archive::is_loading::value) { loaded_ = true; }
    }
    int numbers_[3]{};
    std::vector<Cereal> nested_;
    bool loaded_ = false;
};

struct NamedThing {  // looks like a pair of a name and a value, and is not
    std::string name;
    int value = 0;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(name, value);
    }
    bool operator==(const NamedThing&) const = default;
};

}  // namespace

TEST_CASE("types with serialize() for cereal travel") {
    const Cereal value{1, {{"x", 2}}, "three"};
    CHECK(round_trip(value) == value);
    CHECK(round_trip(std::vector{value, value}) == std::vector{value, value});
    CHECK(round_trip(NamedThing{"name", 3}) == NamedThing{"name", 3});
}

TEST_CASE("types with serialize() for Boost travel, with private members, arrays, and an abstract base") {
    CHECK(round_trip(Boost(7)) == Boost(7));
    CHECK_FALSE(round_trip(Boost(7)) == Boost(8));
}

TEST_CASE("a type with serialize() is not its bytes") { STATIC_REQUIRE_FALSE(is_plain_v<NamedThing>); }
