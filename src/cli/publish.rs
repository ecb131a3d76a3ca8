//! `mnist-report publish`: a bundle as one zip to hand in.
//!
//! Owns where the zip goes and what is said of it; what is in it is `bundle`'s. A damaged bundle is not published.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::options::Publish;
use crate::bundle::{self, Manifest};
use crate::text::numbers::count;
use crate::text::terminal;
use crate::verify::{Opened, files_problems};

pub fn run(options: &Publish) -> Result<u8> {
    let dir = &options.dir;
    ensure!(dir.is_dir(), "{} is not a bundle's folder: name one that `mnist-report build` made", dir.display());
    let out = options.out.clone().map_or_else(|| beside(dir), Ok)?;
    check_place(dir, &out)?;
    let opened = Opened::read(dir)?;
    let problems = files_problems(&opened);
    if let Some(first) = problems.first() {
        let more = if problems.len() > 1 { format!(" and {} more", problems.len() - 1) } else { String::new() };
        super::say(&super::one_line(&format!(
            "error: {} is damaged and cannot be published: {first}{more}; build it anew, or see `mnist-report verify`",
            dir.display()
        )));
        return Ok(1);
    }
    let manifest = read_manifest(&opened).with_context(|| dir.join(bundle::MANIFEST).display().to_string())?;
    let zip = bundle::pack(&opened.files, options.lean)?;
    bundle::write_file(&out, &zip)?;
    super::print(&text(&out, &zip, &opened, options.lean, &manifest))?;
    Ok(0)
}

/// The zip's place: the bundle's, with `.zip` behind its name.
fn beside(dir: &Path) -> Result<PathBuf> {
    let named = match dir.file_name() {
        Some(_) => dir.to_owned(),
        // `.` and `..` have no name of their own.
        None => dir.canonicalize().with_context(|| format!("cannot resolve {}", dir.display()))?,
    };
    let name = named.file_name().with_context(|| format!("name the zip with --out: {} has no name", dir.display()))?;
    let mut name = name.to_owned();
    name.push(".zip");
    Ok(named.with_file_name(name))
}

/// Refuses to write into the bundle, and over what is no zip.
fn check_place(dir: &Path, out: &Path) -> Result<()> {
    let folder = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let (Ok(folder), Ok(dir)) = (folder.canonicalize(), dir.canonicalize()) {
        ensure!(!folder.starts_with(&dir), "{} lies inside the bundle; name a place outside with --out", out.display());
    }
    if out.exists() {
        ensure!(out.is_file(), "{} is a folder; --out names the zip", out.display());
        let mut head = [0; 2];
        let read = std::fs::File::open(out).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head));
        ensure!(read.is_ok() && &head == b"PK", "{} is there and no zip; name another file with --out", out.display());
    }
    Ok(())
}

fn read_manifest(opened: &Opened) -> Result<Manifest> {
    let bytes = opened.files.get(bundle::MANIFEST).context("is missing")?;
    Manifest::from_json(std::str::from_utf8(bytes).context("is not text")?)
}

fn text(out: &Path, zip: &[u8], opened: &Opened, lean: bool, manifest: &Manifest) -> String {
    let id = bundle::report_id(&opened.files[bundle::SUMS]);
    let holds = |folder: &str| opened.files.keys().any(|path| path.starts_with(folder));
    let left_out: Vec<_> = bundle::LEAVABLE.into_iter().filter(|folder| lean && holds(folder)).collect();
    let lean = if left_out.is_empty() { String::new() } else { format!("; left out: {}", left_out.join(", ")) };
    let program = &manifest.program;
    format!(
        "{}: {} bytes{lean}\n{} {} Report ID {id} ({})\nReport ID {id}\n",
        terminal::path(&out.to_string_lossy()),
        count(zip.len() as u64),
        super::one_line(&program.name),
        super::one_line(&program.version),
        super::one_line(&manifest.title)
    )
}
