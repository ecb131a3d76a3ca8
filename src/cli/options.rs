//! The command line as typed.
//!
//! Owns names, defaults and help of commands and options; what they do is `commands`'.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::engine::DeviceChoice;
use crate::text::Lang;
use crate::verify::Rung;

/// Turns one YAML study of a small neural network into a report that proves itself.
#[derive(Parser)]
#[command(name = "mnist-report", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Train a study's networks, measure, render and hash: study -> report bundle
    Build(Build),
    /// Parameters, shapes and sizes of a study's models: no data, no training
    Summary(Summary),
    /// Show what holds of a bundle, rung by rung
    Verify(Verify),
    /// Make report, figures and sums anew from a bundle's results.json, without training
    Render(Render),
    /// Pack a bundle into one zip to hand in: the same bytes from the same bundle
    Publish(Publish),
    /// Show what differs between two bundles, and what may explain it
    Diff(Diff),
    /// Show which MNIST files are there, and whether they are MNIST
    Data(Data),
    /// Forge a bundle in every way known, and show which rung of verify catches each
    Demo(Demo),
    /// Print the completion script of a shell
    Completions(Completions),
}

#[derive(clap::Args)]
pub struct Build {
    /// The study [default: reports/coursework.yaml where there is a GPU, else reports/quick.yaml]
    pub study: Option<PathBuf>,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
    /// The bundle's folder [default: the study's path without .yaml]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The report's language [default: the study's]
    #[arg(long, value_name = "LANG")]
    pub lang: Option<Lang>,
    /// Train every run, also those that an earlier build left
    #[arg(long)]
    pub fresh: bool,
    /// Print nothing but the Report ID and errors
    #[arg(long)]
    pub quiet: bool,
}

#[derive(clap::Args)]
pub struct Summary {
    /// The study [default: reports/coursework.yaml]
    pub study: Option<PathBuf>,
    /// Only this model
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(clap::Args)]
pub struct Verify {
    /// Bundles: folders, or zips as `publish` makes them; of several, a table and what they have in common
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The last rung to climb [default: replay]
    #[arg(long, value_name = "RUNG")]
    pub upto: Option<Rung>,
    /// auto, cpu, cuda or cuda:N, for the rungs that compute
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
    /// One JSON document: an object, or a list of several bundles' objects
    #[arg(long)]
    pub json: bool,
}

#[derive(clap::Args)]
pub struct Diff {
    /// A bundle's folder or zip
    pub a: PathBuf,
    /// Another one
    pub b: PathBuf,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(clap::Args)]
pub struct Render {
    /// A bundle's folder
    pub dir: PathBuf,
    /// The report's language [default: as it was]
    #[arg(long, value_name = "LANG")]
    pub lang: Option<Lang>,
    /// A folder with templates to use in place of the built-in ones of the same name
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
    /// Render nothing; print what the templates are given, as JSON
    #[arg(long)]
    pub dump_context: bool,
}

#[derive(clap::Args)]
pub struct Publish {
    /// A bundle's folder
    pub dir: PathBuf,
    /// The zip [default: the folder's path with .zip behind it]
    #[arg(long, value_name = "FILE.zip")]
    pub out: Option<PathBuf>,
    /// Leave out weights/ and evidence/: `verify` then says of the rungs that need them that they were not checked
    #[arg(long)]
    pub lean: bool,
}

#[derive(clap::Args)]
pub struct Data {
    /// The folder to look at [default: data/mnist]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(clap::Args)]
pub struct Demo {
    /// An honest bundle; it is copied, never changed [default: reports/quick]
    pub bundle: Option<PathBuf>,
    /// Only forgeries that this rung or a cheaper one catches; `rerun` trains everything again
    #[arg(long, value_name = "RUNG", default_value = "replay")]
    pub upto: Rung,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
}

#[derive(clap::Args)]
pub struct Completions {
    pub shell: clap_complete::Shell,
}
