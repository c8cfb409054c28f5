// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Ref: a value that ProcessPool::put() has sent to the workers, for any number of tasks.

#include <procpool/client/client_ref.hpp>
#include <procpool/client/stored_value.hpp>
#include <procpool/client/submission.hpp>
#include <procpool/codec/codec.hpp>
#include <procpool/codec/length.hpp>
#include <procpool/codec/standard.hpp>
#include <procpool/codec/text.hpp>
#include <procpool/codec/wire_type.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

template <class T>
class Ref;

namespace detail::pool {

/// The type of the value that put() keeps of what it is given: text as a string of its own, the elements of a span as a
/// vector.
template <class Given>
struct stored {
    using type = codec::wire_type_t<Given>;
};
template <class E, std::size_t Extent>
struct stored<std::span<E, Extent>> {
    using type = std::vector<std::remove_cv_t<E>>;
};
template <class Given>
using stored_t = typename stored<std::decay_t<Given>>::type;

/// The elements of a T whose bytes, behind their number, are those of all of them; void for other types.
template <class T>
struct elements_in_place {
    using type = void;
};
template <class E, class Allocator>
requires(codec::in_one_piece_v<E> && !std::same_as<E, bool> && alignof(E) <= sizeof(std::uint64_t))  //
    struct elements_in_place<std::vector<E, Allocator>> {
    using type = E;
};
template <class C, class Traits, class Allocator>
requires codec::in_one_piece_v<C>
struct elements_in_place<std::basic_string<C, Traits, Allocator>> {
    using type = C;
};
template <class T>
using elements_in_place_t = typename elements_in_place<T>::type;

/// A value of put(), decoded in each process when it is looked at for the first time.
template <class T>
class StoredOf final : public client::StoredValue {
public:
    explicit StoredOf(client::Client& home) : StoredValue(home) {}
    StoredOf(const task::Extents& memory, std::uint64_t number, std::span<const std::byte> bytes)
        : StoredValue(memory, number, bytes) {}
    explicit StoredOf(std::span<const std::byte> bytes) : StoredValue(bytes) {}
    ~StoredOf() override { delete decoded_.load(std::memory_order_relaxed); }

    /// Effects: it is that value: shared with tasks that run in this process, encoded for others.
    template <class Given>
    void put(bool is_shared, Given&& value) {
        if constexpr (std::constructible_from<T, Given>) {
            if (is_shared) {
                decoded_.store(new Decoded{std::in_place, std::forward<Given>(value)}, std::memory_order_release);
                return;
            }
        }
        given_ = std::addressof(std::as_const(value));
        encode_at_home();
        given_ = nullptr;
    }

    /// Throws: any exception of the Codec; std::logic_error.
    [[nodiscard]] const T& get() const {
        const Decoded* const decoded = decoded_.load(std::memory_order_acquire);
        if (decoded == nullptr) [[unlikely]] { return is_mine() ? decode() : decode_inherited(); }
        require_pool();
        if constexpr (codec::holds_view<T>()) { require_bytes(); }
        return decoded->value;
    }

    [[nodiscard]] auto span() const {
        using Span = std::span<const elements_in_place_t<T>>;
        if (!has_bytes()) { return Span{get()}; }
        require_bytes();
        const std::span<const std::byte> bytes = this->bytes();
        std::uint64_t count = 0;
        std::memcpy(&count, bytes.data(), sizeof count);
        return Span{reinterpret_cast<typename Span::pointer>(bytes.data() + sizeof count),
                    static_cast<std::size_t>(count)};
    }

private:
    struct Decoded {
        explicit Decoded(std::span<const std::byte> bytes) : in(bytes), value(Codec<T>::decode(in)) {}
        template <class Given>
        Decoded(std::in_place_t, Given&& given) : in(std::span<const std::byte>{}),
                                                  value(std::forward<Given>(given)) {}
        Reader in;  // has what views of the value refer to
        T value;
    };

    void encode(Writer& out) const override { Codec<T>::encode(out, given_ != nullptr ? *given_ : get()); }

    /// Throws: std::logic_error unless views of the bytes may be read.
    void require_bytes() const {
        if (may_lose_bytes()) { client::throw_foreign_ref(); }
        if (has_bytes()) { static_cast<void>(bytes()); }
    }

    [[gnu::cold]] const T& decode() const {
        const std::lock_guard guard{decoding_};
        if (const Decoded* const decoded = decoded_.load(std::memory_order_acquire)) { return decoded->value; }
        auto* const decoded = new Decoded{bytes()};
        decoded_.store(decoded, std::memory_order_release);
        return decoded->value;
    }

    /// In a forked child. The mutex may be another thread's that the child does not have, and the bytes may be given up
    /// meanwhile: then nothing of what was read counts.
    [[gnu::cold]] const T& decode_inherited() const {
        if constexpr (codec::holds_view<T>()) { require_bytes(); }
        if (!has_bytes() || !had_bytes()) { client::throw_foreign_ref(); }
        std::unique_ptr<Decoded> decoded;
        try {
            decoded = std::make_unique<Decoded>(bytes());
        } catch (...) {
            if (!had_bytes()) { client::throw_foreign_ref(); }
            throw;
        }
        if (!had_bytes()) { client::throw_foreign_ref(); }
        Decoded* first = nullptr;
        if (decoded_.compare_exchange_strong(first, decoded.get(), std::memory_order_acq_rel)) {
            first = decoded.release();
        }
        return first->value;
    }

