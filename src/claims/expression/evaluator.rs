//! Evaluates the syntax tree of an expression.
//!
//! Longer than 400 lines because every kind of expression is a method of one type, which counts their steps.

use minijinja::machinery::Span;
use minijinja::machinery::ast::{self, BinOpKind, CallArg, Expr, UnaryOpKind};
use minijinja::value::Kwargs;
use minijinja::{State, Value, context};

use super::functions::{LETTERS_COMPARED, MOST_COMPARED};
use super::operators::{self, OperandKind};
use super::paths::{member_path, path};
use super::{Interpreter, Mode, Stop, both, functions};
use crate::text::{on_one_line, terminal::is_hidden, unseen::complaint};

/// Tests that a sentence may apply to a value that was not measured.
const PRESENCE_TESTS: [&str; 4] = ["defined", "undefined", "none", "number"];

/// Tests of whole numbers.
const WHOLE_NUMBER_TESTS: [&str; 3] = ["odd", "even", "divisibleby"];

/// The groups whose members a study names.
const OPEN_GROUPS: [&str; 4] = ["runs", "models", "comparisons", "values"];

/// The groups whose members may not have been measured, because a run diverged.
const MEASURED_GROUPS: [&str; 2] = ["runs", "comparisons"];

/// Bytes of an expression that are copied in a step, for a message.
const TEXT_OF_STEP: u64 = 16;

pub(super) type Evaluated = Result<Value, Stop>;

/// Arguments by position, and by name.
type Arguments = (Vec<Value>, Vec<(String, Value)>);

/// Evaluates expressions over a study's values.
pub(super) struct Evaluator<'e> {
    pub(super) interpreter: &'e Interpreter,
    /// Passed to filters, so that all filters of one expression share one budget of steps.
    state: State<'e, 'e>,
    source: &'e str,
    values: &'e Value,
    pub(super) in_sentence: bool,
    pub(super) mode: Mode,
    pub(super) steps: u64,
}

impl<'e> Evaluator<'e> {
    pub(super) fn new(interpreter: &'e Interpreter, source: &'e str, values: &'e Value, mode: Mode) -> Self {
        Self { interpreter, state: interpreter.env.empty_state(), source, values, in_sentence: false, mode, steps: 0 }
    }

    /// An expression as the study writes it, on one line.
    pub(super) fn text(&self, expr: &Expr) -> String {
        if let Some(path) = path(expr) {
            return path;
        }
        if let Expr::Filter(filter) = expr {
            return self.text_of_filter(filter);
        }
        let span: Span = expr.span();
        let text = self.source.get(span.start_offset as usize..span.end_offset as usize).unwrap_or(self.source);
        on_one_line(text)
    }

    /// As [`Self::text`]; counts the steps that this takes, because expressions in expressions are copied again and again.
    fn counted_text(&mut self, expr: &Expr) -> Result<String, Stop> {
        let text = self.text(expr);
        self.charge(text.len() as u64 / TEXT_OF_STEP)?;
        Ok(text)
    }

    fn text_of_filter(&self, filter: &ast::Filter) -> String {
        let mut names = vec![filter.name];
        let mut input = filter.expr.as_ref();
        while let Some(Expr::Filter(inner)) = input {
            names.push(inner.name);
            input = inner.expr.as_ref();
        }
        names.push("");
        names.reverse();
        input.map_or(String::new(), |input| self.text(input)) + &names.join("|")
    }

