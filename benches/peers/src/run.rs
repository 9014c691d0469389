//! The rounds. In each, for each workload, all contenders take turns; so what changes with time changes for all. Each
//! sample is taken by a process of its own: it finds a fresh heap, and memory in other places than the last one.

use crate::args::Options;
use crate::contenders::{self, DIRECT, Entry, HANDLE};
use crate::machine;
use crate::results::{self, Results, Row};
use crate::sample::Plan;
use crate::workload::{Kind, Workload};
use std::path::Path;
use std::process::{self, Command};
use std::time::{Duration, Instant};
use std::{env, thread};

/// After so long a sample is given up; most take a few hundredths of a second.
const LIMIT: Duration = Duration::from_mins(2);

/// What is left out, if something is.
#[must_use]
pub fn missing() -> Option<String> {
    let packages = env!("PEERS_MISSING");
    (!packages.is_empty()).then(|| format!("Left out, because these Debian packages are not installed: {packages}"))
}

pub fn run(options: &Options) -> Result<Results, String> {
    let contenders = options.contenders();
    let workloads = options.workloads();
    let own = env::current_exe().map_err(|error| error.to_string())?;
    let steps = machine::steps_in(Duration::from_micros(1));
    let mut results = Results::new(machine::description());
    results.note(missing());
    let begin = Instant::now();
    for entry in &contenders {
        results.add(child(&own, entry.name, &["census", entry.name]).map(|_| Vec::new()));
    }
    for round in 0..options.rounds {
        results.add(Ok(machine_rows(round)));
        for workload in workloads.iter().filter(|workload| options.takes_part(**workload, round)) {
            for turn in 0..contenders.len() {
                let entry = &contenders[(turn + round) % contenders.len()];
                // It takes long, and is to be compared with the bound alone.
                if workload.kind == Kind::Memory && round > 0 && !counted(entry) {
                    continue;
                }
                results.add(sample(&own, entry, round, &options.plan(*workload, steps)));
            }
        }
        progress(round + 1, options.rounds, begin.elapsed());
    }
    if let Some(counting) = &options.counting {
        for workload in &workloads {
            for entry in contenders.iter().filter(|entry| counted(entry)) {
                let rows = sample(counting, entry, 0, &options.plan(*workload, steps));
                results.add(rows.map(|mut rows| {
                    rows.retain(Row::is_count);
                    rows
                }));
            }
        }
    }
    Ok(results)
}

/// Whether the contender is one whose memory and calls of the allocator are to be judged.
fn counted(entry: &Entry) -> bool {
    [DIRECT, HANDLE].contains(&entry.name)
}

/// What this machine's own operations take at present.
fn machine_rows(round: usize) -> Vec<Row> {
    let figures = [
        (results::LOCKED, machine::locked()),
        (results::TRANSFER, machine::transfer()),
        (results::STEP, machine::step()),
        (results::APART, machine::apart()),
    ];
    figures.map(|(metric, value)| Row::of_machine(round, metric, value)).into()
}

fn progress(round: usize, rounds: usize, elapsed: Duration) {
    eprintln!("bench: round {round} of {rounds}, {} s", elapsed.as_secs());
}

/// Has `program` take one sample: its rows, none if the contender cannot do it, or what went wrong.
fn sample(program: &Path, entry: &Entry, round: usize, plan: &Plan) -> Result<Vec<Row>, String> {
    let Plan { workload, time, values, steps } = plan;
    if workload.kind == Kind::Large && entry.large.is_none() {
        return Ok(Vec::new());
    }
    let numbers = [time.as_micros().to_string(), values.to_string(), steps.to_string()];
    let arguments = ["sample", entry.name, workload.name, &numbers[0], &numbers[1], &numbers[2]];
    let text = child(program, &format!("{}, {}", entry.name, workload.name), &arguments)?;
    Ok(text.lines().filter_map(|line| Row::from_sample(workload.name, entry.name, round, line)).collect())
}

/// What the process of one sample or census prints, or what went wrong with it.
fn child(program: &Path, what: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let words = String::from_utf8_lossy(&output.stderr);
        Err(format!("{what}: {} ({})", words.trim(), output.status))
    }
}

/// What the process of one sample does. Each line: a figure's name, its value, and what a cache line's transfer took before
/// and after.
pub fn take_sample(contender: &str, plan: &Plan) -> Result<(), String> {
    let entry = begin(contender)?;
    let take = if plan.workload.kind == Kind::Large { entry.large.ok_or("no large values")? } else { entry.words };
    let transfer = |workload: Workload| if workload.shares() { machine::transfer() } else { 0.0 };
    let before = transfer(plan.workload);
    let figures = take(plan);
    let after = transfer(plan.workload);
    for (name, value) in figures {
        println!("{name},{value},{before:.1},{after:.1}");
    }
    Ok(())
}

/// What the process of a census does.
pub fn take_census(contender: &str) -> Result<(), String> {
    let entry = begin(contender)?;
    if (entry.census)() { Ok(()) } else { Err("has lost or doubled values".to_owned()) }
}

/// The contender of this name, and an end for this process if it hangs.
fn begin(contender: &str) -> Result<Entry, String> {
    thread::spawn(|| {
        thread::sleep(LIMIT);
        eprintln!("hangs");
        process::abort();
    });
    let entry = contenders::all().into_iter().find(|entry| entry.name == contender);
    entry.ok_or_else(|| "no such contender".to_owned())
}
