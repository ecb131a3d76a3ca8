#!/usr/bin/env bash
# Owns the way to the benchmarks (benches/): PyTorch in benches/.venv, our example, and the comparison.
# Usage: scripts/bench.sh [bench.py's options]
#   PYTHON   an interpreter that has torch 2.11.0, torchvision and safetensors; without it benches/.venv is made (3 GB)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

python=${PYTHON:-benches/.venv/bin/python}
if [[ -z ${PYTHON:-} ]] && ! "$python" -c 'import torch, torchvision, safetensors' 2>/dev/null; then
    python3 -m venv benches/.venv || fail "python3 has no venv; install it (Debian, Ubuntu: apt-get install python3-venv)"
    benches/.venv/bin/pip install --quiet torch==2.11.0 torchvision==0.26.0 safetensors==0.8.0 numpy ||
        fail "PyTorch could not be installed into benches/.venv: check the network, or name an interpreter with PYTHON"
fi
"$python" -c 'import torch; assert torch.__version__.split("+")[0] == "2.11.0"' 2>/dev/null ||
    fail "$python has no torch 2.11.0"
exec "$python" benches/bench.py "$@"
