//! `mnist-report diff`: prints what differs between two bundles.

use std::fmt::Write;

use anyhow::Result;
use serde_json::Value;

use super::options::Diff as Options;
use crate::bundle::leftovers_line;
use crate::changes::Change;
use crate::diff::{Amount, Diff, Divergence, RunDiff, SeedDiff, Side, diff};
use crate::digest::short;
use crate::exit_code::ExitCode;
use crate::study::as_yaml;
use crate::text::numbers::{fixed, percent};
use crate::text::terminal;

/// The most lines below one heading; `--json` prints all.
const MOST: usize = 20;

pub(super) fn run(options: &Options) -> Result<ExitCode> {
    let diff = diff(&options.a, &options.b)?;
    super::print(&if options.json { super::json(&diff)? } else { text(&diff) })?;
    Ok(if diff.same { ExitCode::Success } else { ExitCode::Difference })
}

fn text(diff: &Diff) -> String {
    let mut text = side("A", &diff.a) + &side("B", &diff.b);
    if diff.same {
        text.push_str("\nThe same bundle: every file has the same bytes.\n");
        return text;
    }
    section(&mut text, "Inputs that differ", diff.inputs.iter().map(change));
    section(&mut text, "Keys of the study that differ", diff.study.iter().map(change));
    section(&mut text, "Exact values that differ (models, plans)", diff.exact.iter().map(change));
    section(&mut text, "Measured values that differ", diff.measured.iter().flat_map(run_lines));
    section(&mut text, "Files that differ", diff.files.iter().map(file));
    let heading = if diff.explanation.measured_differ { "Possible causes" } else { "What may explain it" };
    let _ = writeln!(text, "\n{heading}");
    for sentence in &diff.explanation.sentences {
        let _ = writeln!(text, "  {}", super::one_line(sentence));
    }
    text
}

fn side(name: &str, side: &Side) -> String {
    let mut text = format!(
        "{name}  {}: {}\n   Report ID {}\n   {}\n",
        terminal::path(&side.path.to_string_lossy()),
        super::one_line(&side.title),
        side.report_id,
        super::one_line(&side.environment)
    );
    if let Some(line) = leftovers_line(&side.leftovers) {
        let _ = writeln!(text, "   {}", super::one_line(&line));
    }
    if let Some(first) = side.problems.first() {
        let first = super::one_line(first);
        let _ = writeln!(text, "   DAMAGED, none of its values can be trusted: {first} (see `mnist-report verify`)");
    }
    text
}

fn section(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}");
    for line in lines.iter().take(MOST) {
        let _ = writeln!(text, "  {}", super::one_line(line));
    }
    if lines.len() > MOST {
        let _ = writeln!(text, "  and {} more (--json shows all)", lines.len() - MOST);
    }
}

fn change(c: &Change) -> String {
    // Of lists of unequal length, only the part that differs.
    if let (Value::Array(a), Value::Array(b)) = (&c.a, &c.b)
        && a.len() != b.len()
    {
        let before = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        let after = a[before..].iter().rev().zip(b[before..].iter().rev()).take_while(|(a, b)| a == b).count();
        let part = |list: &[Value]| match &list[before..list.len() - after] {
            [] => Value::Null,
            [one] => one.clone(),
            more => Value::from(more),
        };
        return change(&Change { what: format!("{}[{before}]", c.what), a: part(a), b: part(b) });
    }
    match (&c.a, &c.b) {
        (a, Value::Null) => format!("{}: only in A: {}", c.what, value(a)),
        (Value::Null, b) => format!("{}: only in B: {}", c.what, value(b)),
        (a, b) => format!("{}: {} -> {}", c.what, value(a), value(b)),
    }
}

fn file(c: &Change) -> String {
    match (&c.a, &c.b) {
        (_, Value::Null) => format!("{}: only in A", c.what),
        (Value::Null, _) => format!("{}: only in B", c.what),
        _ => c.what.clone(),
    }
}

/// A value on one line: strings without quotes, hashes and long values shortened.
fn value(value: &Value) -> String {
    const WIDEST: usize = 60;
    let text = match value {
        Value::String(text) => text.clone(),
        other => as_yaml(other),
    };
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        format!("{}…", short(&text))
    } else {
        terminal::cut(&text, WIDEST)
    }
}

fn run_lines(run: &RunDiff) -> Vec<String> {
    if let Some(side) = run.only_in {
        return vec![format!("{}: only in {}", run.run, side.to_uppercase())];
    }
    let mut lines = Vec::new();
    if let (Some(accuracy), Some(loss)) = (&run.accuracy, &run.test_loss) {
        lines.push(format!(
            "{}: accuracy {} -> {} ({} points), test loss {} -> {} ({})",
            run.run,
            percent(accuracy.a, 2),
            percent(accuracy.b, 2),
            signed(accuracy, 2),
            fixed(loss.a, 4),
            fixed(loss.b, 4),
            signed(loss, 4)
        ));
    }
    lines.extend(run.seeds.iter().map(|seed| format!("{}, {}", run.run, seed_line(seed))));
    lines
}

fn signed(amount: &Amount, decimals: usize) -> String {
    let text = fixed(amount.difference, decimals);
    if text.starts_with('-') { text } else { format!("+{text}") }
}

fn seed_line(seed: &SeedDiff) -> String {
    match (seed.a, seed.b, &seed.first_divergence) {
        (Some(a), None, _) => format!("seed {a}: only in A"),
        (None, Some(b), _) => format!("seed {b}: only in B"),
        (Some(a), Some(b), _) if a != b => format!("seed {a} in A, {b} in B: two different trainings"),
        (Some(a), _, Some(divergence)) => format!("seed {a}: {}", divergence_text(divergence)),
        _ => "seeds: no difference".to_owned(),
    }
}

fn divergence_text(divergence: &Divergence) -> String {
    let values = format!("{}: {} -> {}", divergence.quantity, value(&divergence.a), value(&divergence.b));
    match divergence.epoch {
        0 => format!("first difference before training, {values}"),
        epoch => format!("first difference in epoch {epoch}, {values}"),
    }
}
