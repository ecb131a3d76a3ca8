//! `runs: {only: [a, b]}` in a study that extends another one: keeps these of its runs, and removes what names the others.

use serde_yaml::{Mapping, Value};

use super::grid::{self, Axis};
use super::lines::Lines;
use super::removal::{RUNS, Removal, in_words, text};
use super::{StudyError, cells};
use crate::text::closest::unknown;

/// The key in `runs`, which therefore is no run's name.
pub(in crate::study) const ONLY: &str = "only";
/// The runs to keep, as the file says that extends another one.
pub(super) struct Only {
    /// Where it stands, as an error without a message.
    place: StudyError,
    /// The place of its file among the files that extend each other.
    file: usize,
    runs: Vec<String>,
    /// The runs that the file itself sets.
    own: Vec<String>,
}

impl Only {
    /// Takes the list from the file that was read last, before it is merged into the study that it extends.
    pub(super) fn take(lines: &Lines, map: &mut Mapping) -> Result<Option<Self>, StudyError> {
        let Some(Value::Mapping(runs)) = map.get_mut(RUNS) else { return Ok(None) };
        let error = |message: &str| Err(lines.error_in_last("runs.only", message));
        let listed = match runs.shift_remove(ONLY) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Sequence(items)) => items,
            Some(_) => return error(NOT_A_RUN),
        };
        let own = runs.iter().filter(|(_, run)| !run.is_null()).filter_map(|(name, _)| text(name)).collect();
        let Some(names) = listed.iter().map(text).collect::<Option<Vec<String>>>() else { return error(NOT_A_RUN) };
        if names.is_empty() {
            return error("lists no run");
        }
        if let Some(i) = (1..names.len()).find(|i| names[..*i].contains(&names[*i])) {
            return error(&format!("`{}` is listed twice", names[i]));
        }
        let place = lines.error_in_last("runs.only", "");
        Ok(Some(Self { place, file: lines.files() - 1, runs: names, own }))
    }

    /// Refuses the key in a study that extends none.
    pub(super) fn refuse(lines: &Lines, map: &Mapping) -> Result<(), StudyError> {
        let message = match map.get(RUNS).and_then(|runs| runs.get(ONLY)) {
            None => return Ok(()),
            Some(Value::Sequence(_)) => {
                "keeps some runs of a study that this one `extends`, and it extends none: remove the other runs"
            }
            Some(_) => NOT_A_RUN,
        };
        Err(lines.error_in_last("runs.only", message))
    }

    /// Keeps these runs in the merged study, and adds a note on what that removed.
    pub(super) fn prune(&self, lines: &mut Lines, study: &mut Mapping) -> Result<(), StudyError> {
        let grid = grid::read(lines, study)?;
        let axes = grid.as_ref().map(|(_, axes)| axes.clone()).unwrap_or_default();
        let made: Vec<String> =
            if grid.is_some() { cells(&axes).into_iter().map(|cell| cell.run).collect() } else { Vec::new() };
        let typed = study.get(RUNS).and_then(Value::as_mapping).cloned().unwrap_or_default();
        let is_removed = |name: &String| typed.get(name.as_str()).is_some_and(Value::is_null);
        let other = typed.keys().filter_map(text).filter(|name| !made.contains(name));
        let all: Vec<String> = made.iter().cloned().chain(other).filter(|name| !is_removed(name)).collect();
        if let Some(name) = self.runs.iter().find(|name| !all.contains(name)) {
            return Err(StudyError { message: unknown("run", name, all.iter()), ..self.place.clone() });
        }
        let dropped: Vec<String> =
            all.iter().filter(|name| !self.runs.contains(name) && !self.own.contains(name)).cloned().collect();
        if dropped.is_empty() {
            return Ok(());
        }
        let before = models(study, &made, &axes, &all);
        let mut removal = Removal::new(lines, self.file, study);
        removal.runs(&dropped, &made, &axes);
        removal.what_names_them();
        let kept: Vec<String> = all.into_iter().filter(|name| !dropped.contains(name)).collect();
        let after = models(removal.study, &made, &axes, &kept);
        removal.models(before.into_iter().filter(|model| !after.contains(model)).collect());
        let told = removal.finish();
        let note = StudyError { message: format!("left out {}", in_words(&told)), ..self.place.clone() };
        lines.add_note(note.to_string());
        Ok(())
    }
}

const NOT_A_RUN: &str =
    "lists the runs to keep of a study that this one extends, such as `only: [a, b]`; no run can have this name";

/// The models that these runs use.
fn models(study: &Mapping, made: &[String], axes: &[Axis], runs: &[String]) -> Vec<String> {
    let of = |map: Option<&Value>, key: &str| map.and_then(|map| map.get(key)).cloned();
    let cells = cells(axes);
    let model = |run: &String| {
        let own = of(study.get(RUNS).and_then(|runs| runs.get(run.as_str())), "model");
        let of_grid = || match of(study.get("grid"), "model").filter(|_| made.contains(run))? {
            // After values were removed, their places are others; the kept ones still have their names.
            Value::Sequence(items) => {
                let axis = axes.iter().position(|axis| axis.key == "model")?;
                let cell = cells.iter().find(|cell| cell.run == *run)?;
                let name = &axes[axis].names[cell.places[axis]];
                items.into_iter().find(|item| text(item).is_some_and(|item| grid::slug(&item) == *name))
            }
            one => Some(one),
        };
        own.or_else(of_grid).or_else(|| of(study.get("defaults"), "model")).as_ref().and_then(text)
    };
    runs.iter().filter_map(model).collect()
}
