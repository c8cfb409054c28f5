# SPDX-License-Identifier: BSL-1.0
# One program in each mode; nothing but the link says which.
add_executable(header_only ${CMAKE_CURRENT_LIST_DIR}/main.cpp)
target_link_libraries(header_only PRIVATE procpool::procpool)
add_executable(compiled ${CMAKE_CURRENT_LIST_DIR}/main.cpp)
target_link_libraries(compiled PRIVATE procpool::compiled)
