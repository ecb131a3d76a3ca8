//! A GPU for the tests: the kernels compiled as C++ (tests/cuda/cuda_on_cpu.cpp) and run on this CPU.
//!
//! It checks what a real GPU would not report: barriers that not all threads reach; values that are read before they
//! are written (they are NaN); and results that depend on the order of the threads, which a test can choose. With the
//! environment variable `MNIST_REPORT_SANITIZE`, the kernels are compiled with AddressSanitizer, which must then be
//! loaded before the test (`make test-cuda-on-cpu`). `MNIST_REPORT_WITHOUT_BARRIER=N` leaves out barrier N of the
//! source, counted from 0; then the tests should fail.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use libloading::Library;
use sha2::{Digest, Sha256};

use super::gpu::{Address, Argument, Gpu, Grid, Memory, Recording};
use super::source;

/// The order in which the threads of a block and the blocks of a launch run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Forward,
    Reversed,
    /// Shuffled with this seed.
    Shuffled(u64),
}

impl Order {
    /// The orders that tests use.
    pub(super) const ALL: [Self; 3] = [Self::Forward, Self::Reversed, Self::Shuffled(7)];
}

/// A GPU emulated on the CPU.
pub(super) struct Emulator {
    order: Order,
    /// Whether it can record.
    records: bool,
    /// What is being recorded.
    recorded: RefCell<Option<Vec<Work>>>,
}

#[derive(Clone)]
enum Work {
    Launch(&'static str, Grid, Vec<Argument>),
    Zero(Address, usize),
}

impl Emulator {
    pub(super) fn new(order: Order) -> Self {
        Self { order, records: true, recorded: RefCell::new(None) }
    }

    /// A GPU that cannot record.
    pub(super) fn without_recordings(order: Order) -> Self {
        Self { records: false, ..Self::new(order) }
    }

    fn run(&self, work: &Work) {
        match work {
            Work::Launch(kernel, grid, arguments) => self.launch_now(kernel, *grid, arguments),
            // SAFETY: the caller owns this memory.
            Work::Zero(to, bytes) => unsafe { std::ptr::write_bytes(to.0 as *mut u8, 0, *bytes) },
        }
    }

    fn do_or_record(&self, work: Work) {
        match &mut *self.recorded.borrow_mut() {
            Some(recorded) => recorded.push(work),
            None => self.run(&work),
        }
    }

    fn assert_not_recording(&self) {
        assert!(self.recorded.borrow().is_none(), "only launches may be recorded");
    }

    fn launch_now(&self, kernel: &str, grid: Grid, arguments: &[Argument]) {
        let bound = source::threads_of(kernel);
        assert!(bound.is_none_or(|bound| grid.threads <= bound), "{kernel}: {grid:?}");
        let bits = |argument: &Argument| match *argument {
            Argument::Address(address) => ('a', address.0),
            Argument::U32(value) => ('u', value.into()),
            Argument::U64(value) => ('l', value),
            Argument::F32(value) => ('f', value.to_bits().into()),
            Argument::F64(value) => ('d', value.to_bits()),
        };
        let (letters, values): (String, Vec<u64>) = arguments.iter().map(bits).unzip();
        let (how, seed) = match self.order {
            Order::Forward => (0, 0),
            Order::Reversed => (1, 0),
            Order::Shuffled(seed) => (2, seed),
        };
        let [name, letters] = [kernel, &letters].map(|text| CString::new(text).unwrap());
        let library = library();
        // The library runs one launch at a time.
        let _guard = library.busy.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the function has this signature, and the launch's addresses belong to memory that the tests own.
        let wrong = unsafe {
            let error = (library.launch)(
                name.as_ptr(),
                grid.blocks.as_ptr(),
                grid.threads,
                grid.shared_bytes,
                letters.as_ptr(),
                values.as_ptr(),
                how,
                seed,
            );
            (!error.is_null()).then(|| CStr::from_ptr(error).to_string_lossy().into_owned())
        };
        if let Some(wrong) = wrong {
            panic!("{kernel} {grid:?}: {wrong}");
        }
    }
}

impl Gpu for Emulator {
    fn allocate(&self, bytes: usize) -> Memory {
        self.assert_not_recording();
        // SAFETY: the functions have these signatures, and the memory is freed once.
        let memory = unsafe { (library().allocate)(bytes) };
        assert!(!memory.is_null(), "no memory");
        let address = memory as u64;
        Memory::new(Address(address), move || unsafe { (library().free)(address as *mut c_void) })
    }

    fn write(&self, to: Address, bytes: &[u8]) {
        self.assert_not_recording();
        // SAFETY: the caller owns this memory.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to.0 as *mut u8, bytes.len()) };
    }

    fn read(&self, from: Address, bytes: &mut [u8]) {
        self.assert_not_recording();
        // SAFETY: as above.
        unsafe { std::ptr::copy_nonoverlapping(from.0 as *const u8, bytes.as_mut_ptr(), bytes.len()) };
    }

    fn fill_zero(&self, to: Address, bytes: usize) {
        self.do_or_record(Work::Zero(to, bytes));
    }

