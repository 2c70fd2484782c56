#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes the kernel's calls fail, one at a time, while a program saves or loads a model, and kills it at each of them.
# Usage: sh test_io_faults.sh <build folder>     Skipped (77) without strace or where ptrace is not permitted.
set -eu
program=$1/tests/test_io_killed
strace -o /dev/null true 2> /dev/null || { echo "strace is missing or not permitted"; exit 77; }
export ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS:-} # the leak check is a tracer too

base=$(mktemp -d)
base=$(cd "$base" && pwd -P)
trap 'rm -rf "$base"' EXIT
folder=$base/models
file=$folder/a
mkdir "$folder"
# Only calls on these names count: not those of the program's start.
only="-P $folder -P $folder/ -P $file -P $file.tmp"
saving="openat,fsync,close,write,flock,?rename,?renameat,?renameat2,?unlink,?unlinkat,?fstat,?newfstatat,fchmod,fcntl"
n_injected=0

broken() {
    echo "$*"
    cat "$base/out"
    exit 1
}

# Whatever has happened before, the next save succeeds, and no other name is left.
check_next_save() {
    "$program" save "$file" 1 > "$base/out" 2>&1 || broken "$1: the next save fails"
    [ "$(ls -A "$folder")" = a ] || broken "$1: left behind: $(ls -A "$folder")"
}

# inject <call> <what> <n> <arguments of the program>: its exit status in $code; false when there is no n-th such call.
# Before it, the file holds 1 and nothing is beside it.
inject() {
    spec="$1:$2:when=$3"
    shift 3
    check_next_save "before $spec"
    code=0
    # shellcheck disable=SC2086
    strace -o "$base/log" $only -e "trace=$saving,read" -e "inject=$spec" "$program" "$@" \
        > "$base/out" 2>&1 || code=$?
    # A killed program is logged as killed, not as injected.
    grep -q 'INJECTED\|killed by SIGKILL' "$base/log" || return 1
    n_injected=$((n_injected + 1))
}

value() {
    code_of_check=0
    "$program" check "$file" > "$base/out" 2>&1 || code_of_check=$?
    echo "$code_of_check"
}

for call in openat fsync close write flock rename unlink fchmod fcntl newfstatat; do
    for error in EIO ENOSPC EINTR EACCES; do
        n=1
        while inject "/^$call(at|at2)?\$" "error=$error" $n save "$file" 2; do
            now=$(value)
            case $code/$now in
            0/2 | 11/2) ;;
            10/1) [ ! -e "$file.tmp" ] || [ "$call" = unlink ] || broken "$call $error $n: a temporary file is left" ;;
            *) broken "$call $error $n: exit status $code, value $now" ;;
            esac
            case $call/$error/$n/$code in
            write/EINTR/*/0 | fsync/*/1/10 | fsync/*/2/11 | rename/*/*/10) ;;
            write/EINTR/* | fsync/* | rename/*) broken "$call $error $n: exit status $code" ;;
            write/*/1/0) broken "$call $error $n is not noticed" ;;
            esac
            n=$((n + 1))
        done
        case $call in
        openat | fsync | close | write | flock | rename) [ $n -gt 1 ] || broken "$call was never made to fail" ;;
        esac
    done
done

for call in openat fsync close write flock rename; do
    n=1
    while inject "/^$call(at|at2)?\$" "signal=SIGKILL" $n save "$file" 2; do
        [ "$code" -gt 128 ] || broken "$call $n: not killed: $code"
        case $(value) in
        1 | 2) ;;
        *) broken "killed at $call $n: the file is broken" ;;
        esac
        n=$((n + 1))
    done
    [ $n -gt 1 ] || broken "$call was never struck by a signal"
done

for call in openat read; do
    for error in EIO EACCES EINTR; do
        n=1
        while inject "$call" "error=$error" $n open "$file"; do
            case $call/$error/$code in
            read/EINTR/0) ;;
            read/EINTR/*) broken "load: $call $error $n: exit status $code" ;;
            */10) ;;
            *) broken "load: $call $error $n: exit status $code" ;;
            esac
            n=$((n + 1))
        done
        [ $n -gt 1 ] || broken "load: $call was never made to fail"
    done
done
echo "$n_injected failures injected"
