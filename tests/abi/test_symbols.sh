#!/bin/sh
# SPDX-License-Identifier: MIT
# What the built libraries export, need and carry: exported names = names of the map = names of the headers, each in
# the node of the release that its @since names. Usage: test_symbols.sh <build folder> <source folder>
. "$2/tests/support/script.sh"
[ -z "$(cached EBM_SANITIZE)" ] || skip "sanitizers add names of their own"
names=$folder/names

# "name node" of the map; "name node" as the headers have it; nothing else may be in the map.
awk '/^EBM_[0-9.]+ \{/ { node = $1 } /^ *ebm_[a-z0-9_]+;/ { sub(";", "", $1); print $1, node }' \
    "$source/lib/libebm.map" | sort > "$names.map"
"$python" "$source/tests/abi/headers.py" functions "$source/include/ebm" | awk '{ print $1, "EBM_" $2 }' |
    sort > "$names.headers"
[ "$(wc -l < "$names.headers")" -ge 100 ] || fail "headers.py found only $(wc -l < "$names.headers") functions"
diff -u "$names.headers" "$names.map" || fail "the map (+) is not what the headers (-) declare"
tr -d ' \n' < "$source/lib/libebm.map" | grep -q 'local:\*;}' || fail "the map hides nothing"

# Each check_ function takes a library's file. The dynamic names, with their nodes, are those of the map.
check_exports() {
    nm -D --defined-only --with-symbol-versions "$1" |
        awk '$2 != "A" { sub("@@", " ", $3); print $3, ($2 == "T" ? "" : "of type " $2) }' |
        sed 's/ *$//' | sort > "$names.library"
    diff -u "$names.map" "$names.library" || fail "$1 exports (+) other names than the map (-)"
}

# What the library may take from outside. Nothing of what prints, aborts, exits, or changes what belongs to the whole
# process.
may_need='[A-Za-z0-9_]+@GLIBC_[0-9.]+|cblas_[a-z]+|json_[a-z_]+|(_Unwind_Resume|__gcc_personality_v0)@GCC_[0-9.]+'
may_need="^($may_need|__gmon_start__|_ITM_.*|__cxa_finalize)\$"
never='abort|_?_?exit|_Exit|quick_exit|atexit|__assert_fail|f?printf|__f?printf_chk|v?dprintf|puts|fputs|putchar|putc'
never="$never|perror|std(in|out|err)|setlocale|s?rand|srandom|random|signal|sigaction|raise|kill|fork|system|popen"
never="^($never|setenv|putenv|chdir|umask|fesetround|fesetenv|strerror|strtok|localtime|gmtime)(@|\$)"
# In the clean-up of a scope that an exception leaves, clang itself calls abort for a second exception.
case $compiler in *clang*) its_own='^abort@' ;; *) its_own='^$' ;; esac
check_needs() {
    nm -D --undefined-only "$1" | awk '{ sub("@libjansson.so.[0-9]+$", "", $NF); print $NF }' > "$names.needed"
    if grep -vE "$may_need" "$names.needed"; then
        fail "$1 needs these"
    fi
    if grep -E "$never" "$names.needed" | grep -v "$its_own"; then
        fail "$1 calls these: nothing in the library prints, ends the process or changes its state"
    fi
    readelf -dW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' > "$names.libraries"
    if grep -vE '^(lib(c|m)\.so\.6|libgcc_s\.so\.1|ld-linux.*|lib(c|open)?blas[^/]*|libjansson\.so\.4)$' \
        "$names.libraries"; then
        fail "$1 links these"
    fi
}

check_file() {
    dynamic=$(readelf -dW "$1")
    soname=$(echo "$dynamic" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
    [ "$soname" = "libebm.so.$version" ] || fail "the soname is $soname, not libebm.so.$version"
    if echo "$dynamic" | grep -E 'TEXTREL|RPATH|RUNPATH'; then
        fail "$1 has text relocations or a search path"
    fi
    [ "$(readelf -lW "$1" | awk '$1 == "GNU_STACK" { print $7 }')" = RW ] || fail "$1 wants an executable stack"
    strip -o "$folder/stripped.so" "$1"
    size=$(wc -c < "$folder/stripped.so")
    echo "$1: $(wc -l < "$names.library") names, $size bytes stripped"
    [ "$size" -lt 460000 ] || [ "$(cached CMAKE_BUILD_TYPE)" != Release ] ||
        fail "$size bytes, stripped: 460,000 are the limit"
}

# Whatever else a static library defines for the whole program carries the internal prefix.
check_static() {
    nm --defined-only --extern-only "$1" | awk 'NF == 3 && $2 != "V" { print $3 }' | sort -u > "$names.static"
    awk '{ print $1 }' "$names.map" > "$names.public"
    if grep -v '^ebm__' "$names.static" | grep -vxF -f "$names.public"; then
        fail "$1 defines these names, neither public nor with the prefix ebm__"
    fi
    if grep -vxF -f "$names.static" "$names.public"; then
        fail "$1 does not define these"
    fi
}

shared=$build/lib/libebm.so
static=$build/lib/libebm.a
if is_on EBM_BUILD_SHARED; then
    check_exports "$shared"
    check_needs "$shared"
    check_file "$shared"
fi
if is_on EBM_BUILD_STATIC; then
    check_static "$static"
fi
