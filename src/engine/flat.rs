//! Several tensors in one block of memory, so that one operation can change all their values.

use tch::{Device, Kind, Tensor};

/// Each tensor starts at a multiple of this many f32 values (256 bytes): GPU kernels load 16 bytes at a time, and GPU
/// cache lines have 128 bytes.
const ALIGNMENT: usize = 64;

/// f32 tensors that are views of one tensor.
pub(super) struct Flat {
    /// All values, `[n]`: the parts one after the other, with padding between them.
    pub all: Tensor,
    /// The views, in order.
    pub parts: Vec<Tensor>,
}

impl Flat {
    /// Zeros of the given sizes.
    pub(super) fn zeros(sizes: &[Vec<i64>], device: Device) -> Self {
        let starts: Vec<usize> = sizes
            .iter()
            .scan(0, |end, size| {
                let start = *end;
                *end += numel(size).next_multiple_of(ALIGNMENT);
                Some(start)
            })
            .collect();
        let len = starts.last().zip(sizes.last()).map_or(0, |(start, size)| start + numel(size));
        let all = Tensor::zeros([len as i64], (Kind::Float, device));
        let part = |(start, size): (&usize, &Vec<i64>)| {
            all.narrow(0, *start as i64, numel(size) as i64).view(size.as_slice()).detach()
        };
        let parts = starts.iter().zip(sizes).map(part).collect();
        Self { all, parts }
    }

    /// Zeros of the same sizes at the same offsets.
    pub(super) fn zeros_like(&self) -> Self {
        Self::zeros(&self.parts.iter().map(Tensor::size).collect::<Vec<_>>(), self.all.device())
    }

    /// Copies tensors of the parts' sizes into one `[n]`, each at its part's offset, with zeros between them.
    pub(super) fn join(&self, tensors: &[Tensor]) -> Tensor {
        let padding = Tensor::zeros([ALIGNMENT as i64], (Kind::Float, self.all.device()));
        let mut pieces = Vec::with_capacity(2 * tensors.len());
        for tensor in tensors {
            let len = tensor.numel();
            pieces.push(tensor.reshape([-1]));
            pieces.push(padding.narrow(0, 0, (len.next_multiple_of(ALIGNMENT) - len) as i64));
        }
        pieces.pop();
        Tensor::cat(&pieces, 0)
    }
}

fn numel(size: &[i64]) -> usize {
    size.iter().product::<i64>() as usize
}

#[cfg(test)]
mod tests {
    use super::super::Engine;
    use super::super::network::to_vec;
    use super::*;

    #[test]
    fn parts_are_aligned_views_and_join_uses_their_offsets() {
        Engine::start(None, false).unwrap();
        let mut flat = Flat::zeros(&[vec![2, 3], vec![64], vec![1]], Device::Cpu);
        assert_eq!(flat.all.size(), [64 + 64 + 1]);
        let tensors = [
            Tensor::ones([2, 3], (Kind::Float, Device::Cpu)),
            Tensor::full([64], 2.0, (Kind::Float, Device::Cpu)),
            Tensor::from_slice(&[3f32]),
        ];
        let _ = flat.all.g_add_(&flat.join(&tensors));
        for (part, tensor) in flat.parts.iter().zip(&tensors) {
            assert_eq!((part.size(), to_vec(part)), (tensor.size(), to_vec(tensor)));
        }
        assert_eq!(to_vec(&flat.all).iter().sum::<f32>(), 6.0 + 128.0 + 3.0);
        assert_eq!(to_vec(&flat.zeros_like().all), [0.0; 129]);
    }
}
