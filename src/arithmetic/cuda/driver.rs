//! A real GPU, through NVIDIA's driver.
//!
//! All work runs in one stream that nothing else uses, and is launched by the thread that created the [`Driver`].
//!
//! Longer than 400 lines because every call of the driver is in this file, beside the macro that checks it.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::null_mut;
use std::rc::Rc;

use cudarc::driver::sys::{self, CUresult};

use super::gpu::{Address, Argument, Gpu, Grid, Memory, Recording};
use super::source;
use crate::failure;

/// The oldest version of CUDA whose drivers are supported.
const OLDEST_VERSION: c_int = 12000;
/// `CU_STREAM_NON_BLOCKING`: the stream does not wait for the default stream.
const NON_BLOCKING: u32 = 1;

/// Why a GPU cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// There is no driver.
    #[error("no NVIDIA driver found")]
    NoDriver,
    /// The driver is too old.
    #[error("the NVIDIA driver supports CUDA {}.{}; 12.0 or newer is needed", .0 / 1000, .0 % 1000 / 10)]
    TooOld(i32),
    /// There is no such GPU.
    #[error("no GPU {index}: the driver finds {count}")]
    NoSuchGpu {
        /// The requested GPU, counted from 0.
        index: usize,
        /// Number of GPUs.
        count: usize,
    },
    /// The driver reports an error.
    #[error("{0}")]
    Cuda(String),
}

/// Whether a driver can be loaded. Check this first: without a driver, cudarc panics.
fn is_present() -> bool {
    // SAFETY: loading NVIDIA's library runs no code but its own initialisation.
    unsafe { sys::is_culib_present() }
}

/// Turns an error into a message with its name and the function that returned it.
fn checked(function: &str, result: CUresult) -> Result<(), String> {
    if result == CUresult::CUDA_SUCCESS {
        return Ok(());
    }
    let name = |name: *const c_char| {
        // SAFETY: the driver's names are constant strings.
        unsafe { std::ffi::CStr::from_ptr(name) }.to_string_lossy().into_owned()
    };
    let mut text = std::ptr::null();
    // SAFETY: the pointer is written if the error is known.
    let known = unsafe { sys::cuGetErrorName(result, &raw mut text) } == CUresult::CUDA_SUCCESS && !text.is_null();
    let error = if known { name(text) } else { format!("error {}", result as u32) };
    Err(format!("{error} in {function}"))
}

/// Calls a function of the driver and checks its result.
macro_rules! call {
    ($function:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: the driver is present, its context is current, and only this module chooses the arguments.
        checked(stringify!($function), unsafe { sys::$function($($argument),*) })
    };
}

/// Number of GPUs; 0 without a driver.
pub fn count() -> usize {
    let mut count = 0;
    if !is_present() || call!(cuInit(0)).is_err() || call!(cuDeviceGetCount(&raw mut count)).is_err() {
        return 0;
    }
    usize::try_from(count).unwrap_or(0)
}

/// A GPU that the driver has found, before it is opened.
#[derive(Clone, Debug)]
pub struct Card {
    device: sys::CUdevice,
    /// Its name, for example "NVIDIA H100 80GB HBM3".
    pub name: String,
    /// Unique to this GPU, even among GPUs with the same name.
    pub uuid: [u8; 16],
    /// Its compute capability, for example 90 for 9.0.
    pub capability: u32,
    /// The version of CUDA that the driver supports, for example 13000 for 13.0.
    pub cuda: u32,
}

impl Card {
    /// The GPU with this index, from 0.
    ///
    /// # Errors
    /// There is no driver, or no such GPU.
    pub fn find(index: usize) -> Result<Self, DriverError> {
        if !is_present() {
            return Err(DriverError::NoDriver);
        }
        let mut cuda = 0;
        call!(cuInit(0)).and_then(|()| call!(cuDriverGetVersion(&raw mut cuda))).map_err(DriverError::Cuda)?;
        if cuda < OLDEST_VERSION {
            return Err(DriverError::TooOld(cuda));
        }
        let count = count();
        if index >= count {
            return Err(DriverError::NoSuchGpu { index, count });
        }
        Self::describe(index, cuda as u32).map_err(DriverError::Cuda)
    }

    #[cfg(test)]
    pub(super) fn for_tests(name: &str, capability: u32) -> Self {
        let mut uuid = [7; 16];
        uuid[0] = 0;
        Self { device: 0, name: name.to_owned(), uuid, capability, cuda: 13000 }
    }

