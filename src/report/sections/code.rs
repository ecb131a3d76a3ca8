//! The models as PyTorch programs.

use super::prelude::*;
use crate::report::model_code;

pub(super) fn section(b: &Builder) -> Result<ReportSection> {
    let own = b.results.environment.gpu.is_none();
    let mut blocks = vec![Block::paragraph(b.text("code.text", context! { own })?)];
    for (name, (file, text)) in model_code(b.study, b.results) {
        let heading = RichText::from(b.model_title(&name)).then(RichText::code(file));
        blocks.push(Block::heading(format!("code-{name}"), heading));
        blocks.push(Block::Code { text });
    }
    Ok(b.section(SectionId::Code, b.phrase("code.heading")?, blocks))
}
