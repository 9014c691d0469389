//! The results for the reader: what was to be reached, and a table, in Markdown.

use crate::calibration;
use crate::contenders::{CONTENDERS, Contender};
use crate::results::{CORES, Row};
use crate::workload::{Setting, Workload};
use crate::{select, spread};
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
fn goals(rows: &[Row], many: &[Row], machine: &str) -> Vec<(String, f64, f64)> {
    let at = |contender, cores| throughput(rows, machine, contender, cores);
    let mut goals: Vec<_> = [1, 2]
        .into_iter()
        .map(|cores| {
            (format!("of the plain list's throughput at {cores} cores"), at(DEFAULT, cores) / at("none", cores), 0.95)
        })
        .collect();
    let medians: Vec<_> = many_cores().map(|cores| throughputs(many, machine, cores)[0]).collect();
    let lowest = medians.iter().copied().fold(f64::MAX, f64::min);
    goals.push(("of its throughput at 8 cores, the lowest up to 256".into(), lowest / medians[0], 1.0));
    for (contender, least) in [("none", 4.0), ("exponential", 2.0)] {
        goals.push((format!("of {contender} at 64 cores"), at(DEFAULT, 64) / at(contender, 64), least));
    }
    goals
}

/// The numbers of cores over which the throughput is not to fall, the first one being what it is compared with.
fn many_cores() -> impl Iterator<Item = usize> {
    CORES.into_iter().filter(|&cores| cores >= 8)
}

/// A fall by a percent or two is within what the seed changes, so this is measured with several.
pub fn points_of_many_cores() -> Vec<(Setting, Contender)> {
    const SEEDS: u64 = 5;
    let mut points = Vec::new();
    for machine in Machine::PRESETS {
        for cores in many_cores() {
            for contender in CONTENDERS.into_iter().filter(|contender| contender.name == DEFAULT) {
                let setting = Setting::new(machine, cores, Workload::Pairs { own_work: 0 });
                points.extend((0..SEEDS).map(|seed| (Setting { seed, ..setting }, contender)));
            }
        }
    }
    points
}

/// The median, the least and the most of the throughputs with several seeds.
fn throughputs(many: &[Row], machine: &str, cores: usize) -> [f64; 3] {
    let chosen = many.iter().filter(|row| row.machine == machine && row.cores == cores);
    spread(chosen.map(|row| row.throughput)).expect("every point was measured")
}

/// What the seeds change.
fn write_spread(text: &mut String, many: &[Row]) -> std::fmt::Result {
    write!(text, "| `{DEFAULT}`, pairs, with several seeds: median, least to most |")?;
    for cores in many_cores() {
        write!(text, " {cores} |")?;
    }
    writeln!(text, "\n|---|{}", "---:|".repeat(many_cores().count()))?;
    for machine in Machine::PRESETS {
        write!(text, "| {} |", machine.name)?;
        for cores in many_cores() {
            let [median, least, most] = throughputs(many, machine.name, cores);
            write!(text, " {median:.1} ({least:.1} to {most:.1}) |")?;
        }
        writeln!(text)?;
    }
    writeln!(text)
}

fn write_goals(text: &mut String, rows: &[Row], many: &[Row], machine: &str) -> std::fmt::Result {
    writeln!(text, "| `{DEFAULT}`, pairs, {machine} | reached | goal | |\n|---|---:|---:|---|")?;
    for (what, reached, goal) in goals(rows, many, machine) {
        let verdict = if reached >= goal { "yes" } else { "no" };
        writeln!(text, "| {what} | {reached:.3} | {goal:.2} | {verdict} |")?;
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

fn write_table(text: &mut String, rows: &[Row], many: &[Row], bench: &str) -> std::fmt::Result {
    writeln!(
        text,
        "**Simulated**, by `ci/scale`: the library's own code on a model of cache-coherent processors, not on \
         processors of so many cores.\n"
    )?;
    for machine in Machine::PRESETS {
        write_goals(text, rows, many, machine.name)?;
    }
    write_spread(text, many)?;
    calibration::write(text, rows, bench)?;
    writeln!(text, "Throughput, in operations per microsecond, by number of cores.\n")?;
    for machine in Machine::PRESETS {
        for workload in Workload::ALL {
            write_throughputs(text, rows, machine.name, workload)?;
        }
    }
    Ok(())
}

/// All of it; `many` are the rows of [`points_of_many_cores`], `bench` is what `ci/bench` has written.
pub fn table(rows: &[Row], many: &[Row], bench: &str) -> String {
    let mut text = String::new();
    write_table(&mut text, rows, many, bench).expect("a string takes it");
    text
}
