//! The report's sections on training: their runs, tables and figures, ready to print.

use anyhow::Result;
use serde::Serialize;

use super::comparisons::{Compared, ComparisonView, interval};
use super::context::{FigureView, Numbering};
use super::figures;
use super::galleries::{disagreement_gallery, misread_gallery};
use super::wording::{epochs, images, optimizer, schedule};
use crate::model::CLASSES;
use crate::numbers::{count, fixed, percent, points};
use crate::results::statistics::wilson;
use crate::results::{Evaluated, Results, RunResult, SeedResult, by_epoch};
use crate::study::{Order, Section, Show, Study, Table, all_tables};

#[derive(Serialize)]
pub struct SectionView {
    title: String,
    text: String,
    runs: Vec<RunView>,
    /// Which tables of the runs are shown.
    settings: bool,
    results: bool,
    epochs: bool,
    pub figures: Vec<FigureView>,
    comparisons: Vec<ComparisonView>,
    /// Accuracy by digit: a row a digit, a cell a run; empty where not shown.
    per_class: Vec<Vec<String>>,
    pub confusions: Vec<ConfusionView>,
    pub galleries: Vec<FigureView>,
}

#[derive(Serialize)]
struct RunView {
    name: String,
    title: String,
    model: String,
    images: String,
    order: String,
    optimizer: String,
    schedule: String,
    batch_size: usize,
    dropout: bool,
    epochs: String,
    seeds: String,
    seed_count: usize,
    accuracy: String,
    /// Standard deviation over seeds, in points, and the interval of the mean accuracy; empty of one seed.
    sd: String,
    over_seeds: String,
    /// Wilson's interval of the first seed's accuracy.
    wilson: String,
    /// Accuracy on the images held out; empty where none are.
    held_out: String,
    correct: String,
    loss: String,
    notes_loss: String,
    train_loss: String,
    history: Vec<EpochView>,
    /// Whether the training images were evaluated as the test images were.
    train_evaluated: bool,
}

#[derive(Serialize)]
struct EpochView {
    epoch: usize,
    train_loss: String,
    train_eval_loss: String,
    train_eval_accuracy: String,
    test_loss: String,
    test_accuracy: String,
}

#[derive(Serialize)]
pub struct ConfusionView {
    title: String,
    pub figure: FigureView,
    /// Rows are true digits.
    rows: Vec<Vec<usize>>,
}

/// The study's sections; a study without any gets one on all of its runs.
pub fn sections(study: &Study) -> Vec<Section> {
    if !study.sections.is_empty() {
        return study.sections.clone();
    }
    vec![Section {
        title: "Training".into(),
        text: String::new(),
        runs: study.runs.keys().cloned().collect(),
        tables: all_tables(),
        comparisons: study.comparisons.keys().cloned().collect(),
        show: vec![Show::Curves, Show::PerClass, Show::Confusion],
        points: Vec::new(),
    }]
}

/// A section's view, its figures numbered in the order in which the report shows them.
///
/// # Errors
/// A figure that cannot be drawn.
pub fn section_view(
    number: usize,
    section: &Section,
    study: &Study,
    results: &Results,
    run_title: &dyn Fn(&str) -> String,
    numbering: &mut Numbering,
) -> Result<SectionView> {
    let runs: Vec<(&String, &RunResult)> =
        section.runs.iter().filter_map(|name| Some((name, results.runs.get(name)?))).collect();
    let titles: Vec<String> = runs.iter().map(|(name, _)| run_title(name)).collect();
    let seeds: Vec<(&str, &SeedResult)> =
        titles.iter().map(String::as_str).zip(runs.iter().map(|(_, r)| &r.seeds[0])).collect();
    let shows = |show: Show| section.show.contains(&show) && !seeds.is_empty();
    let mut figures = Vec::new();
    if shows(Show::Curves) {
        figures.push(numbering.take(figures::curves(format!("section{number}-curves"), &seeds)?));
    }
    if shows(Show::Predictions) {
        figures.push(numbering.take(figures::predictions(format!("section{number}-predictions"), &seeds)?));
    }
    let comparisons: Vec<Compared> =
        section.comparisons.iter().filter_map(|name| Compared::of(name, study, results)).collect();
    if section.show.contains(&Show::Gain) && !comparisons.is_empty() {
        let gains: Vec<figures::Gain> = comparisons
            .iter()
            .map(|c| figures::Gain { title: &c.title, epochs: by_epoch(c.run, c.against), margin: c.margin })
            .collect();
        figures.push(numbering.take(figures::gain(format!("section{number}-gain"), &gains)?));
    }
    if shows(Show::Ladder) {
        let rungs = ladder_rungs(section, &runs, &titles, results);
        figures.push(numbering.take(figures::ladder(format!("section{number}-ladder"), &rungs)?));
    }
    let mut per_class = Vec::new();
    if shows(Show::PerClass) {
        figures.push(numbering.take(figures::per_class(format!("section{number}-per-class"), &seeds)?));
        per_class = (0..CLASSES)
            .map(|class| {
                let shares = seeds.iter().map(|(_, s)| fixed(s.per_class()[class], 4));
                std::iter::once(class.to_string()).chain(shares).collect()
            })
            .collect();
    }
    let mut confusions = Vec::new();
    if shows(Show::Confusion) {
        for ((name, _), (title, seed)) in runs.iter().zip(&seeds) {
            let figure = figures::confusion(format!("section{number}-confusion-{name}"), title, seed)?;
            confusions.push(ConfusionView {
                title: (*title).to_owned(),
                figure: numbering.take(figure),
                rows: seed.confusion.iter().map(|row| row.to_vec()).collect(),
            });
        }
    }
    let mut galleries = Vec::new();
    if shows(Show::Misread) {
        for ((name, _), (title, seed)) in runs.iter().zip(&seeds) {
            let figure = misread_gallery(format!("section{number}-misread-{name}"), title, seed, results)?;
            galleries.extend(figure.map(|figure| numbering.take(figure)));
        }
    }
    if section.show.contains(&Show::Disagreements) {
        for (name, c) in section.comparisons.iter().filter_map(|name| Some((name, results.comparisons.get(name)?))) {
            let titles = [&c.run, &c.against].map(|run| run_title(run));
            let figure = disagreement_gallery(format!("section{number}-disagree-{name}"), &titles, c, results)?;
            galleries.extend(figure.map(|figure| numbering.take(figure)));
        }
    }
    Ok(SectionView {
        settings: section.tables.contains(&Table::Settings),
        results: section.tables.contains(&Table::Results),
        epochs: section.tables.contains(&Table::Epochs),
        comparisons: comparisons.iter().filter_map(Compared::view).collect(),
        galleries,
        title: section.title.clone(),
        text: section.text.clone(),
        runs: runs.iter().zip(&titles).map(|((name, r), title)| run_view(name, title, r)).collect(),
        figures,
        per_class,
        confusions,
    })
}

