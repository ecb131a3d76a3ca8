//! Verifies several bundles, several at a time.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use super::likeness::find_likenesses;
use super::{Record, Verification};

/// Verifies one bundle with `check`, and measures the time.
pub(crate) fn checked_in_time(path: &Path, check: impl Fn(&Path) -> Result<Verification, String>) -> Record {
    let started = Instant::now();
    let checked = check(path);
    Record::new(path, checked, started.elapsed().as_secs_f64())
}

/// Verifies several bundles with `check`, at most `jobs` at a time, and calls `done` with each record in the order of the paths.
pub(crate) fn verify_all(
    paths: &[PathBuf],
    jobs: usize,
    check: impl Fn(&Path) -> Result<Verification, String> + Sync,
    done: impl FnMut(&Record) + Send,
) -> Vec<Record> {
    let (next, in_order) =
        (AtomicUsize::new(0), Mutex::new(InOrder { records: vec![None; paths.len()], shown: 0, done }));
    let work = || {
        while let Some((i, path)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, paths.get(i)?))) {
            let record = checked_in_time(path, &check);
            in_order.lock().unwrap_or_else(PoisonError::into_inner).add(i, record);
        }
    };
    thread::scope(|scope| {
        for _ in 1..jobs.min(paths.len()) {
            // If the system refuses a thread, this one does its work.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let found = in_order.into_inner().unwrap_or_else(PoisonError::into_inner).records;
    let mut records: Vec<Record> = found.into_iter().flatten().collect();
    find_likenesses(&mut records);
    records
}

/// Records that come in any order, and are shown in that of the paths.
struct InOrder<F> {
    records: Vec<Option<Record>>,
    shown: usize,
    done: F,
}

impl<F: FnMut(&Record)> InOrder<F> {
    fn add(&mut self, i: usize, record: Record) {
        self.records[i] = Some(record);
        while let Some(Some(record)) = self.records.get(self.shown) {
            (self.done)(record);
            self.shown += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_shown_in_the_order_of_the_paths_however_many_run_at_once() {
        let paths: Vec<PathBuf> = (0..20).map(|i| PathBuf::from(i.to_string())).collect();
        for jobs in [1, 3, 50] {
            let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let check = |path: &Path| {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                let i: u64 = path.to_str().unwrap().parse().unwrap();
                thread::sleep(std::time::Duration::from_millis(20 - i));
                running.fetch_sub(1, Ordering::SeqCst);
                Err(format!("record {i}"))
            };
            let mut shown = Vec::new();
            let records = verify_all(&paths, jobs, check, |record| shown.push(record.path.clone()));
            let expected: Vec<String> = (0..20).map(|i| i.to_string()).collect();
            assert_eq!(shown, expected, "{jobs} jobs");
            assert_eq!(records.iter().map(|record| record.path.clone()).collect::<Vec<_>>(), expected);
            assert_eq!(records[7].error.as_deref(), Some("record 7"));
            assert!(most.load(Ordering::SeqCst) <= jobs, "{jobs} jobs");
        }
    }
}
