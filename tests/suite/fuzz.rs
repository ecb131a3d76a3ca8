//! Random changes of every untrusted input of `verify`: it must not panic or take long, and no changed zip may pass as
//! another one. `make fuzz` tries a hundred times as many as the suite.

use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use mnist_report::claims;
use mnist_report::compute::DeviceChoice;
use mnist_report::dataset::read_labels;
use mnist_report::digest::sha256_hex;
use mnist_report::exit_code::ExitCode;
use mnist_report::results::Results;
use mnist_report::rng::Stream;
use mnist_report::study::{Plan, Source};
use mnist_report::tensors::from_safetensors;
use mnist_report::verify::{Rung, verify};
use serde_json::{Value, json};

use crate::support::*;

/// Cases of each kind in the suite; the variable `FUZZ_CASES` sets another number.
const CASES: usize = 300;

/// No case may take longer, even on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);

/// Words that are often parsed wrongly.
const WORDS: [&str; 28] = [
    "0",
    "-1",
    "1e308",
    "1e999",
    "18446744073709551615",
    "18446744073709551616",
    "9007199254740993",
    "-9223372036854775808",
    "0.5",
    "NaN",
    "inf",
    "null",
    "true",
    "''",
    "[]",
    "{}",
    "~",
    "*a",
    "&a",
    "!!x",
    "\"",
    "|",
    ">",
    "? ",
    "- ",
    "../x",
    "\u{202e}",
    "\0",
];

/// Draws random changes.
struct Draw(Stream);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0.below(u32::try_from(n.max(1)).unwrap()) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// One to eight changes of bytes: flipped, replaced, removed, inserted, repeated, cut, or a number that is too
    /// large.
    fn bytes(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = bytes.to_vec();
        for _ in 0..*self.pick(&[1, 1, 1, 2, 3, 8]) {
            if changed.is_empty() {
                changed.push(b'x');
            }
            let at = self.below(changed.len());
            let len = changed.len();
            let end = move |count: usize| len.min(at + count);
            match self.below(7) {
                0 | 1 => changed[at] ^= 1u8 << self.below(8),
                2 => changed[at] = *self.pick(&[0, 255, 0x7f, 0x80, b'"', b'{', b'\n', b' ']),
                3 => drop(changed.drain(at..end(*self.pick(&[1, 2, 4, 50, 1000])))),
                4 => {
                    let piece = changed[at..end(*self.pick(&[1, 8, 100]))].to_vec();
                    let to = self.below(changed.len());
                    changed.splice(to..to, piece);
                }
                5 => changed.truncate(at),
                _ => {
                    let number =
                        *self.pick(&[0, 1, u64::MAX, 1 << 63, u64::from(u32::MAX), 1 << 32, bytes.len() as u64]);
                    let size = *self.pick(&[2, 4, 8]);
                    changed.splice(at..end(size), number.to_le_bytes()[..size].iter().copied());
                }
            }
        }
        changed
    }

    /// A change of words and lines of a text.
    fn text(&mut self, text: &str) -> Vec<u8> {
        let mut text = text.to_owned();
        for _ in 0..*self.pick(&[1, 1, 2, 3]) {
            let words: Vec<(usize, usize)> = words(&text);
            if words.is_empty() {
                break;
            }
            let (from, to) = *self.pick(&words);
            let (other_from, other_to) = *self.pick(&words);
            let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
            match self.below(6) {
                0 | 1 => text.replace_range(from..to, WORDS[self.below(WORDS.len())]),
                2 => text = text[..from].to_owned() + &text[other_from..other_to] + &text[to..],
                3 => {
                    let line = *self.pick(&lines);
                    lines.insert(self.below(lines.len()), line);
                    text = lines.concat();
                }
                4 => {
                    lines.remove(self.below(lines.len()));
                    text = lines.concat();
                }
                _ => return self.bytes(text.as_bytes()),
            }
        }
        text.into_bytes()
    }

    /// A change of one value of a JSON document.
    fn json(&mut self, value: &Value) -> Vec<u8> {
        let mut changed = value.clone();
        for _ in 0..*self.pick(&[1, 1, 2, 4]) {
            self.value(&mut changed);
        }
        serde_json::to_string_pretty(&changed).unwrap().into_bytes()
    }

    fn value(&mut self, value: &mut Value) {
        let descend = self.below(4) > 0;
        match value {
            Value::Object(map) if descend && !map.is_empty() => {
                let key = map.keys().nth(self.below(map.len())).unwrap().clone();
                match self.below(8) {
                    0 => drop(map.remove(&key)),
                    1 => {
                        let moved = map[&key].clone();
                        map.insert((*self.pick(&WORDS)).to_owned(), moved);
                    }
                    _ => self.value(&mut map[&key]),
                }
            }
            Value::Array(items) if descend && !items.is_empty() => {
                let at = self.below(items.len());
                match self.below(8) {
                    0 => drop(items.remove(at)),
                    1 => items.insert(at, items[at].clone()),
                    2 => items.extend(vec![items[at].clone(); 200]),
                    _ => self.value(&mut items[at]),
                }
            }
            other => {
                let new = [
                    json!(0),
                    json!(-1),
                    json!(u64::MAX),
                    json!(i64::MIN),
                    json!(1e308),
                    json!(0.5),
                    json!(-0.0),
                    json!(null),
                    json!(true),
                    json!([]),
                    json!({}),
                    json!("x"),
                    json!(*self.pick(&WORDS)),
                    json!("y".repeat(5000)),
                    json!([[1], {"a": null}]),
                ];
                *other = self.pick(&new).clone();
            }
        }
    }
}

