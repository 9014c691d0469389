//! Runs the example `walk` on a tree made here, as a user who may not read all of it, and compares its totals with
//! what GNU `find` and `du` say; and on jobs that it makes up.
#![cfg(target_os = "linux")]

mod place;
mod sample;

use place::{PROGRAM, Place, Totals, say};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};
use std::str;

const STACKS: [&str; 5] = ["elimination", "treiber", "exponential", "haphazard", "mutex"];

/// What `walk --json` printed, once it is sure that it is one JSON object in one line.
fn json(output: &[u8]) -> Value {
    let text = str::from_utf8(output).expect("JSON is UTF-8");
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    let value: Value = serde_json::from_str(text).expect("valid JSON");
    assert!(value["seconds"].as_f64().unwrap() > 0.0 && value["entries_per_second"].as_f64().unwrap() > 0.0);
    value
}

fn number(json: &Value, name: &str) -> u64 {
    json[name].as_u64().unwrap_or_else(|| panic!("no number `{name}` in {json}"))
}

/// The totals under the rule of the `du` that is installed.
fn totals(json: &Value, du_counts_directories: bool) -> Totals {
    let left_out = if du_counts_directories { 0 } else { number(json, "directory_bytes") };
    Totals {
        directories: number(json, "directories"),
        files: number(json, "files"),
        bytes: number(json, "bytes") - left_out,
    }
}

#[test]
fn totals_equal_those_of_find_and_du() {
    let place = Place::new();
    let sample = sample::make(&place.path("tree"));
    let Some(expected) = place.find_and_du("tree") else { return };
    let du_counts_directories = place.du_counts_directories();
    assert!(expected.directories > 900 && expected.files > 3000 && expected.bytes > 1 << 33, "{expected:?}");
    for stack in STACKS {
        for threads in ["1", "2", "8"] {
            let output = place.walk(["--json", "--stack", stack, "--threads", threads, "tree"]);
            assert_eq!(output.status.code(), Some(0));
            let json = json(&output.stdout);
            assert_eq!(totals(&json, du_counts_directories), expected, "{stack}, {threads} threads");
            assert_eq!((&json["stack"], &json["directory"]), (&stack.into(), &"tree".into()));
            assert_eq!(number(&json, "threads").to_string(), threads);
            assert_latency(&json, 2 * expected.directories);
            let reports = String::from_utf8(output.stderr).expect("reports are UTF-8");
            assert_eq!(reports.lines().count() as u64, number(&json, "unreadable"), "{reports}");
            if place.is_unprivileged() {
                assert_eq!(number(&json, "unreadable"), sample.unreadable, "{reports}");
            }
            if stack == "mutex" {
                assert!(json["counters"].is_null());
            } else {
                let counters = &json["counters"];
                assert_eq!(number(counters, "pushes"), expected.directories, "each directory pushed once");
                assert_eq!(number(counters, "pops"), expected.directories, "each directory popped once");
            }
        }
    }
}

/// The tail of an operation's time that a JSON object has.
fn assert_latency(json: &Value, operations: u64) {
    let latency = &json["latency_ns"];
    let times = ["p50", "p99", "p99_9", "max"].map(|name| number(latency, name));
    assert!(times[0] > 0 && times.is_sorted(), "{latency}");
    // One of 16, by chance.
    let samples = number(latency, "timed");
    assert!((operations / 24..=operations / 10).contains(&samples), "{samples} of {operations} operations timed");
}

#[test]
fn made_up_jobs_are_all_done() {
    let place = Place::new();
    let jobs = (0..=6).map(|depth| 5_u64.pow(depth)).sum::<u64>();
    for stack in STACKS {
        for threads in ["1", "2", "8"] {
            let output = place.walk(["--json", "--stack", stack, "--threads", threads, "--synthetic", "6,5,10"]);
            assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
            let json = json(&output.stdout);
            assert_eq!((number(&json, "jobs"), &json["stack"]), (jobs, &stack.into()));
            assert_eq!(json["synthetic"], "6,5,10");
            assert_latency(&json, 2 * jobs);
        }
    }
    let one = json(&place.walk(["--json", "--synthetic", "0,1000000,0"]).stdout);
    assert_eq!(number(&one, "jobs"), 1, "what has no level below makes no jobs");
}

