# SPDX-License-Identifier: MIT
# Finds a BLAS that has CBLAS: EBM_BLAS_LIBRARIES, EBM_BLAS_INCLUDE_DIR. The generic name comes first: on Debian
# libblas.so.3 can be exchanged (update-alternatives) after the build. The user's BLA_VENDOR wins.
include(CMakePushCheckState)
include(CheckCSourceCompiles)

if(DEFINED BLA_VENDOR)
    find_package(BLAS REQUIRED)
else()
    set(BLA_VENDOR Generic)
    find_package(BLAS QUIET)
    unset(BLA_VENDOR)
    if(NOT BLAS_FOUND)
        find_package(BLAS REQUIRED)
    endif()
endif()

find_path(EBM_BLAS_INCLUDE_DIR cblas.h
    PATH_SUFFIXES openblas ${CMAKE_LIBRARY_ARCHITECTURE} ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-pthread)
if(NOT EBM_BLAS_INCLUDE_DIR)
    message(FATAL_ERROR "cblas.h was not found: install libblas-dev or libopenblas-dev, or set EBM_BLAS_INCLUDE_DIR")
endif()

# FindBLAS tries a Fortran symbol only; the C interface may stand in a library of its own.
function(ebm_check_cblas result libraries)
    cmake_push_check_state(RESET)
    set(CMAKE_REQUIRED_INCLUDES ${EBM_BLAS_INCLUDE_DIR})
    set(CMAKE_REQUIRED_LIBRARIES ${libraries})
    check_c_source_compiles("
        #include <cblas.h>
        int main(void) {
            float a = 1, b = 2, c = 0;
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 1, 1, 1, 1.0F, &a, 1, &b, 1, 0.0F, &c, 1);
            return c != 2;
        }" ${result})
    cmake_pop_check_state()
endfunction()

ebm_check_cblas(EBM_BLAS_HAS_CBLAS "${BLAS_LIBRARIES}")
set(EBM_BLAS_LIBRARIES ${BLAS_LIBRARIES})
if(NOT EBM_BLAS_HAS_CBLAS)
    find_library(EBM_CBLAS_LIBRARY cblas)
    if(EBM_CBLAS_LIBRARY)
        set(EBM_BLAS_LIBRARIES ${EBM_CBLAS_LIBRARY} ${BLAS_LIBRARIES})
        ebm_check_cblas(EBM_CBLAS_WORKS "${EBM_BLAS_LIBRARIES}")
    endif()
    if(NOT EBM_CBLAS_WORKS)
        message(FATAL_ERROR "no cblas_sgemm in ${BLAS_LIBRARIES}: set BLA_VENDOR to a BLAS that has CBLAS")
    endif()
endif()
