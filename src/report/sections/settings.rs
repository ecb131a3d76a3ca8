//! Describes a run's settings in words.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::prelude::*;
use crate::dataset::{ImageOrder, Subset};
use crate::one_of;
use crate::results::{AnyRun, RunResult, SeedResult};
use crate::study::{AdamW, EvidenceSettings, Optimizer, RunSettings, Schedule};

/// The fewest and the most epochs that a seed was trained for.
fn fewest_and_most(run: &RunResult) -> (usize, usize) {
    let epochs = || run.seeds.iter().map(|s| s.epochs.len());
    (epochs().min().unwrap_or(0), epochs().max().unwrap_or(0))
}

/// How many epochs were trained, and which one is reported if that is not the last by definition.
pub(super) fn epochs_of(run: &RunResult, lang: &Language) -> Result<String> {
    let epochs = epochs_done(run, lang)?;
    if run.plan.report_epoch.is_last() {
        return Ok(epochs);
    }
    let (low, high) = reported(run);
    lang.say("run.reported_of", context! { reported => lang.say("run.epochs", context! { low, high })?, epochs })
}

/// The first and the last epoch that a seed reports.
fn reported(run: &RunResult) -> (usize, usize) {
    let reported = || run.seeds.iter().map(SeedResult::reported_epoch);
    (reported().min().unwrap_or(0), reported().max().unwrap_or(0))
}

/// How many epochs were trained.
fn epochs_done(run: &RunResult, lang: &Language) -> Result<String> {
    let (low, high) = fewest_and_most(run);
    lang.say("run.epochs", context! { low, high })
}

/// How many epochs are planned, when training stops early, if it does, and which epoch is reported.
pub(super) fn epochs_planned(plan: &RunSettings, lang: &Language) -> Result<String> {
    let loss = plan.stop_below_train_loss.map(|loss| lang.numbers.setting(loss));
    let patience = plan.early_stopping.map(|stopping| stopping.patience);
    let values = context! { most => plan.epochs, loss, patience, chosen => !plan.report_epoch.is_last() };
    lang.say("run.epochs_planned", values)
}

/// How many epochs were trained, and when training stops early, if it does. For a run that diverged, how many were
/// planned.
pub(super) fn epochs(run: AnyRun, lang: &Language) -> Result<String> {
    let run = match run {
        AnyRun::Finished(run) => run,
        AnyRun::Diverged(run) => return lang.say("run.epochs_diverged", context! { planned => run.plan.epochs }),
    };
    let epochs = if run.plan.may_stop_early() { epochs_stopped(run, lang)? } else { epochs_done(run, lang)? };
    if run.plan.report_epoch.is_last() {
        return Ok(epochs);
    }
    let (low, high) = reported(run);
    lang.say("run.reported", context! { epochs, low, high })
}

fn epochs_stopped(run: &RunResult, lang: &Language) -> Result<String> {
    let (low, high) = fewest_and_most(run);
    let loss = run.plan.stop_below_train_loss.map(|loss| lang.numbers.setting(loss));
    let patience = run.plan.early_stopping.map(|stopping| stopping.patience);
    lang.say("run.epochs_stopped", context! { low, high, most => run.plan.epochs, loss, patience })
}

/// A run's training on one line: its network, the settings that every run has, and every other setting that is not the default.
pub(super) fn budget(title: &str, network: Option<&str>, run: AnyRun, lang: &Language) -> Result<String> {
    // Names every field, so that a new one has to be printed here or left out on purpose.
    let RunSettings {
        model: _,
        images: _,
        hold_out: _,
        order: image_order,
        image_count: _,
        epochs: _,
        batch_size,
        optimizer: rule,
        schedule: rate,
        label_smoothing: smoothing,
        clip_grad_norm,
        clip_grad_value,
        augment,
        dropout,
        stop_below_train_loss: _,
        early_stopping: _,
        report_epoch: _,
        evaluate_train,
        evaluate_every,
        evidence: _,
    } = run.plan();
    let mut parts = vec![lang.say("run.batch", context! { batch => batch_size })?, optimizer(rule, lang)?];
    if *rate != Schedule::default() {
        parts.push(lang.say("run.rate", context! { schedule => schedule(rate, lang)? })?);
    }
    if *smoothing > 0.0 {
        parts.push(lang.say("run.label_smoothing", context! { value => lang.numbers.setting(*smoothing) })?);
    }
    if clip_grad_norm.is_some() || clip_grad_value.is_some() {
        parts.push(clipping(run.plan(), lang)?);
    }
    if augment.is_some() {
        parts.push(augmentation(run.plan(), lang)?);
    }
    if *image_order != ImageOrder::default() {
        parts.push(order(*image_order, lang)?);
    }
    let others = [(!dropout, "run.no_dropout"), (*evaluate_train, "run.evaluates_training")];
    for (_, key) in others.into_iter().filter(|(holds, _)| *holds) {
        parts.push(lang.word(key)?);
    }
    if evaluate_every.is_some() {
        parts.push(lang.say("run.evaluates_within", context! { every => evaluated_within(run.plan(), lang)? })?);
    }
    if has_evidence(run.plan()) {
        parts.push(evidence(run.plan(), lang)?);
    }
    parts.push(lang.say("run.seeds", context! { n => run.seeds().len(), seeds => seeds(run) })?);
    let values = context! { title, network, images => images(run.plan(), lang)?, epochs => epochs(run, lang)?, parts };
    lang.say("run.budget", values)
}

