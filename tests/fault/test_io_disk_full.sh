#!/bin/sh
# SPDX-License-Identifier: MIT
# A real file system without room for a second copy: the old file stays whole, and nothing is left beside it.
# Usage: sh test_io_disk_full.sh <build folder>     Skipped (77) where nothing may be mounted.
set -eu
program=$1/tests/test_io_killed
if [ "${2:-}" != inside ]; then
    # A mount of this script's own, as root or in a user namespace.
    for how in "unshare -m" "unshare -rm"; do
        # shellcheck disable=SC2086
        if $how sh -c 'mount -t tmpfs -o size=512k none /mnt' 2> /dev/null; then
            # shellcheck disable=SC2086
            exec $how sh "$0" "$1" inside
        fi
    done
    echo "mounting is not permitted"
    exit 77
fi

# fails <what may be in the folder>: a save ends with EBM_ERR_IO.
fails() {
    code=0
    message=$("$program" save /mnt/a 2 2>&1) || code=$?
    [ $code = 10 ] || { echo "exit status $code, not 10: $message"; exit 1; }
    case $message in
    *"No space left on device"*) ;;
    *) echo "the message does not say why: $message"; exit 1 ;;
    esac
    [ "$(ls -A /mnt)" = "$1" ] || { echo "left behind: $(ls -A /mnt)"; exit 1; }
}

mount -t tmpfs -o size=512k none /mnt
fails ""
mount -o remount,size=1200k /mnt
"$program" save /mnt/a 1
fails a
code=0
"$program" check /mnt/a 2> /dev/null || code=$?
[ $code = 1 ] || { echo "the old file is broken"; exit 1; }
echo "an old file of $(stat -c %s /mnt/a) bytes survives a full disk"
