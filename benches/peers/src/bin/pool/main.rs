//! Measures the pool of `examples/pool.rs` beside others: `ci/bench --pool`, see `benches/README.md`.
//!
//! As the other benchmark: in each round all take turns, each sample is taken by a process of its own, and only samples of one
//! cache-transfer class are compared.

mod contenders;
#[allow(dead_code, reason = "the other benchmark needs the rest")]
#[path = "../../machine.rs"]
mod machine;
#[allow(dead_code, reason = "the other benchmark needs the rest")]
#[path = "../../results.rs"]
mod results;
mod sample;

use results::{Results, Row};
use std::env;
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

const THREADS: [usize; 4] = [1, 2, 8, 32];
/// Nanoseconds for which each object is used, and the same again before the next one is.
const WORK: [u64; 2] = [0, 250];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["sample", contender, threads, microseconds, steps] => sample::take(contender, threads, microseconds, steps),
        ["check", contender] => sample::check(contender),
        [folder, rounds, milliseconds] => match (rounds.parse(), milliseconds.parse()) {
            (Ok(rounds), Ok(milliseconds)) => measure(Path::new(folder), rounds, Duration::from_millis(milliseconds)),
            _ => Err("no numbers".to_owned()),
        },
        _ => Err("to be called by ci/bench".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(folder: &Path, rounds: usize, time: Duration) -> Result<(), String> {
    let names = sample::NAMES;
    for name in names {
        child(&["check", name])?;
    }
    let mut results = Results::new(machine::description());
    for round in 0..rounds {
        for (threads, work) in workloads() {
            let steps = if work == 0 { 0 } else { machine::steps_in(Duration::from_nanos(work)) };
            // With many threads for each core it takes longer, so that each gets its turns.
            let time = if threads > 2 { 3 * time } else { time };
            let numbers = [threads.to_string(), time.as_micros().to_string(), steps.to_string()];
            for turn in 0..names.len() {
                let name = names[(turn + round) % names.len()];
                let lines = child(&["sample", name, &numbers[0], &numbers[1], &numbers[2]])?;
                let workload = workload(threads, work);
                results
                    .add(Ok(lines.lines().filter_map(|line| Row::from_sample(&workload, name, round, line)).collect()));
            }
        }
        eprintln!("bench: pool, round {} of {rounds}", round + 1);
    }
    let text = table(&results);
    println!("{text}");
    results::write(folder, "pool.md", &text)
}

fn workloads() -> impl Iterator<Item = (usize, u64)> {
    WORK.into_iter().flat_map(|work| THREADS.map(|threads| (threads, work)))
}

fn workload(threads: usize, work: u64) -> String {
    format!("{threads} {work}")
}

/// What a process of this program prints.
fn child(arguments: &[&str]) -> Result<String, String> {
    let own = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(own).args(arguments).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
    }
}

fn table(results: &Results) -> String {
    let [ours, others @ ..] = sample::NAMES;
    let description: Vec<&str> = results
        .description
        .lines()
        .filter(|line| !line.starts_with("packages") && !line.starts_with("crates"))
        .collect();
    let mut text = format!(
        "The pool of `examples/pool.rs`, measured by `ci/bench --pool` on {}. Nanoseconds to get an object and put it back, of all \
         threads together, with the use of it, and as much time before the next, included. Of the others: how many times as \
         long they take, the median, and in brackets the least and the most of a round. Objects: the most that were made in a sample, \
         by the pool, and by the others in their order.\n\n\
         | threads | in use, ns | `Pool` | {} | class | objects |\n|--:|--:|--:|{}---|---|\n",
        description.join("; "),
        others.map(|name| name.replace("Mutex<Vec>", "`Mutex<Vec>`")).join(" | "),
        "--:|".repeat(others.len())
    );
    for (threads, work) in workloads() {
        let workload = workload(threads, work);
        let Some(time) = results.spread(&workload, ours, "ns") else { continue };
        let ratios = others.map(|other| {
            let ratio = results.ratio(&workload, "ns", ours, other);
            ratio.map_or_else(String::new, |ratio| {
                format!("{:.2} ({:.2} to {:.2})", ratio.median, ratio.least, ratio.most)
            })
        });
        let made = sample::NAMES.map(|name| {
            results.count(&workload, name, "made").map_or_else(String::new, |made| format!("{:.0}", made.most))
        });
        let _ = writeln!(
            text,
            "| {threads} | {work} | {:.1} | {} | {} | {} |",
            time.median,
            ratios.join(" | "),
            time.class.name(),
            made.join(", ")
        );
    }
    text
}