/// How a run clips its gradients.
pub(super) fn clipping(plan: &RunSettings, lang: &Language) -> Result<String> {
    let say = |key: &str, limit: f64| lang.say(key, context! { limit => lang.numbers.setting(limit) });
    match (plan.clip_grad_norm, plan.clip_grad_value) {
        (Some(norm), _) => say("run.clip_norm", norm),
        (None, Some(value)) => say("run.clip_value", value),
        (None, None) => lang.word("run.never"),
    }
}

/// How a run changes its training images.
pub(super) fn augmentation(plan: &RunSettings, lang: &Language) -> Result<String> {
    let Some(augment) = plan.augment else { return lang.word("run.never") };
    let [shift, degrees] = [augment.shift, augment.rotate].map(|most| (most > 0.0).then(|| lang.numbers.setting(most)));
    lang.say("run.augment", context! { shift, degrees })
}

/// How often test and validation images are evaluated within epochs.
pub(super) fn evaluated_within(plan: &RunSettings, lang: &Language) -> Result<String> {
    match plan.evaluate_every {
        Some(every) => lang.say("run.every", context! { every }),
        None => lang.word("run.never"),
    }
}

/// Whether a run's evidence is not the default.
pub(super) fn has_evidence(plan: &RunSettings) -> bool {
    plan.evidence.keep > 0 || !plan.evidence.last
}

/// How much of a run can be replayed.
pub(super) fn evidence(plan: &RunSettings, lang: &Language) -> Result<String> {
    let EvidenceSettings { candidates, keep, .. } = plan.evidence;
    lang.say("run.evidence", context! { candidates, keep })
}