    fn describe(index: usize, cuda: u32) -> Result<Self, String> {
        let device = device(index)?;
        let mut name = [0u8; 256];
        call!(cuDeviceGetName(name.as_mut_ptr().cast(), name.len() as c_int, device))?;
        let name = String::from_utf8_lossy(name.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned();
        let mut uuid = sys::CUuuid { bytes: [0; 16] };
        call!(cuDeviceGetUuid_v2(&raw mut uuid, device))?;
        let uuid = uuid.bytes.map(|byte| byte as u8);
        Ok(Self { device, name, uuid, capability: capability(device)?, cuda })
    }
}

/// The context, shared with the memory that was allocated in it.
struct Context {
    device: sys::CUdevice,
    handle: sys::CUcontext,
    stream: sys::CUstream,
}

impl Context {
    fn make_current(&self) -> Result<(), String> {
        call!(cuCtxSetCurrent(self.handle))
    }

    fn wait(&self) -> Result<(), String> {
        call!(cuStreamSynchronize(self.stream))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // Ignore errors: the driver returns errors of earlier work again, and those have been reported.
        let _ = self.make_current().and_then(|()| call!(cuStreamDestroy_v2(self.stream)));
        let _ = call!(cuDevicePrimaryCtxRelease_v2(self.device));
    }
}

/// Whether launches are executed or recorded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Launch,
    Record,
    /// A launch could not be recorded, so the recording cannot be used.
    Failed,
}

/// An NVIDIA GPU.
pub struct Driver {
    // Dropped before the context.
    kernels: HashMap<&'static str, sys::CUfunction>,
    module: sys::CUmodule,
    context: Rc<Context>,
    name: String,
    mode: Cell<Mode>,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "Driver({})", self.name)
    }
}

impl Driver {
    /// Opens a GPU with the kernels in this CUBIN, which was compiled for its compute capability.
    ///
    /// # Errors
    /// The driver rejects the CUBIN, or reports another error.
    pub fn open(card: &Card, cubin: &[u8]) -> Result<Self, DriverError> {
        Self::load(card, cubin).map_err(DriverError::Cuda)
    }

    fn load(card: &Card, cubin: &[u8]) -> Result<Self, String> {
        let (device, name) = (card.device, card.name.clone());
        let (mut context, mut stream, mut module) = (null_mut(), null_mut(), null_mut());
        call!(cuDevicePrimaryCtxRetain(&raw mut context, device))?;
        call!(cuCtxSetCurrent(context))?;
        call!(cuStreamCreate(&raw mut stream, NON_BLOCKING))?;
        let context = Rc::new(Context { device, handle: context, stream });
        call!(cuModuleLoadData(&raw mut module, cubin.as_ptr().cast()))?;
        let mut kernels = HashMap::new();
        for kernel in source::kernels() {
            let symbol = CString::new(kernel).expect("a name has no zero byte");
            let mut function = null_mut();
            call!(cuModuleGetFunction(&raw mut function, module, symbol.as_ptr()))?;
            // The driver loads a kernel at its first use. Load it now, because that must not happen while launches are
            // recorded.
            let mut registers = 0;
            let attribute = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_NUM_REGS;
            call!(cuFuncGetAttribute(&raw mut registers, attribute, function))?;
            kernels.insert(kernel, function);
        }
        Ok(Self { kernels, module, context, name, mode: Cell::new(Mode::Launch) })
    }

    /// Reports an error; during a recording, marks the recording as failed instead.
    fn report(&self, result: Result<(), String>) {
        if let Err(message) = result {
            if self.mode.get() == Mode::Launch {
                failure::gpu(message);
            }
            self.mode.set(Mode::Failed);
        }
    }

    fn assert_not_recording(&self) {
        assert!(self.mode.get() == Mode::Launch, "only launches may be recorded");
    }

    /// Ends a recording and makes it executable.
    fn recorded(&self) -> Result<sys::CUgraphExec, String> {
        let (mut graph, mut ready) = (null_mut(), null_mut());
        call!(cuStreamEndCapture(self.context.stream, &raw mut graph))?;
        let result = match self.mode.get() {
            Mode::Failed => Err("a launch could not be recorded".to_owned()),
            _ => call!(cuGraphInstantiateWithFlags(&raw mut ready, graph, 0)),
        };
        if !graph.is_null() {
            let _ = call!(cuGraphDestroy(graph));
        }
        result.map(|()| ready)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Ignore errors, as when the context is dropped.
        let _ = self.context.make_current().and_then(|()| self.context.wait());
        let _ = call!(cuModuleUnload(self.module));
    }
}

fn device(index: usize) -> Result<sys::CUdevice, String> {
    let mut device = 0;
    call!(cuDeviceGet(&raw mut device, index as c_int)).map(|()| device)
}

/// The compute capability, for example 90 for 9.0.
fn capability(device: sys::CUdevice) -> Result<u32, String> {
    use sys::CUdevice_attribute::{
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
    };
    let (mut major, mut minor) = (0, 0);
    call!(cuDeviceGetAttribute(&raw mut major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device))?;
    call!(cuDeviceGetAttribute(&raw mut minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device))?;
    Ok((10 * major + minor) as u32)
}

