#!/bin/sh
# SPDX-License-Identifier: MIT
# What `cmake --install` leaves can be used in every way that the documents name, by programs that are built and run
# here: pkg-config and find_package, shared and static, C and C++, moved, staged (DESTDIR), without model files, and
# the source tree by add_subdirectory. Usage: test_install.sh <build folder> <source folder>
. "$2/tests/support/script.sh"
[ -z "$(cached EBM_SANITIZE)" ] || skip "a sanitizer's runtime would have to be linked too"
is_on EBM_BUILD_SHARED && is_on EBM_BUILD_STATIC && is_on EBM_WITH_IO || skip "not a build of everything"
consumer=$source/tests/install/consumer
jobs=$(nproc)
cd "$folder"

# libebm <program>: how it reaches the library: shared, static, or shared with the dependencies of a static one
# ("overlinked").
libebm() {
    needed=$(readelf -dW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
    case $needed in
        *libebm.so.$version*) case $needed in *blas* | *jansson*) echo overlinked ;; *) echo shared ;; esac ;;
        *libebm*) echo "$needed" ;;
        *) echo static ;;
    esac
}
# runs <program> <library folder> <shared|static> <saved: yes|no>: it works, and is linked that way.
runs() {
    [ "$(libebm "$1")" = "$3" ] || fail "$1 is linked $(libebm "$1"), not $3"
    (cd "$(dirname "$1")" && LD_LIBRARY_PATH=$2 "$1") > "$folder/said" || fail "$1 says: $(cat "$folder/said")"
    case $1 in *train) grep -q "saved: $4\$" "$folder/said" || fail "$1 says: $(cat "$folder/said")" ;; esac
}

# by_pkg_config <prefix> <library folder> <shared|static> <saved> <arguments of pkg-config>
by_pkg_config() {
    rm -rf pc && mkdir pc
    # shellcheck disable=SC2046,SC2086
    quietly "$compiler" -std=c11 -Wall -Wextra -Werror "$consumer/train.c" \
        $(PKG_CONFIG_PATH=$2/pkgconfig pkg-config --cflags --libs $5 ebm | sed "$6") -lm -o pc/train
    # shellcheck disable=SC2046,SC2086
    quietly "$compiler_cpp" -std=c++11 -Wall -Wextra -Werror "$consumer/sample.cpp" \
        $(PKG_CONFIG_PATH=$2/pkgconfig pkg-config --cflags --libs $5 ebm | sed "$6") -o pc/sample
    runs "$folder/pc/train" "$2" "$3" "$4"
    runs "$folder/pc/sample" "$2" "$3"
    echo "pkg-config $5: $1, $3"
}
# by_cmake <prefix> <library folder> <shared|static> <saved> <target> [cmake arguments]
by_cmake() {
    prefix=$1; libraries=$2; kind=$3; saved=$4; target=$5
    shift 5
    rm -rf cm
    CC=$compiler CXX=$compiler_cpp quietly cmake -S "$consumer" -B cm -DCMAKE_PREFIX_PATH="$prefix" \
        -DLIBRARY="$target" -DVERSION="$version" "$@"
    quietly cmake --build cm -j "$jobs"
    runs "$folder/cm/train" "$libraries" "$kind" "$saved"
    runs "$folder/cm/sample" "$libraries" "$kind"
    echo "CMake $target $*: $prefix, $kind"
}
# refused <cmake arguments>: find_package finds nothing that suits.
refused() {
    rm -rf cm
    ! CC=$compiler CXX=$compiler_cpp cmake -S "$consumer" -B cm -DCMAKE_PREFIX_PATH="$folder/prefix" "$@" \
        > refused.log 2>&1 || fail "find_package accepts $*"
    grep -q "considered but not accepted" refused.log || {
        cat refused.log
        fail "find_package $* fails for another reason"
    }
}

