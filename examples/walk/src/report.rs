//! The result of a walk, as text and as JSON.

use crate::cli::Kind;
use crate::stacks::Counters;
use crate::tree::Tally;
use clap::ValueEnum;
use serde::Serialize;
use std::fmt;

#[derive(Serialize)]
pub struct Report {
    /// Bytes that are not UTF-8 are replaced.
    pub directory: String,
    pub stack: Kind,
    /// Workers that took part.
    pub threads: usize,
    pub seconds: f64,
    #[serde(flatten)]
    pub total: Tally,
    /// Absent if the stack does not count.
    pub counters: Option<Counters>,
}

impl Report {
    fn entries_per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
        let entries = (self.total.directories + self.total.files) as f64;
        entries / self.seconds
    }

    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Json<'a> {
            #[serde(flatten)]
            report: &'a Report,
            entries_per_second: f64,
        }
        let json = Json { report: self, entries_per_second: self.entries_per_second() };
        serde_json::to_string(&json).expect("names are strings, numbers are finite") + "\n"
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { total, threads, .. } = self;
        let stack = self.stack.to_possible_value();
        let stack = stack.as_ref().map_or("", |value| value.get_name());
        writeln!(f, "directories         {}", total.directories)?;
        writeln!(f, "files               {}", total.files)?;
        writeln!(f, "bytes               {} ({} of them in directories)", total.bytes, total.directory_bytes)?;
        writeln!(f, "unreadable          {}", total.unreadable)?;
        writeln!(f, "seconds             {:.3}", self.seconds)?;
        writeln!(f, "entries per second  {:.0}", self.entries_per_second())?;
        writeln!(f, "stack               {stack}, {threads} {}", if *threads == 1 { "thread" } else { "threads" })?;
        for (name, count) in self.counters.iter().flat_map(|counters| counters.0) {
            writeln!(f, "  {:<18}{count}", name.replace('_', " "))?;
        }
        Ok(())
    }
}
