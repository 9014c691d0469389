//! A temporary directory to run programs in, as a user whom permissions apply to.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::str;
use std::sync::OnceLock;
use tempfile::TempDir;

/// What `find` and `du` count.
#[derive(Debug, PartialEq)]
pub struct Totals {
    pub directories: u64,
    pub files: u64,
    pub bytes: u64,
}

/// What the example is called in a place.
pub const PROGRAM: &str = "walk";

/// Also holds a copy of the example.
pub struct Place {
    dir: TempDir,
    /// Who runs the programs; if nobody else, we.
    user: Option<u32>,
    is_root: bool,
}

impl Place {
    /// `nobody`, on every Linux.
    const NOBODY: u32 = 65534;

    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
        // A copy, as cargo's may be in a home directory that is closed to others. By `cp`, so that no child of another
        // test's can have inherited it open for writing, which would make it "busy".
        let copied = Command::new("cp").arg(build()).arg(dir.path().join(PROGRAM)).status();
        assert!(copied.unwrap().success());
        let is_root = fs::metadata(&dir).unwrap().uid() == 0;
        let mut place = Self { dir, user: is_root.then_some(Self::NOBODY), is_root };
        if is_root && !place.program().arg("--help").output().is_ok_and(|output| output.status.success()) {
            say("skipped: what is unreadable, as root can read all and cannot become nobody here");
            place.user = None;
        }
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Whether there can be anything unreadable.
    pub fn is_unprivileged(&self) -> bool {
        !self.is_root || self.user.is_some()
    }

    /// A command in this place; it is ended after a minute, with code 124.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("timeout");
        command.arg("60").arg(program).current_dir(&self.dir).env("LC_ALL", "C");
        if let Some(user) = self.user {
            // Drops the supplementary groups too.
            command.uid(user).gid(user);
        }
        command
    }

    /// The example.
    pub fn program(&self) -> Command {
        self.command(self.path(PROGRAM))
    }

    pub fn walk<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        self.program().args(arguments).output().unwrap()
    }

    /// What GNU `find` and `du` say about a tree, if they are here.
    pub fn find_and_du(&self, root: impl AsRef<OsStr>) -> Option<Totals> {
        let root = root.as_ref();
        let is_gnu = |name| {
            let version = self.command(name).arg("--version").output().unwrap().stdout;
            String::from_utf8_lossy(&version).contains("GNU")
        };
        if !is_gnu("find") || !is_gnu("du") {
            say("skipped: comparing with GNU `find` and `du`, as they are not installed");
            return None;
        }
        // One byte for each that is found, as names may contain anything.
        let find = |test: &[&str]| {
            let output = self.command("find").arg(root).args(test).args(["-printf", "x"]).output().unwrap();
            output.stdout.len() as u64
        };
        Some(Totals { directories: find(&["-type", "d"]), files: find(&["!", "-type", "d"]), bytes: self.du(root) })
    }

    /// GNU `du` counted the directories' own sizes up to coreutils 9.1, but does not since 9.2.
    pub fn du_counts_directories(&self) -> bool {
        let empty = self.path("empty");
        fs::create_dir_all(&empty).unwrap();
        self.du(empty.as_os_str()) > 0 || fs::metadata(&empty).unwrap().len() == 0
    }

    fn du(&self, root: &OsStr) -> u64 {
        let output = self.command("du").args(["-s", "-b", "--"]).arg(root).output().unwrap();
        let bytes = output.stdout.split(|&byte| byte == b'\t').next().unwrap();
        str::from_utf8(bytes).unwrap().parse().unwrap_or(0)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is unreadable cannot be removed either.
        let _ = Command::new("chmod").args(["-R", "u+rwX"]).arg(self.dir.path()).status();
    }
}

/// The example, up to date.
fn build() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // `cargo test --test walk` builds no examples; plain `cargo test` does, and then this finds it built.
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
        let example = escargot::CargoBuild::new().manifest_path(root).package("walk").example("walk");
        let profile = if cfg!(debug_assertions) { "test" } else { "release" };
        example.args(["--profile", profile]).run().expect("the example builds").path().to_owned()
    })
}

/// Says it even when the test harness captures the output.
pub fn say(word: &str) {
    let _ = writeln!(io::stderr(), "{word}");
}
