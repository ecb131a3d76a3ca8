//! `data` recognises MNIST's four files in every layout in which they are distributed.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use tempfile::TempDir;

use crate::support::*;

const FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

fn gzipped(name: &str) -> PathBuf {
    root().join(format!("data/mnist/{name}.gz"))
}

fn raw(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(fs::File::open(gzipped(name)).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

fn data(dir: &Path) -> Done {
    run(program(["data", "--dir"]).arg(dir))
}

/// A folder with links to the repository's files below `place`.
fn linked(place: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(place);
    fs::create_dir_all(&folder).unwrap();
    for name in FILES {
        std::os::unix::fs::symlink(gzipped(name), folder.join(format!("{name}.gz"))).unwrap();
    }
    home
}

#[test]
fn the_repository_has_mnist() {
    let home = tempfile::tempdir().unwrap();
    let done = run(program(["data"]).current_dir(home.path())).exits(0);
    assert_eq!(done.out.lines().count(), 4);
    assert!(FILES.iter().all(|name| done.out.contains(name)), "{}", done.out);
    data(&root().join("data/mnist")).exits(0);
}

#[test]
fn torchvisions_layout_gzipped() {
    for place in ["MNIST/raw", "raw", "."] {
        data(linked(place).path()).exits(0);
    }
}

#[test]
fn changed_raw_files_are_named() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("MNIST/raw");
    fs::create_dir_all(&folder).unwrap();
    for name in FILES {
        fs::write(folder.join(name), raw(name)).unwrap();
    }
    data(home.path()).exits(0);

    let labels = folder.join(FILES[1]);
    let whole = fs::read(&labels).unwrap();
    let mut changed = whole.clone();
    changed[30_000] = (changed[30_000] + 1) % 10;
    let long = [&whole[..], &[0]].concat();
    for (what, bytes) in [("changed", &changed[..]), ("short", &whole[..100]), ("long", &long), ("empty", &[])] {
        fs::write(&labels, bytes).unwrap();
        let done = data(home.path()).exits(1);
        let told: Vec<&str> = done.out.lines().filter(|line| line.contains("NOT MNIST")).collect();
        assert!(told.len() == 1 && told[0].contains(FILES[1]), "{what}: {}", done.out);
    }
    // `build` refuses them, too.
    let study = home.path().join("mini.yaml");
    fs::write(&study, format!("data: .\n{MINI}")).unwrap();
    run(&mut build(&study, &home.path().join("out"))).refused(&[FILES[1]]);
    assert!(!home.path().join("out").exists());
    fs::remove_file(&labels).unwrap();
    let done = data(home.path()).exits(2);
    assert!(done.out.lines().any(|line| line.contains(FILES[1]) && line.contains("missing")), "{}", done.out);
    fs::write(&labels, whole).unwrap();
    data(home.path()).exits(0);
}

#[test]
fn a_truncated_or_damaged_gzip_is_not_mnist() {
    let home = linked("raw");
    let file = home.path().join("raw").join(format!("{}.gz", FILES[3]));
    let whole = fs::read(gzipped(FILES[3])).unwrap();
    fs::remove_file(&file).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0xff;
    for bytes in [&whole[..whole.len() / 2], &whole[..whole.len() - 4], &whole[..5], &[], &damaged, b"plain text"] {
        fs::write(&file, bytes).unwrap();
        let done = data(home.path()).exits(1);
        assert!(done.out.contains(FILES[3]) && done.out.matches("NOT MNIST").count() == 1, "{}", done.out);
    }
    fs::write(&file, whole).unwrap();
    data(home.path()).exits(0);
}

#[test]
fn missing_files_are_not_reported_as_wrong() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(data(home.path()).exits(2).out.matches("missing").count(), 4);
    data(&home.path().join("none")).exits(2);
    // Folders with the files' names do not count.
    for name in FILES {
        fs::create_dir(home.path().join(name)).unwrap();
    }
    data(home.path()).exits(2);
    // A study's `data:` takes precedence over the default folder.
    let study = home.path().join("mini.yaml");
    fs::write(&study, format!("data: nowhere\n{MINI}")).unwrap();
    run(&mut build(&study, &home.path().join("out"))).refused(&["nowhere", "MNIST"]);
}
