# SPDX-License-Identifier: BSL-1.0
# Makes procpool::mpi: procpool with an MPI library, of which the C interface is used. Included by the build of procpool, and by its installed
# configuration when the component mpi is asked for. Sets procpool_mpi_FOUND, and procpool_mpi_lacks when it is not.
set(procpool_mpi_FOUND OFF)
set(procpool_mpi_lacks "")
if(NOT CMAKE_C_COMPILER_LOADED)
    set(procpool_mpi_lacks "the language C, by which CMake looks for MPI: enable_language(C)")
    return()
endif()
if(NOT TARGET MPI::MPI_C)
    set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL_before "${CMAKE_FIND_PACKAGE_TARGETS_GLOBAL}")
    set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)  # for those who add procpool as a folder
    find_package(MPI 3.1 QUIET COMPONENTS C)
    set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL "${CMAKE_FIND_PACKAGE_TARGETS_GLOBAL_before}")
endif()
if(NOT TARGET MPI::MPI_C OR MPI_C_VERSION VERSION_LESS 3.1)
    set(procpool_mpi_lacks "an MPI library with MPI 3.1 or later (Debian, Ubuntu: libopenmpi-dev openmpi-bin)")
    return()
endif()
set(procpool_mpi_FOUND ON)
if(NOT TARGET procpool::mpi)
    add_library(procpool::mpi INTERFACE IMPORTED GLOBAL)
    target_link_libraries(procpool::mpi INTERFACE procpool::procpool MPI::MPI_C)
    # The C++ interface was taken out of MPI long ago; its headers and libraries are not wanted.
    target_compile_definitions(procpool::mpi INTERFACE OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX)
endif()
