//! The figures: as rows, in a file, and their medians.

use crate::machine::DISTURBED;
use std::fs;
use std::path::Path;

/// What a cache line's transfer between cores took at a sample. The host moves virtual cores about, and this decides what
/// two threads take; so only samples of one class are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// One thread: there are no transfers.
    Any,
    /// About 15 ns: the two are hardware threads of one core.
    Same,
    /// About 50 ns: the cores share a cache.
    Near,
    /// About 200 ns.
    Far,
    /// More, or not the same before and after.
    Unsteady,
}

impl Class {
    const ALL: [Self; 5] = [Self::Any, Self::Same, Self::Near, Self::Far, Self::Unsteady];
    /// So many samples of a class are enough not to look at unsteady ones.
    const ENOUGH: usize = 3;
    /// Nanoseconds from which on a transfer is one between cores.
    const NEAR: f64 = 30.0;
    /// Nanoseconds from which on a transfer is far.
    const FAR: f64 = 110.0;

    fn of(transfer: f64) -> Self {
        match transfer {
            0.0 => Self::Any,
            same if same < Self::NEAR => Self::Same,
            near if near < Self::FAR => Self::Near,
            far if far < DISTURBED => Self::Far,
            _ => Self::Unsteady,
        }
    }

    /// Orders classes with so many samples by how well these can be compared.
    fn rank(self, samples: usize) -> (bool, usize) {
        (self != Self::Unsteady && samples >= Self::ENOUGH, samples)
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Same => "same core",
            Self::Near => "near",
            Self::Far => "far",
            Self::Unsteady => "unsteady",
        }
    }
}

/// One figure of one sample.
#[derive(Clone, Debug)]
pub struct Row {
    pub workload: String,
    pub contender: String,
    pub round: usize,
    pub metric: String,
    pub value: f64,
    /// Nanoseconds of a cache line's transfer before and after; 0 with one thread.
    pub transfer: (f64, f64),
}

impl Row {
    /// From what the process of a sample prints.
    #[must_use]
    pub fn from_sample(workload: &str, contender: &str, round: usize, line: &str) -> Option<Self> {
        Self::from_csv(&format!("{workload},{contender},{round},{line}"))
    }

    /// Of the machine itself.
    #[must_use]
    pub fn of_machine(round: usize, metric: &str, value: f64) -> Self {
        let [workload, contender, metric] = [MACHINE, MACHINE, metric].map(str::to_owned);
        Self { workload, contender, round, metric, value, transfer: (0.0, 0.0) }
    }

    fn from_csv(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').collect();
        let [workload, contender, round, metric, value, before, after] = fields.try_into().ok()?;
        Some(Self {
            workload: workload.to_owned(),
            contender: contender.to_owned(),
            round: round.parse().ok()?,
            metric: metric.to_owned(),
            value: value.parse().ok()?,
            transfer: (before.parse().ok()?, after.parse().ok()?),
        })
    }

    fn to_csv(&self) -> String {
        let Self { workload, contender, round, metric, value, transfer: (before, after) } = self;
        format!("{workload},{contender},{round},{metric},{value:.5},{before},{after}\n")
    }

    /// Whether it is a count, which the build that counts makes, and not a time.
    #[must_use]
    pub fn is_count(&self) -> bool {
        COUNTS.contains(&self.metric.as_str())
    }

    fn class(&self) -> Class {
        let (before, after) = (Class::of(self.transfer.0), Class::of(self.transfer.1));
        if before == after { before } else { Class::Unsteady }
    }
}

/// The name under which stands what is measured of the machine itself.
const MACHINE: &str = "machine";
/// Of it: nanoseconds of an uncontended compare-exchange, of a cache line's way to another core, and of a step of waiting; and how
/// many times as long two threads take that share nothing as one.
pub const LOCKED: &str = "locked";
pub const TRANSFER: &str = "transfer";
pub const STEP: &str = "step";
pub const APART: &str = "apart";

/// What the counting build measures.
pub const COUNTS: [&str; 6] = ["allocator calls", "bytes held", "lost races", "eliminations", "withdrawals", "scans"];

/// All figures of a run.
#[derive(Debug, Default)]
pub struct Results {
    /// Lines of `name: value`: the machine, the versions, what was left out.
    pub description: String,
    rows: Vec<Row>,
    pub failed: Vec<String>,
}

