//! From the layers as a study writes them to a network with names and shapes.

use std::collections::{HashMap, HashSet};

use super::{Layer, LayerError, LayerKind, Model, ModelError, ModelSpec, code};

/// The place of a layer in a study's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The index in the model's list: of the layer itself, or of the `residual` that it belongs to.
    pub layer: usize,
    /// Its index among the layers of the `residual`.
    pub inner: Option<usize>,
}

impl Position {
    /// The layer's key in the study, below that of the model: `layers[2].residual.layers[0]`.
    pub fn key(self) -> String {
        let inner = self.inner.map_or_else(String::new, |inner| format!(".residual.layers[{inner}]"));
        format!("layers[{}]{inner}", self.layer)
    }
}

impl ModelSpec {
    /// The layers in the order in which they are computed: those of a `residual`, then the `residual` itself.
    pub fn in_order(&self) -> impl Iterator<Item = (Position, &LayerKind)> {
        self.layers.iter().enumerate().flat_map(|(layer, kind)| {
            let inner = if let LayerKind::Residual(c) = kind { &c.layers[..] } else { &[] };
            let inner = inner.iter().enumerate().map(move |(i, kind)| (Position { layer, inner: Some(i) }, kind));
            inner.chain([(Position { layer, inner: None }, kind)])
        })
    }
}

impl Model {
    /// Resolves names and shapes, layer by layer. `classes` is the number of values that the network has to give for an image.
    ///
    /// # Errors
    /// A layer cannot take its input, a name is repeated, or the output is not one value per class.
    pub fn resolve(name: &str, spec: &ModelSpec, input: [usize; 3], classes: usize) -> Result<Self, ModelError> {
        let kinds: Vec<_> = spec.in_order().collect();
        let names = layer_names(&kinds)?;
        let mut layers: Vec<Layer> = Vec::with_capacity(kinds.len());
        for ((at, kind), layer_name) in kinds.iter().zip(names) {
            let failed = |error: LayerError| ModelError::Layer { at: *at, error };
            let shape = layers.last().map_or(input.to_vec(), |l| l.output.clone());
            if let LayerKind::Residual(c) = kind {
                check_residual(at.inner.is_some(), &layers, c.layers.len()).map_err(failed)?;
            }
            layers.push(Layer::resolve(layer_name, (*kind).clone(), shape).map_err(failed)?);
        }
        let ((at, _), last) = kinds.last().zip(layers.last()).ok_or(ModelError::Empty)?;
        if last.output != [classes] {
            return Err(ModelError::Output { at: *at, output: last.output.clone(), classes });
        }
        let title = spec.title.clone().unwrap_or_else(|| name.to_owned());
        Ok(Self { name: name.to_owned(), title, input, layers })
    }
}

/// Checks a `residual` whose `inner` layers are the last ones of `before`.
fn check_residual(is_inner: bool, before: &[Layer], inner: usize) -> Result<(), LayerError> {
    if is_inner {
        return Err(LayerError::Nested);
    }
    let [first, ..] = &before[before.len() - inner..] else { return Err(LayerError::NoLayers) };
    let output = &before[before.len() - 1].output;
    if first.input != *output {
        return Err(LayerError::Residual { input: first.input.clone(), output: output.clone() });
    }
    Ok(())
}

/// Each layer's name: the one in the study, otherwise the kind's prefix with the first free number.
fn layer_names(kinds: &[(Position, &LayerKind)]) -> Result<Vec<String>, ModelError> {
    let given: HashSet<&str> = kinds.iter().filter_map(|(_, kind)| kind.config().name()).collect();
    let mut counts = HashMap::<&str, usize>::new();
    let (mut seen, mut names) = (HashSet::new(), Vec::with_capacity(kinds.len()));
    for &(at, kind) in kinds {
        let prefix = kind.config().prefix();
        let mut numbered = || loop {
            let count = counts.entry(prefix).or_default();
            *count += 1;
            let name = format!("{prefix}{count}");
            if !given.contains(name.as_str()) {
                return name;
            }
        };
        let name = kind.config().name().map_or_else(&mut numbered, str::to_owned);
        if !is_identifier(&name) {
            return Err(ModelError::Name { at, name });
        }
        if code::is_reserved(&name) {
            return Err(ModelError::ReservedName { at, name });
        }
        if !seen.insert(name.clone()) {
            return Err(ModelError::RepeatedName { at, name });
        }
        names.push(name);
    }
    Ok(names)
}

fn is_identifier(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().next().is_some_and(|c| !c.is_ascii_digit())
        && name.len() <= 64
}
