//! Rules for the source: which modules a module may use, where libtorch and `unsafe` may be, and how long a file may
//! be. The documents for developers may name only what exists.
//!
//! Longer than 400 lines because all rules for the sources stand in one place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::*;

/// The modules of src/ in groups, lowest first. A module may use modules of lower groups, and modules of its own group
/// that do not use it.
const ORDER: [&[&str]; 18] = [
    &["text", "one_of", "digest", "exit_code", "rung", "rng", "tensors", "temporary", "paths", "changes", "failure"],
    &["dataset"],
    &["model"],
    &["study"],
    &["arithmetic"],
    &["compute"],
    &["results"],
    &["training"],
    &["claims"],
    &["report"],
    &["bundle"],
    &["witness"],
    &["build"],
    &["verify"],
    &["course"],
    &["diff"],
    &["demo"],
    &["cli"],
];

/// A longer file must give a reason in its first comment.
const MAX_LINES: usize = 400;

/// The files of src/ by path below it, with their text.
fn sources() -> BTreeMap<String, String> {
    let files = read_folder(&root().join("src")).into_iter().filter(|(path, _)| path.ends_with(".rs"));
    files.map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap())).collect()
}

/// The module of src/ that a file belongs to: its folder, or its own name at the top.
fn module(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// A file's text without comments. Strings are kept: none of them contains `//`, `crate::` or `tch::`.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The text after each occurrence of `start`, unless it is part of a longer path.
fn after<'a>(code: &'a str, start: &str) -> Vec<&'a str> {
    let whole = |at: usize| at == 0 || !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    code.match_indices(start).filter(|(at, _)| whole(*at)).map(|(at, _)| &code[at + start.len()..]).collect()
}

