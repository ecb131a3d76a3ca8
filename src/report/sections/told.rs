//! A decided conclusion in words: its question, its answer, and the rule that decided it.

use minijinja::Value;

use super::comparisons::{no_interval, no_test};
use super::prelude::*;
use crate::claims::{
    Answer, Compared, DecidedConclusion, FAR_FROM_ZERO, Finding, Grounds, Losses, NEAR_ZERO, ORDER_MARGIN, Obstacle,
    ParameterCounts, RISE, TIMES_AS_HIGH, TIMES_GUESSING, Turn,
};
use crate::dataset::{ImageOrder, Subset};
use crate::results::{IntervalBasis, NoInterval};
use crate::study::{Kind, ModelPair, OrderPair};

/// The question: the study's, or that of its kind.
pub(super) fn question(b: &Builder, c: &DecidedConclusion) -> Result<RichText> {
    match (&c.question, &c.answer) {
        (Some(question), _) => Ok(question.as_str().into()),
        (None, Answer::Kind { kind, .. }) => b.text(&key(kind, "question"), about(b, kind)),
        (None, Answer::Own { .. }) => Ok(RichText::default()),
    }
}

/// The answer, with what was in the way of one and the author's remark.
pub(super) fn answer(b: &Builder, c: &DecidedConclusion) -> Result<RichText> {
    with_remark(b, sentence(b, c)?.then(obstacle(b, c.obstacle.as_ref())?), c)
}

/// Some text, and on a line of its own the author's remark, which must not look like the program's words.
pub(super) fn with_remark(b: &Builder, mut text: RichText, c: &DecidedConclusion) -> Result<RichText> {
    if let Some(why) = &c.why {
        text.push(InlineStyle::Break, "", "", "");
        text.append(b.text("conclusions.remark", context! { why => RichText::from(why.as_str()).value() })?);
    }
    Ok(text)
}

/// The answer alone.
pub(super) fn sentence(b: &Builder, c: &DecidedConclusion) -> Result<RichText> {
    match &c.answer {
        Answer::Own { sentence, .. } => Ok(sentence.as_str().into()),
        Answer::Kind { fact: None, .. } => b.phrase("kinds.undecided"),
        Answer::Kind { kind, fact: Some(fact) } => b.text(&key(kind, c.finding.word()), values(b, fact)?),
    }
}

/// What was measured, in a few words beside the verdict; without the author's remark.
pub(super) fn brief(b: &Builder, c: &DecidedConclusion) -> Result<RichText> {
    match &c.answer {
        Answer::Own { sentence, .. } => Ok(sentence.as_str().into()),
        Answer::Kind { fact: None, .. } => obstacle(b, c.obstacle.as_ref()),
        Answer::Kind { kind, fact: Some(fact) } => {
            let refuted = context! { refuted => c.finding == Finding::Refuted };
            b.text(&key(kind, "brief"), context! { ..values(b, fact)?, ..refuted })
        }
    }
}

/// By how much one run is more accurate than the other, after the sentence on another comparison or none.
pub(super) fn difference(b: &Builder, found: &Compared, before: Option<&Compared>) -> Result<RichText> {
    let values = context! {
        size => b.lang.numbers.points(found.difference.abs(), 2),
        gains => found.difference >= 0.0,
        is_first => before.is_none(),
        says_epochs => before.is_none_or(|before| before.epochs != found.epochs),
    };
    b.text("lead.difference", context! { ..of_comparison(b, found)?, ..values })
}

/// The rule that decides it.
pub(super) fn how(b: &Builder, c: &DecidedConclusion) -> Result<RichText> {
    match &c.answer {
        Answer::Own { supported_if, refuted_if, .. } => {
            b.text("conclusions.how", context! { supported_if, refuted_if })
        }
        Answer::Kind { kind, .. } => b.text(&key(kind, "how"), context! { ..about(b, kind), ..thresholds(b) }),
    }
}

