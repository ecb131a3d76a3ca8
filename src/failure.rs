//! Turns four kinds of panic into messages of one line: failed allocations on the host or a GPU, other errors of a
//! GPU, what else this machine lacks, and errors of libtorch (such as an operator without a deterministic form).

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use kernels::memory::OutOfMemory;

use crate::text::numbers::bytes;

/// The text of tch's panics contains this, followed by libtorch's message in Rust's debug notation, which writes a line
/// break as `\n`.
const FROM_LIBTORCH: &str = "Torch(\"";

/// The payload of a panic that is not a bug.
enum Failure {
    /// A GPU could not allocate this many bytes.
    OutOfGpuMemory(u64),
    /// Any other error of a GPU.
    Gpu(String),
    /// What this machine cannot do, such as to write a temporary file.
    Machine(String),
}

impl Failure {
    fn message(&self) -> String {
        match self {
            Self::OutOfGpuMemory(needed) => {
                format!("cannot get {} of the GPU's memory; try a smaller batch_size or --device cpu", bytes(*needed))
            }
            Self::Gpu(message) => format!("the GPU failed: {message}; try --device cpu"),
            Self::Machine(message) => message.clone(),
        }
    }
}

/// Reports that a GPU could not allocate this many bytes.
///
/// # Panics
/// Always; [`caught`] turns that into a message.
pub fn out_of_gpu_memory(needed: usize) -> ! {
    panic::panic_any(Failure::OutOfGpuMemory(needed as u64))
}

/// Reports an error of a GPU.
///
/// # Panics
/// Always; [`caught`] turns that into a message.
pub fn gpu(message: impl Into<String>) -> ! {
    panic::panic_any(Failure::Gpu(message.into()))
}

/// Reports what this machine cannot do.
///
/// # Panics
/// Always; [`caught`] turns that into a message.
pub fn machine(message: String) -> ! {
    panic::panic_any(Failure::Machine(message))
}

/// Runs `work` and catches its panics. After a failure, do not use the values that `work` has changed.
///
/// # Errors
/// For these kinds of panic, the size of the failed allocation, the error of the GPU or of the machine, or the first line of
/// libtorch's message; Rust prints nothing. For any other panic, a request to report a bug; Rust also prints its usual
/// message to standard error.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let is_failure = payload.is::<Failure>() || payload.is::<OutOfMemory>();
            if !is_failure && !text(payload).contains(FROM_LIBTORCH) {
                before(info);
            }
        }));
    });
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        if let Some(OutOfMemory(needed)) = payload.downcast_ref() {
            return format!("cannot get {} of memory; try a smaller batch_size", bytes(*needed));
        }
        match payload.downcast_ref::<Failure>() {
            Some(failure) => failure.message(),
            None => one_line(text(payload.as_ref())),
        }
    })
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or_default()
}

fn one_line(text: &str) -> String {
    let Some((_, message)) = text.split_once(FROM_LIBTORCH) else {
        let first = text.lines().next().unwrap_or_default();
        return format!("a bug in mnist-report, please report it: {first}");
    };
    let first = message.split("\\n").next().unwrap_or_default().trim_end_matches("\")").replace("\\\"", "\"");
    // Drop the place of the failed check and the advice to switch determinism off, because they do not help the user.
    let said = first.rsplit_once("err == 0. ").map_or(first.as_str(), |(_, said)| said);
    let (said, is_nondeterministic) = match said.split_once(", but you set 'torch.use_deterministic_algorithms") {
        Some((said, _)) => (said, true),
        None => (said.trim_end_matches('.'), false),
    };
    let is_out_of_memory = ["out of memory", "can't allocate memory"].iter().any(|s| said.contains(s));
    let advice = match (is_out_of_memory, is_nondeterministic) {
        (true, _) => "; try a smaller batch_size or another --device",
        (_, true) => " on this device; use another --device",
        _ => "",
    };
    format!("libtorch: {said}{advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_becomes_one_line() {
        assert_eq!(caught(|| 7), Ok(7));
        let told = |message: &'static str| caught(|| panic!("{message}")).unwrap_err();
        assert_eq!(told("one\ntwo"), "a bug in mnist-report, please report it: one");
        let short = r#"called `Result::unwrap()` on an `Err` value: Torch("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes. Error code 12 (Cannot allocate memory)\nframe #0: c10")"#;
        assert_eq!(
            told(short),
            "libtorch: DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes. Error code 12 (Cannot \
             allocate memory); try a smaller batch_size or another --device"
        );
        assert_eq!(told(r#"Torch("\"x\" is missing")"#), "libtorch: \"x\" is missing");
    }

    #[test]
    fn a_failed_allocation_becomes_a_message() {
        let failed = caught(|| kernels::memory::zeros(1 << 60)).unwrap_err();
        assert_eq!(failed, "cannot get 4611686.0 TB of memory; try a smaller batch_size");
        assert_eq!(caught(|| kernels::memory::zeros(3)), Ok(vec![0.0; 3]));
    }

    #[test]
    fn a_failure_of_a_gpu_is_a_message() {
        let failed = caught(|| out_of_gpu_memory(3 << 30)).unwrap_err();
        assert_eq!(failed, "cannot get 3.2 GB of the GPU's memory; try a smaller batch_size or --device cpu");
        let failed = caught(|| gpu("CUDA_ERROR_LAUNCH_FAILED")).unwrap_err();
        assert_eq!(failed, "the GPU failed: CUDA_ERROR_LAUNCH_FAILED; try --device cpu");
    }
}
