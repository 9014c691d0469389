//! The model against this machine: what it predicts for 1 and 2 cores beside what `ci/bench` has measured.

use crate::results::Row;
use crate::select;
use crate::workload::Workload;
use machine::Machine;
use std::fmt::Write;

/// The contenders of both, by their names here and in `bench.csv`.
const BOTH: [(&str, &str); 3] =
    [("none", "Handle + NoBackoff"), ("exponential", "Handle + Exponential"), ("elimination-4", "Handle")];

/// Why they differ, as far as is known.
const WHY: &str = "\
On one core the model is too slow, for all contenders alike: ratios between them hold. A pair has three locked instructions, at \
18 cycles or 6.2 ns in the model; alone in a loop one was measured at 2.8 ns on a machine like this one, which would explain \
two thirds of the difference. The \
rest: the model takes accesses one after the other, a processor begins the next while the last is under way.

On two cores with a back-off, one core runs alone nearly all the time, and the error is that of one core. Without one the model \
is too fast: the line's way from core to core takes as long here (`bench.csv` has 50 to 65 ns) as there, so a pair here moves it \
more often; the model lets who has the line keep it for half of the way, which presumably flatters it. And the \
samples themselves go from 22 ns, as if one thread ran alone, to ten times that. So the model understates what waiting gains on two \
cores, and absolute figures are good within a factor of two, no better.
";

/// A contender's samples of a workload in nanoseconds a pair, in order.
fn samples(bench: &str, workload: &str, contender: &str) -> Vec<f64> {
    let sample = |line: &str| {
        let fields: Vec<_> = line.split(',').collect();
        let chosen = fields.len() > 4 && fields[0] == workload && fields[1] == contender && fields[3] == "ns";
        if chosen { fields[4].parse().ok() } else { None }
    };
    let mut samples: Vec<f64> = bench.lines().filter_map(sample).collect();
    samples.sort_by(f64::total_cmp);
    samples
}

/// The table, and why.
pub fn write(text: &mut String, rows: &[Row], bench: &str) -> std::fmt::Result {
    writeln!(
        text,
        "Nanoseconds for a push and a pop, as the model of one socket has it and as `ci/bench` has measured on 2 cores of \
         another processor (`bench.md` says which): medians, and in brackets the least and the most of the rounds.\n"
    )?;
    writeln!(text, "| pairs | cores | model | measured | model / measured |\n|---|---:|---:|---:|---:|")?;
    let pairs = Workload::Pairs { own_work: 0 }.to_string();
    for cores in [1, 2] {
        for (here, there) in BOTH {
            let row = select(rows, Machine::ONE_SOCKET.name, &pairs, here).into_iter().find(|row| row.cores == cores);
            // Two operations are a pair.
            let model = 2e3 / row.expect("every point was measured").throughput;
            let samples = samples(bench, &format!("pairs-{cores}"), there);
            let (Some(least), Some(most)) = (samples.first(), samples.last()) else { continue };
            let median = samples[samples.len() / 2];
            let ratio = model / median;
            writeln!(text, "| `{here}` | {cores} | {model:.1} | {median:.1} ({least:.1} to {most:.1}) | {ratio:.2} |")?;
        }
    }
    writeln!(text, "\n{WHY}")
}
