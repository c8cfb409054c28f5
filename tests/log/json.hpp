// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Json: a strict reader of JSON, which takes nothing that RFC 8259 does not allow.

#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace procpool_test {

struct Json {
    enum class Kind { null, boolean, number, text, array, object };
    Kind kind = Kind::null;
    double number = 0;
    std::string text;
    std::vector<Json> items;
    std::map<std::string, Json> members;

    /// Throws: std::out_of_range without such a member.
    [[nodiscard]] const Json& operator[](const std::string& name) const { return members.at(name); }
    [[nodiscard]] bool has(const std::string& name) const { return members.count(name) != 0; }
};

class JsonReader {
public:
    /// Throws: std::runtime_error.
    [[nodiscard]] static Json read(std::string_view text) {
        JsonReader reader{text};
        Json value = reader.value();
        reader.skip_space();
        reader.require(reader.rest_.empty(), "nothing more");
        return value;
    }

private:
    explicit JsonReader(std::string_view text) : rest_(text), size_(text.size()) {}

    void require(bool holds, const char* what) const {
        if (!holds) {
            throw std::runtime_error("JSON: expected " + std::string{what} + " at " +
                                     std::to_string(size_ - rest_.size()));
        }
    }
    void skip_space() {
        while (!rest_.empty() && std::string_view{" \t\r\n"}.find(rest_.front()) != std::string_view::npos) {
            rest_.remove_prefix(1);
        }
    }
    [[nodiscard]] bool take(std::string_view what) {
        if (!rest_.starts_with(what)) { return false; }
        rest_.remove_prefix(what.size());
        return true;
    }

    Json value() {
        skip_space();
        require(!rest_.empty(), "a value");
        if (take("null")) { return {}; }
        if (take("true") || take("false")) {
            return {.kind = Json::Kind::boolean, .text = {}, .items = {}, .members = {}};
        }
        if (rest_.front() == '"') { return {.kind = Json::Kind::text, .text = string(), .items = {}, .members = {}}; }
        if (rest_.front() == '[') { return array(); }
        if (rest_.front() == '{') { return object(); }
        return number();
    }

    Json array() {
        Json result{.kind = Json::Kind::array, .text = {}, .items = {}, .members = {}};
        rest_.remove_prefix(1);
        skip_space();
        if (take("]")) { return result; }
        for (;;) {
            result.items.push_back(value());
            skip_space();
            if (take("]")) { return result; }
            require(take(","), ", or ]");
        }
    }

    Json object() {
        Json result{.kind = Json::Kind::object, .text = {}, .items = {}, .members = {}};
        rest_.remove_prefix(1);
        skip_space();
        if (take("}")) { return result; }
        for (;;) {
            skip_space();
            require(!rest_.empty() && rest_.front() == '"', "a name");
            std::string name = string();
            skip_space();
            require(take(":"), ":");
            require(result.members.emplace(std::move(name), value()).second, "a new name");
            skip_space();
            if (take("}")) { return result; }
            require(take(","), ", or }");
        }
    }

    Json number() {
        const std::string_view start = rest_;
        static_cast<void>(take("-"));
        if (!take("0")) { digits(); }
        if (take(".")) { digits(); }
        if (take("e") || take("E")) {
            static_cast<void>(take("+") || take("-"));
            digits();
        }
        const std::string text{start.substr(0, start.size() - rest_.size())};
        return {.kind = Json::Kind::number,
                .number = std::strtod(text.c_str(), nullptr),
                .text = {},
                .items = {},
                .members = {}};
    }
    void digits() {
        require(!rest_.empty() && std::isdigit(static_cast<unsigned char>(rest_.front())) != 0, "a digit");
        while (!rest_.empty() && std::isdigit(static_cast<unsigned char>(rest_.front())) != 0) {
            rest_.remove_prefix(1);
        }
    }

    std::string string() {
        std::string text;
        rest_.remove_prefix(1);
        for (;;) {
            require(!rest_.empty(), "the end of a string");
            if (take("\"")) { return text; }
            if (take("\\")) {
                require(!rest_.empty(), "what is escaped");
                const char c = rest_.front();
                rest_.remove_prefix(1);
                constexpr std::string_view from = "\"\\/bfnrt";
                constexpr std::string_view to = "\"\\/\b\f\n\r\t";
                if (c == 'u') {
                    require(rest_.size() >= 4, "four digits");
                    const std::string digits{rest_.substr(0, 4)};
                    char* end = nullptr;
                    const unsigned long code = std::strtoul(digits.c_str(), &end, 16);
                    require(end == digits.c_str() + 4, "four digits");
                    rest_.remove_prefix(4);
                    if (code < 0x80) {
                        text += static_cast<char>(code);
                    } else if (code < 0x800) {
                        text += {static_cast<char>(0xc0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3f))};
                    } else {
                        text += code == 0xfffd ? "\xef\xbf\xbd" : "?";
                    }
                } else {
                    require(from.find(c) != std::string_view::npos, "an escape");
                    text += to[from.find(c)];
                }
            } else {
                require(static_cast<unsigned char>(rest_.front()) >= 0x20, "no control character");
                text += rest_.front();
                rest_.remove_prefix(1);
            }
        }
    }

    std::string_view rest_;
    std::size_t size_;
};

}  // namespace procpool_test