#[test]
fn comparing_runs_all_stacks_on_the_same() {
    let place = Place::new();
    sample::make(&place.path("tree"));
    let alone = json(&place.walk(["--json", "tree"]).stdout);
    let (directories, files) = (number(&alone, "directories"), number(&alone, "files"));
    let output = place.walk(["--compare", "--rounds", "3", "--threads", "2", "--json", "tree"]);
    assert_eq!(output.status.code(), Some(0));
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        complaints.lines().count() as u64,
        number(&alone, "unreadable"),
        "once each, not once a run: {complaints}"
    );
    let json: Value = serde_json::from_slice(&output.stdout).expect("valid JSON");
    assert_eq!((number(&json, "threads"), number(&json, "rounds")), (2, 3));
    assert_eq!((&json["directory"], &json["same"]), (&"tree".into(), &true.into()));
    let rows = json["stacks"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["stack"].as_str().unwrap()).collect::<Vec<_>>(), STACKS);
    for row in rows {
        assert_eq!(number(row, "entries"), directories + files);
        assert!(row["seconds"].as_f64().unwrap() > 0.0 && row["entries_per_second"].as_f64().unwrap() > 0.0);
        assert_latency(row, 3 * 2 * directories);
        let calls = number(row, "allocator_calls");
        match row["stack"].as_str().unwrap() {
            "mutex" => assert!((1..50).contains(&calls), "a vector that grows: {calls}"),
            "haphazard" => assert!(calls > directories, "each pop makes a record: {calls}"),
            _ => assert_eq!(calls, number(&row["counters"], "allocator_calls"), "what the stack has counted itself"),
        }
    }
}

#[test]
fn comparing_shows_a_table_and_a_chart() {
    let output = Place::new().walk(["--compare", "--rounds", "1", "--synthetic", "5,6,0"]);
    let text = String::from_utf8(output.stdout).unwrap();
    // Entries per second in the table, the bar's length in the chart.
    let figures = STACKS.map(|stack| {
        let mut lines = text.lines().filter(|line| line.starts_with(stack));
        let (row, bar) = (lines.next().expect(stack), lines.next().expect(stack));
        let columns: Vec<_> = row.split_whitespace().collect();
        assert!(columns.len() == 6 && columns[4] == "ns", "{row}");
        let seconds: f64 = columns[1].parse().unwrap();
        assert!(seconds >= 0.0 && columns[3].parse::<u64>().unwrap() > 0 && columns[5].parse::<u64>().is_ok(), "{row}");
        (columns[2].parse::<u64>().unwrap(), bar.matches('█').count())
    });
    let (most, longest) = *figures.iter().max().unwrap();
    assert!(longest > 40, "{text}");
    for (rate, length) in figures {
        let expected = longest as u64 * rate / most;
        assert!(expected.abs_diff(length as u64) <= 1, "{text}");
    }
}

#[test]
fn a_tree_that_changes_meanwhile_is_noticed() {
    let place = Place::new();
    std::fs::create_dir(place.path("tree")).unwrap();
    let mut walk = place.program();
    walk.args(["--compare", "--rounds", "200", "tree"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut walk = walk.spawn().unwrap();
    let mut files = 0;
    while walk.try_wait().unwrap().is_none() {
        File::create(place.path("tree").join(files.to_string())).unwrap();
        files += 1;
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let output = walk.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && stderr.contains("has the tree changed?"), "{stderr}");
}

#[test]
fn text_says_the_same_as_json() {
    let place = Place::new();
    sample::make(&place.path("tree"));
    let (text, json) = (place.walk(["tree"]), json(&place.walk(["--json", "tree"]).stdout));
    let text = String::from_utf8(text.stdout).unwrap();
    let says = |label: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(label)).expect(label);
        line.split_whitespace().next().expect(label).to_owned()
    };
    for name in ["directories", "files", "bytes", "unreadable"] {
        assert_eq!(says(name), number(&json, name).to_string(), "{name} in {text}");
    }
    assert_eq!(says("pushes"), number(&json["counters"], "pushes").to_string());
    assert!(text.contains("an operation      p50 "), "{text}");
    assert!(says("seconds").parse::<f64>().is_ok() && says("entries per second").parse::<u64>().is_ok(), "{text}");
}

#[test]
fn what_is_unreadable_is_reported_in_one_line_each() {
    let place = Place::new();
    sample::make(&place.path("tree"));
    if !place.is_unprivileged() {
        return say("skipped: nothing is unreadable to this user");
    }
    let reports = String::from_utf8(place.walk(["tree"]).stderr).unwrap();
    for path in sample::UNREADABLE {
        let report = format!("walk: \"tree/{path}\": Permission denied (os error 13)");
        assert!(reports.lines().any(|line| line == report), "{report} in {reports}");
    }
    let output = place.walk(["tree/no entry"]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), b"".as_slice()));
    assert_eq!(output.stderr, b"walk: \"tree/no entry\": Permission denied (os error 13)\n");
}

