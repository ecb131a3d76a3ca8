//! The runs that diverged: where, and what usually causes it, with the values of the study.

use super::prelude::*;
use super::settings;
use crate::arithmetic;
use crate::model::LayerKind;
use crate::results::{DivergedRun, DivergedSeed, NotFinite, SeedEnd};
use crate::study::{Optimizer, RmsProp, RunSettings, Schedule, Sgd};

/// Pixels beyond this size, after they are normalised, are unusual: with MNIST's own mean and standard deviation they are
/// between -0.42 and 2.82.
const LARGE_PIXEL: f64 = 10.0;
/// About how many steps are searched for the highest learning rate: a bundle's plan may have any number of them.
const MOST_RATES: usize = 10_000;

pub(super) fn section(b: &Builder) -> Result<ReportSection> {
    let mut blocks = vec![Block::paragraph(b.phrase("diverged.text")?)];
    for (name, run) in &b.results.diverged {
        blocks.push(Block::heading(format!("diverged-{name}"), b.run_title(name)));
        let seeds = run.seeds.iter().map(|end| seed(b, run, end)).collect::<Result<_>>()?;
        blocks.push(Block::List { items: seeds });
        blocks.push(Block::paragraph(b.phrase("diverged.causes")?));
        blocks.push(Block::Definitions(Definitions { style: "terms", items: causes(b, run)? }));
        blocks.push(Block::paragraph(advice(b, run)?));
    }
    Ok(b.section(SectionId::Diverged, b.phrase("diverged.heading")?, blocks))
}

/// How a seed of the run ended.
fn seed(b: &Builder, run: &DivergedRun, end: &SeedEnd) -> Result<RichText> {
    match end {
        SeedEnd::Diverged(seed) => {
            b.text("diverged.seed", context! { seed => seed.seed, place => place(b.lang, &run.plan, seed)? })
        }
        SeedEnd::Finished(seed) => {
            let accuracy = b.lang.numbers.percent(seed.accuracy(), 2);
            let values = context! { seed => seed.seed, accuracy, loss => b.lang.numbers.loss(seed.test_loss) };
            b.text("diverged.finished", values)
        }
    }
}

/// Where a seed diverged, as a part of a sentence.
fn place(lang: &Language, plan: &RunSettings, seed: &DivergedSeed) -> Result<String> {
    let at = seed.not_finite;
    let steps = plan.image_count.div_ceil(plan.batch_size.max(1));
    let values = context! { epoch => at.epoch, step => at.step, steps, epochs => plan.epochs };
    lang.say(&format!("diverged.{}", at.value.key()), values)
}

/// The usual causes, each with this run's value.
fn causes(b: &Builder, run: &DivergedRun) -> Result<Vec<Definition>> {
    let (plan, lang) = (&run.plan, b.lang);
    let mut causes = vec![
        cause(b, "rate", learning_rate(lang, run)?)?,
        cause(b, "input", input(b)?)?,
        cause(b, "normalisation", normalisation(b, plan)?)?,
    ];
    if let Some(text) = momentum(lang, run)? {
        causes.insert(1, cause(b, "momentum", text)?);
    }
    if let Some(text) = weight_decay(lang, run)? {
        causes.push(cause(b, "weight_decay", text)?);
    }
    Ok(causes)
}

fn cause(b: &Builder, key: &str, text: String) -> Result<Definition> {
    Ok(Definition::new(b.phrase(&format!("diverged.{key}"))?, text))
}

/// The learning rate to compare with: the default of PyTorch, or for SGD the largest usual one.
fn usual_rate(optimizer: &Optimizer) -> f64 {
    match optimizer {
        Optimizer::Sgd(_) => 0.1,
        Optimizer::Adam(_) | Optimizer::AdamW(_) => 0.001,
        Optimizer::Adadelta(_) => 1.0,
        Optimizer::RmsProp(_) => 0.01,
    }
}

/// The learning rate of a training up to the step where it diverged, as its schedule set it.
struct Rate {
    seed: u64,
    place: NotFinite,
    /// In that step.
    last: f64,
    /// In the steps up to there.
    highest: f64,
}

impl Rate {
    /// The rate of the seed that diverged at the highest one.
    fn of(run: &DivergedRun) -> Option<Self> {
        let rates = run.diverged().map(|seed| Self::of_seed(&run.plan, seed));
        rates.reduce(|a, b| if b.highest > a.highest { b } else { a })
    }

    fn of_seed(plan: &RunSettings, seed: &DivergedSeed) -> Self {
        let at = seed.not_finite;
        // Its epochs have no results, so what a validation loss may have lowered is not known.
        let rate = |step: usize| arithmetic::learning_rate(plan, step, &[]);
        let last = last_step(plan, at);
        let tried = (0..last).step_by((last / MOST_RATES).max(1)).chain([last]);
        Self { seed: seed.seed, place: at, last: rate(last), highest: tried.map(rate).fold(0.0, f64::max) }
    }

    /// The highest rate up to the step where the training diverged.
    fn highest(run: &DivergedRun) -> f64 {
        Self::of(run).map_or(run.plan.optimizer.lr(), |rate| rate.highest)
    }
}

fn steps_per_epoch(plan: &RunSettings) -> usize {
    plan.image_count.div_ceil(plan.batch_size.max(1)).max(1)
}

/// The step of a place, counted from 0 through the whole training.
fn last_step(plan: &RunSettings, at: NotFinite) -> usize {
    at.epoch.saturating_sub(1).saturating_mul(steps_per_epoch(plan)).saturating_add(at.step.saturating_sub(1))
}

