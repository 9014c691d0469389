//! The result of a run, as text and as JSON.

use crate::cli::Kind;
use crate::load::Total;
use crate::stacks::Counters;
use crate::watched::{Latency, Seen};
use serde::Serialize;
use std::fmt;

/// What a stack did with a load.
pub struct Run {
    pub stack: Kind,
    /// Workers that took part.
    pub threads: usize,
    pub seconds: f64,
    pub total: Total,
    pub seen: Seen,
    /// Absent if the stack does not count.
    pub counters: Option<Counters>,
}

impl Run {
    pub fn entries_per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
        let entries = self.total.entries() as f64;
        entries / self.seconds
    }
}

/// Where the jobs come from.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Bytes that are not UTF-8 are replaced.
    Directory(String),
    /// As it was asked for.
    Synthetic(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{path}"),
            Self::Synthetic(shape) => write!(f, "synthetic {shape}"),
        }
    }
}

pub struct Report {
    pub source: Source,
    pub run: Run,
}

impl Report {
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Json<'a> {
            #[serde(flatten)]
            source: &'a Source,
            stack: Kind,
            threads: usize,
            seconds: f64,
            #[serde(flatten)]
            total: &'a Total,
            entries_per_second: f64,
            latency_ns: Latency,
            counters: &'a Option<Counters>,
        }
        let Self { source, run } = self;
        let json = Json {
            source,
            stack: run.stack,
            threads: run.threads,
            seconds: run.seconds,
            total: &run.total,
            entries_per_second: run.entries_per_second(),
            latency_ns: run.seen.latency(),
            counters: &run.counters,
        };
        serde_json::to_string(&json).expect("names are strings, numbers are finite") + "\n"
    }
}

/// So many threads.
pub fn in_words(threads: usize) -> String {
    format!("{threads} {}", if threads == 1 { "thread" } else { "threads" })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Run { stack, threads, seconds, total, seen, counters } = &self.run;
        match total {
            Total::Tree(tally) => {
                writeln!(f, "directories         {}", tally.directories)?;
                writeln!(f, "files               {}", tally.files)?;
                writeln!(f, "bytes               {} ({} of them in directories)", tally.bytes, tally.directory_bytes)?;
                writeln!(f, "unreadable          {}", tally.unreadable)?;
            }
            Total::Jobs { jobs } => writeln!(f, "jobs                {jobs}")?,
        }
        writeln!(f, "seconds             {seconds:.3}")?;
        writeln!(f, "entries per second  {:.0}", self.run.entries_per_second())?;
        writeln!(f, "stack               {stack}, {}", in_words(*threads))?;
        let latency = seen.latency();
        writeln!(f, "  an operation      p50 {}, p99 {}, p99.9 {} ns", latency.p50, latency.p99, latency.p99_9)?;
        for (name, count) in counters.iter().flat_map(|counters| counters.0) {
            writeln!(f, "  {:<18}{count}", name.replace('_', " "))?;
        }
        Ok(())
    }
}