/// Why a conclusion could not be decided, or nothing measured for a claim; empty if nothing stood in the way.
pub(super) fn obstacle(b: &Builder, obstacle: Option<&Obstacle>) -> Result<RichText> {
    match obstacle {
        None => Ok(RichText::default()),
        Some(Obstacle::NotMeasured(names)) => b.text("conclusions.not_measured", context! { names }),
        Some(Obstacle::NoValue(reason)) => {
            // The reason is a message for the study's author, in English; it starts with the expression.
            let expression = reason.split('`').nth(1).unwrap_or(reason);
            b.text("conclusions.no_value", context! { expression })
        }
        Some(Obstacle::BothHold) => b.phrase("conclusions.both_hold"),
        Some(Obstacle::NoInterval(reason)) => {
            b.text("conclusions.no_interval", context! { reason => no_interval(*reason, b.lang)? })
        }
    }
}

fn key(kind: &Kind, part: &str) -> String {
    format!("kinds.{}.{part}", kind.word())
}

/// What a kind's question is about, by title.
fn about(b: &Builder, kind: &Kind) -> Value {
    match kind {
        Kind::Overfits(run) | Kind::OverfittingStarts(run) | Kind::Learns(run) => context! { run => b.run_title(run) },
        Kind::FewerParameters(ModelPair { model, than }) => {
            context! { model => b.model_title(model), than => b.model_title(than) }
        }
        Kind::KeepsAccuracy(name) | Kind::Better(name) => {
            let compared = b.study.comparisons.get(name).map_or((name, name), |c| (&c.run, &c.against));
            let margin = b.study.comparisons.get(name).and_then(|c| c.margin).unwrap_or_default();
            let limit = b.lang.numbers.points(-margin, 2);
            context! { run => b.run_title(compared.0), against => b.run_title(compared.1), limit }
        }
        Kind::BestOf(runs) => {
            let all = runs.len() == b.study.runs.len();
            context! { runs => runs.iter().map(|run| b.run_title(run).to_owned()).collect::<Vec<_>>(), all }
        }
        Kind::OrderMatters(OrderPair { shuffled, ordered }) => {
            context! { run => b.run_title(shuffled), against => b.run_title(ordered) }
        }
    }
}

/// The limits that the rules of all kinds use.
fn thresholds(b: &Builder) -> Value {
    let form = b.lang.numbers;
    context! {
        near => form.setting(NEAR_ZERO),
        far => form.setting(FAR_FROM_ZERO),
        times => form.setting(TIMES_AS_HIGH.max(TIMES_GUESSING)),
        asked => form.percent(RISE, 0),
        margin => form.points(ORDER_MARGIN, 0),
    }
}

/// From this ratio of mult-adds, a smaller network is said to compute more.
const NOTABLY_MORE: f64 = 1.05;

/// The values of a kind's answers.
fn values(b: &Builder, fact: &Grounds) -> Result<Value> {
    let form = b.lang.numbers;
    Ok(match fact {
        Grounds::Overfits(losses) => of_losses(b, losses),
        Grounds::OverfittingStarts(turn) => of_turn(b, turn),
        Grounds::Learns { seeds, accuracy, guessing, .. } => context! {
            accuracy => form.percent(*accuracy, 2), guessing => form.percent(*guessing, 2), yes => seeds.yes, of => seeds.of,
        },
        Grounds::FewerParameters(sizes) => {
            let ParameterCounts { model, than, parameters, of_other } = sizes;
            let mult_adds = |model: &String| b.results.models.get(model).map_or(0.0, |m| m.mult_adds as f64);
            let computes = mult_adds(model) / mult_adds(than);
            let more = (computes > NOTABLY_MORE).then(|| form.fixed(computes, 1));
            let than = b.model_title(than);
            context! { than, parameters, of_other, times => form.fixed(sizes.times(), 2), more }
        }
        Grounds::KeepsAccuracy(c) | Grounds::Better(c) | Grounds::OrderMatters(c) => of_comparison(b, c)?,
        Grounds::BestOf { best, accuracy, ties, unknown, why } => {
            let titles = |runs: &[String]| runs.iter().map(|run| b.run_title(run).to_owned()).collect::<Vec<_>>();
            context! {
                best => b.run_title(best), accuracy => form.percent(*accuracy, 2), ties => titles(ties),
                unknown => titles(unknown), two_seeds => *why == Some(NoInterval::TwoSeeds),
                reason => why.map(|reason| no_test(reason, b.lang)).transpose()?,
            }
        }
    })
}

