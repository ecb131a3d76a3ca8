//! The biases that a batch normalisation cancels.

use super::{Layer, LayerKind, Model};

/// How the values of a channel change if a bias changes.
#[derive(Clone, Copy, PartialEq)]
enum Shift {
    /// Not at all.
    None,
    /// All by the same amount.
    Constant,
    /// In another way.
    Other,
}

impl Shift {
    /// The shift of a layer's output, from that of its input.
    fn after(self, layer: &Layer) -> Self {
        let config = layer.kind.config();
        match self {
            Self::Constant if config.cancels_channel_shifts() => Self::None,
            Self::Constant if !config.passes_channel_shifts() => Self::Other,
            shift => shift,
        }
    }

    /// The shift of a sum.
    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Other, _) | (_, Self::Other) => Self::Other,
            (Self::None, Self::None) => Self::None,
            _ => Self::Constant,
        }
    }
}

impl Model {
    /// The names of biases that the next batch normalisation cancels: it subtracts the batch's mean, so the loss does
    /// not depend on them while training. Their gradient is zero, but autograd returns rounding errors instead. There
    /// may be pools, convolutions and other layers in between if they turn a constant shift of a channel into constant
    /// shifts of channels.
    pub fn cancelled_biases(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().enumerate().filter_map(|(i, layer)| {
            let is_cancelled = layer.kind.config().has_channel_bias() && self.shift_of_loss(i) == Shift::None;
            is_cancelled.then(|| layer.parameters[1].name.as_str())
        })
    }

    /// How the network's output changes if the bias of layer `i` changes.
    fn shift_of_loss(&self, i: usize) -> Shift {
        let starts: Vec<usize> = self.residuals().map(|inner| inner.start).collect();
        // A bias inside a `residual` does not change that one's input.
        let (mut shift, mut skip) = (Shift::Constant, Shift::None);
        for (j, layer) in self.layers.iter().enumerate().skip(i + 1) {
            if starts.contains(&j) {
                skip = shift;
            }
            shift = match layer.kind {
                LayerKind::Residual(_) => shift.plus(skip),
                _ => shift.after(layer),
            };
        }
        shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(yaml: &str) -> Model {
        Model::resolve("m", &serde_yaml::from_str(yaml).unwrap(), [1, 28, 28], 10).unwrap()
    }

    #[test]
    fn biases_before_batch_normalisation_are_cancelled() {
        let layers = "{layers: [
            conv2d: {name: a, out_channels: 2, kernel_size: 3}, batch_norm2d, relu,
            conv2d: {name: b, out_channels: 2, kernel_size: 3, bias: false}, batch_norm2d,
            conv2d: {name: c, out_channels: 2, kernel_size: 3}, relu, batch_norm2d,
            conv2d: {name: d, out_channels: 2, kernel_size: 3}, max_pool2d: {kernel_size: 3, stride: 1, padding: 1},
            avg_pool2d: {kernel_size: 2, stride: 1}, batch_norm2d: {name: e}, batch_norm2d,
            conv2d: {name: f, out_channels: 2, kernel_size: 3}, avg_pool2d: {kernel_size: 2, padding: 1},
            batch_norm2d: {name: g}, conv2d: {name: h, out_channels: 2, kernel_size: 1},
            conv2d: {name: i, out_channels: 2, kernel_size: 3, padding: 1}, dropout: {p: 0.0}, batch_norm2d,
            flatten, linear: {out_features: 10}]}";
        assert_eq!(
            model(layers).cancelled_biases().collect::<Vec<_>>(),
            ["a.bias", "bn3.bias", "d.bias", "e.bias", "i.bias"]
        );
        let flat = "{layers: [
            conv2d: {name: a, out_channels: 2, kernel_size: 3}, flatten, batch_norm1d, linear: {name: b, out_features: 4},
            linear: {name: c, out_features: 4}, batch_norm1d, linear: {name: d, out_features: 4}, layer_norm,
            linear: {name: e, out_features: 4}, tanh, batch_norm1d, linear: {out_features: 10}]}";
        assert_eq!(model(flat).cancelled_biases().collect::<Vec<_>>(), ["a.bias", "bn1.bias", "b.bias", "c.bias"]);
        let pooled = "{layers: [conv2d: {out_channels: 10, kernel_size: 3}, global_avg_pool, batch_norm1d]}";
        assert_eq!(model(pooled).cancelled_biases().collect::<Vec<_>>(), ["conv1.bias"]);
    }

    #[test]
    fn a_shift_goes_through_both_sides_of_a_residual() {
        let conv = |name: &str| format!("conv2d: {{name: {name}, out_channels: 2, kernel_size: 1}}");
        for (before, inner, after, expected) in [
            // The input of the sum still has the shift of `a`, which the next normalisation cancels.
            ("", "batch_norm2d", "batch_norm2d", &["a", "b", "bn1"][..]),
            ("", "batch_norm2d", "relu", &[]),
            ("", "relu", "batch_norm2d", &["b"]),
            ("", "max_pool2d: {kernel_size: 1}", "batch_norm2d", &["a", "b"]),
            ("relu, ", "batch_norm2d", "batch_norm2d", &["b", "bn1"]),
        ] {
            let inner = if inner.contains(':') { format!("{{{inner}}}") } else { inner.to_owned() };
            let layers = format!(
                "{{layers: [{{{}}}, {before}residual: {{layers: [{inner}, {{{}}}]}}, {after}, flatten, linear: {{out_features: 10}}]}}",
                conv("a"),
                conv("b")
            );
            let expected: Vec<String> = expected.iter().map(|layer| format!("{layer}.bias")).collect();
            let mut found: Vec<String> = model(&layers).cancelled_biases().map(str::to_owned).collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{layers}");
        }
    }
}
