//! Rotated and shifted images, as `torchvision.transforms.RandomAffine` makes them with bilinear interpolation and fill 0.
//!
//! The map of an image is computed once, in f64, and rounded to f32. Its sine and cosine are a fixed sequence of
//! operations, because those of the C library differ between systems. The pixels are computed in f32, by the CPU and by
//! a GPU in the same order.

use crate::simd::vectorised;

/// Height and width of an image.
pub const SIDE: usize = 28;

/// Rows and columns of zeros on each side of a padded image. Where all four neighbours of a point are outside the image,
/// the point can be moved to the nearest place in the padded image where they are zeros, too.
const BORDER: usize = 2;
const PADDED: usize = SIDE + 2 * BORDER;

/// Where the pixels of a changed image come from, as [a, b, c, d, e, f]: the pixel in column x and row y is the value of the
/// image at column `a * x + (b * y + c)` and row `d * x + (e * y + f)`. Columns and rows count from 0, at the pixels' centres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AffineMap(pub [f32; 6]);

impl AffineMap {
    /// Rotates by an angle in degrees, from -45 to 45 and positive clockwise, about the centre of the image. Then
    /// shifts right and down by this many pixels.
    pub fn new(degrees: f64, [right, down]: [f64; 2]) -> Self {
        let (sin, cos) = sin_cos(degrees * (std::f64::consts::PI / 180.0));
        let centre = (SIDE - 1) as f64 / 2.0;
        // The centre of the image is now here.
        let (x, y) = (centre + right, centre + down);
        let column = centre - (cos * x + sin * y);
        let row = centre - (cos * y - sin * x);
        Self([cos, sin, column, -sin, cos, row].map(|value| value as f32))
    }
}

/// The sine and the cosine of an angle of at most pi / 4, by their Taylor series up to the power 17, whose error is below
/// the rounding errors.
fn sin_cos(x: f64) -> (f64, f64) {
    let square = x * x;
    // 1 - square / (n (n + 1)) * (1 - square / ((n + 2) (n + 3)) * (...))
    let series = |first: u32| {
        (0..8).rev().fold(1.0, |sum, i| {
            let n = f64::from(first + 2 * i);
            1.0 - square / (n * (n + 1.0)) * sum
        })
    };
    (x * series(2), series(1))
}

/// Writes the values of a changed image, from 0 to 255. `image` and `changed` have `SIDE` rows of `SIDE` pixels.
///
/// At column x and row y, with x0 and y0 the next whole numbers below or equal, and u = x - x0, v = y - y0, the value is
/// top + v (bottom - top), where top = p00 + u (p01 - p00) is between the pixels (x0, y0) and (x0 + 1, y0), and bottom is the
/// same one row below. Pixels outside the image are 0. Every operation rounds to f32; none is fused.
pub fn change_image(image: &[u8], map: AffineMap, changed: &mut [f32]) {
    let mut padded = [0.0; PADDED * PADDED];
    let inside = padded.chunks_exact_mut(PADDED).skip(BORDER);
    for (to, from) in inside.zip(image.chunks_exact(SIDE)) {
        for (to, from) in to[BORDER..].iter_mut().zip(from) {
            *to = f32::from(*from);
        }
    }
    sample(&padded, map, changed);
}

vectorised! {
    fn sample(padded: &[f32; PADDED * PADDED], map: AffineMap, changed: &mut [f32]) {
        let AffineMap([a, b, c, d, e, f]) = map;
        for (y, row) in changed.chunks_exact_mut(SIDE).enumerate() {
            let y = y as f32;
            let (first_column, first_row) = (b * y + c, e * y + f);
            for (x, value) in row.iter_mut().enumerate() {
                let x = x as f32;
                *value = value_at(padded, a * x + first_column, d * x + first_row);
            }
        }
    }
}

