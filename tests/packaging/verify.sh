#!/bin/sh
# verify.sh RXD: systemd accepts the unit (with this binary in it), and finds it well closed off.
set -e
rxd=$1
unit=$(mktemp -d)/rxd.service
trap 'rm -rf "${unit%/*}"' EXIT
sed "s#/usr/bin/rxd#$rxd#" "$(dirname "$0")/../../packaging/rxd.service" >"$unit"
systemd-analyze verify "$unit"
systemd-analyze security --offline=true --threshold=20 --no-pager "$unit" >"$unit.txt" || { cat "$unit.txt"; exit 1; }
