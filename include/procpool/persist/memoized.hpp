// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Memoized: a function that looks into a memo first.

#include <procpool/codec/call.hpp>
#include <procpool/codec/mistake.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/core/requirements.hpp>
#include <procpool/core/version.hpp>
#include <procpool/persist/code_identity.hpp>
#include <procpool/persist/key.hpp>
#include <procpool/persist/memo_call.hpp>
#include <procpool/persist/store.hpp>
#include <procpool/persist/type_digest.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::persist {

/// A function as a memo knows it, besides its type.
struct FunctionIdentity {
    Digest digest;            ///< of its code or its name, and of what it holds
    std::uint64_t group = 0;  ///< what its entries are erased by
    bool is_named = false;    ///< it stays the same in another build
};

[[nodiscard]] inline std::uint64_t group_of(std::string_view name) noexcept {
    return checksum_of(name.data(), name.size(), 1);
}

/// How values are encoded, which results depend on that outlive a build.
inline constexpr std::uint32_t wire_version = PROCPOOL_VERSION_MAJOR * 1000 + PROCPOOL_VERSION_MINOR;

/// Throws: CodecError when f holds an address; Error when its build cannot be told.
template <class F>
[[nodiscard]] FunctionIdentity identify(const F& f) {
    static_assert(
        !requires { typename F::StateWanted; },
        "procpool: a memo does not know the object that an initializer returns, which with_state(f) gives to "
        "f: give the function a name, and a version that changes with that object");
    KeyBytes bytes;
    Writer& out = bytes.writer();
    const os::CodeName name = name_of_types<F>();
    add_value(out, os::build_of(name));
    codec::encode_plain(out, name);
    codec::encode_plain(out, wire_version);
    add_callable(out, f);
    const Digest digest = bytes.digest();
    return {.digest = digest, .group = digest.low, .is_named = false};
}

/// As above, by a name. Throws: CodecError.
template <class F>
[[nodiscard]] FunctionIdentity identify(const F& f, std::string_view name, std::uint64_t version) {
    KeyBytes bytes;
    Writer& out = bytes.writer();
    add_value(out, std::string(name));
    codec::encode_plain(out, version);
    codec::encode_plain(out, wire_version);
    add_callable(out, f, true);
    return {.digest = bytes.digest(), .group = group_of(name), .is_named = true};
}

/// Returns: the bytes of a result. Throws: CodecError; what its Codec throws.
template <class Result>
[[nodiscard]] std::vector<std::byte> encode_kept(const Result& result) {
    std::vector<std::byte> bytes(256);
    Writer out{bytes, codec::grow_vector, &bytes, visibility_in_another_run};
    Codec<Result>::encode(out, result);
    bytes.resize(out.size());
    return bytes;
}

/// Returns: the result, or nothing when the bytes are none, as those of code that this build does not have.
template <class Result>
[[nodiscard]] std::optional<Result> decode_kept(std::span<const std::byte> bytes) {
    try {
        Reader in{bytes, codec::visibility_unknown};
        std::optional<Result> result{Codec<Result>::decode(in)};
        if (in.remaining() == 0) { return result; }
    } catch (const CodecError&) {}
    return std::nullopt;
}

/// The type that an argument counts as: text is text, however the function gets it.
template <class T>
struct as_key {
    using type = T;
};
template <class C>
struct as_key<codec::BasicTextArgument<C>> {
    using type = std::basic_string<C>;
};
template <class T>
using as_key_t = typename as_key<T>::type;

/// Returns: the argument, if it is a token; one that nobody sets otherwise.
[[nodiscard]] inline std::stop_token stop_of(const std::stop_token& stop) noexcept { return stop; }
template <class T>
[[nodiscard]] std::stop_token stop_of(const T&) noexcept {
    return {};
}

}  // namespace procpool::detail::persist

namespace procpool::inline v0 {

class Memo;

/// A function that looks into a Memo first, and keeps there what it computes. Made by: Memo. It is called, constrained
/// and sent to workers as the function that it was made of, which it holds: in apply(), map() and everywhere else.
/// Called by: parent, worker; any thread.
template <class F>
class Memoized {
    template <class... Args>
    using Call = detail::persist::MemoCall<F, Args...>;

public:
    /// Returns: what f(args...) returned for the same arguments once before, in this program or another one; else calls
    /// it, and keeps the result. Arguments become what they would become for a task: a literal a std::string. Not kept:
    /// exceptions, which are thrown as f throws them; a result that f returns after its std::stop_token was set.
    /// Throws: any exception of f or of Codecs; CodecError when an argument or the result holds an address; not what
    /// befalls the memo's files, see Memo.
    template <class... Args>
    requires(Call<Args&&...>::is_possible) typename Call<Args&&...>::Result operator()(Args&&... args) const {
        using Made = Call<Args&&...>;
        using Result = typename Made::Result;
        detail::persist::require_kept<Made>();
        if constexpr (Encodable<Result>) {
            return look(static_cast<const Result*>(nullptr), to_given<typename Made::template Given<Args&&>>(args)...);
        } else if constexpr (!std::is_void_v<Result>) {
            return detail::codec::this_call_is_refused{};
        }
    }

    /// The function itself.
    [[nodiscard]] const F& function() const noexcept { return f_; }

private:
    friend class Memo;
    friend Codec<Memoized>;

