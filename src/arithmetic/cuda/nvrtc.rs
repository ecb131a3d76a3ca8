//! NVRTC, NVIDIA's compiler for CUDA C at run time. It is loaded by path, because its location differs between
//! installations.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};

use libloading::Library;

use super::source;

/// The options for all kernels: no fused operations, no approximations, and no flushing of subnormal numbers.
pub(super) const OPTIONS: [&CStr; 5] =
    [c"--std=c++17", c"--fmad=false", c"--prec-div=true", c"--prec-sqrt=true", c"--ftz=false"];

/// The oldest version that supports these options.
const OLDEST_MAJOR: u32 = 12;

type Program = *mut c_void;

/// Why the kernels were not compiled.
#[derive(Debug, thiserror::Error)]
pub enum NvrtcError {
    /// No library was found.
    #[error(
        "libnvrtc.so.{0} was not found; install the Python package nvidia-cuda-nvrtc{dash}, or set CUDA_HOME to a CUDA toolkit",
        dash = if *.0 == 12 { "-cu12" } else { "" }
    )]
    NotFound(u32),
    /// A library was found, but it cannot compile the kernels.
    #[error("{path}: {message}")]
    Failed {
        /// The library.
        path: String,
        /// The first line of its error message.
        message: String,
    },
}

/// Compiled kernels.
#[derive(Debug, PartialEq, Eq)]
pub struct Compiled {
    /// NVRTC's version, for example 13.0.
    pub nvrtc: String,
    /// The kernels for one compute capability.
    pub cubin: Vec<u8>,
}

/// Compiles all kernels to a CUBIN for this compute capability, for example 90 for 9.0. `major` is the version of CUDA
/// that the driver supports; `folders` are searched first.
///
/// # Errors
/// NVRTC is missing or fails.
pub fn compile(major: u32, capability: u32, folders: &[PathBuf]) -> Result<Compiled, NvrtcError> {
    let mut error = NvrtcError::NotFound(major);
    // A driver runs the output of an older NVRTC, but not always that of a newer one.
    for major in (OLDEST_MAJOR..=major).rev() {
        for path in candidates(major, folders) {
            match compile_with(&path, capability) {
                Ok(Some(compiled)) => return Ok(compiled),
                Ok(None) => {}
                Err(message) => error = NvrtcError::Failed { path: path.display().to_string(), message },
            }
        }
    }
    Err(error)
}

/// The paths to try. The system's loader searches for a name without a folder.
fn candidates(major: u32, folders: &[PathBuf]) -> Vec<PathBuf> {
    let name = if cfg!(windows) { format!("nvrtc64_{major}0_0.dll") } else { format!("libnvrtc.so.{major}") };
    let mut searched: Vec<PathBuf> = folders.to_vec();
    // Python packages are siblings: if a folder is PyTorch's torch/lib, NVRTC may be in one of these.
    for folder in folders {
        for up in folder.ancestors().skip(1).take(3) {
            searched.extend([up.join("nvidia/cuda_nvrtc/lib"), up.join(format!("nvidia/cu{major}/lib"))]);
        }
    }
    let environments = ["VIRTUAL_ENV", "CONDA_PREFIX"].map(std::env::var_os).into_iter().flatten().map(PathBuf::from);
    // If a Python package installed this program, it is in the bin/ of its environment.
    let own = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.parent()?.to_owned()));
    for environment in environments.chain(own).chain(["/usr/local", "/usr"].map(PathBuf::from)) {
        for packages in subfolders(&environment.join("lib"), "python3") {
            for kind in ["site-packages", "dist-packages"] {
                let nvidia = packages.join(kind).join("nvidia");
                searched.extend([nvidia.join("cuda_nvrtc/lib"), nvidia.join(format!("cu{major}/lib"))]);
            }
        }
    }
    let toolkits = ["CUDA_HOME", "CUDA_PATH"].map(std::env::var_os).into_iter().flatten().map(PathBuf::from);
    for toolkit in toolkits.chain(subfolders(Path::new("/usr/local"), "cuda")) {
        searched.extend([toolkit.join("lib64"), toolkit.join("lib"), toolkit.join("bin")]);
    }
    let found = searched.iter().map(|folder| folder.join(&name)).filter(|path| path.is_file());
    [PathBuf::from(&name)].into_iter().chain(found).collect()
}

/// The entries of a folder whose names start with `prefix`, sorted by name.
fn subfolders(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let begins = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
    let mut found: Vec<PathBuf> = entries.filter(begins).collect();
    found.sort();
    found
}

