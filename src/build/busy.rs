//! Whether a machine is busy, so that an estimate from its first steps is too long.

/// Whether more threads than this machine has cores wanted to run during the last minute. The first steps of a run were then
/// slower than later steps will be. `false` if the system does not report it.
pub(crate) fn is_busy() -> bool {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    exceeds(&load, std::thread::available_parallelism().map_or(1, usize::from))
}

/// Whether the first number of /proc/loadavg is above the number of cores.
fn exceeds(load: &str, cores: usize) -> bool {
    load.split_whitespace().next().and_then(|load| load.parse::<f64>().ok()).is_some_and(|load| load > cores as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_busy_if_its_load_exceeds_its_cores() {
        assert!(exceeds("7.25 3.02 1.00 3/400 1234\n", 2));
        assert!(!exceeds("2.00 7.02 9.00 3/400 1234\n", 2));
        assert!(!exceeds("", 2));
    }
}
