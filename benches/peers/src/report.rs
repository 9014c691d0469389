//! The tables, in Markdown.

use crate::contenders::{self, DIRECT, EPOCH, FLOOR, HANDLE, PARKING_LOT};
use crate::results::{APART, LOCKED, Results, STEP, Spread, TRANSFER, write as write_file};
use crate::sample::PERCENTILES;
use crate::targets::{self, Line, Verdict};
use crate::workload::{self, Kind, Workload};
use std::fmt::Write;
use std::path::Path;

/// Writes `bench.md` (what was to be reached), `contenders.md`, `medians.md` (the same in short), `speed.md` (five of these) and
/// `counters.md`, and prints them.
pub fn write(results: &Results, folder: &Path) -> Result<(), String> {
    let tables = [
        ("bench.md", targets(results)),
        ("contenders.md", contenders(results)),
        ("medians.md", medians(results)),
        ("speed.md", speed(results)),
        ("counters.md", counters(results)),
    ];
    for (name, text) in tables {
        println!("{text}");
        write_file(folder, name, &text)?;
    }
    Ok(())
}

fn description(results: &Results) -> String {
    let lines: Vec<&str> = results.description.lines().collect();
    format!("Measured by `ci/bench` on {}.", lines.join("; "))
}

fn targets(results: &Results) -> String {
    let mut text = format!(
        "{}\n\nMeasured is a ratio of medians, ours divided by the other one's, of samples of one cache-transfer class within \
         one run; or, in the lines at the end, a count. Least and most are of single rounds.\n\n\
         | workload | ours | against | to reach | measured | least | most | rounds | class | reached |\n\
         |---|---|---|---|--:|--:|--:|--:|---|---|\n",
        description(results)
    );
    for line in targets::lines(results) {
        let Line { workload, ours, against, wanted, measured, digits, verdict } = line;
        let Spread { class, samples, median, least, most } = measured;
        let (title, class, against) = (title(workload), class.name(), code(&against));
        let verdict = match verdict {
            Verdict::Reached => "yes".to_owned(),
            Verdict::Missed => "**no**".to_owned(),
            Verdict::TooFew(needed) => format!("not judged: needs {needed} rounds"),
        };
        let _ = writeln!(
            text,
            "| {title} | `{ours}` | {against} | {wanted} | {median:.digits$} | {least:.digits$} | {most:.digits$} | \
             {samples} | {class} | {verdict} |"
        );
    }
    text + &machine(results)
}

/// What the machine's own operations take: a part of what each pair does.
fn machine(results: &Results) -> String {
    // Of a run that has measured both.
    let figures = |metrics: [&str; 2]| {
        let both = metrics.map(|metric| results.machine(metric));
        both.iter().all(Option::is_some).then(|| both.map(cell))
    };
    let own = figures([LOCKED, TRANSFER]).map_or_else(String::new, |[locked, transfer]| {
        format!(
            "\nThis machine takes {locked} ns for a compare-exchange that nobody contends for and that waits for the last one, and \
             {transfer} ns for a cache line's way to the other core. On one thread a pair has two such read-modify-writes through \
             `Handle`, and four through `Stack` or with a mutex.\n"
        )
    });
    let cores = figures([STEP, APART]).map_or_else(String::new, |[step, apart]| {
        format!(
            "\nA step of waiting takes {step} ns. Two threads that share nothing take {apart} times as long as one by itself: by so \
             much its two cores are less than two, and any stack on 2 threads looks worse beside 1 thread.\n"
        )
    });
    own + &cores
}

/// A name or a few words, in which HTML would see a tag.
fn code(name: &str) -> String {
    name.replace("Mutex<Vec>", "`Mutex<Vec>`")
}

fn title(workload: &str) -> &'static str {
    workload::named(workload).map_or("", |workload| workload.title)
}

/// Every contender at every workload.
fn contenders(results: &Results) -> String {
    const LATENCIES: [(&str, &str); 2] = [("latency", "1 of 16"), ("latency-each", "each")];
    let timed: Vec<Workload> =
        workload::ALL.into_iter().filter(|workload| !matches!(workload.kind, Kind::Latency { .. })).collect();
    let mut text = format!(
        "{}\n\nNanoseconds for each pair of a push and a pop (for each value, or operation, where the column says so), of all \
         threads together: the median, and in brackets the least and the most.\n\n",
        description(results)
    );
    let heads = timed.iter().map(|workload| format!("{} ({})", workload.title, workload.unit()));
    table(&mut text, heads, |name| {
        timed.iter().map(|workload| cell(results.spread(workload.name, name, "ns"))).collect()
    });
    text += "\nNanoseconds of one operation with 2 threads, by percentile, with 1 of 16 pairs timed and with each operation timed; \
             the slowest thread's part of its fair share; and kibibytes by which the resident memory of 8 threads grows that go on with pairs.\n\n";
    let heads =
        LATENCIES.iter().flat_map(|(_, timed)| PERCENTILES.iter().map(move |(name, _)| format!("{name}, {timed}")));
    let heads = heads.chain(["share, 2 threads", "share, 8 threads", "resident memory"].map(str::to_owned));
    table(&mut text, heads, |name| {
        let percentiles = LATENCIES.iter().flat_map(|(workload, _)| {
            PERCENTILES.iter().map(|percentile| cell(results.spread(workload, name, percentile.0)))
        });
        let share = |workload: &str| {
            results.spread(workload, name, "share").map(|share| format!("{:.2}", share.median)).unwrap_or_default()
        };
        let memory = results.count("memory", name, "resident").map(|bytes| format!("{:.0}", bytes.median / 1024.0));
        percentiles.chain([share("pairs-2"), share("pairs-8"), memory.unwrap_or_default()]).collect()
    });
    text
}

