//! How a run's settings are put into words.

use super::prelude::*;
use crate::dataset::{ImageOrder, Subset};
use crate::results::RunResult;
use crate::study::{Optimizer, RunSettings, Schedule};

/// The fewest and the most epochs that a seed was trained for.
fn fewest_and_most(run: &RunResult) -> (usize, usize) {
    let epochs = || run.seeds.iter().map(|s| s.epochs.len());
    (epochs().min().unwrap_or(0), epochs().max().unwrap_or(0))
}

/// How many epochs were trained.
pub(super) fn epochs_done(run: &RunResult, lang: &Language) -> Result<String> {
    let (low, high) = fewest_and_most(run);
    lang.say("run.epochs", context! { low, high })
}

/// How many epochs were trained, and when training stops early, if it does.
pub(super) fn epochs(run: &RunResult, lang: &Language) -> Result<String> {
    let Some(loss) = run.plan.stop_below_train_loss else { return epochs_done(run, lang) };
    let ((low, high), loss) = (fewest_and_most(run), lang.numbers.plain(loss));
    lang.say("run.epochs_stopped", context! { low, high, most => run.plan.epochs, loss })
}

/// A run's training on one line.
pub(super) fn budget(title: &str, run: &RunResult, lang: &Language) -> Result<String> {
    let values = context! {
        title,
        images => images(&run.plan, lang)?,
        epochs => epochs(run, lang)?,
        batch => run.plan.batch_size,
        optimizer => optimizer(&run.plan.optimizer, lang)?,
        seeds => run.seeds.len(),
    };
    lang.say("run.budget", values)
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

/// The optimizer with its settings; settings of 0 are omitted.
pub(super) fn optimizer(optimizer: &Optimizer, lang: &Language) -> Result<String> {
    let set = |x: f64| if x == 0.0 { String::new() } else { lang.numbers.plain(x) };
    let (key, lr, decay) = match optimizer {
        Optimizer::Sgd(c) => {
            let (lr, decay, momentum) = (lang.numbers.plain(c.lr), set(c.weight_decay), set(c.momentum));
            let (nesterov, dampening) = (c.nesterov, set(c.dampening));
            return lang.say("run.sgd", context! { lr, momentum, nesterov, dampening, decay });
        }
        Optimizer::Adam(c) => ("run.adam", c.lr, c.weight_decay),
        Optimizer::AdamW(c) => ("run.adamw", c.lr, c.weight_decay),
        Optimizer::Adadelta(c) => ("run.adadelta", c.lr, c.weight_decay),
    };
    lang.say(key, context! { lr => lang.numbers.plain(lr), decay => set(decay) })
}

/// The learning rate schedule.
pub(super) fn schedule(schedule: &Schedule, lang: &Language) -> Result<String> {
    match schedule {
        Schedule::Constant(_) => lang.word("run.constant"),
        Schedule::Step(c) => {
            lang.say("run.step", context! { gamma => lang.numbers.plain(c.gamma), epochs => c.step_size })
        }
        Schedule::Cosine(c) => lang.say("run.cosine", context! { least => lang.numbers.plain(c.min_lr) }),
        Schedule::OneCycle(c) => lang.say("run.one_cycle", context! { share => lang.numbers.percent(c.pct_start, 0) }),
    }
}
