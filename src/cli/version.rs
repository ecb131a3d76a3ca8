//! `--version`: everything that a result can depend on, one line each.

use std::process::Command;

use crate::arithmetic::VERSION;
use crate::bundle::SOURCE_SHA256;
use crate::compute::{self, Device, DeviceChoice, Libtorch, libtorch_program};
use crate::study::Compute;

/// The line by which a process of this program learns the version of libtorch from the one that has it.
const LIBTORCH: &str = "libtorch";
const NOT_INSTALLED: &str = "not installed";

/// What `--version` prints.
pub(super) fn text() -> String {
    let lines = [
        format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
        format!("source      {SOURCE_SHA256}"),
        format!("arithmetic  {VERSION}"),
        format!("{LIBTORCH:<11} {}", installed_libtorch()),
        format!("devices     {}", devices()),
    ];
    lines.join("\n") + "\n"
}

/// The version of libtorch in this process; otherwise whether it is installed, because starting the program that has it
/// takes longer than everything else here.
fn installed_libtorch() -> String {
    match (compute::libtorch(), libtorch_program()) {
        (Some(libtorch), _) => libtorch.version(),
        (None, Some(_)) => format!("installed ({} doctor prints its version)", env!("CARGO_PKG_NAME")),
        (None, None) => NOT_INSTALLED.to_owned(),
    }
}

/// The version of libtorch, or why there is none. Starts the program that has it.
pub(super) fn libtorch() -> Result<String, String> {
    if let Some(version) = compute::libtorch().map(Libtorch::version) {
        return Ok(version);
    }
    let program = libtorch_program().ok_or(NOT_INSTALLED)?;
    let failed = |why: &str| format!("{} does not start: {why}", program.display());
    // Without a GPU: this process lists the devices.
    let done = Command::new(&program).arg("--version").env("CUDA_VISIBLE_DEVICES", "").output();
    let done = done.map_err(|error| failed(&error.to_string()))?;
    let printed = String::from_utf8_lossy(&done.stdout);
    let version = printed.lines().find_map(|line| line.strip_prefix(LIBTORCH)).map(str::trim);
    let said = String::from_utf8_lossy(&done.stderr);
    version.map(str::to_owned).ok_or_else(|| failed(said.lines().next().unwrap_or("it prints no version")))
}

/// The devices that can compute.
fn devices() -> String {
    let cpu = format!("cpu ({})", Device::cpu_vectors());
    gpu().map_or(cpu.clone(), |name| format!("{cpu}, cuda:0 ({name})"))
}

/// The name of the first GPU, or why it cannot be used.
pub(super) fn gpu() -> Result<String, String> {
    match Device::start(DeviceChoice::Auto, &Compute::default(), |_| Ok(())) {
        // `auto` says nothing about a machine that has no GPU.
        Ok(device) if device.notes.is_empty() => device.gpu_name().ok_or_else(|| "no NVIDIA GPU was found".to_owned()),
        Ok(device) => device.gpu_name().ok_or_else(|| device.notes.join("; ")),
        Err(compute::Error::NeedsLibtorch { why, .. }) => Err(format!("only libtorch can use it: {why}")),
        Err(error) => Err(error.to_string()),
    }
}
