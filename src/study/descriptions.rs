//! What the JSON Schema says of the settings of layers, optimizers, schedules and choices, and the numbers that they may have. (The
//! descriptions of all other keys are the doc comments of their types.)

use serde_json::{Map, Value, json};

/// A key's description. The type is named where a key has several meanings, otherwise it is empty.
const WORDS: [(&str, &str, &str); 82] = [
    ("ModelSpec", "title", "Its name in tables and figures. Default: the model's name."),
    ("ModelSpec", "layers", "The layers, from the input [1, 28, 28] to one value for each class."),
    ("Residual", "layers", "The layers whose output is added to the block's input; together they keep the shape."),
    ("", "name", "The layer's name. Default: its kind and number, such as `conv1`."),
    ("", "conv2d", "A convolution: `{out_channels: 8, kernel_size: 3}`."),
    ("", "batch_norm2d", "Batch normalisation of each channel."),
    ("", "batch_norm1d", "Batch normalisation of each feature of a flat input."),
    ("", "layer_norm", "Layer normalisation over the whole shape of an image."),
    ("", "relu", "The activation max(x, 0)."),
    ("", "leaky_relu", "The activation x, or `negative_slope` times x below 0."),
    ("", "gelu", "The activation GELU."),
    ("", "sigmoid", "The activation 1 / (1 + exp(-x))."),
    ("", "tanh", "The activation tanh."),
    ("", "max_pool2d", "The largest value of each window: `{kernel_size: 2}`."),
    ("", "avg_pool2d", "The mean of each window: `{kernel_size: 2}`."),
    ("", "global_avg_pool", "The mean over height and width: [C, H, W] to [C]."),
    ("LayerKind", "dropout", "Sets random values to 0 while training: `{p: 0.5}`."),
    ("", "flatten", "All values of an image in one row, which `linear` takes."),
    ("", "linear", "A dense layer: `{out_features: 10}`."),
    ("", "residual", "The input plus the output of its `layers`, as in ResNet."),
    ("", "out_channels", "The number of kernels, and of channels of the output."),
    ("", "kernel_size", "The side of the window; of a conv2d also a pair for height and width, such as [3, 5]."),
    ("", "stride", "How far the window moves. Default: 1; of a pool its kernel size."),
    ("Conv2d", "padding", "Rows and columns of zeros on each side, or `same` or `valid`."),
    ("", "padding", "Rows and columns on each side that no value is taken from."),
    ("", "dilation", "The distance between the rows, and the columns, that a kernel reads."),
    ("", "groups", "Into how many groups the channels are divided, each with kernels of its own."),
    ("", "bias", "Whether a value is added that is trained, too."),
    ("", "out_features", "The number of values of the output."),
    ("", "negative_slope", "The factor below 0."),
    ("", "p", "The share of values that are set to 0, from 0 to 1."),
    ("BatchNorm2d", "eps", "Added to the variance, above 0."),
    ("BatchNorm1d", "eps", "Added to the variance, above 0."),
    ("LayerNorm", "eps", "Added to the variance, above 0."),
    ("BatchNorm2d", "momentum", "The weight of the newest batch in the running mean and variance."),
    ("BatchNorm1d", "momentum", "The weight of the newest batch in the running mean and variance."),
    ("", "all", "All training images."),
    ("", "first", "The first N training images: `{first: 5000}`."),
    ("", "random", "N training images, drawn by the seed: `{random: 5000}`."),
    ("", "per_class", "N training images of each class, drawn by the seed: `{per_class: 200}`."),
    ("", "sgd", "Stochastic gradient descent: `{lr: 0.01, momentum: 0.9}`."),
    ("", "adam", "Adam, with PyTorch's defaults if it is one word."),
    ("", "adamw", "Adam with decoupled weight decay."),
    ("", "adadelta", "Adadelta."),
    ("", "rmsprop", "RMSprop (Hinton, 2012), also centered."),
    ("", "lr", "The learning rate, above 0."),
    ("", "momentum", "How much of the last step is kept, from 0 to 1."),
    ("", "dampening", "How much of the gradient the momentum leaves out, from 0 to 1."),
    ("", "weight_decay", "How much the weights shrink, at least 0."),
    ("", "nesterov", "Nesterov's momentum; needs a momentum and no dampening."),
    ("", "betas", "The decay of the two moving averages, each at least 0 and below 1."),
    ("", "eps", "Added to the denominator, above 0."),
    ("", "rho", "The decay of the moving averages, from 0 to 1."),
    ("", "alpha", "The decay of the moving average, from 0 to 1."),
    ("", "centered", "Divides by an estimate of the standard deviation."),
    ("", "constant", "The learning rate stays the same."),
    ("", "step", "Multiplies the rate by `gamma` every `step_size` epochs."),
    ("", "cosine", "The rate falls to `min_lr` as a cosine, over the epochs of the run."),
    ("", "one_cycle", "The rate rises and falls within the run; `lr` is the maximum."),
    (
        "",
        "reduce_on_plateau",
        "Multiplies the rate by `factor` when the validation loss stops falling. Needs `hold_out`.",
    ),
    ("", "warmup", "The rate rises over the first steps, then goes on as another schedule."),
    ("", "step_size", "Epochs from one change of the rate to the next."),
    ("", "gamma", "The factor of each change, above 0."),
    ("", "min_lr", "The lowest rate, at least 0."),
    ("", "pct_start", "The share of the steps in which the rate rises, from 0 to 1."),
    ("", "div_factor", "The first rate is `lr` divided by this, above 0."),
    ("", "final_div_factor", "The last rate is the first divided by this, above 0."),
    ("", "cycle_momentum", "Whether the momentum falls while the rate rises."),
    ("", "base_momentum", "The lowest momentum, at least 0 and below 1."),
    ("", "max_momentum", "The highest momentum, at least 0 and below 1."),
    ("", "factor", "What the rate is multiplied by, above 0 and below 1."),
    ("", "patience", "How many epochs without a lower validation loss change nothing yet."),
    ("", "threshold", "How much lower a loss must be to count, relative to the lowest, from 0 to 1."),
    ("", "steps", "The steps in which the rate rises, fewer than the run has."),
    ("", "start_factor", "The first rate is `lr` times this, above 0 and at most 1."),
    ("", "then", "The schedule after the warm-up: `constant`, `step` or `cosine`."),
    ("", "exact", "The values are equal."),
    ("", "printed", "The measured value rounds to the printed one."),
    ("", "absolute", "The difference is at most this: `{absolute: 0.01}`."),
    ("", "relative", "The difference is at most this share of the printed value: `{relative: 0.1}`."),
    ("TextByLanguage", "en", "The text in English."),
    ("TextByLanguage", "uk", "The text in Ukrainian."),
];

