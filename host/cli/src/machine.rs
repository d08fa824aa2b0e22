//! How much memory there is: the machine's, or what its control group leaves of it.
//!
//! Must not know what it is for.

use std::fs;
use std::path::{Path, PathBuf};

/// The memory that this process and those beside it may have, in bytes.
pub(crate) fn memory() -> Option<u64> {
    let machine = machine(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = groups(&group).filter_map(|folder| limit(&folder));
    Some(limits.fold(machine, u64::min))
}

fn machine(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes = line.trim().strip_suffix(" kB")?;
    Some(kibibytes.trim_end().parse::<u64>().ok()? << 10)
}

/// The folders of this process's control group and of those above it, by `/proc/self/cgroup`.
fn groups(own: &str) -> impl Iterator<Item = PathBuf> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::"));
    let path = Path::new("/sys/fs/cgroup").join(path.unwrap_or("/").trim_start_matches('/'));
    let folders: Vec<_> = path
        .ancestors()
        .take_while(|folder| folder.starts_with("/sys/fs/cgroup"))
        .map(Path::to_owned)
        .collect();
    folders.into_iter()
}

fn limit(folder: &Path) -> Option<u64> {
    let text = fs::read_to_string(folder.join("memory.max")).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_memory_is_read() {
        let text = "MemTotal:       16324412 kB\nMemFree:         123 kB\n";
        assert_eq!(machine(text), Some(16_324_412 << 10));
        assert!(memory().is_some_and(|bytes| bytes > 64 << 20));
    }

    #[test]
    fn each_group_above_may_have_a_limit() {
        let folders: Vec<_> = groups("0::/system.slice/chicory.service\n").collect();
        let expected = [
            "/sys/fs/cgroup/system.slice/chicory.service",
            "/sys/fs/cgroup/system.slice",
            "/sys/fs/cgroup",
        ];
        assert_eq!(folders, expected.map(PathBuf::from));
    }
}
