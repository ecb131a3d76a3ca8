//! Tensor shapes before and after every layer.

use super::prelude::*;
use crate::results::LayerFacts;
use crate::text::numbers::shape;

pub(super) fn section(b: &Builder) -> Result<ReportSection> {
    let mut blocks = vec![Block::paragraph(b.phrase("shapes.text")?)];
    for (name, model) in &b.results.models {
        let title = b.model_title(name);
        let columns = Columns::<&LayerFacts>::new()
            .column("layer", Text, |l| l.name.clone())
            .column("kind", Text, |l| RichText::code(&l.kind))
            .column("before", Shape, |l| shape(&l.input_shape))
            .column("after", Shape, |l| shape(&l.output_shape));
        let caption = b.text("shapes.table", context! { title, batch => model.batch })?;
        let network = figures::network(format!("network-{name}"), title, model, b.lang)?;
        blocks.push(Block::heading(format!("shapes-{name}"), b.text("shapes.of", context! { title })?));
        blocks.push(Block::Figure(b.figure(network)?));
        blocks.push(Block::Table(b.table(caption, &columns, &model.layers)?));
    }
    Ok(b.section("shapes", b.phrase("shapes.heading")?, blocks))
}
