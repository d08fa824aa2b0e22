//! What a process costs, from Linux's `/proc`; nothing on other systems.
//!
//! Must not know whose process it is.

use std::fs;
use std::time::Duration;

/// CPU time, user and system, of these processes since their start.
pub(super) fn cpu(pids: &[u32]) -> Option<Duration> {
    let ticks: Option<u64> = pids.iter().map(|pid| ticks(*pid)).sum();
    // The kernel reports hundredths of a second on every architecture.
    ticks.map(|ticks| Duration::from_millis(ticks * 10))
}

fn ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    user_and_system(&stat)
}

/// The 14th and 15th fields; the second field is the program's name, which may contain spaces.
fn user_and_system(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Peak resident memory of these processes, in MiB.
pub(super) fn peak_memory(pids: &[u32]) -> Option<f64> {
    sum(pids, "status", "VmHWM:")
}

/// Current resident memory of these processes, in MiB.
pub(super) fn memory(pids: &[u32]) -> Option<f64> {
    sum(pids, "status", "VmRSS:")
}

/// The same, with shared pages counted proportionally, in MiB.
pub(super) fn own_memory(pids: &[u32]) -> Option<f64> {
    sum(pids, "smaps_rollup", "Pss:")
}

fn sum(pids: &[u32], file: &str, field: &str) -> Option<f64> {
    let kibibytes: Option<u64> = pids
        .iter()
        .map(|pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
            kibibytes(&text, field)
        })
        .sum();
    kibibytes.map(|kibibytes| kibibytes as f64 / 1024.0)
}

fn kibibytes(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_any_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 9 0 0 0 31 11 0 0 20 0 5 0";
        assert_eq!(user_and_system(stat), Some(42));
        assert_eq!(user_and_system("7 (cut"), None);
        assert_eq!(
            kibibytes("VmPeak: 9 kB\nVmRSS:\t  2048 kB\n", "VmRSS:"),
            Some(2048)
        );
    }
}
