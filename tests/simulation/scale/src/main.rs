//! How the stacks scale on a simulated machine. `ci/scale` runs it.

mod calibration;
mod charts;
mod check;
mod contenders;
mod measure;
mod results;
mod table;
mod ticket;
mod workload;

use results::Row;
use std::io;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["all", folder] => all(Path::new(folder)),
        ["check", folder] => check::check(Path::new(folder)),
        _ => Err(io::Error::other("usage: scale (all | check) RESULTS")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scale: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures everything, writes it to the folder, and prints the table.
fn all(folder: &Path) -> io::Result<()> {
    let rows = results::measure_all();
    results::write_csv(&rows, &folder.join("scale.csv"))?;
    check::accept(folder)?;
    let many = results::measure(&table::points());
    let table = table::table(&rows, &many, &std::fs::read_to_string(folder.join("bench.csv"))?);
    std::fs::write(folder.join("scale.md"), &table)?;
    charts::draw_all(&rows, folder).map_err(io::Error::other)?;
    print!("{table}");
    Ok(())
}

/// The rows of one chart or table, by contender.
fn select<'r>(rows: &'r [Row], machine: &str, workload: &str, contender: &str) -> Vec<&'r Row> {
    let chosen = |row: &&Row| row.machine == machine && row.workload == workload && row.contender == contender;
    rows.iter().filter(chosen).collect()
}

/// The median, the least and the most, if there are any.
fn spread(samples: impl Iterator<Item = f64>) -> Option<[f64; 3]> {
    let mut samples: Vec<_> = samples.collect();
    samples.sort_by(f64::total_cmp);
    Some([*samples.get(samples.len() / 2)?, *samples.first()?, *samples.last()?])
}
