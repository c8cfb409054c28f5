// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// How the exceptions of the standard library and of procpool travel, all with the what() they were thrown with.

#include <procpool/codec/choice.hpp>
#include <procpool/codec/error_code.hpp>
#include <procpool/codec/exception_type.hpp>
#include <procpool/core/error.hpp>

#include <any>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <future>
#include <ios>
#include <memory>
#include <new>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>
#if __has_include(<format>)
#include <format>
#endif

namespace procpool::inline v0::detail::codec {

// For exceptions that hold others; codec/exception.hpp has them, and its bodies include this header.
void encode_exception(Writer& out, const std::exception_ptr& thrown);
[[nodiscard]] std::exception_ptr decode_exception(Reader& in);

/// An E with a what() that its public constructors cannot give it.
template <class E>
class Reworded : public E {
public:
    Reworded(const E& e, std::string text) : E(e), text_(std::move(text)) {}
    [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

private:
    std::string text_;
};

/// Effects: writes what() of the thrown object. Requires: it is a std::exception.
inline void encode_what(Writer& out, const std::exception_ptr& thrown) {
    with_exception<std::exception>(thrown, [&](const std::exception& e) { Codec<std::string>::encode(out, e.what()); });
}

/// Returns: the what() that encode_what() wrote.
[[nodiscard, gnu::cold, gnu::noinline]] inline std::string decode_what(Reader& in) {
    return Codec<std::string>::decode(in);
}

/// Types whose what() is the text that they are made from.
template <class E>
struct TextExceptionType {
    [[gnu::cold]] static void raise(Reader& in, bool nested, bool& decoded) {
        E e(decode_what(in));
        raise_decoded(e, nested, decoded);
    }
    static constexpr ExceptionType value{&typeid(E), &encode_what, &raise};
};

/// Types made from nothing. Types that the library words in several ways offer all of them; the closest one comes back.
template <class E>
struct WordlessExceptionType {
    [[gnu::cold]] static void raise(Reader& in, bool nested, bool& decoded) {
        const std::string text = decode_what(in);
        E e;
        if constexpr (std::is_same_v<E, std::bad_variant_access>) { e = access_that_says(text); }
        if (text == e.what() && !nested) {
            decoded = true;
            throw E(e);
        }
        Reworded<E> reworded(e, text);
        raise_decoded(reworded, nested, decoded);
    }
    static constexpr ExceptionType value{&typeid(E), &encode_what, &raise};

private:
    static std::bad_variant_access access_that_says(const std::string& text) {
        const std::variant<int, char> variant;
        try {
            static_cast<void>(std::get<char>(variant));
        } catch (const std::bad_variant_access& e) {
            if (text == e.what()) { return e; }
        }
        return {};
    }
};

/// The constructors append the code's message to the text, which is why that is set afterwards.
template <class E>
requires(std::is_same_v<E, std::system_error> || std::is_same_v<E, std::ios_base::failure>) struct ExceptionCodec<E> {
    static void encode(Writer& out, const E& e) {
        Codec<std::error_code>::encode(out, e.code());
        Codec<std::string>::encode(out, e.what());
    }
    static E decode(Reader& in) {
        const auto code = Codec<std::error_code>::decode(in);
        E e = make(code);
        set_what(e, Codec<std::string>::decode(in));
        return e;
    }

private:
    static E make(const std::error_code& code) {
        if constexpr (std::is_same_v<E, std::system_error>) {
            return E(code);
        } else {
            return E("", code);
        }
    }
};

/// Its what() is composed of the code's, and of the paths that its constructor was given.
template <>
struct ExceptionCodec<std::filesystem::filesystem_error> {
    using E = std::filesystem::filesystem_error;

