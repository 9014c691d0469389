//! Reading one directory: what is in it, how big it is, which directories are still to be read.

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, openat, statat};
use rustix::io::Errno;
use serde::Serialize;
use std::collections::HashSet;
use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What was counted, see the table in `main.rs`.
#[derive(Clone, Copy, Default, PartialEq, Serialize)]
pub struct Tally {
    pub directories: u64,
    pub files: u64,
    pub bytes: u64,
    pub directory_bytes: u64,
    pub unreadable: u64,
}

impl Tally {
    pub fn plus(self, other: Self) -> Self {
        Self {
            directories: self.directories + other.directories,
            files: self.files + other.files,
            bytes: self.bytes + other.bytes,
            directory_bytes: self.directory_bytes + other.directory_bytes,
            unreadable: self.unreadable + other.unreadable,
        }
    }

    fn directory(&mut self, stat: &Stat) {
        self.directories += 1;
        self.bytes += size(stat);
        self.directory_bytes += size(stat);
    }
}

/// The root of a walk, counted; or why it cannot be walked.
pub fn root(path: &Path) -> io::Result<Tally> {
    let stat = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            open(path)?;
            let mut tally = Tally::default();
            tally.directory(&stat);
            Ok(tally)
        }
        FileType::Symlink => Err(io::Error::other("Is a symbolic link; to walk where it points to, append a slash")),
        _ => Err(Errno::NOTDIR.into()),
    }
}

/// The tree that is being walked, for all workers.
pub struct Tree<F> {
    /// Files with several names that have been counted, as device and inode.
    linked: Mutex<HashSet<(u64, u64)>>,
    /// Called with what cannot be read.
    unreadable: F,
}

impl<F: Fn(&Path, &io::Error)> Tree<F> {
    pub fn new(unreadable: F) -> Self {
        Self { linked: Mutex::default(), unreadable }
    }

    /// Counts what is in a directory, and pushes the directories among it. Returns the number of entries.
    pub fn read(&self, directory: &Path, tally: &mut Tally, push: &mut dyn FnMut(PathBuf)) -> u64 {
        let before = tally.directories + tally.files;
        if let Err(error) = self.entries(directory, tally, push) {
            self.unreadable(directory, error, tally);
        }
        tally.directories + tally.files - before
    }

    fn entries(&self, directory: &Path, tally: &mut Tally, push: &mut dyn FnMut(PathBuf)) -> Result<(), Errno> {
        let mut entries = Dir::new(open(directory)?)?;
        while let Some(entry) = entries.read().transpose()? {
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            match statat(entries.fd()?, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode).is_dir() => {
                    tally.directory(&stat);
                    push(join(directory, name));
                }
                Ok(stat) => {
                    tally.files += 1;
                    tally.bytes += if self.is_first_name(&stat) { size(&stat) } else { 0 };
                }
                Err(error) => {
                    // Not known to be a directory, so `find` takes it for none.
                    tally.files += 1;
                    self.unreadable(&join(directory, name), error, tally);
                }
            }
        }
        Ok(())
    }

    /// Whether this is the first time that this file, which is no directory, is seen.
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "the types differ between systems")]
    fn is_first_name(&self, stat: &Stat) -> bool {
        stat.st_nlink <= 1 || {
            let mut linked = self.linked.lock().unwrap_or_else(PoisonError::into_inner);
            linked.insert((stat.st_dev as u64, stat.st_ino as u64))
        }
    }

    fn unreadable(&self, path: &Path, error: Errno, tally: &mut Tally) {
        tally.unreadable += 1;
        (self.unreadable)(path, &error.into());
    }
}

/// The apparent size in bytes; no file has less than none.
fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn join(directory: &Path, name: &CStr) -> PathBuf {
    directory.join(OsStr::from_bytes(name.to_bytes()))
}

/// How to open a directory that is to be read.
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a directory for reading, however long its path.
fn open(path: &Path) -> Result<OwnedFd, Errno> {
    match openat(CWD, path, FLAGS, Mode::empty()) {
        Err(Errno::NAMETOOLONG) => open_in_steps(path.as_os_str().as_bytes()),
        result => result,
    }
}

/// Opens a directory whose path is too long for one system call.
#[cold]
fn open_in_steps(mut path: &[u8]) -> Result<OwnedFd, Errno> {
    /// Bytes in one step: below the smallest `PATH_MAX` in use, above the longest `NAME_MAX`.
    const STEP: usize = 1000;

    let mut base = None;
    while path.len() > STEP {
        let cut = path[..STEP].iter().rposition(|&byte| byte == b'/').ok_or(Errno::NAMETOOLONG)? + 1;
        base = Some(open_from(base.as_ref(), &path[..cut])?);
        path = &path[cut..];
        while let [b'/', rest @ ..] = path {
            path = rest;
        }
    }
    open_from(base.as_ref(), if path.is_empty() { b"." } else { path })
}

fn open_from(base: Option<&OwnedFd>, path: &[u8]) -> Result<OwnedFd, Errno> {
    openat(base.map_or(CWD, AsFd::as_fd), path, FLAGS, Mode::empty())
}
