//! A network as a PyTorch program: an `nn.Module` with the formula of each layer's parameters and the shape after each
//! line. Numbers have no separators, which would depend on the language.
//!
//! Layers with parameters and dropout are modules, named like their tensors, so the program can load the network's
//! weights. Other layers are function calls, as PyTorch programs usually write them.

use std::fmt::Write;
use std::ops::Range;

use super::{Layer, Model};

/// Names that a module's attribute cannot have: Python's keywords, and the attributes of `torch.nn.Module` in PyTorch
/// 2.11.
const RESERVED: [&str; 94] = [
    "False",
    "None",
    "True",
    "and",
    "as",
    "assert",
    "async",
    "await",
    "break",
    "class",
    "continue",
    "def",
    "del",
    "elif",
    "else",
    "except",
    "finally",
    "for",
    "from",
    "global",
    "if",
    "import",
    "in",
    "is",
    "lambda",
    "nonlocal",
    "not",
    "or",
    "pass",
    "raise",
    "return",
    "try",
    "while",
    "with",
    "yield",
    "T_destination",
    "add_module",
    "apply",
    "bfloat16",
    "buffers",
    "call_super_init",
    "children",
    "compile",
    "cpu",
    "cuda",
    "double",
    "dump_patches",
    "eval",
    "extra_repr",
    "float",
    "forward",
    "get_buffer",
    "get_extra_state",
    "get_parameter",
    "get_submodule",
    "half",
    "ipu",
    "load_state_dict",
    "modules",
    "mtia",
    "named_buffers",
    "named_children",
    "named_modules",
    "named_parameters",
    "parameters",
    "register_backward_hook",
    "register_buffer",
    "register_forward_hook",
    "register_forward_pre_hook",
    "register_full_backward_hook",
    "register_full_backward_pre_hook",
    "register_load_state_dict_post_hook",
    "register_load_state_dict_pre_hook",
    "register_module",
    "register_parameter",
    "register_state_dict_post_hook",
    "register_state_dict_pre_hook",
    "requires_grad_",
    "set_extra_state",
    "set_submodule",
    "share_memory",
    "state_dict",
    "to",
    "to_empty",
    "train",
    "training",
    "type",
    "xpu",
    "zero_grad",
    "nn",
    "F",
    "torch",
    "self",
    "x",
];

/// Whether a layer's name cannot be that of an attribute of a PyTorch module. Names with an underscore first are Python's
/// (`__class__`) or the module's own (`_parameters`).
pub(super) fn is_reserved(name: &str) -> bool {
    name.starts_with('_') || RESERVED.contains(&name)
}

/// The name of a model's class: `SlimBn` for `slim-bn`.
fn class_name(model: &str) -> String {
    let capitalised = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    let name: String = model.split(['-', '_']).map(capitalised).collect();
    // A class name cannot begin with a digit or be one that the program uses.
    let is_usable = name.starts_with(|c: char| c.is_ascii_alphabetic()) && !is_reserved(&name);
    if is_usable { name } else { format!("Net{name}") }
}

impl Layer {
    /// The forward pass of this layer applied to an expression.
    fn applied(&self, x: &str) -> String {
        self.kind.config().pytorch_function(x).unwrap_or_else(|| format!("self.{}({x})", self.name))
    }

    /// Whether the layer is a module in the PyTorch program.
    fn is_module(&self) -> bool {
        self.kind.config().pytorch_function("x").is_none()
    }
}

