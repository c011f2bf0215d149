#!/bin/sh
# configs.sh RXD: rxd accepts the config that the package installs, and the one in the README.
set -e
rxd=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/pipelines.d"
"$rxd" check -c "$root/packaging/rxd.yaml" -c "$scratch/pipelines.d"
sed -n '/^```yaml$/,/^```$/{/^```/!p}' "$root/README.md" >"$scratch/readme.yaml"
grep -q '^pipelines:' "$scratch/readme.yaml"
"$rxd" check -c "$scratch/readme.yaml"
