#!/bin/sh
# SPDX-License-Identifier: MIT
# Every public constant has the value that constants.txt fixes, and none is missing there; so have the types their
# sizes. Usage: test_constants.sh <build folder> <source folder>
. "$2/tests/support/script.sh"
table=$source/tests/abi/constants.txt

# A program that says which constants are not what a table tells.
program() {
    printf '#include <ebm/ebm.h>\n#include <stdio.h>\nint main(void) {\n    int wrong = 0;\n'
    sed -n 's/^\(EBM_[A-Z0-9_]*\) \(-*[0-9.]*\)$/    if (!(\1 == \2)) { wrong = 1; printf("\1 is not \2\\n"); }/p' "$1"
    printf '    if (EBM_VERSION_NUMBER != %s) wrong = 1;\n' \
        'EBM_VERSION_MAJOR * 1000000 + EBM_VERSION_MINOR * 1000 + EBM_VERSION_PATCH'
    printf '    if (sizeof(ebm_status) != 4 || (ebm_status)-1 > 0) wrong = 1;\n    return wrong;\n}\n'
}
holds() {
    program "$1" > "$folder/constants.c"
    quietly "$compiler" -std=c11 -Wall -Wextra -Werror -I"$source/include" "$folder/constants.c" -o "$folder/constants"
    "$folder/constants"
}
grep -v '^#' "$table" | awk '{ print $1 }' | sort > "$folder/table"
"$python" "$source/tests/abi/headers.py" constants "$source/include/ebm" | sort > "$folder/headers"
diff "$folder/headers" "$folder/table" || fail "constants.txt (>) does not name the constants of the headers (<)"
[ "$(program "$table" | grep -c 'is not')" -eq "$(wc -l < "$folder/table")" ] ||
    fail "a line of constants.txt is not understood"
holds "$table" || fail "a constant has changed"

sed 's/^EBM_ERR_CORRUPT .*/EBM_ERR_CORRUPT -14/
    s/^EBM_NOISE_STD_AUTO .*/EBM_NOISE_STD_AUTO -2.0/' "$table" > "$folder/other"
[ "$(holds "$folder/other" | wc -l)" -eq 2 ] || fail "two wrong values are not found"
echo "$(wc -l < "$folder/table") constants"