impl Model {
    /// The network as a Python file. Shapes are those of batches of `batch` images.
    pub fn code(&self, batch: usize) -> String {
        let class = class_name(&self.name);
        let modules: Vec<&Layer> = self.layers.iter().filter(|layer| layer.is_module()).collect();
        let shape = |shape: &[usize]| {
            let sizes = std::iter::once(&batch).chain(shape).map(ToString::to_string);
            format!("[{}]", sizes.collect::<Vec<_>>().join(", "))
        };
        let residuals: Vec<Range<usize>> = self.residuals().collect();
        let mut forward = String::new();
        for line in self.lines() {
            // The layers of a `residual` compute a variable of their own, which the sum adds to `x`.
            let block = residuals.iter().find(|inner| (inner.start..=inner.end).contains(&line.start));
            let from = if block.is_some_and(|inner| line.start > inner.start) { "branch" } else { "x" };
            let to = if block.is_some_and(|inner| line.start < inner.end) { "branch" } else { "x" };
            let layers = &self.layers[line];
            let value = layers.iter().fold(from.to_owned(), |x, layer| layer.applied(&x));
            let output = layers.last().map_or(&self.layers[0].input, |layer| &layer.output);
            let _ = writeln!(forward, "        {to} = {value}  # {}", shape(output));
        }
        let mut text = String::new();
        if forward.contains("torch.") {
            text += "import torch\n";
        }
        if forward.contains("F.") {
            text += "import torch.nn.functional as F\n";
        }
        let _ = write!(
            text,
            "from torch import nn\n\n\nclass {class}(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        );
        for layer in modules {
            let comment = match layer.formula.as_str() {
                "" => String::new(),
                formula => format!("  # {formula} = {}", layer.parameter_count()),
            };
            let _ = writeln!(text, "        self.{} = {}{comment}", layer.name, layer.pytorch());
        }
        let _ = writeln!(text, "        # {} parameters\n", self.parameter_count());
        let _ = writeln!(text, "    def forward(self, x):  # {}", shape(&self.input));
        text + &forward + "        return x\n"
    }

    /// The layers of each line of the forward pass: a layer, with the activation after it.
    fn lines(&self) -> Vec<Range<usize>> {
        let is_activation = |i: usize| self.layers.get(i).is_some_and(|layer| layer.kind.config().is_activation());
        let starts: Vec<usize> = self.residuals().map(|inner| inner.start).collect();
        let (mut lines, mut i) = (Vec::new(), 0);
        while i < self.layers.len() {
            let has_activation = !is_activation(i) && is_activation(i + 1) && !starts.contains(&(i + 1));
            let end = i + 1 + usize::from(has_activation);
            lines.push(i..end);
            i = end;
        }
        lines
    }
}

/// The name of each model's Python file, without `.py`: the model's name in a form that Python can import, unless two
/// models would get the same name.
pub fn module_names<'a>(models: impl Iterator<Item = &'a str> + Clone) -> impl Iterator<Item = (&'a str, String)> {
    let names: Vec<String> = models.clone().map(|name| name.replace('-', "_").to_ascii_lowercase()).collect();
    models.zip(names.clone()).map(move |(model, name)| {
        let is_unique = names.iter().filter(|other| **other == name).count() == 1;
        (model, if is_unique { name } else { model.to_owned() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str, layers: &str) -> Model {
        Model::resolve(name, &serde_yaml::from_str(layers).unwrap(), [1, 28, 28], 10).unwrap()
    }

    #[test]
    fn a_network_is_a_module_with_formulas_and_shapes() {
        let slim = model(
            "slim-bn",
            "{layers: [conv2d: {out_channels: 64, kernel_size: 3}, batch_norm2d, relu, max_pool2d: {kernel_size: 6},
                dropout: {p: 0.25}, flatten, linear: {out_features: 128}, gelu, leaky_relu: {negative_slope: 0.2},
                linear: {out_features: 10, bias: false}]}",
        );
        let expected = "\
import torch
import torch.nn.functional as F
from torch import nn


class SlimBn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 3)  # (3·3·1 + 1)·64 = 640
        self.bn1 = nn.BatchNorm2d(64)  # 2·64 = 128
        self.dropout1 = nn.Dropout(0.25)
        self.fc1 = nn.Linear(1024, 128)  # (1024 + 1)·128 = 131200
        self.fc2 = nn.Linear(128, 10, bias=False)  # 128·10 = 1280
        # 133248 parameters

    def forward(self, x):  # [32, 1, 28, 28]
        x = self.conv1(x)  # [32, 64, 26, 26]
        x = F.relu(self.bn1(x))  # [32, 64, 26, 26]
        x = F.max_pool2d(x, 6)  # [32, 64, 4, 4]
        x = self.dropout1(x)  # [32, 64, 4, 4]
        x = torch.flatten(x, 1)  # [32, 1024]
        x = F.gelu(self.fc1(x))  # [32, 128]
        x = F.leaky_relu(x, negative_slope=0.2)  # [32, 128]
        x = self.fc2(x)  # [32, 10]
        return x
";
        assert_eq!(slim.code(32), expected);
    }

    #[test]
    fn a_residual_is_a_sum_with_a_branch() {
        let net = model(
            "res",
            "{layers: [conv2d: {out_channels: 4, kernel_size: 3}, batch_norm2d,
                residual: {layers: [relu, conv2d: {out_channels: 4, kernel_size: 3, padding: 1, bias: false}, batch_norm2d, relu,
                    dropout: {p: 0.1}]}, relu, residual: {layers: [batch_norm2d]}, global_avg_pool, linear: {out_features: 10}]}",
        );
        let code = net.code(8);
        let expected = "\
    def forward(self, x):  # [8, 1, 28, 28]
        x = self.conv1(x)  # [8, 4, 26, 26]
        x = self.bn1(x)  # [8, 4, 26, 26]
        branch = F.relu(x)  # [8, 4, 26, 26]
        branch = self.conv2(branch)  # [8, 4, 26, 26]
        branch = F.relu(self.bn2(branch))  # [8, 4, 26, 26]
        branch = self.dropout1(branch)  # [8, 4, 26, 26]
        x = F.relu(x + branch)  # [8, 4, 26, 26]
        branch = self.bn3(x)  # [8, 4, 26, 26]
        x = x + branch  # [8, 4, 26, 26]
        x = torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)  # [8, 4]
        x = self.fc1(x)  # [8, 10]
        return x
