// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The archives that functions written for cereal or Boost.Serialization are called with: serialize(), or save() and
/// load(), members of a class or functions beside it, with a version or without.

#include <procpool/codec/bytes.hpp>
#include <procpool/core/type_text.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

// Where those libraries keep the versions that BOOST_CLASS_VERSION and CEREAL_CLASS_VERSION give to classes.
namespace boost::serialization {
template <class T>
struct version;
}  // namespace boost::serialization
namespace cereal::detail {
template <class T, class Tag>  // cereal gives the tag a default
struct Version;
}  // namespace cereal::detail

namespace procpool::inline v0 {

template <class T>
struct Codec;
class SaveArchive;
class LoadArchive;

}  // namespace procpool

namespace procpool::inline v0::detail::codec {

template <template <class...> class Version, class T>
concept HasVersion = requires {
    Version<T>::version;
};
template <template <class...> class Version, class T>
[[nodiscard]] unsigned version_in() {
    return Version<T>::version;
}

/// Returns: what T's functions get as their version: the one that the program gives it, so that no member of a later
/// one stays behind.
template <class T>
[[nodiscard]] unsigned class_version() {
    unsigned version = 0;
    if constexpr (requires { boost::serialization::version<T>::value; }) {
        version = static_cast<unsigned>(boost::serialization::version<T>::value);
    }
    if constexpr (HasVersion<cereal::detail::Version, T>) {
        const unsigned for_cereal = version_in<cereal::detail::Version, T>();
        version = for_cereal > version ? for_cereal : version;
    }
    return version;
}

}  // namespace procpool::detail::codec

namespace procpool::inline v0 {

/// Reaches private members of classes that say `friend struct procpool::Access;`.
struct Access {
    /// \{
    /// Calls the member function of that name, with the class's version where it takes one.
    template <class Archive, class T>
    static auto serialize(Archive& archive, T& value) -> decltype(void(value.serialize(archive))) {
        value.serialize(archive);
    }
    template <class Archive, class T>
    static auto serialize_versioned(Archive& archive, T& value) -> decltype(void(value.serialize(archive, 0u))) {
        value.serialize(archive, detail::codec::class_version<T>());
    }
    template <class Archive, class T>
    static auto save(Archive& archive, const T& value) -> decltype(void(value.save(archive))) {
        value.save(archive);
    }
    template <class Archive, class T>
    static auto load(Archive& archive, T& value) -> decltype(void(value.load(archive))) {
        value.load(archive);
    }
    template <class Archive, class T>
    static auto save_versioned(Archive& archive, const T& value) -> decltype(void(value.save(archive, 0u))) {
        value.save(archive, detail::codec::class_version<T>());
    }
    template <class Archive, class T>
    static auto load_versioned(Archive& archive, T& value) -> decltype(void(value.load(archive, 0u))) {
        value.load(archive, detail::codec::class_version<T>());
    }
    /// \}
    /// Calls the default constructor.
    template <class T>
    static auto make() -> decltype(T()) {
        return T();
    }
};

}  // namespace procpool

