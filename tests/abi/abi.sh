# SPDX-License-Identifier: MIT
# To be sourced after script.sh: how the public interface of a source tree is written down and compared.
for tool in abidw abidiff; do
    command -v $tool > /dev/null || skip "no $tool (package abigail-tools)"
done
baseline=$source/tests/abi/baseline/libebm-$version.abi

# write_abi <source tree> <build folder> <output>: builds the library with debug information, again where that is done
# already.
write_abi() {
    if [ ! -e "$2/CMakeCache.txt" ]; then
        CC=$compiler quietly cmake -S "$1" -B "$2" -DCMAKE_BUILD_TYPE=Debug -DBUILD_TESTING=OFF \
            -DEBM_BUILD_EXAMPLES=OFF -DEBM_BUILD_STATIC=OFF
    fi
    quietly cmake --build "$2" -j "$(nproc)"
    abidw --exported-interfaces-only --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed \
        --no-parameter-names --no-write-default-sizes "$2/lib/libebm.so" > "$3.full"
    "$python" "$source/tests/abi/public_abi.py" < "$3.full" > "$3"
}

# same_abi <old> <old headers> <new> <new headers>: fails on any difference but an added function.
same_abi() { abidiff --no-added-syms --headers-dir1 "$2" --headers-dir2 "$4" "$1" "$3"; }