/// The least and the greatest number of a key, in a type.
const RANGES: [(&str, &str, f64, Option<f64>); 21] = [
    ("RunSpec", "epochs", 1.0, Some(10_000.0)),
    ("RunSpec", "batch_size", 1.0, None),
    ("RunSpec", "evaluate_every", 1.0, None),
    ("RunSpec", "label_smoothing", 0.0, Some(1.0)),
    ("Subset", "first", 1.0, None),
    ("Subset", "random", 1.0, None),
    ("Subset", "per_class", 1.0, None),
    ("Augment", "shift", 0.0, Some(8.0)),
    ("Augment", "rotate", 0.0, Some(45.0)),
    ("EvidenceSettings", "candidates", 1.0, Some(256.0)),
    ("Comparison", "margin", 0.0, Some(0.5)),
    ("Conv2d", "out_channels", 1.0, None),
    ("Conv2d", "groups", 1.0, None),
    ("Linear", "out_features", 1.0, None),
    ("Dropout", "p", 0.0, Some(1.0)),
    ("StepLr", "step_size", 1.0, None),
    ("Warmup", "steps", 1.0, None),
    ("Sgd", "momentum", 0.0, Some(1.0)),
    ("Adadelta", "rho", 0.0, Some(1.0)),
    ("RmsProp", "alpha", 0.0, Some(1.0)),
    ("OneCycle", "pct_start", 0.0, Some(1.0)),
];

