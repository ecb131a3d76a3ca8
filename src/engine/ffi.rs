//! Safe wrappers around `shim.cpp`: one Rust function for each C function.

use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::ptr::NonNull;

use super::Error;

unsafe extern "C" {
    fn mr_torch_version() -> *const c_char;
    fn mr_keep_freed_memory();
    fn mr_load_cuda() -> *const c_char;
    fn mr_configure(threads: c_int, tf32: bool) -> bool;
    fn mr_cudnn_version() -> c_long;
    fn mr_cuda_version() -> c_int;
    fn mr_gpu_name(device: c_int, text: *mut c_char, size: usize);
    fn mr_use_own_stream(device: c_int) -> *const c_char;
    fn mr_graph_begin(device: c_int, graph: *mut *mut c_void) -> *const c_char;
    fn mr_graph_end(graph: *mut c_void) -> *const c_char;
    fn mr_graph_replay(graph: *mut c_void) -> *const c_char;
    fn mr_graph_free(graph: *mut c_void);
    /// C11 7.22.4.7.
    #[link_name = "quick_exit"]
    fn c_quick_exit(status: c_int) -> !;
}

/// The version of libtorch that the program was built for, such as 2.11.0.
pub(super) fn torch_version() -> String {
    // SAFETY: the function returns a string literal.
    unsafe { CStr::from_ptr(mr_torch_version()) }.to_string_lossy().into_owned()
}

/// Makes malloc keep freed memory for the next step instead of returning it to the system.
pub(super) fn keep_freed_memory() {
    // SAFETY: sets three parameters of malloc, which is allowed at any time.
    unsafe { mr_keep_freed_memory() }
}

/// Loads the CUDA part of libtorch.
pub(super) fn load_cuda() -> Result<(), Error> {
    // SAFETY: no arguments.
    unsafe { outcome(mr_load_cuda()) }
}

/// Makes this thread launch its work on the program's own stream of a GPU, which all threads share. Work on CUDA's
/// default stream cannot be recorded.
pub(super) fn use_own_stream(device: usize) -> Result<(), Error> {
    // SAFETY: a plain value; the shim catches C++ exceptions.
    unsafe { outcome(mr_use_own_stream(device as c_int)) }
}

/// Recorded GPU work that is launched again as one unit (`torch.cuda.CUDAGraph`).
pub(super) struct Graph(NonNull<c_void>);

/// A recording that has begun and not yet ended.
pub(super) struct Recording(NonNull<c_void>);

impl Graph {
    /// Starts to record what this thread and its backward passes launch, without executing it.
    pub(super) fn begin(device: usize) -> Result<Recording, Error> {
        let mut graph = std::ptr::null_mut();
        // SAFETY: `graph` can be written to; the shim catches C++ exceptions.
        unsafe { outcome(mr_graph_begin(device as c_int, &raw mut graph)) }?;
        NonNull::new(graph).map(Recording).ok_or_else(|| Error::Libtorch("libtorch returned no graph".to_owned()))
    }

    /// Launches the recorded work. It reads and writes the same addresses as when it was recorded.
    pub(super) fn replay(&mut self) -> Result<(), Error> {
        // SAFETY: the pointer is a graph until it is dropped.
        unsafe { outcome(mr_graph_replay(self.0.as_ptr())) }
    }
}

impl Recording {
    /// Ends the recording. If this fails, the graph is never freed, because libtorch 2.11 still uses it to find out
    /// which memory it owns.
    pub(super) fn end(self) -> Result<Graph, Error> {
        // SAFETY: the pointer comes from `begin` and the graph is not freed yet.
        unsafe { outcome(mr_graph_end(self.0.as_ptr())) }.map(|()| Graph(self.0))
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: the pointer is a graph, and `drop` runs once.
        unsafe { mr_graph_free(self.0.as_ptr()) }
    }
}

/// Converts the return value of a shim function: null for success, otherwise an error message.
///
/// # Safety
/// `message` must be null or a C string that stays valid until this thread's next call of the shim.
unsafe fn outcome(message: *const c_char) -> Result<(), Error> {
    if message.is_null() {
        return Ok(());
    }
    // SAFETY: the caller guarantees a valid string; it is copied at once.
    Err(Error::Libtorch(unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned()))
}

/// Sets libtorch's number of threads and its deterministic algorithms. Returns false if libtorch did not accept them.
pub(super) fn configure(threads: usize, tf32: bool) -> bool {
    // SAFETY: plain values; the shim catches C++ exceptions.
    unsafe { mr_configure(threads as c_int, tf32) }
}

fn text(fill: impl FnOnce(*mut c_char, usize)) -> String {
    let mut buffer = [0 as c_char; 256];
    fill(buffer.as_mut_ptr(), buffer.len());
    // SAFETY: `fill` writes at most `size` bytes and ends them with 0.
    unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_string_lossy().into_owned()
}

/// cuDNN's version number: 91900 is 9.19.0, and 0 means no CUDA.
pub(super) fn cudnn_version() -> i64 {
    // SAFETY: no arguments; the shim catches C++ exceptions.
    unsafe { mr_cudnn_version() }
}

/// The version of the CUDA runtime: 13000 is 13.0, and 0 means no CUDA.
pub(super) fn cuda_version() -> i32 {
    // SAFETY: no arguments.
    unsafe { mr_cuda_version() }
}

/// A GPU's name; empty if CUDA does not give it.
pub(super) fn gpu_name(device: usize) -> String {
    // SAFETY: see `text`.
    text(|buffer, size| unsafe { mr_gpu_name(device as c_int, buffer, size) })
}

/// Unsets an environment variable that CUDA's libraries would read when they are loaded.
pub(super) fn remove_env(name: &str) {
    // SAFETY: as in `set_env`.
    unsafe { std::env::remove_var(name) }
}

/// Sets an environment variable that libtorch reads at its first use.
pub(super) fn set_env(name: &str, value: &str) {
    // SAFETY: called once, from `Engine::start`, before libtorch starts its threads. The program's own threads
    // (progress bars) start later.
    unsafe { std::env::set_var(name, value) }
}

/// Exits without running libtorch's destructors, which take time. Flush all output first.
#[allow(dead_code, reason = "not every program with this module uses it")]
pub(crate) fn quick_exit(code: u8) -> ! {
    // SAFETY: no `at_quick_exit` handlers are registered, and the system ends the threads that still run.
    unsafe { c_quick_exit(c_int::from(code)) }
}
