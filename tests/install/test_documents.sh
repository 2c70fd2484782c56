#!/bin/sh
# SPDX-License-Identifier: MIT
# Every code block of the documents compiles and runs against the installed library; how blocks are marked is told at
# the top of documents.py. Usage: test_documents.sh <build folder> <source folder>
. "$2/tests/support/script.sh"
[ -z "$(cached EBM_SANITIZE)" ] && is_on EBM_BUILD_SHARED && is_on EBM_WITH_IO ||
    skip "needs a plain shared library with model files"

quietly cmake --install "$build" --prefix "$folder/prefix"
# check <documents.py's arguments>
check() {
    option=""
    [ "$1" != --all-fail ] || { option=$1; shift; }
    "$python" "$source/tests/install/documents.py" $option "$source" "$folder/prefix" \
        "$folder/prefix/$(cached CMAKE_INSTALL_LIBDIR)" "$compiler" "$compiler_cpp" "$@"
}
check "$source/tests/install/documents/sample.md" || fail "the sample of right blocks"
check --all-fail "$source/tests/install/documents/broken.md" || fail "the sample of wrong blocks"
printf '[here](nowhere.md)\n```c\nint main(void) { return 0; }\n```\n' > "$folder/link.md"
! check "$folder/link.md" > "$folder/link.log" || fail "a link that leads nowhere is not seen"

set -- "$source/README.md" "$source"/docs/*.md
for name in CONTRIBUTING SECURITY CHANGELOG; do
    [ ! -e "$source/$name.md" ] || set -- "$@" "$source/$name.md"
done
check "$@"
