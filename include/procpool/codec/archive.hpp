// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The archives that a serialize() member written for cereal or Boost.Serialization is called with.

#include <procpool/codec/bytes.hpp>

#include <concepts>
#include <type_traits>
#include <utility>

namespace procpool {

template <class T>
struct Codec;

/// Calls what may be private, in classes that say `friend struct procpool::Access;`: serialize(), and the default
/// constructor.
struct Access {
    template <class Archive, class T>
    static auto serialize(Archive& archive, T& value) -> decltype(void(value.serialize(archive))) {
        value.serialize(archive);
    }
    template <class Archive, class T>
    static auto serialize_versioned(Archive& archive, T& value) -> decltype(void(value.serialize(archive, 0u))) {
        value.serialize(archive, 0u);
    }
    template <class T>
    static auto make() -> decltype(T()) {
        return T();
    }
};

template <class T, class Archive>
concept HasSerializeFor = requires(Archive& archive, T& value) { Access::serialize(archive, value); } ||
                          requires(Archive& archive, T& value) { Access::serialize_versioned(archive, value); };

template <class Archive, class T>
void call_serialize(Archive& archive, T& value) {
    if constexpr (requires { Access::serialize(archive, value); }) {
        Access::serialize(archive, value);
    } else {
        Access::serialize_versioned(archive, value);
    }
}

/// A name and a value: cereal::make_nvp() and boost::serialization::make_nvp(). The name does not travel.
template <class T>
concept NamedMember = std::same_as<decltype(T::name), const char*> && std::is_lvalue_reference_v<decltype(T::value)>;
template <class T>
concept NamedByCall = requires(const T& pair) {
    { pair.name() } -> std::same_as<const char*>;
    pair.value();
};

/// What both archives share: how values are handed to them, and how deep they reach.
template <class Archive>
class ArchiveSyntax {
public:
    template <class T>
    Archive& operator&(T&& value) {
        apply(value);
        return self();
    }
    template <class... Ts>
    Archive& operator()(Ts&&... values) {
        (apply(values), ...);
        return self();
    }

private:
    Archive& self() noexcept { return static_cast<Archive&>(*this); }

    template <class T>
    void apply(T& value) {
        if constexpr (NamedMember<std::remove_const_t<T>>) {
            apply(value.value);
        } else if constexpr (NamedByCall<T>) {
            apply(value.value());
        } else if constexpr (std::is_array_v<T>) {
            for (auto& element : value) { apply(element); }
        } else {
            self().one(value);
        }
    }
};

/// Called by: Codec<T>::encode of a T with serialize().
class SaveArchive : public ArchiveSyntax<SaveArchive> {
public:
    using is_saving = std::true_type;
    using is_loading = std::false_type;

    explicit SaveArchive(Writer& out) noexcept : out_(out) {}

    template <class T>
    SaveArchive& operator<<(const T& value) {
        return (*this)(value);
    }

private:
    friend ArchiveSyntax;
    template <class T>
    void one(const T& value) {
        Codec<T>::encode(out_, value);
    }

    Writer& out_;
};

/// Called by: Codec<T>::decode of a T with serialize().
class LoadArchive : public ArchiveSyntax<LoadArchive> {
public:
    using is_saving = std::false_type;
    using is_loading = std::true_type;

    explicit LoadArchive(Reader& in) noexcept : in_(in) {}

    template <class T>
    LoadArchive& operator>>(T&& value) {
        return (*this)(value);
    }

private:
    friend ArchiveSyntax;
    /// A base class is loaded in place: it may be abstract, and need not be assignable.
    template <class T>
    void one(T& value) {
        if constexpr (requires { requires Codec<T>::by_member; }) {
            call_serialize(*this, value);
        } else {
            value = Codec<T>::decode(in_);
        }
    }

    Reader& in_;
};

/// T has a serialize() member.
template <class T>
concept HasSerialize = std::is_class_v<T> && HasSerializeFor<T, SaveArchive> && HasSerializeFor<T, LoadArchive>;

}  // namespace procpool