fn learning_rate(lang: &Language, run: &DivergedRun) -> Result<String> {
    let (plan, usual) = (&run.plan, usual_rate(&run.plan.optimizer));
    let rate = Rate::highest(run);
    let basis = if matches!(plan.optimizer, Optimizer::Sgd(_)) { "diverged.usual_of_sgd" } else { "diverged.default" };
    let basis = lang.say(basis, context! { usual => lang.numbers.setting(usual) })?;
    let setting = settings::optimizer(&plan.optimizer, lang)?;
    let times = lang.numbers.rough(rate / usual);
    let scheduled = Rate::of(run).filter(|_| plan.schedule != Schedule::default());
    let Some(Rate { seed, place, last, highest }) = scheduled else {
        let key = if rate > usual { "diverged.rate_high" } else { "diverged.rate_usual" };
        return lang.say(key, context! { setting, basis, times });
    };
    let schedule = settings::schedule(&plan.schedule, lang)?;
    let values = context! {
        setting, basis, times, schedule, seed,
        epoch => place.epoch,
        step => place.step,
        rate => lang.numbers.rough(last),
        highest => (highest > last).then(|| lang.numbers.rough(highest)),
    };
    let key = if rate > usual { "diverged.scheduled_high" } else { "diverged.scheduled_usual" };
    lang.say(key, values)
}

fn momentum(lang: &Language, run: &DivergedRun) -> Result<Option<String>> {
    let plan = &run.plan;
    let momentum = match &plan.optimizer {
        Optimizer::Sgd(Sgd { momentum, .. }) | Optimizer::RmsProp(RmsProp { momentum, .. }) => *momentum,
        Optimizer::Adam(_) | Optimizer::AdamW(_) | Optimizer::Adadelta(_) => return Ok(None),
    };
    // A schedule may set the momentum, too.
    let total = plan.epochs.saturating_mul(steps_per_epoch(plan));
    let scheduled = |rate: Rate| arithmetic::momentum(&plan.schedule, last_step(plan, rate.place), total);
    let momentum = Rate::of(run).and_then(scheduled).unwrap_or(momentum);
    if momentum == 0.0 {
        return Ok(None);
    }
    // The sum of 1, momentum, momentum squared, and so on.
    let times = (momentum < 1.0).then(|| lang.numbers.rough(1.0 / (1.0 - momentum)));
    let values = context! { momentum => lang.numbers.setting(momentum), times };
    lang.say("diverged.momentum_text", values).map(Some)
}

/// The smallest and the largest pixel after normalisation.
fn pixels(b: &Builder) -> (f64, f64) {
    let input = &b.study.input;
    ((0.0 - input.mean) / input.std, (1.0 - input.mean) / input.std)
}

fn has_large_pixels(b: &Builder) -> bool {
    let (low, high) = pixels(b);
    low.abs().max(high.abs()) > LARGE_PIXEL
}

fn input(b: &Builder) -> Result<String> {
    let ((low, high), form) = (pixels(b), b.lang.numbers);
    let key = if has_large_pixels(b) { "diverged.input_large" } else { "diverged.input_usual" };
    let [mean, std] = [b.study.input.mean, b.study.input.std].map(|x| form.setting(x));
    b.lang.say(key, context! { mean, std, low => form.rough(low), high => form.rough(high) })
}

fn normalisation(b: &Builder, plan: &RunSettings) -> Result<String> {
    let layers = b.results.models.get(&plan.model).map(|model| model.layers.as_slice()).unwrap_or_default();
    let has = |kind: &&str| layers.iter().any(|layer| layer.kind == **kind);
    let known = LayerKind::normalisations();
    let found: Vec<&str> = known.iter().copied().filter(has).collect();
    match found.as_slice() {
        [] => b.lang.say("diverged.no_normalisation", context! { kinds => known.join(", ") }),
        found => b.lang.say("diverged.has_normalisation", context! { kinds => found.join(", ") }),
    }
}

/// Weight decay, if it alone changes the sign of the weights in each step.
fn weight_decay(lang: &Language, run: &DivergedRun) -> Result<Option<String>> {
    let decay = match &run.plan.optimizer {
        Optimizer::Sgd(c) => c.weight_decay,
        Optimizer::AdamW(c) => c.weight_decay,
        // These add the decay to the gradient, and the gradient's size does not change their step.
        Optimizer::Adam(_) | Optimizer::Adadelta(_) | Optimizer::RmsProp(_) => return Ok(None),
    };
    let share = decay * Rate::highest(run);
    if share <= 1.0 {
        return Ok(None);
    }
    let values = context! { decay => lang.numbers.setting(decay), share => lang.numbers.rough(share) };
    lang.say("diverged.weight_decay_text", values).map(Some)
}

/// What to change first.
fn advice(b: &Builder, run: &DivergedRun) -> Result<RichText> {
    let (rate, usual) = (run.plan.optimizer.lr(), usual_rate(&run.plan.optimizer));
    if rate <= usual && Rate::highest(run) > usual {
        b.text("diverged.other_schedule", context! { rate => b.lang.numbers.setting(usual) })
    } else if rate > usual {
        b.text("diverged.lower_rate", context! { rate => b.lang.numbers.setting(usual) })
    } else if has_large_pixels(b) {
        b.phrase("diverged.usual_input")
    } else {
        b.text("diverged.lower_rate", context! { rate => b.lang.numbers.setting(rate / 10.0) })
    }
}