/// The first name of a path, or of each path of a `{...}` list.
fn first_names(path: &str) -> Vec<&str> {
    let word = |text: &'_ str| text.trim_start().find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(0);
    let Some(list) = path.strip_prefix('{') else { return vec![&path[..word(path)]] };
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let item = list[start..at].trim_start();
                names.push(&item[..item.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(item.len())]);
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

/// The modules of src/ that a file uses: by `crate::`, or by as many `super::` as lead out of its own module.
fn uses(path: &str, text: &str) -> BTreeSet<String> {
    let code = code(text);
    // src/a/b.rs has the path a::b and src/a/mod.rs the path a: a path of two parts needs two `super::` to reach the
    // crate's root. A module inside the file is one deeper, but none of them reaches the root by `super::`.
    let depth = path.matches('/').count() + usize::from(!path.ends_with("mod.rs"));
    let up = "super::".repeat(depth);
    let paths =
        after(&code, "crate::").into_iter().chain(after(&code, &up).into_iter().filter(|p| !p.starts_with("super::")));
    paths.flat_map(first_names).map(str::to_owned).collect()
}

fn level(module: &str) -> Option<usize> {
    ORDER.iter().position(|group| group.contains(&module))
}

#[test]
fn no_module_uses_one_above_it() {
    let mut used: BTreeMap<(String, String), String> = BTreeMap::new();
    // `engine` is not a module of the library: it uses the library's public names.
    let is_in_library = |path: &str| !["lib.rs", "main.rs"].contains(&path) && module(path) != "engine";
    for (path, text) in sources().iter().filter(|(path, _)| is_in_library(path)) {
        let from = module(path);
        assert!(level(from).is_some(), "src/{path}: `{from}` has no place in ORDER (tests/suite/structure.rs)");
        for to in uses(path, text).into_iter().filter(|to| to != from && level(to).is_some()) {
            used.entry((from.to_owned(), to)).or_insert_with(|| path.clone());
        }
    }
    let against = |from: &str, to: &str| {
        let same_group_circle = level(from) == level(to) && used.contains_key(&(to.to_owned(), from.to_owned()));
        level(from) < level(to) || same_group_circle
    };
    let wrong: Vec<String> = used
        .iter()
        .filter(|((from, to), _)| against(from, to))
        .map(|((from, to), path)| format!("src/{path}: `{from}` uses `{to}`, which is above it"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Pairs of files that use each other on purpose: `conv2d` chooses one of three ways to compute a convolution, which share its
/// sizes; an error quotes settings of a layer.
const CIRCLES: [(&str, &str); 7] = [
    ("arithmetic/cuda/layers/conv2d.rs", "arithmetic/cuda/layers/direct.rs"),
    ("arithmetic/cuda/layers/conv2d.rs", "arithmetic/cuda/layers/im2col.rs"),
    ("arithmetic/cuda/layers/conv2d.rs", "arithmetic/cuda/layers/winograd.rs"),
    ("arithmetic/kernels/layers/conv2d.rs", "arithmetic/kernels/layers/direct.rs"),
    ("arithmetic/kernels/layers/conv2d.rs", "arithmetic/kernels/layers/im2col.rs"),
    ("arithmetic/kernels/layers/conv2d.rs", "arithmetic/kernels/layers/winograd.rs"),
    ("model/error.rs", "model/layer.rs"),
];

/// The files in the same folder that a file uses, by `super::`.
fn siblings<'a>(path: &str, text: &str, sources: &'a BTreeMap<String, String>) -> Vec<&'a String> {
    let Some((folder, file)) = path.rsplit_once('/').filter(|(_, file)| *file != "mod.rs") else { return Vec::new() };
    let code = code(text);
    let names = after(&code, "super::").into_iter().flat_map(first_names);
    let paths = names.map(|name| format!("{folder}/{name}.rs")).filter(|to| *to != format!("{folder}/{file}"));
    paths.filter_map(|to| sources.get_key_value(&to).map(|(path, _)| path)).collect()
}

/// What two files need of each other belongs into a third one.
#[test]
fn no_two_files_of_a_module_use_each_other() {
    let sources = sources();
    let used: BTreeMap<&str, Vec<&String>> =
        sources.iter().map(|(path, text)| (path.as_str(), siblings(path, text, &sources))).collect();
    let mut found = Vec::new();
    for (from, all) in &used {
        let back = all.iter().filter(|to| used[to.as_str()].iter().any(|other| other == from));
        found.extend(back.filter(|to| *from < to.as_str()).map(|to| (*from, to.as_str())));
    }
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, CIRCLES);
}

#[test]
fn the_order_is_read_from_every_form_of_a_path() {
    let text =
        "use crate::{a::B, c, d::{E, F}};\nfn f() { crate::g::h(); my_crate::i(); } // crate::j\nuse super::super::k;";
    assert_eq!(uses("x/y.rs", text).iter().collect::<Vec<_>>(), ["a", "c", "d", "g", "k"]);
    assert_eq!(uses("x/mod.rs", "use super::l; use super::super::m;").iter().collect::<Vec<_>>(), ["l"]);
}

#[test]
fn only_the_engine_uses_libtorch_and_only_kernels_use_unsafe_besides() {
    for (path, text) in sources().iter().filter(|(path, _)| module(path) != "engine") {
        let code = code(text);
        // The CPU's matrix products and vectors; a GPU's driver and compiler, and the emulated GPU.
        let is_kernel = ["kernels/gemm.rs", "kernels/simd.rs", "cuda/driver.rs", "cuda/nvrtc.rs", "cuda/testing.rs"]
            .iter()
            .any(|file| path.strip_prefix("arithmetic/") == Some(file));
        let words: &[&str] = if is_kernel { &["tch::", "use tch"] } else { &["tch::", "use tch", "unsafe "] };
        for word in words {
            assert!(after(&code, word).is_empty(), "src/{path} has `{word}`, which belongs in src/engine");
        }
    }
}

#[test]
fn a_long_file_gives_a_reason() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests"] {
        for (path, bytes) in read_folder(&root().join(folder)) {
            if ![".rs", ".cu", ".cuh"].iter().any(|ending| path.ends_with(ending)) {
                continue;
            }
            let text = String::from_utf8(bytes).unwrap();
            let lines = text.lines().count();
            let head: Vec<&str> = text.lines().take_while(|line| line.starts_with("//")).collect();
            let head = head.iter().map(|line| line.trim_start_matches(['/', '!', ' '])).collect::<Vec<_>>().join(" ");
            if lines > MAX_LINES && !head.contains("onger than 400 lines because") {
                wrong.push(format!(
                    "{folder}/{path}: {lines} lines; split it, or say at its head: longer than 400 lines because ..."
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A golden file that no test names is left over from a test that was renamed.
#[test]
fn every_golden_file_belongs_to_a_test() {
    let suite = read_folder(&root().join("tests/suite"));
    let tests: String = suite.into_values().map(|bytes| String::from_utf8(bytes).unwrap()).collect();
    let golden = read_folder(&root().join("tests/golden"));
    let figures = String::from_utf8(golden["figures/names.txt"].clone()).unwrap();
    for path in golden.keys().filter(|path| !path.starts_with("help/")) {
        let is_figure = |name| *path == format!("figures/{name}") || *path == format!("figures/narrow/{name}");
        // A test of the golden files compares the names of PyTorch's programs.
        if figures.lines().any(is_figure) || path.starts_with("pytorch/") {
            continue;
        }
        let stem = path.trim_start_matches("messages/").split('.').next().unwrap();
        assert!(tests.contains(&format!("\"{stem}")), "no test compares its output with tests/golden/{path}");
    }
}

/// The map in ARCHITECTURE.md is complete.
#[test]
fn the_architecture_names_every_folder_and_top_level_file() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let mut parts = BTreeSet::new();
    for path in sources().keys() {
        match path.rsplit_once('/') {
            Some((folder, _)) => parts.insert(format!("src/{folder}/")),
            None => parts.insert(format!("src/{path}")),
        };
    }
    let missing: Vec<&String> = parts.iter().filter(|part| !map.contains(part.as_str())).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md does not name {missing:?}");
}

/// One page: whoever reads it reads all of it.
#[test]
fn the_architecture_fits_on_a_page() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (lines, longest) = (text.lines().count(), text.lines().map(|line| line.chars().count()).max().unwrap());
    assert!(lines < 100 && longest < 160, "{lines} lines, the longest of {longest} characters");
}

/// The documents for developers, with the folders (from the root) that the paths in them may start from.
const DEVELOPER_DOCUMENTS: [(&str, &[&str]); 3] =
    [("ARCHITECTURE.md", &["", "src"]), ("CONTRIBUTING.md", &[""]), ("tests/README.md", &["", "tests", "tests/suite"])];

/// The texts in backticks, except those in code blocks.
fn in_backticks(markdown: &str) -> Vec<&str> {
    let blocks = markdown.split("```").step_by(2);
    blocks.flat_map(|text| text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))).collect()
}

/// Whether a text in backticks is a path in the repository: one word with a folder, or the name of a source file. Words
/// with a capital `NAME` are placeholders, and `weights/` and the like are folders of a bundle.
fn is_path(text: &str) -> bool {
    let is_word = text.chars().all(|c| c.is_ascii_alphanumeric() || "./-_*".contains(c));
    let is_in_bundle = ["weights/", "evidence/", "predictions/", "figures/"].contains(&text);
    let has_folder = text.contains('/') && !text.starts_with('/');
    is_word && !is_in_bundle && !text.contains("NAME") && (has_folder || text.ends_with(".rs"))
}

/// Whether a file or folder exists; each `*` in the last part stands for any characters.
fn exists(path: &Path) -> bool {
    let pattern = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let Some((start, end)) = pattern.split_once('*') else { return path.exists() };
    let Ok(entries) = fs::read_dir(path.parent().unwrap()) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with(start) && name.ends_with(end)
    })
}

