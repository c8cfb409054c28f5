# SPDX-License-Identifier: BSL-1.0
# What our own programs link: the headers with every warning an error, and sanitizers if asked for.
#     procpool_dev_header_only   the header-only mode
#     procpool_dev               the compiled mode, with the library that is installed, if one is; the header-only one with
#                                PROCPOOL_TESTS_HEADER_ONLY
#     procpool_dev_mpi           what is added to each of them for the pool over several machines; absent without MPI
#     procpool_dev_memo          what is added to each of them for results on disk; absent without LMDB or xxHash
#     procpool_dev_faults        procpool_dev with fault points (core/fault_point.hpp), which all of a program must have

# Stands behind the names of tests, so that those of several builds can be told apart.
set(test_suffix "")
if(PROCPOOL_SANITIZE)
    list(JOIN PROCPOOL_SANITIZE "+" test_suffix)
    set(test_suffix " (${test_suffix})")
elseif(PROCPOOL_TESTS_HEADER_ONLY)
    set(test_suffix " (header-only)")
endif()

add_library(procpool_dev_header_only INTERFACE)
target_include_directories(procpool_dev_header_only INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_compile_features(procpool_dev_header_only INTERFACE cxx_std_20)
target_compile_options(procpool_dev_header_only INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
    $<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=524288>)  # collecting garbage less often takes a tenth of the time away
target_link_libraries(procpool_dev_header_only INTERFACE ${dependencies})
if(PROCPOOL_SANITIZE)
    list(JOIN PROCPOOL_SANITIZE "," sanitizers)
    target_compile_options(procpool_dev_header_only INTERFACE
        -fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer
        -fno-sanitize=null,object-size  # AddressSanitizer sees those too, and they take the compiler a third of its time
        -fno-sanitize=vptr              # takes it a tenth, for a library with few virtual functions and no downcast
        $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)  # wrong alarms in std::function and std::regex
    target_link_options(procpool_dev_header_only INTERFACE -fsanitize=${sanitizers})
endif()

# procpool_dev_library(NAME DEFINITION...)
function(procpool_dev_library name)
    if(PROCPOOL_TESTS_HEADER_ONLY)
        add_library(${name} INTERFACE)
        target_compile_definitions(${name} INTERFACE ${ARGN})
        target_link_libraries(${name} INTERFACE procpool_dev_header_only)
    else()
        add_library(${name} STATIC EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/procpool.cpp)
        set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
        target_compile_definitions(${name} PUBLIC PROCPOOL_COMPILED ${ARGN})
        target_link_libraries(${name} PUBLIC procpool_dev_header_only)
    endif()
endfunction()
if(PROCPOOL_SANITIZE)  # one for both: fault points where nobody waits change nothing that a sanitizer sees
    procpool_dev_library(procpool_dev PROCPOOL_FAULT_POINTS)
    add_library(procpool_dev_faults ALIAS procpool_dev)
elseif(PROCPOOL_INSTALL AND NOT PROCPOOL_TESTS_HEADER_ONLY)  # the library that is installed, whose warnings the one below shows
    add_library(procpool_dev INTERFACE)
    target_compile_definitions(procpool_dev INTERFACE PROCPOOL_COMPILED)
    target_link_libraries(procpool_dev INTERFACE $<TARGET_FILE:procpool_compiled> procpool_dev_header_only)
    add_dependencies(procpool_dev procpool_compiled)
    procpool_dev_library(procpool_dev_faults PROCPOOL_FAULT_POINTS)
else()
    procpool_dev_library(procpool_dev)
    procpool_dev_library(procpool_dev_faults PROCPOOL_FAULT_POINTS)
endif()

if(PROCPOOL_HAS_MPI)
    add_library(procpool_dev_mpi INTERFACE)
    target_link_libraries(procpool_dev_mpi INTERFACE MPI::MPI_C)
    target_compile_definitions(procpool_dev_mpi INTERFACE $<TARGET_PROPERTY:procpool::mpi,INTERFACE_COMPILE_DEFINITIONS>)
endif()
if(PROCPOOL_HAS_MEMO)
    add_library(procpool_dev_memo INTERFACE)
    target_link_libraries(procpool_dev_memo INTERFACE ${PROCPOOL_LMDB_LIBRARY} ${PROCPOOL_XXHASH_LIBRARY})
    target_include_directories(procpool_dev_memo SYSTEM INTERFACE ${PROCPOOL_LMDB_INCLUDE} ${PROCPOOL_XXHASH_INCLUDE})
endif()
