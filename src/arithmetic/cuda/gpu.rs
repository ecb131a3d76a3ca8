//! What the arithmetic needs from a GPU: memory, copies, and launches of kernels in order. The tests implement it on a
//! CPU.

use std::any::Any;
use std::fmt;

/// An address in a GPU's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub u64);

impl Address {
    /// A null pointer. The kernels that accept it document its meaning.
    pub const NULL: Self = Self(0);

    /// The address `values` values of 4 bytes further on.
    #[must_use]
    pub fn offset(self, values: usize) -> Self {
        self.offset_bytes(4 * values)
    }

    /// The address `bytes` bytes further on.
    #[must_use]
    pub fn offset_bytes(self, bytes: usize) -> Self {
        Self(self.0 + bytes as u64)
    }
}

/// Memory of a GPU. It is freed when the value is dropped.
pub struct Memory {
    address: Address,
    free: Option<Box<dyn FnOnce()>>,
}

impl Memory {
    /// Memory at this address. `free` frees it after all work launched before.
    pub fn new(address: Address, free: impl FnOnce() + 'static) -> Self {
        Self { address, free: Some(Box::new(free)) }
    }

    /// Its first address, aligned to 256 bytes.
    pub fn address(&self) -> Address {
        self.address
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Some(free) = self.free.take() {
            free();
        }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Memory({:#x})", self.address.0)
    }
}

/// An argument of a kernel: a pointer, an `unsigned int`, an `unsigned long long`, a `float` or a `double`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "self-evident")]
pub enum Argument {
    Address(Address),
    U32(u32),
    U64(u64),
    F32(f32),
    F64(f64),
}

macro_rules! argument_from {
    ($($from:ty => $variant:ident),*) => {
        $(impl From<$from> for Argument {
            fn from(value: $from) -> Self {
                Self::$variant(value)
            }
        })*
    };
}
argument_from!(Address => Address, u32 => U32, u64 => U64, f32 => F32, f64 => F64);

/// The size of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Blocks along x, y and z.
    pub blocks: [u32; 3],
    /// Threads of each block, along x.
    pub threads: u32,
    /// Dynamic shared memory of each block.
    pub shared_bytes: u32,
}

impl Grid {
    /// Blocks of `threads` threads along x, without dynamic shared memory.
    pub fn blocks(blocks: usize, threads: u32) -> Self {
        Self { blocks: [size(blocks), 1, 1], threads, shared_bytes: 0 }
    }

    /// At least `jobs` threads for each of `rows` rows, in blocks of 128 threads. A block's index along x is its row; its
    /// index along y counts the blocks of that row.
    pub fn for_rows(rows: usize, jobs: usize) -> Self {
        Self { blocks: [size(rows), size(jobs.div_ceil(128)), 1], threads: 128, shared_bytes: 0 }
    }

    /// As many blocks of `threads` threads as `jobs` threads need.
    pub fn for_jobs(jobs: usize, threads: u32) -> Self {
        // The kernels count jobs in 32 bits.
        Self::blocks((size(jobs) as usize).div_ceil(threads as usize), threads)
    }
}

/// Converts a size to 32 bits, as the kernels take it.
///
/// # Panics
/// The size is 2^32 or more. An activation of so many values would take 16 GiB.
pub(super) fn size(size: usize) -> u32 {
    size.try_into().unwrap_or_else(|_| panic!("a GPU's kernel cannot have the size {size}"))
}

/// Recorded launches, to be repeated with the same arguments. Each implementation of [`Gpu`] has its own type of
/// content.
pub struct Recording(pub Box<dyn Any>);

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Recording")
    }
}

/// A GPU with one stream of work: it executes everything in the order of the calls, asynchronously to the host.
///
/// A failure is a panic that `failure::caught` turns into a message (`failure::gpu`, `failure::out_of_gpu_memory`).
pub trait Gpu {
    /// Allocates this many bytes, aligned to 256 bytes, with arbitrary content.
    fn allocate(&self, bytes: usize) -> Memory;

    /// Copies bytes to the GPU. The caller may change them afterwards.
    fn write(&self, to: Address, bytes: &[u8]);

    /// Copies bytes from the GPU, after waiting for all work launched before.
    fn read(&self, from: Address, bytes: &mut [u8]);

    /// Sets bytes to 0. May be recorded.
    fn fill_zero(&self, to: Address, bytes: usize);

    /// Launches a kernel. May be recorded. Does nothing if the grid has no block.
    fn launch(&self, kernel: &'static str, grid: Grid, arguments: &[Argument]);

    /// Records what `work` launches (`launch`, `fill_zero`) without executing it. `work` must do nothing else on the
    /// GPU. Returns `None`, with nothing executed, if the GPU cannot record.
    fn record(&self, work: &mut dyn FnMut()) -> Option<Recording>;

    /// Executes a recording.
    fn replay(&self, recording: &Recording);
}

/// Copies and memory of f32 values, for every GPU.
impl dyn Gpu + '_ {
    /// Allocates this many values of 4 bytes, with arbitrary content.
    pub(super) fn values(&self, count: usize) -> Memory {
        self.allocate(4 * count)
    }

    /// Memory of this many f32 zeros.
    pub(super) fn zeros(&self, count: usize) -> Memory {
        let memory = self.values(count);
        self.fill_zero(memory.address(), 4 * count);
        memory
    }

    pub(super) fn write_values(&self, to: Address, values: &[f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.write(to, &bytes);
    }

    pub(super) fn read_values(&self, from: Address, count: usize) -> Vec<f32> {
        let mut bytes = vec![0; 4 * count];
        self.read(from, &mut bytes);
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    }
}