/// The median of some samples, the least and the most of them.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub class: Class,
    pub samples: usize,
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    fn of(class: Class, mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let samples = values.len();
        let middle = values.get(samples / 2)?;
        let median = if samples.is_multiple_of(2) { f64::midpoint(values[samples / 2 - 1], *middle) } else { *middle };
        Some(Self { class, samples, median, least: values[0], most: values[samples - 1] })
    }
}

const HEADER: &str = "workload,contender,round,metric,value,transfer before,transfer after\n";
const FILE: &str = "bench.csv";

impl Results {
    #[must_use]
    pub fn new(description: String) -> Self {
        Self { description, ..Self::default() }
    }

    pub fn note(&mut self, line: Option<String>) {
        self.description.extend(line.map(|line| line + "\n"));
    }

    pub fn add(&mut self, rows: Result<Vec<Row>, String>) {
        match rows {
            Ok(rows) => self.rows.extend(rows),
            Err(error) => self.failed.push(error),
        }
    }

    pub fn write(&self, folder: &Path) -> Result<(), String> {
        let comments = self.description.lines().map(|line| format!("# {line}\n"));
        let rows = self.rows.iter().map(Row::to_csv);
        let text: String = comments.chain([HEADER.to_owned()]).chain(rows).collect();
        write(folder, FILE, &text)
    }

    pub fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let description = text.lines().filter_map(|line| line.strip_prefix("# ")).map(|line| format!("{line}\n"));
        let rows = text.lines().filter_map(Row::from_csv);
        Ok(Self { description: description.collect(), rows: rows.collect(), failed: Vec::new() })
    }

    fn select<'a>(&'a self, workload: &'a str, contender: &'a str, metric: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows
            .iter()
            .filter(move |row| row.workload == workload && row.contender == contender && row.metric == metric)
    }

    fn of_class(&self, class: Class, workload: &str, contender: &str, metric: &str) -> Vec<(usize, f64)> {
        let rows = self.select(workload, contender, metric).filter(|row| row.class() == class);
        rows.map(|row| (row.round, row.value)).collect()
    }

    /// The class that most samples of a workload have, an unsteady one only if there is no other.
    fn usual_class(&self, workload: &str) -> Class {
        self.class_of_most(|row| row.workload == workload)
    }

    /// The class that most samples of a contender at a workload have.
    #[must_use]
    pub fn class_of(&self, workload: &str, contender: &str) -> Class {
        self.class_of_most(|row| row.workload == workload && row.contender == contender)
    }

    fn class_of_most(&self, of: impl Fn(&Row) -> bool) -> Class {
        let count = |class: &Class| {
            self.rows.iter().filter(|row| of(row) && row.metric == "ns" && row.class() == *class).count()
        };
        Class::ALL.into_iter().max_by_key(|class| class.rank(count(class))).expect("there are some")
    }

    /// A contender's figure at a workload, in the class that most samples of the workload have.
    #[must_use]
    pub fn spread(&self, workload: &str, contender: &str, metric: &str) -> Option<Spread> {
        let class = self.usual_class(workload);
        let values = self.of_class(class, workload, contender, metric);
        Spread::of(class, values.into_iter().map(|(_, value)| value).collect())
    }

    /// What one of the machine's own operations takes.
    #[must_use]
    pub fn machine(&self, metric: &str) -> Option<Spread> {
        self.count(MACHINE, MACHINE, metric)
    }

    /// A figure that does not depend on how long transfers take, as a count or memory: of all samples.
    #[must_use]
    pub fn count(&self, workload: &str, contender: &str, metric: &str) -> Option<Spread> {
        Spread::of(Class::Any, self.select(workload, contender, metric).map(|row| row.value).collect())
    }

    /// How many times the first contender's figure the second one's is: the ratio of the medians in the class that has
    /// most samples of both; and the least and the most ratio of a round.
    #[must_use]
    pub fn ratio(&self, workload: &str, metric: &str, first: &str, second: &str) -> Option<Spread> {
        let ratio = |class| self.ratio_in(class, workload, metric, first, second);
        Class::ALL.into_iter().filter_map(ratio).max_by_key(|ratio| ratio.class.rank(ratio.samples))
    }

    /// The same in one class.
    #[must_use]
    pub fn ratio_in(&self, class: Class, workload: &str, metric: &str, first: &str, second: &str) -> Option<Spread> {
        let of = |contender| self.of_class(class, workload, contender, metric);
        quotient(class, &of(first), &of(second))
    }

    /// How many times a contender's time at the first workload, which has one thread, its time at the second one is. Of the
    /// second one the near class, if there are enough samples of it, or else the one that has most.
    #[must_use]
    pub fn growth(&self, contender: &str, first: &str, second: &str) -> Option<Spread> {
        let of = |class, workload| self.of_class(class, workload, contender, "ns");
        let is_near = of(Class::Near, second).len() >= Class::ENOUGH;
        let class = if is_near { Class::Near } else { self.usual_class(second) };
        quotient(class, &of(Class::Any, first), &of(class, second))
    }
}

