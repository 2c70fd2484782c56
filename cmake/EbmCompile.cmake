# SPDX-License-Identifier: MIT
# How every target of the project is compiled.
include(CheckCCompilerFlag)

# ebm_compile(<target>): C11, warnings, sanitizers.
function(ebm_compile target)
    target_compile_features(${target} PRIVATE c_std_11)
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes
        $<$<BOOL:${EBM_WERROR}>:-Werror>)
    if(EBM_SANITIZE)
        target_compile_options(${target} PRIVATE -fsanitize=${EBM_SANITIZE} -fno-omit-frame-pointer
            -fno-sanitize-recover=all)
        target_link_options(${target} PRIVATE -fsanitize=${EBM_SANITIZE})
    endif()
endfunction()

# What the library's own code needs beside that. The same bits on every machine: no multiplication is fused with an
# addition. No floating-point exceptions or errno are looked at, so that loops become vectors. An exception of a
# host's callback may pass through: handles are let go on its way.
set(EBM_LIBRARY_OPTIONS
    -fvisibility=hidden -ffp-contract=off -fno-math-errno -fno-trapping-math -fexceptions)
