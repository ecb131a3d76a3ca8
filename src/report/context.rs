//! What the templates receive: values that are ready to print, and the figures.
//!
//! Owns the wording of table cells and the numbering of figures; the templates own the prose around them.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{Facts, figures};
use crate::claims::{self, Finding, Verdict};
use crate::model::CLASSES;
use crate::numbers::{self, count, fixed, percent};
use crate::results::{Evaluated, ModelFacts, PlanFacts, Results, RunResult, SeedResult};
use crate::study::{Images, Optimizer, Order, Schedule, Section, Show, Study};

/// The whole report.
#[derive(Serialize)]
pub struct Report {
    title: String,
    description: String,
    /// Author, group, course, institution, date: (label, value), where the study gives them.
    meta: Vec<(String, String)>,
    environment: String,
    environment_class: String,
    program: String,
    inputs: Vec<InputFile>,
    inputs_digest: String,
    measured_digest: String,
    budget: Vec<String>,
    models: Vec<ModelView>,
    parameters_figure: FigureView,
    sections: Vec<SectionView>,
    comparison: Vec<ComparisonRow>,
    claim_groups: Vec<ClaimGroup>,
    claim_counts: ClaimCounts,
    conclusions: Vec<ConclusionView>,
}

/// An input with its hash.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct InputFile {
    pub name: String,
    pub sha256: String,
}

#[derive(Serialize)]
struct ModelView {
    name: String,
    title: String,
    batch: usize,
    layers: Vec<LayerView>,
    parameters: String,
    buffers: String,
    mult_adds: String,
    /// Sizes: (what, torchsummary's MB, torchinfo's MB).
    sizes: Vec<(String, String, String)>,
}

#[derive(Serialize)]
struct LayerView {
    name: String,
    kind: String,
    /// `(3·3·1 + 1)·64 = 640`, empty without parameters.
    formula: String,
    parameters: String,
    buffers: String,
    input_shape: String,
    output_shape: String,
}

#[derive(Serialize)]
struct SectionView {
    title: String,
    text: String,
    runs: Vec<RunView>,
    figures: Vec<FigureView>,
    /// Accuracy by digit: a row a digit, a cell a run; empty where not shown.
    per_class: Vec<Vec<String>>,
    confusions: Vec<ConfusionView>,
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
    accuracy: String,
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
struct ConfusionView {
    title: String,
    figure: FigureView,
    /// Rows are true digits.
    rows: Vec<Vec<usize>>,
}

/// A numbered figure.
#[derive(Serialize)]
pub struct FigureView {
    pub number: usize,
    /// Below the bundle: `figures/NAME.svg`.
    pub file: String,
    pub caption: String,
    pub description: String,
    pub svg: String,
}

#[derive(Serialize)]
struct ComparisonRow {
    run: String,
    model: String,
    parameters: String,
    total_mb: String,
    mult_adds: String,
    epochs: String,
    images: String,
    loss: String,
    accuracy: String,
}

#[derive(Serialize)]
struct ClaimGroup {
    title: String,
    claims: Vec<ClaimView>,
}

#[derive(Serialize)]
struct ClaimView {
    id: String,
    quote: String,
    printed: String,
    measured: String,
    /// `differs`, `not measured` or `matches`.
    verdict: &'static str,
    why: String,
}

#[derive(Serialize)]
struct ClaimCounts {
    all: usize,
    matches: usize,
    differs: usize,
    not_measured: usize,
}

#[derive(Serialize)]
struct ConclusionView {
    id: String,
    question: String,
    /// `supported`, `refuted` or `undecided`.
    finding: &'static str,
    sentence: String,
}

/// Gives figures their numbers, in the order in which the report shows them.
#[derive(Default)]
struct Numbering(usize);

impl Numbering {
    fn take(&mut self, figure: figures::Figure) -> FigureView {
        self.0 += 1;
        FigureView {
            number: self.0,
            file: format!("figures/{}.svg", figure.name),
            caption: figure.caption,
            description: figure.description,
            svg: figure.svg,
        }
    }
}

impl Report {
    /// Builds the context.
    ///
    /// # Errors
    /// A figure that cannot be drawn.
    pub fn new(study: &Study, results: &Results, facts: &Facts) -> Result<Self> {
        let mut numbering = Numbering::default();
        let title = |name: &str| {
            let spec = study.models.get(name);
            spec.and_then(|s| s.title.clone()).unwrap_or_else(|| name.to_owned())
        };
        let run_title = |name: &str| {
            let spec = study.runs.get(name);
            spec.and_then(|s| s.title.clone()).unwrap_or_else(|| name.to_owned())
        };
        let titles: Vec<String> = results.models.keys().map(|n| title(n)).collect();
        let bars: Vec<(&str, &ModelFacts)> = titles.iter().map(String::as_str).zip(results.models.values()).collect();
        let parameters_figure = numbering.take(figures::parameters("parameters".into(), &bars)?);
        let models = results.models.iter().map(|(name, m)| model_view(name, title(name), m)).collect();
        let sections = sections(study)
            .iter()
            .enumerate()
            .map(|(i, section)| section_view(i + 1, section, results, &run_title, &mut numbering))
            .collect::<Result<_>>()?;
        let (claim_groups, claim_counts) = claim_groups(study, results);
        let conclusions = claims::conclude(study, results)
            .into_iter()
            .map(|c| ConclusionView {
                id: c.id,
                question: c.question,
                finding: match c.finding {
                    Finding::Supported => "supported",
                    Finding::Refuted => "refuted",
                    Finding::Undecided => "undecided",
                },
                sentence: c.sentence,
            })
            .collect();
        let meta = [
            ("Author", &study.author),
            ("Group", &study.group),
            ("Course", &study.course),
            ("Institution", &study.institution),
            ("Date", &facts.date.map(str::to_owned)),
        ];
        Ok(Self {
            title: study.title.clone(),
            description: study.description.clone(),
            meta: meta.into_iter().filter_map(|(l, v)| Some((l.to_owned(), v.clone()?))).collect(),
            environment: results.environment.to_string(),
            environment_class: results.environment.class.clone(),
            program: format!("mnist-report {}", env!("CARGO_PKG_VERSION")),
            inputs: facts.inputs.to_vec(),
            inputs_digest: facts.inputs_digest.to_owned(),
            measured_digest: facts.measured_digest.to_owned(),
            budget: results.runs.iter().map(|(name, r)| format!("{}: {}", run_title(name), budget(r))).collect(),
            models,
            parameters_figure,
            sections,
            comparison: results.runs.iter().map(|(name, r)| comparison_row(run_title(name), r, results)).collect(),
            claim_groups,
            claim_counts,
            conclusions,
        })
    }

