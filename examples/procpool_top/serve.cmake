# SPDX-License-Identifier: BSL-1.0
# procpool_top_serve: serve() with Boost.Beast, or where that is missing with a message.
include(${PROJECT_SOURCE_DIR}/cmake/boost.cmake)
add_library(procpool_top_serve STATIC)
target_include_directories(procpool_top_serve PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
if(TARGET procpool_dev_header_only)
    target_link_libraries(procpool_top_serve PRIVATE procpool_dev_header_only)
else()
    target_link_libraries(procpool_top_serve PRIVATE procpool)
endif()
if(PROCPOOL_HAS_ASIO)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/page.html)
    file(READ page.html page)
    file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/generated/page.hpp @ONLY CONTENT "#pragma once
#include <string_view>
namespace procpool_top {
inline constexpr std::string_view page = R\"page(@page@)page\";
}\n")
    target_sources(procpool_top_serve PRIVATE serve.cpp peer.cpp)
    target_include_directories(procpool_top_serve PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/generated)
    target_link_libraries(procpool_top_serve PRIVATE Boost::headers)
else()
    message(STATUS "procpool: procpool-top is built without --serve, which needs Boost.Beast (Debian: libboost1.81-dev, Ubuntu: libboost-dev)")
    target_sources(procpool_top_serve PRIVATE serve_left_out.cpp)
endif()
target_link_libraries(procpool_top PRIVATE procpool_top_serve)
