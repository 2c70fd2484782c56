#!/bin/sh
# SPDX-License-Identifier: MIT
# Writes the interface of the present version down as tests/abi/baseline/libebm-<major>.<minor>.abi, after functions
# were added. Says what has changed against the old one: after the release of a version nothing may, before it only what
# is meant to. Usage: sh tests/abi/update_baseline.sh
tree=$(dirname "$0")/../..
set -- "$tree" "$tree"
. "$tree/tests/support/script.sh"
. "$source/tests/abi/abi.sh"
write_abi "$source" "$folder/debug" "$folder/new.abi"
if [ -e "$baseline" ]; then
    abidiff "$baseline" "$folder/new.abi" || echo "The interface has changed as said above."
fi
cp "$folder/new.abi" "$baseline"
