//! Walks a directory tree in parallel, depth first: the stack holds the directories still to be read.
//!
//! ```text
//! cargo run --release --example walk -- [--threads N] [--stack KIND | --compare [--rounds N]] [--json] DIR
//! cargo run --release --example walk -- [the same] --synthetic DEPTH,FANOUT,WORK
//! ```
//!
//! A walk is mostly the system's work, and the stack hardly matters. With `--synthetic` it does: then a job is not a
//! directory, but only pushes `FANOUT` others, and that `DEPTH` levels deep, after `WORK` steps of about a nanosecond.
//!
//! With `--compare` all kinds of stack take turns over the same jobs. Each runs once before, for its calls of the
//! allocator to be counted; then `N` times for the time. An operation is a push, or a pop that finds a job; one of 16 is timed.
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
mod compare;
mod crew;
mod load;
mod report;
mod stacks;
mod tree;
mod watched;

use cli::{Arguments, Kind};
use compare::Comparison;
use elimination_stack::{Exponential, Haphazard, NoBackoff, Slots, Stack};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use load::{Load, Walk};
use report::{Report, Run, Source};
use stacks::WorkStack;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use watched::{Watch, Watched};

fn main() -> ExitCode {
    let arguments = match cli::parse() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let text = match (&arguments.synthetic, &arguments.directory) {
        (Some(load), _) => result(Source::Synthetic(load.to_string()), &arguments, &|kind, watch| {
            run(kind, load, arguments.threads(), watch)
        }),
        (None, Some(directory)) => match walk(directory, &arguments) {
            Ok(text) => text,
            Err(error) => {
                complain_of(directory, &error);
                return ExitCode::from(2);
            }
        },
        (None, None) => unreachable!("one of them is required"),
    };
    write_result(text.as_bytes())
}

/// The result for a directory.
fn walk(directory: &Path, arguments: &Arguments) -> io::Result<String> {
    let start = tree::root(directory)?;
    let bar = progress_bar();
    // If it is walked several times, each complaint is made once.
    let first = AtomicBool::new(true);
    let complain = |path: &Path, error: &io::Error| {
        if first.load(Ordering::Relaxed) {
            bar.suspend(|| complain_of(path, error));
        }
    };
    let source = Source::Directory(directory.to_string_lossy().into_owned());
    Ok(result(source, arguments, &|kind, watch| {
        bar.reset();
        let load = Walk::new(directory, start, complain, |entries| bar.inc(entries));
        let run = run(kind, &load, arguments.threads(), watch);
        first.store(false, Ordering::Relaxed);
        bar.finish_and_clear();
        run
    }))
}

/// Has the stacks run that are asked for, and says what came of it.
fn result(source: Source, arguments: &Arguments, run: &dyn Fn(Kind, Watch) -> Run) -> String {
    let (text, threads) = if arguments.compare {
        let comparison = Comparison::new(source, arguments.rounds.into(), run);
        if !comparison.same {
            complain("the stacks have not counted the same; has the tree changed?");
        }
        (if arguments.json { comparison.to_json() } else { comparison.to_string() }, comparison.threads)
    } else {
        let report = Report { source, run: run(arguments.stack, Watch::Time) };
        (if arguments.json { report.to_json() } else { report.to_string() }, report.run.threads)
    };
    let wanted = arguments.threads();
    if threads < wanted {
        complain(&format!("only {threads} of {wanted} threads could be started"));
    }
    text
}

/// Has a new stack of this kind run.
fn run<L: Load>(kind: Kind, load: &L, threads: usize, watch: Watch) -> Run {
    match kind {
        Kind::Elimination => run_on(&Stack::<L::Job>::new(), kind, load, threads, watch),
        Kind::Treiber => run_on(&Stack::<L::Job, Slots<8>, NoBackoff>::custom(), kind, load, threads, watch),
        Kind::Exponential => run_on(&Stack::<L::Job, Slots<8>, Exponential>::custom(), kind, load, threads, watch),
        Kind::Haphazard => run_on(&Stack::<L::Job, Haphazard>::custom(), kind, load, threads, watch),
        Kind::Mutex => run_on(&Mutex::new(Vec::new()), kind, load, threads, watch),
    }
}

fn run_on<L: Load>(stack: &impl WorkStack<L::Job>, kind: Kind, load: &L, threads: usize, watch: Watch) -> Run {
    let began = Instant::now();
    let watched = Watched::new(stack, watch);
    let tallies = crew::run(&watched, threads, load.first(), |job, tally, push| load.work(job, tally, push));
    Run {
        stack: kind,
        threads: tallies.len(),
        seconds: began.elapsed().as_secs_f64(),
        total: load.total(tallies),
        seen: watched.seen(),
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
