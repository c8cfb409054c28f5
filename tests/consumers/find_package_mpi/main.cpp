// SPDX-License-Identifier: BSL-1.0
#if __has_include(<procpool/mpi.hpp>)
#include <procpool/mpi.hpp>
#endif
#include <procpool/procpool.hpp>

#include <mpi.h>

#if MPI_VERSION * 10 + MPI_SUBVERSION < 31
#error "MPI 3.1 was asked for"
#endif
// Clashes with the C++ interface of MPI, which is not wanted.
namespace MPI {
struct Comm {};
}  // namespace MPI

int main() {
    char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    if (MPI_Get_library_version(text, &length) != MPI_SUCCESS || length == 0) { return 1; }
    procpool::ProcessPool pool{2};
    return pool.apply([](int x) { return x * 2; }, 21) == 42 ? 0 : 1;
}
