//! Tests of the steps, blocks and words of networks.

use super::*;
use crate::model::{Model, ModelSpec};

fn facts(layers: &str) -> ModelFacts {
    let spec: ModelSpec = serde_yaml::from_str(&format!("layers: [{layers}]")).unwrap();
    ModelFacts::of(&Model::resolve("m", &spec, [1, 28, 28], 10).unwrap(), 64)
}

#[test]
fn layers_that_keep_the_shape_go_with_the_next_block() {
    let model = facts(
        "{conv2d: {out_channels: 8, kernel_size: 3}}, batch_norm2d, relu, {max_pool2d: {kernel_size: 2}}, flatten, \
         {linear: {out_features: 10}}",
    );
    let of_step = |s: &Step| s.layers.iter().map(|l| l.name.as_str()).collect::<Vec<_>>().join(" ");
    let names: Vec<String> = steps(&model, &[]).iter().map(of_step).collect();
    assert_eq!(names, ["conv1", "bn1 relu1 pool1", "flatten1", "fc1"]);
}

#[test]
fn input_and_output_of_a_residual_are_blocks() {
    let model = facts(
        "{conv2d: {out_channels: 8, kernel_size: 3}}, relu, {residual: {layers: [batch_norm2d, {conv2d: {out_channels: 8, \
         kernel_size: 3, padding: 1}}, relu]}}, {residual: {layers: [gelu]}}, global_avg_pool, {linear: {out_features: 10}}",
    );
    let found: Vec<(String, Option<(&str, usize)>)> = steps(&model, &[])
        .iter()
        .map(|s| {
            let names = s.layers.iter().map(|l| l.name.as_str()).collect::<Vec<_>>().join(" ");
            (names, s.shortcut.as_ref().map(|shortcut| (shortcut.layer, shortcut.from)))
        })
        .collect();
    let expected = [
        ("conv1", None),
        ("relu1", None),
        ("bn1 conv2", None),
        ("relu2 residual1", Some(("bn1", 2))),
        ("gelu1 residual2", Some(("gelu1", 4))),
        ("global_pool1", None),
        ("fc1", None),
    ];
    assert_eq!(found, expected.map(|(names, shortcut)| (names.to_owned(), shortcut)));
    // A hostile results.json may state any number.
    let mut hostile = model;
    hostile.layers[0].inner_layers = Some(usize::MAX);
    assert_eq!(steps(&hostile, &[]).len(), 7);
}

#[test]
fn groups_and_dilation_are_at_the_arrow() {
    let language = crate::report::Templates::built_in().language(crate::text::Lang::En).unwrap();
    let model = facts(
        "{conv2d: {out_channels: 8, kernel_size: 3}}, {conv2d: {out_channels: 8, kernel_size: 3, dilation: 2, \
         groups: 8}}, flatten, {linear: {out_features: 10}}",
    );
    let models = IndexMap::from([("m".to_owned(), model)]);
    let drawing = network("name", "title", (&models["m"], &[1, 8, 1, 1], &models), None, &language).unwrap();
    for svg in [drawing.svg, drawing.narrow.unwrap().svg] {
        assert_eq!((svg.matches("groups 8").count(), svg.matches("groups").count()), (1, 1), "{svg}");
        assert_eq!(svg.matches("dilation 2").count(), 1, "{svg}");
    }
}

/// On both sheets, the words at an arrow are between its blocks, and nothing is beyond an edge.
#[test]
fn words_do_not_touch_blocks_or_edges() {
    let language = crate::report::Templates::built_in().language(crate::text::Lang::Uk).unwrap();
    let layers = "{conv2d: {name: first_convolution, out_channels: 512, kernel_size: 11, stride: 2, padding: 5}}, \
                  {conv2d: {out_channels: 1000, kernel_size: 3, padding: 1}}, global_avg_pool";
    let more = ", {linear: {out_features: 1000}}, relu".repeat(9);
    let model = facts(&format!("{layers}{more}, {{linear: {{out_features: 10}}}}"));
    let models = IndexMap::from([("m".to_owned(), model)]);
    let drawing = network("name", "title", (&models["m"], &[], &models), Some((3, 3)), &language).unwrap();
    for (svg, width) in [(drawing.svg, FULL as i32), (drawing.narrow.unwrap().svg, NARROW as i32)] {
        let number = |tag: &str, key: &str| -> i32 {
            tag.split_once(&format!(" {key}=\"")).unwrap().1.split('"').next().unwrap().parse().unwrap()
        };
        let mut areas = Vec::new();
        for tag in svg.split('<') {
            if tag.starts_with("text ") {
                let words = tag.split_once('>').unwrap().1.trim();
                let (x, half) = (number(tag, "x"), width_of(words, LABEL) / 2);
                let x = if tag.contains("text-anchor=\"end\"") { x - half } else { x };
                assert!(x - half >= 0 && x + half <= width, "{words} at {x} of {width}");
                areas.push((x - half, number(tag, "y") - 5, x + half, number(tag, "y") + 5));
            } else if tag.starts_with("rect ") && number(tag, "width") < 40 {
                let (x, y) = (number(tag, "x"), number(tag, "y"));
                areas.push((x + 1, y + 1, x + number(tag, "width") - 1, y + number(tag, "height") - 1));
            }
        }
        assert!(areas.len() > 40, "{}", areas.len());
        for (i, one) in areas.iter().enumerate() {
            for other in &areas[..i] {
                // A block is two rectangles in one place, filled and outlined.
                let is_same = one == other;
                assert!(
                    is_same || !crate::report::figures::labels::overlap(*one, *other),
                    "{one:?} {other:?} of {width}"
                );
            }
        }
    }
}

#[test]
fn blocks_follow_their_tensors() {
    let sizes = Sizes { side: 28, channels: 64, features: 1000 };
    let (narrow, tall) = sizes.of_block(&[1, 28, 28]);
    let (wide, low) = sizes.of_block(&[64, 7, 7]);
    assert!(narrow < wide && low < tall);
    assert_eq!((wide, tall), (WIDEST, TALLEST));
    assert!(sizes.of_block(&[10]).1 < sizes.of_block(&[1000]).1);
}
