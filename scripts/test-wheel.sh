#!/usr/bin/env bash
# Installs and uses the wheel like a user: in a new virtual environment at a path with spaces, without network access,
# as another user, from a folder outside the repository. With CUDA=1, also downloads the extras (150 MB); their NVRTC
# must be where the program looks for it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    echo "error: $*" >&2
    exit 1
}

wheel=$(ls "$PWD"/target/wheels/mnist_report-*-manylinux*_x86_64.whl) || fail "no wheel; run make wheel"
home=$(mktemp -d "${TMPDIR:-/tmp}/a wheel's home XXXXXX")
trap 'rm -rf "$home"' EXIT
chmod 755 "$home"

# Without network access, if this user may switch it off.
offline=()
if unshare --net true 2>/dev/null; then
    offline=(unshare --net)
else
    echo "note: this user cannot cut off the network, so pip is told to use none"
fi
"${PYTHON:-python3}" -m venv "$home/my venv"
"${offline[@]}" "$home/my venv/bin/pip" install --quiet --disable-pip-version-check --no-index "$wheel"
bin="$home/my venv/bin"
[[ -x $bin/mnist-report && -x $bin/mnist-report-check ]] || fail "the wheel installs no mnist-report or no mnist-report-check"

# The newest glibc version that the program requires.
newest=$(grep -aoE 'GLIBC_2\.[0-9]+' "$bin/mnist-report" | sort -uV | tail -n 1)
[[ $(printf '%s\nGLIBC_2.17\n' "$newest" | sort -V | tail -n 1) == GLIBC_2.17 ]] || fail "it needs $newest"

# Another user, whose home is a folder with a space.
mkdir "$home/a user"
as_user=()
if [[ $(id -u) == 0 ]]; then
    chown 65534:65534 "$home/a user"
    as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
else
    echo "note: not root, so not tried as another user"
fi
cd "$home/a user"
cat >'my study.yaml' <<'YAML'
title: Wheel
models: {only: {layers: [flatten, {linear: {out_features: 10}}]}}
defaults: {train: {images: {first: 500}}, epochs: 2, batch_size: 50, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}
runs: {single: {model: only}}
YAML
user() {
    env -i HOME="$PWD" LANG=C.UTF-8 PATH=/usr/bin:/bin "${offline[@]}" "${as_user[@]}" "$@"
}
user "$bin/mnist-report" --version
user "$bin/mnist-report" doctor
user "$bin/mnist-report" build --quiet 'my study.yaml'
user "$bin/mnist-report" verify --upto rerun 'my study' | grep '^Report ID' || fail "verify"
user "$bin/mnist-report" publish 'my study'
user "$bin/mnist-report" verify 'my study.zip' >/dev/null
user "$bin/mnist-report-check" 'my study.zip' 'my study'
user "$bin/mnist-report" studies 'the studies' >/dev/null
user "$bin/mnist-report" summary 'the studies/quick.yaml' >/dev/null

if [[ ${CUDA:-} == 1 ]]; then
    for extra in cuda12 cuda13; do
        "$bin/pip" install --quiet --disable-pip-version-check "$wheel[$extra]"
    done
    for library in cuda_nvrtc/lib/libnvrtc.so.12 cu13/lib/libnvrtc.so.13; do
        found=$(echo "$home/my venv"/lib/python3*/site-packages/nvidia/"$library")
        [[ -f $found ]] || fail "the program looks for NVRTC in site-packages/nvidia/$library, but it is not there"
    done
fi
echo "the wheel works: $(basename "$wheel")"
