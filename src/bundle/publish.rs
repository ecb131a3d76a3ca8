//! Publishes a bundle as one zip.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::write::write_file;
use super::zip::pack;
use super::{Bundle, Error, Manifest, OPTIONAL, SUMS, report_id};

/// A zip that was written.
pub(crate) struct Published {
    pub(crate) path: PathBuf,
    /// The zip's size.
    pub(crate) bytes: usize,
    pub(crate) report_id: String,
    pub(crate) manifest: Manifest,
    /// Files in the folder that an operating system left; the zip does not have them.
    pub(crate) leftovers: Vec<String>,
    /// The folders that a lean zip was published without.
    pub(crate) left_out: Vec<&'static str>,
}

/// Writes the zip of a bundle's folder to `out`, by default beside the folder; `lean` leaves out the optional folders.
pub(crate) fn publish(folder: &Path, out: Option<&Path>, lean: bool) -> Result<Published, Error> {
    if !folder.is_dir() {
        return Err(Error::refused(folder, "is not a bundle's folder: name one that `mnist-report build` made"));
    }
    let path = out.map_or_else(|| beside(folder), |out| Ok(out.to_owned()))?;
    check_zip_place(folder, &path)?;
    let bundle = Bundle::open(folder)?;
    let damage = bundle.damage();
    if let Some(first) = damage.first() {
        return Err(Error::Damaged { path: folder.to_owned(), first: first.clone(), others: damage.len() - 1 });
    }
    let manifest = bundle.manifest()?;
    let zip = pack(&bundle.files, lean)?;
    write_file(&path, &zip)?;
    let holds = |folder: &&str| bundle.files.keys().any(|path| path.starts_with(*folder));
    Ok(Published {
        path,
        bytes: zip.len(),
        report_id: report_id(bundle.bytes(SUMS)?),
        manifest,
        leftovers: bundle.leftovers.clone(),
        left_out: OPTIONAL.into_iter().filter(|folder| lean && holds(folder)).collect(),
    })
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

/// Refuses to write into the bundle, or over a file that is not a zip.
fn check_zip_place(folder: &Path, out: &Path) -> Result<(), Error> {
    let parent = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let (Ok(parent), Ok(folder)) = (parent.canonicalize(), folder.canonicalize())
        && parent.starts_with(&folder)
    {
        return Err(Error::refused(out, "is inside the bundle; name a place outside with --out"));
    }
    if out.exists() {
        if !out.is_file() {
            return Err(Error::refused(out, "is a folder; --out names the zip"));
        }
        let mut head = [0; 2];
        let read = File::open(out).and_then(|mut file| file.read_exact(&mut head));
        if read.is_err() || &head != b"PK" {
            return Err(Error::refused(out, "exists but is not a zip file; name another file with --out"));
        }
    }
    Ok(())
}
