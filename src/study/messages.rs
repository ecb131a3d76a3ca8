//! Translates serde's error messages for people who write YAML, not Rust, and adds what to type instead.

use super::mismatch::{POINT, mismatch};
use crate::text::closest::{did_you_mean, looks_latin};
use crate::text::look_alike::looks_like;
use crate::text::terminal;

/// Other names for the keys and words of a study: PyTorch's names and likely guesses, in lower case and without
/// separators.
const SYNONYMS: &[(&str, &str)] = &[
    ("learningrate", "lr"),
    ("etamin", "min_lr"),
    ("l2", "weight_decay"),
    ("batch", "batch_size"),
    ("bs", "batch_size"),
    ("numepochs", "epochs"),
    ("nepochs", "epochs"),
    ("randomseed", "seeds"),
    ("university", "institution"),
    ("school", "institution"),
    ("faculty", "institution"),
    ("student", "author"),
    ("teacher", "supervisor"),
    ("lecturer", "supervisor"),
    ("town", "city"),
    ("ua", "uk"),
    ("ukr", "uk"),
    ("ukrainian", "uk"),
    ("eng", "en"),
    ("ukua", "uk"),
    ("uaua", "uk"),
    ("українська", "uk"),
    ("enus", "en"),
    ("engb", "en"),
    ("english", "en"),
    ("language", "lang"),
    ("dataset", "data"),
    ("folder", "dir"),
    ("path", "dir"),
    ("hashes", "sha256"),
    ("networks", "models"),
    ("network", "model"),
    ("trainings", "runs"),
    ("kernel", "kernel_size"),
    ("dilationrate", "dilation"),
    ("filters", "out_channels"),
    ("units", "out_features"),
    ("rate", "p"),
    ("probability", "p"),
    ("valsize", "hold_out"),
    ("validation", "hold_out"),
    ("earlystop", "early_stopping"),
    ("patience", "early_stopping"),
    ("restorebestweights", "report_epoch"),
    ("savebestonly", "report_epoch"),
    ("valcheckinterval", "evaluate_every"),
    ("smoothing", "label_smoothing"),
    ("labelsmooth", "label_smoothing"),
    ("maxnorm", "clip_grad_norm"),
    ("gradientclipval", "clip_grad_norm"),
    ("clipnorm", "clip_grad_norm"),
    ("clipvalue", "clip_grad_value"),
    ("gradclip", "clip_grad_norm"),
    ("augmentation", "augment"),
    ("randomaffine", "augment"),
    ("randomrotation", "rotate"),
    ("rotation", "rotate"),
    ("degrees", "rotate"),
    ("translate", "shift"),
    ("translation", "shift"),
    ("steplr", "step"),
    ("cosineannealinglr", "cosine"),
    ("cosineannealing", "cosine"),
    ("onecyclelr", "one_cycle"),
    ("reducelronplateau", "reduce_on_plateau"),
    ("plateau", "reduce_on_plateau"),
    ("linearlr", "warmup"),
    ("sequentiallr", "warmup"),
    ("warmupsteps", "steps"),
    ("totaliters", "steps"),
    ("adaptiveavgpool2d", "global_avg_pool"),
    ("adaptiveavgpool", "global_avg_pool"),
    ("globalaveragepool", "global_avg_pool"),
    ("fc", "linear"),
    ("dense", "linear"),
    ("bn", "batch_norm2d"),
    ("pool", "max_pool2d"),
    ("resblock", "residual"),
    ("residualblock", "residual"),
    ("basicblock", "residual"),
    ("skip", "residual"),
    ("skipconnection", "residual"),
    ("shortcut", "residual"),
    ("confusionmatrix", "confusion"),
];

/// Settings of `torch.nn` that follow from the layer before.
const COMPUTED: [&str; 4] = ["in_features", "in_channels", "num_features", "normalized_shape"];

/// Settings of PyTorch that are supported only with their default.
const DEFAULT_ONLY: [&str; 20] = [
    "inplace",
    "ceil_mode",
    "dilation",
    "padding_mode",
    "affine",
    "track_running_stats",
    "elementwise_affine",
    "return_indices",
    "count_include_pad",
    "divisor_override",
    "approximate",
    "start_dim",
    "end_dim",
    "amsgrad",
    "maximize",
    "foreach",
    "fused",
    "capturable",
    "device",
    "dtype",
];

/// Keys of `compute` in studies of earlier versions.
const RETIRED: [&str; 2] = ["threads", "class"];

