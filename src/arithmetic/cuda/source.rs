//! The source of all kernels: one translation unit of CUDA C.

/// Every file with its name, in the order in which they are compiled.
pub const FILES: &[(&str, &str)] = &[
    ("prelude.cuh", include_str!("kernels/prelude.cuh")),
];

/// All files, one after the other. Errors of a compiler name the file and its line.
pub fn source() -> String {
    FILES.iter().map(|(name, text)| format!("#line 1 \"{name}\"\n{text}\n")).collect()
}

/// The names of all kernels, in the order of the source.
pub fn kernels() -> Vec<&'static str> {
    FILES.iter().flat_map(|(_, text)| text.split(KERNEL).skip(1)).map(name).collect()
}

/// How the definition of a kernel begins.
const KERNEL: &str = "extern \"C\" __global__ void";

/// The name in the rest of a kernel's definition, which may begin with the attribute for the block's size.
fn name(definition: &str) -> &str {
    let definition = definition.trim_start();
    let definition = match definition.strip_prefix("__launch_bounds__(") {
        Some(rest) => rest.split_once(')').map_or("", |(_, rest)| rest).trim_start(),
        None => definition,
    };
    definition.split('(').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_found_by_their_definitions() {
        assert_eq!(name(" __launch_bounds__(256)\nrelu(const float* x)"), "relu");
        assert_eq!(name(" relu(const float* x)"), "relu");
        let kernels = kernels();
        assert!(kernels.iter().all(|k| k.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !k.is_empty()));
        let definitions = FILES.iter().map(|(_, text)| text.matches("__global__").count()).sum::<usize>();
        assert_eq!(kernels.len(), definitions);
    }
}
