//! How a run's settings are said in words.

use anyhow::Result;
use minijinja::context;

use super::language::Language;
use crate::dataset::Subset;
use crate::results::{PlanFacts, RunResult};
use crate::study::{Optimizer, Schedule};

/// The fewest and the most epochs that a seed did.
fn fewest_and_most(r: &RunResult) -> (usize, usize) {
    let done = || r.seeds.iter().map(|s| s.epochs.len());
    (done().min().unwrap_or(0), done().max().unwrap_or(0))
}

/// How many epochs were done.
pub fn done(r: &RunResult, lang: &Language) -> Result<String> {
    let (low, high) = fewest_and_most(r);
    lang.say("run.epochs", context! { low, high })
}

/// How many epochs were done, and out of how many where a run stops early.
pub fn epochs(r: &RunResult, lang: &Language) -> Result<String> {
    let Some(loss) = r.plan.stop_below_train_loss else { return done(r, lang) };
    let ((low, high), loss) = (fewest_and_most(r), lang.numbers.plain(loss));
    lang.say("run.epochs_stopped", context! { low, high, most => r.plan.epochs, loss })
}

/// A run's budget in a line.
pub fn budget(title: &str, r: &RunResult, lang: &Language) -> Result<String> {
    let values = context! {
        title,
        images => images(&r.plan, lang)?,
        epochs => epochs(r, lang)?,
        batch => r.plan.batch_size,
        optimizer => optimizer(&r.plan.optimizer, lang)?,
        seeds => r.seeds.len(),
    };
    lang.say("run.budget", values)
}

/// How many training images, and which.
pub fn images(p: &PlanFacts, lang: &Language) -> Result<String> {
    let (which, each) = match &p.images {
        Subset::All(_) => ("all", None),
        Subset::First(_) => ("first", None),
        Subset::Random(_) => ("random", None),
        Subset::PerClass(each) => ("per_class", Some(*each)),
    };
    let but = if p.hold_out > 0 { "_but" } else { "" };
    let (n, held) = (lang.numbers.count(p.image_count as u64), lang.numbers.count(p.hold_out as u64));
    lang.say(&format!("run.images_{which}{but}"), context! { n, held, each })
}

/// The update rule with what the study sets of it.
pub fn optimizer(o: &Optimizer, lang: &Language) -> Result<String> {
    // What is 0 is not spoken of.
    let set = |x: f64| if x == 0.0 { String::new() } else { lang.numbers.plain(x) };
    let (key, lr, decay) = match o {
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

/// The learning rate's course.
pub fn schedule(s: &Schedule, lang: &Language) -> Result<String> {
    match s {
        Schedule::Constant(_) => lang.word("run.constant"),
        Schedule::Step(c) => {
            lang.say("run.step", context! { gamma => lang.numbers.plain(c.gamma), epochs => c.step_size })
        }
        Schedule::Cosine(c) => lang.say("run.cosine", context! { least => lang.numbers.plain(c.min_lr) }),
        Schedule::OneCycle(c) => lang.say("run.one_cycle", context! { share => lang.numbers.percent(c.pct_start, 0) }),
    }
}
