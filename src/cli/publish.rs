//! `mnist-report publish`: packs a bundle into one zip to hand in.

use anyhow::Result;

use super::options::Publish;
use crate::bundle::{Error, Published, publish};
use crate::exit_code::ExitCode;
use crate::text::numbers::count;
use crate::text::terminal;

pub(super) fn run(options: &Publish) -> Result<ExitCode> {
    match publish(&options.dir, options.out.as_deref(), options.lean) {
        Ok(published) => {
            super::note_leftovers(&published.leftovers);
            super::print(&text(&published))?;
            Ok(ExitCode::Success)
        }
        Err(damaged @ Error::Damaged { .. }) => {
            super::say(&format!("error: {}", super::one_line(&damaged.to_string())));
            Ok(ExitCode::Difference)
        }
        Err(e) => Err(e.into()),
    }
}

fn text(published: &Published) -> String {
    let Published { path, bytes, report_id, manifest, left_out, .. } = published;
    let lean = if left_out.is_empty() { String::new() } else { format!("; left out: {}", left_out.join(", ")) };
    format!(
        "{}: {} bytes{lean}\n{} {} Report ID {report_id} ({})\nReport ID {report_id}\n",
        terminal::path(&path.to_string_lossy()),
        count(*bytes as u64),
        super::one_line(&manifest.program.name),
        super::one_line(&manifest.program.version),
        super::one_line(&manifest.title)
    )
}
