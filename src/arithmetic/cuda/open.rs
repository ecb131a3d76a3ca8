//! Opens a GPU with kernels that were compiled for it and tested on it. Both happen once for each GPU and driver: the
//! compiled kernels are cached in a file, which is written only after they pass the self-test.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::{fs, io};

use super::driver::{Card, Driver, DriverError};
use super::gpu::Gpu;
use super::nvrtc::{self, Compiled, NvrtcError};
use super::self_test::self_test;
use crate::digest::sha256_hex;
use crate::failure::caught;

/// Why a GPU cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The driver.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The compiler.
    #[error(transparent)]
    Nvrtc(#[from] NvrtcError),
    /// The GPU fails, or computes other bits than the CPU.
    #[error("the self-test of {name} failed: {why}")]
    SelfTest {
        /// The GPU.
        name: String,
        /// The first difference, or the GPU's error.
        why: String,
    },
}

/// A GPU that can compute, and what its software is.
pub struct Opened {
    /// The GPU.
    pub gpu: Rc<dyn Gpu>,
    /// Its name.
    pub name: String,
    /// The version of CUDA that the driver supports, for example 13.0.
    pub cuda: String,
    /// The version of NVRTC that compiled the kernels, for example 13.0.
    pub nvrtc: String,
}

/// Opens the GPU with this index, from 0. Searches for NVRTC in `folders` and in the usual places, and caches compiled
/// kernels in the folder `cache`.
///
/// # Errors
/// The driver or the GPU is missing, the kernels cannot be compiled, or they compute other bits than the CPU.
pub fn open(index: usize, folders: &[PathBuf], cache: Option<&Path>) -> Result<Opened, OpenError> {
    let card = Card::find(index)?;
    let file = cache.map(|folder| folder.join(file_name(&card, &driver_file())));
    let opened = |gpu: Rc<dyn Gpu>, compiled: &Compiled| {
        let cuda = format!("{}.{}", card.cuda / 1000, card.cuda % 1000 / 10);
        Opened { gpu, name: card.name.clone(), cuda, nvrtc: compiled.nvrtc.clone() }
    };
    if let Some(compiled) = file.as_deref().and_then(read)
        && let Ok(driver) = Driver::open(&card, &compiled.cubin)
    {
        return Ok(opened(Rc::new(driver), &compiled));
    }
    let compiled = nvrtc::compile(card.cuda / 1000, card.capability, folders)?;
    let gpu: Rc<dyn Gpu> = Rc::new(Driver::open(&card, &compiled.cubin)?);
    let tested = caught(|| self_test(&gpu)).unwrap_or_else(Err);
    tested.map_err(|why| OpenError::SelfTest { name: card.name.clone(), why })?;
    if let Some(file) = file {
        // Ignore errors: without the file, only the next start takes longer.
        let _ = write(&file, &compiled);
    }
    Ok(opened(gpu, &compiled))
}

/// What the system reports about the driver; empty if it does not.
fn driver_file() -> String {
    fs::read_to_string("/proc/driver/nvidia/version").unwrap_or_default()
}

/// The name of the file with a GPU's kernels: the GPU's UUID, and a digest of what the kernels and their test depend
/// on, among it the sources of the arithmetic on both devices.
fn file_name(card: &Card, driver: &str) -> String {
    let Card { name, uuid, capability, cuda, .. } = card;
    let sources = env!("MNIST_REPORT_COMPUTING_SHA256");
    let parts = format!("{name} {capability} {cuda} {driver} {sources}");
    let uuid: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{uuid}-{}.cubin", &sha256_hex(parts.as_bytes())[..16])
}

/// Reads the kernels from a file: a line with NVRTC's version, the kernels, and a digest of both. `None` if the digest does
/// not match.
fn read(file: &Path) -> Option<Compiled> {
    let mut bytes = fs::read(file).ok()?;
    let digest = bytes.split_off(bytes.len().checked_sub(64)?);
    if sha256_hex(&bytes).as_bytes() != digest {
        return None;
    }
    let cubin = bytes.split_off(bytes.iter().position(|byte| *byte == b'\n')? + 1);
    Some(Compiled { nvrtc: String::from_utf8(bytes).ok()?.trim_end().to_owned(), cubin })
}

/// Writes a file of kernels, and removes the same GPU's files for other drivers or sources.
fn write(file: &Path, compiled: &Compiled) -> io::Result<()> {
    let folder = file.parent().expect("a file in a folder");
    fs::create_dir_all(folder)?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    let bytes = [compiled.nvrtc.as_bytes(), b"\n", &compiled.cubin].concat();
    temporary.write_all(&bytes)?;
    temporary.write_all(sha256_hex(&bytes).as_bytes())?;
    temporary.persist(file)?;
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let uuid = name(file).split('-').next().unwrap_or_default().to_owned();
    for entry in fs::read_dir(folder)?.flatten().map(|entry| entry.path()) {
        if entry != file && name(&entry).strip_prefix(&uuid).is_some_and(|rest| rest.starts_with('-')) {
            let _ = fs::remove_file(entry);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(cubin: &[u8]) -> Compiled {
        Compiled { nvrtc: "13.0".to_owned(), cubin: cubin.to_owned() }
    }

    #[test]
    fn kernels_are_kept_for_one_gpu_driver_and_source() {
        let card = Card::for_tests("NVIDIA H100 80GB HBM3", 90);
        let name = file_name(&card, "580.95");
        assert!(name.starts_with("00070707") && name.ends_with(".cubin") && name.len() == 55, "{name}");
        assert_eq!(file_name(&card, "580.95"), name);
        assert_ne!(file_name(&card, "580.96"), name);
        assert_ne!(file_name(&Card::for_tests("NVIDIA H100 80GB HBM3", 80), "580.95"), name);

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cuda").join(&name);
        assert_eq!(read(&file), None);
        write(&file, &compiled(b"ker\nnels")).unwrap();
        assert_eq!(read(&file), Some(compiled(b"ker\nnels")));
        // Of another driver, and of another GPU.
        let [other, another] =
            [file_name(&card, "580.96"), "11-22.cubin".to_owned()].map(|name| file.with_file_name(name));
        write(&another, &compiled(b"another GPU's")).unwrap();
        write(&other, &compiled(b"newer")).unwrap();
        assert_eq!(
            [read(&file), read(&another), read(&other)],
            [None, Some(compiled(b"another GPU's")), Some(compiled(b"newer"))]
        );
    }

    #[test]
    fn a_damaged_file_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.cubin");
        write(&file, &compiled(b"kernels")).unwrap();
        let mut bytes = fs::read(&file).unwrap();
        bytes[0] ^= 1;
        fs::write(&file, &bytes).unwrap();
        assert_eq!(read(&file), None);
        for len in [0, 63, 64, 70] {
            fs::write(&file, &bytes[..len]).unwrap();
            assert_eq!(read(&file), None, "{len}");
        }
    }
}
