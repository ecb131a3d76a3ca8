//! What the program's exit status means.

use serde::{Serialize, Serializer};

/// The exit status of a command, in order of severity: of several bundles, the most severe is reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitCode {
    /// 0: done, or everything asked for was verified.
    #[default]
    Success,
    /// 2: something could not be done or checked.
    Failure,
    /// 1: a difference was found.
    Difference,
}

impl ExitCode {
    /// The status that the operating system receives.
    pub fn status(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Difference => 1,
            Self::Failure => 2,
        }
    }
}

impl Serialize for ExitCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.status())
    }
}

#[cfg(test)]
mod tests {
    use super::ExitCode::{Difference, Failure, Success};

    #[test]
    fn a_difference_outranks_what_could_not_be_checked() {
        assert_eq!([Success, Failure, Difference, Failure].into_iter().max(), Some(Difference));
        assert_eq!([Success, Failure].into_iter().max(), Some(Failure));
        assert_eq!([Success].into_iter().max(), Some(Success));
        assert_eq!(std::iter::empty::<super::ExitCode>().max().unwrap_or_default(), Success, "of no bundles");
        assert_eq!([Difference, Failure].map(super::ExitCode::status), [1, 2]);
    }
}
