//! `mnist-report data`: finds the MNIST files and checks their hashes, or prints the keys of another data set.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::options::Data;
use crate::dataset::{DataSet, FILE_NAMES, Found, find, pin};
use crate::exit_code::ExitCode;
use crate::paths;
use crate::text::numbers::plural;
use crate::text::{Lang, error_chain};

/// Refuses a folder of the data that does not exist, named by --data or by the variable.
pub(super) fn check_folder(named: Option<&Path>) -> Result<()> {
    let of_variable = std::env::var_os(paths::DATA_VARIABLE).map(PathBuf::from);
    let (folder, option) = match (named, &of_variable) {
        (Some(folder), _) => (folder, "--data"),
        (None, Some(folder)) => (folder.as_path(), paths::DATA_VARIABLE),
        (None, None) => return Ok(()),
    };
    if !folder.exists() {
        let advice = if option == "--data" { "leave --data out" } else { "unset it" };
        bail!("{} ({option}): no such folder; {advice}: the program contains MNIST", folder.display());
    }
    Ok(())
}

pub(super) fn run(options: &Data) -> Result<ExitCode> {
    let dir = options.dir.clone().unwrap_or_else(paths::mnist);
    if options.pin {
        super::print(&keys(&dir, &pin(&dir)?))?;
        return Ok(ExitCode::Success);
    }
    let (mut text, mut code) = (String::new(), ExitCode::Success);
    for state in find(&dir, &DataSet::mnist()) {
        let name = state.name;
        let (line, outcome) = match (state.path, state.content) {
            (Some(path), Ok(_)) => (format!("{name}  canonical  {}\n", path.display()), ExitCode::Success),
            (Some(_), Err(e)) => (format!("{name}  NOT MNIST  {}\n", error_chain(e)), ExitCode::Difference),
            (None, Ok(_)) => (format!("{name}  canonical  inside the program\n"), ExitCode::Success),
            (None, Err(_)) => {
                let line = format!("{name}  missing    looked in {}, its raw/ and MNIST/raw/\n", dir.display());
                (line, ExitCode::Failure)
            }
        };
        text.push_str(&line);
        code = code.max(outcome);
    }
    super::print(&text)?;
    Ok(code)
}

/// The keys with which a study takes the data set of a folder, as YAML.
fn keys(dir: &Path, found: &Found) -> String {
    let Found { set, known, counts } = found;
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let dir = quoted(&dir.display().to_string());
    let images =
        format!("{} and {}", plural(set.train_images, "training image"), plural(set.test_images, "test image"));
    if set.is_mnist() {
        return format!("# These are MNIST's files ({images}), which a study without `data` takes.\ndata: {dir}\n");
    }
    let mut text = format!("# {images} in {} classes.\n", set.classes);
    if let Some(known) = known {
        let _ = writeln!(text, "# By the hashes of its gzipped files, this is {} as published.", known.title);
    }
    let [train, test] =
        counts.each_ref().map(|counts| counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    let _ = writeln!(text, "# Images of each class: {train}; in the test set {test}.");
    let note = if dir.starts_with("\"/") { "" } else { "    # relative to the study file" };
    let _ = writeln!(text, "data:\n  dir: {dir}{note}");
    let title = if known.is_some() { "" } else { "    # write what the data set is called" };
    let _ = writeln!(text, "  title: {}{title}", quoted(&set.title));
    let _ = writeln!(text, "  train_images: {}\n  test_images: {}", set.train_images, set.test_images);
    let _ = writeln!(text, "  sha256:    # of the files as they are when unpacked");
    for ((_, hash), name) in set.hashes().zip(FILE_NAMES) {
        let key = name.rsplit_once("-idx").map_or(name, |(key, _)| key);
        let _ = writeln!(text, "    {key}: {hash}");
    }
    let list = |names: &mut dyn Iterator<Item = String>| names.map(|name| quoted(&name)).collect::<Vec<_>>().join(", ");
    if let Some(known) = known {
        text.push_str("  classes:\n");
        for lang in Lang::ALL {
            let names = &mut known.classes(lang).iter().map(|name| (*name).to_owned());
            let _ = writeln!(text, "    {}: [{}]", lang.code(), list(names));
        }
    } else {
        let names = &mut (0..set.classes).map(|class| class.to_string());
        let _ = writeln!(text, "  classes: [{}]    # write their names, in the order of the labels", list(names));
    }
    text
}
