// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/exception.hpp>
#include <procpool/codec/nesting.hpp>
#include <procpool/codec/standard_exceptions.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/exception_note.hpp>
#include <procpool/core/type_name.hpp>
#include <procpool/os/code_name.hpp>
#include <procpool/os/throw_place.hpp>

#include <cxxabi.h>
#include <cstdint>
#include <ios>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::codec {

/// Stack that destroying an exception takes before it destroys the one nested in it, with much to spare.
inline constexpr std::size_t frame_of_nested_exception = 500;

/// The number that announces a registered type's name.
inline constexpr std::uint8_t registered_type = 255;
static_assert(standard_exceptions.size() < registered_type);

/// Returns: the type of the thrown object.
[[nodiscard, gnu::cold]] PROCPOOL_DECL const std::type_info& type_of(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (...) { return *abi::__cxa_current_exception_type(); }
}

/// Returns: the name of the type that the thrower wrote, without the classes of libraries, ours included, that derive
/// from it.
[[nodiscard, gnu::cold]] PROCPOOL_DECL std::string name_as_thrown(const std::type_info& type) {
    std::string name = type_name(type);
    std::string reworded = type_name<Reworded<std::exception>>();
    reworded.resize(reworded.find('<') + 1);
    for (const std::string_view wrapper :
         {std::string_view{"std::_Nested_exception<"}, std::string_view{"std::__nested<"},
          std::string_view{"std::__1::__nested<"}, std::string_view{reworded}}) {
        if (name.starts_with(wrapper) && name.ends_with('>')) {
            name = name.substr(wrapper.size(), name.size() - wrapper.size() - 1);
            if (name.ends_with(' ')) { name.pop_back(); }
        }
    }
    return name == "std::__ios_failure" ? type_name<std::ios_base::failure>() : name;
}

/// A type's place in one of the two lists, or nothing.
struct FoundType {
    const ExceptionType* how = nullptr;
    bool registered = false;
};

template <class IsIt>
[[nodiscard]] FoundType find_exception_type(const IsIt& is_it) {
    if (const ExceptionType* how = find_registered(is_it)) { return {how, true}; }
    for (const ExceptionType& how : standard_exceptions) {
        if (is_it(*how.type)) { return {&how, false}; }
    }
    return {};
}

[[nodiscard, gnu::cold]] PROCPOOL_DECL FoundType find_exception_type(const std::type_info& type) {
    const FoundType found = find_exception_type([&](const std::type_info& other) { return same_type(type, other); });
    if (found.how != nullptr) { return found; }
    const std::string name = name_as_thrown(type);
    if (name == type_name(type)) { return {}; }
    return find_exception_type([&](const std::type_info& other) { return type_name(other) == name; });
}

/// Returns: ": " and the value that was thrown, or nothing where it is none of the usual types. Compares those of
/// pointers, since a handler of pointers catches nullptr too.
[[nodiscard, gnu::cold]] PROCPOOL_DECL std::string thrown_value(const std::exception_ptr& thrown,
                                                                const std::type_info& type) {
    const bool is_text = same_type(type, typeid(const char*)) || same_type(type, typeid(char*));
    try {
        std::rethrow_exception(thrown);
    } catch (const std::string& value) { return ": " + value; } catch (bool value) {
        return value ? ": true" : ": false";
    } catch (char value) { return std::string(": ") + value; } catch (int value) {
        return ": " + std::to_string(value);
    } catch (unsigned value) { return ": " + std::to_string(value); } catch (long value) {
        return ": " + std::to_string(value);
    } catch (unsigned long value) { return ": " + std::to_string(value); } catch (long long value) {
        return ": " + std::to_string(value);
    } catch (unsigned long long value) { return ": " + std::to_string(value); } catch (float value) {
        return ": " + std::to_string(value);
    } catch (double value) { return ": " + std::to_string(value); } catch (const char* value) {
        return is_text ? std::string(": ") + (value == nullptr ? "null" : value) : std::string();
    } catch (...) { return {}; }
}

/// Returns: the text of the RemoteError for a thrown object that does not come back as itself.
[[nodiscard, gnu::cold]] PROCPOOL_DECL std::string text_of(const std::exception_ptr& thrown,
                                                           const std::type_info& type) {
    try {
        std::rethrow_exception(thrown);
    } catch (const std::exception& e) { return e.what() == nullptr ? "null" : e.what(); } catch (...) {
        return "procpool: the task threw an object of type " + type_name(type) + thrown_value(thrown, type);
    }
}

[[gnu::cold]] PROCPOOL_DECL std::exception_ptr nested_in(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const std::nested_exception& e) { return e.nested_ptr(); } catch (...) {
        return nullptr;
    }
}

/// Effects: writes `thrown` without its nested exceptions.
[[gnu::cold]] PROCPOOL_DECL void encode_thrown(Writer& out, const std::exception_ptr& thrown) {
    const std::type_info& type = type_of(thrown);
    const FoundType found = find_exception_type(type);
    if (found.how == nullptr) {
        encode_thrown(out, std::make_exception_ptr(RemoteError(name_as_thrown(type), text_of(thrown, type))));
    } else if (found.registered) {
        Codec<std::uint8_t>::encode(out, registered_type);
        Codec<std::string>::encode(out, found.how->type->name());
        found.how->encode(out, thrown);
    } else {
        Codec<std::uint8_t>::encode(out, static_cast<std::uint8_t>(found.how - standard_exceptions.data()));
        found.how->encode(out, thrown);
    }
}

