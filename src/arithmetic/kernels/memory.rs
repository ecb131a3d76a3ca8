//! Allocates memory for values, and panics with [`OutOfMemory`] if the system refuses it.

use std::panic;

/// The payload of the panic when an allocation fails: the number of bytes requested.
#[derive(Clone, Copy, Debug)]
pub struct OutOfMemory(pub u64);

/// `count` zeros.
///
/// # Panics
/// With [`OutOfMemory`] if the allocation fails.
pub fn zeros(count: usize) -> Vec<f32> {
    let mut values = Vec::new();
    grow(&mut values, count);
    values
}

/// Extends a list with zeros to at least `count` values.
///
/// # Panics
/// Same as [`zeros`].
pub fn grow(values: &mut Vec<f32>, count: usize) {
    let more = count.saturating_sub(values.len());
    if values.try_reserve_exact(more).is_err() {
        panic::panic_any(OutOfMemory(4 * count as u64));
    }
    values.resize(values.len() + more, 0.0);
}
