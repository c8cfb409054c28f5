// SPDX-License-Identifier: BSL-1.0
/// \file
/// map: omp parallel for.

#include "../executors/openmp.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::maps::run<benchmarks::OpenMp>(argc, argv); }
