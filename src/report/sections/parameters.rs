//! Every layer with its settings, its parameters and the shape of its output, and the sizes of the models.

use minijinja::Value;

use super::prelude::*;
use crate::model::{LayerKind, Megabytes, ModelSpec};
use crate::report::document::TableRow;
use crate::results::{LayerFacts, ModelFacts};
use crate::text::numbers::shape;

pub(super) fn section(b: &Builder) -> Result<ReportSection> {
    let models: Vec<(&str, &ModelFacts)> = b.results.models.iter().map(|(n, m)| (b.model_title(n), m)).collect();
    let figure = figures::parameters("parameters", &models, b.lang)?.map(|drawing| b.figure(drawing)).transpose()?;
    let mut blocks = vec![Block::paragraph(answers(b, &models)?)];
    let text =
        b.text("parameters.text", context! { figure => figure.as_ref().map(|f| b.figure_link(f)).transpose()? })?;
    let kinds = kinds(b)?;
    // In PyTorch, a layer with running statistics also counts its batches.
    let counted = b.results.models.values().flat_map(|m| &m.layers).any(|l| l.buffers > 0);
    let text = if counted { text.then(b.phrase("parameters.batch_counter")?) } else { text };
    blocks.extend([Block::paragraph(text), Block::paragraph(kinds)]);
    blocks.extend(figure.map(Block::Figure));
    for ((name, model), (title, _)) in b.results.models.iter().zip(&models) {
        let code = if title == name { RichText::default() } else { RichText::code(name) };
        blocks.push(Block::heading(format!("parameters-{name}"), RichText::from(*title).then(code)));
        blocks.push(Block::Table(layers(b, name, title, model)?));
    }
    if !models.is_empty() {
        let table = sizes(b, &models)?;
        blocks.push(Block::heading("sizes", b.phrase("parameters.sizes")?));
        blocks.push(Block::paragraph(b.text("parameters.sizes_text", context! { table => b.table_link(&table)? })?));
        blocks.push(Block::Table(table));
    }
    Ok(b.section(SectionId::Parameters, b.phrase("parameters.heading")?, blocks))
}

/// What the kinds of layers are, in the order in which the models use them.
fn kinds(b: &Builder) -> Result<RichText> {
    let mut words: Vec<&str> = Vec::new();
    for layer in b.results.models.values().flat_map(|model| &model.layers) {
        if !words.contains(&layer.kind.as_str()) && LayerKind::WORDS.contains(&layer.kind.as_str()) {
            words.push(&layer.kind);
        }
    }
    let named = |word: &&str| Ok(context! { word => *word, name => b.lang.word(&format!("layers.{word}"))? });
    let kinds = words.iter().map(named).collect::<Result<Vec<_>>>()?;
    b.text("parameters.kinds", context! { kinds })
}

/// With more models, a sentence on each would only repeat the tables.
const MOST_ANSWERS: usize = 4;

/// How many parameters the models have, in one sentence.
fn answers(b: &Builder, models: &[(&str, &ModelFacts)]) -> Result<RichText> {
    let least = models.iter().min_by_key(|(_, m)| m.parameters);
    let most = models.iter().max_by_key(|(_, m)| m.parameters);
    match (least, most) {
        (Some(&(smallest, least)), Some(&(largest, most))) if models.len() > MOST_ANSWERS => {
            let (n, least, most) = (models.len(), least.parameters, most.parameters);
            b.text("parameters.range", context! { n, smallest, least, largest, most })
        }
        _ => {
            let models: Vec<Value> = models.iter().map(|(title, m)| answer(b, title, m)).collect();
            b.text("parameters.answer", context! { models })
        }
    }
}

/// How many parameters a model has, and which layer has most of them. The figure and the table have those of each layer.
fn answer(b: &Builder, title: &str, model: &ModelFacts) -> Value {
    let most = model.layers.iter().filter(|l| l.parameters > 0).max_by_key(|l| l.parameters);
    let share = most.map(|l| b.lang.numbers.percent(l.parameters as f64 / model.parameters as f64, 1));
    let layer = most.map(|l| l.name.as_str());
    context! { title, n => model.parameters, share, layer }
}

fn layers(b: &Builder, name: &str, title: &str, model: &ModelFacts) -> Result<TableBlock> {
    let form = b.lang.numbers;
    let configured: Vec<&LayerKind> =
        b.study.models.get(name).into_iter().flat_map(ModelSpec::in_order).map(|(_, kind)| kind).collect();
    let settings = |i: usize| configured.get(i).map_or_else(String::new, |kind| kind.settings());
    let has_buffers = model.buffers > 0;
    // Layers without parameters leave their cells empty: rows of zeros would hide the others.
    let count = |n: u64| if n == 0 { String::new() } else { form.count(n) };
    // First what is asked of each layer, so that a narrow screen shows it.
    let columns = Columns::<(usize, &LayerFacts)>::new()
        .column("layer", Text, |(_, l)| l.name.clone())
        .column("after", Shape, |(_, l)| shape(&l.output_shape))
        .column("parameters", Number, |(_, l)| count(l.parameters))
        .column("formula", Formula, |(_, l)| l.formula.clone())
        .column("kind", Text, |(_, l)| RichText::code(&l.kind))
        .column("settings", Text, |(i, _)| RichText::code(settings(*i)))
        .column("buffers", Number, |(_, l)| count(l.buffers))
        .when(has_buffers);
    let input = model.layers.first().map(|l| shape(&l.input_shape)).unwrap_or_default();
    let caption = b.text("parameters.table", context! { title, batch => model.batch })?;
    let mut table = b.table(caption, &columns, model.layers.iter().enumerate())?;
    if let Some(first) = table.groups.first_mut() {
        // The shape before the first layer; that before each other layer is in the row above.
        let mut cells = vec![RichText::default(); table.columns.len()];
        cells[..2].clone_from_slice(&[b.heading("input_size")?, input.into()]);
        first.rows.insert(0, TableRow { cells, note: RichText::default() });
    }
    let mut footer = vec![b.heading("total")?, RichText::default(), form.count(model.parameters).into()];
    footer.extend([RichText::default(), RichText::default(), RichText::default()]);
    footer.extend(has_buffers.then(|| form.count(model.buffers).into()));
    Ok(TableBlock { footer, ..table })
}

/// Each model's sizes by two conventions, a row for each.
fn sizes(b: &Builder, models: &[(&str, &ModelFacts)]) -> Result<TableBlock> {
    let form = b.lang.numbers;
    let columns = Columns::<(&str, Megabytes, &ModelFacts)>::new()
        .column("convention", Text, |(convention, ..)| (*convention).to_owned())
        .column("input_size", Number, |(_, size, _)| form.fixed(size.input, if size.input < 0.1 { 4 } else { 2 }))
        .column("forward_backward", Number, |(_, size, _)| {
            form.fixed(size.forward_backward, if size.forward_backward < 0.01 { 4 } else { 2 })
        })
        .column("parameters", Number, |(_, size, _)| form.fixed(size.params, 2))
        .column("estimated_total", Number, |(_, size, _)| form.fixed(size.total, 2))
        .column("mult_adds", Number, |(.., model)| form.count(model.mult_adds));
    let groups = models.iter().map(|(title, model)| {
        let sizes = [("torchsummary", model.sizes.torchsummary), ("torchinfo", model.sizes.torchinfo)];
        ((*title).into(), sizes.map(|(convention, size)| (convention, size, *model)).to_vec())
    });
    let table = b.grouped_table(b.phrase("parameters.sizes_table")?, b.heading("model")?, &columns, groups)?;
    Ok(table.styled("grouped"))
}
