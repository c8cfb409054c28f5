// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/archive.hpp>

#include <procpool/procpool.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <cereal/cereal.hpp>
#include <cereal/types/base_class.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>

#include <cstdint>
#include <string>
#include <vector>

using namespace procpool_test;

namespace library {

class Named {
public:
    std::string text;
    std::vector<int> numbers;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(cereal::make_nvp("text", text), CEREAL_NVP(numbers), CEREAL_NVP(hidden_));
    }

private:
    int hidden_ = 0;
};

/// Writes a container by hand.
class Counted {
public:
    std::vector<int> numbers;
    double raw[2]{};
    template <class Archive>
    void save(Archive& archive) const {
        archive(cereal::make_size_tag(static_cast<cereal::size_type>(numbers.size())));
        for (const int number : numbers) { archive(number); }
        archive(cereal::binary_data(raw, sizeof raw));
    }
    template <class Archive>
    void load(Archive& archive) {
        cereal::size_type size = 0;
        archive(cereal::make_size_tag(size));
        numbers.resize(static_cast<std::size_t>(size));
        for (int& number : numbers) { archive(number); }
        archive(cereal::binary_data(raw, sizeof raw));
    }
};

class Derived : public Named {
public:
    int more = 0;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(cereal::base_class<Named>(this), more);
    }
};

class Versioned {
public:
    int a = 0;
    int b = 0;
    template <class Archive>
    void serialize(Archive& archive, std::uint32_t const version) {
        archive(a);
        if (version > 2) { archive(b); }
    }

private:
    [[maybe_unused]] int hidden_ = 0;
};

class Beside {
public:
    std::string text;

private:
    [[maybe_unused]] int hidden_ = 0;
};
template <class Archive>
void save(Archive& archive, const Beside& value) {
    archive(value.text);
}
template <class Archive>
void load(Archive& archive, Beside& value) {
    archive(value.text);
}

}  // namespace library
CEREAL_CLASS_VERSION(library::Versioned, 3)

TEST_CASE("classes written for cereal travel with what the library gives them to write") {
    library::Named named;
    named.text = "text";
    named.numbers = {1, 2};
    CHECK(round_trip(named).text == "text");
    CHECK(round_trip(named).numbers == std::vector{1, 2});
    library::Counted counted;
    counted.numbers = {3, 4};
    counted.raw[1] = 2.5;
    CHECK(round_trip(counted).numbers == std::vector{3, 4});
    CHECK(round_trip(counted).raw[1] == 2.5);
    library::Derived derived;
    derived.text = "base";
    derived.more = 5;
    CHECK(round_trip(derived).text == "base");
    CHECK(round_trip(derived).more == 5);
}

TEST_CASE("a class of cereal's gets the version that it was given") {
    library::Versioned value;
    value.a = 1;
    value.b = 2;
    CHECK(round_trip(value).b == 2);
}

TEST_CASE("classes written for cereal are arguments and results") {
    procpool::Pool pool{1};
    library::Beside value;
    value.text = "text";
    CHECK(pool.apply([](library::Beside b) { return b; }, value).text == "text");
}
