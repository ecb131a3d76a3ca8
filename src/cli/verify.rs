//! `mnist-report verify`: checks one bundle, or several.

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use super::options::{Verify, VerifyForParent};
use super::{batch, csv};
use crate::claims::load_study;
use crate::course;
use crate::exit_code::ExitCode;
use crate::text::terminal;
use crate::verify::{
    Limits, Listener, Record, Request, Rung, RungResult, Status, Verification, answer, checked_in_time, verify_all,
    verify_in_child,
};
use crate::witness;

pub(super) fn run(options: &Verify) -> Result<ExitCode> {
    let request = request(options)?;
    check_files(options)?;
    super::data::check_folder(options.data.as_deref())?;
    let [path] = options.paths.as_slice() else { return run_batch(options, &request) };
    let is_watched = std::io::stderr().is_terminal() && !options.json;
    let said = Cell::new(0);
    let tell = |line: &str| {
        announce(line);
        said.set(said.get() + 1);
    };
    let done = |step: &RungResult| {
        if is_watched {
            super::say(&format!("{:<9} {}", step.rung.name(), step.mark()));
            said.set(said.get() + 1);
        }
    };
    let listener = Listener { say: &tell, done: &done };
    let record = checked_in_time(path, |path| checked(options, &request, path, listener));
    write_files(options, std::slice::from_ref(&record))?;
    let Some(verification) = &record.verification else {
        if options.json {
            super::print(&super::json(&record)?)?;
        }
        return Err(anyhow!("{}", record.error.as_deref().unwrap_or_default()));
    };
    if is_watched {
        erase(said.get());
    }
    super::print(&if options.json { super::json(&record)? } else { text(verification, record.has_changed_files()) })?;
    let is_evaluated =
        |step: &RungResult| step.rung == Rung::Weights && step.status == Status::Passed && !step.left_out;
    let witness =
        verification.steps.iter().any(is_evaluated).then(|| witness::ask(path, options.data.as_deref())).flatten();
    let witnessed = witness.map_or(ExitCode::Success, |answer| super::witness::report(answer.as_ref()));
    Ok(verification.exit_code().max(witnessed))
}

/// Erases the last lines on standard error, which told the progress, if the list that follows them has the same on the same terminal.
fn erase(lines: usize) {
    let is_plain = std::env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
    if lines > 0 && !is_plain && std::io::stdout().is_terminal() {
        let _ = write!(std::io::stderr(), "\x1b[{lines}A\x1b[J");
    }
}

/// What the options ask for.
fn request(options: &Verify) -> Result<Request> {
    if options.runs.is_some() && options.upto != Some(Rung::Rerun) {
        bail!("--runs chooses what `rerun` trains again; add --upto rerun");
    }
    let runs = options.runs.clone().unwrap_or_default();
    if options.lang.is_some() && options.html.is_none() {
        bail!("--lang is for the page of --html");
    }
    if let Some(file) = &options.assignment {
        check_assignment(file)?;
    }
    let (assignment, data) = (options.assignment.clone(), options.data.clone());
    let as_if_long = options.as_if_long.clone();
    Ok(Request { upto: options.upto, device: options.device, runs, assignment, data, as_if_long })
}

/// Reads the assignment before any bundle, so that a mistake in it is one line.
fn check_assignment(file: &Path) -> Result<()> {
    let (source, _) = load_study(file)?;
    if source.study.free.is_empty() {
        let file = terminal::path(&file.display().to_string());
        super::say(&format!("note: {file} has no `free`, so every key must be equal, `author` and `title`, too"));
    }
    Ok(())
}

/// The files that the options ask for, each with its option and the ending that its name must have.
fn files(options: &Verify) -> impl Iterator<Item = (&'static str, &'static str, &Path)> {
    let all = [("--csv", "csv", &options.csv), ("--html", "html", &options.html)];
    all.into_iter().filter_map(|(option, ending, file)| Some((option, ending, file.as_deref()?)))
}

/// Refuses files that cannot be written, before anything is verified. The ending keeps `verify --csv *.zip` from overwriting the
/// first zip.
fn check_files(options: &Verify) -> Result<()> {
    for (option, wanted, file) in files(options) {
        if !file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(wanted)) {
            bail!("{option} {}: the file's name must end in .{wanted}", file.display());
        }
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        if let Some(folder) = folder {
            bail!("{option} {}: the folder {} does not exist", file.display(), folder.display());
        }
        OpenOptions::new().create(true).append(true).open(file).with_context(|| cannot_write(file))?;
    }
    Ok(())
}

