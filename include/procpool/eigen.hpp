// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Lets Eigen's matrices and arrays, of fixed and dynamic size, its quaternions and transforms travel. Not part of
/// <procpool/procpool.hpp>. An expression, such as a product or a block, arrives as the matrix that it makes when it is
/// an argument or item, and is refused as a result: what it refers to may have ended with the task.

#include <procpool/codec/codec.hpp>
#include <procpool/codec/length.hpp>
#include <procpool/codec/wire_type.hpp>

#include <Eigen/Core>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

namespace procpool::inline v0::detail::codec {

template <class T>
inline constexpr bool is_eigen_base_v = requires(const T& object) {
    []<class Derived>(const Eigen::DenseBase<Derived>&) requires std::is_same_v<Derived, T> {}
    (object);
};

/// A matrix or array that holds its coefficients.
template <class T>
concept EigenObject = is_eigen_base_v<T> && requires(const T& object) {
    []<class Derived>(const Eigen::PlainObjectBase<Derived>&) {}(object);
};
/// An object that refers to others, and is computed when it is assigned.
template <class T>
concept EigenExpression = is_eigen_base_v<T> && !EigenObject<T>;

/// As rows, columns, and the coefficients as they lie.
template <EigenObject T>
struct EigenCodec {
    using Scalar = typename T::Scalar;
    using parts = TypeList<Scalar>;

    static void encode(Writer& out, const T& object) {
        encode_plain(out, static_cast<std::uint64_t>(object.rows()));
        encode_plain(out, static_cast<std::uint64_t>(object.cols()));
        const std::span all(object.data(), static_cast<std::size_t>(object.size()));
        if constexpr (as_block) {
            out.write(all.data(), all.size_bytes());
        } else {
            encode_elements(out, all.size(), all);
        }
    }

    static T decode(Reader& in) {
        const auto rows = decode_plain<std::uint64_t>(in);
        const auto cols = decode_plain<std::uint64_t>(in);
        T object;
        if (!fits(rows, T::RowsAtCompileTime, T::MaxRowsAtCompileTime) ||
            !fits(cols, T::ColsAtCompileTime, T::MaxColsAtCompileTime)) {
            throw CodecError("procpool: the bytes of a matrix are of another shape");
        }
        if constexpr (as_block) {
            if (rows != 0 && cols > in.remaining() / sizeof(Scalar) / rows) {
                throw CodecError("procpool: a matrix is larger than what follows it");
            }
            object.resize(static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols));
            in.read(object.data(), static_cast<std::size_t>(rows * cols) * sizeof(Scalar));
        } else {
            const auto prepare = [&](std::size_t count) {
                if (rows == 0 || cols == 0 ? count != 0 : count % rows != 0 || count / rows != cols) {
                    throw CodecError("procpool: the bytes of a matrix do not match its shape");
                }
                object.resize(static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols));
            };
            Scalar* next = nullptr;
            decode_elements(in, prepare, [&] {
                next = next == nullptr ? object.data() : next + 1;
                *next = Codec<Scalar>::decode(in);
            });
        }
        return object;
    }

private:
    static constexpr bool as_block = in_one_piece_v<Scalar> && !std::is_same_v<Scalar, bool>;

    [[nodiscard]] static bool fits(std::uint64_t size, Eigen::Index fixed, Eigen::Index most) noexcept {
        if (fixed != Eigen::Dynamic) { return size == static_cast<std::uint64_t>(fixed); }
        return size <=
               static_cast<std::uint64_t>(most == Eigen::Dynamic ? std::numeric_limits<Eigen::Index>::max() : most);
    }
};

template <class Scalar, int Options>
struct QuaternionCodec {
    using Quaternion = Eigen::Quaternion<Scalar, Options>;
    using Coefficients = Eigen::Matrix<Scalar, 4, 1, Options>;
    using parts = TypeList<Coefficients>;

    static void encode(Writer& out, const Quaternion& quaternion) {
        Codec<Coefficients>::encode(out, quaternion.coeffs());
    }
    static Quaternion decode(Reader& in) { return Quaternion(Codec<Coefficients>::decode(in)); }
};

template <class Scalar, int Dimension, int Mode, int Options>
struct TransformCodec {
    using Transform = Eigen::Transform<Scalar, Dimension, Mode, Options>;
    using Matrix = typename Transform::MatrixType;
    using parts = TypeList<Matrix>;

    static void encode(Writer& out, const Transform& transform) { Codec<Matrix>::encode(out, transform.matrix()); }
    static Transform decode(Reader& in) {
        Transform transform;
        transform.matrix() = Codec<Matrix>::decode(in);
        return transform;
    }
};

template <EigenExpression T>
struct wire_type<T> {
    using type = typename T::PlainObject;
    static type from(const T& expression) { return expression; }
};

}  // namespace procpool::detail::codec

namespace procpool::inline v0 {

template <detail::codec::EigenObject T>
struct Codec<T> : detail::codec::EigenCodec<T> {};

template <detail::codec::EigenExpression T>
struct Codec<T> {
    using parts = detail::codec::NoEncoding;
};

template <class Scalar, int Options>
struct Codec<Eigen::Quaternion<Scalar, Options>> : detail::codec::QuaternionCodec<Scalar, Options> {};

template <class Scalar, int Dimension, int Mode, int Options>
struct Codec<Eigen::Transform<Scalar, Dimension, Mode, Options>>
    : detail::codec::TransformCodec<Scalar, Dimension, Mode, Options> {};

}  // namespace procpool