/// The paths of a document that do not exist.
fn wrong_paths<'a>(markdown: &'a str, bases: &[&str]) -> Vec<&'a str> {
    let is_wrong = |text: &&str| is_path(text) && !bases.iter().any(|base| exists(&root().join(base).join(text)));
    in_backticks(markdown).into_iter().filter(is_wrong).collect()
}

/// Whether a text can be the path of an item in Rust.
fn is_identifier(text: &str) -> bool {
    let is_name = |name: &str| {
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    !text.is_empty() && text.split("::").all(is_name)
}

/// The identifiers of a document, such as `Job::prepare` or `SCHEMA`, that no source file has.
fn wrong_identifiers<'a>(markdown: &'a str, code: &BTreeSet<&str>) -> Vec<&'a str> {
    let exists = |text: &&str| text.split("::").all(|name| code.contains(name));
    in_backticks(markdown).into_iter().filter(|text| is_identifier(text) && !exists(text)).collect()
}

/// Places of the form "`name` in `file.rs`" or "`name` (`file.rs`)" where the file does not have the name.
fn wrong_places(markdown: &str, has: impl Fn(&str, &str) -> Option<bool>) -> Vec<String> {
    let lines = markdown.split("```").step_by(2).flat_map(str::lines);
    let wrong_in_line = |line: &str| -> Vec<String> {
        let parts: Vec<&str> = line.split('`').collect();
        // Every second part is in backticks.
        let places = parts.windows(3).skip(1).step_by(2);
        let places = places.filter(|p| is_identifier(p[0]) && [" in ", " of ", " ("].contains(&p[1]));
        places
            .filter(|p| p[2].ends_with(".rs") && has(p[2], p[0].rsplit("::").next().unwrap()) == Some(false))
            .map(<[&str]>::concat)
            .collect()
    };
    lines.flat_map(wrong_in_line).collect()
}

#[test]
fn documents_for_developers_name_the_right_files() {
    for (document, bases) in DEVELOPER_DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let has = |file: &str, name: &str| {
            let found = bases.iter().map(|base| root().join(base).join(file)).find(|path| path.is_file())?;
            let code = fs::read_to_string(found).unwrap();
            Some(code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name))
        };
        assert_eq!(wrong_places(&text, has), <[&str; 0]>::default(), "places in {document}");
    }
    let text = "`one` in `a.rs`, `two` in `a.rs`, `two` (`b.rs`), `A::one` of `b.rs`";
    let has = |file: &str, name: &str| Some((file == "a.rs") == (name == "one"));
    assert_eq!(wrong_places(text, has), ["two in a.rs", "A::one of b.rs"]);
}

