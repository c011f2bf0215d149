#!/bin/bash
# relative.sh ROOT COMPILER ARGUMENT...: compiles with paths that do not say where the tree is, so that neither do the object, its
# debugging information and the names by which a profile knows static functions.
root=$1
shift
exec "${@//"$root"/..}" -ffile-prefix-map="$PWD"=.
