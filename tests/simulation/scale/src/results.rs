//! All that is measured, as rows, and as a CSV file.

use crate::contenders::{CONTENDERS, Contender};
use crate::workload::{Setting, Workload};
use machine::Machine;
use std::fmt::Write;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

/// How many cores.
pub const CORES: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// One measured point.
#[derive(Clone, Debug)]
pub struct Row {
    pub machine: &'static str,
    pub workload: String,
    pub contender: &'static str,
    pub cores: usize,
    pub operations: u64,
    /// Operations in a microsecond.
    pub throughput: f64,
    /// Lost races, withdrawn offers, transfers of cache lines: of each operation.
    pub lost_races: f64,
    pub withdrawals: f64,
    pub transfers: f64,
    pub far_transfers: f64,
    /// The part of the operations that met their partner in the elimination array.
    pub eliminated: f64,
    /// R. Jain's index.
    pub fairness: f64,
    /// What the slowest core did, of what each would do if all did the same.
    pub slowest: f64,
    pub longest_nanoseconds: f64,
}

const COLUMNS: &str = "machine,workload,contender,cores,operations,operations per us,lost races per operation,\
    withdrawals per operation,transfers per operation,far transfers per operation,eliminated share,fairness,share of the slowest,longest ns";

impl Row {
    pub fn measure(setting: &Setting, contender: &Contender) -> Self {
        let sample = (contender.measure)(setting);
        let each = |count| sample.per_operation(count);
        Self {
            machine: setting.machine.name,
            workload: setting.workload.to_string(),
            contender: contender.name,
            cores: setting.cores,
            operations: sample.total(),
            throughput: sample.throughput(setting),
            lost_races: each(sample.counts.lost_races as u64),
            withdrawals: each(sample.counts.withdrawals as u64),
            transfers: each(sample.transfers),
            far_transfers: each(sample.far_transfers),
            eliminated: each(sample.counts.eliminated as u64),
            fairness: sample.fairness(setting),
            slowest: sample.slowest(setting),
            longest_nanoseconds: sample.longest_nanoseconds(setting),
        }
    }

    fn csv(&self) -> String {
        format!(
            "{},{},{},{},{},{:.3},{:.3},{:.3},{:.3},{:.3},{:.3},{:.3},{:.3},{:.0}",
            self.machine,
            self.workload,
            self.contender,
            self.cores,
            self.operations,
            self.throughput,
            self.lost_races,
            self.withdrawals,
            self.transfers,
            self.far_transfers,
            self.eliminated,
            self.fairness,
            self.slowest,
            self.longest_nanoseconds
        )
    }
}

/// Every machine, workload, contender and number of cores, in this order.
pub fn measure_all() -> Vec<Row> {
    let mut points = Vec::new();
    for machine in Machine::PRESETS {
        for workload in Workload::ALL {
            for contender in CONTENDERS {
                for cores in CORES.into_iter().filter(|cores| *cores >= workload.least_cores()) {
                    points.push((Setting::new(machine, cores, workload), contender));
                }
            }
        }
    }
    measure(&points)
}

/// Measures the points on all processors of the host, and leaves them in their order.
pub fn measure(points: &[(Setting, Contender)]) -> Vec<Row> {
    let rows = Mutex::new(vec![None; points.len()]);
    let next = AtomicUsize::new(0);
    // The last ones of each group take longest.
    let work = || {
        while let Some(index) = points.len().checked_sub(1 + next.fetch_add(1, Relaxed)) {
            let (setting, contender) = &points[index];
            let row = Row::measure(setting, contender);
            rows.lock().expect("no thread panics with it")[index] = Some(row);
        }
    };
    thread::scope(|scope| {
        (0..thread::available_parallelism().map_or(1, usize::from)).for_each(|_| {
            scope.spawn(work);
        });
    });
    rows.into_inner().expect("as above").into_iter().map(|row| row.expect("all were measured")).collect()
}

/// The rows as a file with commas.
pub fn csv(rows: &[Row]) -> String {
    let mut text = format!("{COLUMNS}\n");
    for row in rows {
        writeln!(text, "{}", row.csv()).expect("a string takes it");
    }
    text
}

pub fn write_csv(rows: &[Row], file: &Path) -> io::Result<()> {
    std::fs::write(file, csv(rows))
}
