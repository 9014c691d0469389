//! All kinds of stack in turn over the same load: a table and a chart.

use crate::cli::Kind;
use crate::report::{Run, Source, in_words};
use crate::stacks::Counters;
use crate::watched::{Latency, Seen, Watch};
use clap::ValueEnum;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Direction, Rect};
use ratatui::widgets::{Bar, BarChart, BarGroup, Widget};
use serde::Serialize;
use std::fmt;

#[derive(Serialize)]
pub struct Comparison {
    #[serde(flatten)]
    source: Source,
    /// Workers that took part in each run; the fewest, if some could not be started.
    pub threads: usize,
    rounds: usize,
    /// Whether all runs counted the same: if not, the tree has changed meanwhile.
    pub same: bool,
    stacks: Vec<Row>,
}

/// One kind of stack.
#[derive(Serialize)]
struct Row {
    stack: Kind,
    entries: u64,
    /// The median of the rounds.
    seconds: f64,
    entries_per_second: f64,
    /// Of all rounds.
    latency_ns: Latency,
    /// Of pushes and pops in one run.
    allocator_calls: u64,
    /// Of that run. Absent if the stack does not count.
    counters: Option<Counters>,
}

impl Comparison {
    /// Has each kind of stack run once to count, which also brings the tree into the page cache, then so many times to
    /// be timed. In each round all take turns, and each round begins with another one: what changes meanwhile changes
    /// for all.
    pub fn new(source: Source, rounds: usize, mut run: impl FnMut(Kind, Watch) -> Run) -> Self {
        let kinds = Kind::value_variants();
        let counted: Vec<Run> = kinds.iter().map(|kind| run(*kind, Watch::Allocator)).collect();
        let mut timed: Vec<Vec<Run>> = kinds.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            for turn in 0..kinds.len() {
                let which = (round + turn) % kinds.len();
                timed[which].push(run(kinds[which], Watch::Time));
            }
        }
        let all = || counted.iter().chain(timed.iter().flatten());
        Self {
            source,
            threads: all().map(|run| run.threads).min().unwrap_or_default(),
            rounds,
            same: all().all(|run| run.total == counted[0].total),
            stacks: counted.into_iter().zip(timed).map(|(counted, timed)| Row::new(counted, timed)).collect(),
        }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("names are strings, numbers are finite") + "\n"
    }

    /// A bar for each kind of stack, as long as it is fast.
    fn chart(&self) -> impl fmt::Display {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "entries per second are fewer")]
        let bar = |row: &Row| {
            let bar = Bar::default().label(row.stack.to_string().into()).value(row.entries_per_second as u64);
            // The table has the figure.
            bar.text_value(String::new())
        };
        let bars: Vec<Bar> = self.stacks.iter().map(bar).collect();
        let area = Rect::new(0, 0, 72, u16::try_from(bars.len()).unwrap_or(u16::MAX));
        let mut cells = Buffer::empty(area);
        BarChart::default()
            .direction(Direction::Horizontal)
            .bar_gap(0)
            .data(BarGroup::default().bars(&bars))
            .render(area, &mut cells);
        let lines = cells.content.chunks(area.width.into());
        let lines: Vec<String> = lines.map(|line| line.iter().map(Cell::symbol).collect()).collect();
        lines.iter().fold(String::new(), |chart, line| chart + line.trim_end() + "\n")
    }
}

impl Row {
    fn new(counted: Run, mut timed: Vec<Run>) -> Self {
        timed.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
        let mut seen = Seen::default();
        for run in &timed {
            seen.add(&run.seen);
        }
        let median = &timed[timed.len() / 2];
        Self {
            stack: counted.stack,
            entries: median.total.entries(),
            seconds: median.seconds,
            entries_per_second: median.entries_per_second(),
            latency_ns: seen.latency(),
            allocator_calls: counted.seen.allocator_calls,
            counters: counted.counters,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, threads, rounds, .. } = self;
        writeln!(f, "{source}, {}, median of {rounds} rounds", in_words(*threads))?;
        writeln!(f)?;
        writeln!(f, "stack        seconds  entries per second  p99.9 of an operation  allocator calls")?;
        for row in &self.stacks {
            let Row { stack, seconds, entries_per_second, allocator_calls, .. } = row;
            let tail = format!("{} ns", row.latency_ns.p99_9);
            writeln!(f, "{stack:<11}{seconds:>9.3}{entries_per_second:>20.0}{tail:>23}{allocator_calls:>17}")?;
        }
        writeln!(f)?;
        writeln!(f, "entries per second")?;
        write!(f, "{}", self.chart())
    }
}
