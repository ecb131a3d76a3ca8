//! The device that `--device` selects.

use std::fmt;
use std::str::FromStr;

use super::{Device, Error};

/// The device that `--device` selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "self-evident")]
pub enum DeviceChoice {
    /// GPU 0 if there is one that can be used, otherwise the CPU.
    Auto,
    Cpu,
    /// The GPU with this number, counted from 0.
    Cuda(usize),
}

impl DeviceChoice {
    /// The number of the GPU to use: always for `cuda:N`; for `auto` only if this machine seems to have one.
    pub fn gpu(self) -> Option<usize> {
        match self {
            Self::Cuda(index) => Some(index),
            Self::Auto => Device::gpu_in_sight().then_some(0),
            Self::Cpu => None,
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            other => other
                .strip_prefix("cuda:")
                .and_then(|n| n.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| Error::UnknownDevice { typed: other.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names_are_parsed() {
        assert_eq!("cuda:3".parse(), Ok(DeviceChoice::Cuda(3)));
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert_eq!("auto".parse(), Ok(DeviceChoice::Auto));
        for bad in ["gpu", "cuda:", "cuda:x", "cuda:-1", ""] {
            assert!(bad.parse::<DeviceChoice>().is_err(), "{bad}");
        }
    }
}