/// A run's seeds.
pub(super) fn seeds(run: AnyRun) -> String {
    run.seeds().iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

/// How many training images, and which.
pub(super) fn images(plan: &RunSettings, lang: &Language) -> Result<String> {
    let (which, each) = match &plan.images {
        Subset::All(_) => ("all", None),
        Subset::First(_) => ("first", None),
        Subset::Random(_) => ("random", None),
        Subset::PerClass(each) => ("per_class", Some(*each)),
    };
    let but = if plan.hold_out > 0 { "_but" } else { "" };
    let [n, held] = [plan.image_count, plan.hold_out].map(|n| lang.numbers.count(n as u64));
    lang.say(&format!("run.images_{which}{but}"), context! { n, held, each })
}

/// The order of the training images.
pub(super) fn order(order: ImageOrder, lang: &Language) -> Result<String> {
    lang.word(match order {
        ImageOrder::Shuffled => "run.shuffled",
        ImageOrder::ByClass => "run.by_class",
        ImageOrder::AsStored => "run.as_stored",
    })
}

/// The optimizer with its learning rate and every setting that is not the default.
pub(super) fn optimizer(optimizer: &Optimizer, lang: &Language) -> Result<String> {
    let lr = lang.numbers.setting(optimizer.lr());
    let name = lang.say(&format!("run.{}", optimizer.key()), context! { lr })?;
    let mut others = other_settings(optimizer, &["lr"], lang)?;
    // AdamW decays weights by default, unlike the other optimizers, so it always prints by how much.
    if let Optimizer::AdamW(c) = optimizer
        && c.weight_decay == AdamW::default().weight_decay
    {
        others.push(setting("weight_decay", &c.weight_decay.into(), lang)?);
    }
    with_settings(name, others, lang)
}

/// The learning rate schedule, with every setting that is not the default.
pub(super) fn schedule(schedule: &Schedule, lang: &Language) -> Result<String> {
    let form = |x: f64| lang.numbers.setting(x);
    let (name, told): (String, &[&str]) = match schedule {
        Schedule::Constant(_) => (lang.word("run.constant")?, &[]),
        Schedule::Step(c) => {
            let name = lang.say("run.step", context! { gamma => form(c.gamma), epochs => c.step_size })?;
            (name, &["gamma", "step_size"])
        }
        Schedule::Cosine(c) => (lang.say("run.cosine", context! { least => form(c.min_lr) })?, &["min_lr"]),
        Schedule::OneCycle(c) => {
            // Without the rounding errors of the product.
            let percent = form((c.pct_start * 1e8).round() / 1e6);
            let momentum = c.cycle_momentum.then(|| [c.base_momentum, c.max_momentum].map(form));
            let name = lang.say("run.one_cycle", context! { percent, momentum })?;
            (name, &["pct_start", "cycle_momentum", "base_momentum", "max_momentum"])
        }
        Schedule::ReduceOnPlateau(c) => {
            let values = context! { factor => form(c.factor), patience => c.patience };
            (lang.say("run.reduce_on_plateau", values)?, &["factor", "patience"])
        }
        Schedule::Warmup(c) => {
            // PyTorch's default is a third, which has no short decimal.
            let start = (c.start_factor != 1.0 / 3.0).then(|| form(c.start_factor));
            let values = context! { steps => c.steps, start, then => self::schedule(&c.then, lang)? };
            (lang.say("run.warmup", values)?, &["steps", "start_factor", "then"])
        }
    };
    with_settings(name, other_settings(schedule, told, lang)?, lang)
}

/// A name, followed by its settings.
fn with_settings(name: String, others: Vec<String>, lang: &Language) -> Result<String> {
    let parts: Vec<String> = std::iter::once(name).chain(others).collect();
    lang.say("run.with_settings", context! { parts })
}

/// Every setting that is not the default, except those in `told`, which another phrase has already printed.
fn other_settings<T>(choice: &T, told: &[&str], lang: &Language) -> Result<Vec<String>>
where
    T: DeserializeOwned + PartialEq + Serialize,
{
    let others = one_of::settings(choice).into_iter().filter(|(key, _)| !told.contains(&key.as_str()));
    others.map(|(key, value)| setting(&key, &value, lang)).collect()
}

/// A setting with its name. Each key of an optimizer or schedule has a phrase of its own.
fn setting(key: &str, value: &Value, lang: &Language) -> Result<String> {
    let printed = |value: &Value| value.as_f64().map_or_else(|| value.to_string(), |x| lang.numbers.setting(x));
    let value: Vec<String> = match value {
        Value::Array(items) => items.iter().map(printed).collect(),
        one => vec![printed(one)],
    };
    lang.say(&format!("setting.{key}"), context! { value })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::one_of::variants;
    use crate::report::Templates;
    use crate::text::Lang;

    /// Asserts that configurations which differ in one key print differently, for every key, in every language.
    fn each_key_is_printed<T>(words: &[&str], print: fn(&T, &Language) -> Result<String>)
    where
        T: DeserializeOwned + Serialize,
    {
        for language in Lang::ALL.map(|lang| Templates::built_in().language(lang).unwrap()) {
            let mut all = BTreeSet::new();
            let mut count = 0;
            for word in words {
                let (base, changed) = variants::of::<T>(word);
                for choice in changed.into_iter().map(|(_, choice)| choice).chain([base]) {
                    all.insert(print(&choice, &language).unwrap());
                    count += 1;
                }
            }
            assert_eq!(all.len(), count, "{all:?}");
        }
    }

    #[test]
    fn every_setting_of_every_optimizer_is_printed() {
        each_key_is_printed(Optimizer::WORDS, optimizer);
    }

    #[test]
    fn every_setting_of_every_schedule_is_printed() {
        each_key_is_printed(Schedule::WORDS, schedule);
    }

    #[test]
    fn optimizers_are_described_in_words() {
        let [en, uk] = Lang::ALL.map(|lang| Templates::built_in().language(lang).unwrap());
        for (yaml, english, ukrainian) in [
            ("adam: {lr: 0.01}", "Adam, learning rate 0.01", "Adam, швидкість навчання 0,01"),
            (
                "adam: {lr: 0.01, betas: [0, 0.5], eps: 0.1}",
                "Adam, learning rate 0.01, betas 0 and 0.5, eps 0.1",
                "Adam, швидкість навчання 0,01; коефіцієнти β 0 і 0,5; ε 0,1",
            ),
            (
                "adam: {lr: 0.00001, eps: 1e-9}",
                "Adam, learning rate 1e\u{2212}5, eps 1e\u{2212}9",
                "Adam, швидкість навчання 1e\u{2212}5; ε 1e\u{2212}9",
            ),
            (
                "adamw",
                "AdamW, learning rate 0.001, weight decay 0.01",
                "AdamW, швидкість навчання 0,001; згасання ваг 0,01",
            ),
            (
                "adamw: {weight_decay: 0}",
                "AdamW, learning rate 0.001, weight decay 0",
                "AdamW, швидкість навчання 0,001; згасання ваг 0",
            ),
            ("adadelta: {rho: 0.95}", "Adadelta, learning rate 1, rho 0.95", "Adadelta, швидкість навчання 1; ρ 0,95"),
            (
                "sgd: {lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.0005}",
                "SGD, learning rate 0.1, momentum 0.9, weight decay 0.0005, Nesterov",
                "SGD, швидкість навчання 0,1; імпульс 0,9; згасання ваг 0,0005; метод Нестерова",
            ),
            (
                "rmsprop: {alpha: 0.9, momentum: 0.5, centered: true}",
                "RMSprop, learning rate 0.01, alpha 0.9, momentum 0.5, centered",
                "RMSprop, швидкість навчання 0,01; α 0,9; імпульс 0,5; центрований",
            ),
            (
                "sgd: {lr: 0.1, dampening: 0.5}",
                "SGD, learning rate 0.1, dampening 0.5",
                "SGD, швидкість навчання 0,1; демпфування 0,5",
            ),
        ] {
            let choice: Optimizer = serde_yaml::from_str(yaml).unwrap();
            assert_eq!(optimizer(&choice, &en).unwrap(), english);
            assert_eq!(optimizer(&choice, &uk).unwrap(), ukrainian);
        }
    }

    #[test]
    fn schedules_are_described_in_words() {
        let [en, uk] = Lang::ALL.map(|lang| Templates::built_in().language(lang).unwrap());
        for (yaml, english, ukrainian) in [
            ("constant", "constant", "стала швидкість"),
            ("step: {step_size: 1}", "times 0.1 every epoch", "множник 0,1 щоепохи"),
            ("step: {step_size: 21, gamma: 0.5}", "times 0.5 every 21 epochs", "множник 0,5 кожні 21 епоху"),
            ("step: {step_size: 2, gamma: 0.5}", "times 0.5 every 2 epochs", "множник 0,5 кожні 2 епохи"),
            ("cosine: {min_lr: 0.00002}", "cosine to 2e\u{2212}5", "за косинусом до 2e\u{2212}5"),
            (
                "one_cycle: {pct_start: 0.301, div_factor: 10, base_momentum: 0.5}",
                "one cycle, highest rate after 30.1 % of the steps, momentum from 0.95 to 0.5 and back, starting at 1/10 of the maximum",
                "один цикл (one cycle), найбільша швидкість після 30,1 % кроків, імпульс від 0,95 до 0,5 і назад; початок — 1/10 максимуму",
            ),
            (
                "reduce_on_plateau: {factor: 0.5, patience: 1, min_lr: 0.001}",
                "times 0.5 when the validation loss has not fallen for more than 1 epoch, not below 0.001",
                "множник 0,5, якщо валідаційні втрати не зменшуються понад 1 епоху; не нижче 0,001",
            ),
            (
                "reduce_on_plateau: {patience: 0}",
                "times 0.1 after an epoch in which the validation loss has not fallen",
                "множник 0,1 після епохи, за яку валідаційні втрати не зменшилися",
            ),
            (
                "warmup: {steps: 200, then: {step: {step_size: 1}}}",
                "rising over the first 200 steps from a third of the rate, then times 0.1 every epoch",
                "зростання за перші 200 кроків від третини швидкості, далі множник 0,1 щоепохи",
            ),
            (
                "warmup: {steps: 1, start_factor: 0.1}",
                "rising over the first step from 0.1 of the rate, then constant",
                "зростання за перший крок від 0,1 швидкості, далі стала швидкість",
            ),
            (
                "one_cycle: {final_div_factor: 100, cycle_momentum: false}",
                "one cycle, highest rate after 30 % of the steps, momentum not cycled, ending at 1/100 of the start",
                "один цикл (one cycle), найбільша швидкість після 30 % кроків, імпульс не змінюється; кінець — 1/100 початку",
            ),
        ] {
            let choice: Schedule = serde_yaml::from_str(yaml).unwrap();
            assert_eq!(schedule(&choice, &en).unwrap(), english);
            assert_eq!(schedule(&choice, &uk).unwrap(), ukrainian);
        }
    }
}