    const T* given_ = nullptr;  // while it is put
    mutable std::mutex decoding_;
    mutable std::atomic<Decoded*> decoded_{nullptr};
};

}  // namespace detail::pool

/// A handle to a value that ProcessPool::put() has encoded once. It is an argument, a bound value, a capture of a
/// function object with a Codec, or an item, of tasks, maps, actors and other pools of the program; all that travels
/// then is where the value is. f may take it as a const Ref<T>&, as a const T&, or, where T is a std::vector of plain
/// elements or a std::string, as a std::span<const E> or std::string_view of the bytes that lie in shared memory.
/// A worker decodes the value when it is looked at for the first time, and keeps it for later tasks; views are not
/// decoded. The memory is free for others when the last handle of the process that called put() and the last task with
/// one are gone. A machine of an MpiPool gets the value once, with the first task that refers to it, and has it in its
/// own memory for as long; a task for which there is no room there ends in SharedMemoryExhausted. Where it cannot be
/// told whether somebody still reads it, the value itself travels: in a task that a worker submits.
/// A copy refers to the same value. A Ref is no result of a task. What a worker keeps of one beyond the task stays
/// valid as long as there is a handle where put() was called; after that, a look at a value that has not been decoded
/// throws std::logic_error. In a forked child an inherited Ref may be looked at as long as the value is there, and
/// frees nothing.
/// Called by: any thread.
template <class T>
class Ref {
    using Element = detail::pool::elements_in_place_t<T>;
    static constexpr bool has_span = !std::is_void_v<Element>;
    static constexpr bool is_text = detail::codec::is_string_v<T>;

public:
    /// The type of the value.
    using value_type = T;

    /// \{
    /// Returns: the value, as long as a Ref to it lives. The first look in a process decodes it. Throws: any exception
    /// of T's Codec; std::logic_error when the pool that it was put to is gone, in a forked child that cannot read it,
    /// or when this Ref has been moved from.
    [[nodiscard]] const T& get() const { return value().get(); }
    [[nodiscard]] const T& operator*() const { return get(); }
    [[nodiscard]] const T* operator->() const { return std::addressof(get()); }
    operator const T&() const { return get(); }
    /// \}

    /// Returns: the elements of a std::vector of plain elements, or the characters of a string, where they lie: nothing
    /// is decoded. Throws: std::logic_error as get(), and in forked children.
    [[nodiscard]] auto span() const requires has_span { return value().span(); }
    /// \{
    /// As span(), for functions that take that.
    operator std::span<const Element>() const requires(has_span && !is_text) { return span(); }
    template <class C>
    requires(is_text&& std::same_as<C, Element>) operator std::basic_string_view<C>() const {
        const std::span<const C> text = span();
        return {text.data(), text.size()};
    }
    /// \}

private:
    using Stored = detail::pool::StoredOf<T>;
    template <class E>
    friend class ProcessPool;
    friend struct Codec<Ref>;

    explicit Ref(std::shared_ptr<Stored> value) noexcept : value_(std::move(value)) {}

    [[nodiscard]] Stored& value() const {
        if (value_ == nullptr) [[unlikely]] { detail::client::throw_empty_ref(); }
        return *value_;
    }

    std::shared_ptr<Stored> value_;
};

template <class T>
struct Codec<Ref<T>> {
    using parts = detail::codec::TypeList<>;
    static constexpr bool views_reader = true;  // it is no result, nor in a queue

    static void encode(Writer& out, const Ref<T>& ref) { ref.value().write(out); }
    static Ref<T> decode(Reader& in) {
        using Stored = typename Ref<T>::Stored;
        using detail::client::StoredValueAt;
        const StoredValueAt at = detail::client::read_stored(in);
        if (at.where == StoredValueAt::Where::here) {
            auto* const value = reinterpret_cast<detail::client::StoredValue*>(at.place);
            return Ref<T>{std::static_pointer_cast<Stored>(value->shared_from_this())};
        }
        if (at.where == StoredValueAt::Where::follows) {
            const auto size = static_cast<std::size_t>(at.size);
            return Ref<T>{std::make_shared<Stored>(std::span{in.take(size), size})};
        }
        if (const std::shared_ptr<const void> kept = detail::client::kept_stored(at)) {
            return Ref<T>{std::const_pointer_cast<Stored>(std::static_pointer_cast<const Stored>(kept))};
        }
        const std::span<const std::byte> bytes = detail::client::bytes_of_stored(at);
        auto value = std::make_shared<Stored>(detail::client::memory_of_task(), at.number, bytes);
        detail::client::keep_stored(at, bytes, value);
        return Ref<T>{std::move(value)};
    }
};

}  // namespace procpool
