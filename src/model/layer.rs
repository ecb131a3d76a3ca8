//! One layer: its shapes, its tensors and how they start, its formula and its cost.
//!
//! Owns the arithmetic of each kind of layer; the forward pass itself is `engine::net`'s.

use serde::Serialize;

use crate::study::LayerKind;

/// Widths and kernels beyond this are slips of the finger, and would overflow counts.
const MAX_SETTING: usize = 1 << 20;
/// Values in one tensor beyond this would not fit a machine of today.
const MAX_VALUES: u64 = 1 << 30;

/// The largest activation of one image, in values: 64 MiB.
const MAX_ACTIVATION: f64 = 16_777_216.0;

/// How a tensor is filled before training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Uniform in +-bound; PyTorch's default for conv and linear: bound = 1 / sqrt(fan_in)
    /// (`kaiming_uniform_(a=sqrt(5))` for weights comes to the same bound as for biases).
    Uniform {
        bound: f64,
    },
    Ones,
    Zeros,
}

/// A parameter or buffer: PyTorch's name (`conv1.weight`), shape, first values.
#[derive(Clone, Debug, Serialize)]
pub struct TensorSpec {
    pub name: String,
    pub shape: Vec<usize>,
    pub init: Init,
}

impl TensorSpec {
    /// Number of values.
    pub fn numel(&self) -> u64 {
        self.shape.iter().map(|&d| d as u64).product()
    }
}

/// A layer with its place in the network resolved. Shapes are those of one image, without the batch.
#[derive(Clone, Debug)]
pub struct Layer {
    pub name: String,
    pub kind: LayerKind,
    pub input: Vec<usize>,
    pub output: Vec<usize>,
    pub parameters: Vec<TensorSpec>,
    pub buffers: Vec<TensorSpec>,
    /// The parameter count worked out, `(3·3·1 + 1)·64`; empty for a layer without parameters.
    pub formula: String,
    /// Multiply-adds of one image by torchinfo's convention: a convolution's parameters once for each
    /// output pixel, any other layer's parameters once (torchinfo 1.8, `LayerInfo.calculate_macs`).
    pub mult_adds: u64,
}

impl Layer {
    /// # Errors
    /// Says which setting does not fit which input.
    pub fn resolve(name: String, kind: LayerKind, input: Vec<usize>) -> Result<Self, String> {
        check_settings(&kind)?;
        if let (LayerKind::Conv2d(c), [channels, height, width]) = (&kind, input.as_slice()) {
            let padded = |side: usize| side as f64 + 2.0 * c.padding as f64;
            check_activation("its padded input", *channels as f64 * padded(*height) * padded(*width))?;
        }
        let output = output_shape(&kind, &input)?;
        check_activation("its output", output.iter().map(|&d| d as f64).product())?;
        let (parameters, buffers, formula) = tensors(&name, &kind, &input);
        if let Some(big) = parameters.iter().find(|t| t.numel() > MAX_VALUES) {
            return Err(format!("{} would hold {} values; at most {MAX_VALUES} are supported", big.name, big.numel()));
        }
        let values: u64 = parameters.iter().map(TensorSpec::numel).sum();
        let mult_adds = match &kind {
            LayerKind::Conv2d(_) => values * (output[1] * output[2]) as u64,
            _ => values,
        };
        Ok(Self { name, kind, input, output, parameters, buffers, formula, mult_adds })
    }

    /// Trainable parameters.
    pub fn parameter_count(&self) -> u64 {
        self.parameters.iter().map(TensorSpec::numel).sum()
    }

    /// Values in buffers.
    pub fn buffer_count(&self) -> u64 {
        self.buffers.iter().map(TensorSpec::numel).sum()
    }

    /// Values that the layer gives for one image.
    pub fn output_values(&self) -> u64 {
        self.output.iter().map(|&d| d as u64).product()
    }
}

fn check_settings(kind: &LayerKind) -> Result<(), String> {
    let positive = |what: &str, value: usize| match value {
        0 => Err(format!("{what} 0: must be at least 1")),
        v if v > MAX_SETTING => Err(format!("{what} {v}: at most {MAX_SETTING} is supported")),
        _ => Ok(()),
    };
    let eps = |eps: f64| match eps.is_finite() && eps > 0.0 {
        true => Ok(()),
        false => Err(format!("eps {eps}: must be above 0")),
    };
    match kind {
        LayerKind::Conv2d(c) => {
            positive("out_channels", c.out_channels)?;
            positive("kernel_size", c.kernel_size)?;
            positive("stride", c.stride)?;
            positive("groups", c.groups)?;
            positive("padding + 1", c.padding.saturating_add(1))
        }
        LayerKind::MaxPool2d(p) | LayerKind::AvgPool2d(p) => {
            positive("kernel_size", p.kernel_size)?;
            positive("stride", p.stride())?;
            if p.padding > p.kernel_size / 2 {
                return Err(format!("padding {}: at most half of kernel_size {}", p.padding, p.kernel_size));
            }
            Ok(())
        }
        LayerKind::Linear(l) => positive("out_features", l.out_features),
        LayerKind::Dropout(d) if !(0.0..1.0).contains(&d.p) => {
            Err(format!("p {}: must be at least 0 and below 1", d.p))
        }
        LayerKind::LeakyRelu(l) if !l.negative_slope.is_finite() => Err("negative_slope must be finite".into()),
        LayerKind::BatchNorm2d(b) => {
            eps(b.eps)?;
            match (0.0..=1.0).contains(&b.momentum) {
                true => Ok(()),
                false => Err(format!("momentum {}: must be from 0 to 1", b.momentum)),
            }
        }
        LayerKind::LayerNorm(l) => eps(l.eps),
        _ => Ok(()),
    }
}

