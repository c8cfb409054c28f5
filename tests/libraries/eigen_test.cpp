// SPDX-License-Identifier: BSL-1.0
#include <procpool/eigen.hpp>

#include <procpool/procpool.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <Eigen/Geometry>

#include <complex>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

using namespace procpool_test;

namespace {

struct Model {
    std::string name;
    Eigen::MatrixXd weights;
    Eigen::Vector3d offset;
};

}  // namespace

TEST_CASE("Eigen's matrices and arrays travel - of any scalar/shape and order") {
    const Eigen::MatrixXd matrix = Eigen::MatrixXd::Random(3, 4);
    CHECK(round_trip(matrix) == matrix);
    CHECK(round_trip(Eigen::Vector2d(1, 2)) == Eigen::Vector2d(1, 2));
    CHECK(round_trip(Eigen::RowVectorXi(Eigen::RowVectorXi::LinSpaced(5, 0, 4))) ==
          Eigen::RowVectorXi::LinSpaced(5, 0, 4));
    Eigen::Matrix<std::complex<float>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor, 4, 4> bounded(2, 3);
    bounded.setRandom();
    CHECK(round_trip(bounded) == bounded);
    const Eigen::Array<bool, 3, 1> bits(true, false, true);
    CHECK((round_trip(bits) == bits).all());
    Eigen::Matrix<std::string, Eigen::Dynamic, 2> texts(2, 2);
    texts << "a", "b", "c", "d";
    CHECK(round_trip(texts) == texts);
    CHECK(round_trip(std::vector{matrix, matrix})[1] == matrix);
}

TEST_CASE("empty matrices keep their shape") {
    CHECK(round_trip(Eigen::MatrixXd(0, 5)).cols() == 5);
    CHECK(round_trip(Eigen::MatrixXd(5, 0)).rows() == 5);
    CHECK(round_trip(Eigen::Matrix<std::string, Eigen::Dynamic, Eigen::Dynamic>(0, 3)).cols() == 3);
}

TEST_CASE("quaternions and transforms and aggregates with matrices travel") {
    const Eigen::Quaterniond quaternion(1, 2, 3, 4);
    CHECK(round_trip(quaternion).coeffs() == quaternion.coeffs());
    Eigen::Isometry3d transform = Eigen::Isometry3d::Identity();
    transform.translation() << 1, 2, 3;
    CHECK(round_trip(transform).matrix() == transform.matrix());
    const Model model{"name", Eigen::MatrixXd::Identity(2, 2), {1, 2, 3}};
    CHECK(round_trip(model).weights == model.weights);
    CHECK(round_trip(model).offset == model.offset);
}

TEST_CASE("the bytes of a matrix that are of another shape are refused") {
    const auto changed = [](auto matrix, std::size_t at, std::uint64_t value) {
        auto bytes = to_bytes(matrix);
        std::memcpy(bytes.data() + at * sizeof value, &value, sizeof value);
        static_cast<void>(from_bytes<decltype(matrix)>(bytes));
    };
    const Eigen::MatrixXd dynamic = Eigen::MatrixXd::Zero(2, 2);
    using Texts = Eigen::Matrix<std::string, Eigen::Dynamic, Eigen::Dynamic>;
    CHECK_THROWS_AS(changed(Eigen::Matrix2d(dynamic), 0, 3), procpool::CodecError);
    for (const std::size_t at : {std::size_t{0}, std::size_t{1}}) {
        for (const std::uint64_t size :
             {std::uint64_t{3}, std::uint64_t{1} << 32, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
            CAPTURE(at, size);
            CHECK_THROWS_AS(changed(dynamic, at, size), procpool::CodecError);
            CHECK_THROWS_AS(changed(Texts(2, 2), at, size), procpool::CodecError);
        }
    }
    CHECK_THROWS_AS(changed(Eigen::Matrix<double, Eigen::Dynamic, 1, 0, 4, 1>(Eigen::Vector2d(1, 2)), 0, 5),
                    procpool::CodecError);
}

TEST_CASE("Eigen's types are arguments/results and items and expressions arrive as what they make") {
    procpool::Pool pool{2};
    const Eigen::MatrixXd matrix = Eigen::MatrixXd::Random(3, 4);
    CHECK(pool.apply([](const Eigen::Matrix3d& m) { return Eigen::Matrix3d(2 * m); }, Eigen::Matrix3d::Identity()) ==
          Eigen::Matrix3d(2 * Eigen::Matrix3d::Identity()));
    CHECK(pool.apply([](const Eigen::MatrixXd& m) -> Eigen::MatrixXd { return m.transpose(); },
                     matrix* matrix.transpose()) == (matrix * matrix.transpose()).transpose());
    CHECK(pool.apply([](const Eigen::VectorXd& v) { return v.sum(); }, matrix.col(1)) == matrix.col(1).sum());
    const auto sums = pool.map([](const Eigen::RowVectorXd& row) { return row.sum(); }, matrix.rowwise());
    REQUIRE(sums.size() == 3);
    CHECK(sums[2] == matrix.row(2).sum());
    CHECK(pool.map([](Eigen::Index n, const Eigen::MatrixXd& m) { return m(n, 0); }, std::vector<Eigen::Index>{0, 1},
                   procpool::repeat(matrix)) == std::vector{matrix(0, 0), matrix(1, 0)});
    CHECK(pool.apply(procpool::bind_front(
                         [](const Eigen::MatrixXd& m, Eigen::Index n) -> Eigen::VectorXd { return m.col(n); }, matrix),
                     2) == matrix.col(2));
}

TEST_CASE("an expression of Eigen's is no result") {
    const auto product = [](const Eigen::Matrix3d& m) { return m * m; };
    STATIC_REQUIRE_FALSE(procpool::detail::codec::TaskCall<decltype(product), Eigen::Matrix3d>);
    const auto evaluated = [](const Eigen::Matrix3d& m) { return (m * m).eval(); };
    STATIC_REQUIRE(procpool::detail::codec::TaskCall<decltype(evaluated), Eigen::Matrix3d>);
}
