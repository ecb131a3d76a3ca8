//! Compiles the C++ shim, tells the program where libtorch lies at run time, and hashes the program's source.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

fn main() {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let include = root.join("libtorch/cpu/include");
    assert!(include.is_dir(), "libtorch is missing: run `make libtorch` first");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .file("src/engine/shim.cpp")
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .warnings(false)
        .compile("mnist_report_shim");
    println!("cargo:rustc-link-lib=torch_cpu");
    println!("cargo:rustc-link-lib=c10");
    // The program finds libtorch from target/release and from target/release/deps, wherever the repository
    // lies; LD_LIBRARY_PATH goes before it.
    for up in ["../../", "../../../"] {
        println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/{up}libtorch/torch/lib");
    }
    println!("cargo:rerun-if-changed=libtorch/cpu");

    let mut files = vec!["Cargo.toml".into(), "Cargo.lock".into(), "build.rs".into()];
    for folder in ["src", "templates"] {
        println!("cargo:rerun-if-changed={folder}");
        collect(&root.join(folder), Path::new(folder), &mut files);
    }
    files.sort();
    let mut all = Sha256::new();
    for file in &files {
        let bytes = std::fs::read(root.join(file)).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        all.update(format!("{} {}\n", hex(&Sha256::digest(&bytes)), file.display()));
        println!("cargo:rerun-if-changed={}", file.display());
    }
    println!("cargo:rustc-env=MNIST_REPORT_SOURCE_SHA256={}", hex(&all.finalize()));
}

/// Every file below a folder, as paths from the repository's root.
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
