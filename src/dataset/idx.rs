//! The IDX format for unsigned bytes: a magic number with the number of dimensions, big-endian sizes, values.
//!
//! The crates that read IDX panic on bad files and are not maintained.

use super::DatasetError;

const UNSIGNED_BYTE: u8 = 0x08;

/// Splits an IDX file into its sizes and values. Fails unless the product of the sizes is the number of values, so a
/// false header never causes a large allocation.
pub(super) fn parse(bytes: &[u8]) -> Result<(Vec<usize>, &[u8]), DatasetError> {
    let [0, 0, UNSIGNED_BYTE, dimensions, rest @ ..] = bytes else { return Err(DatasetError::NotIdx) };
    let dimensions = usize::from(*dimensions);
    if !(1..=3).contains(&dimensions) || rest.len() < 4 * dimensions {
        return Err(DatasetError::IdxHeader);
    }
    let (head, values) = rest.split_at(4 * dimensions);
    let sizes: Vec<usize> =
        head.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize).collect();
    let stated = sizes.iter().try_fold(1usize, |n, s| n.checked_mul(*s));
    if stated != Some(values.len()) {
        return Err(DatasetError::IdxSize { found: values.len(), sizes });
    }
    Ok((sizes, values))
}

/// The values of a data set's file: the pixels of 28x28 images, or labels.
pub(super) fn values<'a>(name: &'static str, bytes: &'a [u8]) -> Result<&'a [u8], DatasetError> {
    let (sizes, values) = parse(bytes)?;
    match (name.contains("images"), &sizes[..]) {
        (true, [_, 28, 28]) | (false, [_]) => Ok(values),
        _ => Err(DatasetError::Shape { name, sizes }),
    }
}

/// Reads the labels or predicted classes of an IDX file with one dimension.
///
/// # Errors
/// The file is damaged, or has more than one dimension.
pub fn read_labels(bytes: &[u8]) -> Result<Vec<u8>, DatasetError> {
    let (sizes, values) = parse(bytes)?;
    if sizes.len() == 1 { Ok(values.to_vec()) } else { Err(DatasetError::NotLabels(sizes.len())) }
}

/// The IDX file of a list of classes.
///
/// # Panics
/// On 2^32 classes or more.
pub fn write_labels(classes: &[u8]) -> Vec<u8> {
    let count = u32::try_from(classes.len()).expect("fewer than 2^32 images");
    let mut bytes = vec![0, 0, UNSIGNED_BYTE, 1];
    bytes.extend(count.to_be_bytes());
    bytes.extend(classes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_survive_a_round_trip() {
        assert_eq!(read_labels(&write_labels(&[7, 0, 9])).unwrap(), [7, 0, 9]);
    }

    #[test]
    fn damaged_files_are_refused() {
        let good = write_labels(&[1, 2, 3]);
        for bad in [&good[..10], &good[..5], &[], &[0, 0, 9, 1, 0, 0, 0, 0], &[0, 0, 8, 0], &[1, 2, 3, 4, 5]] {
            assert!(read_labels(bad).is_err(), "{bad:?}");
        }
        let mut long = good.clone();
        long.push(4);
        assert!(read_labels(&long).is_err());
        let huge = [0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        assert!(parse(&huge).is_err());
    }
}
