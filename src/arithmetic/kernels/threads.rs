//! Spreads independent jobs over the CPU's cores. The bits do not depend on which thread runs a job, because no two
//! jobs write the same values.

use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A sum over a batch is split into at most this many parts of consecutive images. The number is fixed, because the
/// bits depend on it. Such a sum uses at most this many threads.
pub const PARTS: usize = 8;

/// The environment variable that sets the number of threads.
pub const VARIABLE: &str = "MNIST_REPORT_THREADS";

/// The number of threads that [`use_threads`] set; 0 if it was not called.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

/// Number of threads that a kernel uses: all cores that this process may use, unless the environment variable
/// `MNIST_REPORT_THREADS` or [`use_threads`] sets another number.
pub fn threads() -> usize {
    match CHOSEN.load(Ordering::Relaxed) {
        0 => default_threads(),
        chosen => chosen,
    }
}

/// Sets the number of threads, for measurements and tests. The thread pool keeps the size that it had at its first use,
/// so a larger number has no effect after that.
pub fn use_threads(count: usize) {
    CHOSEN.store(count.max(1), Ordering::Relaxed);
}

fn default_threads() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| {
        let asked = std::env::var(VARIABLE).ok().and_then(|n| n.parse().ok()).filter(|n| (1..=1024).contains(n));
        asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    })
}

/// A thread pool for all threads but the caller's. Starting threads for each operator would cost as much time as they
/// save. `None` if only one thread is wanted, or if the system cannot start more.
fn helpers() -> Option<&'static rayon::ThreadPool> {
    static HELPERS: OnceLock<Option<rayon::ThreadPool>> = OnceLock::new();
    let start = || match threads() {
        1 => None,
        threads => rayon::ThreadPoolBuilder::new().num_threads(threads - 1).build().ok(),
    };
    HELPERS.get_or_init(start).as_ref()
}

/// Runs `work` on every job, each job on one thread.
pub fn for_each_job<J: Send>(jobs: impl ExactSizeIterator<Item = J> + Send, work: impl Fn(J) + Sync) {
    for_each_job_with(jobs, || (), |job, ()| work(job));
}

/// Like `for_each_job`; `scratch` creates each thread's working memory.
///
/// # Panics
/// If `work` panics.
pub fn for_each_job_with<J: Send, S>(
    jobs: impl ExactSizeIterator<Item = J> + Send,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(J, &mut S) + Sync,
) {
    let count = jobs.len();
    let jobs = Mutex::new(jobs);
    let run = || {
        let mut scratch = scratch();
        loop {
            // A separate statement, so that the lock is released before the work.
            let job = jobs.lock().expect("`next` does not panic").next();
            match job {
                Some(job) => work(job, &mut scratch),
                None => break,
            }
        }
    };
    match helpers() {
        Some(helpers) if count > 1 && threads() > 1 => helpers.in_place_scope(|scope| {
            (1..threads().min(count)).for_each(|_| scope.spawn(|_| run()));
            run();
        }),
        _ => run(),
    }
}

/// Number of images of each part of a batch; the last part may have fewer. There are at most [`PARTS`] parts.
pub fn images_per_part(images: usize) -> usize {
    images.div_ceil(PARTS).max(1)
}

/// Number of sums that one job computes.
const ADDED: usize = 1 << 14;

/// Adds all parts, of `len` values each, to the first one, in order.
pub fn add_parts(parts: &mut [f32], len: usize) {
    let (first, rest) = parts.split_at_mut(len);
    for_each_job(first.chunks_mut(ADDED).enumerate(), |(block, sums)| {
        for part in rest.chunks_exact(len) {
            sums.iter_mut().zip(&part[block * ADDED..]).for_each(|(sum, x)| *sum += x);
        }
    });
}
