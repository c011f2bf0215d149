#!/bin/sh
# lintian.sh BUILD: Debian's checker finds no error in the package. 77 (skipped) where it is not installed.
set -e
command -v lintian >/dev/null || exit 77
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cpack --config "$1/CPackConfig.cmake" -B "$scratch" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
lintian --allow-root --fail-on error "$scratch"/*.deb
