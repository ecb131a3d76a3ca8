//! The source of all kernels: one translation unit of CUDA C.

/// Every file with its name, in the order in which they are compiled.
pub const FILES: &[(&str, &str)] = &[
    ("prelude.cuh", include_str!("kernels/prelude.cuh")),
    ("functions.cuh", include_str!("kernels/functions.cuh")),
    ("relu.cu", include_str!("kernels/relu.cu")),
    ("residual.cu", include_str!("kernels/residual.cu")),
    ("leaky_relu.cu", include_str!("kernels/leaky_relu.cu")),
    ("gelu.cu", include_str!("kernels/gelu.cu")),
    ("sigmoid.cu", include_str!("kernels/sigmoid.cu")),
    ("tanh.cu", include_str!("kernels/tanh.cu")),
    ("flatten.cu", include_str!("kernels/flatten.cu")),
    ("dropout.cu", include_str!("kernels/dropout.cu")),
    ("max_pool2d.cu", include_str!("kernels/max_pool2d.cu")),
    ("avg_pool2d.cu", include_str!("kernels/avg_pool2d.cu")),
    ("global_avg_pool.cu", include_str!("kernels/global_avg_pool.cu")),
    ("batch_norm2d.cu", include_str!("kernels/batch_norm2d.cu")),
    ("layer_norm.cu", include_str!("kernels/layer_norm.cu")),
    ("cross_entropy.cu", include_str!("kernels/cross_entropy.cu")),
    ("clip.cu", include_str!("kernels/clip.cu")),
    ("optimizers.cu", include_str!("kernels/optimizers.cu")),
    ("gemm.cuh", include_str!("kernels/gemm.cuh")),
    ("direct.cu", include_str!("kernels/direct.cu")),
    ("im2col.cu", include_str!("kernels/im2col.cu")),
    ("winograd.cu", include_str!("kernels/winograd.cu")),
    ("train.cu", include_str!("kernels/train.cu")),
];

/// All files, one after the other, with `#line` directives, so that compiler errors name the file and its line.
pub fn source() -> String {
    FILES.iter().map(|(name, text)| format!("#line 1 \"{name}\"\n{text}\n")).collect()
}

/// The names of all kernels, in the order of the source.
pub fn kernels() -> Vec<&'static str> {
    definitions().map(|(name, _)| name).collect()
}

/// Maximum number of threads per block of this kernel, if its definition states it.
#[cfg(test)]
pub(super) fn threads_of(kernel: &str) -> Option<u32> {
    definitions().find(|(name, _)| *name == kernel).and_then(|(_, threads)| threads)
}

/// The name of every kernel with the first number of its launch bounds.
fn definitions() -> impl Iterator<Item = (&'static str, Option<u32>)> {
    FILES.iter().flat_map(|(_, text)| text.split(KERNEL).skip(1)).map(definition)
}

/// The text with which the definition of a kernel begins.
const KERNEL: &str = "extern \"C\" __global__ void";

/// Name and bound from the text that follows `KERNEL`.
fn definition(text: &str) -> (&str, Option<u32>) {
    let text = text.trim_start();
    let (bounds, text) = match text.strip_prefix("__launch_bounds__(").and_then(|rest| rest.split_once(')')) {
        Some((bounds, rest)) => (bounds, rest.trim_start()),
        None => ("", text),
    };
    let threads = bounds.split(',').next().and_then(|n| n.trim().parse().ok());
    (text.split('(').next().unwrap_or_default(), threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_found_by_their_definitions() {
        assert_eq!(definition(" __launch_bounds__(256, 2)\nrelu(const float* x)"), ("relu", Some(256)));
        assert_eq!(definition(" relu(const float* x)"), ("relu", None));
        let kernels = kernels();
        assert!(kernels.iter().all(|k| k.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !k.is_empty()));
        let definitions = FILES.iter().map(|(_, text)| text.matches("__global__").count()).sum::<usize>();
        assert_eq!(kernels.len(), definitions);
    }
}
