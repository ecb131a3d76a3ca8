//! The command line as typed: commands and options with their defaults and help.
//!
//! Longer than 400 lines because it lists every command and option.

use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};

use super::starter::Starter;
use crate::compute::DeviceChoice;
use crate::rung::Rung;
use crate::text::{Lang, Languages, LanguagesError};
use crate::verify::{COMMAND, Draw};

/// Turns one YAML study of a small neural network into a report that proves itself.
#[derive(Parser)]
#[command(name = "mnist-report", version, max_term_width = 100)]
pub struct Cli {
    /// The subcommand with its options.
    #[command(subcommand)]
    pub command: Command,
}

/// The end of `verify --help` and of its manual page.
const EXIT_STATUS: &str = "Exit status: 0 if every rung asked for passed, 1 if a difference was found or the study is not that of \
                           --assignment, 2 if something could not be checked.";

#[derive(Subcommand)]
pub enum Command {
    /// Write a commented study to start from
    New(New),
    /// Train a study's networks, measure them and write the report with its bundle
    Build(Build),
    /// Print parameters, shapes and sizes of a study's models, without data or training
    Summary(Summary),
    /// Print a study's models as PyTorch programs, with the formula of each layer's parameters and the shape after each line
    Code(Code),
    /// Verify bundles, cheapest checks first
    #[command(after_help = EXIT_STATUS)]
    Verify(Verify),
    /// Verify one bundle for another process of this program
    #[command(name = COMMAND, hide = true)]
    VerifyForParent(VerifyForParent),
    /// Render a bundle's report again from its results.json, without training
    Render(Render),
    /// Pack a bundle into one zip to hand in; the same bundle gives the same bytes
    Publish(Publish),
    /// Show what differs between two bundles and what may explain it
    Diff(Diff),
    /// Find the MNIST files and check their hashes, or print the keys with which a study takes another data set
    Data(Data),
    /// Forge copies of a bundle in several ways and show which rung of verify finds each forgery
    Demo(Demo),
    /// Evaluate a bundle's networks with libtorch's own operators and say how far the two agree
    Witness(Witness),
    /// Print the JSON Schema of a study, with which editors complete and check one
    Schema,
    /// Print check.py, a Python program that checks bundles without this one: `mnist-report checker --data DIR > check.py`
    Checker(Checker),
    /// Write the studies and examples that come with the program
    Studies(Studies),
    /// Show what this machine has, what is missing, and what to do about it
    Doctor(Doctor),
    /// Print the manual page, or write those of all commands
    Man(ManPages),
    /// Print the completion script for a shell
    Completions(Completions),
}

#[derive(clap::Args)]
pub struct New {
    /// The study to write, such as my-study.yaml; an existing file is left as it is
    #[arg(required_unless_present = "list", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The language of the study and of its report; two, such as uk,en, for a study and a report in both [default: en]
    #[arg(long, value_name = "LANG,...", value_delimiter = ',', value_parser = named(Lang::ALL, Lang::code, Lang::name))]
    pub lang: Vec<Lang>,
    /// What to start from
    #[arg(long, value_name = "STARTER", default_value = "coursework", value_parser = named(Starter::ALL, Starter::name, Starter::help))]
    pub from: Starter,
    /// List what there is to start from, and write nothing
    #[arg(long)]
    pub list: bool,
}

#[derive(clap::Args)]
pub struct Build {
    /// The study [default: reports/coursework.yaml, in the repository]
    pub study: Option<PathBuf>,
    /// Device: auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
    /// The bundle's folder [default: the study's path without .yaml]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The report's languages, the first in report.html [default: the study's]
    #[arg(long, value_name = "LANG,...", value_delimiter = ',', value_parser = named(Lang::ALL, Lang::code, Lang::name))]
    pub lang: Vec<Lang>,
    /// The folder of the data [default: the study's `data`, otherwise MNIST_REPORT_DATA, otherwise data/mnist, otherwise the MNIST inside the program]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Train every run, even if it is in the run cache
    #[arg(long)]
    pub fresh: bool,
    /// The folder of the run cache; several machines may share it [default: MNIST_REPORT_CACHE, or ~/.cache/mnist-report/runs]
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Only train these runs, or one seed of a run, into the run cache, and write no report; repeat it for several
    #[arg(long, value_name = "RUN[.seedN]", conflicts_with_all = ["out", "lang"])]
    pub only: Vec<String>,
    /// How many trainings to do at once on a CPU; the results are the same
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
    /// Print only the Report ID, errors and, without --only, notes on what is never measured
    #[arg(long)]
    pub quiet: bool,
}

#[derive(clap::Args)]
pub struct Summary {
    #[command(flatten)]
    pub models: Models,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
    /// Print only the names of the trainings, one a line, for `build --only`
    #[arg(long, conflicts_with = "json")]
    pub trainings: bool,
}

#[derive(clap::Args)]
pub struct Code {
    #[command(flatten)]
    pub models: Models,
}

