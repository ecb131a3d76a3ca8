# The commands that people type. Each target works from a fresh clone and does not download or build again what is there.

STUDY ?=

# One build, in target/, against libtorch/: the program finds its libraries relative to target/release/, and a variable
# left over from another project would make cargo use another libtorch or compile the C++ part again.
export CARGO_TARGET_DIR := $(CURDIR)/target
unexport CARGO_BUILD_TARGET LIBTORCH LIBTORCH_INCLUDE LIBTORCH_LIB LIBTORCH_STATIC LIBTORCH_USE_PYTORCH
unexport LIBTORCH_CXX11_ABI LIBTORCH_BYPASS_VERSION_CHECK

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help report preview pdf build verifier published test test-browser test-portable test-gpu gpu-day test-cuda-calls test-cuda-source test-cuda-on-cpu test-pytorch fuzz kills bench lint audit libtorch clean install uninstall wheel test-wheel test-pages test-cluster rust tools lint-tools

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' Makefile

report: build ## build the report of a study (STUDY=reports/NAME.yaml, by default reports/coursework.yaml)
	target/release/mnist-report build $(if $(STUDY),"$(STUDY)")

preview: verifier ## build reports/quick.yaml, a preview of reports/coursework.yaml in two minutes
	target/release/mnist-report build reports/quick.yaml

pdf: ## print a report as PDF with an installed Chromium (BUNDLE=reports/NAME, by default reports/coursework)
	@scripts/pdf.sh "$(or $(BUNDLE),reports/coursework)"

build: tools libtorch ## build target/release/mnist-report, and mnist-report-libtorch beside it for GPUs and as a witness
	cargo build --release --locked

verifier: rust ## build target/release/mnist-report without libtorch: it builds and verifies on a CPU or a GPU, and downloads nothing but crates
	cargo build --release --locked --no-default-features --features cuda
	@echo target/release/mnist-report

# With sudo there may be no cargo: then what is compiled is installed.
install: $(if $(and $(wildcard target/release/mnist-report),$(if $(shell command -v cargo),,missing)),,verifier) ## install the program, its manual pages and completions below PREFIX (by default ~/.local; DESTDIR= for packages)
	@scripts/install.sh

uninstall: ## remove what `make install` put below PREFIX (by default ~/.local)
	@scripts/uninstall.sh

wheel: rust ## build the Python wheel in target/wheels, for any Linux x86-64 with glibc 2.17 or newer (installs maturin and zig into target/wheel-tools)
	@scripts/wheel.sh

test-wheel: wheel ## install the wheel in a fresh environment and use it as another user (CUDA=1: also its extras, 150 MB)
	@scripts/test-wheel.sh

test-pages: wheel ## run the steps of the workflow that publishes a report, docs/pages.yml (minutes; STUDY=tests/fixtures/tiny.yaml: seconds)
	@scripts/test-pages.sh

test-cluster: verifier ## build a study in parts with GNU parallel and with Slurm, and compare the Report IDs
	@scripts/test-cluster.sh

published: verifier ## build the reports in reports/published again (10 minutes, or seconds if their trainings are in the run cache)
	@scripts/publish-reports.sh

test: tools libtorch ## run the tests (SNAPSHOTS=overwrite: write the golden files in tests/golden again)
	cargo test --release --locked

fuzz: rust ## try random changes of everything that verify reads: CASES=30000 of each of nine kinds (an hour; SEED= for other changes)
	FUZZ_CASES=$(or $(CASES),30000) FUZZ_SEED=$(SEED) cargo test --release --locked --no-default-features --test suite -- --nocapture fuzz::

kills: rust ## kill a build at each of its system calls, and check what is left (half an hour; STEP=10 for each tenth; needs strace)
	MNIST_REPORT_KILL_STEP=$(or $(STEP),1) cargo test --release --locked --no-default-features --test suite -- --nocapture killed::

test-browser: build ## test reports in headless Chromium (needs Node.js; installs Chromium where it runs as root)
	@scripts/test-browser.sh

test-portable: verifier ## compare bits between vector widths, threads and emulated CPUs, and of whole studies (long; needs qemu-user; CPUS="Haswell" THREADS=2 STUDIES=)
	cargo build --release --locked --no-default-features --features cuda --example portable_probe
	@scripts/test-portable.sh

test-gpu: build ## build two studies on this machine's GPU and CPU, compare their bits, and verify them on both
	cargo build --release --locked --example bench_training
	@scripts/test-gpu.sh

gpu-day: build ## measure a GPU in ten minutes, the most valuable first (results in target/gpu-day; DEVICE=cpu rehearses it)
	cargo build --release --locked --example gpu_probe --example bench_training
	@scripts/gpu-day.sh

test-cuda-calls: build ## check the calls that training makes on a GPU, without a GPU (needs `make libtorch CUDA=1`, or TORCH=a folder of libtorch_cuda.so)
	cargo build --release --locked --example bench_training
	@scripts/test-cuda-calls.sh

test-cuda-on-cpu: tools ## run the tests of the CUDA kernels on this CPU with sanitizers (needs g++ with libasan)
	@scripts/test-cuda-on-cpu.sh

test-cuda-source: ## compile the CUDA kernels for several GPUs, without a GPU, and check that every operation rounds as on the CPU (installs NVRTC into target/nvrtc, or NVRTC=a libnvrtc.so)
	@scripts/test-cuda-source.sh

test-pytorch: verifier ## load the weights of two studies into their PyTorch programs and compare predictions (installs PyTorch into benches/.venv, 3 GB; PYTHON=one that has it)
	@scripts/test-pytorch.sh

bench: build ## time training against PyTorch, on a quiet machine (20 minutes; installs PyTorch into benches/.venv, 3 GB; PYTHON=one that has it)
	cargo build --release --locked --example bench_training
	@scripts/bench.sh

lint: tools lint-tools libtorch ## check the formatting, clippy and the documentation
	cargo fmt --all --check
	cargo clippy --release --all-targets --locked -- -D warnings
	cargo clippy --release --all-targets --locked --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps --locked

audit: rust ## check licences, sources, duplicates and, where the database is at hand, advisories of the dependencies (needs cargo-deny)
	@scripts/audit.sh

libtorch: ## install PyTorch's C++ library into libtorch/ (CUDA=1 or CUDA=0: with or without the GPU libraries)
	@scripts/libtorch.sh

clean: rust ## remove what cargo built (libtorch/ stays)
	cargo clean

rust:
	@have=$$(cargo --version 2>/dev/null | cut -d' ' -f2); \
	need=$$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml); \
	if [ -z "$$have" ]; then \
	    echo "error: cargo is missing; install Rust $$need or newer with rustup" >&2; exit 1; \
	elif [ "$$(printf '%s\n' "$$need" "$$have" | sort -V | head -n 1)" != "$$need" ]; then \
	    echo "error: Rust $$have is too old, $$need or newer is needed: rustup update stable" >&2; exit 1; \
	fi

tools: rust
	@cxx=$${CXX:-c++}; command -v "$${cxx%% *}" >/dev/null || { \
	    echo "error: no C++ compiler ($$cxx); install one (Debian, Ubuntu: apt-get install g++)" >&2; exit 1; }

lint-tools:
	@cargo fmt --version >/dev/null 2>&1 || { \
	    echo "error: rustfmt is missing; install it: rustup component add rustfmt" >&2; exit 1; }
	@cargo clippy --version >/dev/null 2>&1 || { \
	    echo "error: clippy is missing; install it: rustup component add clippy" >&2; exit 1; }
