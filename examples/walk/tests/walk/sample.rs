//! A tree with everything in it that a walk may stumble over.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::iter;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Sample {
    /// Reports that an ordinary user gets.
    pub unreadable: u64,
}

/// What is reported to an ordinary user.
pub const UNREADABLE: [&str; 4] = ["no entry", "no list", "no look/file", "no look/link"];

/// Makes the tree at `root`, which must not exist.
pub fn make(root: &Path) -> Sample {
    fs::create_dir(root).unwrap();
    odd_names(root);
    links(&root.join("links"));
    deep(root);
    wide(&root.join("wide"));
    fs::create_dir_all(root.join("empty/empty/empty")).unwrap();
    // Big, but takes no space.
    File::create(root.join("sparse")).unwrap().set_len((1 << 33) + 1).unwrap();
    assert!(Command::new("mkfifo").arg(root.join("fifo")).status().unwrap().success());
    // Whatever the umask is: readable to all, except for what comes now.
    assert!(Command::new("chmod").args(["-R", "a+rX"]).arg(root).status().unwrap().success());
    closed(root);
    Sample { unreadable: UNREADABLE.len() as u64 }
}

fn fill(path: impl AsRef<Path>, bytes: usize) {
    fs::write(path, vec![b'x'; bytes]).unwrap();
}

fn odd_names(root: &Path) {
    let long = "n".repeat(255);
    let names: [&[u8]; 8] = [
        b"two\nlines",
        b"not \xff\xfe UTF-8",
        b"-rf",
        b" spaces  everywhere ",
        b"...",
        b"*\\\"'$(x)`",
        b"\x1b[31m\t\x7f",
        long.as_bytes(),
    ];
    for (bytes, name) in names.into_iter().enumerate() {
        let directory = root.join(OsStr::from_bytes(name));
        fs::create_dir(&directory).unwrap();
        fill(directory.join(OsStr::from_bytes(name)), bytes);
    }
}

fn links(dir: &Path) {
    fs::create_dir_all(dir.join("directory/below")).unwrap();
    symlink("directory", dir.join("to a directory")).unwrap();
    symlink(".", dir.join("directory/below/here")).unwrap();
    symlink("../..", dir.join("directory/below/up")).unwrap();
    symlink("second", dir.join("first")).unwrap();
    symlink("first", dir.join("second")).unwrap();
    symlink("missing", dir.join("dangling")).unwrap();
    symlink("/", dir.join("root")).unwrap();
    // Three names of one file, in three directories; two of one symbolic link.
    fill(dir.join("one"), 100_003);
    fs::hard_link(dir.join("one"), dir.join("directory/two")).unwrap();
    fs::hard_link(dir.join("one"), dir.join("directory/below/three")).unwrap();
    fs::hard_link(dir.join("dangling"), dir.join("directory/dangling")).unwrap();
}

/// One path far longer than `PATH_MAX`, which is 4096; and many levels.
fn deep(root: &Path) {
    let name = "d".repeat(200);
    let half = |top: &str| -> PathBuf {
        let path: PathBuf = iter::once(root).chain(iter::once(top.as_ref())).collect();
        iter::repeat_n(&name, 18).fold(path, |path, name| path.join(name))
    };
    let (upper, lower) = (half("deep"), half("lower"));
    fs::create_dir_all(&upper).unwrap();
    fs::create_dir_all(&lower).unwrap();
    fill(lower.join("bottom"), 7);
    fs::create_dir(lower.join("beside the bottom")).unwrap();
    // Neither of the two paths is too long, but what is below the new one is.
    fs::rename(root.join("lower"), upper.join("lower")).unwrap();
    fs::create_dir_all(iter::repeat_n("level", 200).fold(root.to_owned(), |path, name| path.join(name))).unwrap();
}

/// Enough for several workers to be busy at once.
fn wide(dir: &Path) {
    for number in 0..750 {
        let directory = dir.join(number.to_string());
        fs::create_dir_all(&directory).unwrap();
        (0..4).for_each(|file| fill(directory.join(file.to_string()), number + file));
    }
}

/// Directories that an ordinary user can do less with than usual.
fn closed(root: &Path) {
    for (name, mode) in [("no entry", 0o000), ("no list", 0o111), ("no look", 0o444)] {
        let directory = root.join(name);
        fs::create_dir(&directory).unwrap();
        fill(directory.join("file"), 1000);
        symlink("file", directory.join("link")).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
    }
}
