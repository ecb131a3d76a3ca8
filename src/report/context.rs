//! What the templates receive: values that are ready to print, and the figures.
//!
//! Owns what is printed in which form and the numbering of figures; the templates own what stands around it, the
//! language the words.

use anyhow::Result;
use minijinja::context;
use serde::{Deserialize, Serialize};

use super::language::Language;
use super::sections::{SectionView, section_view, sections};
use super::wording::{budget, done, images};
use super::{Facts, figures};
use crate::claims::{self, Finding, Verdict};
use crate::engine::Environment;
use crate::results::{ModelFacts, Results, RunResult};
use crate::study::Study;
use crate::text::Lang;
use crate::text::numbers;

/// The whole report.
#[derive(Serialize)]
pub struct Report {
    /// The report's language, `en` or `uk`.
    lang: Lang,
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
    /// Whether the notes' loss is shown: where a claim or a conclusion speaks of it.
    notes_loss: bool,
    conclusions: Vec<ConclusionView>,
}

/// The inputs that the manifest names in words.
pub const TEMPLATES: &str = "templates";
pub const SOURCE: &str = "program source and lock file";

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
    /// The layers as a row of blocks.
    figure: FigureView,
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
    /// What decides it, as the study states it.
    supported_if: String,
    refuted_if: String,
}

/// Gives figures their numbers, in the order in which the report shows them.
#[derive(Default)]
pub struct Numbering(usize);

impl Numbering {
    /// The next number for a figure.
    pub fn take(&mut self, figure: figures::Figure) -> FigureView {
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
    /// A figure that cannot be drawn, or a phrase that cannot be said.
    pub fn new(study: &Study, results: &Results, facts: &Facts, lang: &Language) -> Result<Self> {
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
        let parameters_figure = numbering.take(figures::parameters("parameters".into(), &bars, lang)?);
        let models = results
            .models
            .iter()
            .map(|(name, m)| {
                let figure = figures::network(format!("network-{name}"), &title(name), m, lang)?;
                model_view(name, title(name), m, numbering.take(figure), lang)
            })
            .collect::<Result<Vec<_>>>()?;
        let sections = sections(study, lang)?
            .iter()
            .enumerate()
            .map(|(i, section)| section_view(i + 1, section, study, results, &run_title, &mut numbering, lang))
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
                supported_if: c.supported_if,
                refuted_if: c.refuted_if,
            })
            .collect();
        let meta = [
            ("meta.author", &study.author),
            ("meta.group", &study.group),
            ("meta.course", &study.course),
            ("meta.institution", &study.institution),
            ("meta.date", &facts.date.map(str::to_owned)),
        ];
        let meta = meta.into_iter().filter_map(|(label, value)| Some((label, value.clone()?)));
        let budgets = results.runs.iter().map(|(name, r)| budget(&run_title(name), r, lang));
        Ok(Self {
            title: study.title.clone(),
            description: study.description.clone(),
            lang: lang.lang,
            meta: meta.map(|(label, value)| Ok((lang.word(label)?, value))).collect::<Result<_>>()?,
            environment: environment(&results.environment, lang)?,
            environment_class: results.environment.class.clone(),
            program: format!("mnist-report {}", env!("CARGO_PKG_VERSION")),
            inputs: facts.inputs.iter().map(|i| input(i, lang)).collect::<Result<_>>()?,
            inputs_digest: facts.inputs_digest.to_owned(),
            measured_digest: facts.measured_digest.to_owned(),
            budget: budgets.collect::<Result<_>>()?,
            models,
            parameters_figure,
            sections,
            comparison: results
                .runs
                .iter()
                .map(|(name, r)| comparison_row(run_title(name), r, results, lang))
                .collect::<Result<_>>()?,
            claim_groups,
            claim_counts,
            notes_loss: claims::ask_for_notes_loss(study),
            conclusions,
        })
    }

    /// All figures, in order.
    pub fn figures(&self) -> impl Iterator<Item = &FigureView> {
        std::iter::once(&self.parameters_figure).chain(self.models.iter().map(|m| &m.figure)).chain(
            self.sections
                .iter()
                .flat_map(|s| s.figures.iter().chain(s.confusions.iter().map(|c| &c.figure)).chain(&s.galleries)),
        )
    }
}

/// Where the results come from, in words.
fn environment(e: &Environment, lang: &Language) -> Result<String> {
    let key = match (e.class.as_str(), &e.cpu) {
        ("cuda", _) => "environment.cuda",
        ("native", Some(_)) => "environment.native",
        _ => "environment.portable",
    };
    let Environment { libtorch, arithmetic, precision, cpu, gpu, cuda, cudnn, .. } = e;
    let threads = e.threads.unwrap_or_default();
    lang.say(key, context! { libtorch, arithmetic, precision, cpu, gpu, cuda, cudnn, threads })
}

/// An input as the report names it; the manifest's names that are words, in its language.
fn input(file: &InputFile, lang: &Language) -> Result<InputFile> {
    let name = match file.name.as_str() {
        TEMPLATES => lang.word("inputs.templates")?,
        SOURCE => lang.word("inputs.source")?,
        name => name.to_owned(),
    };
    Ok(InputFile { name, sha256: file.sha256.clone() })
}

fn model_view(name: &str, title: String, m: &ModelFacts, figure: FigureView, lang: &Language) -> Result<ModelView> {
    let form = lang.numbers;
    let layers = m
        .layers
        .iter()
        .map(|l| LayerView {
            name: l.name.clone(),
            kind: l.kind.clone(),
            formula: match l.formula.is_empty() {
                true => String::new(),
                false => format!("{} = {}", l.formula, form.count(l.parameters)),
            },
            parameters: form.count(l.parameters),
            buffers: form.count(l.buffers),
            input_shape: numbers::shape(&l.input_shape),
            output_shape: numbers::shape(&l.output_shape),
        })
        .collect();
    let (s, i) = (m.sizes.torchsummary, m.sizes.torchinfo);
    let size = |what: &str, s: f64, i: f64| Ok((lang.word(what)?, form.fixed(s, 2), form.fixed(i, 2)));
    Ok(ModelView {
        name: name.to_owned(),
        title,
        batch: m.batch,
        layers,
        figure,
        parameters: form.count(m.parameters),
        buffers: form.count(m.buffers),
        mult_adds: form.count(m.mult_adds),
        sizes: [
            size("parameters.input", s.input, i.input),
            size("parameters.forward_backward", s.forward_backward, i.forward_backward),
            size("parameters.params", s.params, i.params),
            size("parameters.total", s.total, i.total),
        ]
        .into_iter()
        .collect::<Result<_>>()?,
    })
}

fn comparison_row(title: String, r: &RunResult, results: &Results, lang: &Language) -> Result<ComparisonRow> {
    let form = lang.numbers;
    let model = results.models.get(&r.plan.model);
    let of_model = |print: &dyn Fn(&ModelFacts) -> String| model.map_or_else(String::new, print);
    Ok(ComparisonRow {
        run: title,
        model: r.plan.model.clone(),
        parameters: of_model(&|m| form.count(m.parameters)),
        total_mb: of_model(&|m| form.fixed(m.sizes.torchsummary.total, 2)),
        mult_adds: of_model(&|m| form.count(m.mult_adds)),
        epochs: done(r, lang)?,
        images: images(&r.plan, lang)?,
        loss: form.fixed(r.test_loss(), 4),
        accuracy: form.percent(r.accuracy(), 2),
    })
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