/// The section's runs by size, and the points that the study adds.
fn ladder_rungs(
    section: &Section,
    runs: &[(&String, &RunResult)],
    titles: &[String],
    results: &Results,
) -> Vec<figures::Rung> {
    let measured = runs.iter().zip(titles).filter_map(|((_, run), title)| {
        Some(figures::Rung {
            title: title.clone(),
            parameters: results.models.get(&run.plan.model)?.parameters,
            accuracy: run.accuracy(),
            interval: run.accuracies().interval,
            measured: true,
        })
    });
    let printed = section.points.iter().map(|p| figures::Rung {
        title: p.title.clone(),
        parameters: p.parameters,
        accuracy: p.accuracy,
        interval: None,
        measured: false,
    });
    measured.chain(printed).collect()
}

fn run_view(name: &str, title: &str, r: &RunResult) -> RunView {
    let (p, seed) = (&r.plan, &r.seeds[0]);
    let last = &seed.epochs[seed.epochs.len() - 1];
    let evaluated = |e: Option<Evaluated>, form: fn(Evaluated) -> String| e.map_or_else(String::new, form);
    let history = seed
        .epochs
        .iter()
        .map(|e| EpochView {
            epoch: e.epoch,
            train_loss: fixed(e.train_loss, 4),
            train_eval_loss: evaluated(e.train_eval, |t| fixed(t.loss, 4)),
            train_eval_accuracy: evaluated(e.train_eval, |t| percent(t.accuracy(), 2)),
            test_loss: fixed(e.test.loss, 4),
            test_accuracy: percent(e.test.accuracy(), 2),
        })
        .collect();
    let over_seeds = r.accuracies();
    RunView {
        name: name.to_owned(),
        title: title.to_owned(),
        model: p.model.clone(),
        images: images(p),
        order: match p.order {
            Order::Shuffled => "shuffled each epoch",
            Order::ByClass => "class by class, not shuffled",
            Order::AsStored => "as stored, not shuffled",
        }
        .to_owned(),
        optimizer: optimizer(&p.optimizer),
        schedule: schedule(&p.schedule),
        batch_size: p.batch_size,
        dropout: p.dropout,
        epochs: epochs(r),
        seeds: r.seeds.iter().map(|s| s.seed.to_string()).collect::<Vec<_>>().join(", "),
        seed_count: r.seeds.len(),
        accuracy: percent(r.accuracy(), 2),
        sd: over_seeds.sd.map_or_else(String::new, |sd| points(sd, 2)),
        over_seeds: over_seeds.interval.map_or_else(String::new, interval),
        wilson: interval(wilson(seed.correct(), seed.images())),
        held_out: r.held_out_accuracy().map_or_else(String::new, |a| percent(a, 2)),
        correct: {
            let each: Vec<String> = r.seeds.iter().map(|s| count(s.correct() as u64)).collect();
            format!("{} of {}", each.join("; "), count(last.test.images as u64))
        },
        loss: fixed(r.test_loss(), 4),
        notes_loss: fixed(r.mean(|s| s.notes_loss), 4),
        train_loss: fixed(r.mean(|s| s.epochs[s.epochs.len() - 1].train_loss), 4),
        history,
        train_evaluated: last.train_eval.is_some(),
    }
}