namespace procpool::inline v0::detail::codec {

/// Converts to those that T is derived from: a function that takes one was not written for T, and would leave T's own
/// members behind.
template <class T>
struct AsBaseOf {
    template <class Base>
    requires(std::is_base_of_v<Base, T> && !std::is_same_v<std::remove_cv_t<Base>, T>) operator Base&() const noexcept;
};
/// Converts to T and nothing else.
template <class T>
struct AsExactly {
    template <class Same>
    requires std::is_same_v<std::remove_cv_t<Same>, T>
    operator Same&() const noexcept;
};

template <class Archive, class T>
concept HasFreeSerialize = requires(Archive& archive, T& value) {
    serialize(archive, value);
};
template <class Archive, class T>
concept HasFreeSerializeVersioned = requires(Archive& archive, T& value) {
    serialize(archive, value, 0u);
};
template <class Archive, class T>
concept HasFreeSave = requires(Archive& archive, const T& value) {
    save(archive, value);
};
template <class Archive, class T>
concept HasFreeLoad = requires(Archive& archive, T& value) {
    load(archive, value);
};
template <class Archive, class T>
concept HasFreeSaveVersioned = requires(Archive& archive, const T& value) {
    save(archive, value, 0u);
};
template <class Archive, class T>
concept HasFreeLoadVersioned = requires(Archive& archive, T& value) {
    load(archive, value, 0u);
};

/// How a class is written to archives and read from them; members come before functions beside it, as they know more.
enum class Archiving {
    none,
    member,
    member_versioned,
    member_pair,
    member_pair_versioned,
    beside,
    beside_versioned,
    beside_pair,
    beside_pair_versioned
};

template <class T, class Save, class Load>
consteval Archiving find_archiving() {
    if constexpr (requires(Save & out, Load & in, T & value) {
                      Access::serialize(out, value), Access::serialize(in, value);
                  }) {
        return Archiving::member;
    } else if constexpr (requires(Save & out, Load & in, T & value) {
                             Access::serialize_versioned(out, value), Access::serialize_versioned(in, value);
                         }) {
        return Archiving::member_versioned;
    } else if constexpr (requires(Save & out, Load & in, T & value) {
                             Access::save(out, value), Access::load(in, value);
                         }) {
        return Archiving::member_pair;
    } else if constexpr (requires(Save & out, Load & in, T & value) {
                             Access::save_versioned(out, value), Access::load_versioned(in, value);
                         }) {
        return Archiving::member_pair_versioned;
    } else if constexpr (HasFreeSerialize<Save, T> && HasFreeSerialize<Load, T>) {
        return HasFreeSerialize<Load, AsBaseOf<T>> && !HasFreeSerialize<Load, AsExactly<T>> ? Archiving::none
                                                                                            : Archiving::beside;
    } else if constexpr (HasFreeSerializeVersioned<Save, T> && HasFreeSerializeVersioned<Load, T>) {
        return HasFreeSerializeVersioned<Load, AsBaseOf<T>> && !HasFreeSerializeVersioned<Load, AsExactly<T>>
                   ? Archiving::none
                   : Archiving::beside_versioned;
    } else if constexpr (HasFreeSave<Save, T> && HasFreeLoad<Load, T>) {
        return HasFreeLoad<Load, AsBaseOf<T>> && !HasFreeLoad<Load, AsExactly<T>> ? Archiving::none
                                                                                  : Archiving::beside_pair;
    } else if constexpr (HasFreeSaveVersioned<Save, T> && HasFreeLoadVersioned<Load, T>) {
        return HasFreeLoadVersioned<Load, AsBaseOf<T>> && !HasFreeLoadVersioned<Load, AsExactly<T>>
                   ? Archiving::none
                   : Archiving::beside_pair_versioned;
    } else {
        return Archiving::none;
    }
}

/// T's own functions write and read it.
template <class T>
concept HasSerialize = std::is_class_v<T> &&(find_archiving<T, SaveArchive, LoadArchive>() != Archiving::none);

/// Effects: T's own functions write or read the value.
template <class Archive, class T>
void call_serialize(Archive& archive, T& value) {
    constexpr Archiving by = find_archiving<T, SaveArchive, LoadArchive>();
    constexpr bool saves = Archive::is_saving::value;
    if constexpr (by == Archiving::member) {
        Access::serialize(archive, value);
    } else if constexpr (by == Archiving::member_versioned) {
        Access::serialize_versioned(archive, value);
    } else if constexpr (by == Archiving::member_pair && saves) {
        Access::save(archive, value);
    } else if constexpr (by == Archiving::member_pair) {
        Access::load(archive, value);
    } else if constexpr (by == Archiving::member_pair_versioned && saves) {
        Access::save_versioned(archive, value);
    } else if constexpr (by == Archiving::member_pair_versioned) {
        Access::load_versioned(archive, value);
    } else if constexpr (by == Archiving::beside) {
        serialize(archive, value);
    } else if constexpr (by == Archiving::beside_versioned) {
        serialize(archive, value, class_version<T>());
    } else if constexpr (by == Archiving::beside_pair && saves) {
        save(archive, std::as_const(value));
    } else if constexpr (by == Archiving::beside_pair) {
        load(archive, value);
    } else if constexpr (saves) {
        save(archive, std::as_const(value), class_version<T>());
    } else {
        load(archive, value, class_version<T>());
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

/// Others of cereal's: base_class() and virtual_base_class(), make_size_tag(), binary_data().
template <class T>
concept NamesBase = requires(T& value) {
    *value.base_ptr;
}
&&type_text<T>().starts_with("cereal::");
template <class T>
concept HoldsSize = requires(T& value) {
    value.size;
}
&&type_text<T>().starts_with("cereal::SizeTag<");
template <class T>
concept NamesBytes = requires(T& value) {
    value.data, value.size;
}
&&type_text<T>().starts_with("cereal::BinaryData<");

/// The part that both archives share: how values are handed to them, and how deep they reach.
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
        } else if constexpr (NamesBase<std::remove_const_t<T>>) {
            apply(*value.base_ptr);
        } else if constexpr (NamesBytes<std::remove_const_t<T>>) {
            self().bytes(value.data, static_cast<std::size_t>(value.size));
        } else if constexpr (HoldsSize<std::remove_const_t<T>>) {
            self().one(value.size);
        } else if constexpr (std::is_array_v<T>) {
            for (auto& element : value) { apply(element); }
        } else {
            self().one(value);
        }
    }
};

}  // namespace procpool::detail::codec

