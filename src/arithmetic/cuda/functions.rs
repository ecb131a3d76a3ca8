//! `exp`, `log`, `erf`, `tanh` and `sigmoid` on a GPU, compared with the CPU's. The functions themselves are in kernels/functions.cuh.

use super::gpu::{Argument, Gpu};
use super::layers::value_grid;
use crate::tensors::values_difference;
use kernels::functions::{erf, exp, log, sigmoid, tanh};

type Function = fn(f32) -> f32;

/// The first value whose bits differ. Compares values of every exponent and sign, and more values around 1 and where
/// `exp` and the others vary.
pub(super) fn difference(gpu: &dyn Gpu) -> Option<String> {
    let every_exponent = (0..=u32::MAX).step_by(4099).map(f32::from_bits);
    let near_one = (0x3f00_0000..0x4000_0000).step_by(97).map(f32::from_bits);
    let even = |from: f64, to: f64| (0..100_003).map(move |i| (from + (to - from) * f64::from(i) / 1e5) as f32);
    let special = [0.0, -0.0, 1.0, 88.722_84, 88.722_83, -103.972_08, -87.336_55, f32::INFINITY, f32::NEG_INFINITY];
    let x: Vec<f32> =
        every_exponent.chain(near_one).chain(even(-105.0, 90.0)).chain(even(-4.2, 4.2)).chain(special).collect();
    let functions = [("exp", exp as Function), ("log", log), ("erf", erf), ("tanh", tanh), ("sigmoid", sigmoid)];
    let (input, results) = (gpu.values(x.len()), functions.map(|_| gpu.values(x.len())));
    gpu.write_values(input.address(), &x);
    let mut arguments = vec![input.address().into()];
    arguments.extend(results.iter().map(|memory| Argument::from(memory.address())));
    arguments.push((x.len() as u64).into());
    gpu.launch("functions", value_grid(x.len()), &arguments);
    functions.into_iter().zip(&results).find_map(|((name, function), memory)| {
        let expected: Vec<f32> = x.iter().map(|x| function(*x)).collect();
        values_difference(&gpu.read_values(memory.address(), x.len()), &expected).map(|why| format!("{name}: {why}"))
    })
}