/// The ratio of the second ones' median to that of the first ones; and the least and the most ratio of a round.
fn quotient(class: Class, first: &[(usize, f64)], second: &[(usize, f64)]) -> Option<Spread> {
    let median = |values: &[(usize, f64)]| Spread::of(class, values.iter().map(|pair| pair.1).collect());
    let median = median(second)?.median / median(first)?.median;
    let rounds = first.iter().flat_map(|(round, value)| {
        second.iter().filter(move |other| other.0 == *round).map(move |other| other.1 / value)
    });
    Spread::of(class, rounds.collect()).map(|spread| Spread { median, ..spread })
}

/// Writes a file of the results.
pub fn write(folder: &Path, name: &str, text: &str) -> Result<(), String> {
    let path = folder.join(name);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: f64 = 50.0;
    const FAR: f64 = 200.0;
    const SAME: f64 = 15.0;

    /// Adds a time of each round, whose transfers took so long before and after.
    fn add(results: &mut Results, workload: &str, contender: &str, times: &[(f64, f64, f64)]) {
        let rows = times.iter().enumerate().map(|(round, (time, before, after))| {
            Row::from_sample(workload, contender, round, &format!("ns,{time},{before},{after}")).expect("a row")
        });
        results.add(Ok(rows.collect()));
    }

    #[test]
    fn the_median_of_an_even_number_is_between_two() {
        let median = |values: &[f64]| Spread::of(Class::Any, values.to_vec()).map(|spread| spread.median);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 9.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0, 9.0, 2.0]), Some(3.0));
    }

    #[test]
    fn only_samples_of_one_class_are_compared() {
        let mut results = Results::default();
        let near = [(20.0, NEAR, NEAR); 3];
        add(
            &mut results,
            "pairs-2",
            "ours",
            &[&near[..], &[(1.0, FAR, FAR), (1.0, NEAR, FAR), (1.0, SAME, SAME)]].concat(),
        );
        add(
            &mut results,
            "pairs-2",
            "other",
            &[&[(40.0, NEAR, NEAR); 3][..], &[(1.0, FAR, FAR); 2], &[(1.0, SAME, SAME); 2]].concat(),
        );
        let ratio = results.ratio("pairs-2", "ns", "other", "ours").expect("there are samples");
        assert_eq!((ratio.class, ratio.samples, ratio.median), (Class::Near, 3, 0.5));
    }

    #[test]
    fn growth_is_of_the_near_class_if_that_has_enough() {
        for (near, class, median) in [(3, Class::Near, 2.0), (2, Class::Far, 8.0)] {
            let mut results = Results::default();
            add(&mut results, "pairs-1", "ours", &[(10.0, 0.0, 0.0); 7]);
            let samples = [vec![(20.0, NEAR, NEAR); near], vec![(80.0, FAR, FAR); 7 - near]].concat();
            add(&mut results, "pairs-2", "ours", &samples);
            let growth = results.growth("ours", "pairs-1", "pairs-2").expect("there are samples");
            assert_eq!((growth.class, growth.median), (class, median));
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let row = Row::from_sample("pairs-2", "std Mutex<Vec>", 4, "p99.9,1.5,50,60").expect("a row");
        let again = Row::from_csv(row.to_csv().trim_end()).expect("a row");
        assert_eq!(again.to_csv(), row.to_csv());
        assert!(Row::from_csv(HEADER.trim_end()).is_none());
    }
}