#[test]
fn the_root_may_have_any_name() {
    let place = Place::new();
    sample::make(&place.path("tree"));
    let du_counts_directories = place.du_counts_directories();
    let odd: [&OsStr; 6] = [
        OsStr::from_bytes(b"tree/not \xff\xfe UTF-8"),
        OsStr::new("tree/two\nlines"),
        OsStr::new("tree/"),
        OsStr::new("./tree/../tree//. "),
        OsStr::new("."),
        OsStr::new("tree/links/to a directory/"),
    ];
    for root in odd {
        let output = place.walk([OsStr::new("--json"), root]);
        let Some(expected) = place.find_and_du(root) else { return };
        if output.status.code() == Some(2) {
            assert_eq!(expected.directories, 0, "{root:?}");
        } else {
            assert_eq!(totals(&json(&output.stdout), du_counts_directories), expected, "{root:?}");
        }
    }
    // A leading dash needs `--`, as everywhere.
    let output = place.walk(["--json", "--", "-rf"]);
    assert_eq!(output.status.code(), Some(2), "there is no such directory here");
    std::fs::create_dir(place.path("-rf")).unwrap();
    assert_eq!(number(&json(&place.walk(["--json", "--", "-rf"]).stdout), "directories"), 1);
}

#[test]
fn wrong_usage_is_one_line_and_exit_code_2() {
    let place = Place::new();
    File::create(place.path("file")).unwrap();
    std::os::unix::fs::symlink(".", place.path("link")).unwrap();
    let wrong: [(&[&str], &str); 20] = [
        (&[], "<DIR>"),
        (&["missing"], "\"missing\": No such file or directory"),
        (&["missing/"], "No such file or directory"),
        (&[""], "'[DIR]'"),
        (&["file"], "\"file\": Not a directory"),
        (&["link"], "symbolic link"),
        (&["--wrong", "."], "'--wrong'"),
        (&[".", "."], "unexpected argument '.'"),
        (&["--threads", "0", "."], "0 is not in 1..=256"),
        (&["--threads", "-1", "."], "-1 is not in 1..=256"),
        (&["--threads", "many", "."], "'many'"),
        (&["--threads"], "--threads <N>"),
        (&["--stack", "heap", "."], "elimination, treiber, exponential, haphazard, mutex"),
        (&["--synthetic", "3,8"], "three whole numbers"),
        (&["--synthetic", "3,8,-1"], "three whole numbers"),
        (&["--synthetic", "3,8,1,1"], "three whole numbers"),
        (&["--synthetic", "3,8,1", "."], "cannot be used with '[DIR]'"),
        (&["--compare", "--stack", "mutex", "."], "cannot be used with"),
        (&["--rounds", "3", "."], "--compare"),
        (&["--compare", "--rounds", "0", "."], "0 is not in 1..=1000"),
    ];
    for (arguments, says) in wrong {
        let output = place.walk(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("walk: ") && stderr.contains(says), "{arguments:?}: {stderr}");
        assert!(stderr.ends_with('\n') && stderr.lines().count() == 1, "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_is_no_failure() {
    let output = Place::new().walk(["--help"]);
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
    let help = String::from_utf8(output.stdout).unwrap();
    let options = ["--threads", "--stack", "--json", "--compare", "--rounds", "--synthetic", "DIR"];
    assert!(options.iter().all(|option| help.contains(option)), "{help}");
}

#[test]
fn a_closed_or_full_stdout_is_no_panic() {
    let place = Place::new();
    for arguments in [["."], ["--help"]] {
        let mut walk = place.program();
        let mut walk = walk.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(walk.stdout.take());
        let output = walk.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
    }
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = place.program().arg(".").stdout(full).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
}

#[test]
fn a_progress_bar_only_on_a_terminal() {
    let place = Place::new();
    let output = place.walk(["."]);
    assert!(output.status.success() && output.stderr.is_empty(), "a bar in a pipe");

    // `script` gives the command a terminal and copies to stdout what was shown there.
    let line = format!("./{PROGRAM} . >/dev/null");
    let mut script = Command::new("script");
    script.args(["-q", "-e", "-c", &line, "/dev/null"]).env("TERM", "xterm").current_dir(place.path(""));
    match script.stdin(Stdio::null()).output() {
        Ok(output) => {
            let shown = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && shown.contains("entries"), "no bar on a terminal: {shown}");
        }
        Err(error) => say(&format!("skipped: a terminal, as `script` cannot be run: {error}")),
    }
}
