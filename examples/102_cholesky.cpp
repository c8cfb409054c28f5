// SPDX-License-Identifier: BSL-1.0
// A blocked Cholesky factorisation, A = L * transposed(L), written as the loops of a serial one. Each step on a block
// is a task that waits for the blocks that it needs: so blocks far to the right are updated while others are still
// factored, and no barrier is between the steps.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

constexpr int side = 32;   // of a block
constexpr int blocks = 8;  // in a row
constexpr int size = side * blocks;

using Block = std::vector<double>;

double& at(Block& block, int row, int column) { return block[static_cast<std::size_t>(row * side + column)]; }
double at(const Block& block, int row, int column) { return block[static_cast<std::size_t>(row * side + column)]; }

double element(int row, int column) { return 1.0 / (1 + std::abs(row - column)) + (row == column ? 2 : 0); }

Block make(int block_row, int block_column) {
    Block block(side * side);
    for (int i = 0; i < side; ++i) {
        for (int j = 0; j < side; ++j) { at(block, i, j) = element(block_row * side + i, block_column * side + j); }
    }
    return block;
}
// Of a block on the diagonal.
Block factor(Block a) {
    for (int j = 0; j < side; ++j) {
        for (int i = 0; i < side; ++i) {
            double sum = at(a, i, j);
            for (int k = 0; k < j; ++k) { sum -= at(a, i, k) * at(a, j, k); }
            at(a, i, j) = i < j ? 0 : i == j ? std::sqrt(sum) : sum / at(a, j, j);
        }
    }
    return a;
}
// Of a block below the diagonal: x * transposed(l) = a.
Block solve(Block a, const Block& l) {
    for (int i = 0; i < side; ++i) {
        for (int j = 0; j < side; ++j) {
            for (int k = 0; k < j; ++k) { at(a, i, j) -= at(a, i, k) * at(l, j, k); }
            at(a, i, j) /= at(l, j, j);
        }
    }
    return a;
}
Block update(Block a, const Block& left, const Block& above) {
    for (int i = 0; i < side; ++i) {
        for (int j = 0; j < side; ++j) {
            for (int k = 0; k < side; ++k) { at(a, i, j) -= at(left, i, k) * at(above, j, k); }
        }
    }
    return a;
}

// Row by row, without blocks.
std::vector<std::vector<double>> factor_in_one_go() {
    std::vector<std::vector<double>> l(size, std::vector<double>(size));
    for (int i = 0; i < size; ++i) {
        for (int j = 0; j <= i; ++j) {
            double sum = element(i, j);
            for (int k = 0; k < j; ++k) { sum -= l[i][k] * l[j][k]; }
            l[i][j] = i == j ? std::sqrt(sum) : sum / l[j][j];
        }
    }
    return l;
}

int main() {
    procpool::ProcessPool pool{4};

    procpool::SharedFuture<Block> a[blocks][blocks];
    for (int i = 0; i < blocks; ++i) {
        for (int j = 0; j <= i; ++j) { a[i][j] = pool.apply_async(make, i, j).share(); }
    }
    for (int k = 0; k < blocks; ++k) {
        a[k][k] = pool.apply_async(factor, a[k][k]).share();
        for (int i = k + 1; i < blocks; ++i) { a[i][k] = pool.apply_async(solve, a[i][k], a[k][k]).share(); }
        for (int i = k + 1; i < blocks; ++i) {
            for (int j = k + 1; j <= i; ++j) { a[i][j] = pool.apply_async(update, a[i][j], a[i][k], a[j][k]).share(); }
        }
    }

    const auto expected = factor_in_one_go();
    double difference = 0;
    for (int i = 0; i < size; ++i) {
        for (int j = 0; j <= i; ++j) {
            const double found = at(a[i / side][j / side].get(), i % side, j % side);
            difference = std::max(difference, std::abs(found - expected[i][j]));
        }
    }
    fmt::print("{} tasks factored a matrix of {} x {}\n", pool.stats().submitted, size, size);
    fmt::print("the factor is that of the serial program: {}\n", difference < 1e-12);
}
