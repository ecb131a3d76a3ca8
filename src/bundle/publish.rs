//! Publishes a bundle as one zip.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Bundle, Error, Manifest, OPTIONAL, SUMS, pack, report_id, write_file};

/// A zip that was written.
pub struct Published {
    /// Where it was written.
    pub path: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// The bundle's Report ID.
    pub report_id: String,
    /// The bundle's manifest.
    pub manifest: Manifest,
    /// The folders that a lean zip was published without.
    pub left_out: Vec<&'static str>,
}

/// Writes the zip of a bundle's folder to `out`, by default beside the folder; `lean` leaves out the optional folders.
///
/// # Errors
/// A damaged bundle, or a place that is inside the bundle or holds something that is not a zip.
pub fn publish(folder: &Path, out: Option<&Path>, lean: bool) -> Result<Published, Error> {
    if !folder.is_dir() {
        return Err(Error::NotAFolder(folder.to_owned()));
    }
    let path = out.map_or_else(|| beside(folder), |out| Ok(out.to_owned()))?;
    check_place(folder, &path)?;
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
        left_out: OPTIONAL.into_iter().filter(|folder| lean && holds(folder)).collect(),
    })
}

/// The folder's path with `.zip` appended.
fn beside(folder: &Path) -> Result<PathBuf, Error> {
    // `.` and `..` have no name.
    let named = match folder.file_name() {
        Some(_) => folder.to_owned(),
        None => folder.canonicalize().map_err(|source| Error::Resolve { path: folder.to_owned(), source })?,
    };
    let mut name = named.file_name().ok_or_else(|| Error::Unnamed(folder.to_owned()))?.to_owned();
    name.push(".zip");
    Ok(named.with_file_name(name))
}

/// Refuses to write into the bundle, or over a file that is not a zip.
fn check_place(folder: &Path, out: &Path) -> Result<(), Error> {
    let parent = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let (Ok(parent), Ok(folder)) = (parent.canonicalize(), folder.canonicalize())
        && parent.starts_with(&folder)
    {
        return Err(Error::ZipInside(out.to_owned()));
    }
    if out.exists() {
        if !out.is_file() {
            return Err(Error::ZipIsFolder(out.to_owned()));
        }
        let mut head = [0; 2];
        let read = File::open(out).and_then(|mut file| file.read_exact(&mut head));
        if read.is_err() || &head != b"PK" {
            return Err(Error::ZipOccupied(out.to_owned()));
        }
    }
    Ok(())
}
