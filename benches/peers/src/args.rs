//! The command line.

use crate::contenders::{self, Entry};
use crate::sample::Plan;
use crate::targets;
use crate::workload::{self, Workload};
use lexopt::{Arg, Parser, ValueExt};
use regex_lite::Regex;
use std::path::PathBuf;
use std::time::Duration;

pub enum Command {
    /// Measure everything that was asked for.
    Run(Options),
    /// Make tables and charts of former results.
    Report(Options),
    /// Say what there is.
    List,
    /// For the tool itself: one sample of one contender.
    Sample(String, Plan),
    /// For the tool itself: the check of one contender.
    Census(String),
}

/// What to measure, how, and where to put it.
pub struct Options {
    pub rounds: usize,
    /// Whether all workloads take part in each round.
    each: bool,
    /// Of a sample.
    pub time: Duration,
    /// Of a sample that counts values, for each thread.
    pub values: u64,
    /// Of the workload `memory`, of all threads.
    pub pairs: u64,
    contenders: Option<Regex>,
    workloads: Option<Regex>,
    pub folder: PathBuf,
    /// The program that counts.
    pub counting: Option<PathBuf>,
}

impl Options {
    fn new(quick: bool) -> Self {
        let (rounds, time, values, pairs) =
            if quick { (9, 20, 20_000, 1_000_000) } else { (33, 40, 100_000, 10_000_000) };
        Self {
            rounds,
            each: false,
            time: Duration::from_millis(time),
            values,
            pairs,
            contenders: None,
            workloads: None,
            folder: PathBuf::from("."),
            counting: None,
        }
    }

    /// Those that were asked for.
    #[must_use]
    pub fn contenders(&self) -> Vec<Entry> {
        wanted(contenders::all(), self.contenders.as_ref(), |entry| entry.name)
    }

    /// Those that were asked for.
    #[must_use]
    pub fn workloads(&self) -> Vec<Workload> {
        wanted(workload::ALL.into(), self.workloads.as_ref(), |workload| workload.name)
    }

    /// Whether a workload takes part in a round. In the first one all do. What is judged needs most rounds; but who says how many
    /// rounds there are gets as many of each workload.
    #[must_use]
    pub fn takes_part(&self, workload: Workload, round: usize) -> bool {
        self.each || round % 3 < targets::rounds_of_three(workload)
    }

    /// How to take a sample. With many threads for each core it takes longer, so that each gets its turns.
    #[must_use]
    pub fn plan(&self, workload: Workload, steps: u32) -> Plan {
        let time = if workload.threads > 2 { self.time * 3 } else { self.time };
        let memory = workload.kind == workload::Kind::Memory;
        let values = if memory { self.pairs / workload.threads as u64 } else { self.values };
        Plan { workload, time, values, steps }
    }
}

fn wanted<T>(all: Vec<T>, pattern: Option<&Regex>, name: impl Fn(&T) -> &str) -> Vec<T> {
    all.into_iter().filter(|item| pattern.is_none_or(|pattern| pattern.is_match(name(item)))).collect()
}

pub fn parse() -> Result<Command, String> {
    let mut parser = Parser::from_env();
    let quick = std::env::args().any(|arg| arg == "--quick");
    parse_all(&mut parser, Options::new(quick)).map_err(|error| error.to_string())
}

fn parse_all(parser: &mut Parser, mut options: Options) -> Result<Command, lexopt::Error> {
    let (mut list, mut report) = (false, false);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Value(word) if word == "sample" => return parse_sample(parser),
            Arg::Value(word) if word == "census" => return Ok(Command::Census(parser.value()?.string()?)),
            Arg::Long("quick") => {}
            Arg::Long("list") => list = true,
            Arg::Long("report") => report = true,
            Arg::Long("rounds") => {
                options.rounds = parser.value()?.parse_with(positive)?;
                options.each = true;
            }
            Arg::Long("only") => options.contenders = Some(parser.value()?.parse_with(regex)?),
            Arg::Long("workload") => options.workloads = Some(parser.value()?.parse_with(regex)?),
            Arg::Long("folder") => options.folder = parser.value()?.into(),
            Arg::Long("counting") => options.counting = Some(parser.value()?.into()),
            _ => return Err(arg.unexpected()),
        }
    }
    if options.contenders().is_empty() {
        return Err("--only: no contender has such a name".into());
    }
    if options.workloads().is_empty() {
        return Err("--workload: no workload has such a name".into());
    }
    Ok(match (list, report) {
        (true, _) => Command::List,
        (_, true) => Command::Report(options),
        _ => Command::Run(options),
    })
}

fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "not a positive number".to_owned())
}

fn regex(text: &str) -> Result<Regex, String> {
    Regex::new(&format!("(?i){text}")).map_err(|_| "not a regular expression".to_owned())
}

/// `sample CONTENDER WORKLOAD MICROSECONDS VALUES STEPS`: what `run` passes on.
fn parse_sample(parser: &mut Parser) -> Result<Command, lexopt::Error> {
    let contender = parser.value()?.string()?;
    let workload = parser.value()?.parse_with(|name| workload::named(name).ok_or("no such workload"))?;
    let time = Duration::from_micros(parser.value()?.parse()?);
    let plan = Plan { workload, time, values: parser.value()?.parse()?, steps: parser.value()?.parse()? };
    Ok(Command::Sample(contender, plan))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> Options {
        let mut parser = Parser::from_args(arguments);
        match parse_all(&mut parser, Options::new(false)) {
            Ok(Command::Run(options)) => options,
            _ => panic!("these arguments ask for a run"),
        }
    }

    #[test]
    fn workloads_take_part_in_as_many_rounds_as_they_need() {
        let rounds = |arguments: &[&str]| {
            let options = options(arguments);
            ["latency", "pairs-2", "bulk-2"].map(|name| {
                let workload = workload::named(name).expect("there is one");
                (0..options.rounds).filter(|round| options.takes_part(workload, *round)).count()
            })
        };
        assert_eq!(rounds(&[]), [33, 22, 11]);
        assert_eq!(rounds(&["--rounds", "4"]), [4, 4, 4]);
    }
}
