//! Tensor shapes before and after every layer: in a sentence and a drawing for each model. The tables of layers have them, too.

use super::prelude::*;
use crate::results::ModelFacts;

pub(super) fn section(b: &Builder) -> Result<ReportSection> {
    let models = b.results.models.iter();
    let mut blocks: Vec<Block> = models.map(|(name, m)| answer(b, b.model_title(name), m)).collect::<Result<_>>()?;
    for (name, model) in &b.results.models {
        let network = figures::network(format!("network-{name}"), b.model_title(name), model, b.lang)?;
        blocks.push(Block::Figure(b.figure(network)?));
    }
    blocks.push(Block::paragraph(
        b.text("shapes.text", context! { section => b.section_link(SectionId::Parameters, "parameters")? })?,
    ));
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
