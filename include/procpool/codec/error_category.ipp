// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/error_category.hpp>
#include <procpool/codec/text.hpp>
#include <procpool/core/error.hpp>
#include <procpool/os/code_name.hpp>
#include <procpool/os/modules.hpp>

#include <atomic>
#include <cstddef>
#include <future>
#include <ios>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>

namespace procpool::inline v0::detail::codec {

/// Stands for a category that this process does not have, such as one of a library that a worker has loaded, or one
/// that is constructed when it is first used. Error codes that were sent with the same name compare equal.
class AbsentCategory final : public std::error_category {
public:
    explicit AbsentCategory(std::string name) : name_(std::move(name)) {}
    [[nodiscard]] const char* name() const noexcept override { return name_.c_str(); }
    [[nodiscard]] std::string message(int value) const override {
        return "error " + std::to_string(value) + " of the category '" + name_ + "', which this process does not have";
    }

    /// Returns: the category with this name, which lives as long as the program. Throws: CodecError when there are too
    /// many, as names made of damaged bytes would be in the end. Called by: any thread; it takes no lock.
    [[nodiscard]] static const AbsentCategory& with_name(std::string name) {
        const AbsentCategory* first = all_.load(std::memory_order_acquire);
        if (const AbsentCategory* const known = find(first, name)) { return *known; }
        auto* const fresh = new AbsentCategory(std::move(name));
        for (;;) {
            fresh->next_ = first;
            fresh->count_ = first == nullptr ? 1 : first->count_ + 1;
            if (fresh->count_ > most) {
                delete fresh;
                throw CodecError(
                    "procpool: the bytes of an error code name one more category that this process does not have");
            }
            // acq_rel: publishes the constructed category, and shows those of other threads.
            if (all_.compare_exchange_strong(first, fresh, std::memory_order_acq_rel, std::memory_order_acquire)) {
                return *fresh;
            }
            if (const AbsentCategory* const known = find(first, fresh->name_)) {
                delete fresh;
                return *known;
            }
        }
    }

private:
    static constexpr int most = 100;

    [[nodiscard]] static const AbsentCategory* find(const AbsentCategory* first, std::string_view name) noexcept {
        while (first != nullptr && first->name_ != name) { first = first->next_; }
        return first;
    }

    static inline constinit std::atomic<const AbsentCategory*> all_{nullptr};

    std::string name_;
    const AbsentCategory* next_ = nullptr;
    int count_ = 0;  // of this one and those behind it
};

/// Returns: the word at `address`, if that is in a module of this program: those are memory of this process alone.
[[nodiscard, gnu::cold, gnu::noinline, gnu::no_sanitize_address]] PROCPOOL_DECL std::optional<std::uintptr_t>
word_in_module(std::uintptr_t address) noexcept {
    if (address % alignof(std::uintptr_t) != 0 || !os::in_loaded_module(reinterpret_cast<const void*>(address))) {
        return std::nullopt;
    }
    const std::uintptr_t word = *reinterpret_cast<const volatile std::uintptr_t*>(address);  // here, unsanitized
    return word;
}

/// The object begins with the address of its class's table of virtual functions, before which the
/// std::type_info of the class is found; that begins with the address of a table too, which identifies classes with a
/// single base, and has its base as third word (Itanium C++ ABI, 2.5.2 and 2.9.5). A category with several bases is not
/// recognised. Other words in a module may look alike, so the first functions of the table must be code.
[[gnu::cold]] PROCPOOL_DECL bool is_category(std::uintptr_t address) noexcept {
    const auto address_of = [](const std::type_info& type) { return reinterpret_cast<std::uintptr_t>(&type); };
    const auto single_base = word_in_module(address_of(typeid(std::logic_error)));
    const auto table = word_in_module(address);
    if (!table || word_in_module(*table - 2 * sizeof(void*)) != std::uintptr_t{0}) {
        return false;
    }                                                               // the object's own offset
    for (std::uintptr_t function = 0; function != 3; ++function) {  // two destructors and name()
        const auto code = word_in_module(*table + function * sizeof(void*));
        if (!code || !os::is_code(reinterpret_cast<const void*>(*code))) { return false; }
    }
    auto type = word_in_module(*table - sizeof(void*));
    for (int bases = 0; type && bases != 8; ++bases) {
        if (*type == address_of(typeid(std::error_category))) { return bases != 0; }
        if (word_in_module(*type) != single_base) { return false; }
        type = word_in_module(*type + 2 * sizeof(void*));
    }
    return false;
}

/// Returns: the category with this number, or null.
[[nodiscard, gnu::cold]] PROCPOOL_DECL const std::error_category* standard_category(std::uint8_t number) noexcept {
    switch (number) {
        case 0: return &std::generic_category();
        case 1: return &std::system_category();
        case 2: return &std::iostream_category();
        case 3: return &std::future_category();
        default: return nullptr;
    }
}
inline constexpr std::uint8_t standard_categories = 4;

[[gnu::cold]] PROCPOOL_DECL void encode_category(Writer& out, const std::error_category& category) {
    std::uint8_t number = 0;
    while (number != standard_categories && standard_category(number) != &category) { ++number; }
    Codec<std::uint8_t>::encode(out, number);
    if (number != standard_categories) { return; }
    const std::string name = category.name();
    // A worker's Writer takes constants for memory of its own, since they may have changed; the receiver finds out
    // whether the address is that of a constant.
    const Visibility visibility = out.visibility_of(&category);
    if (visibility == Visibility::this_process && !os::in_loaded_module(&category) &&
        dynamic_cast<const AbsentCategory*>(&category) == nullptr) {
        throw CodecError("procpool: the error category '" + name + "' is known to this process only");
    }
    const auto address = reinterpret_cast<std::uintptr_t>(&category);
    encode_plain(out, visibility == Visibility::named ? os::name_of(address) : address);
    Codec<std::string>::encode(out, name.substr(0, longest_category_name));
}

[[gnu::cold]] PROCPOOL_DECL const std::error_category& decode_category(Reader& in) {
    const auto number = Codec<std::uint8_t>::decode(in);
    if (const std::error_category* const known = standard_category(number)) { return *known; }
    if (number != standard_categories) { throw CodecError("procpool: the bytes of an error code name no category"); }
    auto address = decode_plain<std::uintptr_t>(in);
    if (os::is_code_name(address)) { address = os::address_of(address); }
    auto name = Codec<std::string>::decode(in);
    if (name.size() > longest_category_name) {
        throw CodecError("procpool: the bytes of an error code hold no name of a category");
    }
    if (is_category(address)) {
        const auto& category = *reinterpret_cast<const std::error_category*>(address);
        if (std::string_view(category.name()).substr(0, longest_category_name) == name) { return category; }
    }
    return AbsentCategory::with_name(std::move(name));
}

}  // namespace procpool::detail::codec
