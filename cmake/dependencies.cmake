# SPDX-License-Identifier: BSL-1.0
# What procpool needs: the installed package first; fmt and Catch2 can also be fetched.
include(FetchContent)

# Fetches one library; its headers are system headers of whoever uses it.
function(procpool_fetch name target url tag)
    message(STATUS "procpool: ${name} is not installed, fetching ${tag}")
    set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)  # its options are as the caller set them
    FetchContent_Declare(${name} GIT_REPOSITORY ${url} GIT_TAG ${tag} GIT_SHALLOW ON)
    FetchContent_MakeAvailable(${name})
    set_target_properties(${target} PROPERTIES
        INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "$<TARGET_PROPERTY:${target},INTERFACE_INCLUDE_DIRECTORIES>")
endfunction()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

if(NOT TARGET fmt::fmt)
    find_package(fmt 8 QUIET)
endif()
if(NOT TARGET fmt::fmt)
    set(FMT_INSTALL ${PROCPOOL_INSTALL})
    procpool_fetch(fmt fmt https://github.com/fmtlib/fmt.git 10.2.1)
endif()
