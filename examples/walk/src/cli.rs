//! The command line.

use crate::load::Synthetic;
use clap::{Parser, ValueEnum, value_parser};
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

/// Walks a directory tree in parallel and prints its totals.
#[derive(Parser)]
#[command(name = "walk")]
pub struct Arguments {
    /// The directory to walk
    #[arg(value_name = "DIR", required_unless_present = "synthetic", conflicts_with = "synthetic")]
    pub directory: Option<PathBuf>,

    /// Instead of a directory a tree of jobs: levels below the first job, jobs from each, steps of work in each, of about
    /// a nanosecond
    #[arg(long, value_name = "DEPTH,FANOUT,WORK")]
    pub synthetic: Option<Synthetic>,

    // Each worker has one directory open, and a process is often allowed only 1024.
    /// How many workers, 1 to 256 [default: as many as the machine runs at once]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = value_parser!(u16).range(1..=256))]
    threads: Option<u16>,

    /// What holds the directories still to be read
    #[arg(long, value_name = "KIND", value_enum, default_value_t = Kind::Elimination)]
    pub stack: Kind,

    /// Run all kinds of stack in turn, and compare them
    #[arg(long, conflicts_with = "stack")]
    pub compare: bool,

    /// How often each is timed, 1 to 1000
    #[arg(long, value_name = "N", requires = "compare", default_value_t = 5, value_parser = value_parser!(u16).range(1..=1000))]
    pub rounds: u16,

    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// The stacks to choose from.
#[derive(Clone, Copy, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Treiber's list with an elimination array: the default `Stack`
    Elimination,
    /// Treiber's list alone
    Treiber,
    /// Treiber's list with exponential back-off
    Exponential,
    /// As elimination, with memory reclaimed by the crate haphazard
    Haphazard,
    /// `std::sync::Mutex<Vec<_>>`, to compare
    Mutex,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
    }
}

impl Arguments {
    pub fn threads(&self) -> usize {
        self.threads.map_or_else(|| thread::available_parallelism().map_or(1, |n| n.get().min(256)), usize::from)
    }
}

/// The arguments; or, after help or a complaint, the exit code.
pub fn parse() -> Result<Arguments, ExitCode> {
    Arguments::try_parse().map_err(|error| {
        if error.use_stderr() {
            crate::complain(&one_line(&error.to_string()));
            ExitCode::from(2)
        } else {
            // If stdout is closed, nobody wants the help.
            let _ = error.print();
            ExitCode::SUCCESS
        }
    })
}

/// What clap says up to the first empty line, after which come tips and usage.
fn one_line(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let lines: Vec<&str> = message.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    lines.join(" ") + "; see --help"
}
