//! The results for the reader: what was to be reached, and a table, in Markdown.

use crate::calibration;
use crate::contenders::CONTENDERS;
use crate::results::{CORES, Row};
use crate::select;
use crate::workload::Workload;
use machine::Machine;
use std::fmt::Write;

/// The contender that a user gets who chooses nothing, but enough slots.
pub const DEFAULT: &str = "elimination-4";

fn throughput(rows: &[Row], machine: &str, contender: &str, cores: usize) -> f64 {
    let pairs = Workload::Pairs { own_work: 0 }.to_string();
    let row = select(rows, machine, &pairs, contender).into_iter().find(|row| row.cores == cores);
    row.expect("every point was measured").throughput
}

/// What the elimination back-off stack is to reach with symmetric pairs: a sentence, the figure, and the least it may be.
fn goals(rows: &[Row], machine: &str) -> Vec<(String, f64, f64)> {
    let at = |contender, cores| throughput(rows, machine, contender, cores);
    let mut goals: Vec<_> = [1, 2]
        .into_iter()
        .map(|cores| {
            (format!("of the plain list's throughput at {cores} cores"), at(DEFAULT, cores) / at("none", cores), 0.95)
        })
        .collect();
    let lowest = CORES.into_iter().filter(|&cores| cores >= 8).map(|cores| at(DEFAULT, cores)).fold(f64::MAX, f64::min);
    goals.push(("of its throughput at 8 cores, the lowest up to 256".into(), lowest / at(DEFAULT, 8), 1.0));
    for (contender, least) in [("none", 4.0), ("exponential", 2.0)] {
        goals.push((format!("of {contender} at 64 cores"), at(DEFAULT, 64) / at(contender, 64), least));
    }
    goals
}

fn write_goals(text: &mut String, rows: &[Row], machine: &str) -> std::fmt::Result {
    writeln!(text, "| `{DEFAULT}`, pairs, {machine} | reached | goal | |\n|---|---:|---:|---|")?;
    for (what, reached, goal) in goals(rows, machine) {
        let verdict = if reached >= goal { "yes" } else { "no" };
        writeln!(text, "| {what} | {reached:.2} | {goal:.2} | {verdict} |")?;
    }
    writeln!(text)
}

fn write_throughputs(text: &mut String, rows: &[Row], machine: &str, workload: Workload) -> std::fmt::Result {
    write!(text, "| {workload}, {machine} |")?;
    for cores in CORES {
        write!(text, " {cores} |")?;
    }
    writeln!(text, "\n|---|{}", "---:|".repeat(CORES.len()))?;
    for contender in CONTENDERS {
        write!(text, "| `{}` |", contender.name)?;
        let measured = select(rows, machine, &workload.to_string(), contender.name);
        for cores in CORES {
            match measured.iter().find(|row| row.cores == cores) {
                Some(row) => write!(text, " {:.1} |", row.throughput)?,
                None => write!(text, " |")?,
            }
        }
        writeln!(text)?;
    }
    writeln!(text)
}

fn write_table(text: &mut String, rows: &[Row], bench: &str) -> std::fmt::Result {
    writeln!(
        text,
        "**Simulated**, by `ci/scale`: the library's own code on a model of cache-coherent processors, not on \
         processors of so many cores.\n"
    )?;
    for machine in Machine::PRESETS {
        write_goals(text, rows, machine.name)?;
    }
    calibration::write(text, rows, bench)?;
    writeln!(text, "Throughput, in operations per microsecond, by number of cores.\n")?;
    for machine in Machine::PRESETS {
        for workload in Workload::ALL {
            write_throughputs(text, rows, machine.name, workload)?;
        }
    }
    Ok(())
}

/// All of it; `bench` is what `ci/bench` has written.
pub fn table(rows: &[Row], bench: &str) -> String {
    let mut text = String::new();
    write_table(&mut text, rows, bench).expect("a string takes it");
    text
}
