#!/usr/bin/env bash
# Compiles the CUDA kernels for several GPUs, without a GPU, and checks their PTX: every operation on floats must round
# to nearest, and none may be approximate, flush subnormals or depend on the order of threads. NVRTC is the path of a
# libnvrtc.so; by default the script installs one.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${NVRTC:-}" ]; then
    folder=target/nvrtc
    if ! ls "$folder"/lib/python3*/site-packages/nvidia/*/lib/libnvrtc.so.* >/dev/null 2>&1; then
        python3 -m venv "$folder"
        "$folder/bin/pip" --quiet install "nvidia-cuda-nvrtc>=13,<14"
    fi
    NVRTC=$(find "$folder"/lib/python3*/site-packages/nvidia -name 'libnvrtc.so.*' ! -name '*.alt.*' | head -n 1)
fi
python3 scripts/cuda_source.py "$NVRTC"
