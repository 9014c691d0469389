//! Walks a directory tree in parallel, depth first: the stack holds the directories still to be read.
//!
//! ```text
//! cargo run --release --example walk -- [--threads N] [--stack KIND] [--json] DIR
//! ```
//!
//! # What is counted
//!
//! | total | is | equals |
//! |---|---|---|
//! | `directories` | directories, `DIR` itself and unreadable ones too | `find DIR -type d` |
//! | `files` | everything else: symbolic links, pipes, what could not be looked at | `find DIR ! -type d` |
//! | `bytes` | the apparent size of all of them; a file with several names counts once | `du -s -b DIR` |
//! | `directory_bytes` | the part of `bytes` that is the directories' own size | what `du` left out since GNU coreutils 9.2 |
//! | `unreadable` | directories that could not be read, entries that could not be looked at | |
//!
//! Symbolic links are not followed, not even `DIR`; mounted file systems are walked too. What is unreadable is
//! reported on stderr, one line each, and the walk goes on. A path may be longer than `PATH_MAX`. A directory that is
//! mounted inside itself is counted there once more, while `find` and `du` leave it out with a warning.
//!
//! # Exit codes
//!
//! | code | meaning |
//! |---|---|
//! | 0 | the tree was walked, as far as it is readable |
//! | 1 | the result could not be written |
//! | 2 | a wrong option, or `DIR` is no directory or cannot be read |

#[cfg(not(unix))]
compile_error!("the example `walk` needs a Unix system; leave it out with `-p elimination-stack`");

mod cli;
mod crew;
mod report;
mod stacks;
mod tree;

use cli::{Arguments, Kind};
use elimination_stack::{Exponential, Haphazard, NoBackoff, Slots, Stack};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use report::Report;
use stacks::WorkStack;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tree::{Tally, Tree};

fn main() -> ExitCode {
    let arguments = match cli::parse() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let start = match tree::root(&arguments.directory) {
        Ok(tally) => tally,
        Err(error) => {
            complain_of(&arguments.directory, &error);
            return ExitCode::from(2);
        }
    };
    let report = match arguments.stack {
        Kind::Elimination => walk(&Stack::<PathBuf>::new(), &arguments, start),
        Kind::Treiber => walk(&Stack::<PathBuf, Slots<8>, NoBackoff>::custom(), &arguments, start),
        Kind::Exponential => walk(&Stack::<PathBuf, Slots<8>, Exponential>::custom(), &arguments, start),
        Kind::Haphazard => walk(&Stack::<PathBuf, Haphazard>::custom(), &arguments, start),
        Kind::Mutex => walk(&Mutex::new(Vec::new()), &arguments, start),
    };
    let text = if arguments.json { report.to_json() } else { report.to_string() };
    write_result(text.as_bytes())
}

/// Walks the tree, of which `start` has been counted.
fn walk(stack: &impl WorkStack<PathBuf>, arguments: &Arguments, start: Tally) -> Report {
    let began = Instant::now();
    let bar = progress_bar();
    let tree = Tree::new(|path, error| bar.suspend(|| complain_of(path, error)));
    let read = |directory: PathBuf, tally: &mut Tally, push: &mut dyn FnMut(PathBuf)| {
        bar.inc(tree.read(&directory, tally, push));
    };
    let wanted = arguments.threads();
    let tallies: Vec<Tally> = crew::run(stack, wanted, arguments.directory.clone(), read);
    bar.finish_and_clear();
    if tallies.len() < wanted {
        complain(&format!("only {} of {wanted} threads could be started", tallies.len()));
    }
    Report {
        directory: arguments.directory.to_string_lossy().into_owned(),
        stack: arguments.stack,
        threads: tallies.len(),
        seconds: began.elapsed().as_secs_f64(),
        total: tallies.into_iter().fold(start, Tally::plus),
        counters: stack.counters(),
    }
}

/// On stderr, if that is a terminal; if not, it shows nothing.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    if !bar.is_hidden() {
        let style = ProgressStyle::with_template("{spinner} {human_pos} entries, {rate} per second, {elapsed}");
        let rate = |state: &ProgressState, to: &mut dyn fmt::Write| {
            let _ = write!(to, "{:.0}", state.per_sec());
        };
        bar.set_style(style.expect("the template is valid").with_key("rate", rate));
        bar.tick();
        bar.enable_steady_tick(Duration::from_millis(100));
    }
    bar
}

/// One line on stderr. If that is closed, nobody wants to know.
fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "walk: {message}");
}

/// One line, whatever characters the path has.
#[expect(clippy::unnecessary_debug_formatting, reason = "it escapes line breaks, control characters and broken UTF-8")]
fn complain_of(path: &Path, error: &io::Error) {
    complain(&format!("{path:?}: {error}"));
}

/// To stdout. A reader that has gone away, as in `| head -1`, is no failure.
fn write_result(text: &[u8]) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("cannot write the result: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
