//! Lists of tensors in one block of a GPU's memory, so that one kernel can update all of them.

use super::gpu::{Address, Gpu, Memory};

/// Each tensor begins at a multiple of this many values.
pub(super) const ALIGNMENT: usize = 64;

/// The values of some tensors, one after the other, with zeros between them.
#[derive(Debug)]
pub(super) struct Tensors {
    memory: Memory,
    /// The address and the number of values of each tensor.
    places: Vec<(Address, usize)>,
    addresses: Vec<Address>,
    values: usize,
}

impl Tensors {
    /// Tensors of zeros with these numbers of values.
    pub(super) fn zeros(gpu: &dyn Gpu, lens: impl IntoIterator<Item = usize>) -> Self {
        let mut values = 0;
        let starts: Vec<(usize, usize)> = lens
            .into_iter()
            .map(|len| {
                let start = values;
                values += len.next_multiple_of(ALIGNMENT);
                (start, len)
            })
            .collect();
        let memory = gpu.zeros(values);
        let places: Vec<_> = starts.iter().map(|(start, len)| (memory.address().offset(*start), *len)).collect();
        Self { memory, addresses: places.iter().map(|(address, _)| *address).collect(), places, values }
    }

    /// Copies these values to the GPU.
    pub(super) fn of(gpu: &dyn Gpu, tensors: &[Vec<f32>]) -> Self {
        let new = Self::zeros(gpu, tensors.iter().map(Vec::len));
        for (i, values) in tensors.iter().enumerate() {
            new.write(gpu, i, values);
        }
        new
    }

    /// Zeros with the same sizes.
    pub(super) fn zeros_like(&self, gpu: &dyn Gpu) -> Self {
        Self::zeros(gpu, self.places.iter().map(|(_, len)| *len))
    }

    /// Where each tensor begins.
    pub(super) fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The address of the first tensor, and the number of values of all tensors, including the padding between them.
    pub(super) fn all(&self) -> (Address, usize) {
        (self.memory.address(), self.values)
    }

    pub(super) fn read(&self, gpu: &dyn Gpu, i: usize) -> Vec<f32> {
        let (address, len) = self.places[i];
        gpu.read_values(address, len)
    }

    pub(super) fn write(&self, gpu: &dyn Gpu, i: usize, values: &[f32]) {
        let (address, len) = self.places[i];
        assert_eq!(values.len(), len);
        gpu.write_values(address, values);
    }

    pub(super) fn fill_zero(&self, gpu: &dyn Gpu, i: usize) {
        let (address, len) = self.places[i];
        gpu.fill_zero(address, 4 * len);
    }
}