fn of_losses(b: &Builder, l: &Losses) -> Value {
    let form = b.lang.numbers;
    let times = l.test_loss / l.train_loss;
    // Both losses are printed with few digits, so a large ratio has fewer.
    let times = if l.train_loss > 0.0 { form.fixed(times, usize::from(times < 10.0)) } else { String::new() };
    let chance =
        if l.is_like_chance { form.fixed((b.results.data.test_classes.len() as f64).ln(), 3) } else { String::new() };
    context! {
        epoch => l.epoch,
        images => l.images,
        train_loss => form.loss(l.train_loss),
        train_accuracy => l.train_accuracy.map(|a| form.percent(a, 2)).unwrap_or_default(),
        test_loss => form.loss(l.test_loss),
        test_accuracy => form.percent(l.test_accuracy, 2),
        near => form.setting(NEAR_ZERO),
        asked => form.setting(TIMES_AS_HIGH),
        times, chance, yes => l.seeds.yes, of => l.seeds.of,
    }
}

fn of_turn(b: &Builder, turn: &Turn) -> Value {
    let form = b.lang.numbers;
    let [first, last] = turn.epochs;
    context! {
        first, final => last, last => turn.last,
        lowest => form.loss(turn.lowest),
        end => form.loss(turn.end),
        rise => form.percent(turn.end / turn.lowest - 1.0, 1),
        asked => form.percent(RISE, 0),
    }
}

fn of_comparison(b: &Builder, c: &Compared) -> Result<Value> {
    let form = b.lang.numbers;
    let points = |x: f64| form.points(x, 2);
    let [one, other] = c.seeds;
    let difference = b.text(
        "kinds.difference",
        context! {
            points => points(c.difference), lower => points(c.interval.lower), upper => points(c.interval.upper),
            over_seeds => c.over == IntervalBasis::Seeds, one, other,
        },
    )?;
    let [parameters, of_other] = c.parameters;
    let is_smaller = parameters > 0 && parameters < of_other;
    let times = if is_smaller { form.fixed(of_other as f64 / parameters as f64, 2) } else { String::new() };
    let against = b.results.runs.get(&c.against).map(|run| &run.plan);
    let most_classes = against.map_or(0, |plan| most_classes_in_a_batch(plan.batch_size, &plan.images, plan.hold_out));
    // Where a batch can have images of all classes, their order explains nothing.
    let has_few = most_classes < b.results.data.test_classes.len();
    let by_class = has_few && against.is_some_and(|plan| plan.order == ImageOrder::ByClass);
    let half = (c.interval.upper - c.interval.lower) / 2.0;
    let half = if half >= c.margin { points(half) } else { String::new() };
    Ok(context! {
        run => b.run_title(&c.run),
        against => b.run_title(&c.against),
        points => points(c.difference), lower => points(c.interval.lower), upper => points(c.interval.upper),
        open => c.interval.lower <= 0.0 && c.interval.upper >= 0.0,
        accuracy => form.percent(c.accuracies[0], 2),
        other => form.percent(c.accuracies[1], 2),
        epochs => c.epochs[0],
        other_epochs => c.epochs[1],
        chosen => [&c.run, &c.against].into_iter().any(|run| b.results.runs.get(run).is_some_and(chooses_epoch)),
        images => c.train_images,
        margin => points(c.margin),
        times,
        difference => difference.value(),
        first => c.first.map(points).unwrap_or_default(),
        shrinks => c.first.is_some_and(|first| first > c.difference),
        by_class, most_classes, half,
    })
}

/// From how many classes a batch can have images, class by class; 0 if the study does not say how many images a class
/// has.
fn most_classes_in_a_batch(batch_size: usize, images: &Subset, hold_out: usize) -> usize {
    match *images {
        Subset::PerClass(each) if each > 0 && hold_out == 0 => batch_size.saturating_sub(1).div_ceil(each) + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_the_classes_that_it_can_reach() {
        let most = |batch_size, each| most_classes_in_a_batch(batch_size, &Subset::PerClass(each), 0);
        assert_eq!([most(128, 200), most(1, 200), most(201, 200), most(202, 200)], [2, 1, 2, 3]);
        assert_eq!(most_classes_in_a_batch(128, &Subset::default(), 0), 0);
    }
}
