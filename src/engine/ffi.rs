//! The border to `shim.cpp`: safe wrappers, one a function.

use std::ffi::{CStr, c_char, c_int, c_long};

unsafe extern "C" {
    fn mr_torch_version() -> *const c_char;
    fn mr_keep_freed_memory();
    fn mr_load_cuda() -> *const c_char;
    fn mr_configure(threads: c_int, tf32: bool) -> bool;
    fn mr_cpu_capability(text: *mut c_char, size: usize);
    fn mr_cudnn_version() -> c_long;
    fn mr_cuda_version() -> c_int;
    fn mr_gpu_name(device: c_int, text: *mut c_char, size: usize);
}

/// The version of libtorch that the program was built for, such as 2.11.0.
pub fn torch_version() -> String {
    // SAFETY: returns a string literal.
    unsafe { CStr::from_ptr(mr_torch_version()) }.to_string_lossy().into_owned()
}

/// Makes malloc keep freed blocks for the next step.
pub fn keep_freed_memory() {
    // SAFETY: sets three of malloc's parameters, at any time.
    unsafe { mr_keep_freed_memory() }
}

/// Loads libtorch's CUDA half.
pub fn load_cuda() -> Result<(), String> {
    // SAFETY: returns null or a string that lives until this thread's next call.
    let why = unsafe { mr_load_cuda() };
    match why.is_null() {
        true => Ok(()),
        // SAFETY: as above, copied at once.
        false => Err(unsafe { CStr::from_ptr(why) }.to_string_lossy().into_owned()),
    }
}

/// Sets threads and determinism; false where libtorch refused.
pub fn configure(threads: usize, tf32: bool) -> bool {
    // SAFETY: plain values; exceptions are caught on the other side.
    unsafe { mr_configure(threads as c_int, tf32) }
}

fn text(fill: impl FnOnce(*mut c_char, usize)) -> String {
    let mut buffer = [0 as c_char; 256];
    fill(buffer.as_mut_ptr(), buffer.len());
    // SAFETY: the callee writes at most `size` bytes, the last of them 0.
    unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_string_lossy().into_owned()
}

/// The instruction set of libtorch's CPU kernels.
pub fn cpu_capability() -> String {
    // SAFETY: see `text`.
    text(|buffer, size| unsafe { mr_cpu_capability(buffer, size) })
}

/// cuDNN's version number, 91900 for 9.19.0; 0 without CUDA.
pub fn cudnn_version() -> i64 {
    // SAFETY: no arguments; exceptions are caught on the other side.
    unsafe { mr_cudnn_version() }
}

/// CUDA's run-time version, 13000 for 13.0; 0 without CUDA.
pub fn cuda_version() -> i32 {
    // SAFETY: no arguments.
    unsafe { mr_cuda_version() }
}

/// A GPU's name; empty if it cannot be had.
pub fn gpu_name(device: usize) -> String {
    // SAFETY: see `text`.
    text(|buffer, size| unsafe { mr_gpu_name(device as c_int, buffer, size) })
}

/// Sets an environment variable that libtorch reads at its first use.
pub fn set_env(name: &str, value: &str) {
    // SAFETY: called once, from `Engine::start`, before libtorch starts its threads; the program's own
    // threads (progress bars) start later.
    unsafe { std::env::set_var(name, value) }
}
