//! Random damage: the check `files` finds every one of thousands of changes to a bundle's files.

use std::fmt::Write as _;
use std::fs;

use mnist_report::compute::DeviceChoice;
use mnist_report::exit_code::ExitCode;
use mnist_report::rng::Stream;
use mnist_report::verify::{Rung, Status, verify};

use crate::support::*;

const CHANGES: usize = 10_000;

/// Makes one random change and describes it. `None` if it changed nothing.
fn damage(bundle: &Bundle, files: &Files, draw: &mut Stream) -> Option<String> {
    let mut below = |n: usize| draw.below(u32::try_from(n).unwrap()) as usize;
    let names: Vec<&String> = files.keys().collect();
    let name = names[below(names.len())];
    let bytes = &files[name];
    Some(match below(5) {
        0 | 1 => {
            let (at, by) = (below(bytes.len()), 1 + below(255) as u8);
            let mut changed = bytes.clone();
            changed[at] ^= by;
            bundle.write(name, changed);
            format!("{name}: byte {at} xor {by}")
        }
        2 => {
            let len = below(bytes.len());
            bundle.write(name, &bytes[..len]);
            format!("{name}: cut to {len} bytes")
        }
        3 => {
            let mut to = format!("{name}{}", char::from(b'a' + below(26) as u8));
            // Half of these changes move a file out of its folder, or into another one.
            if below(2) == 0 {
                let split = |name: &str| name.rfind('/').map_or(0, |at| at + 1);
                let folder = names[below(names.len())];
                to = format!("{}{}", &folder[..split(folder)], &name[split(name)..]);
                if files.contains_key(&to) {
                    return None;
                }
            }
            fs::rename(bundle.path.join(name), bundle.path.join(&to)).unwrap();
            format!("{name} renamed to {to}")
        }
        _ => {
            let other = names[below(names.len())];
            if files[other] == *bytes {
                return None;
            }
            bundle.write(name, &files[other]);
            bundle.write(other, bytes);
            format!("{name} and {other} swapped")
        }
    })
}

#[test]
fn ten_thousand_random_changes_are_found() {
    // Use a smaller bundle than the shared one, because each change reads and hashes all of it.
    let bundle = built(MINI);
    let files = bundle.identity();
    let holds = || verify(&bundle.path, Some(Rung::Files), DeviceChoice::Cpu).unwrap();
    let mut draw = Stream::keyed(b"damage");
    let (mut done, mut unseen) = (0, String::new());
    assert_eq!(holds().exit_code(), ExitCode::Success, "before any change");
    while done < CHANGES {
        let Some(what) = damage(&bundle, &files, &mut draw) else { continue };
        done += 1;
        let found = holds();
        if found.exit_code() != ExitCode::Difference || found.steps[0].status != Status::Failed {
            writeln!(unseen, "{what}").unwrap();
        }
        // Restore only what changed: remove added files, write missing and changed ones.
        let now = bundle.identity();
        now.keys().filter(|name| !files.contains_key(*name)).for_each(|name| {
            fs::remove_file(bundle.path.join(name)).unwrap();
        });
        files.iter().filter(|(name, bytes)| now.get(*name) != Some(bytes)).for_each(|(name, bytes)| {
            bundle.write(name, bytes);
        });
    }
    assert_eq!(unseen, "", "changes that were not found, of {done}");
    assert_eq!(holds().exit_code(), ExitCode::Success, "after all changes are undone");
}
