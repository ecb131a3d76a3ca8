//! The training loss of every batch of one seed: a file of little-endian float32 values, in the order of the steps.

use thiserror::Error;

const BYTES: usize = size_of::<f32>();

/// Why a file does not hold losses.
#[derive(Debug, Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum LossesError {
    #[error("{0} bytes are not a whole number of float32 values")]
    Length(usize),
    #[error("step {0}: the loss is not a finite number")]
    NotFinite(usize),
}

/// The file of some losses.
pub fn write_losses(losses: &[f32]) -> Vec<u8> {
    losses.iter().flat_map(|loss| loss.to_le_bytes()).collect()
}

/// Reads the losses of a training that did not diverge.
///
/// # Errors
/// Another length, or a value that is not finite.
pub fn read_losses(bytes: &[u8]) -> Result<Vec<f32>, LossesError> {
    let (values, rest) = bytes.as_chunks::<BYTES>();
    if !rest.is_empty() {
        return Err(LossesError::Length(bytes.len()));
    }
    let losses: Vec<f32> = values.iter().map(|value| f32::from_le_bytes(*value)).collect();
    match losses.iter().position(|loss| !loss.is_finite()) {
        Some(step) => Err(LossesError::NotFinite(step + 1)),
        None => Ok(losses),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_survive_their_file_bit_for_bit() {
        let losses = [2.25, 0.0, f32::MIN_POSITIVE / 2.0, f32::MAX];
        let bytes = write_losses(&losses);
        assert_eq!(bytes[..4], [0, 0, 16, 64]);
        assert_eq!(read_losses(&bytes).unwrap(), losses);
        assert!(read_losses(&[]).unwrap().is_empty());
    }

    #[test]
    fn other_files_are_refused_with_the_step() {
        assert_eq!(read_losses(&[0; 7]), Err(LossesError::Length(7)));
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(read_losses(&write_losses(&[1.0, value])), Err(LossesError::NotFinite(2)));
        }
    }
}
