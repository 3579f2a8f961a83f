#!/bin/sh
# In the build: compile the Python files of a folder ($1) into the bytecode tree, but for its tests and its folder $2, if given.
# Unchecked: bytecode that names its source's time is thrown away by Python once somebody has copied or repacked a layer.
set -eu
exec python -m compileall -q -j 0 --invalidation-mode unchecked-hash -x "/(test|tests|idlelib|ensurepip|tkinter|turtledemo|${2:-test})/" "$1"
