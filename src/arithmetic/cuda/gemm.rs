//! Products of matrices on a GPU, and sums in a fixed order: which kernels to launch.

use super::gpu::{Address, Argument, Gpu, Grid, Memory, size};
use kernels::gemm::PIECE;

/// The part of a matrix that a block computes: a `Tile` of the same name in the kernels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    pub rows: usize,
    pub columns: usize,
    pub threads: u32,
}

pub(super) const LARGE: Tile = Tile { rows: 128, columns: 128, threads: 256 };
pub(super) const SMALL: Tile = Tile { rows: 64, columns: 64, threads: 128 };
pub(super) const LOW: Tile = Tile { rows: 32, columns: 64, threads: 64 };
const MEDIUM: Tile = Tile { rows: 128, columns: 64, threads: 128 };
const NARROW: Tile = Tile { rows: 128, columns: 32, threads: 128 };

impl Tile {
    /// Number of tiles along the rows and the columns of a matrix.
    pub(super) fn count(self, [m, n]: [usize; 2]) -> [u32; 2] {
        [size(m.div_ceil(self.rows)), size(n.div_ceil(self.columns))]
    }

    /// Number of tiles of `batch` matrices.
    fn count_all(self, sizes: [usize; 2], batch: usize) -> usize {
        self.count(sizes).iter().map(|n| *n as usize).product::<usize>() * batch
    }
}

/// Number of blocks that keep a large GPU busy. Does not change the bits. Smaller in tests, so that small sizes reach
/// the code for many blocks.
pub(super) const MANY_BLOCKS: usize = if cfg!(test) { 12 } else { 264 };

/// Which of the matrices of a product are transposed in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// `a[m, k] b[k, n]`
    Plain,
    /// `a[k, m]ᵀ b[k, n]`
    ATransposed,
    /// `a[m, k] b[n, k]ᵀ`
    BTransposed,
}

/// A matrix, or several of the same size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matrix {
    pub address: Address,
    /// Distance between consecutive rows.
    pub stride: usize,
    /// Distance between consecutive matrices.
    pub batch_stride: usize,
}

impl Matrix {
    /// A matrix without gaps between its rows.
    pub(super) fn new(address: Address, columns: usize) -> Self {
        Self { address, stride: columns, batch_stride: 0 }
    }
}

/// The products `c[m, n] = a[m, k] b[k, n]`, computed as by `kernels::gemm::product`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product {
    pub layout: Layout,
    pub a: Matrix,
    pub b: Matrix,
    pub c: Matrix,
    /// m, n and k.
    pub sizes: [usize; 3],
    /// Number of products.
    pub batch: usize,
    /// `n` values that are added to the columns at the end, one to each; or `Address::NULL`.
    pub addend: Address,
}

/// Working memory to compute the pieces of one product in parallel.
#[derive(Debug)]
pub(super) struct Pieces(Option<Memory>);

impl Pieces {
    /// For products of up to `m` rows.
    pub(super) fn new(gpu: &dyn Gpu, [m, n, k]: [usize; 3]) -> Self {
        let rows = (MANY_BLOCKS - 1) / n.div_ceil(SMALL.columns) * NARROW.rows;
        let len = k.div_ceil(PIECE) * rows.min(m) * n;
        Self((k > PIECE && len > 0).then(|| gpu.values(len)))
    }
}

/// Whether to use large tiles: if there are many of them, and more than half of their columns are used.
pub(super) fn has_large_tiles(sizes: [usize; 2], batch: usize) -> bool {
    sizes[1] > SMALL.columns && LARGE.count_all(sizes, batch) >= MANY_BLOCKS / 2
}

/// Whether to use medium tiles: if there are many of them, and more than half of their rows are used.
fn has_medium_tiles(sizes: [usize; 2], batch: usize) -> bool {
    sizes[0] > SMALL.rows && MEDIUM.count_all(sizes, batch) >= MANY_BLOCKS
}

/// The kernel for a product, and its tile.
fn kernel(p: &Product) -> (&'static str, Tile) {
    let [m, n, k] = p.sizes;
    let distances = [p.a, p.b, p.c].map(|matrix| [matrix.stride, matrix.batch_stride]);
    let is_aligned = [n, k].iter().chain(distances.as_flattened()).all(|len| len.is_multiple_of(4))
        && [p.a, p.b].iter().all(|matrix| matrix.address.0.is_multiple_of(16));
    match p.layout {
        Layout::Plain if is_aligned && n <= NARROW.columns => ("product_narrow", NARROW),
        Layout::Plain if is_aligned && has_medium_tiles([m, n], p.batch) => ("product_medium", MEDIUM),
        Layout::Plain if is_aligned => ("product_small", SMALL),
        Layout::Plain => ("product_plain", SMALL),
        Layout::ATransposed => ("product_a_transposed", SMALL),
        Layout::BTransposed => ("product_b_transposed", SMALL),
    }
}