/// The positions of the words in a text.
fn words(text: &str) -> Vec<(usize, usize)> {
    let is_of_word = |c: char| c.is_alphanumeric() || "_.-".contains(c);
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (start, is_of_word(c)) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                found.push((from, at));
                start = None;
            }
            _ => {}
        }
    }
    found
}

/// Tries changed inputs of one kind. Each must be read or refused quickly and without a panic.
fn campaign(kind: &str, mut make: impl FnMut(&mut Draw) -> Vec<u8>, mut read: impl FnMut(&[u8]) -> Result<(), String>) {
    let cases = std::env::var("FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES);
    let mut draw =
        Draw(Stream::keyed(format!("fuzz {kind} {}", std::env::var("FUZZ_SEED").unwrap_or_default()).as_bytes()));
    let (mut faults, mut slowest, mut accepted) = (String::new(), Duration::ZERO, 0);
    for case in 0..cases {
        let input = make(&mut draw);
        let started = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| read(&input)));
        let took = started.elapsed();
        slowest = slowest.max(took);
        accepted += usize::from(matches!(result, Ok(Ok(()))));
        let fault = match result {
            Err(_) => "a panic".to_owned(),
            Ok(Err(why)) if why.starts_with("FAULT") => why,
            _ if took > LONGEST => format!("took {took:?}"),
            _ => continue,
        };
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{kind}-{case}"));
        fs::write(&path, &input).unwrap();
        writeln!(faults, "case {case}: {fault}: {}", path.display()).unwrap();
    }
    println!("{kind}: {cases} cases, {accepted} accepted, slowest {slowest:?}");
    assert_eq!(faults, "", "{kind}");
}

/// A bundle of one small run, built once.
fn mini() -> &'static Files {
    static FILES: std::sync::OnceLock<Files> = std::sync::OnceLock::new();
    FILES.get_or_init(|| built(MINI).identity())
}

fn text_of(name: &str) -> String {
    String::from_utf8(mini()[name].clone()).unwrap()
}

/// The code of `verify --upto files`.
fn files_rung(path: &Path) -> ExitCode {
    verify(path, Some(Rung::Files), DeviceChoice::Cpu).map_or(ExitCode::Failure, |v| v.exit_code())
}

#[test]
fn changed_zips() {
    let bundle = built(MINI);
    bundle.run("publish", &[]).exits(0);
    let whole = fs::read(bundle.zip()).unwrap();
    let path = bundle.path.with_file_name("changed.zip");
    // Most changes of content are found by a checksum: half of the changes are in the headers.
    let headers = whole.windows(4).rposition(|w| w == b"PK\x01\x02").map_or(0, |at| at.saturating_sub(800));
    let make = |draw: &mut Draw| {
        if draw.below(2) == 0 {
            draw.bytes(&whole)
        } else {
            [&whole[..headers], &draw.bytes(&whole[headers..])].concat()
        }
    };
    campaign("zip", make, |zip| {
        fs::write(&path, zip).unwrap();
        // Python shows what another program unpacks. It is started only for zips that pass.
        if files_rung(&path) == ExitCode::Success && zip != whole && !unpacks_the_same(&path) {
            return Err("FAULT: another bundle passes".to_owned());
        }
        Ok(())
    });
}

