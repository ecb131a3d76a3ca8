//! Verifies a bundle in a process of its own, with limits on its memory, time and output: a bundle that exceeds one of them, or
//! makes this program crash, is not checked, and neither stops the others nor takes the machine.

use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use super::progress::{Listener, Progress};
use super::{Draw, Request, Rung, RungResult, Status, Verification, verify_in_parts};
use crate::failure::caught;
use crate::text::terminal::one_line;

/// The subcommand that a process of this program runs to verify one bundle for another process.
pub const COMMAND: &str = "verify-for-parent";

/// Bytes of the answer. Details are shortened to fit.
const MAX_ANSWER: u64 = 16 << 20;
/// Bytes of the messages that are kept.
const MAX_MESSAGES: u64 = 64 << 10;
/// Details of a rung, and bytes of each.
const MAX_DETAILS: usize = 1000;
const MAX_DETAIL: usize = 1000;
const MIB: u64 = 1 << 20;
/// How a message begins that the parent passes on at once.
const ANNOUNCED: &str = "announced: ";

/// What the verification of one bundle may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// MiB of memory that the process may write to.
    pub memory: u64,
    /// Seconds.
    pub timeout: u64,
}

impl Limits {
    /// The limits up to a rung, unless the user sets others: rungs that train take time and memory.
    pub fn of(upto: Option<Rung>, memory: Option<u64>, timeout: Option<u64>) -> Self {
        let (default_memory, default_timeout) = match upto.unwrap_or(Rung::Replay) {
            Rung::Files | Rung::Inputs | Rung::Exact | Rung::Render | Rung::Metrics => (1024, 60),
            Rung::Weights | Rung::Replay => (4096, 900),
            Rung::Rerun => (4096, 86_400),
        };
        Self { memory: memory.unwrap_or(default_memory), timeout: timeout.unwrap_or(default_timeout) }
    }
}

/// What the child writes: the verification, or why there is none.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reply {
    Verified(Box<Verification>),
    Unreadable(String),
}

/// In the child: verifies a bundle within `memory` MiB. `print` gets a line for the parent before the rungs that compute, and one
/// at the end.
///
/// # Panics
/// On a number that is not finite, which no verification has.
pub fn answer(path: &Path, request: &Request, memory: u64, print: &dyn Fn(&str)) {
    // A child without its parent has nobody to answer to. Other systems cannot end it then; its limits do.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    // A GPU's driver maps more memory than it uses.
    if request.device.gpu().is_none() {
        limit(Resource::Data, memory.saturating_mul(MIB));
    }
    limit(Resource::Core, 0);
    let print = |answer: &Reply| print(&(serde_json::to_string(answer).expect("strings and numbers") + "\n"));
    let verified = |verification| Reply::Verified(Box::new(shortened(verification)));
    let so_far = |verification| print(&verified(verification));
    let verification = caught(|| verify_in_parts(path, request, &announce, &so_far));
    print(&verification.unwrap_or_else(Err).map_or_else(Reply::Unreadable, verified));
}

/// In the child: a line for the parent's user.
fn announce(line: &str) {
    let _ = writeln!(io::stderr(), "{ANNOUNCED}{}", one_line(line));
}

/// Lowers a limit of this process.
fn limit(resource: Resource, most: u64) {
    let Rlimit { current, maximum } = getrlimit(resource);
    let least = |limit: Option<u64>| Some(limit.map_or(most, |limit| limit.min(most)));
    let _ = setrlimit(resource, Rlimit { current: least(current), maximum: least(maximum) });
}

/// A verification that fits into an answer: a bundle may name ten thousand files that are wrong.
fn shortened(mut verification: Verification) -> Verification {
    for step in &mut verification.steps {
        let more = step.details.len().saturating_sub(MAX_DETAILS);
        step.details.truncate(MAX_DETAILS);
        for detail in &mut step.details {
            if detail.len() > MAX_DETAIL {
                *detail = detail.chars().take(MAX_DETAIL / 4).chain("...".chars()).collect();
            }
        }
        if more > 0 {
            step.details.push(format!("and {more} more"));
        }
    }
    verification
}

