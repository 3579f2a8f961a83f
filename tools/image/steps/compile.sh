#!/bin/sh
# In the build: compile the Python files of a folder ($1) into the bytecode tree, without its tests and its folder $2.
# Unchecked: Python discards bytecode with its source's time once a layer was copied or repacked, and two builds would differ.
set -eu
exec python -m compileall -q -j 0 --invalidation-mode unchecked-hash -x "/(test|tests|idlelib|ensurepip|tkinter|turtledemo|${2:-test})/" "$1"