/// A column of the medians: its head, and which figure it shows.
struct Column {
    head: &'static str,
    workload: &'static str,
    metric: &'static str,
    /// After the point; if it is not said, three digits are shown or so.
    digits: Option<usize>,
}

const fn column(head: &'static str, workload: &'static str, metric: &'static str, digits: Option<usize>) -> Column {
    Column { head, workload, metric, digits }
}

/// How pairs do without a pause, and beside it their latency and fairness.
const PAIRS: [Column; 9] = [
    column("1 thread", "pairs-1", "ns", None),
    column("2 threads", "pairs-2", "ns", None),
    column("8 threads", "pairs-8", "ns", None),
    column("32 threads", "pairs-32", "ns", None),
    column("p99", "latency", "p99", Some(0)),
    column("p99.9", "latency", "p99.9", Some(0)),
    column("p99.99", "latency", "p99.99", Some(0)),
    column("share of 2", "pairs-2", "share", Some(2)),
    column("share of 8", "pairs-8", "share", Some(2)),
];

/// What these columns are, and where they come from.
fn caption(results: &Results) -> String {
    let machine =
        results.description.lines().filter(|line| !line.starts_with("packages") && !line.starts_with("crates"));
    format!(
        "Medians, printed by `ci/bench` on {}.\n\nThreads that push and pop without a pause. First: nanoseconds of a pair, of all \
         threads together. Percentiles: nanoseconds of one operation, with 2 threads, 1 pair of 16 timed. Share: what the slowest \
         of 2 or 8 threads does, of what each would do if all did the same.\n\n",
        machine.collect::<Vec<_>>().join("; ")
    )
}

/// What the README shows: ours, a lock, the usual way to reclaim, and the list alone.
fn speed(results: &Results) -> String {
    let mut text = caption(results);
    table_of_medians(&mut text, results, &PAIRS, |name| [DIRECT, HANDLE, PARKING_LOT, EPOCH, FLOOR].contains(&name));
    text
}

/// What the guide to servers shows: all, and other workloads besides.
fn medians(results: &Results) -> String {
    const OTHERS: [Column; 4] = [
        column("work of 50 ns", "own-work-50", "ns", None),
        column("work of 100 ns", "own-work-100", "ns", None),
        column("one pushes, one pops", "one-way", "ns", None),
        column("in bulk", "bulk-2", "ns", None),
    ];
    let mut text = caption(results);
    table_of_medians(&mut text, results, &PAIRS, |_| true);
    text += "\nTwo threads at other work, in nanoseconds, of both together: of a pair, with so much work of their own between any two \
             operations; of a value, where one thread pushes and the other pops; of a value, where each does `push_all` of 64 \
             and `take_all`.\n\n";
    table_of_medians(&mut text, results, &OTHERS, |_| true);
    text
}

fn table_of_medians(text: &mut String, results: &Results, columns: &[Column], shown: impl Fn(&str) -> bool) {
    table(text, columns.iter().map(|column| column.head.to_owned()), |name| {
        let cell = |column: &Column| {
            let median = results.spread(column.workload, name, column.metric)?.median;
            let digits = column.digits.unwrap_or(usize::from(median < 100.0));
            Some(format!("{median:.digits$}"))
        };
        columns.iter().map(|column| cell(column).filter(|_| shown(name)).unwrap_or_default()).collect()
    });
}

/// A table of the contenders, without empty lines and columns.
fn table(text: &mut String, heads: impl Iterator<Item = String>, cells: impl Fn(&str) -> Vec<String>) {
    let lines = contenders::all().into_iter().map(|entry| (entry.name, cells(entry.name)));
    let lines: Vec<_> = lines.filter(|(_, cells)| cells.iter().any(|cell| !cell.is_empty())).collect();
    let filled = |column: usize| lines.iter().any(|(_, cells)| !cells[column].is_empty());
    let (columns, heads): (Vec<usize>, Vec<String>) = heads.enumerate().filter(|(column, _)| filled(*column)).unzip();
    let _ = writeln!(text, "| contender | {} |\n|---|{}", heads.join(" | "), "--:|".repeat(heads.len()));
    for (name, cells) in &lines {
        let cells: Vec<&str> = columns.iter().map(|column| cells[*column].as_str()).collect();
        let _ = writeln!(text, "| `{name}` | {} |", cells.join(" | "));
    }
}

fn cell(spread: Option<Spread>) -> String {
    let Some(Spread { median, least, most, .. }) = spread else { return String::new() };
    let digits = usize::from(median < 100.0);
    format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
}

/// What the library counts itself, of a million pushes and pops; and calls of the allocator, of each pair.
fn counters(results: &Results) -> String {
    let mut text =
        "For each million of pushes and pops, counted by the library (feature `stats`); and calls of the allocator \
                    for each pair, or value.\n\n\
                    | workload | through | lost races | eliminations | withdrawals | scans | allocator calls |\n\
                    |---|---|--:|--:|--:|--:|--:|\n"
            .to_owned();
    for workload in workload::ALL {
        for name in [DIRECT, HANDLE] {
            let count = |metric| results.count(workload.name, name, metric).map(|count| count.median);
            let Some(allocator_calls) = count("allocator calls") else { continue };
            let counts =
                ["lost races", "eliminations", "withdrawals", "scans"].map(|metric| count(metric).unwrap_or(0.0));
            let counts = counts.map(|count| format!("{count:.0}")).join(" | ");
            let _ = writeln!(text, "| {} | `{name}` | {counts} | {allocator_calls:.6} |", workload.title);
        }
    }
    text
}
