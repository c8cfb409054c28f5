# SPDX-License-Identifier: BSL-1.0
# Boost's headers, which some of our tests, examples and benchmarks use and the library does not. They are left out without it.
# PROCPOOL_HAS_ASIO says whether Asio and Beast are there, and new enough.
if(NOT TARGET Boost::headers)
    find_package(Boost 1.74 CONFIG QUIET)
endif()
if(NOT TARGET Boost::headers)
    if(POLICY CMP0167)
        cmake_policy(SET CMP0167 OLD)  # a Boost without its own CMake files
    endif()
    find_package(Boost 1.74 MODULE QUIET)
endif()
if(NOT TARGET Boost::headers)
    message(STATUS "procpool: Boost is not installed, so nothing is tested or compared with it")
else()
    include(CheckIncludeFileCXX)
    set(CMAKE_REQUIRED_LIBRARIES Boost::headers)
    check_include_file_cxx(boost/asio/associated_cancellation_slot.hpp PROCPOOL_HAS_ASIO)
    unset(CMAKE_REQUIRED_LIBRARIES)
endif()