    Memoized(detail::persist::HeldStore store, const MemoOptions& options,
             const detail::persist::FunctionIdentity& identity, F f)
        : store_(std::move(store)),
          options_(options),
          identity_(identity),
          f_(std::move(f)) {}

    /// An argument on its way: what the function gets of it, which refers to what the caller has where it can.
    template <class Given, bool IsIgnored>
    struct Passed {
        Given value;
        using Value = std::remove_cvref_t<Given>;

        void add_to(Writer& out) const {
            if constexpr (!IsIgnored) { detail::persist::add_value<Value>(out, value); }
        }
        [[nodiscard]] Given&& take() { return static_cast<Given&&>(value); }
    };

    /// Returns: the argument as a Given, which refers to it if it is that already.
    template <class Given, class Arg>
    [[nodiscard]] static auto to_given(Arg& argument) {
        using Value = std::remove_cvref_t<Given>;
        if constexpr (detail::persist::is_ignored_v<std::remove_cv_t<Arg>>) {
            return Passed<Given, true>{static_cast<Given>(argument.value)};
        } else if constexpr (std::is_same_v<Value, std::remove_cv_t<Arg>>) {
            return Passed<Given, false>{static_cast<Given>(argument)};
        } else {
            return Passed<Value, false>{Value(detail::codec::to_wire(argument))};
        }
    }
    template <class Result, class... Given, bool... Ignored>
    Result look(const Result*, Passed<Given, Ignored>... args) const {
        using namespace detail::persist;
        Store& store = store_.get();
        const EntryKey key{identity_.group, digest_call<Result>(args...)};
        {
            FoundBytes found;
            if (store.find(key, options_, found)) {
                if (std::optional<Result> result = decode_kept<Result>(found.get())) {
                    store.count_hit();
                    return *std::move(result);
                }
                store.count_damaged();
            }
        }
        store.count_miss();
        detail::reach(detail::FaultPoint::memo_missing);
        const std::array<std::stop_token, sizeof...(Given) + 1> stops{stop_of(args.value)...};  // f may move its own
        const auto start = std::chrono::steady_clock::now();
        Result result = [&]() -> Result {
            if constexpr (std::is_same_v<Result, std::invoke_result_t<const F&, Given...>>) {
                return std::invoke(f_, args.take()...);
            } else {
                return Result(detail::codec::to_wire(std::invoke(f_, args.take()...)));
            }
        }();
        const auto cost =
            std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start);
        detail::reach(detail::FaultPoint::memo_computed);
        if (std::ranges::none_of(stops, &std::stop_token::stop_requested)) {
            store.put(key, encode_kept(result), static_cast<std::uint64_t>(cost.count()), options_);
        }
        return result;
    }

    /// Not of a type that is exact in this build only, where the identity is of any build.
    template <class Result, class... Given, bool... Ignored>
    [[nodiscard]] detail::persist::Digest digest_call(const Passed<Given, Ignored>&... args) const {
        using namespace detail::persist;
        KeyBytes bytes;
        Writer& out = bytes.writer();
        out.write(&identity_.digest, sizeof(identity_.digest));
        detail::codec::encode_plain(out, type_digest_v<Result, as_key_t<std::remove_cvref_t<Given>>...>);
        if (!identity_.is_named) {
            detail::codec::encode_plain(out, name_of_types<Result, as_key_t<std::remove_cvref_t<Given>>...>());
        }
        (args.add_to(out), ...);
        return bytes.digest();
    }

    detail::persist::HeldStore store_;
    MemoOptions options_;
    detail::persist::FunctionIdentity identity_;
    F f_;
};

/// Travels as the directory's path, its limits, and the function.
template <class F>
struct Codec<Memoized<F>> {
    /// \cond
    using parts = detail::codec::TypeList<>;

    static void encode(Writer& out, const Memoized<F>& memoized) {
        using namespace detail::codec;
        Codec<std::string>::encode(out, memoized.store_.get().directory());
        encode_plain(out, memoized.options_.most_bytes);
        encode_plain(out, memoized.options_.oldest);
        encode_plain(out, memoized.identity_.digest.high);
        encode_plain(out, memoized.identity_.digest.low);
        encode_plain(out, memoized.identity_.group);
        encode_plain(out, memoized.identity_.is_named);
        encode_callable<F>(out, memoized.f_);
    }
    static Memoized<F> decode(Reader& in) {
        using namespace detail::codec;
        using namespace detail::persist;
        HeldStore store{Store::of(Codec<std::string>::decode(in)), HeldStore::Uncounted{}};
        MemoOptions options;
        options.most_bytes = decode_plain<std::uint64_t>(in);
        options.oldest = decode_plain<std::chrono::hours>(in);
        FunctionIdentity identity;
        identity.digest.high = decode_plain<std::uint64_t>(in);
        identity.digest.low = decode_plain<std::uint64_t>(in);
        identity.group = decode_plain<std::uint64_t>(in);
        identity.is_named = Codec<bool>::decode(in);
        return Memoized<F>(std::move(store), options, identity, decode_callable<F>(in));
    }
    /// \endcond
};

namespace detail::codec {

/// A call that cannot be made is the function's mistake.
template <class F, class... Passed>
struct mistake<Memoized<F>, Passed...> : mistake<F, Passed...> {};

}  // namespace detail::codec

}  // namespace procpool