/// Launches a product. With `pieces`, which must be made for its sizes, its pieces may be computed in parallel; then
/// `c` must have no gaps and `batch` must be 1.
pub(super) fn product(gpu: &dyn Gpu, p: &Product, pieces: Option<&Pieces>) {
    let [m, n, k] = p.sizes;
    let (name, tile) = kernel(p);
    let [down, across] = tile.count([m, n]);
    let is_split = k > PIECE && ((down * across) as usize) < MANY_BLOCKS;
    let split = pieces.and_then(|pieces| pieces.0.as_ref()).filter(|_| is_split).map(Memory::address);
    let count = if split.is_some() { k.div_ceil(PIECE) } else { 1 };
    let arguments = [
        p.a.address.into(),
        p.b.address.into(),
        split.unwrap_or(p.c.address).into(),
        if split.is_some() { Address::NULL } else { p.addend }.into(),
        size(m).into(),
        size(n).into(),
        size(k).into(),
        size(p.a.stride).into(),
        size(p.b.stride).into(),
        size(p.c.stride).into(),
        Argument::U64(p.a.batch_stride as u64),
        Argument::U64(p.b.batch_stride as u64),
        Argument::U64(p.c.batch_stride as u64),
        size(p.batch).into(),
        Argument::U64((m * n) as u64),
    ];
    let blocks = [down, across, size(p.batch * count)];
    gpu.launch(name, Grid { blocks, threads: tile.threads, shared_bytes: 0 }, &arguments);
    if let Some(split) = split {
        let sizes = [count, m * n, n].map(|n| size(n).into());
        let addresses = [split, p.c.address, p.addend].map(Argument::from);
        gpu.launch("add_pieces", Grid::for_jobs(m * n, 256), &[addresses.as_slice(), &sizes].concat());
    }
}

/// Adds `[count][len]` terms in parts of `per_part` terms: the terms of each part in order, starting at 0, then the
/// parts in order. There are at most 8 parts.
pub(super) fn add_in_parts(gpu: &dyn Gpu, terms: Address, sums: Address, [count, per_part, len]: [usize; 3]) {
    let arguments = [terms.into(), sums.into(), size(count).into(), size(per_part).into(), size(len).into()];
    gpu.launch("add_in_parts", Grid::blocks(len.div_ceil(32), 256), &arguments);
}

/// A layer's sums over pixels, for the gradient of a bias. Each part of the batch is split into runs of consecutive
/// pixels. Each run is added from 0, then the runs of a part in order, from 0, then the parts.
#[derive(Debug)]
pub(super) struct PixelSums {
    channels: usize,
    /// Number of pixels in an image.
    pixels: usize,
    /// Number of pixels in a run.
    run: usize,
    sums: Memory,
}

impl PixelSums {
    pub(super) fn new(gpu: &dyn Gpu, channels: usize, pixels: usize, run: usize, images: usize) -> Self {
        // Each part may end with a shorter run.
        let runs = (images * pixels).div_ceil(run) + kernels::threads::PARTS;
        Self { channels, pixels, run, sums: gpu.values(runs * channels) }
    }

    /// Writes the sums of `values`, `[images][pixels][channels]`, to `to`. Each part of the batch has `per_part`
    /// images.
    pub(super) fn add(&self, gpu: &dyn Gpu, values: Address, to: Address, [images, per_part]: [usize; 2]) {
        let Self { channels, pixels, run, ref sums } = *self;
        let (rows, part) = (images * pixels, per_part * pixels);
        let runs = rows / part * part.div_ceil(run) + (rows % part).div_ceil(run);
        let arguments = [
            values.into(),
            sums.address().into(),
            size(rows).into(),
            size(channels).into(),
            size(run).into(),
            size(part).into(),
        ];
        gpu.launch("add_rows_in_runs", Grid::for_jobs(runs * channels, 128), &arguments);
        add_in_parts(gpu, sums.address(), to, [runs, part.div_ceil(run), channels]);
    }
}