/// Refuses an image's activation that no memory holds a batch of. Counted in f64, which does not overflow.
fn check_activation(what: &str, values: f64) -> Result<(), String> {
    match values <= MAX_ACTIVATION {
        true => Ok(()),
        false => Err(format!("{what} would hold {values:.0} values an image; at most {MAX_ACTIVATION} are supported")),
    }
}

fn output_shape(kind: &LayerKind, input: &[usize]) -> Result<Vec<usize>, String> {
    let image = || match input {
        &[c, h, w] => Ok((c, h, w)),
        _ => Err(format!("needs an image [channels, height, width], its input is {input:?}")),
    };
    let window = |h: usize, w: usize, kernel: usize, stride: usize, padding: usize| {
        let (ph, pw) = (h + 2 * padding, w + 2 * padding);
        match kernel > ph || kernel > pw {
            true => Err(format!("kernel_size {kernel} is larger than its input, {ph} x {pw} with padding")),
            false => Ok(((ph - kernel) / stride + 1, (pw - kernel) / stride + 1)),
        }
    };
    match kind {
        LayerKind::Conv2d(c) => {
            let (channels, h, w) = image()?;
            if channels % c.groups != 0 || c.out_channels % c.groups != 0 {
                return Err(format!(
                    "groups {} must divide both the {channels} input channels and the {} output channels",
                    c.groups, c.out_channels
                ));
            }
            let (h, w) = window(h, w, c.kernel_size, c.stride, c.padding)?;
            Ok(vec![c.out_channels, h, w])
        }
        LayerKind::MaxPool2d(p) | LayerKind::AvgPool2d(p) => {
            let (channels, h, w) = image()?;
            let (h, w) = window(h, w, p.kernel_size, p.stride(), p.padding)?;
            Ok(vec![channels, h, w])
        }
        LayerKind::GlobalAvgPool(_) => image().map(|(channels, ..)| vec![channels]),
        LayerKind::BatchNorm2d(_) => image().map(|_| input.to_vec()),
        LayerKind::Flatten(_) => Ok(vec![input.iter().product()]),
        LayerKind::Linear(l) => match input {
            [_] => Ok(vec![l.out_features]),
            _ => Err(format!("needs a flat input, its input is {input:?}: put `flatten` before it")),
        },
        LayerKind::Relu(_)
        | LayerKind::LeakyRelu(_)
        | LayerKind::Gelu(_)
        | LayerKind::LayerNorm(_)
        | LayerKind::Dropout(_) => Ok(input.to_vec()),
    }
}

/// Parameters, buffers and the formula of the parameter count.
fn tensors(layer: &str, kind: &LayerKind, input: &[usize]) -> (Vec<TensorSpec>, Vec<TensorSpec>, String) {
    let spec = |part: &str, shape: Vec<usize>, init: Init| TensorSpec { name: format!("{layer}.{part}"), shape, init };
    let weights = |shape: Vec<usize>, bias: bool| {
        let fan_in: usize = shape[1..].iter().product();
        let init = Init::Uniform { bound: 1.0 / (fan_in as f64).sqrt() };
        let out = shape[0];
        let mut list = vec![spec("weight", shape, init)];
        if bias {
            list.push(spec("bias", vec![out], init));
        }
        list
    };
    match kind {
        LayerKind::Conv2d(c) => {
            let (k, per_group) = (c.kernel_size, input[0] / c.groups);
            let list = weights(vec![c.out_channels, per_group, k, k], c.bias);
            let formula = match c.bias {
                true => format!("({k}·{k}·{per_group} + 1)·{}", c.out_channels),
                false => format!("{k}·{k}·{per_group}·{}", c.out_channels),
            };
            (list, vec![], formula)
        }
        LayerKind::Linear(l) => {
            let n = input[0];
            let formula = match l.bias {
                true => format!("({n} + 1)·{}", l.out_features),
                false => format!("{n}·{}", l.out_features),
            };
            (weights(vec![l.out_features, n], l.bias), vec![], formula)
        }
        LayerKind::BatchNorm2d(_) => {
            let c = vec![input[0]];
            (
                vec![spec("weight", c.clone(), Init::Ones), spec("bias", c.clone(), Init::Zeros)],
                vec![spec("running_mean", c.clone(), Init::Zeros), spec("running_var", c.clone(), Init::Ones)],
                format!("2·{}", input[0]),
            )
        }
        LayerKind::LayerNorm(_) => {
            let dims: Vec<String> = input.iter().map(usize::to_string).collect();
            (
                vec![spec("weight", input.to_vec(), Init::Ones), spec("bias", input.to_vec(), Init::Zeros)],
                vec![],
                format!("2·{}", dims.join("·")),
            )
        }
        _ => (vec![], vec![], String::new()),
    }
}
