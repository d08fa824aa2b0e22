//! Files and sockets: what Landlock takes away.
//!
//! Rules hold for files, not for names. What is moved to a granted name later is not granted. Must not know why a path is
//! granted.

use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};

use crate::{ConfineError, Confinement, Lack, SystemCalls};

/// What is handled: all that this version of Landlock can take away from files. Older kernels take away less.
const FILES: ABI = ABI::V5;

/// Takes away all files but those that are granted, and sockets that listen.
pub(crate) fn restrict(confinement: &Confinement) -> Result<Vec<Lack>, ConfineError> {
    let refused = |error: RulesetError| ConfineError::Files(error.into());
    let status = ruleset(confinement)
        .and_then(RulesetCreated::restrict_self)
        .map_err(refused)?;
    Ok(lacking(&status))
}

fn ruleset(confinement: &Confinement) -> Result<RulesetCreated, RulesetError> {
    let read = AccessFs::from_read(FILES) & !AccessFs::Execute;
    let write = AccessFs::from_all(FILES) & !AccessFs::Execute;
    let run = AccessFs::from_read(FILES);
    let mut ports: BitFlags<AccessNet> = AccessNet::BindTcp.into();
    if confinement.system_calls == SystemCalls::Compiler {
        ports |= AccessNet::ConnectTcp;
    }
    let rules = |paths: &[PathBuf], access| path_beneath_rules(paths.to_vec(), access);
    Ruleset::default()
        .handle_access(AccessFs::from_all(FILES))?
        .handle_access(ports)?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?
        .create()?
        .add_rules(rules(&confinement.read, read))?
        .add_rules(rules(&confinement.write, write))?
        .add_rules(rules(&confinement.run, run))
}

/// What each version of Landlock added.
const SINCE: [(ABI, Lack); 5] = [
    (
        ABI::V1,
        Lack {
            what: "access to all files",
            needs: "Landlock: Linux 5.13, and landlock in the kernel's list `lsm`",
        },
    ),
    (
        ABI::V3,
        Lack {
            what: "truncating files that may only be read",
            needs: "Linux 6.2",
        },
    ),
    (
        ABI::V4,
        Lack {
            what: "listening on TCP ports",
            needs: "Linux 6.7",
        },
    ),
    (
        ABI::V5,
        Lack {
            what: "control calls (ioctl) of devices",
            needs: "Linux 6.10",
        },
    ),
    (
        ABI::V6,
        Lack {
            what: "signals to other processes, and their abstract sockets",
            needs: "Linux 6.12",
        },
    ),
];

fn lacking(status: &RestrictionStatus) -> Vec<Lack> {
    let kernel = ABI::from(status.landlock);
    let lacks = SINCE.into_iter().filter(|(since, _)| kernel < *since);
    lacks.map(|(_, lack)| lack).collect()
}
