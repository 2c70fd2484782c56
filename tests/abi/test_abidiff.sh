#!/bin/sh
# SPDX-License-Identifier: MIT
# The library's binary interface is the one that was written down for this version (baseline/), by debug information;
# and the comparison sees what it must see, tried on changed copies of the sources. Usage: test_abidiff.sh <build
# folder> <source folder>
. "$2/tests/support/script.sh"
. "$source/tests/abi/abi.sh"
[ -e "$baseline" ] || fail "no $baseline: run tests/abi/update_baseline.sh"

tree=$folder/tree
mkdir "$tree"
cp -r "$source/CMakeLists.txt" "$source/cmake" "$source/include" "$source/lib" "$tree"
write_abi "$tree" "$folder/debug" "$folder/now.abi"
same_abi "$baseline" "$source/include/ebm" "$folder/now.abi" "$source/include/ebm" ||
    fail "the interface of $version has changed: callers that were compiled before would break"
names() { sed -n 's/.*elf-symbol name="\([a-z0-9_]*\)".*/\1/p' "$1" | sort; }
names "$baseline" > "$folder/names.baseline"
names "$folder/now.abi" > "$folder/names.now"
[ -s "$folder/names.baseline" ] || fail "$baseline names no function"
diff "$folder/names.baseline" "$folder/names.now" ||
    fail "added functions are not in the baseline: run tests/abi/update_baseline.sh"
grep -nE "$source|/(home|tmp|usr|build)/" "$baseline" && fail "$baseline names folders of a machine"

# change <file> <sed command>; then sees/ignores <what>, which also puts the files back.
changed=""
change() {
    cp "$tree/$1" "$folder/original"
    sed -i "$2" "$tree/$1"
    ! cmp -s "$tree/$1" "$folder/original" || fail "nothing to change by $2 in $1"
    changed="$changed $1"
}
compare() {
    write_abi "$tree" "$folder/debug" "$folder/changed.abi"
    status=0
    same_abi "$baseline" "$source/include/ebm" "$folder/changed.abi" "$tree/include/ebm" > "$folder/report" || status=$?
    for file in $changed; do cp "$source/$file" "$tree/$file"; done
    changed=""
}
sees() {
    compare
    [ "$status" -ne 0 ] || fail "not seen: $1"
    echo "seen (abidiff's status $status): $1"
}
ignores() {
    compare
    [ "$status" -eq 0 ] || { cat "$folder/report"; fail "no change of the interface: $1"; }
    echo "rightly ignored: $1"
}

change include/ebm/io.h 's/ebm_model_save(const ebm_model \*model/ebm_model_save(int32_t model/'
change lib/io/model_file.c '/ ebm_model_save(/{
    s/const ebm_model \*model/int32_t number/
    s/{$/{ const ebm_model *model = (const void *)(intptr_t)number;/
}'
sees "a pointer argument that becomes int32_t"
change include/ebm/sampler.h '/ebm_sampler_run(/s/int64_t n_steps/int32_t n_steps/'
change lib/sampler/run.c '/ ebm_sampler_run(/s/int64_t n_steps/int32_t n_steps/'
sees "an argument int64_t that becomes int32_t"
change include/ebm/trainer.h 's/typedef int32_t (\*ebm_progress_fn)/typedef int64_t (*ebm_progress_fn)/'
sees "the answer of a callback that becomes int64_t"
change include/ebm/version.h 's/EBM_API int32_t ebm_version_number/EBM_API int64_t ebm_version_number/'
change lib/core/version.c 's/int32_t ebm_version_number/int64_t ebm_version_number/'
sees "a result int32_t that becomes int64_t"
change lib/libebm.map '/ebm_model_dim;/d'
sees "a function that is gone"
change lib/libebm.map 's/^EBM_0.1 {/EBM_0.1x {/'
sees "a node that has another name"
change include/ebm/version.h 's/^EBM_API int32_t ebm_version_number/EBM_API int32_t ebm_added(void);\n&/'
change lib/core/version.c 's/^int32_t ebm_version_number/int32_t ebm_added(void) { return 0; }\n&/'
change lib/libebm.map 's/ebm_model_dim;/ebm_added; &/'
ignores "a function that is added"
change lib/model/model.h 's/^struct ebm_model {/&\n    int64_t added;/'
ignores "a field in a private struct"
