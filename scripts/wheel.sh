#!/usr/bin/env bash
# Builds the Python wheel into target/wheels: the program without libtorch, for any Linux x86-64 with glibc 2.17 or newer, and
# check.py as mnist-report-check. maturin and zig, which links for the old glibc, come from PyPI.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=target/wheel-tools
if [[ ! -x $tools/bin/maturin || ! -d $(echo "$tools"/lib/python3*/site-packages/ziglang) ]]; then
    "${PYTHON:-python3}" -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check -r scripts/wheel/tools.txt
fi

rm -rf target/wheel
data=target/wheel/mnist_report.data
mkdir -p "$data/scripts" "$data/data/share/mnist-report/labels"
cp scripts/wheel/pyproject.toml target/wheel/
# pip replaces this first line by one with the path of Python.
{
    echo '#!python'
    tail -n +2 scripts/check.py
} >"$data/scripts/mnist-report-check"
cp data/mnist/t10k-labels-idx1-ubyte.gz "$data/data/share/mnist-report/labels/"

# A folder of its own, because another linker and glibc change every object.
export CARGO_TARGET_DIR=$PWD/target/zig
PATH=$PWD/$tools/bin:$PATH
(cd target/wheel && maturin build --release --zig --compatibility manylinux2014 --out ../wheels)
ls target/wheels/mnist_report-*.whl
