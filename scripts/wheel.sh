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

rm -rf target/wheel target/wheels/mnist_report-*.whl
mkdir -p target/wheel
cp scripts/wheel/pyproject.toml LICENSE-* target/wheel/
# check.py finds the labels from its own place, as in the repository. The program would take them for all of MNIST's files if they
# were in share/mnist-report.
data=target/wheel/mnist_report.data
install -D -m 755 scripts/wheel/mnist-report-check "$data/scripts/mnist-report-check"
install -D -m 755 scripts/check.py "$data/data/share/mnist-report-check/scripts/check.py"
install -D -m 644 -t "$data/data/share/mnist-report-check/data/mnist" data/mnist/t10k-labels-idx1-ubyte.gz
install -D -m 644 -t "$data/data/share/mnist-report-check/data" data/README.md

# A folder of its own, because another linker and glibc change every object.
export CARGO_TARGET_DIR=$PWD/target/zig
PATH=$PWD/$tools/bin:$PATH
(cd target/wheel && maturin build --release --zig --compatibility manylinux2014 --out ../wheels)
ls target/wheels/mnist_report-*.whl