/// Translates one of serde's messages.
pub(super) fn plain(message: &str) -> String {
    let message = message.replace("missing field", "missing key").replace("unit value", "nothing");
    if let Some((word, known)) = unknown(&message, "unknown field `") {
        return unknown_key(word, &known);
    }
    if let Some((word, known)) = unknown(&message, "unknown variant `") {
        return unknown_word(word, &known);
    }
    if let Some((word, why)) = message.split_once(" needs a value: ") {
        let bare = word.trim_matches('`');
        return match why.strip_prefix("missing key `").and_then(|key| key.strip_suffix('`')) {
            Some("layers") => format!("{word} needs `layers`, such as {{{bare}: {{layers: [relu]}}}}"),
            Some(key) => format!("{word} needs `{key}`, such as {{{bare}: {{{key}: 0.1}}}}"),
            None => format!("{word} needs a value, such as {{{bare}: 100}}"),
        };
    }
    match message.rsplit_once(", expected ") {
        Some((found, expected)) => mismatch(found, expected),
        None => message,
    }
}

/// Splits `unknown field `x`, expected one of `a`, `b`` into the word and the known words.
fn unknown<'a>(message: &'a str, start: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let rest = message.strip_prefix(start)?;
    let (word, known) = rest.rsplit_once("`, expected ").or_else(|| rest.rsplit_once("`, there are no "))?;
    Some((word, known.split('`').skip(1).step_by(2).collect()))
}

fn unknown_key(key: &str, known: &[&str]) -> String {
    let start = format!("unknown key `{}`", terminal::cut(key, 64));
    let belongs_to_optimizer =
        known.contains(&"optimizer") && ["lr", "learning_rate", "momentum", "weight_decay", "betas"].contains(&key);
    if !key.is_empty() && key.bytes().all(|b| b.is_ascii_digit()) {
        return start + POINT;
    }
    if COMPUTED.contains(&key) {
        return format!("`{key}` is computed from the layer before; leave it out");
    }
    if belongs_to_optimizer {
        return format!("{start}; it belongs to the optimizer, such as optimizer: {{sgd: {{lr: 0.1}}}}");
    }
    if known.contains(&"schedule") && ["warmup", "warmup_steps", "warmup_epochs"].contains(&key) {
        return format!(
            "{start}; it belongs to the schedule, such as schedule: {{warmup: {{steps: 100, then: cosine}}}}"
        );
    }
    if known == ["tf32"] && RETIRED.contains(&key) {
        return format!("`{key}` has no use any more: results depend neither on threads nor on the CPU; leave it out");
    }
    if ["device", "gpu", "cuda"].contains(&key) && known.contains(&"models") {
        return format!("{start}; choose the device on the command line, as in --device cuda");
    }
    if DEFAULT_ONLY.contains(&key) {
        return format!("{start}; only PyTorch's default is supported: leave it out");
    }
    if key.contains(':') {
        return format!("{start}; write a space after the colon");
    }
    start + &meant(key, known, "the keys here are")
}

fn unknown_word(word: &str, known: &[&str]) -> String {
    let start = format!("unknown word `{}`", terminal::cut(word, 64));
    if ["softmax", "log_softmax", "logsoftmax"].contains(&word.to_lowercase().trim_start_matches("nn.")) {
        return format!("{start}; the loss (cross-entropy) applies it: leave it out");
    }
    if word.contains(" - ") {
        return format!("{start}; start each item of a list on its own line, indented as the others");
    }
    let meant = meant(word, known, "expected");
    let language = if known.contains(&"uk") && meant.contains("`uk`?") { " (uk is Ukrainian)" } else { "" };
    start + &meant + language
}