    static void encode(Writer& out, const E& e) {
        Codec<std::error_code>::encode(out, e.code());
        Codec<std::filesystem::path>::encode(out, e.path1());
        Codec<std::filesystem::path>::encode(out, e.path2());
        Codec<std::string>::encode(out, e.std::system_error::what());
        Codec<std::string>::encode(out, e.what());
    }
    static E decode(Reader& in) {
        const auto code = Codec<std::error_code>::decode(in);
        const auto path1 = Codec<std::filesystem::path>::decode(in);
        const auto path2 = Codec<std::filesystem::path>::decode(in);
        auto argument = Codec<std::string>::decode(in);
        const auto text = Codec<std::string>::decode(in);
        const std::string message = ": " + code.message();
        if (argument.ends_with(message)) { argument.resize(argument.size() - message.size()); }
        const E with_none(argument, code);
        const E with_one(argument, path1, code);
        if (text == with_none.what()) { return with_none; }
        return text == with_one.what() ? with_one : E(argument, path1, path2, code);
    }
};

template <>
struct ExceptionCodec<std::future_error> {
    static void encode(Writer& out, const std::future_error& e) { Codec<int>::encode(out, e.code().value()); }
    static std::future_error decode(Reader& in) {
        return std::future_error(static_cast<std::future_errc>(Codec<int>::decode(in)));
    }
};

template <>
struct ExceptionCodec<std::regex_error> {
    static void encode(Writer& out, const std::regex_error& e) {
        Codec<int>::encode(out, static_cast<int>(e.code()));
        Codec<std::string>::encode(out, e.what());
    }
    static std::regex_error decode(Reader& in) {
        const int code = Codec<int>::decode(in);
        if (code < 0 || code > 15) {  // the range of the enumeration
            throw CodecError("procpool: the bytes of a std::regex_error hold no error code of it");
        }
        std::regex_error e(static_cast<std::regex_constants::error_type>(code));
        set_what(e, Codec<std::string>::decode(in));
        return e;
    }
};

template <>
struct ExceptionCodec<TaskTimedOut> {
    static void encode(Writer& out, const TaskTimedOut& e) {
        Codec<std::chrono::nanoseconds>::encode(out, e.limit());
        Codec<std::optional<std::size_t>>::encode(out, e.item());
        Codec<std::string>::encode(out, e.what());
    }
    static TaskTimedOut decode(Reader& in) {
        const auto limit = Codec<std::chrono::nanoseconds>::decode(in);
        TaskTimedOut e(limit, {}, Codec<std::optional<std::size_t>>::decode(in));
        set_what(e, Codec<std::string>::decode(in));
        return e;
    }
};

template <>
struct ExceptionCodec<RemoteError> {
    static void encode(Writer& out, const RemoteError& e) {
        Codec<std::string>::encode(out, e.type_name());
        Codec<std::string>::encode(out, e.what());
    }
    static RemoteError decode(Reader& in) {
        auto type_name = Codec<std::string>::decode(in);
        return RemoteError(std::move(type_name), Codec<std::string>::decode(in));
    }
};

template <>
struct ExceptionCodec<WorkerDied> {
    static void encode(Writer& out, const WorkerDied& e) {
        Codec<ExitStatus>::encode(out, e.exit_status());
        Codec<std::int32_t>::encode(out, e.pid());
        Codec<std::string>::encode(out, e.label());
        Codec<std::string>::encode(out, e.backtrace());
        Codec<std::optional<std::size_t>>::encode(out, e.item());
        Codec<std::string>::encode(out, e.what());
    }
    static WorkerDied decode(Reader& in) {
        const auto status = Codec<ExitStatus>::decode(in);
        const auto pid = Codec<std::int32_t>::decode(in);
        auto label = Codec<std::string>::decode(in);
        auto backtrace = Codec<std::string>::decode(in);
        WorkerDied e(status, pid, std::move(label), std::move(backtrace),
                     Codec<std::optional<std::size_t>>::decode(in));
        set_what(e, Codec<std::string>::decode(in));
        return e;
    }
};

template <>
struct ExceptionCodec<ActorDied> {
    static void encode(Writer& out, const ActorDied& e) { ExceptionCodec<WorkerDied>::encode(out, e); }
    static ActorDied decode(Reader& in) {
        const WorkerDied died = ExceptionCodec<WorkerDied>::decode(in);
        ActorDied e(died.exit_status(), died.pid(), died.label(), died.backtrace());
        set_what(e, died.what());
        return e;
    }
};

template <>
struct ExceptionCodec<MemoryLimitExceeded> {
    static void encode(Writer& out, const MemoryLimitExceeded& e) {
        Codec<std::uint64_t>::encode(out, e.resident());
        Codec<std::uint64_t>::encode(out, e.limit());
        Codec<std::int32_t>::encode(out, e.pid());
        Codec<std::string>::encode(out, e.label());
        Codec<std::optional<std::size_t>>::encode(out, e.item());
        Codec<std::string>::encode(out, e.what());
    }
    static MemoryLimitExceeded decode(Reader& in) {
        const auto resident = Codec<std::uint64_t>::decode(in);
        const auto limit = Codec<std::uint64_t>::decode(in);
        const auto pid = Codec<std::int32_t>::decode(in);
        auto label = Codec<std::string>::decode(in);
        MemoryLimitExceeded e(resident, limit, pid, std::move(label), Codec<std::optional<std::size_t>>::decode(in));
        set_what(e, Codec<std::string>::decode(in));
        return e;
    }
};

template <>
struct ExceptionCodec<NodeLost> {
    static void encode(Writer& out, const NodeLost& e) {
        Codec<std::string>::encode(out, e.host());
        Codec<std::string>::encode(out, e.label());
        Codec<std::optional<std::size_t>>::encode(out, e.item());
        Codec<std::string>::encode(out, e.what());
    }
    static NodeLost decode(Reader& in) {
        auto host = Codec<std::string>::decode(in);
        auto label = Codec<std::string>::decode(in);
        NodeLost e(std::move(host), std::move(label), Codec<std::optional<std::size_t>>::decode(in));
        set_what(e, Codec<std::string>::decode(in));
        return e;
    }
};

template <>
struct ExceptionCodec<RestartsExhausted> {
    static void encode(Writer& out, const RestartsExhausted& e) {
        Codec<std::string>::encode(out, e.child());
        Codec<ExitStatus>::encode(out, e.exit_status());
        Codec<std::string>::encode(out, e.what());
    }
    static RestartsExhausted decode(Reader& in) {
        auto child = Codec<std::string>::decode(in);
        RestartsExhausted e({}, std::move(child), Codec<ExitStatus>::decode(in));
        set_what(e, Codec<std::string>::decode(in));
        return e;
    }
};

template <>
struct ExceptionCodec<OwnerDied> {
    static void encode(Writer& out, const OwnerDied& e) {
        Codec<std::int32_t>::encode(out, e.pid());
        Codec<std::int32_t>::encode(out, e.thread());
        Codec<std::string>::encode(out, e.what());
    }
    static OwnerDied decode(Reader& in) {
        const auto pid = Codec<std::int32_t>::decode(in);
        OwnerDied e(pid, Codec<std::int32_t>::decode(in));
        set_what(e, Codec<std::string>::decode(in));
        return e;
    }
};

template <>
struct ExceptionCodec<PartLost> {
    static void encode(Writer& out, const PartLost& e) {
        Codec<std::uint64_t>::encode(out, e.part());
        Codec<std::string>::encode(out, e.what());
    }
    static PartLost decode(Reader& in) {
        PartLost e(static_cast<std::size_t>(Codec<std::uint64_t>::decode(in)));
        set_what(e, Codec<std::string>::decode(in));
        return e;
    }
};

template <>
struct ExceptionCodec<TooManyFailures> {
    static void encode(Writer& out, const TooManyFailures& e) {
        Codec<std::uint64_t>::encode(out, e.failed());
        Codec<std::uint64_t>::encode(out, e.done());
        Codec<bool>::encode(out, e.first() != nullptr);
        if (e.first()) { encode_exception(out, e.first()); }
        Codec<std::string>::encode(out, e.what());
    }
    static TooManyFailures decode(Reader& in) {
        const auto failed = static_cast<std::size_t>(Codec<std::uint64_t>::decode(in));
        const auto done = static_cast<std::size_t>(Codec<std::uint64_t>::decode(in));
        TooManyFailures e(failed, done, Codec<bool>::decode(in) ? decode_exception(in) : nullptr);
        set_what(e, Codec<std::string>::decode(in));
        return e;
    }
};

template <>
struct ExceptionCodec<SharedMemoryExhausted> {
    static void encode(Writer& out, const SharedMemoryExhausted& e) { Codec<std::uint64_t>::encode(out, e.bytes()); }
    static SharedMemoryExhausted decode(Reader& in) { return SharedMemoryExhausted(Codec<std::uint64_t>::decode(in)); }
};

template <class E>
inline constexpr ExceptionType by_text = TextExceptionType<E>::value;
template <class E>
inline constexpr ExceptionType by_codec = ExceptionTypeOf<E, ExceptionCodec<E>>::value;
template <class E>
inline constexpr ExceptionType by_nothing = WordlessExceptionType<E>::value;

/// Every type that comes back as itself without being registered. A position here is the type's number in the bytes.
inline constexpr std::array standard_exceptions {
    // clang-format off
    by_text<std::logic_error>,
    by_text<std::invalid_argument>,
    by_text<std::domain_error>,
    by_text<std::length_error>,
    by_text<std::out_of_range>,
    by_text<std::runtime_error>,
    by_text<std::range_error>,
    by_text<std::overflow_error>,
    by_text<std::underflow_error>,
    by_nothing<std::exception>,
    by_nothing<std::bad_alloc>,
    by_nothing<std::bad_array_new_length>,
    by_nothing<std::bad_cast>,
    by_nothing<std::bad_typeid>,
    by_nothing<std::bad_exception>,
    by_nothing<std::bad_function_call>,
    by_nothing<std::bad_optional_access>,
    by_nothing<std::bad_variant_access>,
    by_nothing<std::bad_any_cast>,
    by_nothing<std::bad_weak_ptr>,
    by_codec<std::future_error>,
    by_codec<std::regex_error>,
    by_codec<std::filesystem::filesystem_error>,
    by_codec<std::system_error>,
    by_codec<std::ios_base::failure>,
#if defined(__cpp_lib_format)
    by_text<std::format_error>,
#endif
    by_text<Error>,
    by_text<PoolClosed>,
    by_text<PoolTerminated>,
    by_text<PoolBroken>,
    by_text<TaskCancelled>,
    by_text<CodecError>,
    by_codec<TaskTimedOut>,
    by_codec<RemoteError>,
    by_codec<WorkerDied>,
    by_codec<ActorDied>,
    by_codec<MemoryLimitExceeded>,
    by_codec<NodeLost>,
    by_codec<RestartsExhausted>,
    by_codec<PartLost>,
    by_codec<OwnerDied>,
    by_text<BrokenBarrier>,
    by_text<QueueClosed>,
    by_text<EndOfFile>,
    by_text<BrokenPipe>,
    by_codec<SharedMemoryExhausted>,
    by_text<JournalMismatch>,
    by_text<JournalBusy>,
    by_codec<TooManyFailures>,
    // clang-format on
};

}  // namespace procpool::detail::codec
