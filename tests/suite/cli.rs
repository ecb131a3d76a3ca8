//! The command line: help, completions, usage errors, closed pipes.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::*;

/// The subcommands that `--help` lists.
fn subcommands() -> Vec<String> {
    let help = run(&mut program(["--help"])).exits(0).out;
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    list.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn every_command_explains_itself() {
    let commands = subcommands();
    for name in ["build", "summary", "verify", "render", "data", "completions"] {
        assert!(commands.iter().any(|command| command == name), "{name} is not in {commands:?}");
    }
    for name in commands.iter().filter(|name| *name != "help") {
        let done = run(&mut program([name, "--help"])).exits(0);
        assert!(done.out.contains(&format!("Usage: mnist-report {name}")) && done.err.is_empty(), "{}", done.out);
        assert_eq!(run(&mut program(["help", name])).exits(0).out, done.out);
        golden(&format!("help/{name}.txt"), &done.out);
    }
    golden("help/mnist-report.txt", &run(&mut program(["--help"])).exits(0).out);
    assert!(run(&mut program(["--version"])).exits(0).out.starts_with("mnist-report "));
}

#[test]
fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = run(&mut program(["completions", shell])).exits(0);
        assert!(!done.out.contains("verify-for-parent"), "{shell}: a hidden command");
        for name in subcommands() {
            assert!(done.out.contains(&name), "{shell}: {name}");
        }
        assert!(done.out.contains("--fresh") || done.out.contains("-l fresh"), "{shell}");
        assert!(done.out.contains("--version") || done.out.contains("-l version"), "{shell}");
    }
    run(&mut program(["completions", "tcsh"])).exits(2);
    let script = run(&mut program(["completions", "bash"])).out;
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success(), "bash can read its script");
    let completed = "COMP_WORDS=(mnist-report verify --u); COMP_CWORD=2\n_mnist__report mnist-report --u verify\n\
                     echo \"${COMPREPLY[@]}\"";
    let done = run(Command::new("bash").arg("-c").arg(format!("{script}\n{completed}")));
    assert_eq!(done.out.trim(), "--upto", "{}", done.err);
}

#[test]
fn hidden_commands_are_not_suggested_and_help_has_help() {
    let done = run(&mut program(["verfy"])).exits(2);
    assert!(done.err.contains("'verify'") && !done.err.contains("verify-for-parent"), "{}", done.err);
    assert_eq!(run(&mut program(["help", "--help"])).exits(0).out, run(&mut program(["--help"])).exits(0).out);
    run(&mut program(["verify", "x", "--lang", "uk"])).refused(&["--lang is for the page of --html"]);
    run(&mut program(["verify", "x", "--html", "/no/dir/x.html"])).refused(&["the folder /no/dir does not exist"]);
    run(&mut program(["verify", "x", "--data", "/no/such"])).refused(&["/no/such (--data): no such folder"]);
    let done = run(program(["verify", "x"]).env("MNIST_REPORT_DATA", "/no/such"));
    done.refused(&["/no/such (MNIST_REPORT_DATA): no such folder; unset it"]);
    let done = run(&mut program(["verify", "/no/such", "--json"])).exits(2);
    assert!(done.out.contains("\"error\": \"cannot read /no/such"), "{}", done.out);
    let runs = ["--upto", "rerun", "--runs", "nosuch"];
    shared().0.run("verify", &runs).refused(&["--runs: unknown run `nosuch`; this study has "]);
}

#[test]
fn the_program_contains_check_py() {
    let printed = run(&mut program(["checker"])).exits(0).out;
    assert_eq!(printed, std::fs::read_to_string(root().join("scripts/check.py")).unwrap());
    // With the labels that it needs, it checks a bundle where nothing else is.
    let home = tempfile::tempdir().unwrap();
    let [check, labels] = ["check.py", "the data/mnist"].map(|name| home.path().join(name));
    let printed = run(program(["checker", "--data"]).arg(&labels)).exits(0).out;
    std::fs::write(&check, printed).unwrap();
    let mut python = std::process::Command::new("python3");
    let bundle = &shared().0.path;
    let done = run(python.arg(&check).arg("--data").arg(&labels).arg(bundle).env_remove("MNIST_REPORT_DATA")).exits(0);
    assert!(done.out.contains("metrics   passed "), "{}", done.out);
    let taken = home.path().join("check.py/data");
    run(program(["checker", "--data"]).arg(&taken)).refused(&["cannot write", "check.py/data"]);
}

#[test]
fn wrong_usage_is_exit_code_two() {
    let mut messages = Messages::default();
    for arguments in [
        &[][..],
        &["bild"],
        &["build", "--device", "gpu"],
        &["build", "--device", "cuda:x"],
        &["build", "a.yaml", "b.yaml"],
        &["verify"],
        &["verify", ".", "--upto", "roof"],
        &["render"],
        &["--no-such-option"],
    ] {
        let done = run(&mut program(arguments)).exits(2);
        assert_eq!(done.out, "", "{arguments:?}");
        assert!(done.err.contains("Usage:") || done.err.starts_with("error: "), "{arguments:?}: {}", done.err);
        messages.add(&format!("mnist-report {}", arguments.join(" ")), &done);
    }
    messages.golden("usage");
}

/// A pipe whose reading end is closed.
fn broken_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full_disk() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let bundle = copy();
    let path = bundle.path.to_str().unwrap();
    for arguments in [
        &["summary"][..],
        &["summary", "--json"],
        &["data"],
        &["completions", "bash"],
        &["verify", path, "--upto", "files"],
        &["verify", path, "--upto", "files", "--json"],
        &["render", path],
        &["--help"],
        &["build", "--help"],
    ] {
        let done = run(program(arguments).stdout(broken_pipe())).exits(0);
        assert_eq!(done.err, "", "{arguments:?}");
    }
    run(build(&tiny(), &bundle.path).stdout(broken_pipe())).exits(0);
    run(program(["summary"]).stdout(full_disk())).refused(&["standard output"]);
}

#[test]
fn the_exit_code_does_not_depend_on_stderr() {
    let bundle = copy();
    for stderr in [broken_pipe, full_disk] {
        let mut loud = program(["build", "--device", "cpu", "--out"]);
        let done = run(loud.arg(&bundle.path).arg(tiny()).stderr(stderr())).exits(0);
        assert_eq!(done.report_id(), shared().0.report_id());
        run(program(["build", "missing.yaml"]).stderr(stderr())).exits(2);
        run(program(["build"]).arg("--no-such-option").stderr(stderr())).exits(2);
    }
}

#[test]
fn words_that_people_type_in_the_place_of_others_have_a_suggestion() {
    for (arguments, tip) in [
        (&["train", "s.yaml"][..], "'build'"),
        (&["run", "s.yaml"], "'build'"),
        (&["bild", "s.yaml"], "'build'"),
        (&["build", "--lang", "ua"], "'uk'"),
        (&["build", "--lang", "UK"], "'uk'"),
        (&["build", "--lang", "uk_UA"], "'uk'"),
        (&["build", "--lang", "English"], "'en'"),
        (&["build", "--lang", "en-US"], "'en'"),
        (&["build", "--device", "gpu"], "did you mean `cuda`?"),
        (&["build", "--device", "CPU"], "did you mean `cpu`?"),
        (&["build", "--device", "cuda1"], "did you mean `cuda:1`?"),
    ] {
        let done = run(&mut program(arguments)).exits(2);
        assert!(done.err.contains(tip), "{arguments:?}: {}", done.err);
    }
}