/// Adds descriptions and ranges to a type and the forms that it has.
pub(super) fn describe(name: &str, definition: &mut Value) {
    let Some(map) = definition.as_object_mut() else { return };
    for (key, value) in map.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        add_description(name, key, value);
        add_range(name, key, value);
    }
    for form in map.get_mut("anyOf").and_then(Value::as_array_mut).into_iter().flatten() {
        describe(name, form);
    }
}

fn add_description(name: &str, key: &str, value: &mut Value) {
    let in_type = |of: &str| WORDS.iter().find(|(t, k, _)| *t == of && *k == key);
    let Some((.., text)) = in_type(name).or_else(|| in_type("")) else { return };
    if value.get("description").is_some() {
        return;
    }
    // Keywords beside a reference are ignored.
    if let Some(reference) = value.get("$ref").cloned() {
        *value = json!({"allOf": [{"$ref": reference}]});
    }
    if let Some(map) = value.as_object_mut() {
        map.insert("description".into(), json!(text));
    }
}

fn add_range(name: &str, key: &str, value: &mut Value) {
    let Some((.., least, most)) = RANGES.iter().find(|(of, k, ..)| *of == name && *k == key) else { return };
    let Some(map) = value.as_object_mut() else { return };
    let is_whole = map.get("type").is_some_and(|kind| kind.to_string().contains("integer"));
    let number = |x: f64| if is_whole { json!(x as u64) } else { json!(x) };
    map.insert("minimum".into(), number(*least));
    if let Some(most) = most {
        map.insert("maximum".into(), number(*most));
    }
}

/// Allows `null`, which removes what an extended study, `defaults` or `grid` would give.
pub(super) fn allow_null(value: &mut Value) {
    let Some(map) = value.as_object_mut() else { return };
    let no_value = json!({"type": "null"});
    if let Some(kind) = map.get_mut("type") {
        let mut all = kind.as_array().cloned().unwrap_or_else(|| vec![kind.clone()]);
        if !all.contains(&json!("null")) {
            all.push(json!("null"));
        }
        *kind = json!(all);
    } else if let Some(forms) = map.get_mut("anyOf").and_then(Value::as_array_mut) {
        forms.push(no_value);
    } else if let Some(reference) = map.remove("$ref") {
        map.insert("anyOf".into(), json!([{"$ref": reference}, no_value]));
    } else if let Some(all) = map.remove("allOf") {
        map.insert("anyOf".into(), json!([{"allOf": all}, no_value]));
    }
}

/// Allows only one of several keys.
pub(super) fn allow_one(definition: &mut Value, keys: &[&str]) {
    let has = |key: &&str| json!({"required": [key]});
    let mut forms: Vec<Value> = keys.iter().map(has).collect();
    forms.push(json!({"not": {"anyOf": forms.clone()}}));
    if let Some(map) = definition.as_object_mut() {
        map.insert("oneOf".into(), json!(forms));
    }
}

/// Moves the description of a grid's value, which is that of a run, to the key.
pub(super) fn of_grid(value: &Value) -> Map<String, Value> {
    let text = value["description"].as_str().unwrap_or_default().trim_end_matches('.').to_owned();
    let description = format!("{text}. A list makes a run for each of its items.");
    let several = json!({"type": "array", "items": value, "minItems": 1});
    Map::from_iter([("anyOf".to_owned(), json!([value, several])), ("description".to_owned(), json!(description))])
}
