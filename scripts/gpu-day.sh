#!/usr/bin/env bash
# Measures everything that needs a GPU, the most valuable first, for a machine that is there for a few minutes. Every step has a time
# limit and writes its results at once; a step that fails does not stop the next one. Needs what `make build` and
#
#     cargo build --release --locked --example gpu_probe --example bench_training
#
# make, NVRTC, and for the comparisons an interpreter with torch 2.11.0, torchvision and safetensors.
#   OUT      the folder for all results (default target/gpu-day)
#   DEVICE   cuda (default) or cuda:N; cpu rehearses the script with small studies
#   PYTHON   the interpreter (default python3)
#   LIMIT    seconds for everything (default 780)
# Exit code 0: all steps did what they should. 1: one did not.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$PWD/target/release/mnist-report
probe=target/release/examples/gpu_probe
device=${DEVICE:-cuda}
python=${PYTHON:-python3}
out=$(realpath -m "${OUT:-target/gpu-day}")
mkdir -p "$out"
end=$((SECONDS + ${LIMIT:-780}))
failed=0

if [[ $device == cpu ]]; then
    study=tests/fixtures/tiny.yaml long=src/arithmetic/portable.yaml images=256 rounds=1
else
    study=reports/coursework.yaml long=reports/extended.yaml images=60000 rounds=3
fi
name=$(basename "$study" .yaml)

say() {
    printf '%s\n' "$*" | tee -a "$out/day.txt"
}

# step SECONDS NAME COMMAND...: runs a command for at most that long. Its output goes to NAME.txt.
step() {
    local limit=$1 name=$2 rc=0 start=$SECONDS
    shift 2
    ((limit < end - SECONDS)) || limit=$((end - SECONDS))
    if ((limit < 5)); then
        say "$name: no time left"
        return 1
    fi
    timeout "$limit" "$@" >"$out/$name.txt" 2>&1 || rc=$?
    say "$name: exit code $rc, $((SECONDS - start)) s: $(tail -n 1 "$out/$name.txt")"
    ((rc == 0)) || failed=1
    return "$rc"
}

# equal NAME FOLDER FOLDER: compares two Report IDs.
equal() {
    if cmp -s "$2/SHA256SUMS" "$3/SHA256SUMS"; then
        say "$1: the same Report ID, $(sha256sum <"$2/SHA256SUMS" | cut -d' ' -f1)"
    else
        failed=1
        say "$1: DIFFERENT Report IDs"
        "$program" diff "$2" "$3" >"$out/diff-$1.txt" 2>&1
    fi
}

bench() {
    local name=$1
    shift
    PYTHON=$python step "${seconds:-120}" "bench-$name" scripts/bench.sh --out "$out/bench-$name.md" "$@"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# 1. The card, and the self-test of every kernel.
step 20 card nvidia-smi
say "$(grep -o 'NVIDIA-SMI.*' "$out/card.txt" | head -n 1)"
step 60 self-test "$probe" src/arithmetic/portable.yaml 4 0

# 2 to 4. The study on the GPU twice and on the CPU: one Report ID. The first start compiles and tests the kernels.
export XDG_CACHE_HOME=$work/cache
step 120 build-gpu "$program" build "$study" --fresh --device "$device" --out "$work/gpu/$name" &&
    step 20 publish "$program" publish "$work/gpu/$name" --lean --out "$out/$name.zip"
cp "$work/gpu/$name/run-log.json" "$out/run-log-gpu.json"
step 120 build-gpu-again "$program" build "$study" --fresh --device "$device" --out "$work/again/$name"
equal gpu-twice "$work/gpu/$name" "$work/again/$name"
step 60 verify-gpu "$program" verify "$work/gpu/$name" --device "$device" --upto rerun
step 240 build-cpu "$program" build "$study" --fresh --device cpu --out "$work/cpu/$name"
equal gpu-and-cpu "$work/gpu/$name" "$work/cpu/$name"
cp "$work/cpu/$name/run-log.json" "$out/run-log-cpu.json"

# 5. Against PyTorch on the same device.
for run in slim-bn baseline slim; do
    bench "$run" --device "$device" --runs "$run" --rounds "$rounds" --images "$images"
done

# 6. Steps that are recorded as CUDA graphs, against launches one by one: images per second of both.
step 60 images-per-second "$probe" benches/study.yaml 0 200

# 7. A CPU's threads.
for threads in 1 2 4 8 16; do
    ((threads <= $(nproc))) || continue
    MNIST_REPORT_THREADS=$threads OMP_NUM_THREADS=$threads seconds=40 bench "cpu-$threads" --device cpu --runs slim-bn --rounds 1
done

# 8. Reads and writes outside of an array.
if command -v compute-sanitizer >/dev/null; then
    step 120 sanitizer compute-sanitizer --error-exitcode 1 "$probe" src/arithmetic/portable.yaml 1 0
fi

# 9. More, as far as time goes.
step 300 build-long "$program" build "$long" --fresh --device "$device" --out "$work/long"
cp "$work/long/run-log.json" "$out/run-log-long.json" 2>/dev/null
say "done in $SECONDS s"
exit "$failed"
