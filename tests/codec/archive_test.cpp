// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/archive.hpp>

#include <procpool/codec/standard.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
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

TEST_CASE("types with serialize() for Boost travel with private members - arrays and an abstract base") {
    CHECK(round_trip(Boost(7)) == Boost(7));
    CHECK_FALSE(round_trip(Boost(7)) == Boost(8));
}

namespace beside {

class Text {
public:
    std::string text;
    int number = 0;

private:
    [[maybe_unused]] int hidden_ = 0;
};
template <class Archive>
void serialize(Archive& archive, Text& value) {
    archive(value.text, value.number);
}
/// serialize() for a Text would leave `more` behind.
class MoreText : public Text {
public:
    int more = 0;
};
class AllText : public Text {
public:
    int more = 0;
};
template <class Archive>
void serialize(Archive& archive, AllText& value) {
    archive(static_cast<Text&>(value), value.more);
}

template <class T>
class Box {
public:
    T value{};

private:
    [[maybe_unused]] int hidden_ = 0;
};
template <class Archive, class T>
void serialize(Archive& archive, Box<T>& box, unsigned) {
    archive& box.value;
}

class Pair {
public:
    std::string text;

private:
    [[maybe_unused]] int hidden_ = 0;
};
template <class Archive>
void save(Archive& archive, const Pair& value) {
    archive(value.text + " saved");
}
template <class Archive>
void load(Archive& archive, Pair& value) {
    archive(value.text);
    value.text += " and loaded";
}

}  // namespace beside

namespace {

class SavesAndLoads {
public:
    SavesAndLoads() = default;
    explicit SavesAndLoads(std::string text) : text_(std::move(text)) {}
    template <class Archive>
    void save(Archive& archive) const {
        archive(text_);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(text_);
    }
    bool operator==(const SavesAndLoads&) const = default;

private:
    std::string text_;
};

class Versioned {
public:
    Versioned() = default;
    explicit Versioned(int n) : a_(n), b_(n) {}
    template <class Archive>
    void save(Archive& archive, unsigned version) const {
        archive << a_;
        if (version > 1) { archive << b_; }
    }
    template <class Archive>
    void load(Archive& archive, unsigned version) {
        archive >> a_;
        if (version > 1) { archive >> b_; }
    }
    bool operator==(const Versioned&) const = default;

private:
    int a_ = 0;
    int b_ = 0;
};

}  // namespace

template <>
struct boost::serialization::version<Versioned> {  // as BOOST_CLASS_VERSION says it
    static constexpr int value = 2;
};

TEST_CASE("types with save() and load() travel and with a version as their program gives it") {
    CHECK(round_trip(SavesAndLoads("text")) == SavesAndLoads("text"));
    CHECK(round_trip(std::vector{SavesAndLoads("text")}) == std::vector{SavesAndLoads("text")});
    CHECK(round_trip(Versioned(3)) == Versioned(3));
}

TEST_CASE("functions beside a class are found as members are") {
    beside::Text text;
    text.text = "text";
    text.number = 3;
    CHECK(round_trip(text).text == "text");
    CHECK(round_trip(text).number == 3);
    beside::Box<std::string> box;
    box.value = "box";
    CHECK(round_trip(box).value == "box");
    beside::Pair pair;
    pair.text = "pair";
    CHECK(round_trip(pair).text == "pair saved and loaded");
}

TEST_CASE("a function for a base class does not serve for what is derived from it") {
    STATIC_REQUIRE_FALSE(Encodable<beside::MoreText>);
    beside::AllText all;
    all.text = "text";
    all.more = 4;
    CHECK(round_trip(all).text == "text");
    CHECK(round_trip(all).more == 4);
}

TEST_CASE("a type with serialize() is not its bytes") { STATIC_REQUIRE_FALSE(is_plain_v<NamedThing>); }
