//! A run of seconds that has to give the very counts that were accepted before.

use crate::contenders::CONTENDERS;
use crate::results::{self, csv};
use crate::workload::{Setting, Workload};
use machine::Machine;
use std::io;
use std::path::{Path, PathBuf};

const CORES: usize = 16;

fn file(folder: &Path) -> PathBuf {
    folder.join("scale-16.csv")
}

/// 16 cores, all contenders, each workload without own work.
fn measure() -> String {
    let mut points = Vec::new();
    for machine in Machine::PRESETS {
        for workload in Workload::ALL {
            for contender in CONTENDERS {
                points.push((Setting::new(machine, CORES, workload), contender));
            }
        }
    }
    csv(&results::measure(&points))
}

/// Takes the counts of now as right.
pub fn accept(folder: &Path) -> io::Result<()> {
    std::fs::write(file(folder), measure())
}

/// Compares the counts of now with the accepted ones.
pub fn check(folder: &Path) -> io::Result<()> {
    let file = file(folder);
    let accepted = std::fs::read_to_string(&file)?;
    let now = measure();
    if now == accepted {
        return Ok(());
    }
    for (old, new) in accepted.lines().zip(now.lines()).filter(|(old, new)| old != new) {
        println!("- {old}\n+ {new}");
    }
    let name = file.display();
    Err(io::Error::other(format!("the counts are not those of {name}; if they may have changed, run ci/scale")))
}
