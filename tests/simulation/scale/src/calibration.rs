//! The model against this machine: what it predicts for 1 and 2 cores beside what `ci/bench` has measured.

use crate::results::Row;
use crate::workload::Workload;
use crate::{select, spread};
use machine::Machine;
use std::fmt::Write;

/// The contenders of both, by their names here and in `bench.csv`.
const BOTH: [(&str, &str); 3] =
    [("none", "Handle + NoBackoff"), ("exponential", "Handle + Exponential"), ("elimination-32", "Handle")];

/// Why they differ, as far as is known.
const WHY: &str = "\
On one core the model is off by the same factor for all contenders, so ratios between them hold. A pair has two locked \
instructions, whose cost is in the last lines; the rest of the difference: the model takes accesses one after the other, a \
processor begins the next while the last is under way. Where a locked instruction takes 2.5 ns, as measured on another processor, \
the model is 4 times as slow.

On two cores with a back-off, one core runs alone nearly all the time, and the error is that of one core. Without one, the model \
lets who has the line keep it for half of the way to the next core on average, which presumably flatters it; and the samples \
go from those of a thread that runs alone to many times that. So absolute figures are good within a factor of two on a processor \
like this one, and of four on others.
";

/// The median, the least and the most of the samples of this metric; of times, in nanoseconds.
fn measured(bench: &str, workload: &str, contender: &str, metric: &str) -> Option<[f64; 3]> {
    let sample = |line: &str| {
        let fields: Vec<_> = line.split(',').collect();
        let chosen = fields.len() > 4 && fields[0] == workload && fields[1] == contender && fields[3] == metric;
        if chosen { fields[4].parse().ok() } else { None }
    };
    spread(bench.lines().filter_map(sample))
}

fn write_row(text: &mut String, what: &str, cores: usize, model: f64, measured: [f64; 3]) -> std::fmt::Result {
    let [median, least, most] = measured;
    let ratio = model / median;
    writeln!(text, "| {what} | {cores} | {model:.1} | {median:.1} ({least:.1} to {most:.1}) | {ratio:.2} |")
}

/// The table, and why.
pub fn write(text: &mut String, rows: &[Row], bench: &str) -> std::fmt::Result {
    writeln!(
        text,
        "Nanoseconds for a push and a pop, as the model of one socket has it and as `ci/bench` has measured on 2 cores of \
         another processor (`bench.md` says which): medians, and in brackets the least and the most of the rounds.\n"
    )?;
    writeln!(text, "| pairs; operations | cores | model | measured | model / measured |\n|---|---:|---:|---:|---:|")?;
    let pairs = Workload::Pairs { own_work: 0 }.to_string();
    for cores in [1, 2] {
        for (here, there) in BOTH {
            let row = select(rows, Machine::ONE_SOCKET.name, &pairs, here).into_iter().find(|row| row.cores == cores);
            // Two operations are a pair.
            let model = 2e3 / row.expect("every point was measured").throughput;
            if let Some(measured) = measured(bench, &format!("pairs-{cores}"), there, "ns") {
                write_row(text, &format!("`{here}`"), cores, model, measured)?;
            }
        }
    }
    let Machine { gigahertz, costs, .. } = Machine::ONE_SOCKET;
    for (what, cores, cycles, metric) in [
        ("one locked instruction", 1, costs.read_modify_write, "locked"),
        ("a line's way to another core", 2, costs.same_cluster, "transfer"),
    ] {
        if let Some(measured) = measured(bench, "machine", "machine", metric) {
            #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
            let model = cycles as f64 / gigahertz;
            write_row(text, what, cores, model, measured)?;
        }
    }
    writeln!(text, "\n{WHY}")
}
