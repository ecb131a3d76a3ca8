//! The runs that diverged: where, and what usually causes it, with the values of the study.

use super::prelude::*;
use super::settings;
use crate::results::{DivergedRun, DivergedSeed, SeedEnd};
use crate::study::{Optimizer, RunSettings};

/// Pixels beyond this size, after they are normalised, are unusual: with MNIST's own mean and standard deviation they are
/// between -0.42 and 2.82.
const LARGE_PIXEL: f64 = 10.0;
/// Layers that keep the size of the values that pass through them.
const NORMALISATIONS: [&str; 2] = ["batch_norm2d", "layer_norm"];

pub(super) fn section(b: &Builder) -> Result<ReportSection> {
    let mut blocks = vec![Block::paragraph(b.phrase("diverged.text")?)];
    for (name, run) in &b.results.diverged {
        blocks.push(Block::heading(format!("diverged-{name}"), b.run_title(name)));
        let seeds = run.seeds.iter().map(|end| seed(b, run, end)).collect::<Result<_>>()?;
        blocks.push(Block::List { items: seeds });
        blocks.push(Block::paragraph(b.phrase("diverged.causes")?));
        blocks.push(Block::Definitions(Definitions { style: "terms", items: causes(b, run)? }));
        blocks.push(Block::paragraph(advice(b, &run.plan)?));
    }
    Ok(b.section("diverged", b.phrase("diverged.heading")?, blocks))
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
        cause(b, "rate", learning_rate(lang, plan)?)?,
        cause(b, "input", input(b)?)?,
        cause(b, "normalisation", normalisation(b, plan)?)?,
    ];
    if let Some(text) = momentum(lang, plan)? {
        causes.insert(1, cause(b, "momentum", text)?);
    }
    if let Some(text) = weight_decay(lang, plan)? {
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
    }
}

fn learning_rate(lang: &Language, plan: &RunSettings) -> Result<String> {
    let (rate, usual) = (plan.optimizer.lr(), usual_rate(&plan.optimizer));
    let basis = if matches!(plan.optimizer, Optimizer::Sgd(_)) { "diverged.usual_of_sgd" } else { "diverged.default" };
    let basis = lang.say(basis, context! { usual => lang.numbers.setting(usual) })?;
    let setting = settings::optimizer(&plan.optimizer, lang)?;
    let key = if rate > usual { "diverged.rate_high" } else { "diverged.rate_usual" };
    lang.say(key, context! { setting, basis, times => lang.numbers.rough(rate / usual) })
}

fn momentum(lang: &Language, plan: &RunSettings) -> Result<Option<String>> {
    let Optimizer::Sgd(sgd) = &plan.optimizer else { return Ok(None) };
    if sgd.momentum == 0.0 {
        return Ok(None);
    }
    // The sum of 1, momentum, momentum squared, and so on.
    let times = (sgd.momentum < 1.0).then(|| lang.numbers.rough(1.0 / (1.0 - sgd.momentum)));
    let values = context! { momentum => lang.numbers.setting(sgd.momentum), times };
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
    let found: Vec<&str> = NORMALISATIONS.iter().copied().filter(has).collect();
    match found.as_slice() {
        [] => b.lang.say("diverged.no_normalisation", context! { kinds => NORMALISATIONS.join(", ") }),
        found => b.lang.say("diverged.has_normalisation", context! { kinds => found.join(", ") }),
    }
}

/// Weight decay, if it alone changes the sign of the weights in each step.
fn weight_decay(lang: &Language, plan: &RunSettings) -> Result<Option<String>> {
    let decay = match &plan.optimizer {
        Optimizer::Sgd(c) => c.weight_decay,
        Optimizer::AdamW(c) => c.weight_decay,
        // These add the decay to the gradient, and the gradient's size does not change their step.
        Optimizer::Adam(_) | Optimizer::Adadelta(_) => return Ok(None),
    };
    let share = decay * plan.optimizer.lr();
    if share <= 1.0 {
        return Ok(None);
    }
    let values = context! { decay => lang.numbers.setting(decay), share => lang.numbers.rough(share) };
    lang.say("diverged.weight_decay_text", values).map(Some)
}

/// What to change first.
fn advice(b: &Builder, plan: &RunSettings) -> Result<RichText> {
    let (rate, usual) = (plan.optimizer.lr(), usual_rate(&plan.optimizer));
    if rate > usual {
        b.text("diverged.lower_rate", context! { rate => b.lang.numbers.setting(usual) })
    } else if has_large_pixels(b) {
        b.phrase("diverged.usual_input")
    } else {
        b.text("diverged.lower_rate", context! { rate => b.lang.numbers.setting(rate / 10.0) })
    }
}