/// A recorded graph.
struct Graph {
    ready: sys::CUgraphExec,
    context: Rc<Context>,
}

impl Drop for Graph {
    fn drop(&mut self) {
        let _ = self.context.make_current().and_then(|()| self.context.wait());
        let _ = call!(cuGraphExecDestroy(self.ready));
    }
}

impl Gpu for Driver {
    fn allocate(&self, bytes: usize) -> Memory {
        self.assert_not_recording();
        let mut address = 0;
        self.report(self.context.make_current());
        // SAFETY: the context is current.
        let result = unsafe { sys::cuMemAlloc_v2(&raw mut address, bytes.max(1)) };
        if result == CUresult::CUDA_ERROR_OUT_OF_MEMORY {
            failure::out_of_gpu_memory(bytes);
        }
        self.report(checked("cuMemAlloc", result));
        let context = Rc::clone(&self.context);
        Memory::new(Address(address), move || {
            // After an error of a kernel, this fails too; the error has been reported.
            let _ = context.make_current().and_then(|()| context.wait());
            let _ = call!(cuMemFree_v2(address));
        })
    }

    fn write(&self, to: Address, bytes: &[u8]) {
        self.assert_not_recording();
        if bytes.is_empty() {
            return;
        }
        self.report(self.context.make_current());
        self.report(call!(cuMemcpyHtoDAsync_v2(to.0, bytes.as_ptr().cast(), bytes.len(), self.context.stream)));
        self.report(self.context.wait());
    }

    fn read(&self, from: Address, bytes: &mut [u8]) {
        self.assert_not_recording();
        self.report(self.context.make_current());
        if !bytes.is_empty() {
            let to: *mut c_void = bytes.as_mut_ptr().cast();
            self.report(call!(cuMemcpyDtoHAsync_v2(to, from.0, bytes.len(), self.context.stream)));
        }
        self.report(self.context.wait());
    }

    fn fill_zero(&self, to: Address, bytes: usize) {
        if bytes > 0 {
            self.report(self.context.make_current());
            self.report(call!(cuMemsetD8Async(to.0, 0, bytes, self.context.stream)));
        }
    }

    fn launch(&self, kernel: &'static str, grid: Grid, arguments: &[Argument]) {
        let [x, y, z] = grid.blocks;
        if x == 0 || y == 0 || z == 0 {
            return;
        }
        let function = *self.kernels.get(kernel).unwrap_or_else(|| panic!("no kernel {kernel}"));
        // The driver reads as many bytes of each value as the kernel's parameter has. The host of a GPU is
        // little-endian.
        let mut values: Vec<u64> = arguments
            .iter()
            .map(|argument| match *argument {
                Argument::Address(address) => address.0,
                Argument::U32(value) => value.into(),
                Argument::U64(value) => value,
                Argument::F32(value) => value.to_bits().into(),
                Argument::F64(value) => value.to_bits(),
            })
            .collect();
        let mut pointers: Vec<*mut c_void> = values.iter_mut().map(|value| std::ptr::from_mut(value).cast()).collect();
        self.report(self.context.make_current());
        let (stream, parameters) = (self.context.stream, pointers.as_mut_ptr());
        let launched = call!(cuLaunchKernel(
            function,
            x,
            y,
            z,
            grid.threads,
            1,
            1,
            grid.shared_bytes,
            stream,
            parameters,
            null_mut()
        ));
        self.report(launched.map_err(|error| format!("{error} of {kernel}")));
    }

    fn record(&self, work: &mut dyn FnMut()) -> Option<Recording> {
        self.assert_not_recording();
        self.report(self.context.make_current());
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        call!(cuStreamBeginCapture_v2(self.context.stream, mode)).ok()?;
        self.mode.set(Mode::Record);
        // Catch panics, because the recording must be ended in any case.
        let worked = catch_unwind(AssertUnwindSafe(work));
        let graph = self.recorded().map(|ready| Graph { ready, context: Rc::clone(&self.context) });
        self.mode.set(Mode::Launch);
        if let Err(panic) = worked {
            resume_unwind(panic);
        }
        graph.ok().map(|graph| Recording(Box::new(graph)))
    }

    fn replay(&self, recording: &Recording) {
        self.assert_not_recording();
        let graph: &Graph = recording.0.downcast_ref().expect("this GPU recorded it");
        self.report(self.context.make_current());
        self.report(call!(cuGraphLaunch(graph.ready, self.context.stream)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_gpu_there_is_an_error_and_no_panic() {
        if count() == 0 {
            let error = Card::find(0).unwrap_err().to_string();
            assert!(!error.is_empty() && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let error = DriverError::TooOld(11080).to_string();
        assert_eq!(error, "the NVIDIA driver supports CUDA 11.8; 12.0 or newer is needed");
        assert_eq!(DriverError::NoSuchGpu { index: 2, count: 1 }.to_string(), "no GPU 2: the driver finds 1");
    }
}
