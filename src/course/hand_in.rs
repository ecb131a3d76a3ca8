//! One bundle on the page of a course: what is known of it, in the page's language, and its numbers.

use indexmap::IndexMap;
use minijinja::context;

use super::{Fact, LONGEST, MOST, RunRow, WIDEST, Writer, named, short, who};
use crate::report::{Result, RichText};
use crate::results::IntervalBasis;
use crate::rung::Rung;
use crate::study::KeyDifference;
use crate::text::terminal::{self, one_line};
use crate::verify::{AssignmentResult, KeyRun, Proof, Record, SharedNetwork, Statement, Status, Verification};

impl Writer<'_> {
    /// What is known of a bundle, the most important first.
    pub(super) fn facts(&self, record: &Record) -> Result<Vec<Fact>> {
        let own = |text: &str| vec![RichText::from(short(text, LONGEST))];
        let of_program = |text: &str| vec![with_code(&short(text, LONGEST))];
        let mut facts = Vec::new();
        if let Some(error) = &record.error {
            facts.push(self.fact("error", of_program(error), true)?);
        }
        if let Some((rung, first)) = record.first_difference() {
            facts.push(self.differences_of(record, rung, first)?);
        }
        if let Some(assignment) = record.assignment() {
            facts.extend(self.assignment(assignment)?);
        }
        if let Some(verification) = &record.verification {
            let lines = self.not_checked(verification)?;
            if !lines.is_empty() {
                facts.push(self.fact("not_checked", lines, true)?);
            }
            let closing = self.closing(verification)?;
            if Some(&closing) != self.closing.as_ref() {
                facts.push(self.fact("closing", vec![closing], false)?);
            }
            if let Some(diverged) = verification.about.diverged.as_ref().filter(|runs| !runs.is_empty()) {
                facts.push(self.fact("diverged", own(&diverged.join(", ")), true)?);
            }
        }
        let alike = self.likenesses(record)?;
        if !alike.is_empty() {
            facts.push(self.fact("alike", alike, false)?);
        }
        let [_, group, title] = record.names();
        for (key, text) in [("title", title), ("group", group)] {
            if let Some(text) = text {
                facts.push(self.fact(key, own(text), false)?);
            }
        }
        facts.push(self.fact("file", vec![RichText::code(terminal::path(&record.path))], false)?);
        if let Some(id) = record.report_id() {
            // The ID is that of the list of hashes, which the files no longer match.
            let key = if record.has_changed_files() { "stated_report_id" } else { "report_id" };
            facts.push(self.fact(key, vec![RichText::code(id)], false)?);
        }
        Ok(facts)
    }

    /// The first difference, and the others that its rung found.
    fn differences_of(&self, record: &Record, rung: Rung, first: &str) -> Result<Fact> {
        let steps = record.verification.iter().flat_map(|verification| &verification.steps);
        let all = steps.filter(|step| step.rung == rung).flat_map(|step| &step.details).map(String::as_str);
        let others: Vec<&str> = all.filter(|difference| *difference != first).collect();
        let mut lines = vec![self.of_rung(rung, first)?];
        for other in others.iter().take(MOST) {
            lines.push(self.of_rung(rung, other)?);
        }
        if others.len() > MOST {
            lines.push(self.say("more", context! { n => others.len() - MOST })?);
        }
        self.fact(if others.is_empty() { "difference" } else { "differences" }, lines, true)
    }

    fn of_rung(&self, rung: Rung, text: &str) -> Result<RichText> {
        self.say("of_rung", context! { rung => rung.name(), text => with_code(&short(text, LONGEST)).value() })
    }

    /// Why rungs were not checked, a line for each reason.
    fn not_checked(&self, verification: &Verification) -> Result<Vec<RichText>> {
        let mut reasons: IndexMap<&str, Vec<&str>> = IndexMap::new();
        for step in verification.asked(Status::NotChecked) {
            reasons.entry(step.details.first().map_or("", String::as_str)).or_default().push(step.rung.name());
        }
        let line = |(why, rungs): (&str, Vec<&str>)| {
            self.say("of_rung", context! { rung => rungs.join(", "), text => with_code(&short(why, LONGEST)).value() })
        };
        reasons.into_iter().map(line).collect()
    }

    /// The keys that must be equal and are not, and those that were changed as the assignment allows.
    fn assignment(&self, found: &AssignmentResult) -> Result<Vec<Fact>> {
        let file = terminal::path(&found.file);
        let mut lines = match found.status {
            Status::NotChecked => {
                let why = found.why.as_deref().unwrap_or_default();
                return Ok(vec![self.fact("assignment_not_checked", vec![with_code(&short(why, LONGEST))], true)?]);
            }
            Status::Passed => vec![self.say("is_assignment", context! { file })?],
            Status::Failed => Vec::new(),
        };
        lines.extend(self.differences(&found.differences.forbidden, found.forbidden_count)?);
        let mut facts = vec![self.fact("assignment", lines, false)?];
        let free = self.differences(&found.differences.free, found.free_count)?;
        if !free.is_empty() {
            facts.push(self.fact("free", free, false)?);
        }
        let languages = found.differences.languages_not_compared.join(", ");
        if !languages.is_empty() {
            let line = self.say("languages_not_compared", context! { languages })?;
            facts.push(self.fact("assignment_not_checked", vec![line], false)?);
        }
        let unchanged = &found.differences.unchanged;
        if !unchanged.is_empty() {
            let keys: Vec<&str> = unchanged.iter().map(String::as_str).collect();
            facts.push(self.fact("unchanged", vec![RichText::code(short(&named(&keys), LONGEST))], false)?);
        }
        Ok(facts)
    }

    fn differences(&self, differences: &[KeyDifference], count: usize) -> Result<Vec<RichText>> {
        let shown = |value: Option<String>| match value {
            None => self.word("nothing"),
            Some(yaml) => Ok(short(&yaml, WIDEST)),
        };
        let mut lines = Vec::new();
        for difference in differences.iter().take(MOST) {
            let [assignment, handed_in] = difference.in_yaml().map(shown);
            let (assignment, handed_in, key) = (assignment?, handed_in?, short(&difference.key, WIDEST));
            lines.push(self.say("difference", context! { key, assignment, handed_in })?);
        }
        if count > lines.len() {
            lines.push(self.say("more", context! { n => count - lines.len() })?);
        }
        Ok(lines)
    }

    /// What is proven and what is not.
    pub(super) fn closing(&self, verification: &Verification) -> Result<RichText> {
        let statements = &verification.closing.statements;
        let open = |statement: &Statement| match statement {
            Statement::Anything | Statement::Pages | Statement::Texts => self.statement(statement),
            other => Ok(self.say("open", context! { statement => self.statement(other)? })?.plain()),
        };
        let verify = if statements.verify_is_left {
            self.say("verify_left", context! { command => "verify" })?.plain()
        } else {
            String::new()
        };
        let command = "verify --upto rerun";
        let rerun = match statements.rerun_seconds {
            _ if !statements.rerun_is_left => RichText::default(),
            Some(seconds) => {
                let duration = self.duration(seconds)?;
                self.say("rerun_time", context! { command, duration })?
            }
            None if statements.verify_is_left => self.say("rerun_too", context! { command })?,
            None => self.say("rerun", context! { command })?,
        };
        let rerun = verify + &rerun.plain();
        let proven = statements.proven.iter().map(|statement| self.statement(statement)).collect::<Result<Vec<_>>>()?;
        let not_proven = statements.not_proven.iter().map(open).collect::<Result<Vec<_>>>()?;
        let (proven, not_proven) = (proven.join("; "), not_proven.join("; "));
        self.say("closing", context! { proven, not_proven, rerun })
    }

    fn statement(&self, statement: &Statement) -> Result<String> {
        let (key, values) = match statement {
            Statement::Difference { rung } => ("difference", context! { rung => rung.name() }),
            Statement::AnotherStudy { file } => ("another_study", context! { file => terminal::path(file) }),
            Statement::WrongPages => ("wrong_pages", ().into()),
            Statement::Pages => ("pages", ().into()),
            Statement::Anything => ("anything", ().into()),
            Statement::Files => ("files", ().into()),
            Statement::Exact => ("exact", ().into()),
            Statement::Render => ("render", ().into()),
            Statement::Metrics => ("metrics", ().into()),
            Statement::Weights => ("weights", ().into()),
            Statement::Trained { names, count, of, proof } => {
                let proof = match proof {
                    Proof::Whole => "whole",
                    Proof::Sampled => "sampled",
                    Proof::NotChecked => "",
                };
                let (some, more) = (count < of, count.saturating_sub(names.len()));
                ("trained", context! { names => names.join(", "), n => count, of, some, more, proof })
            }
            Statement::Tolerances => ("tolerances", ().into()),
            Statement::Nothing => ("nothing", ().into()),
            Statement::Texts => ("texts", ().into()),
        };
        Ok(self.say(&format!("statement.{key}"), values)?.plain())
    }

    fn duration(&self, seconds: f64) -> Result<String> {
        let minutes = (seconds / 60.0).round() as u64;
        let said = match minutes {
            _ if seconds < 90.0 => self.say("seconds", context! { seconds => self.lang.numbers.fixed(seconds, 0) })?,
            0..90 => self.say("minutes", context! { n => minutes })?,
            _ => self.say("hours", context! { hours => minutes / 60, minutes => minutes % 60 })?,
        };
        Ok(said.plain())
    }

    /// The others that are like a bundle, a line for each thing that they have in common.
    fn likenesses(&self, record: &Record) -> Result<Vec<RichText>> {
        let mut lines = Vec::new();
        for (common, paths) in record.likenesses() {
            if paths.is_empty() {
                continue;
            }
            let what = self.word(&format!("same.{}", common.name()))?;
            let others: Vec<_> = self.rows.iter().filter(|other| paths.contains(&other.path)).collect();
            let name = |other: &Record| format!("{} ({})", who(other), terminal::path(&other.path));
            let all: Vec<String> = others.iter().map(|other| name(other)).collect();
            lines.push(self.say("same_as", context! { what, who => all.join(", ") })?);
            for other in others {
                for shared in record.networks_shared_with(&other.path) {
                    lines.push(self.shared_network(shared, &name(other))?);
                }
            }
        }
        Ok(lines)
    }

    /// Which network is which of another bundle.
    pub(super) fn shared_network(&self, shared: &SharedNetwork, who: &str) -> Result<RichText> {
        let SharedNetwork { network, other, same, .. } = shared;
        self.say(
            &format!("shared_network.{same}"),
            context! { network => one_line(network), other => one_line(other), who },
        )
    }

    /// The accuracy of each run, with the size of its model.
    pub(super) fn runs(&self, record: &Record) -> Result<Vec<RunRow>> {
        let Some(about) = record.about() else { return Ok(Vec::new()) };
        let numbers = self.lang.numbers;
        let row = |run: &KeyRun| {
            let model = about.models.iter().find(|model| model.name == run.model);
            Ok(RunRow {
                title: one_line(&run.title),
                model: one_line(model.map_or(&run.model, |model| &model.title)),
                parameters: model.map_or_else(|| "–".to_owned(), |model| numbers.count(model.parameters)),
                accuracy: numbers.percent(run.accuracy, 2),
                interval: self.interval(run)?,
            })
        };
        about.runs.iter().map(row).collect()
    }

    fn interval(&self, run: &KeyRun) -> Result<String> {
        let (Some(interval), Some(over)) = (run.interval, run.over) else { return Ok("–".to_owned()) };
        let [lower, upper] = [interval.lower, interval.upper].map(|x| self.lang.numbers.points(x, 2));
        Ok(match over {
            IntervalBasis::Images => self.say("over_images", context! { lower, upper })?,
            IntervalBasis::Seeds => self.say("over_seeds", context! { lower, upper, seeds => run.seeds })?,
        }
        .plain())
    }
}

/// A message of `verify`, in which backticks enclose code. One without its partner stays as it is.
fn with_code(message: &str) -> RichText {
    let mut text = RichText::default();
    let mut rest = message;
    while let Some((before, (code, after))) =
        rest.split_once('`').and_then(|(before, inner)| Some((before, inner.split_once('`')?)))
    {
        text = text.then(before.into()).then(RichText::code(code));
        rest = after;
    }
    text.then(rest.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backticks_become_code() {
        let expected = RichText::from("a ").then(RichText::code("b")).then(RichText::from(" c` d"));
        assert_eq!(with_code("a `b` c` d"), expected);
        assert_eq!(with_code("none"), RichText::from("none"));
    }
}
