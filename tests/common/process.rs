//! What suites do with processes: handlers of signals, children, and this very test again in a process of its own.

#![allow(dead_code, reason = "each suite uses a part of this")]

use std::env;
use std::mem;
use std::process::Command;
use std::ptr;
use std::thread;

/// Has signals with this number come to `handler`, for good, and interrupted system calls go on.
pub fn handle_signals(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) {
    // SAFETY: the action is initialised, and the handler has the signature that its flags ask for.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&raw mut action.sa_mask);
        assert_eq!(libc::sigaction(signal, &raw const action, ptr::null_mut()), 0);
    }
}

/// One `SIGALRM` after so long; none after 0.
pub fn set_timer(microseconds: i32) {
    let once = |microseconds: i32| libc::timeval {
        tv_sec: libc::time_t::from(microseconds / 1_000_000),
        tv_usec: libc::suseconds_t::from(microseconds % 1_000_000),
    };
    let timer = libc::itimerval { it_interval: once(0), it_value: once(microseconds) };
    // SAFETY: the timer is initialised, the old one is not asked for.
    assert_eq!(unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut()) }, 0);
}

/// How a child ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Exit(i32),
    /// It was still busy when its time was over.
    Hangs,
    Signal(i32),
}

/// Runs `action` in a child, which ends with what that returns, if it is not busy for so long.
pub fn in_child(milliseconds: i32, action: impl FnOnce() -> i32) -> End {
    // SAFETY: the child calls nothing but what signal handlers may call, and the action.
    unsafe {
        let child = libc::fork();
        assert_ne!(child, -1, "no more processes");
        if child == 0 {
            set_timer(1000 * milliseconds);
            libc::_exit(action());
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        match libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)) {
            None => End::Exit(libc::WEXITSTATUS(status)),
            Some(libc::SIGALRM) => End::Hangs,
            Some(signal) => End::Signal(signal),
        }
    }
}

/// A command that runs the test that calls this again, and nothing else.
pub fn this_test_again() -> Command {
    // Under emulation, cargo was told by what to run a program.
    let is_runner = |name: &str| name.starts_with("CARGO_TARGET_") && name.ends_with("_RUNNER");
    let runner = env::vars().find(|(name, _)| is_runner(name)).map(|(_, runner)| runner).unwrap_or_default();
    let program = env::current_exe().unwrap();
    let mut words = runner.split_whitespace().map(Into::into).chain([program.into_os_string()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(["--exact", thread::current().name().unwrap(), "--nocapture"]);
    command
}
