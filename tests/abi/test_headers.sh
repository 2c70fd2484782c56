#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone, as C and as C++, without a warning; their text keeps the rules that headers.py
# states. Usage: test_headers.sh <build folder> <source folder>
. "$2/tests/support/script.sh"
"$python" "$source/tests/abi/headers.py" check "$source/include/ebm"

warnings="-pedantic -Wall -Wextra -Wconversion -Wshadow -Wundef -Werror -fsyntax-only"
# compiles <compiler> <language> <standard> <flags ...>: every header alone, twice over, then all at once.
compiles() {
    command -v "$1" > /dev/null || return 0
    for header in "$source"/include/ebm/*.h; do
        include="#include <ebm/$(basename "$header")>"
        # shellcheck disable=SC2086
        printf '%s\n%s\nint main(void);\n' "$include" "$include" |
            "$1" -x "$2" "-std=$3" $warnings $4 -I"$source/include" - || fail "$1 -std=$3 $4: $header"
    done
    count=$((count + 1))
}
count=0
for flags in "" -DEBM_STATIC; do
    for one in "$compiler" gcc clang; do
        compiles "$one" c c11 "$flags -Wstrict-prototypes -Wc++-compat"
        compiles "$one" c c99 "$flags"
    done
    for one in "$compiler_cpp" g++ clang++; do
        compiles "$one" c++ c++17 "$flags -Wold-style-cast"
        compiles "$one" c++ c++11 "$flags"
    done
done
echo "$count combinations of compiler, standard and flags"

# The rules are kept by a test that can fail: each of these changes to a header must be found.
must_complain() {
    rm -rf "$folder/ebm"
    cp -r "$source/include/ebm" "$folder/ebm"
    sed -i "$2" "$folder/ebm/$1"
    ! cmp -s "$source/include/ebm/$1" "$folder/ebm/$1" || fail "nothing to change by $2 in $1"
    ! "$python" "$source/tests/abi/headers.py" check "$folder/ebm" > "$folder/complaints" ||
        fail "headers.py does not see: $2 in $1"
    head -n 1 "$folder/complaints"
}
must_complain sampler.h 's/int64_t n_steps);/long n_steps);/'
must_complain sampler.h 's/int64_t n_steps);/int n_steps);/'
must_complain sampler.h 's/int32_t kernel);/ebm_kernel kernel);/'
must_complain model.h 's/^enum {/enum ebm_sign {/'
must_complain model.h 's/struct ebm_model ebm_model/struct ebm_model { int32_t x; } ebm_model/'
must_complain context.h 's/const char \*message, void/const char *message, .../'
must_complain context.h 's/<stddef.h>/<stdio.h>/'
must_complain version.h 's/ @since 0.1//'
must_complain trainer.h '/ebm_trainer_get_momentum/d'
must_complain trainer.h '/ebm_trainer_get_momentum(/s/double/float/'
must_complain trainer.h 's/@param norm receives/@param nrom receives/'
must_complain trainer.h '/^.\*\* Gives the trainer back/d'
