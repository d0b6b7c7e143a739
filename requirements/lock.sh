#!/bin/sh
# Resolves every *.in to a *.txt with hashes: requirements/lock.sh [--upgrade]. Needs `uv` on the PATH.
set -eu
cd "$(dirname "$0")"
lock() {
    uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_36 --generate-hashes \
        --no-emit-index-url --no-header --no-annotate "$@"
}
for name in serving gateway local test gpu loadtest peers docs; do lock "$name.in" --output-file "$name.txt" ${1:+"$1"}; done
lock tritonserver.in --no-deps --output-file tritonserver.txt ${1:+"$1"}
# The CPU build of PyTorch has a hash of its own; say with PIP_FIND_LINKS or UV_FIND_LINKS where it lies.
lock training.in --no-emit-find-links --output-file training.txt ${1:+"$1"}