/// Writes the files that the options ask for.
fn write_files(options: &Verify, records: &[Record]) -> Result<()> {
    for (option, _, file) in files(options) {
        let text = match option {
            "--csv" => csv::text(records),
            _ => page(records, options)?,
        };
        fs::write(file, text).with_context(|| cannot_write(file))?;
    }
    Ok(())
}

/// The page of a course.
fn page(records: &[Record], options: &Verify) -> Result<String> {
    let assignment = |file: &PathBuf| -> Result<course::Assignment> {
        let title = load_study(file)?.0.study.title;
        Ok(course::Assignment { file: file.display().to_string(), title })
    };
    let assignment = options.assignment.as_ref().map(assignment).transpose()?;
    Ok(course::page(records, options.lang.unwrap_or_default(), assignment.as_ref())?)
}

fn cannot_write(file: &Path) -> String {
    format!("cannot write {}", file.display())
}

/// Prints which rungs will take long.
fn announce(line: &str) {
    super::say(&super::one_line(line));
}

/// Checks one bundle in a process of its own.
fn checked(options: &Verify, request: &Request, path: &Path, listener: Listener) -> Result<Verification, String> {
    verify_in_child(path, request, Limits::of(options.upto, options.memory, options.timeout), listener)
}

/// Checks one bundle for the process that started this one.
pub(super) fn run_for_parent(options: &VerifyForParent) -> ExitCode {
    let request = Request {
        upto: options.upto,
        device: options.device,
        runs: options.runs.clone().unwrap_or_default(),
        assignment: options.assignment.clone(),
        data: options.data.clone(),
        as_if_long: options.as_if_long.clone(),
    };
    // Without the parent, nobody reads it.
    answer(&options.path, &request, options.memory, &|line| _ = super::print(line));
    ExitCode::Success
}

fn run_batch(options: &Verify, request: &Request) -> Result<ExitCode> {
    let mut printed = Ok(());
    let records = verify_all(
        &options.paths,
        usize::from(options.jobs.get()),
        |path| {
            let name = terminal::path(&path.display().to_string());
            let say = |line: &str| announce(&format!("{name}: {line}"));
            checked(options, request, path, Listener { say: &say, ..Listener::NOBODY })
        },
        |record| {
            if !options.json && printed.is_ok() {
                printed = super::print(&batch::line(record));
            }
        },
    );
    write_files(options, &records)?;
    printed?;
    super::print(&if options.json { super::json(&records)? } else { batch::table(&records) })?;
    Ok(records.iter().map(|record| record.exit_code).max().unwrap_or_default())
}

/// A line for each rung and for the assignment, with details, and one for each run that diverged. `is_changed` says that files are
/// not as SHA256SUMS lists them.
fn text(verification: &Verification, is_changed: bool) -> String {
    let mut text = String::new();
    for step in &verification.steps {
        text += &lines(&format!("{:<9} {:<12}", step.rung.name(), step.status), &step.details);
    }
    if let Some(assignment) = &verification.assignment {
        text += &lines(&format!("assignment {:<11}", assignment.word()), &assignment.lines());
    }
    for run in verification.about.diverged.iter().flatten() {
        let _ = writeln!(text, "Diverged  {}", super::one_line(run));
    }
    let id = verification.report_id.as_deref().unwrap_or("none: there is no SHA256SUMS");
    let stated = if is_changed && verification.report_id.is_some() { ", as stated (files were changed):" } else { "" };
    let _ = writeln!(text, "Report ID{stated} {id}");
    let _ = writeln!(text, "{}", super::one_line(&verification.closing.line()));
    text
}

/// A line, with at most 12 details on it and below it.
fn lines(start: &str, all: &[String]) -> String {
    const MOST: usize = 12;
    let mut details = all.iter().map(|detail| super::one_line(detail));
    let first = details.next().unwrap_or_default();
    let mut text = format!("{start} {first}\n");
    for detail in details.take(MOST - 1) {
        let _ = writeln!(text, "{:<22} {detail}", "");
    }
    let more = all.len().saturating_sub(MOST);
    if more > 0 {
        let _ = writeln!(text, "{:<22} and {more} more", "");
    }
    text
}
