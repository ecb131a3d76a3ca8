//! Tensor shapes before and after every layer, with the layers' settings.

use super::prelude::*;
use crate::model::LayerKind;
use crate::results::LayerFacts;
use crate::text::numbers::shape;

pub(super) fn section(b: &Builder) -> Result<ReportSection> {
    let mut blocks = vec![Block::paragraph(b.phrase("shapes.text")?)];
    for (name, model) in &b.results.models {
        let title = b.model_title(name);
        let configured = b.study.models.get(name).map_or(&[][..], |spec| &spec.layers);
        let settings = |i: usize| configured.get(i).map_or_else(String::new, LayerKind::settings);
        let columns = Columns::<(usize, &LayerFacts)>::new()
            .column("layer", Text, |(_, l)| l.name.clone())
            .column("kind", Text, |(_, l)| RichText::code(&l.kind))
            .column("settings", Text, |(i, _)| RichText::code(settings(*i)))
            .column("before", Shape, |(_, l)| shape(&l.input_shape))
            .column("after", Shape, |(_, l)| shape(&l.output_shape));
        let caption = b.text("shapes.table", context! { title, batch => model.batch })?;
        let network = figures::network(format!("network-{name}"), title, model, b.lang)?;
        blocks.push(Block::heading(format!("shapes-{name}"), b.text("shapes.of", context! { title })?));
        blocks.push(Block::Figure(b.figure(network)?));
        blocks.push(Block::Table(b.table(caption, &columns, model.layers.iter().enumerate())?));
    }
    Ok(b.section(SectionId::Shapes, b.phrase("shapes.heading")?, blocks))
}
