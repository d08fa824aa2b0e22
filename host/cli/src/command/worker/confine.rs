//! What a worker gives up on its machine: everything but what it needs for its settings.
//!
//! Must not know how it is taken away: `chicory-confine` does.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chicory_confine::{Confinement, Lack, SystemCalls};
use chicory_queue::BrokerConfig;
use chicory_signature::with_causes;

use crate::config::{Config, Confine};
use crate::exit::CommandError;

/// Resolving names, certificates, time zones, the C library's own files, and how many processors there are. Single files
/// where the folder has secrets.
const READ: &[&str] = &[
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls",
    "/etc/pki/ca-trust/extracted",
    "/etc/ca-certificates/extracted",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/proc/self",
    "/proc/meminfo",
    "/proc/sys/vm",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
];

/// The libraries with which this program starts itself to compile modules.
const LIBRARIES: &[&str] = &[
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/nix/store",
    "/gnu/store",
];

/// Confines this process, or finds out what its compilers can't be confined from; says what the kernel lacks.
pub(super) fn confine(config: &Config) -> anyhow::Result<()> {
    let wanted = config.worker.confine;
    if wanted == Confine::Off {
        let lacking = Confinement::new(SystemCalls::Compiler).lacking();
        match lacking {
            Ok(lacking) => report("the processes that compile modules", &lacking),
            Err(error) => {
                let error = with_causes(&error);
                tracing::warn!(%error, "no module can be compiled: its process can't be confined");
            }
        }
        return Ok(());
    }
    let needed = needed(config);
    let lacking = if wanted == Confine::Required {
        // Tried first, so that what can't be had is an error of the settings.
        let lacking = needed.lacking().context("can't confine this worker")?;
        if !lacking.is_empty() {
            return Err(refuse(&lacking).into());
        }
        needed.enforce()
    } else {
        needed.enforce()
    };
    let lacking = lacking.context("can't confine this worker; see [worker] confine")?;
    report("this worker", &lacking);
    tracing::info!(
        read = %list(&needed.read[READ.len()..]), written = %list(&needed.write), "confined to what it needs",
    );
    Ok(())
}

fn refuse(lacking: &[Lack]) -> CommandError {
    CommandError::Usage(format!(
        "[worker] confine is \"required\", but this kernel can't take away {}; use a newer one, or set it to \"on\"",
        joined(lacking)
    ))
}

fn report(who: &str, lacking: &[Lack]) {
    if !lacking.is_empty() {
        let lacking = joined(lacking);
        tracing::warn!("{who} can't be confined fully: this kernel can't take away {lacking}");
    }
}

fn joined(lacking: &[Lack]) -> String {
    let all: Vec<String> = lacking.iter().map(Lack::to_string).collect();
    all.join("; ")
}

fn list(paths: &[PathBuf]) -> String {
    let all: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    all.join(" ")
}

/// What a worker with these settings needs.
fn needed(config: &Config) -> Confinement {
    let mut needed = Confinement::new(SystemCalls::Service);
    needed.read = READ.iter().map(PathBuf::from).collect();
    needed.read.push(config.worker.modules.clone());
    // Where the environment names the certificates of a server's authority.
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .into_iter()
        .filter_map(std::env::var_os);
    needed.read.extend(named.map(PathBuf::from));
    let (readable, writable) = config.admission.policy.folders();
    needed.read.extend(readable);
    needed.write.extend(writable);
    needed.write.push("/dev/null".into());
    needed.run = LIBRARIES.iter().map(PathBuf::from).collect();
    // The running file, even after it has been replaced.
    needed.run.push("/proc/self/exe".into());
    if let Some(cache) = &config.worker.cache_dir {
        needed.write.extend(made(cache));
    }
    if let BrokerConfig::Sqlite(sqlite) = &config.broker {
        let folder = sqlite
            .path
            .parent()
            .filter(|folder| *folder != Path::new(""));
        needed.write.extend(made(folder.unwrap_or(Path::new("."))));
        // For queries that need more room than memory.
        needed.write.push(std::env::temp_dir());
    }
    needed
}

/// A folder that may not be there yet: what doesn't exist can't be granted. Whoever needs it says why it can't be made.
fn made(folder: &Path) -> Option<PathBuf> {
    std::fs::create_dir_all(folder).ok()?;
    Some(folder.to_owned())
}
