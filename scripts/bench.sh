#!/usr/bin/env bash
# Runs the benchmarks (benches/bench.py), which compare training speed with PyTorch's.
# Usage: scripts/bench.sh [OPTIONS OF bench.py]
#   PYTHON   an interpreter with torch 2.11.0, torchvision and safetensors. By default, the script installs them into
#            benches/.venv (3 GB).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

python=${PYTHON:-benches/.venv/bin/python}
if [[ -z ${PYTHON:-} ]] && ! "$python" -c 'import torch, torchvision, safetensors' 2>/dev/null; then
    python3 -m venv benches/.venv || fail "python3 has no module venv; install it (Debian, Ubuntu: apt-get install python3-venv)"
    PIP_USER=0 benches/.venv/bin/pip install --quiet torch==2.11.0 torchvision==0.26.0 safetensors==0.8.0 numpy ||
        fail "cannot install PyTorch into benches/.venv; check the network, or set PYTHON to an interpreter that has it"
fi
"$python" -c 'import torch; assert torch.__version__.split("+")[0] == "2.11.0"' 2>/dev/null ||
    fail "$python has no torch 2.11.0"
exec "$python" benches/bench.py "$@"