/// In the parent: verifies a bundle in a child.
///
/// # Errors
/// Why it could not be checked.
pub fn verify_in_child(
    path: &Path,
    request: &Request,
    limits: Limits,
    listener: Listener,
) -> Result<Verification, String> {
    let started = Instant::now();
    let mut child = start(path, request, limits).map_err(|e| {
        format!("not checked: cannot start a process to check it: {e}; the system may lack memory or processes")
    })?;
    let timeout = Duration::from_secs(limits.timeout);
    let read = read_output(&mut child, started, timeout, listener);
    if !matches!(read, Ok(Output::Whole(..))) {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|e| format!("not checked: lost its process: {e}"))?;
    match read {
        Ok(Output::Whole(answer, messages)) => understood(&answer, &messages, status, limits)
            .or_else(|why| if status.success() { Err(why) } else { found_before(&answer, why) }),
        Ok(Output::TooLong(answer)) => {
            found_before(&answer, format!("not checked: the answer has more than {} MiB", MAX_ANSWER / MIB))
        }
        Ok(Output::Timeout(answer)) => found_before(
            &answer,
            format!(
                "not checked: takes longer than {} s; allow more with --timeout, or check fewer rungs with --upto",
                limits.timeout
            ),
        ),
        Err(e) => Err(format!("not checked: cannot read from its process: {e}")),
    }
}

/// What a child had found before it was ended: a difference is one, however long the rest would take. Otherwise, the reason.
fn found_before(answer: &[u8], why: String) -> Result<Verification, String> {
    let mut whole_lines = answer.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let Some(last) = whole_lines.next_back() else { return Err(why) };
    let Ok(Reply::Verified(mut verification)) = serde_json::from_slice(last) else { return Err(why) };
    let reason = why.trim_start_matches("not checked: ");
    let is_waiting = |step: &&mut RungResult| step.status == Status::NotChecked && step.details == [""];
    for step in verification.steps.iter_mut().filter(|step| step.rung <= verification.upto).filter(is_waiting) {
        step.details = vec![reason.to_owned()];
    }
    for step in verification.steps.iter_mut().filter(|step| step.is_unfinished) {
        step.is_unfinished = false;
        step.details.push(format!("not all was checked: {reason}"));
    }
    Ok(*verification)
}

fn start(path: &Path, request: &Request, limits: Limits) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(COMMAND).args(["--device", &request.device.to_string(), "--memory", &limits.memory.to_string()]);
    // Without memory, a backtrace panics while it holds the lock that the next backtrace waits for: the process would hang.
    command.env("RUST_BACKTRACE", "0").env_remove("RUST_LIB_BACKTRACE");
    command.args(request.as_if_long.iter().flat_map(|run| ["--as-if-long", run]));
    if let Some(upto) = request.upto {
        command.args(["--upto", upto.name()]);
    }
    if let Some(assignment) = &request.assignment {
        command.arg("--assignment").arg(assignment);
    }
    if let Some(data) = &request.data {
        command.arg("--data").arg(data);
    }
    if request.runs != Draw::All {
        command.args(["--runs", &request.runs.to_string()]);
    }
    // No option can follow `--`, whatever the path is called.
    command.arg("--").arg(path).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

/// What was read from a child.
enum Output {
    /// Its answer and its messages, up to the end of both.
    Whole(Vec<u8>, Vec<u8>),
    /// What it had answered until that was too long.
    TooLong(Vec<u8>),
    /// What it had answered.
    Timeout(Vec<u8>),
}

