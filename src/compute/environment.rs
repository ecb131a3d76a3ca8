//! The environment of a training: everything on which the bits of its results depend.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::arithmetic;
use crate::study::Compute;

/// The environment of a training. Results from equal environments can be compared bit for bit. It holds no time, path,
/// host name or CPU, because the program's own arithmetic gives the same bits everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The version of the program's own arithmetic ([`arithmetic::VERSION`]).
    pub arithmetic: u32,
    /// For a training with libtorch, on a GPU: what its bits depend on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Gpu>,
}

/// What the bits of a training with libtorch depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Gpu {
    /// The GPU's name, as CUDA gives it.
    pub name: String,
    pub libtorch: String,
    pub cuda: String,
    pub cudnn: String,
    /// `float32` or `tf32`.
    pub precision: String,
}

impl Environment {
    /// The environment of the program's own arithmetic.
    pub fn own() -> Self {
        Self { arithmetic: arithmetic::VERSION, gpu: None }
    }

    /// How this environment contradicts a study's `compute` section; `None` if the study allows it.
    pub fn contradiction(&self, compute: &Compute) -> Option<String> {
        let gpu = self.gpu.as_ref()?;
        let needed = if compute.tf32 { "tf32" } else { "float32" };
        (gpu.precision != needed).then(|| format!("the precision is {}, but the study needs {needed}", gpu.precision))
    }

    /// Whether the arithmetic has the version of this program.
    pub fn is_this_arithmetic(&self) -> bool {
        self.arithmetic == arithmetic::VERSION
    }

    /// The class in one word: `own` for the program's arithmetic, `cuda` for libtorch's on a GPU.
    pub fn class(&self) -> &'static str {
        if self.gpu.is_some() { "cuda" } else { "own" }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.gpu {
            None => write!(f, "arithmetic {}, any CPU or GPU", self.arithmetic),
            Some(Gpu { name, libtorch, cuda, cudnn, precision }) => {
                write!(f, "libtorch {libtorch}, {precision}, {name}, CUDA {cuda}, cuDNN {cudnn}")
            }
        }
    }
}