    fn launch(&self, kernel: &'static str, grid: Grid, arguments: &[Argument]) {
        self.do_or_record(Work::Launch(kernel, grid, arguments.to_vec()));
    }

    fn record(&self, work: &mut dyn FnMut()) -> Option<Recording> {
        self.assert_not_recording();
        if !self.records {
            return None;
        }
        *self.recorded.borrow_mut() = Some(Vec::new());
        work();
        let recorded = self.recorded.borrow_mut().take();
        recorded.map(|work| Recording(Box::new(work)))
    }

    fn replay(&self, recording: &Recording) {
        let work: &Vec<Work> = recording.0.downcast_ref().expect("this GPU recorded it");
        for work in work {
            self.run(work);
        }
    }
}

type Launch =
    unsafe extern "C" fn(*const c_char, *const u32, u32, u32, *const c_char, *const u64, u32, u64) -> *const c_char;

/// The compiled kernels.
struct Compiled {
    allocate: unsafe extern "C" fn(usize) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
    launch: Launch,
    busy: Mutex<()>,
    _library: Library,
}

fn library() -> &'static Compiled {
    static COMPILED: OnceLock<Compiled> = OnceLock::new();
    COMPILED.get_or_init(|| {
        // SAFETY: loading runs no code but the initialisation of C++ objects, and the symbols have these types.
        unsafe {
            let library = Library::new(compiled()).unwrap();
            Compiled {
                allocate: *library.get(b"cuda_on_cpu_allocate").unwrap(),
                free: *library.get(b"cuda_on_cpu_free").unwrap(),
                launch: *library.get(b"cuda_on_cpu_launch").unwrap(),
                busy: Mutex::new(()),
                _library: library,
            }
        }
    })
}

/// The statement at which the threads of a block wait for each other.
const BARRIER: &str = "__syncthreads();";

/// The C++ source: the kernels between the two files of tests/cuda.
fn cpp() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cuda");
    let mut kernels = source::source();
    if let Ok(left_out) = std::env::var("MNIST_REPORT_WITHOUT_BARRIER") {
        let barriers = kernels.match_indices(BARRIER).map(|(at, _)| at).collect::<Vec<_>>();
        let at = barriers[left_out.parse::<usize>().unwrap()];
        kernels.replace_range(at..at + BARRIER.len(), "");
    }
    let mut text = format!("#include \"{}\"\n{kernels}", folder.join("cuda_on_cpu.h").display());
    text += "#define KERNELS";
    for kernel in source::kernels() {
        write!(text, " KERNEL({kernel})").unwrap();
    }
    write!(text, "\n#include \"{}\"\n", folder.join("cuda_on_cpu.cpp").display()).unwrap();
    text
}

/// Compiles the kernels, unless an earlier run of the tests did, and returns the library.
fn compiled() -> PathBuf {
    let sanitize = std::env::var_os("MNIST_REPORT_SANITIZE").is_some();
    let mut flags = vec![
        "-std=c++17",
        "-O1",
        "-g",
        "-ffp-contract=off",
        "-fno-strict-aliasing",
        "-shared",
        "-fPIC",
        "-fvisibility=hidden",
    ];
    // Without the FMA instruction, each fused multiply-addition is a function call, with the same result.
    if cfg!(target_arch = "x86_64") && kernels::simd::widest() != kernels::simd::InstructionSet::Scalar {
        flags.push("-mfma");
    }
    if sanitize {
        flags.extend(["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fsanitize-sections=cuda_shared"]);
    }
    let (text, folder) = (cpp(), Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cuda"));
    let included = ["cuda_on_cpu.h", "cuda_on_cpu.cpp"].map(|name| std::fs::read_to_string(folder.join(name)).unwrap());
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let key = Sha256::digest(format!("{compiler} {flags:?} {included:?} {text}"));
    let key: String = key[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let beside = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let library = beside.join(format!("cuda_on_cpu_{key}.so"));
    if library.exists() {
        return library;
    }
    let scratch = tempfile::tempdir_in(&beside).unwrap();
    let [from, to] = ["kernels.cpp", "kernels.so"].map(|name| scratch.path().join(name));
    std::fs::write(&from, text).unwrap();
    let done = Command::new(&compiler).args(&flags).arg("-o").args([&to, &from]).output();
    let done =
        done.unwrap_or_else(|error| panic!("{compiler}: {error}; the tests of the CUDA kernels need a C++ compiler"));
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}", errors.lines().take(20).collect::<Vec<_>>().join("\n"));
    std::fs::rename(&to, &library).unwrap();
    library
}

mod tests {
    use super::*;

    #[test]
    fn the_emulator_refuses_wrong_launches() {
        let gpu = Emulator::new(Order::Forward);
        let refused = |arguments: &[Argument]| {
            let launch = || gpu.launch("end_step", Grid::blocks(1, 1), arguments);
            let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(launch)).unwrap_err();
            panic.downcast_ref::<String>().unwrap().clone()
        };
        assert!(refused(&[Argument::U32(1)]).contains("the parameters are a, the arguments u"));
    }
}