/// The models of a study that a command prints.
#[derive(clap::Args)]
pub struct Models {
    /// The study [default: reports/coursework.yaml]
    pub study: Option<PathBuf>,
    /// Print only this model
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
}

#[derive(clap::Args)]
pub struct Verify {
    /// Bundles: folders, or zips of them; several give a table and what they have in common
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The last rung to check [default: replay]
    #[arg(long, value_name = "RUNG", value_parser = named(Rung::ALL, Rung::name, Rung::help))]
    pub upto: Option<Rung>,
    /// A study that each bundle's must be, except for the keys in its `free`
    #[arg(long, value_name = "STUDY.yaml")]
    pub assignment: Option<PathBuf>,
    /// The folder of the data, if the bundles' studies take another data set than MNIST [default: MNIST_REPORT_DATA]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// With `--upto rerun`: train only these runs again, or N that this program draws
    #[arg(long, value_name = "NAME,...|random:N")]
    pub runs: Option<Draw>,
    /// Device of the rungs that compute: auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
    /// The memory that checking one bundle may take, in MiB [default: 1024 up to metrics, then 4096]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub memory: Option<u64>,
    /// The time that checking one bundle may take [default: 60 up to metrics, 900 up to replay, 86400 for rerun]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: Option<u64>,
    /// How many bundles to check at once; each may use every processor and the memory of --memory
    #[arg(long, value_name = "N", default_value = "1")]
    pub jobs: NonZeroU16,
    /// Also write the table of the bundles to a file, for spreadsheets
    #[arg(long, value_name = "FILE.csv")]
    pub csv: Option<PathBuf>,
    /// Also write one page about all bundles: the table, accuracies and sizes, differences, what is alike
    #[arg(long, value_name = "FILE.html")]
    pub html: Option<PathBuf>,
    /// The language of the page of --html [default: en]
    #[arg(long, value_name = "LANG", value_parser = named(Lang::ALL, Lang::code, Lang::name))]
    pub lang: Option<Lang>,
    /// Print one JSON document: an object, or a list of objects for several bundles
    #[arg(long)]
    pub json: bool,
    /// Do not train this run again at `replay`, as if it took long. For tests, which would otherwise train for minutes.
    #[arg(long, hide = true, value_name = "RUN")]
    pub as_if_long: Vec<String>,
}

