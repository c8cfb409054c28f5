# SPDX-License-Identifier: BSL-1.0
# What a library may not do to the project that uses it.
if(DEFINED CMAKE_CXX_STANDARD OR NOT "${CMAKE_CXX_FLAGS}" STREQUAL "")
    message(FATAL_ERROR "procpool changed the flags of its user")
endif()
get_directory_property(options COMPILE_OPTIONS)
if(options OR TARGET procpool_dev OR TARGET procpool_tests)
    message(FATAL_ERROR "procpool brought its own build along")
endif()