namespace procpool::inline v0 {

/// The archive that a class's serialize() or save() writes to, by `archive & value`, `archive << value` or
/// `archive(values...)`. Made by: Codec<T>::encode().
class SaveArchive : public detail::codec::ArchiveSyntax<SaveArchive> {
public:
    /// \{
    /// Tells serialize() which way it goes, as Boost's and cereal's archives do.
    using is_saving = std::true_type;
    using is_loading = std::false_type;
    /// \}

    /// Appends to `out`, which outlives the archive.
    explicit SaveArchive(Writer& out) noexcept : out_(out) {}

    /// Writes the value. Throws: CodecError; what the value's Codec throws.
    template <class T>
    SaveArchive& operator<<(const T& value) {
        return (*this)(value);
    }

private:
    friend detail::codec::ArchiveSyntax<SaveArchive>;
    template <class T>
    void one(const T& value) {
        Codec<T>::encode(out_, value);
    }
    void bytes(const void* data, std::size_t size) { out_.write(data, size); }

    Writer& out_;
};

/// The archive that a class's serialize() or load() reads from, by `archive & value`, `archive >> value` or
/// `archive(values...)`. Made by: Codec<T>::decode().
class LoadArchive : public detail::codec::ArchiveSyntax<LoadArchive> {
public:
    /// \{
    /// Tells serialize() which way it goes, as Boost's and cereal's archives do.
    using is_saving = std::false_type;
    using is_loading = std::true_type;
    /// \}

    /// Reads on from where `in` is, which outlives the archive.
    explicit LoadArchive(Reader& in) noexcept : in_(in) {}

    /// Reads the value. Throws: CodecError when the bytes are no T; what the value's Codec throws.
    template <class T>
    LoadArchive& operator>>(T&& value) {
        return (*this)(value);
    }

private:
    friend detail::codec::ArchiveSyntax<LoadArchive>;
    /// A base class is loaded in place: it may be abstract, and need not be assignable.
    template <class T>
    void one(T& value) {
        if constexpr (requires { requires Codec<T>::by_member; }) {
            detail::codec::call_serialize(*this, value);
        } else {
            value = Codec<T>::decode(in_);
        }
    }
    void bytes(void* data, std::size_t size) { in_.read(data, size); }

    Reader& in_;
};

}  // namespace procpool
