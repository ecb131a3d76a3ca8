//! Build script: compiles the C++ shim, sets the run-time search path for libtorch, and hashes the program's source.

#[path = "src/training/sources.rs"]
mod sources;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

fn main() {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    #[cfg(feature = "tch")]
    libtorch(&root);
    // Without symbols, which take 4 MB: a panic's message and place are strings of the program. Cargo would ignore
    // `strip` in the profile, because the package has an `opt-level` of its own there.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo:rustc-link-arg-bin=mnist-report=-Wl,--strip-all");
    }

    let mut files = vec!["Cargo.toml".into(), "Cargo.lock".into(), "build.rs".into()];
    for folder in ["src", "templates"] {
        println!("cargo:rerun-if-changed={folder}");
        collect(&root.join(folder), Path::new(folder), &mut files);
    }
    files.sort();
    let (mut all, mut computing) = (Sha256::new(), Sha256::new());
    for file in &files {
        let bytes = std::fs::read(root.join(file)).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let line = format!("{} {}\n", hex(&Sha256::digest(&bytes)), file.display());
        all.update(&line);
        if sources::computes(&file.to_string_lossy()) {
            computing.update(&line);
        }
        println!("cargo:rerun-if-changed={}", file.display());
    }
    println!("cargo:rustc-env=MNIST_REPORT_SOURCE_SHA256={}", hex(&all.finalize()));
    println!("cargo:rustc-env=MNIST_REPORT_COMPUTING_SHA256={}", hex(&computing.finalize()));
}

/// Compiles the C++ shim, and links it and libtorch to everything that has `src/engine` as a module: the executable
/// mnist-report-libtorch, the tests and the probes. The program itself is not linked to libtorch.
#[cfg(feature = "tch")]
fn libtorch(root: &Path) {
    let include = root.join("libtorch/cpu/include");
    assert!(include.is_dir(), "libtorch is missing: run `make libtorch` first, or build with --no-default-features");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .file("src/engine/shim.cpp")
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .warnings(false)
        .cargo_metadata(false)
        .compile("mnist_report_shim");
    let shim = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR") + "/libmnist_report_shim.a";
    for target in ["bin=mnist-report-libtorch", "tests", "examples"] {
        let link = |argument: &str| println!("cargo:rustc-link-arg-{target}={argument}");
        for argument in [&shim, "-ltorch_cpu", "-lc10", "-lstdc++"] {
            link(argument);
        }
        // Relative paths, so that the repository can be moved: one for target/release, one for target/release/deps.
        // LD_LIBRARY_PATH takes precedence over them.
        for up in ["../../", "../../../"] {
            link(&format!("-Wl,-rpath,$ORIGIN/{up}libtorch/torch/lib"));
        }
    }
    println!("cargo:rerun-if-changed=libtorch/cpu");
}

/// Adds every file of a folder and its subfolders, as paths relative to the repository's root.
fn collect(folder: &Path, name: &Path, files: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries {
        let entry = entry.expect("a readable folder");
        let inner = name.join(entry.file_name());
        if entry.path().is_dir() {
            collect(&entry.path(), &inner, files);
        } else {
            files.push(inner);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