/// Reads both outputs of a child without a thread, which the system may refuse.
fn read_output(child: &mut Child, started: Instant, timeout: Duration, listener: Listener) -> io::Result<Output> {
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let (mut answer, mut messages) = (Vec::new(), Vec::new());
    let (mut progress, mut understood) = (Progress::new(listener.done), 0);
    while out.is_some() || err.is_some() {
        let Some(left) = timeout.checked_sub(started.elapsed()) else { return Ok(Output::Timeout(answer)) };
        let left = Timespec::try_from(left.min(Duration::from_secs(3600))).map_err(io::Error::other)?;
        let mut polled: Vec<PollFd> = Vec::new();
        polled.extend(out.as_ref().map(|out| PollFd::new(out, PollFlags::IN)));
        polled.extend(err.as_ref().map(|err| PollFd::new(err, PollFlags::IN)));
        match poll(&mut polled, Some(&left)) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(e) => return Err(e.into()),
        }
        let ready: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
        let (out_ready, err_ready) = (out.is_some() && ready[0], err.is_some() && ready[ready.len() - 1]);
        if out_ready && read_some(&mut out, &mut answer)? {
            if answer.len() as u64 > MAX_ANSWER {
                return Ok(Output::TooLong(answer));
            }
            let whole = answer.iter().rposition(|byte| *byte == b'\n').map_or(understood, |end| end + 1);
            for line in answer[understood..whole].split_inclusive(|byte| *byte == b'\n') {
                if let Ok(Reply::Verified(so_far)) = serde_json::from_slice(line) {
                    progress.add(&so_far);
                }
            }
            // Each line has all that the one before it has.
            let last =
                answer[..whole.saturating_sub(1)].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            answer.drain(..last);
            understood = whole - last;
        }
        if err_ready && read_some(&mut err, &mut messages)? {
            pass_on(&mut messages, listener.say);
            messages.truncate(MAX_MESSAGES as usize);
        }
    }
    Ok(Output::Whole(answer, messages))
}

/// Removes the lines from the messages that are for the user, and passes them on.
fn pass_on(messages: &mut Vec<u8>, say: &dyn Fn(&str)) {
    let whole = messages.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let rest = messages.split_off(whole);
    let mut kept = Vec::new();
    for line in messages.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(ANNOUNCED.as_bytes()) {
            Some(announced) => say(String::from_utf8_lossy(announced).trim_end()),
            None => kept.extend_from_slice(line),
        }
    }
    kept.extend(rest);
    *messages = kept;
}

/// Reads what is there; drops the pipe at its end. Returns whether there was something.
fn read_some(pipe: &mut Option<impl Read>, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut block = [0; 16 << 10];
    let Some(open) = pipe else { return Ok(false) };
    let count = match open.read(&mut block) {
        Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(false),
        count => count?,
    };
    if count == 0 {
        *pipe = None;
    }
    bytes.extend_from_slice(&block[..count]);
    Ok(count > 0)
}

