//! Measures the library's stacks beside others: `ci/bench`. How, is in `benches/README.md`.

#[cfg(feature = "count")]
mod allocator;
mod args;
mod census;
mod charts;
mod contender;
mod contenders;
mod machine;
mod report;
mod results;
mod run;
mod sample;
mod targets;
mod worker;
mod workload;

use args::{Command, Options};
use results::Results;
use std::process::ExitCode;

fn main() -> ExitCode {
    let command = match args::parse() {
        Ok(command) => command,
        Err(error) => {
            eprintln!("bench: {error}; see ci/bench --help");
            return ExitCode::from(2);
        }
    };
    let result = match command {
        Command::Sample(contender, plan) => run::take_sample(&contender, &plan),
        Command::Census(contender) => run::take_census(&contender),
        Command::Run(options) => measure(&options),
        Command::Report(options) => Results::read(&options.folder).and_then(|results| show(&results, &options)),
        Command::List => {
            list();
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<(), String> {
    let results = run::run(options)?;
    results.write(&options.folder)?;
    show(&results, options)?;
    match results.failed.as_slice() {
        [] => Ok(()),
        failed => Err(format!("failed: {}", failed.join("; "))),
    }
}

/// Writes the tables and the charts, and prints the tables.
fn show(results: &Results, options: &Options) -> Result<(), String> {
    report::write(results, &options.folder)?;
    charts::draw(results, &options.folder)?;
    println!("in {}", options.folder.display());
    Ok(())
}

fn list() {
    println!("Contenders:");
    for entry in contenders::all() {
        println!("    {}", entry.name);
    }
    println!("Workloads:");
    for workload in workload::ALL {
        println!("    {:<12}{}", workload.name, workload.title);
    }
    if let Some(missing) = run::missing() {
        println!("{missing}");
    }
}
