//! How a run's settings are said in words.

use crate::numbers::{count, percent};
use crate::results::{PlanFacts, RunResult};
use crate::study::{Images, Optimizer, Schedule};

/// How many epochs were done, and out of how many where a run stopped early.
pub fn epochs(r: &RunResult) -> String {
    let done: Vec<usize> = r.seeds.iter().map(|s| s.epochs.len()).collect();
    let (low, high) = (done.iter().min().copied().unwrap_or(0), done.iter().max().copied().unwrap_or(0));
    let done = if low == high { low.to_string() } else { format!("{low} to {high}") };
    match r.plan.stop_below_train_loss {
        Some(loss) => format!("{done} (at most {}, until the training loss is below {loss})", r.plan.epochs),
        None => done,
    }
}

/// A run's budget in a line.
pub fn budget(r: &RunResult) -> String {
    let batches = format!("batch {}", r.plan.batch_size);
    let seeds = if r.seeds.len() == 1 { "one seed".to_owned() } else { format!("{} seeds", r.seeds.len()) };
    let (images, epochs) = (images(&r.plan), epochs(r));
    format!("training images: {images}; epochs: {epochs}; {batches}, {}, {seeds}", optimizer(&r.plan.optimizer))
}

/// How many training images, and which.
pub fn images(p: &PlanFacts) -> String {
    let how = match (&p.images, p.hold_out > 0) {
        (Images::All(_), false) => String::new(),
        (Images::All(_), true) => "all others".into(),
        (Images::First(_), false) => "the first".into(),
        (Images::First(_), true) => "the first of the others".into(),
        (Images::Random(_), _) => "drawn".into(),
        (Images::PerClass(each), _) => format!("{each} a class"),
    };
    let held = (p.hold_out > 0).then(|| format!("{} held out", count(p.hold_out as u64)));
    let remarks: Vec<String> = held.into_iter().chain(Some(how).filter(|how| !how.is_empty())).collect();
    let n = count(p.image_count as u64);
    if remarks.is_empty() { n } else { format!("{n} ({})", remarks.join(", ")) }
}

/// The update rule with what the study sets of it.
pub fn optimizer(o: &Optimizer) -> String {
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

/// The learning rate's course.
pub fn schedule(s: &Schedule) -> String {
    match s {
        Schedule::Constant(_) => "constant".into(),
        Schedule::Step(c) => format!("times {} every {} epochs", c.gamma, c.step_size),
        Schedule::Cosine(c) => format!("cosine to {}", c.min_lr),
        Schedule::OneCycle(c) => format!("one cycle, peak after {}", percent(c.pct_start, 0)),
    }
}
