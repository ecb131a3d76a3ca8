//! Which measured value a name that no group has probably means.

use strsim::damerau_levenshtein;

/// Words with the word that the names of values have for them.
const SYNONYMS: [(&str, &str); 22] = [
    ("acc", "accuracy"),
    ("accuracies", "accuracy"),
    ("val", "held_out"),
    ("valid", "held_out"),
    ("validation", "held_out"),
    ("params", "parameters"),
    ("param", "parameters"),
    ("weights", "parameters"),
    ("macs", "mult_adds"),
    ("mac", "mult_adds"),
    ("flops", "mult_adds"),
    ("recall", "per_class"),
    ("recalls", "per_class"),
    ("std", "sd"),
    ("stdev", "sd"),
    ("stddev", "sd"),
    ("ci", "interval"),
    ("diff", "difference"),
    ("gain", "difference"),
    ("pvalue", "p"),
    ("low", "lower"),
    ("high", "upper"),
];

/// Words that change nothing: a run is tested, and a count is a number.
const EMPTY: [&str; 11] = ["test", "final", "mean", "avg", "average", "num", "number", "of", "n", "total", "matrix"];

/// The name of `known` that is meant: the same words, or a typo of them. A name with another word is another value:
/// `notes_loss` is not meant by `test_loss`.
pub(super) fn meant<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let same_words = || known.iter().find(|key| words(key) == words(name));
    let training = || match words(name)[..] {
        // Training accuracy is measured by evaluating the training images.
        [ref one, ref other] if [one, other].iter().any(|w| ["train", "training"].contains(&w.as_str())) => {
            let wanted = if [one, other].iter().any(|w| w.as_str() == "accuracy") {
                "train_eval_accuracy"
            } else {
                "train_loss"
            };
            known.iter().find(|key| *key == wanted)
        }
        _ => None,
    };
    let typo = || {
        let edits = |key: &&String| edits(name, key);
        known.iter().filter(|key| edits(key).is_some()).min_by_key(edits)
    };
    same_words().or_else(training).or_else(typo).map(String::as_str)
}

/// The words of a name in a fixed order, without those that change nothing.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = parts(name)
        .iter()
        .map(|word| SYNONYMS.iter().find(|(from, _)| from == word).map_or(word.as_str(), |(_, to)| *to))
        .flat_map(|word| word.split('_').map(str::to_owned))
        .collect();
    if words.iter().any(|word| !EMPTY.contains(&word.as_str())) {
        words.retain(|word| !EMPTY.contains(&word.as_str()));
    }
    words.sort();
    words
}

/// `testLoss` and `test-loss` have the parts `test` and `loss`.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        if matches!(c, '_' | '-' | ' ') || (c.is_uppercase() && before.is_lowercase()) {
            parts.push(String::new());
        }
        if !matches!(c, '_' | '-' | ' ') {
            parts.last_mut().expect("never empty").extend(c.to_lowercase());
        }
        before = c;
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The edits between two names if each word of one is a typo of a word of the other: at most one edit for three characters.
fn edits(name: &str, key: &str) -> Option<usize> {
    let (typed, known) = (parts(name), parts(key));
    if typed.concat() == known.concat() {
        return Some(0);
    }
    if typed.len() != known.len() {
        return None;
    }
    let of_word = |(a, b): (&String, &String)| {
        let n = damerau_levenshtein(a, b);
        (n <= a.chars().count().max(b.chars().count()) / 3).then_some(n)
    };
    typed.iter().zip(&known).map(of_word).sum()
}

#[cfg(test)]
mod tests {
    use super::meant;

    fn of<'a>(name: &str, known: &'a [String]) -> &'a str {
        meant(name, known).unwrap_or("nothing")
    }

    #[test]
    fn the_value_with_the_same_words_is_meant_and_none_of_another_meaning() {
        let names = |list: &str| list.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let run = names("accuracy loss notes_loss correct sd interval held_out_accuracy per_class confusion turn");
        for (typed, expected) in [
            ("test_loss", "loss"),
            ("testLoss", "loss"),
            ("loss_test", "loss"),
            ("acc", "accuracy"),
            ("test_acc", "accuracy"),
            ("acuracy", "accuracy"),
            ("accurracy", "accuracy"),
            ("val_acc", "held_out_accuracy"),
            ("validation_accuracy", "held_out_accuracy"),
            ("confusion_matrix", "confusion"),
            ("perclass", "per_class"),
            ("std", "sd"),
            ("train_loss", "nothing"),
            ("train_accuracy", "nothing"),
            ("val_loss", "nothing"),
            ("batch_loss", "nothing"),
            ("note_loss", "notes_loss"),
        ] {
            assert_eq!(of(typed, &run), expected, "{typed}");
        }
        let model = names("parameters buffers mult_adds params_mb total_mb layers");
        for (typed, expected) in
            [("params", "parameters"), ("num_params", "parameters"), ("macs", "mult_adds"), ("size", "nothing")]
        {
            assert_eq!(of(typed, &model), expected, "{typed}");
        }
        let epoch = names("epoch train_loss train_eval_loss train_eval_accuracy test_loss test_accuracy");
        for (typed, expected) in [
            ("loss", "test_loss"),
            ("accuracy", "test_accuracy"),
            ("train_acc", "train_eval_accuracy"),
            ("training_accuracy", "train_eval_accuracy"),
            ("training_loss", "train_loss"),
        ] {
            assert_eq!(of(typed, &epoch), expected, "{typed}");
        }
    }
}
