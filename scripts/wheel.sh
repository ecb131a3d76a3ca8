#!/usr/bin/env bash
# Builds the Python wheel into target/wheels: the program without libtorch, for any Linux x86-64 with glibc 2.17 or
# newer, and check.py as mnist-report-check. Installs maturin from PyPI, and zig, which links with the old glibc.
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
# check.py finds the labels relative to its own path, as in the repository. They must not be in share/mnist-report,
# because the program would expect all of MNIST's files there.
data=target/wheel/mnist_report.data
install -D -m 755 scripts/wheel/mnist-report-check "$data/scripts/mnist-report-check"
install -D -m 755 scripts/check.py "$data/data/share/mnist-report-check/scripts/check.py"
install -D -m 644 -t "$data/data/share/mnist-report-check/data/mnist" data/mnist/t10k-labels-idx1-ubyte.gz
install -D -m 644 -t "$data/data/share/mnist-report-check/data" data/README.md

# Use a separate folder, because another linker and glibc change every object file.
export CARGO_TARGET_DIR=$PWD/target/zig
# Optimising all crates together takes longer, and makes the program a fifth smaller.
export CARGO_PROFILE_RELEASE_LTO=fat
PATH=$PWD/$tools/bin:$PATH
(cd target/wheel && maturin build --release --zig --compatibility manylinux2014 --out ../wheels)
ls target/wheels/mnist_report-*.whl
