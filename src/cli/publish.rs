//! `mnist-report publish`: packs a bundle into one zip to hand in, after the checks that need no training.

use std::path::Path;

use anyhow::{Result, anyhow};

use super::options::Publish;
use crate::bundle::{Error, Packed};
use crate::compute::DeviceChoice;
use crate::exit_code::ExitCode;
use crate::text::numbers::{self, count};
use crate::text::terminal;
use crate::verify::{Limits, Listener, Request, Rung, RungResult, Status, verify_in_child};

/// Bytes from which it is worth saying what `--lean` would save.
const WORTH_SAVING: usize = 10_000_000;

pub(super) fn run(options: &Publish) -> Result<ExitCode> {
    let packed = match Packed::new(&options.dir, options.out.as_deref(), options.lean) {
        Ok(packed) => packed,
        Err(damaged @ Error::Damaged { .. }) => return Ok(refuse(&damaged.to_string())),
        Err(e) => return Err(e.into()),
    };
    super::note_leftovers(&packed.leftovers);
    let checked = checked(&options.dir, &packed.report_id)?;
    let is_refused = |step: &&RungResult| step.status == Status::Failed && step.rung < Rung::Render;
    if let Some(step) = checked.iter().find(is_refused) {
        let (dir, rung, why) = (options.dir.display(), step.rung.name(), first(step));
        return Ok(refuse(&format!("{dir} cannot be published: `{rung}` failed: {why}; build it again")));
    }
    for step in checked.iter().filter(|step| step.status != Status::Passed) {
        let (rung, status, why) = (step.rung.name(), step.status, first(step));
        super::say(&super::one_line(&format!("note: `{rung}` {status}, as whoever verifies the zip will see: {why}")));
    }
    packed.write()?;
    match (packed.replaced_is_lean, packed.is_lean) {
        (Some(false), true) => super::say("note: replaced the zip there, which had weights/ and evidence/"),
        (Some(true), false) => super::say("note: replaced the lean zip there"),
        _ => {}
    }
    super::print(&if options.line { line(&packed) + "\n" } else { text(&packed) })?;
    Ok(ExitCode::Success)
}

fn refuse(why: &str) -> ExitCode {
    super::say(&format!("error: {}", super::one_line(why)));
    ExitCode::Difference
}

/// The rungs up to `render` of the bundle with this Report ID.
fn checked(dir: &Path, report_id: &str) -> Result<Vec<RungResult>> {
    let upto = Some(Rung::Render);
    let request = Request::up_to(upto, DeviceChoice::Cpu);
    let verification = verify_in_child(dir, &request, Limits::of(upto, None, None), Listener::NOBODY)
        .map_err(|why| anyhow!("{why}"))?;
    if verification.report_id.as_deref() != Some(report_id) {
        return Err(anyhow!("{} was changed while it was read; publish it again", dir.display()));
    }
    Ok(verification.steps.into_iter().filter(|step| step.rung <= Rung::Render).collect())
}

fn first(step: &RungResult) -> &str {
    step.details.first().map_or("", String::as_str)
}

fn text(packed: &Packed) -> String {
    let Packed { path, report_id, left_out, .. } = packed;
    let advice = advice(packed.bytes(), packed.optional_bytes);
    let lean = match &advice {
        _ if !left_out.is_empty() => format!("; left out: {}", left_out.join(", ")),
        Some(_) => String::new(),
        None => "; --lean leaves out weights/ and evidence/".to_owned(),
    };
    format!(
        "{}: {} bytes{lean}\n{}The line for the form:\n{}\nReport ID {report_id}\n",
        terminal::path(&path.to_string_lossy()),
        count(packed.bytes() as u64),
        advice.unwrap_or_default(),
        line(packed)
    )
}

/// The line on a large zip of which `--lean` would save most.
fn advice(bytes: usize, saved: usize) -> Option<String> {
    (saved >= WORTH_SAVING && saved > bytes / 2).then(|| {
        format!(
            "The zip has {}; with --lean it would have {}, without weights/ and evidence/: a grader can then not check \
             the rungs `weights` and `replay`, only train everything again (`rerun`)\n",
            numbers::bytes(bytes as u64),
            numbers::bytes((bytes - saved) as u64)
        )
    })
}

/// The line for a form.
fn line(packed: &Packed) -> String {
    let Packed { report_id, manifest, .. } = packed;
    let (bytes, zip_sha256) = (count(packed.bytes() as u64), packed.zip_sha256());
    let [title, program, version] =
        [&manifest.title, &manifest.program.name, &manifest.program.version].map(|text| super::one_line(text));
    format!("{title}: Report ID {report_id}; zip of {bytes} bytes, SHA-256 {zip_sha256}; {program} {version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lean_is_advised_where_it_saves_ten_megabytes_and_more_than_half() {
        let line = "The zip has 39 MB; with --lean it would have 4 MB, without weights/ and evidence/: a grader can then \
                    not check the rungs `weights` and `replay`, only train everything again (`rerun`)\n";
        assert_eq!(advice(39_200_000, 35_100_000).as_deref(), Some(line));
        assert!(advice(19_999_998, 10_000_000).is_some());
        for (bytes, saved) in [(20_000_000, 10_000_000), (10_500_000, 9_999_999), (39_200_000, 0), (0, 0)] {
            assert_eq!(advice(bytes, saved), None, "{bytes} {saved}");
        }
    }
}
