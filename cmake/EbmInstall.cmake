# SPDX-License-Identifier: MIT
# What `cmake --install` puts where: libraries, headers, the CMake package, ebm.pc.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ebm)

install(TARGETS ${EBM_LIBRARY_TARGETS} EXPORT ebmTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ebm DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h")
install(EXPORT ebmTargets NAMESPACE ebm:: DESTINATION ${package_dir})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/ebmConfig.cmake.in ${PROJECT_BINARY_DIR}/ebmConfig.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ebmConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/ebmConfig.cmake ${PROJECT_BINARY_DIR}/ebmConfigVersion.cmake
    DESTINATION ${package_dir})

# Folders in ebm.pc. The prefix is told from where ebm.pc itself stands, so that `cmake --install --prefix` and moved
# packages work; with an absolute library folder, as some distributions set, that is not possible.
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
    set(pc_prefix ${CMAKE_INSTALL_PREFIX})
else()
    file(RELATIVE_PATH pc_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
    string(REGEX REPLACE "/$" "" pc_prefix "\${pcfiledir}/${pc_prefix}")
endif()
foreach(dir INCLUDEDIR LIBDIR)
    if(IS_ABSOLUTE ${CMAKE_INSTALL_${dir}})
        set(pc_${dir} ${CMAKE_INSTALL_${dir}})
    else()
        set(pc_${dir} "\${prefix}/${CMAKE_INSTALL_${dir}}")
    endif()
endforeach()
set(pc_requires_private "")
if(EBM_WITH_IO)
    set(pc_requires_private "jansson")
endif()
list(TRANSFORM EBM_BLAS_NAMES PREPEND "-l" OUTPUT_VARIABLE pc_libs_private)
list(JOIN pc_libs_private " " pc_libs_private)
if(NOT EBM_BUILD_SHARED)
    set(pc_cflags_static "-DEBM_STATIC")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/ebm.pc.in ${PROJECT_BINARY_DIR}/ebm.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/ebm.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
