#!/usr/bin/env bash
# Tests the PyTorch programs in bundles: builds two studies, which together have every kind of layer, loads their
# weights into the programs, and compares the predictions. See scripts/pytorch_models.py. Those of portable.yaml must be the
# golden files of tests/golden/pytorch, so that golden files are programs that PyTorch has run.
#   PYTHON   an interpreter with torch and safetensors. By default, the script installs them into benches/.venv (3 GB).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-benches/.venv/bin/python}
if [[ -z ${PYTHON:-} ]] && ! "$python" -c 'import torch, safetensors' 2>/dev/null; then
    python3 -m venv benches/.venv
    PIP_USER=0 benches/.venv/bin/pip install --quiet torch==2.11.0 safetensors==0.8.0 numpy
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bundles=()
for study in src/arithmetic/portable.yaml tests/fixtures/tiny.yaml; do
    bundle=$work/$(basename "$study" .yaml)
    target/release/mnist-report build "$study" --quiet --out "$bundle" >/dev/null
    bundles+=("$bundle")
done
"$python" scripts/pytorch_models.py data/mnist "${bundles[@]}"
diff -r "$work/portable/pytorch" tests/golden/pytorch
