//! Packs a bundle into a zip to hand in.

use std::fs;
use std::path::{Path, PathBuf};

use super::place::bundle_with;
use super::write::write_file;
use super::zip::pack;
use super::{Bundle, Error, Manifest, OPTIONAL, SUMS, WEIGHTS, is_optional, report_id};
use crate::digest::sha256_hex;

/// A bundle that is ready to be written as a zip.
pub(crate) struct Packed {
    /// Where the zip will be.
    pub(crate) path: PathBuf,
    zip: Vec<u8>,
    pub(crate) report_id: String,
    pub(crate) manifest: Manifest,
    /// Leftovers of operating systems in the folder, which are not in the zip.
    pub(crate) leftovers: Vec<String>,
    /// The folders that a lean zip was published without.
    pub(crate) left_out: Vec<&'static str>,
    /// Bytes of the files in the zip that `--lean` would leave out.
    pub(crate) optional_bytes: usize,
    /// Whether the zip is without weights.
    pub(crate) is_lean: bool,
    /// The same of the zip that this one will replace, if there is one.
    pub(crate) replaced_is_lean: Option<bool>,
}

impl Packed {
    /// Packs a bundle's folder for `out`, by default beside the folder; `lean` leaves out the optional folders.
    pub(crate) fn new(folder: &Path, out: Option<&Path>, lean: bool) -> Result<Self, Error> {
        if !folder.is_dir() {
            let advice = if folder.extension().is_some_and(|ending| ending == "zip") {
                "hand this zip in as it is, or unpack it first"
            } else {
                "name one that `mnist-report build` made"
            };
            return Err(Error::refused(folder, format!("is not a bundle's folder: {advice}")));
        }
        let path = out.map_or_else(|| beside(folder), |out| Ok(out.to_owned()))?;
        let replaced = check_zip_place(folder, &path)?;
        let bundle = Bundle::open(folder)?;
        let damage = bundle.damage();
        if let Some(first) = damage.first() {
            let advice = if bundle.only_has_extra_files(&damage) {
                "move what does not belong to the bundle elsewhere"
            } else {
                "build it again, or see `mnist-report verify`"
            };
            let (path, first, others) = (folder.to_owned(), first.clone(), damage.len() - 1);
            return Err(Error::Damaged { path, first, others, advice });
        }
        let optional_bytes = |(path, bytes): (&String, &Vec<u8>)| if is_optional(path) { bytes.len() } else { 0 };
        let holds = |folder: &&str| bundle.files.keys().any(|path| path.starts_with(*folder));
        let left_out: Vec<_> = OPTIONAL.into_iter().filter(|folder| lean && holds(folder)).collect();
        Ok(Self {
            path,
            zip: pack(&bundle.files, lean)?,
            report_id: report_id(bundle.bytes(SUMS)?),
            manifest: bundle.manifest()?,
            leftovers: bundle.leftovers.clone(),
            optional_bytes: if lean { 0 } else { bundle.files.iter().map(optional_bytes).sum() },
            is_lean: left_out.contains(&WEIGHTS) || bundle.leaves_out(WEIGHTS),
            replaced_is_lean: replaced.map(|zip| zip.leaves_out(WEIGHTS)),
            left_out,
        })
    }

    /// The zip's size.
    pub(crate) fn bytes(&self) -> usize {
        self.zip.len()
    }

    /// The SHA-256 of the zip.
    pub(crate) fn zip_sha256(&self) -> String {
        sha256_hex(&self.zip)
    }

    /// Writes the zip.
    pub(crate) fn write(&self) -> Result<(), Error> {
        write_file(&self.path, &self.zip)
    }
}

/// The folder's path with `.zip` appended.
fn beside(folder: &Path) -> Result<PathBuf, Error> {
    // `.` and `..` have no name.
    let named = match folder.file_name() {
        Some(_) => folder.to_owned(),
        None => folder.canonicalize().map_err(Error::io("resolve", folder))?,
    };
    let unnamed = || Error::refused(folder, "has no name to derive the zip's from; name the zip with --out");
    let mut name = named.file_name().ok_or_else(unnamed)?.to_owned();
    name.push(".zip");
    Ok(named.with_file_name(name))
}

/// Refuses to write into the bundle, or over a file that `publish` did not write. Returns the published bundle that is there.
fn check_zip_place(folder: &Path, out: &Path) -> Result<Option<Bundle>, Error> {
    let parent = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let (Ok(parent), Ok(folder)) = (parent.canonicalize(), folder.canonicalize()) {
        if parent.starts_with(&folder) {
            return Err(Error::refused(out, "is inside the bundle; name a place outside with --out"));
        }
        if let Some(bundle) = bundle_with(&parent) {
            let reason = format!("is inside the bundle {}; name another place with --out", bundle.display());
            return Err(Error::refused(out, reason));
        }
    }
    let Ok(there) = fs::symlink_metadata(out) else { return Ok(None) };
    if out.is_dir() {
        return Err(Error::refused(out, "is a folder; --out names the zip"));
    }
    let published = if there.is_file() { published(out) } else { None };
    let reason = "exists but is not a zip file that `publish` wrote; move it, or name another file with --out";
    published.map(Some).ok_or_else(|| Error::refused(out, reason))
}

/// The bundle in a zip that equals, byte for byte, what `publish` would write for it.
fn published(zip: &Path) -> Option<Bundle> {
    let bundle = Bundle::open(zip).ok().filter(|bundle| bundle.damage().is_empty())?;
    (fs::read(zip).ok()? == pack(&bundle.files, false).ok()?).then_some(bundle)
}
