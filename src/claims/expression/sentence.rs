//! Renders a sentence: text with `{{ values }}`, `{% if %}`, `{% for %}`, `{% set %}` and `{% with %}`.

use std::collections::BTreeMap;

use minijinja::machinery::ast::{self, Expr, Stmt};
use minijinja::{Value, context};

use super::evaluator::{Evaluator, only_faults, seen};
use super::operators::{self, Kind};
use super::{MAX_TEXT, Mode, Stop};

/// The most items of a list for which a check renders the body of a `for`.
const CHECKED_ITEMS: usize = 3;

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
            let printed = value.to_string();
            seen(&printed)?;
            text.push_str(&printed);
        }
        Stmt::IfCond(choice) => {
            let holds = evaluator.condition(&choice.expr)?;
            let (taken, other) =
                if holds { (&choice.true_body, &choice.false_body) } else { (&choice.false_body, &choice.true_body) };
            if evaluator.mode == Mode::Check {
                let scopes = evaluator.scopes.clone();
                only_faults(statements(evaluator, other, &mut String::new()))?;
                evaluator.scopes = scopes;
            }
            statements(evaluator, taken, text)?;
        }
        Stmt::ForLoop(each) => for_loop(evaluator, each, text)?,
        Stmt::Set(set) => {
            let value = evaluator.value(&set.expr);
            assign(evaluator, &set.target, value)?;
        }
        Stmt::WithBlock(with) => {
            evaluator.scopes.push(BTreeMap::new());
            for (target, expr) in &with.assignments {
                let value = evaluator.value(expr);
                assign(evaluator, target, value)?;
            }
            let done = statements(evaluator, &with.body, text);
            evaluator.scopes.pop();
            done?;
        }
        _ => return Err(Stop::fault("a sentence may use `if`, `for`, `set` and `with`, and no other statement")),
    }
    if text.len() > MAX_TEXT {
        return Err(Stop::fault(format!("makes a text of more than {MAX_TEXT} bytes")));
    }
    Ok(())
}

/// Sets a variable. A missing value may be assigned; using the variable then fails.
fn assign(evaluator: &mut Evaluator, target: &Expr, value: Result<Value, Stop>) -> Result<(), Stop> {
    if let Err(fault @ Stop::Fault(_)) = value {
        return Err(fault);
    }
    match target {
        Expr::Var(var) => {
            let scope = evaluator.scopes.last_mut().expect("the outermost scope stays");
            scope.insert(var.id.to_owned(), value);
            Ok(())
        }
        Expr::List(list) => unpack(evaluator, &list.items, value),
        Expr::Tuple(tuple) => unpack(evaluator, &tuple.items, value),
        _ => Err(Stop::fault("only a name can be set")),
    }
}

/// Sets several variables to the items of a list.
fn unpack(evaluator: &mut Evaluator, targets: &[Expr], value: Result<Value, Stop>) -> Result<(), Stop> {
    let items: Vec<Value> = value?.try_iter()?.collect();
    if items.len() != targets.len() {
        return Err(Stop::fault(format!("{} names for {} values", targets.len(), items.len())));
    }
    targets.iter().zip(items).try_for_each(|(target, item)| assign(evaluator, target, Ok(item)))
}

fn for_loop(evaluator: &mut Evaluator, each: &ast::ForLoop, text: &mut String) -> Result<(), Stop> {
    let list = evaluator.value(&each.iter)?;
    if Kind::of(&list) != Kind::List {
        return Err(Stop::fault(format!("`{}` is not a list", evaluator.text(&each.iter))));
    }
    if each.recursive {
        return Err(Stop::fault("a recursive `for` is not supported"));
    }
    let scopes = evaluator.scopes.len();
    let done = passes(evaluator, each, &list, text);
    evaluator.scopes.truncate(scopes);
    done
}

fn passes(evaluator: &mut Evaluator, each: &ast::ForLoop, list: &Value, text: &mut String) -> Result<(), Stop> {
    let checking = evaluator.mode == Mode::Check;
    let mut items = Vec::new();
    for item in list.try_iter()? {
        evaluator.step()?;
        evaluator.scopes.push(BTreeMap::new());
        assign(evaluator, &each.target, Ok(item.clone()))?;
        let keep = match &each.filter_expr {
            // Stand-ins may all fail a condition that measured values pass, so a check keeps some items.
            Some(condition) => evaluator.condition(condition)? || (checking && items.len() < CHECKED_ITEMS),
            None => !checking || items.len() < CHECKED_ITEMS,
        };
        evaluator.scopes.pop();
        items.extend(keep.then_some(item));
    }
    if items.is_empty() {
        statements(evaluator, &each.else_body, text)?;
    } else if checking {
        only_faults(statements(evaluator, &each.else_body, &mut String::new()))?;
    }
    let length = items.len();
    for (i, item) in items.into_iter().enumerate() {
        evaluator.scopes.push(BTreeMap::new());
        assign(evaluator, &each.target, Ok(item))?;
        let position = context! {
            index => i + 1, index0 => i, first => i == 0, last => i + 1 == length, length, revindex => length - i,
        };
        evaluator.scopes.last_mut().expect("just pushed").insert("loop".to_owned(), Ok(position));
        statements(evaluator, &each.body, text)?;
        evaluator.scopes.pop();
    }
    Ok(())
}
