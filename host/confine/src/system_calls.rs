//! System calls: what a seccomp filter takes away.
//!
//! What is denied fails with `EPERM`, so that a library that only tries it can continue. Must not know what a process does.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use libc::c_long;
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter,
};

use crate::{ConfineError, Lack, SystemCalls};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Takes away the system calls that are not left.
pub(crate) fn restrict(left: SystemCalls) -> Result<Vec<Lack>, ConfineError> {
    let refused = |error: Error| ConfineError::SystemCalls(error.into());
    for filter in filters(left).map_err(refused)? {
        match apply_filter(&filter) {
            Err(Error::Seccomp(error)) if error.raw_os_error() == Some(libc::EINVAL) => {
                return Ok(vec![Lack {
                    what: "all system calls",
                    needs: "a kernel with CONFIG_SECCOMP_FILTER",
                }]);
            }
            applied => applied.map_err(refused)?,
        }
    }
    Ok(Vec::new())
}

/// The filters: of all that look at a call, the strictest holds.
fn filters(left: SystemCalls) -> Result<Vec<BpfProgram>, Error> {
    let denied = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    // A filter can't see the flags of `clone3`. Where it doesn't exist, libraries use `clone`.
    let missing = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let clone3 = program(all(&[libc::SYS_clone3]), SeccompAction::Allow, missing)?;
    let mut filters = vec![clone3];
    match left {
        SystemCalls::Service => {
            filters.push(program(service()?, SeccompAction::Allow, denied)?);
            #[cfg(target_arch = "x86_64")]
            filters.push(no_x32());
        }
        SystemCalls::Compiler => {
            let mut allowed = all(COMPILER);
            allowed.insert(libc::SYS_clone, threads_only()?);
            // Left to the filter above: of two that deny, the later one names the error.
            allowed.insert(libc::SYS_clone3, Vec::new());
            filters.push(program(allowed, denied, SeccompAction::Allow)?);
        }
    }
    Ok(filters)
}

fn program(
    rules: Rules,
    otherwise: SeccompAction,
    then: SeccompAction,
) -> Result<BpfProgram, Error> {
    let filter = SeccompFilter::new(rules, otherwise, then, ARCH.try_into()?)?;
    Ok(BpfProgram::try_from(filter)?)
}

/// Whatever their arguments.
fn all(calls: &[c_long]) -> Rules {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

fn argument(index: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, Error> {
    let length = SeccompCmpArgLen::Dword;
    Ok(SeccompCondition::new(index, length, operator, value)?)
}

/// What no service needs.
fn service() -> Result<Rules, Error> {
    let mut denied = all(SERVICE_DENIED);
    #[cfg(target_arch = "x86_64")]
    denied.extend(all(SERVICE_DENIED_X86_64));
    let namespaces = NAMESPACES.iter().map(|flag| {
        let flag = u64::from(flag.unsigned_abs());
        SeccompRule::new(vec![argument(0, SeccompCmpOp::MaskedEq(flag), flag)?])
            .map_err(Error::from)
    });
    denied.insert(libc::SYS_clone, namespaces.collect::<Result<_, _>>()?);
    let families = FAMILIES.iter();
    let other =
        families.map(|family| argument(0, SeccompCmpOp::Ne, u64::from(family.unsigned_abs())));
    let other = SeccompRule::new(other.collect::<Result<_, _>>()?)?;
    denied.insert(libc::SYS_socket, vec![other]);
    // Typing into the terminal that the process was started from.
    let typing = [libc::TIOCSTI, libc::TIOCLINUX].map(|request| {
        SeccompRule::new(vec![argument(1, SeccompCmpOp::Eq, request)?]).map_err(Error::from)
    });
    denied.insert(
        libc::SYS_ioctl,
        typing.into_iter().collect::<Result<_, _>>()?,
    );
    Ok(denied)
}

/// New threads, but not new processes.
fn threads_only() -> Result<Vec<SeccompRule>, Error> {
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let only = argument(0, SeccompCmpOp::MaskedEq(thread), thread)?;
    Ok(vec![SeccompRule::new(vec![only])?])
}

/// The kernel's second set of numbers for the same calls, which no program here uses, and a list of what is denied would miss.
#[cfg(target_arch = "x86_64")]
fn no_x32() -> BpfProgram {
    use seccompiler::sock_filter;
    let instruction = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let load_number = instruction(0x20, 0, 0, 0);
    let if_at_least_x32 = instruction(0x35, 0, 1, 0x4000_0000);
    let deny = instruction(
        0x06,
        0,
        0,
        libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs(),
    );
    let allow = instruction(0x06, 0, 0, libc::SECCOMP_RET_ALLOW);
    vec![load_number, if_at_least_x32, deny, allow]
}

const NAMESPACES: &[i32] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Netlink is how the C library asks for the machine's addresses.
const FAMILIES: &[i32] = &[
    libc::AF_UNIX,
    libc::AF_INET,
    libc::AF_INET6,
    libc::AF_NETLINK,
];

/// By purpose. What systemd's `@system-service` leaves out is here, and what broke sandboxes before: `io_uring`,
/// `userfaultfd`, keys, BPF.
const SERVICE_DENIED: &[c_long] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_perf_event_open,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    // File systems.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    // The kernel, and what it has been attacked through.
    libc::SYS_bpf,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_syslog,
    libc::SYS_nfsservctl,
    libc::SYS_vhangup,
    libc::SYS_personality,
    // Namespaces and privileges.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    // The machine.
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
];

#[cfg(target_arch = "x86_64")]
const SERVICE_DENIED_X86_64: &[c_long] = &[
    libc::SYS_kexec_file_load,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
    libc::SYS__sysctl,
    libc::SYS_lookup_dcookie,
];

const COMPILER: &[c_long] = &[
    // What is open.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_lseek,
    // Memory.
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_membarrier,
    // Threads. `clone` is allowed by its flags.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_set_tid_address,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_prctl,
    libc::SYS_getcpu,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Time and chance.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
];