    /// All figures, in order.
    pub fn figures(&self) -> impl Iterator<Item = &FigureView> {
        std::iter::once(&self.parameters_figure)
            .chain(self.sections.iter().flat_map(|s| s.figures.iter().chain(s.confusions.iter().map(|c| &c.figure))))
    }
}

/// The study's sections; a study without any gets one on all of its runs.
fn sections(study: &Study) -> Vec<Section> {
    if !study.sections.is_empty() {
        return study.sections.clone();
    }
    vec![Section {
        title: "Training".into(),
        text: String::new(),
        runs: study.runs.keys().cloned().collect(),
        show: vec![Show::Curves, Show::PerClass, Show::Confusion],
    }]
}

fn model_view(name: &str, title: String, m: &ModelFacts) -> ModelView {
    let layers = m
        .layers
        .iter()
        .map(|l| LayerView {
            name: l.name.clone(),
            kind: l.kind.clone(),
            formula: match l.formula.is_empty() {
                true => String::new(),
                false => format!("{} = {}", l.formula, count(l.parameters)),
            },
            parameters: count(l.parameters),
            buffers: count(l.buffers),
            input_shape: numbers::shape(&l.input_shape),
            output_shape: numbers::shape(&l.output_shape),
        })
        .collect();
    let (s, i) = (m.sizes.torchsummary, m.sizes.torchinfo);
    let size = |what: &str, s: f64, i: f64| (what.to_owned(), fixed(s, 2), fixed(i, 2));
    ModelView {
        name: name.to_owned(),
        title,
        batch: m.batch,
        layers,
        parameters: count(m.parameters),
        buffers: count(m.buffers),
        mult_adds: count(m.mult_adds),
        sizes: vec![
            size("Input", s.input, i.input),
            size("Forward and backward pass", s.forward_backward, i.forward_backward),
            size("Parameters", s.params, i.params),
            size("Estimated total", s.total, i.total),
        ],
    }
}

fn section_view(
    number: usize,
    section: &Section,
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
    Ok(SectionView {
        title: section.title.clone(),
        text: section.text.clone(),
        runs: runs.iter().zip(&titles).map(|((name, r), title)| run_view(name, title, r)).collect(),
        figures,
        per_class,
        confusions,
    })
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
        accuracy: percent(r.accuracy(), 2),
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

/// How many epochs were done, and out of how many where a run stopped early.
fn epochs(r: &RunResult) -> String {
    let done: Vec<usize> = r.seeds.iter().map(|s| s.epochs.len()).collect();
    let (low, high) = (done.iter().min().copied().unwrap_or(0), done.iter().max().copied().unwrap_or(0));
    let done = if low == high { low.to_string() } else { format!("{low} to {high}") };
    match r.plan.stop_below_train_loss {
        Some(loss) => format!("{done} (at most {}, until the training loss is below {loss})", r.plan.epochs),
        None => done,
    }
}

fn budget(r: &RunResult) -> String {
    let batches = format!("batch {}", r.plan.batch_size);
    let seeds = if r.seeds.len() == 1 { "one seed".to_owned() } else { format!("{} seeds", r.seeds.len()) };
    let (images, epochs) = (images(&r.plan), epochs(r));
    format!("training images: {images}; epochs: {epochs}; {batches}, {}, {seeds}", optimizer(&r.plan.optimizer))
}

fn images(p: &PlanFacts) -> String {
    let n = count(p.image_count as u64);
    match &p.images {
        Images::All(_) => n,
        Images::First(_) => format!("{n} (the first)"),
        Images::Random(_) => format!("{n} (drawn)"),
        Images::PerClass(each) => format!("{n} ({each} a class)"),
    }
}

fn optimizer(o: &Optimizer) -> String {
    let decay = |d: f64| if d == 0.0 { String::new() } else { format!(", weight decay {d}") };
    match o {
        Optimizer::Sgd(c) => {
            let momentum = if c.momentum == 0.0 { String::new() } else { format!(", momentum {}", c.momentum) };
            let nesterov = if c.nesterov { " (Nesterov)" } else { "" };
            let dampening = if c.dampening == 0.0 { String::new() } else { format!(", dampening {}", c.dampening) };
            format!("SGD {}{momentum}{nesterov}{dampening}{}", c.lr, decay(c.weight_decay))
        }
        Optimizer::Adam(c) => format!("Adam {}{}", c.lr, decay(c.weight_decay)),
        Optimizer::AdamW(c) => format!("AdamW {}{}", c.lr, decay(c.weight_decay)),
        Optimizer::Adadelta(c) => format!("Adadelta {}{}", c.lr, decay(c.weight_decay)),
    }
}

fn schedule(s: &Schedule) -> String {
    match s {
        Schedule::Constant(_) => "constant".into(),
        Schedule::Step(c) => format!("times {} every {} epochs", c.gamma, c.step_size),
        Schedule::Cosine(c) => format!("cosine to {}", c.min_lr),
        Schedule::OneCycle(c) => format!("one cycle, peak after {}", percent(c.pct_start, 0)),
    }
}

fn comparison_row(title: String, r: &RunResult, results: &Results) -> ComparisonRow {
    let model = results.models.get(&r.plan.model);
    let of_model = |form: fn(&ModelFacts) -> String| model.map_or_else(String::new, form);
    ComparisonRow {
        run: title,
        model: r.plan.model.clone(),
        parameters: of_model(|m| count(m.parameters)),
        total_mb: of_model(|m| fixed(m.sizes.torchsummary.total, 2)),
        mult_adds: of_model(|m| count(m.mult_adds)),
        epochs: r.seeds.iter().map(|s| s.epochs.len().to_string()).collect::<Vec<_>>().join(", "),
        images: images(&r.plan),
        loss: fixed(r.test_loss(), 4),
        accuracy: percent(r.accuracy(), 2),
    }
}

/// Claims by group in the study's order; within a group, what differs comes first.
fn claim_groups(study: &Study, results: &Results) -> (Vec<ClaimGroup>, ClaimCounts) {
    let mut judged = claims::judge(study, results);
    let number = |verdict| judged.iter().filter(|j| j.verdict == verdict).count();
    let counts = ClaimCounts {
        all: judged.len(),
        matches: number(Verdict::Matches),
        differs: number(Verdict::Differs),
        not_measured: number(Verdict::NotMeasured),
    };
    judged.sort_by_key(|j| j.verdict);
    let mut groups: Vec<ClaimGroup> = Vec::new();
    for claim in &study.claims {
        if !groups.iter().any(|g| g.title == claim.group) {
            groups.push(ClaimGroup { title: claim.group.clone(), claims: Vec::new() });
        }
    }
    for j in judged {
        let group = groups.iter_mut().find(|g| g.title == j.claim.group).expect("every group was listed");
        group.claims.push(ClaimView {
            id: j.claim.id.clone(),
            quote: j.claim.quote.clone(),
            printed: j.claim.printed.clone(),
            measured: j.measured,
            verdict: match j.verdict {
                Verdict::Matches => "matches",
                Verdict::Differs => "differs",
                Verdict::NotMeasured => "not measured",
            },
            why: match j.verdict {
                Verdict::Differs => j.claim.why.clone().unwrap_or_default(),
                _ => String::new(),
            },
        });
    }
    (groups, counts)
}