/// Compiles with the library at this path; `None` if it cannot be loaded.
fn compile_with(path: &Path, capability: u32) -> Result<Option<Compiled>, String> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        // NVRTC loads its builtins by name, without a path. That succeeds if they are already loaded.
        for builtins in subfolders(folder, "libnvrtc-builtins.so") {
            // SAFETY: loading NVIDIA's library runs no code but its own initialisation.
            if let Ok(library) = unsafe { Library::new(builtins) } {
                std::mem::forget(library);
            }
        }
    }
    // SAFETY: as above.
    let Ok(library) = (unsafe { Library::new(path) }) else { return Ok(None) };
    // Never unload it, because it has its own threads and memory.
    let library: &'static Library = Box::leak(Box::new(library));
    // SAFETY: these are the functions of nvrtc.h, which have had these types since CUDA 11.
    unsafe { compile_in(library, capability) }.map(Some)
}

/// # Safety
/// The library is NVRTC.
unsafe fn compile_in(library: &Library, capability: u32) -> Result<Compiled, String> {
    macro_rules! function {
        ($name:literal, fn($($argument:ty),*)) => {
            *library
                .get::<unsafe extern "C" fn($($argument),*) -> c_int>(concat!($name, "\0").as_bytes())
                .map_err(|error| error.to_string())?
        };
    }
    // SAFETY: the caller guarantees that the library is NVRTC, and the pointers outlive the calls.
    unsafe {
        let version = function!("nvrtcVersion", fn(*mut c_int, *mut c_int));
        let create = function!(
            "nvrtcCreateProgram",
            fn(*mut Program, *const c_char, *const c_char, c_int, *const *const c_char, *const *const c_char)
        );
        let compile = function!("nvrtcCompileProgram", fn(Program, c_int, *const *const c_char));
        let log_size = function!("nvrtcGetProgramLogSize", fn(Program, *mut usize));
        let log = function!("nvrtcGetProgramLog", fn(Program, *mut c_char));
        let cubin_size = function!("nvrtcGetCUBINSize", fn(Program, *mut usize));
        let cubin = function!("nvrtcGetCUBIN", fn(Program, *mut c_char));
        let destroy = function!("nvrtcDestroyProgram", fn(*mut Program));

        let text = CString::new(source::source()).expect("the source has no zero byte");
        let mut program = std::ptr::null_mut();
        let none = std::ptr::null();
        match create(&raw mut program, text.as_ptr(), c"kernels.cu".as_ptr(), 0, none, none) {
            0 => {}
            code => return Err(format!("nvrtcCreateProgram: error {code}")),
        }
        let architecture =
            CString::new(format!("--gpu-architecture=sm_{capability}")).expect("the number has no zero byte");
        let options: Vec<*const c_char> =
            OPTIONS.iter().copied().chain([architecture.as_c_str()]).map(CStr::as_ptr).collect();
        let code = compile(program, options.len() as c_int, options.as_ptr());
        let bytes = |size: unsafe extern "C" fn(Program, *mut usize) -> c_int,
                     get: unsafe extern "C" fn(Program, *mut c_char) -> c_int| {
            let mut len = 0;
            size(program, &raw mut len);
            let mut bytes = vec![0u8; len];
            if len > 0 {
                get(program, bytes.as_mut_ptr().cast());
            }
            bytes
        };
        let result = if code == 0 {
            Ok(bytes(cubin_size, cubin))
        } else {
            let log = bytes(log_size, log);
            let log = String::from_utf8_lossy(&log);
            let first = log.lines().find(|line| line.contains("error")).unwrap_or("no message");
            Err(format!("error {code} for sm_{capability}: {}", first.trim_end_matches('\0')))
        };
        destroy(&raw mut program);
        let (mut major, mut minor) = (0, 0);
        version(&raw mut major, &raw mut minor);
        result.map(|cubin| Compiled { nvrtc: format!("{major}.{minor}"), cubin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_compiler_is_an_error() {
        assert_eq!(compile_with(Path::new("/nowhere/libnvrtc.so.13"), 90), Ok(None));
        let error = NvrtcError::NotFound(12).to_string();
        assert!(error.contains("nvidia-cuda-nvrtc-cu12, or"), "{error}");
        assert!(NvrtcError::NotFound(13).to_string().contains("nvidia-cuda-nvrtc, or"));
    }

    /// Where NVRTC is installed, the kernels compile. The path is that of a library.
    #[test]
    fn kernels_compile_where_nvrtc_is_given() {
        let Some(path) = std::env::var_os("MNIST_REPORT_NVRTC") else { return };
        let Compiled { nvrtc, cubin } = compile_with(Path::new(&path), 90).unwrap().expect("the library can be loaded");
        assert!(cubin.starts_with(b"\x7fELF"));
        assert!(nvrtc.starts_with("12.") || nvrtc.starts_with("13."), "{nvrtc}");
    }
}
