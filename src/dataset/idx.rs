//! The IDX format (unsigned bytes): a magic number with the count of dimensions, big-endian sizes, values.
//!
//! Owns headers and bounds. Written here since the crates that read IDX panic on a bad file and are not kept.

use anyhow::{Result, bail, ensure};

const UNSIGNED_BYTE: u8 = 0x08;

/// Splits an IDX file into its sizes and values, whose product of sizes must be the bytes at hand:
/// nothing is allocated on a header's word.
///
/// # Errors
/// Not an IDX file of unsigned bytes, or shorter or longer than its header says.
pub fn parse(bytes: &[u8]) -> Result<(Vec<usize>, &[u8])> {
    let [0, 0, UNSIGNED_BYTE, dims, rest @ ..] = bytes else { bail!("is not an IDX file of unsigned bytes") };
    let dims = usize::from(*dims);
    ensure!((1..=3).contains(&dims) && rest.len() >= 4 * dims, "has a damaged IDX header");
    let (head, values) = rest.split_at(4 * dims);
    let sizes: Vec<usize> =
        head.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize).collect();
    let stated = sizes.iter().try_fold(1usize, |n, s| n.checked_mul(*s));
    ensure!(stated == Some(values.len()), "holds {} values where its header says {sizes:?}", values.len());
    Ok((sizes, values))
}

/// The labels or predicted classes of an IDX file of one dimension.
///
/// # Errors
/// As `parse`, or more than one dimension.
pub fn read_labels(bytes: &[u8]) -> Result<Vec<u8>> {
    let (sizes, values) = parse(bytes)?;
    ensure!(sizes.len() == 1, "has {} dimensions; labels have one", sizes.len());
    Ok(values.to_vec())
}

/// The IDX file of a list of classes.
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