/// The verification in an answer, or why there is none.
fn understood(answer: &[u8], messages: &[u8], status: ExitStatus, limits: Limits) -> Result<Verification, String> {
    if status.success() {
        let last = answer.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        return match serde_json::from_slice(last) {
            Ok(Reply::Verified(verification)) => Ok(*verification),
            Ok(Reply::Unreadable(why)) => Err(why),
            Err(e) => Err(format!("not checked: its process gave no answer: {e}")),
        };
    }
    let messages = String::from_utf8_lossy(messages);
    let last = messages.lines().last().unwrap_or_default().trim_start_matches("error: ");
    let is_out_of_memory = messages.contains("memory allocation of");
    Err(match status.signal() {
        _ if is_out_of_memory => {
            let memory = limits.memory;
            format!(
                "not checked: needs more than {memory} MiB of memory, or than this machine has; allow more with --memory"
            )
        }
        Some(9) => "not checked: its process was killed; this machine may lack memory".to_owned(),
        Some(signal) => format!("not checked: its process was stopped by signal {signal}: {last}"),
        None => format!("not checked: {last}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: i32) -> ExitStatus {
        ExitStatus::from_raw(code)
    }

    fn why(answer: &str, messages: &str, code: i32) -> String {
        let limits = Limits { memory: 7, timeout: 1 };
        understood(answer.as_bytes(), messages.as_bytes(), status(code), limits).unwrap_err()
    }

    #[test]
    fn what_ends_a_child_is_the_reason() {
        assert_eq!(why("{\"unreadable\":\"no zip\"}\n", "", 0), "no zip");
        assert!(why("{}", "", 0).starts_with("not checked: its process gave no answer: "));
        assert!(why("{\"verified\":{}}", "", 0).contains("gave no answer: missing field"));
        assert!(why("", "memory allocation of 9 bytes failed\n", 6).contains("needs more than 7 MiB of memory"));
        assert_eq!(why("", "", 9), "not checked: its process was killed; this machine may lack memory");
        assert_eq!(why("", "x\ny\n", 11), "not checked: its process was stopped by signal 11: y");
        assert_eq!(why("", "error: x\n", 2 << 8), "not checked: x");
    }

    /// A difference that was found counts, even if the rest takes too long.
    #[test]
    fn what_was_found_before_a_limit_is_kept() {
        let step = |rung: Rung, status| super::super::RungResult {
            rung,
            status,
            details: vec![String::new()],
            trainings: indexmap::IndexMap::new(),
            left_out: false,
            held_to_tolerances: false,
            drawn: None,
            is_unfinished: false,
        };
        let verification = Verification {
            report_id: None,
            upto: Rung::Replay,
            about: super::super::About::default(),
            steps: vec![
                step(Rung::Metrics, Status::Failed),
                step(Rung::Weights, Status::NotChecked),
                step(Rung::Rerun, Status::NotChecked),
            ],
            assignment: None,
            closing: super::super::Closing::default(),
        };
        let line = serde_json::to_string(&Reply::Verified(Box::new(verification))).unwrap() + "\n";
        let reason = "not checked: takes longer than 1 s".to_owned();
        let found = found_before(line.as_bytes(), reason.clone()).unwrap();
        assert_eq!(found.steps[0].status, Status::Failed);
        assert_eq!(found.steps[1].details, ["takes longer than 1 s"]);
        assert_eq!(found.steps[2].details, [""], "beyond --upto");
        for nothing in ["", &line[..20], "{\"unreadable\":\"x\"}\n"] {
            assert_eq!(found_before(nothing.as_bytes(), reason.clone()).unwrap_err(), reason);
        }
        // Rungs that were found later replace those before.
        let later = line.replacen("not_checked", "passed", 1);
        assert_ne!(later, line);
        let found = found_before((line.clone() + &later + "{").as_bytes(), reason.clone()).unwrap();
        assert_eq!([found.steps[1].status, found.steps[2].status], [Status::Passed, Status::NotChecked]);
        let two = line.clone() + &line;
        let whole = understood(two.as_bytes(), b"", status(0), Limits { memory: 7, timeout: 1 }).unwrap();
        assert_eq!(whole.steps.len(), 3);
    }

    #[test]
    fn limits_follow_the_rung() {
        let of = |upto| Limits::of(upto, None, None);
        assert_eq!(of(Some(Rung::Metrics)), Limits { memory: 1024, timeout: 60 });
        assert_eq!(of(None), of(Some(Rung::Replay)));
        assert_eq!(Limits::of(None, Some(1), Some(2)), Limits { memory: 1, timeout: 2 });
    }

    #[test]
    fn long_details_are_shortened() {
        let step = |details| super::super::RungResult {
            rung: Rung::Files,
            status: super::super::Status::Failed,
            details,
            trainings: indexmap::IndexMap::new(),
            left_out: false,
            held_to_tolerances: false,
            drawn: None,
            is_unfinished: false,
        };
        let details = vec!["\u{436}".repeat(10_000); 10_000];
        let verification = Verification {
            report_id: None,
            upto: Rung::Files,
            about: super::super::About::default(),
            steps: vec![step(details)],
            assignment: None,
            closing: super::super::Closing::default(),
        };
        let verification = shortened(verification);
        assert_eq!(verification.steps[0].details.len(), MAX_DETAILS + 1);
        assert_eq!(verification.steps[0].details.last().unwrap(), "and 9000 more");
        let text = serde_json::to_string(&Reply::Verified(Box::new(verification))).unwrap();
        assert!((text.len() as u64) < MAX_ANSWER, "{}", text.len());
    }
}
