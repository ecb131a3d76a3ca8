#!/usr/bin/env bash
# Installs PyTorch's C++ library into libtorch/, from PyPI wheels with pinned versions and hashes. It keeps only the
# parts that the program needs. If they are already installed, it returns at once.
#   CUDA   1: with the CUDA libraries; 0: without. By default, with them if the machine has an NVIDIA GPU. An install with
#          CUDA also works without a GPU.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(dirname "$here")
dest=$root/libtorch
part=$root/libtorch.part # on the same file system as libtorch/, so that the last step is a rename
cpu_pins=$here/libtorch-cpu.txt
cuda_pins=$here/libtorch-cuda.txt
layout=1 # increment it if the files in libtorch/ change but the pinned wheels do not
child=

say() { printf 'libtorch: %s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

has_gpu() {
    command -v nvidia-smi >/dev/null || return 1
    local list # nvidia-smi can hang if a driver is broken
    list=$(if command -v timeout >/dev/null; then timeout 30 nvidia-smi -L; else nvidia-smi -L; fi 2>/dev/null) || return 1
    [[ $list == GPU* ]]
}

# The stamp file has one line for each installed set of libraries.
stamp_line() { printf '%s layout%s %s' "$1" "$layout" "$(sha256sum <"$2" | cut -d' ' -f1)"; }
stamp_lines() {
    printf '%s\n' "$cpu_stamp"
    if [[ $kind == cuda ]]; then printf '%s\n' "$cuda_stamp"; fi
}
installed() {
    [[ -f $dest/torch/lib/libtorch_cpu.so && -f $dest/stamp ]] || return 1
    local line
    while read -r line; do
        grep -qxF "$line" "$dest/stamp" || return 1
    done < <(stamp_lines)
}

# After a failure, keep only the log; after a success, nothing.
clean_up() {
    trap '' INT TERM HUP
    if [[ -n $child ]]; then
        kill "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    rm -rf "$part/wheels" "$part/tmp" "$part/new" "$part/old" "$part/unpack.py"
    if [[ ! -s $part/log ]]; then rm -rf "$part"; fi
}

# Runs a command in the background, so that a signal ends this script at once and not only after the download.
run() {
    "$@" >>"$part/log" 2>&1 &
    child=$!
    local rc=0
    wait "$child" || rc=$?
    child=
    return "$rc"
}

explain_download() {
    local log=$part/log name=${part##*/}/log last
    last=$(grep -E '^ *(ERROR|[A-Za-z]*Error)\b' "$log" | tail -n 1 | cut -c 1-300) || true
    if grep -q 'DO NOT MATCH THE HASHES' "$log"; then
        fail "a downloaded wheel does not have the SHA-256 pinned in scripts/, so nothing was installed; try again. If it fails again, the package index or a proxy serves another file (see $name)"
    elif grep -q 'No space left on device' "$log"; then
        fail "the disk is full; free $need MiB in $root and try again"
    elif grep -qE 'NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|Read timed out|Connection broken|Connection aborted|ConnectionReset|IncompleteRead|ProxyError|SSLError' "$log"; then
        fail "pip cannot reach its package index; check the network and pip's proxy settings, then try again (see $name)"
    fi
    fail "pip could not download the wheels: ${last:-no reason given} (see $name)"
}

# --- which parts are needed, and are they installed? ---

if [[ $(uname -s) != Linux || $(uname -m) != x86_64 ]]; then
    fail "libtorch can be installed only on Linux on x86-64, but this is $(uname -s) on $(uname -m)"
fi
case ${CUDA-} in
    1) kind=cuda ;;
    0) kind=cpu ;;
    '') if has_gpu; then kind=cuda; else kind=cpu; fi ;;
    *) fail "invalid CUDA='$CUDA'; set it to 1 (with the CUDA libraries) or 0 (without), or unset it" ;;
esac
cpu_stamp=$(stamp_line cpu "$cpu_pins")
cuda_stamp=$(stamp_line cuda "$cuda_pins")
if installed; then exit 0; fi

# One install at a time. The lock is on the folder itself, so no lock file remains.
if command -v flock >/dev/null; then
    exec 9<"$root"
    if ! flock -n 9; then
        say "waiting for another install to end"
        flock 9 || true # some file systems have no locks: continue without
        if installed; then exit 0; fi
    fi
fi

# --- requirements ---

glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || glibc=none
if [[ $(printf '%s\n' 2.28 "${glibc#glibc }" | sort -V | head -n 1) != 2.28 || $glibc == none ]]; then
    fail "libtorch needs glibc 2.28 or newer, but this machine has $glibc"
fi
python3 -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null ||
    fail "python3 3.8 or newer is missing; install it (Debian, Ubuntu: apt-get install python3 python3-pip)"
pip=$(python3 -m pip --version 2>/dev/null) ||
    fail "python3 has no pip; install it (Debian, Ubuntu: apt-get install python3-pip)"
