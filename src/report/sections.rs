//! The report's sections on training: their runs, tables and figures, ready to print.

use anyhow::Result;
use minijinja::context;
use serde::Serialize;

use super::comparisons::{Compared, ComparisonView, interval};
use super::context::{FigureView, Numbering};
use super::figures;
use super::galleries::{disagreement_gallery, misread_gallery};
use super::language::Language;
use super::wording::{epochs, images, optimizer, schedule};
use crate::dataset::CLASSES;
use crate::dataset::ImageOrder;
use crate::results::statistics::wilson;
use crate::results::{Evaluated, Results, RunResult, SeedResult, by_epoch};
use crate::study::{Section, Show, Study, Table};

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
    /// Where the first seed alone is shown.
    of_seed: String,
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
///
/// # Errors
/// A phrase that cannot be said.
pub fn sections(study: &Study, lang: &Language) -> Result<Vec<Section>> {
    if !study.sections.is_empty() {
        return Ok(study.sections.clone());
    }
    Ok(vec![Section {
        title: lang.word("training.heading")?,
        text: String::new(),
        runs: study.runs.keys().cloned().collect(),
        tables: Table::all(),
        comparisons: study.comparisons.keys().cloned().collect(),
        show: vec![Show::Curves, Show::PerClass, Show::Confusion],
        points: Vec::new(),
    }])
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
    lang: &Language,
) -> Result<SectionView> {
    let runs: Vec<(&String, &RunResult)> =
        section.runs.iter().filter_map(|name| Some((name, results.runs.get(name)?))).collect();
    let titles: Vec<String> = runs.iter().map(|(name, _)| run_title(name)).collect();
    let firsts =
        titles.iter().zip(&runs).map(|(title, (_, r))| of_first_seed(title, r, lang)).collect::<Result<Vec<_>>>()?;
    let seeds: Vec<(&str, &SeedResult)> =
        firsts.iter().map(String::as_str).zip(runs.iter().map(|(_, r)| &r.seeds[0])).collect();
    let titled: Vec<(&str, &RunResult)> = titles.iter().map(String::as_str).zip(runs.iter().map(|(_, r)| *r)).collect();
    let shows = |show: Show| section.show.contains(&show) && !seeds.is_empty();
    let mut figures = Vec::new();
    if shows(Show::Curves) {
        figures.push(numbering.take(figures::curves(format!("section{number}-curves"), &titled, lang)?));
    }
    if shows(Show::Predictions) {
        figures.push(numbering.take(figures::predictions(format!("section{number}-predictions"), &seeds, lang)?));
    }
    let comparisons: Vec<Compared> =
        section.comparisons.iter().filter_map(|name| Compared::of(name, study, results)).collect();
    if section.show.contains(&Show::Gain) && !comparisons.is_empty() {
        let gains: Vec<figures::Gain> = comparisons
            .iter()
            .map(|c| figures::Gain { title: &c.title, epochs: by_epoch(c.run, c.against), margin: c.margin })
            .collect();
        figures.push(numbering.take(figures::gain(format!("section{number}-gain"), &gains, lang)?));
    }
    if shows(Show::Ladder) {
        let rungs = ladder_rungs(section, &runs, &titles, results);
        figures.push(numbering.take(figures::ladder(format!("section{number}-ladder"), &rungs, lang)?));
    }
    let mut per_class = Vec::new();
    if shows(Show::PerClass) {
        figures.push(numbering.take(figures::per_class(format!("section{number}-per-class"), &seeds, lang)?));
        per_class = (0..CLASSES)
            .map(|class| {
                let shares = seeds.iter().map(|(_, s)| lang.numbers.fixed(s.per_class()[class], 4));
                std::iter::once(class.to_string()).chain(shares).collect()
            })
            .collect();
    }
    let mut confusions = Vec::new();
    if shows(Show::Confusion) {
        for ((name, _), (title, seed)) in runs.iter().zip(&seeds) {
            let figure = figures::confusion(format!("section{number}-confusion-{name}"), title, seed, lang)?;
            confusions.push(ConfusionView {
                title: (*title).to_owned(),
                figure: numbering.take(figure),
                rows: seed.confusion.iter().map(|row| row.to_vec()).collect(),
            });
        }
    }
    let mut galleries = Vec::new();
    if shows(Show::Misclassified) {
        for ((name, _), (title, seed)) in runs.iter().zip(&seeds) {
            let figure = misread_gallery(format!("section{number}-misread-{name}"), title, seed, results, lang)?;
            galleries.extend(figure.map(|figure| numbering.take(figure)));
        }
    }
    if section.show.contains(&Show::Disagreements) {
        for (name, c) in section.comparisons.iter().filter_map(|name| Some((name, results.comparisons.get(name)?))) {
            let [Some(run), Some(against)] = [&c.run, &c.against].map(|run| results.runs.get(run)) else { continue };
            let titles =
                [of_first_seed(&run_title(&c.run), run, lang)?, of_first_seed(&run_title(&c.against), against, lang)?];
            let figure = disagreement_gallery(format!("section{number}-disagree-{name}"), &titles, c, results, lang)?;
            galleries.extend(figure.map(|figure| numbering.take(figure)));
        }
    }
    Ok(SectionView {
        settings: section.tables.contains(&Table::Settings),
        results: section.tables.contains(&Table::Results),
        epochs: section.tables.contains(&Table::Epochs),
        comparisons: comparisons.iter().filter_map(|c| c.view(lang).transpose()).collect::<Result<_>>()?,
        galleries,
        title: section.title.clone(),
        text: section.text.clone(),
        runs: runs
            .iter()
            .zip(&titles)
            .zip(&firsts)
            .map(|(((name, r), title), first)| run_view(name, title, first, r, lang))
            .collect::<Result<_>>()?,
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
) -> Vec<figures::LadderPoint> {
    let measured = runs.iter().zip(titles).filter_map(|((_, run), title)| {
        Some(figures::LadderPoint {
            title: title.clone(),
            parameters: results.models.get(&run.plan.model)?.parameters,
            accuracy: run.accuracy(),
            interval: run.accuracies().interval,
            measured: true,
        })
    });
    let printed = section.points.iter().map(|p| figures::LadderPoint {
        title: p.title.clone(),
        parameters: p.parameters,
        accuracy: p.accuracy,
        interval: None,
        measured: false,
    });
    measured.chain(printed).collect()
}

/// A run's title where its first seed alone is shown: it names the seed where there are several.
fn of_first_seed(title: &str, run: &RunResult, lang: &Language) -> Result<String> {
    match run.seeds.as_slice() {
        [first, _, ..] => lang.say("run.of_seed", context! { title, seed => first.seed.to_string() }),
        _ => Ok(title.to_owned()),
    }
}

fn run_view(name: &str, title: &str, of_seed: &str, r: &RunResult, lang: &Language) -> Result<RunView> {
    let numbers = lang.numbers;
    let (p, seed) = (&r.plan, &r.seeds[0]);
    let last = &seed.epochs[seed.epochs.len() - 1];
    let loss = |e: Evaluated| numbers.fixed(e.loss, 4);
    let accuracy = |e: Evaluated| numbers.percent(e.accuracy(), 2);
    let history = seed
        .epochs
        .iter()
        .map(|e| EpochView {
            epoch: e.epoch,
            train_loss: numbers.fixed(e.train_loss, 4),
            train_eval_loss: e.train_eval.map_or_else(String::new, loss),
            train_eval_accuracy: e.train_eval.map_or_else(String::new, accuracy),
            test_loss: loss(e.test),
            test_accuracy: accuracy(e.test),
        })
        .collect();
    let over_seeds = r.accuracies();
    let each: Vec<String> = r.seeds.iter().map(|s| numbers.count(s.correct() as u64)).collect();
    let all = numbers.count(last.test.images as u64);
    Ok(RunView {
        name: name.to_owned(),
        title: title.to_owned(),
        of_seed: of_seed.to_owned(),
        model: p.model.clone(),
        images: images(p, lang)?,
        order: lang.word(match p.order {
            ImageOrder::Shuffled => "run.shuffled",
            ImageOrder::ByClass => "run.by_class",
            ImageOrder::AsStored => "run.as_stored",
        })?,
        optimizer: optimizer(&p.optimizer, lang)?,
        schedule: schedule(&p.schedule, lang)?,
        batch_size: p.batch_size,
        dropout: p.dropout,
        epochs: epochs(r, lang)?,
        seeds: r.seeds.iter().map(|s| s.seed.to_string()).collect::<Vec<_>>().join(", "),
        seed_count: r.seeds.len(),
        accuracy: numbers.percent(r.accuracy(), 2),
        sd: over_seeds.sd.map_or_else(String::new, |sd| numbers.points(sd, 2)),
        over_seeds: over_seeds.interval.map(|i| interval(i, lang)).transpose()?.unwrap_or_default(),
        wilson: interval(wilson(seed.correct(), seed.images()), lang)?,
        held_out: r.held_out_accuracy().map_or_else(String::new, |a| numbers.percent(a, 2)),
        correct: lang.say("run.correct", context! { each => each.join("; "), all })?,
        loss: numbers.fixed(r.test_loss(), 4),
        notes_loss: numbers.fixed(r.mean(|s| s.notes_loss), 4),
        train_loss: numbers.fixed(r.mean(|s| s.epochs[s.epochs.len() - 1].train_loss), 4),
        history,
        train_evaluated: last.train_eval.is_some(),
    })
}
