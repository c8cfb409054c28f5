// SPDX-License-Identifier: BSL-1.0
/// \file
/// Stands for the libraries that InnerThreads tells their number of threads: keeps what each was told.

#include <array>

namespace {
std::array<long, 5> told{};
}

extern "C" {
void openblas_set_num_threads(int count) { told[0] = count; }
void openblas_set_num_threads64_(int count) { told[1] = count; }
void MKL_Set_Num_Threads(int count) { told[2] = count; }
int MKL_Set_Num_Threads_Local(int count) {
    told[3] = count;
    return 0;
}
void bli_thread_set_num_threads(long count) { told[4] = count; }
long procpool_test_told(int which) { return told[static_cast<unsigned>(which)]; }
}
