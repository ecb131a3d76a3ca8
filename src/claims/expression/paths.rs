//! Values as a study writes them: `runs["slim-bn"].accuracy`.

use minijinja::Value;
use minijinja::machinery::ast::Expr;

/// A member of a group, as a study writes it: `runs.slim`, `runs["slim-bn"]`.
pub(super) fn member_path(group: &str, key: &Value) -> String {
    let key = key.to_string();
    let is_name =
        key.chars().all(|c| c.is_alphanumeric() || c == '_') && !key.starts_with(|c: char| c.is_ascii_digit());
    if is_name { format!("{group}.{key}") } else { format!("{group}[\"{key}\"]") }
}

/// An expression that is a path, such as `runs["slim-bn"].last.test_loss`, as text; `None` for any other.
pub(super) fn path(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Var(var) => Some(var.id.to_owned()),
        Expr::GetAttr(get) => Some(format!("{}.{}", path(&get.expr)?, get.name)),
        Expr::GetItem(get) => {
            let Expr::Const(key) = &get.subscript_expr else { return None };
            let key = key.value.as_str().map_or_else(|| key.value.to_string(), |key| format!("\"{key}\""));
            Some(format!("{}[{key}]", path(&get.expr)?))
        }
        _ => None,
    }
}