/// Whether Python unpacks the files of `mini` and index.html.
fn unpacks_the_same(zip: &Path) -> bool {
    let script = "import hashlib, sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); \
                  print(''.join(sorted(hashlib.sha256(z.read(n)).hexdigest() + n + '\\n' for n in z.namelist())))";
    let out = std::process::Command::new("python3").args(["-c", script]).arg(zip).output().unwrap();
    let mut expected: Vec<String> = mini().iter().map(|(name, bytes)| sha256_hex(bytes) + name + "\n").collect();
    expected.push(sha256_hex(&mini()["report.html"]) + "index.html\n");
    expected.sort();
    String::from_utf8_lossy(&out.stdout).trim_end() == expected.concat().trim_end()
}

#[test]
fn changed_results() {
    let text = text_of("results.json");
    let value: Value = serde_json::from_str(&text).unwrap();
    let source = Source::from_text(Path::new("s.yaml"), MINI).unwrap();
    let make = |draw: &mut Draw| match draw.below(5) {
        0 => draw.bytes(text.as_bytes()),
        _ => draw.json(&value),
    };
    campaign("results", make, |bytes| {
        let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
        let results = Results::from_json(text).map_err(|e| e.to_string())?;
        // Accepted results can be printed, hashed and compared with claims.
        drop((results.to_json(), results.measured_digest(), results.diverged_in_words()));
        drop((claims::judge(&source.study, &results), claims::conclude(&source.study, &results)));
        Ok(())
    });
}

/// The manifest, the crate and the sums are read by `files`, which needs sums that fit.
#[test]
fn changed_manifests_crates_and_sums() {
    let home = tempfile::tempdir().unwrap();
    for (path, bytes) in mini() {
        fs::create_dir_all(home.path().join(path).parent().unwrap()).unwrap();
        fs::write(home.path().join(path), bytes).unwrap();
    }
    let sums = text_of("SHA256SUMS");
    for name in ["manifest.json", "ro-crate-metadata.json", "SHA256SUMS"] {
        let text = text_of(name);
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        let make = |draw: &mut Draw| match draw.below(4) {
            0 => draw.bytes(text.as_bytes()),
            1 => draw.text(&text),
            _ if name == "SHA256SUMS" => draw.text(&text),
            _ => draw.json(&value),
        };
        campaign(name, make, |bytes| {
            fs::write(home.path().join(name), bytes).unwrap();
            let code = files_rung(home.path());
            let is_changed = bytes != text.as_bytes();
            if code == ExitCode::Success && is_changed {
                return Err(format!("FAULT: a changed {name} passes"));
            }
            // With its own sum, only its content is wrong.
            fs::write(home.path().join("SHA256SUMS"), sums.replace(&sha256_hex(text.as_bytes()), &sha256_hex(bytes)))
                .unwrap();
            files_rung(home.path());
            fs::write(home.path().join("SHA256SUMS"), &sums).unwrap();
            Ok(())
        });
        fs::write(home.path().join(name), text).unwrap();
    }
}

#[test]
fn changed_weights_and_predictions() {
    let of = |end: &str| mini().iter().find(|(name, _)| name.ends_with(end)).unwrap().1.clone();
    let weights = mini().iter().find(|(name, _)| name.starts_with("weights/")).unwrap().1.clone();
    let header = 8 + u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
    // Most changes are in the header.
    let make = |draw: &mut Draw| match draw.below(4) {
        0 => draw.bytes(&weights),
        _ => [draw.bytes(&weights[..header]), weights[header..].to_vec()].concat(),
    };
    campaign("safetensors", make, |bytes| from_safetensors(bytes).map(drop).map_err(|e| e.to_string()));
    let labels = of("idx1-ubyte");
    let make = |draw: &mut Draw| match draw.below(2) {
        0 => draw.bytes(&labels),
        _ => [draw.bytes(&labels[..8]), labels[8..].to_vec()].concat(),
    };
    campaign("idx", make, |bytes| read_labels(bytes).map(drop).map_err(|e| e.to_string()));
}

#[test]
fn changed_studies() {
    let studies =
        [MINI.to_owned(), tiny_text(), fs::read_to_string(root().join("src/arithmetic/portable.yaml")).unwrap()];
    let make = |draw: &mut Draw| {
        let study = draw.pick(&studies);
        draw.text(study)
    };
    campaign("study", make, |bytes| {
        let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
        let source = Source::from_text(Path::new("s.yaml"), text).map_err(|e| e.to_string())?;
        let plan = Plan::resolve(&source).map_err(|e| e.to_string())?;
        claims::check_expressions(&source, &plan).map_err(|e| e.to_string())
    });
}
