//! What is done: jobs that make more jobs, from a directory tree or made up.

use crate::tree::{Tally, Tree};
use serde::Serialize;
use std::fmt;
use std::hint;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Jobs for workers, and how they are counted.
pub trait Load: Sync {
    type Job: Send;
    /// What one worker has counted.
    type Tally: Default + Send;

    fn first(&self) -> Self::Job;

    /// Does a job, and pushes those that it makes.
    fn work(&self, job: Self::Job, tally: &mut Self::Tally, push: &mut dyn FnMut(Self::Job));

    fn total(&self, tallies: Vec<Self::Tally>) -> Total;
}

/// What all workers have counted.
#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Total {
    Tree(Tally),
    Jobs { jobs: u64 },
}

impl Total {
    /// Entries of directories, or jobs.
    pub fn entries(&self) -> u64 {
        match self {
            Self::Tree(tally) => tally.directories + tally.files,
            Self::Jobs { jobs } => *jobs,
        }
    }
}

/// A directory tree that is walked once. A job is a directory.
pub struct Walk<'a, F, P> {
    directory: &'a Path,
    /// The directory itself, counted.
    start: Tally,
    tree: Tree<F>,
    /// Called with the number of entries of each directory.
    progress: P,
}

impl<'a, F: Fn(&Path, &io::Error) + Sync, P: Fn(u64) + Sync> Walk<'a, F, P> {
    pub fn new(directory: &'a Path, start: Tally, unreadable: F, progress: P) -> Self {
        Self { directory, start, tree: Tree::new(unreadable), progress }
    }
}

impl<F: Fn(&Path, &io::Error) + Sync, P: Fn(u64) + Sync> Load for Walk<'_, F, P> {
    type Job = PathBuf;
    type Tally = Tally;

    fn first(&self) -> PathBuf {
        self.directory.to_owned()
    }

    fn work(&self, directory: PathBuf, tally: &mut Tally, push: &mut dyn FnMut(PathBuf)) {
        (self.progress)(self.tree.read(&directory, tally, push));
    }

    fn total(&self, tallies: Vec<Tally>) -> Total {
        Total::Tree(tallies.into_iter().fold(self.start, Tally::plus))
    }
}

/// A tree of jobs with so many levels below the first, so many jobs from each, and so many steps of work in each.
#[derive(Clone, Copy)]
pub struct Synthetic {
    depth: u32,
    fanout: u32,
    work: u64,
}

impl FromStr for Synthetic {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "three whole numbers with commas between them";
        let [depth, fanout, work] = text.split(',').collect::<Vec<_>>()[..] else { return Err(WRONG) };
        let number = |text: &str| text.parse::<u32>().map_err(|_| WRONG);
        Ok(Self { depth: number(depth)?, fanout: number(fanout)?, work: number(work)?.into() })
    }
}

impl fmt::Display for Synthetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.depth, self.fanout, self.work)
    }
}

impl Load for Synthetic {
    /// How many levels are below it.
    type Job = u32;
    /// Jobs that were done.
    type Tally = u64;

    fn first(&self) -> u32 {
        self.depth
    }

    fn work(&self, depth: u32, done: &mut u64, push: &mut dyn FnMut(u32)) {
        // Each step needs the result of the one before, so none is done ahead of time.
        hint::black_box((0..self.work).fold(*done, |state, step| (state ^ step).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        if depth > 0 {
            (0..self.fanout).for_each(|_| push(depth - 1));
        }
        *done += 1;
    }

    fn total(&self, tallies: Vec<u64>) -> Total {
        Total::Jobs { jobs: tallies.into_iter().sum() }
    }
}
