//! Tensor shapes before and after every layer, with the layers' settings.

use super::prelude::*;
use crate::model::LayerKind;
use crate::results::{LayerFacts, ModelFacts};
use crate::text::numbers::shape;

pub(super) fn section(b: &Builder) -> Result<ReportSection> {
    let models = b.results.models.iter();
    let mut blocks: Vec<Block> = models.map(|(name, m)| answer(b, b.model_title(name), m)).collect::<Result<_>>()?;
    blocks.push(Block::paragraph(b.phrase("shapes.text")?));
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

/// The shapes of an image on its way through a model, without the layers that keep them.
fn answer(b: &Builder, title: &str, model: &ModelFacts) -> Result<Block> {
    let of_one = |shape: &[usize]| shape.iter().skip(1).map(ToString::to_string).collect::<Vec<_>>().join(" × ");
    let changing = model.layers.iter().filter(|l| l.input_shape != l.output_shape);
    let steps: Vec<String> = changing.map(|l| format!("{} → {}", l.name, of_one(&l.output_shape))).collect();
    let input = model.layers.first().map(|l| of_one(&l.input_shape)).unwrap_or_default();
    Ok(Block::paragraph(b.text("shapes.answer", context! { title, input, steps => steps.join(", ") })?))
}
