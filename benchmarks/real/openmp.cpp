// SPDX-License-Identifier: BSL-1.0
/// \file
/// real: omp parallel for schedule(dynamic).

#include "../executors/openmp.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::real::run<benchmarks::OpenMpDynamic>(argc, argv); }
