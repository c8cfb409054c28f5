# SPDX-License-Identifier: BSL-1.0
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(procpool_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/procpool)
install(TARGETS procpool procpool_compiled EXPORT procpoolTargets
    FILE_SET HEADERS ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT procpoolTargets NAMESPACE procpool:: DESTINATION ${procpool_cmake_dir})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/procpoolConfig.cmake.in
    ${PROJECT_BINARY_DIR}/procpoolConfig.cmake INSTALL_DESTINATION ${procpool_cmake_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/procpoolConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/procpoolConfig.cmake ${PROJECT_BINARY_DIR}/procpoolConfigVersion.cmake
    DESTINATION ${procpool_cmake_dir})
