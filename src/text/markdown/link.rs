//! Where a link may lead: to a web page, a mail address, or a place in the report.

use crate::text::terminal::cut;

/// A link's target, which is safe to print in a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// `http:`, `https:` or `mailto:`.
    Address(String),
    /// The id of a place in the report.
    Anchor(String),
}

/// How much of a target an error quotes, in characters.
const LONGEST_QUOTED: usize = 60;

/// The longest address that is useful.
const MAX_BYTES: usize = 2000;

impl Link {
    /// Reads a target as a text has it; fails with what is wrong.
    pub(super) fn of(target: &str) -> Result<Self, String> {
        let refused = |why: &str| Err(format!("the link `{}` {why}", cut(target, LONGEST_QUOTED)));
        if target.len() > MAX_BYTES {
            return refused(&format!("has more than {MAX_BYTES} bytes"));
        }
        // Browsers skip some of these, so that an address would not be what it seems.
        if target.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"'`\\^{}|".contains(c)) {
            return refused("has a space or another character that an address must write as %20 and the like");
        }
        if let Some(anchor) = target.strip_prefix('#') {
            return Ok(Self::Anchor(anchor.to_owned()));
        }
        let lower = target.to_ascii_lowercase();
        if let Some(rest) = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")) {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            return match host {
                "" => refused("names no host"),
                host if host.contains('@') => refused("has a user name before its host"),
                _ => Ok(Self::Address(target.to_owned())),
            };
        }
        if lower.strip_prefix("mailto:").is_some_and(|to| to.contains('@')) {
            return Ok(Self::Address(target.to_owned()));
        }
        refused("must start with https://, http:// or mailto:, or be `#` with the name of a place in the report")
    }
}
