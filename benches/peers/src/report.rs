//! The tables, in Markdown.

use crate::contenders::{self, DIRECT, HANDLE};
use crate::results::{LOCKED, Results, Spread, TRANSFER, write as write_file};
use crate::sample::PERCENTILES;
use crate::targets::{self, LIST_OPERATIONS, Limit, Line};
use crate::workload::{self, Kind, Workload};
use std::fmt::Write;
use std::path::Path;

/// Writes `bench.md` (what was to be reached), `contenders.md`, `medians.md` (the same in short) and `counters.md`, and
/// prints them.
pub fn write(results: &Results, folder: &Path) -> Result<(), String> {
    let tables = [
        ("bench.md", targets(results)),
        ("contenders.md", contenders(results)),
        ("medians.md", medians(results)),
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
        "{}\n\nA ratio is one of medians, of samples of one cache-transfer class within one run; least and most are of the \
         rounds.\n\n\
         | workload | ours | against | to reach | measured | least | most | rounds | class | reached |\n\
         |---|---|---|---|--:|--:|--:|--:|---|---|\n",
        description(results)
    );
    let lines = targets::lines(results);
    for line in &lines {
        let Line { workload, ours, against, wanted, measured: Some(spread), digits, reached, limit, floor } = line
        else {
            continue;
        };
        let Spread { class, samples, median, least, most } = *spread;
        let (title, class, digits, against) = (title(workload), class.name(), *digits, code(against));
        let reached = match (limit, floor) {
            _ if *reached => "yes".to_owned(),
            (Some(limit), _) if limit.is_beyond() => format!("beyond this machine: {:.2} at most", limit.most()),
            (_, Some(floor)) => format!("**no**; floor: {floor:.2}"),
            _ => "**no**".to_owned(),
        };
        let _ = writeln!(
            text,
            "| {title} | `{ours}` | {against} | {wanted} | {median:.digits$} | {least:.digits$} | {most:.digits$} | \
             {samples} | {class} | {reached} |"
        );
    }
    text + &limits(results, &lines)
}

/// What the machine's own operations take, and what that means for each ratio that was not reached.
fn limits(results: &Results, lines: &[Line]) -> String {
    let missed = lines.iter().filter(|line| !line.reached).filter_map(|line| Some((line, line.limit?)));
    let missed: Vec<_> = missed.collect();
    let (locked, transfer) = (results.machine(LOCKED), results.machine(TRANSFER));
    let (false, Some(locked), Some(transfer)) = (missed.is_empty(), locked, transfer) else {
        return String::new();
    };
    let mut text = format!(
        "\nWhat this machine takes for a compare-exchange that waits for the last one, uncontended: {} ns; for a cache line's \
         way to the other core: {} ns. Each pair needs {LIST_OPERATIONS} of the former, on the one head that all threads share, \
         so in turn; what a program cannot leave out besides is in what the floor takes with one thread, whose head stays \
         where it is, or a handle, if that is less. No list with one head is faster than that, with however many threads: in the \
         elimination array a pair takes two transfers at least. One thread makes all read-modify-writes of its pairs in turn. \
         Nanoseconds of a pair; a goal is what the other stack takes, divided by the ratio to reach.\n\n\
         | workload | ours | against | that takes | goal | read-modify-writes on the head | all of ours | floor, 1 thread | \
         `Handle`, 1 thread | ours takes | the goal is |\n\
         |---|---|---|--:|--:|--:|--:|--:|--:|--:|---|\n",
        cell(Some(locked)),
        cell(Some(transfer)),
    );
    for (line, limit) in missed {
        let Limit { wanted, peer, ours, floor, handle, operations, .. } = limit;
        let product = |count: u32| format!("{count} x {:.1} = {:.1}", locked.median, f64::from(count) * locked.median);
        let verdict = if limit.is_beyond() { "below what it needs" } else { "above what it needs" };
        let _ = writeln!(
            text,
            "| {} | `{}` | {} | {peer:.1} | {:.1} | {} | {} | {floor:.1} | {handle:.1} | {ours:.1} | {verdict} |",
            title(line.workload),
            line.ours,
            code(&line.against),
            peer / wanted,
            product(LIST_OPERATIONS),
            product(operations),
        );
    }
    text
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
             the slowest thread's part of its fair share; and kibibytes that 8 threads' pairs add to the resident memory.\n\n";
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

/// What the README shows: the medians of the workloads that most programs have.
fn medians(results: &Results) -> String {
    const WORKLOADS: [(&str, &str); 7] = [
        ("pairs-1", "1 thread"),
        ("pairs-2", "2 threads"),
        ("pairs-8", "8 threads"),
        ("pairs-32", "32 threads"),
        ("own-work-50", "2, with own work"),
        ("one-way", "one pushes, one pops"),
        ("bulk-2", "2, in bulk"),
    ];
    let machine =
        results.description.lines().filter(|line| !line.starts_with("packages") && !line.starts_with("crates"));
    let mut text = format!(
        "Nanoseconds of a push and a pop, of all threads together, medians. Own work: 50 ns between two operations. In bulk: \
         `push_all` of 64 values, `take_all`, for each value. Printed by `ci/bench` on {}.\n\n",
        machine.collect::<Vec<_>>().join("; ")
    );
    table(&mut text, WORKLOADS.iter().map(|workload| workload.1.to_owned()), |name| {
        let median =
            |workload| results.spread(workload, name, "ns").map_or_else(String::new, |spread| figure(spread.median));
        WORKLOADS.iter().map(|workload| median(workload.0)).collect()
    });
    text
}

/// A figure with three digits or so.
fn figure(value: f64) -> String {
    let digits = usize::from(value < 100.0);
    format!("{value:.digits$}")
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
