//! Renders a sentence: text with `{{ values }}` and `{% if %}`.
//!
//! It has no other statement: with variables and loops, a few words could make a list of 2^60 items.

use minijinja::machinery::ast::Stmt;

use super::evaluator::{Evaluator, only_faults, seen};
use super::operators;
use super::{MAX_TEXT, Mode, Stop};

/// Renders a whole sentence.
pub(super) fn render(evaluator: &mut Evaluator, template: &Stmt) -> Result<String, Stop> {
    let mut text = String::new();
    statement(evaluator, template, &mut text)?;
    Ok(text)
}

fn statements(evaluator: &mut Evaluator, body: &[Stmt], text: &mut String) -> Result<(), Stop> {
    body.iter().try_for_each(|s| statement(evaluator, s, text))
}

fn statement(evaluator: &mut Evaluator, stmt: &Stmt, text: &mut String) -> Result<(), Stop> {
    evaluator.step()?;
    match stmt {
        Stmt::Template(template) => statements(evaluator, &template.children, text)?,
        Stmt::EmitRaw(raw) => text.push_str(raw.raw),
        Stmt::EmitExpr(emit) => {
            let value = evaluator.complete(&emit.expr)?;
            if operators::has_groups(&value) {
                let name = evaluator.text(&emit.expr);
                return Err(Stop::fault(format!("`{name}` is a group of values; print one of them")));
            }
            let printed = match operators::fraction(&value) {
                Some(x) => evaluator.interpreter.format.few_decimals(x),
                None => value.to_string(),
            };
            seen(&printed)?;
            text.push_str(&printed);
        }
        Stmt::IfCond(choice) => {
            let holds = evaluator.condition(&choice.expr)?;
            let (taken, other) =
                if holds { (&choice.true_body, &choice.false_body) } else { (&choice.false_body, &choice.true_body) };
            if evaluator.mode == Mode::Check {
                only_faults(statements(evaluator, other, &mut String::new()))?;
            }
            statements(evaluator, taken, text)?;
        }
        _ => return Err(Stop::fault("a sentence may use `{{ value }}` and `{% if %}`, and no other statement")),
    }
    if text.len() > MAX_TEXT {
        return Err(Stop::fault(format!("makes a text of more than {MAX_TEXT} bytes")));
    }
    Ok(())
}
