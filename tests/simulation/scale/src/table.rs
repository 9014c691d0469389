//! The results for the reader: what was to be reached, and a table, in Markdown.

use crate::calibration;
use crate::contenders::{CONTENDERS, Contender};
use crate::results::{CORES, Row};
use crate::workload::{Setting, Workload};
use crate::{select, spread};
use machine::Machine;
use std::fmt::Write;

/// The contender that a user gets who chooses nothing, but enough slots.
pub const DEFAULT: &str = "elimination-32";
/// The one with as many exchangers as the most cores want.
const WIDEST: &str = "elimination-64";

/// The median over several seeds of what was measured at one point.
struct Medians<'r> {
    rows: &'r [Row],
    machine: &'static str,
}

impl Medians<'_> {
    fn of(&self, workload: Workload, contender: &str, cores: usize, value: fn(&Row) -> f64) -> f64 {
        let rows = select(self.rows, self.machine, &workload.to_string(), contender);
        let rows = rows.into_iter().filter(|row| row.cores == cores);
        spread(rows.map(value)).expect("every point was measured")[0]
    }

    /// Of pairs without own work with the default.
    fn pairs(&self, cores: usize, value: fn(&Row) -> f64) -> f64 {
        self.of(PAIRS, DEFAULT, cores, value)
    }
}

const PAIRS: Workload = Workload::Pairs { own_work: 0 };
const OWN_WORK: Workload = Workload::Pairs { own_work: 1000 };

/// The longest operation, in means: of what an operation takes.
fn longest(row: &Row) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most 256")]
    let cores = row.cores as f64;
    row.longest_nanoseconds * row.throughput / 1e3 / cores
}

/// A goal: a sentence, the figure, what it may be at most or at least.
struct Goal {
    what: String,
    reached: f64,
    bound: f64,
    at_most: bool,
}

impl Goal {
    fn at_least(what: impl Into<String>, reached: f64, bound: f64) -> Self {
        Self { what: what.into(), reached, bound, at_most: false }
    }

    fn is_reached(&self) -> bool {
        if self.at_most { self.reached <= self.bound } else { self.reached >= self.bound }
    }
}

/// What the elimination back-off stack is to reach: the tail and the fairness first.
fn goals(medians: &Medians) -> Vec<Goal> {
    let several = || CORES.into_iter().filter(|&cores| cores > 1);
    let least = |cores: &mut dyn Iterator<Item = usize>, value: fn(&Row) -> f64| {
        cores.map(|cores| medians.pairs(cores, value)).fold(f64::MAX, f64::min)
    };
    let one = medians.pairs(1, |row| row.throughput);
    let throughput = |cores| medians.pairs(cores, |row| row.throughput);
    let widest = |value| medians.of(PAIRS, WIDEST, 256, value);
    let own = |cores| medians.of(OWN_WORK, DEFAULT, cores, |row| row.throughput);
    let mut goals = vec![
        Goal::at_least(
            "share of the slowest core, least of 2 to 256 cores",
            least(&mut several(), |row| row.slowest),
            0.5,
        ),
        Goal::at_least("Jain's index, least of 2 to 256 cores", least(&mut several(), |row| row.fairness), 0.9),
        Goal {
            what: "longest operation, in mean ones, most of 2 to 256 cores".into(),
            reached: several().map(|cores| medians.pairs(cores, longest)).fold(0.0, f64::max),
            bound: 100.0,
            at_most: true,
        },
    ];
    for cores in several().filter(|&cores| cores <= 16) {
        let what = format!("throughput at {cores} cores, of one core's");
        goals.push(Goal::at_least(what, throughput(cores) / one, 0.6));
    }
    let many = least(&mut several().filter(|&cores| cores >= 16), |row| row.throughput);
    goals.push(Goal::at_least("least throughput at 16 to 256 cores, of that at 16", many / throughput(16), 1.0));
    goals.push(Goal::at_least("throughput at 64 cores, of one core's", throughput(64) / one, 1.5));
    goals.push(Goal::at_least("share of eliminated operations there", medians.pairs(64, |row| row.eliminated), 0.6));
    let what = format!("throughput of `{WIDEST}` at 256 cores, of one core's");
    goals.push(Goal::at_least(what, widest(|row| row.throughput) / one, 4.0));
    goals.push(Goal::at_least("share of eliminated operations there", widest(|row| row.eliminated), 0.6));
    goals.push(Goal {
        what: "longest operation there, in mean ones".into(),
        reached: widest(longest),
        bound: 100.0,
        at_most: true,
    });
    let what = "with 1000 cycles of own work, throughput at 64 cores, of 64 times one core's";
    goals.push(Goal::at_least(what, own(64) / (64.0 * own(1)), 0.4));
    goals
}

/// What the goals are judged by: medians of several seeds.
pub fn points() -> Vec<(Setting, Contender)> {
    const SEEDS: u64 = 5;
    let mut points = Vec::new();
    for machine in Machine::PRESETS {
        for (workload, contender, cores) in CORES.into_iter().map(|cores| (PAIRS, DEFAULT, cores)).chain([
            (OWN_WORK, DEFAULT, 1),
            (OWN_WORK, DEFAULT, 64),
            (PAIRS, WIDEST, 256),
        ]) {
            for contender in CONTENDERS.into_iter().filter(|one| one.name == contender) {
                let setting = Setting::new(machine, cores, workload);
                points.extend((0..SEEDS).map(|seed| (Setting { seed, ..setting }, contender)));
            }
        }
    }
    points
}

/// The default at each number of cores: tail and fairness beside the throughput.
fn write_default(text: &mut String, medians: &Medians) -> std::fmt::Result {
    writeln!(
        text,
        "| `{DEFAULT}`, pairs, {}: cores | longest operation, ns | in mean ones | share of the slowest | Jain's index \
         | operations/us | eliminated | transfers |\n|--:|--:|--:|--:|--:|--:|--:|--:|",
        medians.machine
    )?;
    for cores in CORES {
        let of = |value| medians.pairs(cores, value);
        writeln!(
            text,
            "| {cores} | {:.0} | {:.0} | {:.2} | {:.2} | {:.1} | {:.2} | {:.1} |",
            of(|row| row.longest_nanoseconds),
            of(longest),
            of(|row| row.slowest),
            of(|row| row.fairness),
            of(|row| row.throughput),
            of(|row| row.eliminated),
            of(|row| row.transfers)
        )?;
    }
    writeln!(text)
}

fn write_goals(text: &mut String, medians: &Medians) -> std::fmt::Result {
    writeln!(text, "| {}, medians of 5 seeds | reached | goal | |\n|---|---:|---:|---|", medians.machine)?;
    for goal in goals(medians) {
        let verdict = if goal.is_reached() { "yes" } else { "no" };
        let side = if goal.at_most { "at most" } else { "at least" };
        writeln!(text, "| {} | {:.2} | {side} {:.1} | {verdict} |", goal.what, goal.reached, goal.bound)?;
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
        let medians = Medians { rows: many, machine: machine.name };
        write_default(text, &medians)?;
        write_goals(text, &medians)?;
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

/// All of it; `many` are the rows of [`points`], `bench` is what `ci/bench` has written.
pub fn table(rows: &[Row], many: &[Row], bench: &str) -> String {
    let mut text = String::new();
    write_table(&mut text, rows, many, bench).expect("a string takes it");
    text
}