# --- everything, as it is built ---
quietly cmake --install "$build" --prefix "$folder/prefix"
lib=$(cached CMAKE_INSTALL_LIBDIR)
(cd prefix && find . ! -type d | sed 's|^\./||' | sort) > installed
{
    for header in "$source"/include/ebm/*.h; do echo "include/ebm/$(basename "$header")"; done
    for name in libebm.a libebm.so "libebm.so.$version" "libebm.so.$(cached CMAKE_PROJECT_VERSION)" pkgconfig/ebm.pc \
        cmake/ebm/ebmConfig.cmake cmake/ebm/ebmConfigVersion.cmake cmake/ebm/ebmTargets.cmake \
        "cmake/ebm/ebmTargets-$(cached CMAKE_BUILD_TYPE | tr '[:upper:]' '[:lower:]').cmake"; do
        echo "$lib/$name"
    done
    for name in LICENSE README.md; do echo "share/doc/ebm/$name"; done
} | sort > expected
diff expected installed || fail "installed (>) is not what should be (<)"
if grep -rlE "$folder|$build|$source" prefix; then
    fail "installed files name folders of this machine"
fi
by_pkg_config prefix "$folder/prefix/$lib" shared yes "" ""
by_pkg_config prefix "$folder/prefix/$lib" static yes --static "s/-lebm/-l:libebm.a/"
by_cmake "$folder/prefix" "$folder/prefix/$lib" shared yes ebm::ebm
by_cmake "$folder/prefix" "$folder/prefix/$lib" static yes ebm::ebm_static
refused -DLIBRARY=ebm::ebm -DVERSION=0.0
refused -DLIBRARY=ebm::ebm -DVERSION="${version%.*}.$((${version#*.} + 1))"
refused -DLIBRARY=ebm::ebm -DVERSION=$((${version%.*} + 1)).0
refused -DLIBRARY=ebm::ebm -DVERSION="$version.999"

# --- moved elsewhere, and staged as packagers do ---
mv prefix "moved prefix"
by_cmake "$folder/moved prefix" "$folder/moved prefix/$lib" shared yes ebm::ebm_shared
mv "moved prefix" moved
by_pkg_config moved "$folder/moved/$lib" shared yes "" ""
DESTDIR=$folder/stage quietly cmake --install "$build"
staged=$folder/stage$(cached CMAKE_INSTALL_PREFIX)
(cd "$staged" && find . ! -type d | sed 's|^\./||' | sort) | diff installed - || fail "DESTDIR gives other files"
by_cmake "$staged" "$staged/$lib" shared yes ebm::ebm

# --- static only, without model files; then with a library folder that is absolute ---
CC=$compiler quietly cmake -S "$source" -B small -DCMAKE_BUILD_TYPE=Debug -DBUILD_TESTING=OFF -DEBM_BUILD_EXAMPLES=OFF \
    -DEBM_BUILD_SHARED=OFF -DEBM_WITH_IO=OFF -DBUILD_SHARED_LIBS=OFF -DCMAKE_INSTALL_PREFIX="$folder/small-prefix"
quietly cmake --build small -j "$jobs"
quietly cmake --install small
[ -z "$(find small-prefix -name '*.so*')" ] || fail "a static build installs a shared library"
! nm small-prefix/lib*/libebm.a | grep -q ' U json_' || fail "jansson is used without model files"
small=$(dirname "$(find "$folder/small-prefix" -name libebm.a)")
by_pkg_config small-prefix "$small" static no --static ""
by_cmake "$folder/small-prefix" "$small" static no ebm::ebm
quietly cmake small -DCMAKE_INSTALL_LIBDIR="$folder/elsewhere/lib64"
quietly cmake --build small -j "$jobs"
quietly cmake --install small
by_pkg_config small-prefix "$folder/elsewhere/lib64" static no --static ""
by_cmake none "$folder/elsewhere/lib64" static no ebm::ebm_static -Debm_DIR="$folder/elsewhere/lib64/cmake/ebm"

# --- the source tree inside another project ---
by_cmake none "" static yes ebm::ebm -DEBM_SOURCE="$source" -DBUILD_SHARED_LIBS=OFF -DCMAKE_BUILD_TYPE=Debug
for name in tests examples; do
    [ ! -e "cm/ebm/$name" ] || fail "as a part of another project the library builds its $name"
done
by_cmake none "$folder/cm/ebm/lib" shared yes ebm::ebm -DEBM_SOURCE="$source" -DEBM_BUILD_STATIC=OFF \
    -DCMAKE_BUILD_TYPE=Debug