#[test]
fn documents_for_developers_name_only_paths_and_identifiers_that_exist() {
    let mut texts: Vec<String> = Vec::new();
    for folder in ["src", "tests/suite"] {
        let files = read_folder(&root().join(folder)).into_iter().filter(|(path, _)| path.ends_with(".rs"));
        texts.extend(files.map(|(_, bytes)| String::from_utf8(bytes).unwrap()));
    }
    for file in ["Cargo.toml", "Makefile", "templates/en.yaml"] {
        texts.push(fs::read_to_string(root().join(file)).unwrap());
    }
    let code: BTreeSet<&str> = texts.iter().flat_map(|t| t.split(|c: char| !c.is_alphanumeric() && c != '_')).collect();
    for (document, bases) in DEVELOPER_DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).unwrap();
        assert_eq!(wrong_paths(&text, bases), <[&str; 0]>::default(), "paths in {document}");
        assert_eq!(wrong_identifiers(&text, &code), <[&str; 0]>::default(), "identifiers in {document}");
    }
}

#[test]
fn a_path_or_identifier_that_does_not_exist_is_found() {
    let text = "`src/main.rs`, `main.rs`, `src/nothing.rs`, `nothing.rs`, `study/plan.rs`, `templates/page.*.j2`, \
                `templates/page.*.txt`, `src/demo/`, `weights/`, `run.NAME`, `cargo build src/x.rs`, `Job::prepare`, \
                `Job::prepair`, `prepair`\n```text\nsrc/x.rs\n```\n";
    assert_eq!(wrong_paths(text, &["", "src"]), ["src/nothing.rs", "nothing.rs", "templates/page.*.txt"]);
    assert_eq!(wrong_identifiers(text, &["Job", "prepare"].into()), ["Job::prepair", "prepair"]);
}

/// What only Linux has, and the files that may use it, because they also work without it.
const ONLY_LINUX: [(&str, &[&str]); 10] = [
    (
        "/proc/",
        &[
            "compute/device.rs",
            "arithmetic/cuda/open.rs",
            "build/memory.rs",
            "build/run_log.rs",
            "build/busy.rs",
            "bundle/partial.rs",
            "temporary.rs",
        ],
    ),
    ("/sys/", &["build/memory.rs"]),
    ("/dev/shm", &[]),
    ("std::os::linux", &[]),
    ("mallopt", &[]),
    ("set_parent_process_death_signal", &[]),
    ("inotify", &[]),
    ("memfd", &[]),
    ("statx", &["bundle/folders.rs"]),
    // Apple's systems have it, too.
    ("renameat_with", &["bundle/write.rs"]),
];

/// Without libtorch, the program must compile and run on every Unix. A line after `cfg(target_os = "linux")` is only
/// for Linux.
#[test]
fn only_code_for_libtorch_needs_linux() {
    let mut wrong = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| module(path) != "engine" && !path.ends_with("tests.rs")) {
        let code = code(text.split("#[cfg(test)]\nmod tests {").next().unwrap());
        let lines: Vec<&str> = code.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let is_gated = at > 0 && lines[at - 1].contains("cfg(target_os = \"linux\")");
            let used = ONLY_LINUX.iter().find(|(what, _)| line.contains(what));
            if let Some((what, allowed)) = used.filter(|(_, allowed)| !is_gated && !allowed.contains(&path.as_str())) {
                let allowed = allowed.join(", ");
                wrong.push(format!("src/{path}:{}: {what}, which only Linux has (allowed in: {allowed})", at + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (what, allowed) in ONLY_LINUX {
        for path in allowed {
            assert!(sources()[*path].contains(what), "src/{path} no longer uses {what}");
        }
    }
}

/// The number in `const NAME: u32 = NUMBER;` of a source file.
fn version(file: &str, name: &str) -> String {
    let text = sources()[file].clone();
    let start = format!("const {name}: u32 = ");
    let at = text.find(&start).unwrap_or_else(|| panic!("src/{file} has no `{start}`")) + start.len();
    text[at..].split(';').next().unwrap().to_owned()
}

/// The changelog must mention each change of a version, because reports depend on it.
#[test]
fn the_changelog_names_every_version() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let newest = changelog.split("\n## ").nth(1).expect("a section");
    for (what, number) in [
        ("program", env!("CARGO_PKG_VERSION").to_owned()),
        ("arithmetic", version("arithmetic/mod.rs", "VERSION")),
        ("results schema", version("results/mod.rs", "SCHEMA")),
        ("manifest schema", version("bundle/manifest.rs", "MANIFEST_SCHEMA")),
    ] {
        let line = format!("{what} {number}");
        assert!(newest.contains(&line), "the newest section of CHANGELOG.md does not say `{line}`");
    }
}