/// The known word that is meant, or all known words.
fn meant(typed: &str, known: &[&str], all: &str) -> String {
    let last_part = typed.rsplit('.').next().unwrap_or(typed);
    let simple: String = last_part.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let forms = [looks_like(&simple), simple];
    let synonym = SYNONYMS.iter().find(|(word, key)| forms.iter().any(|form| form == word) && known.contains(key));
    let close = did_you_mean(typed, known.iter().copied());
    let foreign = looks_latin(typed).unwrap_or_default();
    match synonym {
        Some((_, word)) if foreign.is_empty() => format!("; did you mean `{word}`?"),
        Some((_, word)) => format!("; did you mean `{word}`? ({})", foreign.trim_start_matches("; ")),
        None if !close.is_empty() => close,
        None if known.is_empty() => "; there are no settings here".to_owned(),
        None => {
            let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            format!("{foreign}; {all} {}", names.join(if names.len() == 2 { " or " } else { ", " }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn types_of_rust_are_described_in_plain_words() {
        for (message, expected) in [
            ("invalid type: string \"x\", expected usize", "expected a whole number, 0 or more, found `x`"),
            ("invalid type: unit value, expected struct Run", "expected a map of settings, found nothing"),
            (
                "invalid type: integer `1`, expected a sequence",
                "expected a list, found `1`; write [1] for 1 alone, or a list such as [1, 2, 3]",
            ),
            (
                "unknown field `device`, expected one of `title`, `models`",
                "unknown key `device`; choose the device on the command line, as in --device cuda",
            ),
            ("unknown variant `en-US`, expected `en` or `uk`", "unknown word `en-US`; did you mean `en`?"),
            (
                "unknown variant `uk_UA`, expected `en` or `uk`",
                "unknown word `uk_UA`; did you mean `uk`? (uk is Ukrainian)",
            ),
            ("unknown variant `abc`, expected `b` or `c`", "unknown word `abc`; expected `b` or `c`"),
            ("missing field `group`", "missing key `group`"),
            ("invalid type: string \"abc\", expected f64", "expected a number, found `abc`"),
            ("invalid type: string \"0.1\", expected f64", "expected a number, found `0.1`; remove its quotes"),
            ("invalid type: string \"\", expected f64", "expected a number, found an empty text"),
            (
                "invalid type: sequence, expected a string",
                "expected text, found a list; put a text that starts with `[` or `{` in quotes",
            ),
            (
                "invalid type: floating point `0.5`, expected struct Dropout",
                "expected a map of settings, found `0.5`; write {p: 0.5}",
            ),
            ("invalid type: string \"1, 2\", expected a sequence", "expected a list, found `1, 2`; write [1, 2]"),
            (
                "invalid type: integer `-100000000000000000000000000000`, expected usize",
                "expected a whole number, 0 or more, found `-1e29`",
            ),
            ("`first` needs a value: invalid type: map, expected usize", "`first` needs a value, such as {first: 100}"),
        ] {
            assert_eq!(plain(message), expected);
        }
    }

    #[test]
    fn a_comma_in_a_number_is_pointed_out() {
        let hint = "; decimals are written with a point, as 0.01";
        for message in [
            "invalid type: string \"0,5\", expected f64",
            "invalid type: string \"-,5\", expected f64",
            "invalid type: string \"1,5e-3\", expected f64",
            "invalid type: string \"1,5\", expected usize",
            "unknown field `01`, expected `lr`",
        ] {
            assert!(plain(message).ends_with(hint), "{message}");
        }
        for message in
            ["invalid type: string \"a,5\", expected f64", "unknown field `lr1`, expected `lr`", "unknown field ``"]
        {
            assert!(!plain(message).ends_with(hint), "{message}");
        }
        let message = plain("invalid type: string \"60 000\", expected usize");
        assert!(message.ends_with("; write a number without spaces or separators"), "{message}");
    }

    #[test]
    fn names_from_pytorch_and_guesses_get_a_suggestion() {
        let keys = "`lr`, `weight_decay`, `out_features`, `kernel_size`";
        for (typed, expected) in [
            ("learning_rate", "did you mean `lr`?"),
            ("weight-decay", "did you mean `weight_decay`?"),
            ("weightDecay", "did you mean `weight_decay`?"),
            ("in_features", "is computed from the layer before; leave it out"),
            ("num_features", "is computed from the layer before; leave it out"),
            ("inplace", "leave it out"),
            ("kernel", "did you mean `kernel_size`?"),
            ("lr:0.1", "write a space after the colon"),
            (
                "k\u{435}rnel",
                "did you mean `kernel_size`? (the `\u{435}` that you typed is U+0435, not a Latin letter)",
            ),
            (
                "b\u{430}nana",
                "the `\u{430}` that you typed is U+0430, not a Latin letter; the keys here are `lr`, `weight_decay`, \
                 `out_features`, `kernel_size`",
            ),
            ("banana", "the keys here are `lr`, `weight_decay`, `out_features`, `kernel_size`"),
        ] {
            let message = plain(&format!("unknown field `{typed}`, expected one of {keys}"));
            assert!(message.ends_with(expected), "{message}");
        }
        let message = plain("unknown variant `ua`, expected `en` or `uk`");
        assert_eq!(message, "unknown word `ua`; did you mean `uk`? (uk is Ukrainian)");
        let message = plain("unknown field `lr`, expected one of `model`, `optimizer`");
        assert!(message.contains("belongs to the optimizer"), "{message}");
    }
}