";
        assert!(code.ends_with(expected), "{code}");
        assert!(!code.contains("self.residual"), "{code}");
    }

    #[test]
    fn pools_and_activations_are_calls_and_what_is_not_used_is_not_imported() {
        let pools = model(
            "m",
            "{layers: [avg_pool2d: {kernel_size: 3, stride: 1, padding: 1}, conv2d: {out_channels: 10, kernel_size: 1},
                max_pool2d: {kernel_size: 2, stride: 1}, global_avg_pool]}",
        );
        let code = pools.code(1);
        for line in [
            "x = F.avg_pool2d(x, 3, stride=1, padding=1)  # [1, 1, 28, 28]",
            "x = F.max_pool2d(x, 2, stride=1)  # [1, 10, 27, 27]",
            "x = torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)  # [1, 10]",
        ] {
            assert!(code.contains(line), "{line} is not in:\n{code}");
        }
        let lenet = model(
            "m",
            "{layers: [conv2d: {out_channels: 4, kernel_size: [3, 4], padding: same, dilation: [2, 1]}, tanh,
                conv2d: {out_channels: 10, kernel_size: [28, 1], stride: [1, 2], padding: [0, 1]}, sigmoid,
                global_avg_pool, batch_norm1d, tanh]}",
        );
        let code = lenet.code(1);
        for line in [
            "import torch\nimport torch.nn",
            "self.conv1 = nn.Conv2d(1, 4, (3, 4), padding='same', dilation=(2, 1))  # (3·4·1 + 1)·4 = 52",
            "self.conv2 = nn.Conv2d(4, 10, (28, 1), stride=(1, 2), padding=(0, 1))  # (28·1·4 + 1)·10 = 1130",
            "self.bn1 = nn.BatchNorm1d(10)  # 2·10 = 20",
            "x = torch.tanh(self.conv1(x))  # [1, 4, 28, 28]",
            "x = torch.sigmoid(self.conv2(x))  # [1, 10, 1, 15]",
            "x = torch.tanh(self.bn1(x))  # [1, 10]",
        ] {
            assert!(code.contains(line), "{line} is not in:\n{code}");
        }
        let linear = model("m", "{layers: [conv2d: {out_channels: 10, kernel_size: 28}, layer_norm, flatten]}").code(1);
        assert!(!linear.contains("functional") && linear.contains("import torch\n"), "{linear}");
    }

    #[test]
    fn classes_and_files_have_names_that_python_accepts() {
        let classes = ["slim-bn", "2-layers", "f", "none", "_a", "-", "UNet"].map(class_name);
        assert_eq!(classes, ["SlimBn", "Net2Layers", "NetF", "NetNone", "A", "Net", "UNet"]);
        let files =
            module_names(["slim-bn", "a-b", "a_b", "Wide"].into_iter()).map(|(_, file)| file).collect::<Vec<_>>();
        assert_eq!(files, ["slim_bn", "a-b", "a_b", "wide"]);
    }

    #[test]
    fn names_that_a_module_cannot_have_are_refused() {
        for name in ["forward", "class", "training", "__class__", "_modules"] {
            let layers = format!("{{layers: [conv2d: {{name: {name}, out_channels: 10, kernel_size: 28}}, flatten]}}");
            let spec = serde_yaml::from_str(&layers).unwrap();
            let error = Model::resolve("m", &spec, [1, 28, 28], 10).unwrap_err().to_string();
            assert_eq!(error, format!("layer name `{name}`: Python or torch.nn.Module uses it: choose another"));
        }
    }
}
