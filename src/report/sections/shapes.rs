//! Tensor shapes before and after every layer: a drawing for each model. The tables of layers have them, too.

use super::prelude::*;

pub(super) fn section(b: &Builder) -> Result<ReportSection> {
    let text = b.text("shapes.text", context! { section => b.section_link(SectionId::Parameters, "parameters")? })?;
    let mut blocks = vec![Block::paragraph(text)];
    for (i, (name, model)) in b.results.models.iter().enumerate() {
        let models = (model, &b.results.models);
        let network = figures::network(&format!("network-{name}"), b.model_title(name), models, i == 0, b.lang)?;
        blocks.push(Block::Figure(b.figure(network)?));
    }
    Ok(b.section(SectionId::Shapes, b.phrase("shapes.heading")?, blocks))
}
