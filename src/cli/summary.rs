//! `mnist-report summary`: prints the sizes of a study's models.

use std::fmt::Write;

use anyhow::Result;
use indexmap::IndexMap;
use serde::Serialize;

use super::options::Summary;
use crate::build::training_names;
use crate::exit_code::ExitCode;
use crate::model::Layer;
use crate::results::{LayerFacts, ModelFacts, model_facts};
use crate::study::{Plan, read_images};
use crate::text::numbers::{count, fixed, plural, shape};

pub(super) fn run(options: &Summary) -> Result<ExitCode> {
    let (source, plan) = options.models.plan("summary")?;
    // As `build` does, which has to find all images.
    read_images(&source)?;
    if !options.json && !options.trainings {
        source.text_notes(usize::MAX).iter().for_each(|note| super::say(&format!("note: {note}")));
    }
    let trainings = training_names(&plan);
    super::print(&if options.json {
        super::json(&Facts { models: model_facts(&plan), trainings })?
    } else if options.trainings {
        trainings.join("\n") + "\n"
    } else {
        text(&plan)
    })?;
    Ok(ExitCode::Success)
}

/// What `--json` prints.
#[derive(Serialize)]
struct Facts {
    models: IndexMap<String, ModelFacts>,
    /// What `build --only` takes: the seeds of all runs.
    trainings: Vec<String>,
}

/// A layer's columns: name, kind and settings; shape; formula and number of parameters.
fn row((layer, facts): (&Layer, &LayerFacts)) -> [String; 4] {
    let kind = [facts.kind.clone(), layer.kind.settings()];
    let kind: Vec<String> = kind.into_iter().filter(|part| !part.is_empty()).collect();
    let formula = if facts.formula.is_empty() { String::new() } else { format!("{} =", facts.formula) };
    let name = format!("{} ({})", facts.name, kind.join(", "));
    [name, shape(&facts.output_shape), formula, count(facts.parameters)]
}

fn text(plan: &Plan) -> String {
    let mut text = String::new();
    for (name, m) in model_facts(plan) {
        let _ = writeln!(text, "{name}");
        let rows: Vec<[String; 4]> = plan.models[&name].layers.iter().zip(&m.layers).map(row).collect();
        let width = |i: usize| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0);
        let (a, b, c, d) = (width(0), width(1), width(2), width(3));
        for [layer, output, formula, parameters] in &rows {
            let _ = writeln!(text, "  {layer:<a$}  {output:<b$}  {formula:>c$} {parameters:>d$}");
        }
        let (s, i) = (m.sizes.torchsummary, m.sizes.torchinfo);
        let _ = writeln!(text, "  trainable parameters {}; in buffers {}", count(m.parameters), count(m.buffers));
        let _ = writeln!(text, "  mult-adds of one image {} (torchinfo)", count(m.mult_adds));
        for (convention, s) in [("torchsummary, MB of 2^20 bytes", s), ("torchinfo, MB of 10^6 bytes", i)] {
            let _ = writeln!(
                text,
                "  size ({convention}): parameters {}, forward and backward {}, total {}",
                fixed(s.params, 2),
                fixed(s.forward_backward, if s.forward_backward < 0.01 { 4 } else { 2 }),
                fixed(s.total, 2)
            );
        }
        text.push('\n');
    }
    text + &runs(plan)
}

/// How many runs and trainings there are, and the names of the first runs.
fn runs(plan: &Plan) -> String {
    const MOST_NAMED: usize = 12;
    let names: Vec<&str> = plan.runs.keys().map(String::as_str).take(MOST_NAMED).collect();
    let more = plan.runs.len() - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let (runs, trainings) = (plural(plan.runs.len(), "run"), plural(training_names(plan).len(), "training"));
    format!("{runs}, {trainings}: {}{more}\n", names.join(", "))
}
