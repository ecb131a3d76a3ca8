//! Compares a layer on the GPU with the same layer on the CPU, for the tests of the layers.

use super::{Backward, Forward, Layer, Mask};
use crate::arithmetic::cuda::gpu::{Address, Gpu, Memory};
use crate::arithmetic::cuda::testing::{Emulator, Order};
use kernels::layers;
pub(super) use kernels::samples::drawn;

/// The inputs of a layer in a test.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs {
    pub images: usize,
    pub x: Vec<f32>,
    pub parameters: Vec<Vec<f32>>,
    pub buffers: Vec<Vec<f32>>,
    /// The gradient with respect to `y`.
    pub gradient: Vec<f32>,
    pub mask: Option<Vec<f32>>,
}

/// What a layer computes: outputs in evaluation and training, buffers, and gradients of input and parameters.
type Computed = Vec<(&'static str, Vec<f32>)>;

/// Asserts that a layer on the GPU, in several orders of its threads, computes the bits of the layer on the CPU.
/// `create` makes the layer for a maximum number of images.
#[track_caller]
pub(super) fn assert_same_bits(
    what: &str,
    inputs: &Inputs,
    cpu: &mut dyn layers::Layer,
    create: impl Fn(&dyn Gpu, usize) -> Box<dyn Layer>,
) {
    let expected = on_cpu(cpu, inputs);
    for order in Order::ALL {
        // Working memory for more images than needed must not change the bits.
        for images in [inputs.images, inputs.images + 3] {
            let gpu = Emulator::new(order);
            let got = on_gpu(&gpu, &mut *create(&gpu, images), inputs);
            assert_eq!(expected.len(), got.len());
            for ((name, expected), (_, got)) in expected.iter().zip(&got) {
                assert_equal(&format!("{what}, {order:?}: {name}"), got, expected);
            }
        }
    }
}

/// Asserts that the values have the same bits. All NaN count as equal.
#[track_caller]
pub(in crate::arithmetic::cuda) fn assert_equal(what: &str, got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    if let Some(i) = (0..got.len()).find(|i| !same(got[*i], expected[*i])) {
        let count = (0..got.len()).filter(|i| !same(got[*i], expected[*i])).count();
        panic!("{what}[{i}] is {:?}, on the CPU {:?}; {count} of {} values differ", got[i], expected[i], got.len());
    }
}

fn on_cpu(layer: &mut dyn layers::Layer, inputs: &Inputs) -> Computed {
    let Inputs { x, parameters, gradient, .. } = inputs;
    let (mut evaluated, mut y) = (vec![f32::NAN; gradient.len()], vec![f32::NAN; gradient.len()]);
    let mut buffers = inputs.buffers.clone();
    layer.evaluate(layers::Forward { x, skip: &[], parameters, buffers: &buffers, y: &mut evaluated });
    layer.set_mask(inputs.mask.as_deref());
    layer.train(layers::Forward { x, skip: &[], parameters, buffers: &buffers, y: &mut y });
    layer.update_buffers(&mut buffers);
    let mut dx = vec![f32::NAN; x.len()];
    let mut gradients: Vec<Vec<f32>> = parameters.iter().map(|p| vec![f32::NAN; p.len()]).collect();
    layer.backward(layers::Backward {
        x,
        y: &y,
        output_gradient: gradient,
        parameters,
        input_gradient: Some(&mut dx),
        parameter_gradients: &mut gradients,
    });
    let mut computed = vec![("evaluated", evaluated), ("y", y), ("dx", dx)];
    computed.extend(gradients.iter().map(|gradient| ("gradient of a parameter", gradient.clone())));
    // `on_gpu` computes them a second time, without `dx`.
    computed.extend(gradients.into_iter().map(|gradient| ("gradient of a parameter, without dx", gradient)));
    computed.extend(buffers.into_iter().map(|buffer| ("buffer", buffer)));
    computed
}

fn on_gpu(gpu: &dyn Gpu, layer: &mut dyn Layer, inputs: &Inputs) -> Computed {
    let Inputs { images, ref x, ref parameters, ref buffers, ref gradient, ref mask } = *inputs;
    let upload = |values: &Vec<f32>| {
        let memory = gpu.values(values.len());
        gpu.write_values(memory.address(), values);
        memory
    };
    let upload_all = |tensors: &[Vec<f32>]| tensors.iter().map(upload).collect::<Vec<_>>();
    let addresses = |memories: &[Memory]| memories.iter().map(Memory::address).collect::<Vec<Address>>();
    let input = upload(x);
    let (parameter_memory, buffer_memory) = (upload_all(parameters), upload_all(buffers));
    let (parameter_addresses, buffer_addresses) = (addresses(&parameter_memory), addresses(&buffer_memory));
    let output_gradient = upload(gradient);
    let (evaluated, y, dx) = (gpu.values(gradient.len()), gpu.values(gradient.len()), gpu.values(x.len()));
    let pass = |y: &Memory| Forward {
        images,
        x: input.address(),
        skip: None,
        parameters: &parameter_addresses,
        buffers: &buffer_addresses,
        y: y.address(),
    };
    layer.evaluate(gpu, &pass(&evaluated));
    layer.set_mask(gpu, &mask.as_deref().map_or(Mask::None, Mask::Given));
    layer.train(gpu, &pass(&y));
    let backward = |input_gradient: Option<Address>| {
        let gradients: Vec<Memory> = parameters.iter().map(|p| gpu.values(p.len())).collect();
        layer.backward(
            gpu,
            &Backward {
                images,
                x: input.address(),
                y: y.address(),
                output_gradient: output_gradient.address(),
                parameters: &parameter_addresses,
                input_gradient,
                parameter_gradients: &addresses(&gradients),
            },
        );
        let read = |(memory, p): (&Memory, &Vec<f32>)| gpu.read_values(memory.address(), p.len());
        gradients.iter().zip(parameters).map(read).collect::<Vec<_>>()
    };
    let read = |memory: &Memory, len: usize| gpu.read_values(memory.address(), len);
    let mut computed = vec![("evaluated", read(&evaluated, gradient.len())), ("y", read(&y, gradient.len()))];
    let gradients = backward(Some(dx.address()));
    computed.push(("dx", read(&dx, x.len())));
    computed.extend(gradients.into_iter().map(|gradient| ("gradient of a parameter", gradient)));
    computed.extend(backward(None).into_iter().map(|gradient| ("gradient of a parameter, without dx", gradient)));
    computed.extend(buffer_memory.iter().zip(buffers).map(|(memory, b)| ("buffer", read(memory, b.len()))));
    computed
}
