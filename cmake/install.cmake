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
    ${CMAKE_CURRENT_LIST_DIR}/procpoolMpi.cmake ${CMAKE_CURRENT_LIST_DIR}/procpoolMemo.cmake
    DESTINATION ${procpool_cmake_dir})

# pkg-config: procpool is header-only, procpool-compiled has the library.
file(RELATIVE_PATH prefix_from_pkgconfig ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" prefix_from_pkgconfig "${prefix_from_pkgconfig}")
set(mode "")
set(mode_description "header-only")
set(cflags "")
set(libs "")
configure_file(${CMAKE_CURRENT_LIST_DIR}/packaging/procpool.pc.in ${PROJECT_BINARY_DIR}/procpool.pc @ONLY)
set(mode "-compiled")
set(mode_description "with a compiled library")
set(cflags " -DPROCPOOL_COMPILED")
set(libs "-L\${libdir} -lprocpool ")
configure_file(${CMAKE_CURRENT_LIST_DIR}/packaging/procpool.pc.in ${PROJECT_BINARY_DIR}/procpool-compiled.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/procpool.pc ${PROJECT_BINARY_DIR}/procpool-compiled.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(PROCPOOL_INSTALL_TOP)
    add_subdirectory(${PROJECT_SOURCE_DIR}/examples/procpool_top ${PROJECT_BINARY_DIR}/examples/procpool_top)
    install(TARGETS procpool_top RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
