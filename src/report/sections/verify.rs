//! How a reader verifies the report.

use super::prelude::*;
use crate::rung::Rung;

pub(super) fn section(b: &Builder) -> Result<ReportSection> {
    let rung = |rung: Rung| {
        let gpu = b.results.environment.gpu.is_some();
        let values = context! { section => b.section_link(SectionId::Inputs, "inputs")?, gpu };
        Ok(Definition::new(RichText::code(rung.name()), b.text(&format!("verify.{}", rung.name()), values)?))
    };
    let rungs = Rung::ALL.into_iter().map(rung).collect::<Result<_>>()?;
    let is_mnist = b.study.pinned().is_none();
    let folder = b.lang.word("verify.placeholder")?;
    let data = if is_mnist { "" } else { "--data DATA " };
    let mut blocks = vec![
        Block::paragraph(b.phrase("verify.folder")?),
        Block::Command { text: "sha256sum -c SHA256SUMS".to_owned() },
        Block::paragraph(b.phrase("verify.report_id")?),
        Block::Command { text: "sha256sum SHA256SUMS".to_owned() },
        Block::paragraph(b.phrase("verify.program")?),
        Block::Command { text: format!("mnist-report verify {data}{folder}") },
        Block::paragraph(b.phrase("verify.rungs")?),
        Block::Definitions(Definitions { style: "rungs", items: rungs }),
    ];
    if b.results.environment.gpu.is_none() {
        blocks.push(Block::paragraph(b.phrase("verify.witness")?));
    }
    Ok(b.section(SectionId::Verify, b.phrase("verify.heading")?, blocks))
}
