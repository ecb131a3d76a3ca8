#!/usr/bin/env bash
# Runs the tests of the CUDA kernels on this CPU again, with AddressSanitizer and UndefinedBehaviorSanitizer in the
# kernels, which report accesses outside arrays and misaligned ones. Then leaves out each barrier in turn: a test must
# fail. See src/arithmetic/cuda/testing.rs.
set -euo pipefail
cd "$(dirname "$0")/.."

features=(--no-default-features)
binary=$(cargo test --release --locked "${features[@]}" --lib --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
cxx=${CXX:-c++}
preload="$($cxx -print-file-name=libasan.so) $($cxx -print-file-name=libubsan.so)"

# Do not check for leaks, because Rust's memory is not tested here, nor for use of a stack after a return, because
# fibres have their own stacks.
LD_PRELOAD="$preload" ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0 UBSAN_OPTIONS=print_stacktrace=1 \
    MNIST_REPORT_SANITIZE=1 "$binary" arithmetic::cuda "$@"

# The tests of layers, loss and clipping reach every barrier, and take less time than whole trainings. The first failure
# ends them; a crash counts as one.
fails_without() {
    local output
    output=$(mktemp)
    MNIST_REPORT_WITHOUT_BARRIER=$1 "$binary" arithmetic::cuda::layers arithmetic::cuda::cross_entropy arithmetic::cuda::clip --test-threads 1 >"$output" 2>&1 &
    local tests=$! rc=0
    while kill -0 "$tests" 2>/dev/null && ! grep -q '^test .*FAILED$' "$output"; do
        sleep 1
    done
    if grep -q '^test .*FAILED$' "$output"; then
        kill "$tests" 2>/dev/null
        rc=1
    fi
    wait "$tests" 2>/dev/null || rc=1
    rm "$output"
    [[ $rc -ne 0 ]]
}
barriers=$(cat src/arithmetic/cuda/kernels/*.cu* | grep -o '__syncthreads();' | wc -l)
for ((i = 0; i < barriers; i++)); do
    if ! fails_without "$i"; then
        echo "error: without barrier $i of the kernels, no test fails" >&2
        exit 1
    fi
done
echo "without any one of $barriers barriers, a test fails"