#[derive(clap::Args)]
pub struct Checker {
    /// Also write the labels of MNIST's test set to this folder, for `python3 check.py --data DIR`
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

#[derive(clap::Args)]
pub struct VerifyForParent {
    /// The bundle
    pub path: PathBuf,
    /// The last rung to check
    #[arg(long, value_parser = named(Rung::ALL, Rung::name, Rung::help))]
    pub upto: Option<Rung>,
    /// Device of the rungs that compute
    #[arg(long)]
    pub device: DeviceChoice,
    /// The runs to train again
    #[arg(long)]
    pub runs: Option<Draw>,
    /// The assignment
    #[arg(long)]
    pub assignment: Option<PathBuf>,
    /// The folder of the data
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// The memory that it may take, in MiB
    #[arg(long)]
    pub memory: u64,
    /// Runs that are not trained again at `replay`
    #[arg(long)]
    pub as_if_long: Vec<String>,
}

#[derive(clap::Args)]
pub struct Diff {
    /// A bundle's folder or zip
    pub a: PathBuf,
    /// Another bundle's folder or zip
    pub b: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(clap::Args)]
pub struct Render {
    /// A bundle's folder
    pub dir: PathBuf,
    /// The report's languages, the first in report.html [default: unchanged]
    #[arg(long, value_name = "LANG,...", value_delimiter = ',', value_parser = named(Lang::ALL, Lang::code, Lang::name))]
    pub lang: Vec<Lang>,
    /// A folder with templates that replace the built-in ones of the same name
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
    /// Print what the templates receive as JSON, and render nothing
    #[arg(long)]
    pub dump_context: bool,
}

#[derive(clap::Args)]
pub struct Publish {
    /// A bundle's folder
    pub dir: PathBuf,
    /// The zip [default: the folder's path with .zip appended]
    #[arg(long, value_name = "FILE.zip")]
    pub out: Option<PathBuf>,
    /// Leave out weights/ and evidence/; `verify` then checks up to `metrics`, or trains everything again with --upto rerun
    #[arg(long)]
    pub lean: bool,
    /// Print only the line for a form
    #[arg(long)]
    pub line: bool,
}

#[derive(clap::Args)]
pub struct Data {
    /// The folder to look at [default: MNIST_REPORT_DATA, otherwise data/mnist, otherwise the MNIST inside the program]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Print the keys of a study's `data` for whatever data set of 28x28 images is there: hashes, numbers of images, classes
    #[arg(long)]
    pub pin: bool,
}

#[derive(clap::Args)]
pub struct Demo {
    /// The bundle to forge copies of; it stays unchanged [default: reports/coursework]
    pub bundle: Option<PathBuf>,
    /// Only forgeries that this rung or a cheaper one finds; `rerun` trains everything again
    #[arg(long, value_name = "RUNG", default_value = "replay", value_parser = named(Rung::ALL, Rung::name, help_of_demo))]
    pub upto: Rung,
    /// The folder of the data, if the bundle's study takes another data set than MNIST [default: MNIST_REPORT_DATA]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Device: auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
}

#[derive(clap::Args)]
pub struct Witness {
    /// The bundle: a folder or a zip
    pub bundle: PathBuf,
    /// The folder of the data, if the bundle's study takes another data set than MNIST [default: MNIST_REPORT_DATA]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(clap::Args)]
pub struct Studies {
    /// The folder to write them to; files that are there already are left as they are
    pub dir: PathBuf,
}

#[derive(clap::Args)]
pub struct Doctor {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(clap::Args)]
pub struct ManPages {
    /// A command, whose page is printed; or a folder, for a page for the program and one for each command
    #[arg(value_name = "COMMAND|DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(clap::Args)]
pub struct Completions {
    /// The shell
    ///
    /// bash: `source` the script in ~/.bashrc, or, with the package bash-completion, save it as
    /// ~/.local/share/bash-completion/completions/mnist-report. zsh: save it as _mnist-report in a folder that ~/.zshrc adds to
    /// fpath before compinit. fish: save it as ~/.config/fish/completions/mnist-report.fish.
    pub shell: clap_complete::Shell,
}

/// The languages that `--lang` lists; `None` without the option.
pub(super) fn languages(listed: &[Lang]) -> anyhow::Result<Option<Languages>> {
    let all = (!listed.is_empty()).then(|| listed.to_vec().try_into());
    all.transpose().map_err(|e: LanguagesError| anyhow::anyhow!("--lang: {e}"))
}

/// Words that people type in the place of a subcommand or of a language.
const SYNONYMS: [(&str, &str); 17] = [
    ("init", "new"),
    ("create", "new"),
    ("start", "new"),
    ("run", "build"),
    ("train", "build"),
    ("make", "build"),
    ("check", "verify"),
    ("test", "verify"),
    ("zip", "publish"),
    ("compare", "diff"),
    ("info", "summary"),
    ("ua", "uk"),
    ("ukr", "uk"),
    ("ukrainian", "uk"),
    ("ukua", "uk"),
    ("eng", "en"),
    ("english", "en"),
];

/// Adds what was probably meant to an error of clap, which knows only words that are spelled alike.
pub(super) fn with_suggestion(mut error: clap::Error) -> clap::Error {
    let (found, suggested) = match error.kind() {
        ErrorKind::InvalidSubcommand => (ContextKind::InvalidSubcommand, ContextKind::SuggestedSubcommand),
        ErrorKind::InvalidValue => (ContextKind::InvalidValue, ContextKind::SuggestedValue),
        _ => return error,
    };
    if let Some(ContextValue::Strings(similar)) = error.get(suggested) {
        let shown = similar.iter().filter(|name| *name != COMMAND).cloned().collect();
        error.insert(suggested, ContextValue::Strings(shown));
    }
    let Some(ContextValue::String(typed)) = error.get(found) else { return error };
    let plain: String = typed.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    let known: Vec<String> = if let Some(ContextValue::Strings(values)) = error.get(ContextKind::ValidValue) {
        values.clone()
    } else {
        let all = Cli::command();
        let shown = all.get_subcommands().filter(|command| !command.is_hide_set());
        shown.map(|command| command.get_name().to_owned()).collect()
    };
    let same =
        |name: &&String| **name == plain || plain.strip_prefix(name.as_str()).is_some_and(|rest| rest.len() == 2);
    let synonym = SYNONYMS.iter().find(|(word, _)| *word == plain).map(|(_, meant)| (*meant).to_owned());
    let meant = synonym.filter(|meant| known.contains(meant)).or_else(|| known.iter().find(same).cloned());
    if let Some(meant) = meant {
        let value = match suggested {
            ContextKind::SuggestedSubcommand => ContextValue::Strings(vec![meant]),
            _ => ContextValue::String(meant),
        };
        error.insert(suggested, value);
    }
    error
}

/// What a rung shows, for `demo`, which has no --runs.
fn help_of_demo(rung: Rung) -> &'static str {
    if rung == Rung::Rerun { "Every run, trained again" } else { rung.help() }
}

/// Parses one of these values by its name.
fn named<T: Copy + Send + Sync + 'static, const N: usize>(
    values: [T; N],
    name: fn(T) -> &'static str,
    help: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let possible = values.map(|value| PossibleValue::new(name(value)).help(help(value)));
    PossibleValuesParser::new(possible).map(move |text| {
        let found = values.into_iter().find(|value| name(*value) == text);
        found.expect("clap allows only these values")
    })
}