pip=$(cut -d' ' -f2 <<<"$pip")
if [[ $(printf '%s\n' 20.3 "$pip" | sort -V | head -n 1) != 20.3 ]]; then
    fail "pip $pip is too old, 20.3 or newer is needed; run: python3 -m pip install --upgrade pip"
fi

# Measured: the peak use of the disk in MiB, when pip has two copies of every wheel, and the size of the download.
if [[ $kind == cuda ]]; then need=5500 size="2.4 GB"; else need=1200 size="0.5 GB"; fi
rm -rf "$part" # files of a killed run
free=$(($(df -Pk "$root" | awk 'NR == 2 { print $4 }') / 1024))
if [[ $free -lt $need ]]; then
    fail "too little disk space in $root: $free MiB are free, but unpacking needs $need MiB"
fi

trap clean_up EXIT
trap 'rm -f "$part/log"; exit 130' INT
trap 'rm -f "$part/log"; exit 143' TERM HUP
mkdir "$part" "$part/wheels" "$part/tmp" 2>/dev/null || fail "cannot write in $root"

# --- download ---

version=$(sed -n 's/^torch==\([0-9.]*\).*/\1/p' "$cpu_pins")
say "downloading the $kind parts of PyTorch $version, once ($size)"
# State platform and Python tags, so that any Python can download the wheels. Put temporary files on the disk whose free
# space was checked. Switch pip's cache off, because it would store everything a second time.
pins=(-r "$cpu_pins")
if [[ $kind == cuda ]]; then pins+=(-r "$cuda_pins"); fi
platforms=()
for tag in manylinux_2_28 manylinux_2_27 manylinux_2_25 manylinux_2_18 manylinux_2_17 manylinux2014 manylinux2010; do
    platforms+=(--platform "${tag}_x86_64")
done
TMPDIR=$part/tmp PIP_REQUIRE_VIRTUALENV=0 run python3 -m pip download --require-hashes --no-deps \
    --only-binary=:all: "${platforms[@]}" --implementation cp --python-version 3.11 --abi cp311 \
    --no-cache-dir --disable-pip-version-check --no-input --no-color --progress-bar off \
    --dest "$part/wheels" "${pins[@]}" || explain_download
rm -rf "$part/tmp"

# --- unpack ---

# Keep the wheels' folder layout, because the libraries find each other by RPATHs relative to it.
cat >"$part/unpack.py" <<'PY'
import fnmatch, os, sys, zipfile

kind, wheels, dest = sys.argv[1:]
wanted = ["torch/include/*", "torch/lib/libgomp.so.1"]
if kind == "cuda":
    wanted += ["torch/lib/*.so", "nvidia/*/lib/*.so*"]
else:
    wanted += ["torch/lib/libtorch_cpu.so", "torch/lib/libc10.so"]
    wanted += ["nvidia/cu13/lib/libcupti.so.13", "nvidia/cu13/lib/libcudart.so.13"]
# libtorch.so is an empty library that loads CUDA; only Python's libtorch_python.so needs it.
unwanted = ["torch/lib/libtorch.so", "torch/lib/libtorch_python.so"]
missing = set(wanted)
for name in sorted(os.listdir(wheels)):
    path = os.path.join(wheels, name)
    with zipfile.ZipFile(path) as wheel:
        for member in wheel.namelist():
            hits = [w for w in wanted if fnmatch.fnmatchcase(member, w)]
            if hits and member not in unwanted and not member.endswith("/"):
                wheel.extract(member, dest)
                missing.difference_update(hits)
    os.remove(path)  # free the disk for the next one
if missing:
    sys.exit("not in the wheels: " + ", ".join(sorted(missing)))
PY
say "unpacking"
run python3 -I "$part/unpack.py" "$kind" "$part/wheels" "$part/new" || {
    if grep -q 'No space left on device' "$part/log"; then
        fail "the disk is full; free $need MiB in $root and try again"
    fi
    fail "cannot unpack the wheels: $(tail -n 1 "$part/log" | cut -c 1-300) (see ${part##*/}/log)"
}

# cargo links with cpu/, which has only the CPU libraries even if the CUDA ones are installed. The program loads CUDA at
# run time, so the same build works with and without it. libtorch.so is the CPU library under the name that tch links
# with.
(
    cd "$part/new"
    ln -s libtorch_cpu.so torch/lib/libtorch.so
    mkdir -p cpu/lib
    ln -s ../torch/include cpu/include
    for lib in libtorch_cpu.so libtorch.so libc10.so; do ln -s "../../torch/lib/$lib" "cpu/lib/$lib"; done
    stamp_lines >stamp
)

# --- move into place ---

trap '' INT TERM HUP # do not stop between the two renames
if [[ -e $dest || -L $dest ]]; then mv "$dest" "$part/old"; fi
mv "$part/new" "$dest"
rm -rf "$part"
say "ready ($kind, $(du -sh "$dest" | cut -f1))"
