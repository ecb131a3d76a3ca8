//! Tensor shapes before and after every layer: a drawing for each model. The tables of layers have them, too.

use minijinja::Value;

use super::prelude::*;
use crate::model::{LayerKind, ModelSpec};
use crate::results::ModelFacts;
use crate::text::numbers::dimensions;

/// With more shapes, a sentence would only repeat the tables.
const MOST_SHAPES: usize = 4;

pub(super) fn section(b: &Builder) -> Result<ReportSection> {
    let text = answer(b)?
        .then(b.text("shapes.text", context! { section => b.section_link(SectionId::Parameters, "parameters")? })?);
    let mut blocks = vec![Block::paragraph(text)];
    for (i, (name, model)) in b.results.models.iter().enumerate() {
        let kinds = b.study.models.get(name).into_iter().flat_map(ModelSpec::in_order);
        let groups_of = |kind: &LayerKind| if let LayerKind::Conv2d(c) = kind { c.groups } else { 1 };
        let groups: Vec<usize> = kinds.map(|(_, kind)| groups_of(kind)).collect();
        let models = (model, &groups[..], &b.results.models);
        let number = b.figures_so_far() + 1;
        let explained = (i == 0).then(|| (number, number + b.results.models.len() - 1));
        let network = figures::network(&format!("network-{name}"), b.model_title(name), models, explained, b.lang)?;
        blocks.push(Block::Figure(b.figure(network)?));
    }
    Ok(b.section(SectionId::Shapes, b.phrase("shapes.heading")?, blocks))
}

/// From which shape to how many values, and the shape that a network makes flat, in one sentence.
fn answer(b: &Builder) -> Result<RichText> {
    let mut flat: Vec<(String, Vec<String>)> = Vec::new();
    for (name, model) in &b.results.models {
        let Some(shape) = before_flat(model) else { continue };
        match flat.iter_mut().find(|(other, _)| *other == shape) {
            Some((_, titles)) => titles.push(b.model_title(name).to_owned()),
            None => flat.push((shape, vec![b.model_title(name).to_owned()])),
        }
    }
    let flat: Vec<Value> = match flat.len() {
        ..=MOST_SHAPES => flat.into_iter().map(|(shape, titles)| context! { shape, titles }).collect(),
        _ => Vec::new(),
    };
    let (models, classes) = (b.results.models.len(), b.results.data.test_classes.len());
    b.text("shapes.answer", context! { input => dimensions(&b.study.input.shape), models, classes, flat })
}

/// The shape of an image before the layer that makes it a flat vector.
fn before_flat(model: &ModelFacts) -> Option<String> {
    let layer = model.layers.iter().find(|layer| layer.input_shape.len() > 2 && layer.output_shape.len() == 2)?;
    Some(dimensions(layer.input_shape.get(1..)?))
}