    /// The value of an expression.
    pub(super) fn value(&mut self, expr: &Expr) -> Evaluated {
        self.step()?;
        match expr {
            Expr::Var(var) => self.whole(var.id),
            Expr::Const(constant) if OperandKind::of(&constant.value) == OperandKind::Missing => {
                Err(Stop::fault("`none` is not a value; a value that was not measured cannot be compared"))
            }
            Expr::Const(constant) => {
                seen(constant.value.as_str().unwrap_or_default())?;
                Ok(constant.value.clone())
            }
            Expr::Slice(slice) => self.slice(slice),
            Expr::UnaryOp(unary) => self.unary(unary),
            Expr::BinOp(binary) => {
                let text = self.counted_text(expr)?;
                self.binary(binary, &text)
            }
            Expr::Compare(chain) => {
                let text = self.counted_text(expr)?;
                self.chain(chain, &text)
            }
            Expr::IfExpr(choice) => self.choice(choice),
            Expr::Filter(filter) => self.filter(filter),
            Expr::Test(test) => self.test(test).map(Value::from),
            Expr::GetAttr(get) => {
                let group = self.group(&get.expr)?;
                self.member(&group, &Value::from(get.name), expr, &get.expr)
            }
            Expr::GetItem(get) => {
                let (group, key) = both(self.group(&get.expr), self.value(&get.subscript_expr))?;
                self.member(&group, &key, expr, &get.expr)
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.list(&list.items),
            Expr::Tuple(tuple) => self.list(&tuple.items),
            Expr::Map(map) => {
                let (keys, values) = both(self.list(&map.keys), self.list(&map.values))?;
                Ok(Value::from_pairs(keys.try_iter()?.zip(values.try_iter()?)))
            }
        }
    }

    /// The value of an expression, checked by `operators::complete`, for operators and filters that read the items of a
    /// list.
    pub(super) fn complete(&mut self, expr: &Expr) -> Evaluated {
        let value = self.value(expr)?;
        let text = self.counted_text(expr)?;
        self.check_complete(&value, &text)?;
        Ok(value)
    }

    /// The value of a condition.
    pub(super) fn condition(&mut self, expr: &Expr) -> Result<bool, Stop> {
        let value = self.value(expr)?;
        let text = self.counted_text(expr)?;
        operators::truth(&value, &text)
    }

    fn variable(&self, name: &str) -> Evaluated {
        let value = self.values.get_attr(name)?;
        if OperandKind::of(&value) == OperandKind::Missing {
            return Err(self.missing(name.to_owned(), functions::hint(self.values, name, false), true));
        }
        Ok(value)
    }

    /// A group of which one member is taken.
    fn group(&mut self, expr: &Expr) -> Evaluated {
        match expr {
            Expr::Var(var) => self.step().and_then(|()| self.variable(var.id)),
            _ => self.value(expr),
        }
    }

    /// A variable's whole value. All runs have a value only if each of them was measured: otherwise `runs|items` would leave
    /// out those that diverged, and the worst would be the best.
    fn whole(&mut self, name: &str) -> Evaluated {
        let value = self.variable(name)?;
        if !MEASURED_GROUPS.contains(&name) {
            return Ok(value);
        }
        self.charge(operators::members(&value))?;
        let mut missing = Ok(());
        for key in value
            .try_iter()?
            .filter(|key| value.get_item(key).is_ok_and(|v| OperandKind::of(&v) == OperandKind::Missing))
        {
            let stop = Stop::not_measured(member_path(name, &key), format!("`{name}` as a whole needs all of them"));
            missing = both(missing, Err::<(), _>(stop)).map(|_| ());
        }
        missing.map(|()| value)
    }

    /// A member of a group, by name, or an item of a list, by index.
    fn member(&mut self, group: &Value, key: &Value, whole: &Expr, of: &Expr) -> Evaluated {
        let by_index = OperandKind::of(group) == OperandKind::List;
        if by_index && !key.is_integer() {
            return Err(Stop::fault(format!("`{}` is a list; its items are numbered from 0", self.text(of))));
        }
        let by_name = OperandKind::of(group) == OperandKind::Map && OperandKind::of(key) == OperandKind::Text;
        if !(by_index || by_name) {
            return Err(Stop::fault(format!("`{}` has no members", self.text(of))));
        }
        let value = group.get_item(key)?;
        match OperandKind::of(&value) {
            OperandKind::Missing if by_index => {
                let items = group.len().unwrap_or(0);
                Err(Stop::not_measured(self.text(whole), format!("the list has {items} items")))
            }
            OperandKind::Missing => {
                let (name, of) = (key.as_str().unwrap_or_default(), self.counted_text(of)?);
                let is_known = functions::has_member(group, name);
                // What is meant is looked for among them, letter by letter.
                let members = operators::members(group);
                let compared = if is_known { 0 } else { members.min(MOST_COMPARED as u64) };
                self.charge(members + compared * name.len().min(LETTERS_COMPARED) as u64)?;
                let open = OPEN_GROUPS.contains(&of.as_str()) || of.starts_with("values") || of.ends_with("layers");
                let whole = self.counted_text(whole)?;
                Err(self.missing(whole, functions::hint(group, name, open), !open && !is_known))
            }
            OperandKind::Number => {
                let text = self.counted_text(whole)?;
                self.check_complete(&value, &text).map(|()| value)
            }
            _ => Ok(value),
        }
    }

    /// The reason that a value is missing. In a sentence, a name that no study can have is a mistake, because `is defined`
    /// would take it for a value that was not measured.
    fn missing(&self, name: String, hint: String, unknown: bool) -> Stop {
        if unknown && self.in_sentence && self.mode == Mode::Check {
            let hint = if hint.is_empty() { hint } else { format!("; {hint}") };
            return Stop::fault(format!("there is no `{name}`{hint}"));
        }
        Stop::not_measured(name, hint)
    }

    fn slice(&mut self, slice: &ast::Slice) -> Evaluated {
        let mut bound = |expr: &Option<Expr>| match expr {
            Some(expr) => {
                let (value, text) = (self.value(expr)?, self.counted_text(expr)?);
                operators::number(&value, &text)?;
                Ok(value)
            }
            None => Ok(Value::from(())),
        };
        let (from, (to, by)) = both(bound(&slice.start), both(bound(&slice.stop), bound(&slice.step)))?;
        let list = self.value(&slice.expr)?;
        self.charge(operators::items(&list) + operators::text_steps(&list))?;
        operators::apply(&self.interpreter.env, "list[from:to:by]", context! { list, from, to, by })
    }

    fn unary(&mut self, unary: &ast::UnaryOp) -> Evaluated {
        match unary.op {
            UnaryOpKind::Not => Ok(Value::from(!self.condition(&unary.expr)?)),
            UnaryOpKind::Neg => {
                let (value, text) = (self.value(&unary.expr)?, self.counted_text(&unary.expr)?);
                operators::number(&value, &text)?;
                operators::apply(&self.interpreter.env, "-a", context! { a => value })
            }
        }
    }

    fn binary(&mut self, binary: &ast::BinOp, text: &str) -> Evaluated {
        if let BinOpKind::ScAnd | BinOpKind::ScOr = binary.op {
            let is_and = matches!(binary.op, BinOpKind::ScAnd);
            let (left, right) = (self.condition(&binary.left), self.condition(&binary.right));
            // `x is defined and x > 0` is how a sentence mentions a value only if it was measured.
            if self.in_sentence && left == Ok(!is_and) {
                only_faults(right)?;
                return Ok(Value::from(!is_and));
            }
            let (a, b) = both(left, right)?;
            return Ok(Value::from(if is_and { a && b } else { a || b }));
        }
        let (a, b) = both(self.complete(&binary.left), self.complete(&binary.right))?;
        if let Some(op) = operators::as_comparison(binary.op) {
            self.charge_comparison(op, &a, &b)?;
            return operators::compare(op, &a, &b, text).map(Value::from);
        }
        if let BinOpKind::Concat = binary.op {
            let joined = operators::joined(&a, &b, text)?;
            return self.made(joined);
        }
        match operators::arithmetic(&self.interpreter.env, binary.op, &a, &b, text) {
            // Stand-ins may give a division by zero where measured values do not.
            Err(Stop::NoValue(_)) if self.mode == Mode::Check => Ok(Value::from(1.0)),
            value => value,
        }
    }

    /// `a < b < c`: every comparison must hold.
    fn chain(&mut self, chain: &ast::Compare, text: &str) -> Evaluated {
        let mut operands = self.complete(&chain.expr).map(|value| vec![value]);
        for part in &chain.ops {
            operands = both(operands, self.complete(&part.expr)).map(pushed);
        }
        let operands = operands?;
        let mut holds = true;
        for (part, pair) in chain.ops.iter().zip(operands.windows(2)) {
            self.charge_comparison(part.op, &pair[0], &pair[1])?;
            holds &= operators::compare(part.op, &pair[0], &pair[1], text)?;
        }
        Ok(Value::from(holds))
    }

    fn choice(&mut self, choice: &ast::IfExpr) -> Evaluated {
        let condition = self.condition(&choice.test_expr)?;
        let mut other = |expr: Option<&Expr>| match (self.mode, expr) {
            (Mode::Check, Some(expr)) => only_faults(self.value(expr)),
            _ => Ok(()),
        };
        if condition {
            other(choice.false_expr.as_ref())?;
            return self.value(&choice.true_expr);
        }
        other(Some(&choice.true_expr))?;
        match &choice.false_expr {
            Some(expr) => self.value(expr),
            None => Err(Stop::NoValue(format!("`{}` is false, and there is no `else`", self.text(&choice.test_expr)))),
        }
    }

    fn filter(&mut self, filter: &ast::Filter) -> Evaluated {
        let Some(input) = &filter.expr else { return Err(Stop::fault("a filter needs a value")) };
        functions::check_filter(&mut self.state, filter.name)?;
        let (input, (positional, named)) = both(self.complete(input), self.arguments(&filter.args))?;
        let list = filter.expr.as_ref().map_or(Ok(String::new()), |input| self.counted_text(input))?;
        self.charge_call(&input, positional.iter().chain(named.iter().map(|(_, value)| value)))?;
        self.within(|left| functions::check_input(filter.name, &list, &input, &positional, &named, left))?;
        if functions::needs_items(filter.name) && input.len() == Some(0) {
            return Err(Stop::NoValue(format!("`{list}` is empty")));
        }
        let mut args = vec![input];
        args.extend(positional);
        if !named.is_empty() {
            args.push(Value::from(named.into_iter().collect::<Kwargs>()));
        }
        let value =
            self.state.apply_filter(filter.name, &args).map_err(|e| functions::call_error("filter", filter.name, e))?;
        if OperandKind::of(&value) == OperandKind::Missing {
            let text = self.text_of_filter(filter);
            return Err(self.check_complete(&value, &text).err().unwrap_or(Stop::NoValue(text)));
        }
        self.made(value)
    }

    fn test(&mut self, test: &ast::Test) -> Result<bool, Stop> {
        functions::check_test(&mut self.state, test.name)?;
        let value = match self.group(&test.expr) {
            // A sentence may ask whether a value was measured. A condition may not, because the answer would decide the
            // conclusion.
            Err(Stop::NotMeasured(_) | Stop::NoValue(_)) if self.in_sentence && PRESENCE_TESTS.contains(&test.name) => {
                return Ok(matches!(test.name, "undefined" | "none"));
            }
            Err(stop) => return Err(stop),
            Ok(value) => value,
        };
        if PRESENCE_TESTS.contains(&test.name) && test.name != "number" {
            return Ok(test.name == "defined");
        }
        let value = self.value(&test.expr).map(|_| value)?;
        let text = self.counted_text(&test.expr)?;
        self.check_complete(&value, &text)?;
        if WHOLE_NUMBER_TESTS.contains(&test.name) && !value.is_integer() {
            return Err(Stop::fault(format!("`{text}` is not a whole number, which `{}` requires", test.name)));
        }
        let (positional, _) = self.arguments(&test.args)?;
        self.charge_call(&value, &positional)?;
        self.charge(positional.iter().map(operators::items).sum())?;
        let args: Vec<Value> = std::iter::once(value).chain(positional).collect();
        self.state.perform_test(test.name, &args).map_err(|e| functions::call_error("test", test.name, e))
    }

    fn call(&mut self, call: &ast::Call) -> Evaluated {
        let ast::CallType::Function(name) = call.identify_call() else {
            return Err(Stop::fault("methods cannot be called; use a filter, as in `list|length`"));
        };
        if name != "range" {
            return Err(Stop::fault(format!("unknown function `{name}`; the only function is `range`")));
        }
        let (args, _) = self.arguments(&call.args)?;
        let value = operators::apply(&self.interpreter.env, "range(*args)", context! { args });
        self.made(value.map_err(|stop| functions::call_error("function", name, stop))?)
    }

    /// The arguments of a filter, test or function, by position and by name.
    fn arguments(&mut self, args: &[CallArg]) -> Result<Arguments, Stop> {
        let (mut positional, mut named) = (Vec::new(), Vec::new());
        for arg in args {
            match arg {
                CallArg::Pos(expr) => positional.push(self.complete(expr)?),
                CallArg::Kwarg(name, expr) => named.push(((*name).to_owned(), self.complete(expr)?)),
                CallArg::PosSplat(_) | CallArg::KwargSplat(_) => {
                    return Err(Stop::fault("`*` and `**` before an argument are not supported"));
                }
            }
        }
        Ok((positional, named))
    }

    fn list(&mut self, items: &[Expr]) -> Evaluated {
        let mut values = Ok(Vec::new());
        for item in items {
            values = both(values, self.value(item)).map(pushed);
        }
        values.map(Value::from)
    }
}

/// Refuses text with a hidden character, which Jinja can make of an escape such as `"\u202e"`.
pub(super) fn seen(text: &str) -> Result<(), Stop> {
    match complaint(&text.chars().filter(|c| is_hidden(*c)).collect::<String>()) {
        Some(complaint) => Err(Stop::fault(format!("the text {complaint}"))),
        None => Ok(()),
    }
}

fn pushed((mut values, value): (Vec<Value>, Value)) -> Vec<Value> {
    values.push(value);
    values
}

/// Keeps an error if it is a mistake in the study, and drops every other result.
pub(super) fn only_faults<T>(result: Result<T, Stop>) -> Result<(), Stop> {
    match result {
        Err(fault @ Stop::Fault(_)) => Err(fault),
        _ => Ok(()),
    }
}