/// Effects: writes how many exceptions are nested in `thrown`, a byte each, then the innermost one first, `thrown`
/// last.
[[gnu::cold]] PROCPOOL_DECL void encode_chain(Writer& out, const std::exception_ptr& thrown) {
    std::vector<std::exception_ptr> chain{thrown};
    while (chain.size() <= deepest_nesting) {
        std::exception_ptr nested = nested_in(chain.back());
        if (nested == nullptr) { break; }
        Codec<bool>::encode(out, true);
        chain.push_back(std::move(nested));
    }
    Codec<bool>::encode(out, false);
    for (; !chain.empty(); chain.pop_back()) { encode_thrown(out, chain.back()); }
}

/// Returns: one exception of a chain, with `nested` inside.
[[nodiscard, gnu::cold]] PROCPOOL_DECL std::exception_ptr decode_thrown(Reader& in, const std::exception_ptr& nested) {
    const auto number = Codec<std::uint8_t>::decode(in);
    if (number < standard_exceptions.size()) { return decode_as(standard_exceptions[number], in, nested); }
    if (number != registered_type) { throw CodecError("procpool: the bytes of an exception name no type"); }
    const auto name = Codec<std::string>::decode(in);
    const ExceptionType* const how = find_registered([&](const std::type_info& type) { return name == type.name(); });
    if (how == nullptr) { throw CodecError("procpool: an exception type is registered in the worker only: " + name); }
    return decode_as(*how, in, nested);
}

/// Returns: the chain that encode_chain() wrote, without exceptions so deep that the stack might not suffice for their
/// destructors, which recur.
[[nodiscard, gnu::cold]] PROCPOOL_DECL std::exception_ptr decode_chain(Reader& in) {
    std::size_t depth = 0;
    while (Codec<bool>::decode(in)) {
        if (++depth > deepest_nesting) { throw CodecError("procpool: the bytes of an exception nest too deeply"); }
    }
    const std::size_t kept = depth < 10 ? depth : Nesting::levels_possible(frame_of_nested_exception);
    std::exception_ptr thrown;
    for (std::size_t outer = depth + 1; outer-- != 0;) { thrown = decode_thrown(in, outer < kept ? thrown : nullptr); }
    return thrown;
}

/// Effects: writes where the exception was thrown; if it came from a pool of this process's own, where its worker threw
/// it.
[[gnu::cold]] PROCPOOL_DECL void encode_place(Writer& out, const std::exception_ptr& thrown) {
    const os::ThrowPlace here = os::take_throw_place(core::thrown_object(thrown));
    const core::ExceptionNote* const note = core::note_of(thrown);
    const auto frames = note != nullptr && !note->frames().empty() ? note->frames() : here.frames();
    Codec<std::uint8_t>::encode(out, static_cast<std::uint8_t>(frames.size()));
    const bool are_named =
        !frames.empty() && out.visibility_of(reinterpret_cast<const void*>(frames[0])) == Visibility::named;
    for (const std::uintptr_t frame : frames) {
        const os::CodeName name = are_named ? os::name_of(frame) : 0;
        encode_plain(out, name != 0 ? name : frame);
    }
}

/// Effects: reads what encode_place() wrote. Returns: the frames, in `storage`.
[[nodiscard, gnu::cold]] PROCPOOL_DECL std::span<const std::uintptr_t> decode_place(Reader& in,
                                                                                    os::ThrowPlace& storage) {
    storage.count = Codec<std::uint8_t>::decode(in);
    if (storage.count > os::ThrowPlace::most_frames) {
        throw CodecError("procpool: the bytes of an exception name too many frames");
    }
    in.read(storage.storage.data(), storage.count * sizeof(std::uintptr_t));
    for (std::uintptr_t& frame : std::span(storage.storage).first(storage.count)) {
        const std::uintptr_t here = os::is_code_name(frame) ? os::address_of(frame) : 0;
        if (here != 0) { frame = here; }  // a name that means nothing here is explained as such
    }
    return storage.frames();
}

[[gnu::cold]] PROCPOOL_DECL void encode_exception(Writer& out, const std::exception_ptr& thrown) {
    encode_place(out, thrown);
    const std::size_t start = out.size();
    const auto encode_instead = [&](const std::string& name, const std::string& text) {
        out.rewind(start);
        encode_chain(out, std::make_exception_ptr(RemoteError(name, text)));
    };
    if (thrown == nullptr) {
        encode_instead("std::exception_ptr", "procpool: the task ended with a null std::exception_ptr");
        return;
    }
    try {
        encode_chain(out, thrown);
    } catch (const std::exception& e) {
        encode_instead(name_as_thrown(type_of(thrown)),
                       std::string("procpool: what the task threw could not be encoded: ") + e.what());
    } catch (...) {
        encode_instead(name_as_thrown(type_of(thrown)), "procpool: what the task threw could not be encoded");
    }
}

[[gnu::cold]] PROCPOOL_DECL std::exception_ptr decode_exception(Reader& in) {
    const std::string problem = "procpool: what the task threw could not be decoded";
    try {
        os::ThrowPlace place{};
        const std::span<const std::uintptr_t> frames = decode_place(in, place);
        std::exception_ptr thrown = decode_chain(in);
        if (!frames.empty()) { core::note_frames(thrown, frames); }
        return thrown;
    } catch (const CodecError&) { return std::current_exception(); } catch (const std::exception& e) {
        return std::make_exception_ptr(CodecError(problem + ": " + e.what()));
    } catch (...) { return std::make_exception_ptr(CodecError(problem)); }
}

[[gnu::cold]] PROCPOOL_DECL std::exception_ptr copy_exception(const std::exception_ptr& thrown) {
    std::vector<std::byte> bytes;
    Writer out{bytes, grow_vector, &bytes};
    encode_exception(out, thrown);
    Reader in{std::span<const std::byte>{bytes}.first(out.size())};
    return decode_exception(in);
}

}  // namespace procpool::detail::codec
