//! A real process under each filter tries what it must not do. The process is this very program: it runs one of the ignored
//! tests below, which confines itself for good, tries, and says how it went.

#![cfg(target_os = "linux")]

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Output};

use chicory_confine::{Confinement, SystemCalls};

/// Runs one of the ignored tests in a process of its own.
fn child(test: &str, folder: &Path) -> Output {
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new(program);
    command
        .args([
            "--exact",
            test,
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("FOLDER", folder);
    command.output().unwrap()
}

/// Runs it, and checks that it passed: on a kernel that lacks something there is nothing to check.
fn passes(test: &str) {
    let confinement = Confinement::new(SystemCalls::Service);
    let lacking = confinement.lacking().unwrap();
    if !lacking.is_empty() {
        println!("not checked: this kernel can't take away {lacking:?}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("granted")).unwrap();
    fs::create_dir(folder.path().join("writable")).unwrap();
    fs::write(folder.path().join("granted/file"), "text").unwrap();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    let output = child(test, folder.path());
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}{complained}");
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
fn a_service_keeps_what_it_needs_and_loses_the_rest() {
    passes("as_a_service");
}

#[test]
fn a_compiler_keeps_memory_and_threads_alone() {
    passes("as_a_compiler");
}

/// The error number of a system call with these arguments; 0 if it was let through and succeeded.
#[expect(
    unsafe_code,
    reason = "calls that the standard library doesn't have; none does anything with these arguments"
)]
fn call(number: libc::c_long, first: libc::c_long, second: libc::c_long) -> i32 {
    // SAFETY: no pointers but null.
    let answer = unsafe { libc::syscall(number, first, second, 0, 0, 0, 0) };
    if answer == -1 {
        io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or_default()
    } else {
        0
    }
}

fn denied(result: io::Result<impl Sized>) {
    let error = result.err().expect("it is denied");
    // The last is what a link out of a folder's rules meets.
    let denied = [libc::EPERM, libc::EACCES, libc::EXDEV];
    assert!(
        error
            .raw_os_error()
            .is_some_and(|number| denied.contains(&number)),
        "{error}"
    );
}

fn folder() -> std::path::PathBuf {
    std::env::var_os("FOLDER").expect("only as a child").into()
}

#[test]
#[ignore = "confines this process for good; run by `a_service_keeps_what_it_needs_and_loses_the_rest`"]
fn as_a_service() {
    let folder = folder();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let confinement = Confinement {
        read: vec![folder.join("granted"), folder.join("missing")],
        write: vec![folder.join("writable"), "/dev/null".into()],
        run: ["/bin", "/usr/bin", "/lib", "/lib64", "/usr/lib"]
            .map(Into::into)
            .into(),
        ..Confinement::new(SystemCalls::Service)
    };
    assert_eq!(confinement.enforce().unwrap(), []);

    // What it keeps: granted files, threads, processes, connections.
    assert_eq!(
        fs::read_to_string(folder.join("granted/file")).unwrap(),
        "text"
    );
    fs::write(folder.join("writable/a"), "b").unwrap();
    fs::rename(folder.join("writable/a"), folder.join("writable/c")).unwrap();
    std::thread::spawn(|| ()).join().unwrap();
    assert!(Command::new("/bin/true").status().unwrap().success());
    TcpStream::connect(address).unwrap();

    denied(fs::read(folder.join("secret")));
    denied(fs::read_dir(&folder));
    denied(fs::read("/etc/passwd"));
    denied(fs::write(folder.join("granted/file"), ""));
    denied(fs::write(folder.join("granted/new"), ""));
    denied(fs::hard_link(
        folder.join("secret"),
        folder.join("writable/stolen"),
    ));
    denied(Command::new(folder.join("granted/file")).status());
    denied(TcpListener::bind("127.0.0.1:0"));
    // Inherited by what it starts.
    let cat = Command::new("/bin/cat")
        .arg(folder.join("secret"))
        .output()
        .unwrap();
    assert!(!cat.status.success());

    for (number, first, second) in SERVICE_LOSES {
        assert_eq!(
            call(*number, *first, *second),
            libc::EPERM,
            "system call {number}"
        );
    }
    // A signal to what is outside: the process that started it.
    let parent = nix::unistd::getppid();
    denied(nix::sys::signal::kill(parent, None).map_err(io::Error::from));
    let (soft, hard) = core_limits();
    assert!(soft <= 1 && hard <= 1, "{soft} {hard}");
}

const SERVICE_LOSES: &[(libc::c_long, libc::c_long, libc::c_long)] = &[
    (libc::SYS_ptrace, 0, 0),
    (libc::SYS_process_vm_readv, 0, 0),
    (libc::SYS_mount, 0, 0),
    (libc::SYS_umount2, 0, 0),
    (libc::SYS_chroot, 0, 0),
    (libc::SYS_bpf, 0, 0),
    (libc::SYS_keyctl, 0, 0),
    (libc::SYS_io_uring_setup, 1, 0),
    (libc::SYS_userfaultfd, 0, 0),
    (libc::SYS_perf_event_open, 0, 0),
    (libc::SYS_kexec_load, 0, 0),
    (libc::SYS_finit_module, -1, 0),
    (libc::SYS_setuid, 0, 0),
    (libc::SYS_unshare, 0, 0),
    (libc::SYS_setns, -1, 0),
    // `clone` with a new user namespace, and sockets of the kernel's rarer families.
    (libc::SYS_clone, libc::CLONE_NEWUSER as libc::c_long, 0),
    (libc::SYS_socket, libc::AF_PACKET as libc::c_long, 3),
    (libc::SYS_socket, libc::AF_ALG as libc::c_long, 5),
    (libc::SYS_ioctl, 0, libc::TIOCSTI.cast_signed()),
];

fn core_limits() -> (u64, u64) {
    nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_CORE).unwrap()
}

#[test]
#[ignore = "confines this process for good; run by `a_compiler_keeps_memory_and_threads_alone`"]
fn as_a_compiler() {
    let folder = folder();
    // Opened before: these are kept.
    let file = fs::File::open(folder.join("granted/file")).unwrap();
    let confinement = Confinement::new(SystemCalls::Compiler);
    assert_eq!(confinement.enforce().unwrap(), []);

    let text = io::read_to_string(&file).unwrap();
    assert_eq!(text, "text");
    let sum = std::thread::spawn(|| {
        vec![1_u8; 8 << 20]
            .iter()
            .map(|one| u64::from(*one))
            .sum::<u64>()
    });
    assert_eq!(sum.join().unwrap(), 8 << 20);

    denied(fs::read(folder.join("granted/file")));
    denied(fs::write(folder.join("writable/a"), ""));
    denied(TcpStream::connect("127.0.0.1:1"));
    denied(UnixDatagram::unbound());
    denied(Command::new("/bin/true").status());
    for number in [
        libc::SYS_ptrace,
        libc::SYS_mount,
        libc::SYS_bpf,
        libc::SYS_io_uring_setup,
        libc::SYS_kill,
        libc::SYS_execve,
        libc::SYS_socket,
        libc::SYS_openat,
        libc::SYS_setuid,
    ] {
        assert_eq!(call(number, 0, 0), libc::EPERM, "system call {number}");
    }
}
