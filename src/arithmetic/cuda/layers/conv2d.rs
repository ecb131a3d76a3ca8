//! Two-dimensional convolutions on a GPU, with the same choice of the algorithm as on the CPU.

use super::Layer;
use super::direct::Direct;
use super::im2col::Im2col;
use super::winograd::Winograd;
use crate::arithmetic::cuda::gpu::{Argument, Gpu, size};
use kernels::layers::Shape;
use kernels::layers::conv2d::{Algorithm, Conv2dOptions, Convolution};

/// The GPU counterpart of `kernels::layers::conv2d::conv2d`, for up to `images` images.
pub(in crate::arithmetic::cuda) fn conv2d(
    gpu: &dyn Gpu,
    input: Shape,
    options: &Conv2dOptions,
    images: usize,
) -> Box<dyn Layer> {
    let conv = Convolution::new(input, options);
    match conv.algorithm() {
        Algorithm::Direct => Box::new(Direct::new(gpu, conv, images)),
        Algorithm::Winograd => Box::new(Winograd::new(gpu, conv, images)),
        Algorithm::Im2col => Box::new(Im2col::new(gpu, conv, images)),
    }
}

/// Sizes as arguments of a kernel.
pub(super) fn sizes<const N: usize>(sizes: [usize; N]) -> [Argument; N] {
    sizes.map(|n| size(n).into())
}

/// The arguments that describe the window that a convolution moves over its input: `WINDOW` in the kernels.
pub(super) fn window(conv: &Convolution) -> [Argument; 8] {
    let Convolution { kernel: [height, width], stride: [down, across], padding: [above, left], dilation, .. } = *conv;
    sizes([height, width, down, across, above, left, dilation[0], dilation[1]])
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Inputs, assert_same_bits, drawn};
    use super::*;
    use kernels::layers;
    use kernels::samples::{random_convolutions, random_rectangles};

    /// Compares a convolution with that of the CPU. `sizes` are height, width, input channels and output channels;
    /// `kernel` is kernel size, stride and padding.
    #[track_caller]
    fn check(images: usize, sizes: [usize; 4], kernel: [usize; 3], groups: usize, has_bias: bool) {
        let [height, width, channels, out_channels] = sizes;
        let input = Shape { height, width, channels };
        compare(images, input, &Conv2dOptions::square(out_channels, kernel, groups), has_bias);
    }

    #[track_caller]
    fn compare(images: usize, input: Shape, options: &Conv2dOptions, has_bias: bool) {
        let (mut cpu, output) = layers::conv2d::conv2d(input, options);
        let (out_channels, inputs) = (options.out_channels, input.channels / options.groups);
        let weight = drawn(out_channels * inputs * options.kernel_size.iter().product::<usize>(), "weight");
        let inputs = Inputs {
            images,
            x: drawn(images * input.len(), "x"),
            parameters: if has_bias { vec![weight, drawn(out_channels, "bias")] } else { vec![weight] },
            gradient: drawn(images * output.len(), "gradient"),
            ..Inputs::default()
        };
        let what = format!("{images} images, {input:?}, {options:?}");
        assert_same_bits(&what, &inputs, &mut *cpu, |gpu, images| conv2d(gpu, input, options, images));
    }

    #[test]
    fn winograd_has_the_bits_of_the_cpu() {
        check(2, [10, 6, 16, 16], [3, 1, 0], 1, true);
        check(9, [5, 7, 14, 10], [3, 1, 1], 1, true);
        check(1, [3, 3, 17, 3], [3, 1, 0], 1, false);
        check(3, [4, 9, 15, 33], [3, 1, 2], 1, false);
        // Several images together, and parts of several of those.
        check(40, [4, 4, 16, 16], [3, 1, 1], 1, true);
        // More than one piece of channels, and of the tiles of an image.
        check(1, [4, 5, 150, 12], [3, 1, 1], 1, true);
        check(1, [3, 6, 12, 140], [3, 1, 1], 1, true);
        check(2, [46, 45, 12, 2], [3, 1, 1], 1, true);
        // Large tiles of the products.
        check(3, [26, 27, 20, 70], [3, 1, 1], 1, true);
    }

    #[test]
    fn one_input_channel_has_the_bits_of_the_cpu() {
        check(3, [9, 10, 1, 16], [3, 1, 0], 1, true);
        check(9, [8, 9, 1, 21], [5, 2, 2], 1, true);
        check(1, [6, 7, 1, 4], [1, 1, 0], 1, false);
        check(40, [7, 8, 1, 40], [2, 3, 1], 1, true);
        check(3, [13, 21, 1, 3], [7, 1, 3], 1, false);
        // Padding wider than the kernel.
        check(3, [3, 3, 1, 2], [2, 1, 4], 1, true);
    }

    #[test]
    fn depthwise_convolutions_have_the_bits_of_the_cpu() {
        check(3, [9, 10, 16, 16], [3, 1, 0], 16, true);
        check(9, [8, 9, 20, 20], [3, 2, 1], 20, true);
        check(1, [6, 14, 5, 15], [5, 1, 2], 5, false);
        check(40, [5, 6, 8, 16], [2, 3, 0], 8, true);
        check(3, [9, 9, 33, 33], [7, 1, 3], 33, false);
        check(3, [9, 9, 3, 12], [6, 2, 1], 3, true);
    }

    #[test]
    fn other_convolutions_have_the_bits_of_the_cpu() {
        for kernel in [1, 2, 3, 5, 7] {
            for stride in 1..=3 {
                let images = [1, 3, 9][stride - 1];
                check(images, [9, 8, 3, 5], [kernel, stride, kernel / 2], 1, stride != 2);
                check(images, [7, 9, 6, 4], [kernel, stride, kernel - 1], 2, stride == 2);
            }
        }
        check(40, [5, 5, 16, 16], [1, 1, 0], 1, true);
        check(40, [4, 3, 24, 20], [1, 1, 0], 4, true);
        check(9, [5, 5, 20, 17], [1, 1, 0], 1, false);
        check(1, [12, 11, 34, 68], [3, 1, 1], 2, true);
        check(2, [6, 6, 150, 140], [2, 2, 0], 1, true);
        check(3, [3, 3, 2, 3], [2, 1, 4], 1, true);
        check(3, [3, 3, 4, 4], [1, 1, 1], 2, true);
        // Several pieces of pixels in each part.
        check(18, [14, 13, 4, 9], [2, 1, 0], 1, true);
        // Large tiles of the products.
        check(3, [17, 18, 2, 66], [2, 1, 0], 1, true);
        check(3, [11, 11, 34, 70], [2, 1, 0], 1, true);
    }

    #[test]
    fn rectangles_dilations_and_padding_on_one_side_have_the_bits_of_the_cpu() {
        for (images, input, options, has_bias) in random_rectangles(40) {
            compare(images, input, &options, has_bias);
        }
    }

    #[test]
    fn convolutions_of_random_shapes_have_the_bits_of_the_cpu() {
        for (images, sizes, kernel, groups, has_bias) in random_convolutions(20) {
            check(images, sizes, kernel, groups, has_bias);
        }
    }
}
