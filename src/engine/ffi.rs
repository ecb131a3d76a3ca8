//! The border to `shim.cpp`: safe wrappers, one a function.

use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::ptr::NonNull;

unsafe extern "C" {
    fn mr_torch_version() -> *const c_char;
    fn mr_keep_freed_memory();
    fn mr_load_cuda() -> *const c_char;
    fn mr_configure(threads: c_int, tf32: bool) -> bool;
    fn mr_cpu_capability(text: *mut c_char, size: usize);
    fn mr_cudnn_version() -> c_long;
    fn mr_cuda_version() -> c_int;
    fn mr_gpu_name(device: c_int, text: *mut c_char, size: usize);
    fn mr_use_own_stream(device: c_int) -> *const c_char;
    fn mr_graph_begin(device: c_int, graph: *mut *mut c_void) -> *const c_char;
    fn mr_graph_end(graph: *mut c_void) -> *const c_char;
    fn mr_graph_replay(graph: *mut c_void) -> *const c_char;
    fn mr_graph_free(graph: *mut c_void);
    /// C11's, 7.22.4.7.
    fn quick_exit(status: c_int) -> !;
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
    // SAFETY: no arguments.
    unsafe { outcome(mr_load_cuda()) }
}

/// Makes this thread launch on a stream of the program's on a GPU, the same in every thread: what goes to CUDA's default
/// stream cannot be recorded.
pub fn use_own_stream(device: usize) -> Result<(), String> {
    // SAFETY: a plain value; exceptions are caught on the other side.
    unsafe { outcome(mr_use_own_stream(device as c_int)) }
}

/// What was launched on a GPU between two points in time, to be launched again as one (`torch.cuda.CUDAGraph`).
pub struct Graph(NonNull<c_void>);

/// A recording under way.
pub struct Recording(NonNull<c_void>);

impl Graph {
    /// Records from now on what this thread launches, and its passes back, without doing it.
    ///
    /// # Errors
    /// libtorch's, or that it has no graphs.
    pub fn begin(device: usize) -> Result<Recording, String> {
        let mut graph = std::ptr::null_mut();
        // SAFETY: `graph` can be written to; exceptions are caught on the other side.
        unsafe { outcome(mr_graph_begin(device as c_int, &raw mut graph)) }?;
        NonNull::new(graph).map(Recording).ok_or_else(|| "libtorch gave no graph".to_owned())
    }

    /// Launches what was recorded, with the values that lie at the same places now.
    ///
    /// # Errors
    /// CUDA's.
    pub fn replay(&mut self) -> Result<(), String> {
        // SAFETY: the pointer is a graph until it is dropped.
        unsafe { outcome(mr_graph_replay(self.0.as_ptr())) }
    }
}

impl Recording {
    /// Ends the recording.
    ///
    /// # Errors
    /// Something was done meanwhile that cannot be recorded. The graph is never freed then: libtorch 2.11 goes on asking it
    /// whether memory is its own.
    pub fn end(self) -> Result<Graph, String> {
        // SAFETY: `begin` gave a graph, which lives.
        unsafe { outcome(mr_graph_end(self.0.as_ptr())) }.map(|()| Graph(self.0))
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: as above; it is freed once.
        unsafe { mr_graph_free(self.0.as_ptr()) }
    }
}

/// What a function of the shim says: null, or why not.
///
/// # Safety
/// Null, or a string that lives until this thread's next call.
unsafe fn outcome(why: *const c_char) -> Result<(), String> {
    match why.is_null() {
        true => Ok(()),
        // SAFETY: the caller's word; copied at once.
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

/// Ends the program without what libtorch does at a program's end.
pub fn leave(code: u8) -> ! {
    // SAFETY: nothing registers a function that it would call, and threads that still run are ended by the system.
    unsafe { quick_exit(c_int::from(code)) }
}