#[inline(always)]
fn value_at(padded: &[f32; PADDED * PADDED], x: f32, y: f32) -> f32 {
    let (left, upper) = (x.floor(), y.floor());
    let (u, v) = (x - left, y - upper);
    // In the padded image, which moves only points with four zeros around them.
    let place = |at: f32| (at + BORDER as f32).clamp(0.0, (PADDED - 2) as f32) as usize;
    let first = place(upper) * PADDED + place(left);
    let between = |first: usize| {
        let [left, right] = [padded[first], padded[first + 1]];
        left + u * (right - left)
    };
    let (top, bottom) = (between(first), between(first + PADDED));
    top + v * (bottom - top)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::drawn;
    use crate::simd::{InstructionSet, choosing, use_instruction_set, widest};

    const PIXELS: usize = SIDE * SIDE;

    fn image(key: &str) -> Vec<u8> {
        drawn(PIXELS, key).into_iter().map(|value| (128.0 * (value + 1.0)) as u8).collect()
    }

    fn changed(image: &[u8], map: AffineMap) -> Vec<f32> {
        let mut values = vec![f32::NAN; PIXELS];
        change_image(image, map, &mut values);
        values
    }

    /// Angles and shifts, up to the largest that a study may have.
    fn changes() -> Vec<(f64, [f64; 2])> {
        let random = drawn(60, "changes");
        let random = random.chunks_exact(3).map(|c| (45.0 * f64::from(c[0]), [c[1], c[2]].map(|c| 8.0 * f64::from(c))));
        let corners = [-1.0, 0.0, 1.0].map(|s| (45.0 * s, [8.0 * s, -8.0 * s]));
        corners.into_iter().chain(random).collect()
    }

    /// The value of a pixel by the definition in torchvision's documentation, in f64: the changed image is the image,
    /// rotated clockwise and then moved.
    fn defined(image: &[u8], (degrees, [right, down]): (f64, [f64; 2]), x: usize, y: usize) -> f64 {
        let (sin, cos) = (libm::sin(degrees.to_radians()), libm::cos(degrees.to_radians()));
        let (from_centre_x, from_centre_y) = (x as f64 - 13.5 - right, y as f64 - 13.5 - down);
        // Rotated back. The y axis points down, so that this turns counterclockwise.
        let source_x = 13.5 + cos * from_centre_x + sin * from_centre_y;
        let source_y = 13.5 - sin * from_centre_x + cos * from_centre_y;
        // Each pixel counts by how near it is, along both axes.
        let weight = |distance: f64| (1.0 - distance.abs()).max(0.0);
        let term = |i: usize| {
            let (column, row) = ((i % SIDE) as f64, (i / SIDE) as f64);
            f64::from(image[i]) * weight(source_x - column) * weight(source_y - row)
        };
        (0..PIXELS).map(term).sum()
    }

    #[test]
    fn images_are_those_of_the_definition() {
        for change in changes() {
            let image = image(&format!("{change:?}"));
            let got = changed(&image, AffineMap::new(change.0, change.1));
            for (i, got) in got.iter().enumerate() {
                let expected = defined(&image, change, i % SIDE, i / SIDE);
                // A coordinate has an error of some 2^-19, and the slope between two pixels is at most 255.
                assert!((f64::from(*got) - expected).abs() < 5e-3, "{change:?}, pixel {i}: {got}, not {expected}");
            }
        }
    }

    #[test]
    fn shifts_by_whole_pixels_move_the_bytes() {
        let image = image("moved");
        for (right, down) in [(0, 0), (1, 0), (0, -1), (-3, 2), (8, 8), (-8, -8), (8, -8)] {
            let got = changed(&image, AffineMap::new(0.0, [right, down].map(f64::from)));
            for (i, got) in got.iter().enumerate() {
                let (x, y) = ((i % SIDE) as i32 - right, (i / SIDE) as i32 - down);
                let is_inside = (0..SIDE as i32).contains(&x) && (0..SIDE as i32).contains(&y);
                let expected = if is_inside { f32::from(image[y as usize * SIDE + x as usize]) } else { 0.0 };
                assert_eq!(got.to_bits(), expected.to_bits(), "{right}, {down}, pixel {i}");
            }
        }
    }

    #[test]
    fn a_positive_angle_turns_clockwise() {
        // A spot right of the centre moves down.
        let mut image = vec![0; PIXELS];
        image[13 * SIDE + 23] = 255;
        let got = changed(&image, AffineMap::new(30.0, [0.0, 0.0]));
        let brightest = (0..PIXELS).max_by(|i, j| got[*i].total_cmp(&got[*j])).unwrap();
        assert_eq!((brightest % SIDE, brightest / SIDE), (22, 18));
    }

    #[test]
    fn values_stay_between_their_neighbours() {
        for (degrees, shift) in changes() {
            let white = changed(&[255; PIXELS], AffineMap::new(degrees, shift));
            assert!(white.iter().all(|value| (0.0..=255.0).contains(value)), "{degrees}, {shift:?}");
        }
        let middle = 14 * SIDE + 14;
        assert_eq!(changed(&[255; PIXELS], AffineMap::new(33.0, [0.3, 0.7]))[middle], 255.0);
    }

    #[test]
    fn sines_and_cosines_are_those_of_libm() {
        for i in -4500..=4500 {
            let x = f64::from(i) / 100.0 * (std::f64::consts::PI / 180.0);
            let (sin, cos) = sin_cos(x);
            assert!((sin - libm::sin(x)).abs() <= 2e-16 && (cos - libm::cos(x)).abs() <= 3e-16, "{x}: {sin} {cos}");
        }
    }

    #[test]
    fn instruction_sets_give_the_same_bits() {
        let _choosing = choosing();
        let image = image("instructions");
        let all = || -> Vec<u32> {
            let images =
                changes().into_iter().flat_map(|(degrees, shift)| changed(&image, AffineMap::new(degrees, shift)));
            images.map(f32::to_bits).collect()
        };
        let expected = all();
        for set in [InstructionSet::Scalar, InstructionSet::Avx2, InstructionSet::Avx512] {
            if use_instruction_set(set) {
                assert_eq!(all(), expected, "{set:?}");
            }
        }
        assert!(use_instruction_set(widest()));
    }
}
