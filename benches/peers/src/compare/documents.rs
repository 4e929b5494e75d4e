//! The documents that a run writes: all tables, all charts, and the figures of how costs grow.

use super::charts::{Chosen, Panel, draw, draw_summary, in_files};
use super::figures::{Case, Kind, with_commas};
use super::report::Report;
use super::tables::{cell, is_shown, tables, wrapped};
use super::{Effort, WORKLOADS, ahead};
use std::error::Error;
use std::fmt::Write;
use std::path::Path;

/// What each workload measures.
const ABOUT: [(&str, &str); 11] = [
    ("pairs", "One thread takes and gives back, or sends and receives. Nobody else is there."),
    (
        "contended",
        "Several processes want one lock all the time. If there are more processes than processors, \
         the processors are oversubscribed. The smallest share is that of the process with the \
         fewest turns: 1 is an equal share. The run that is kept has the other waits, too: of 50 %, \
         99 % and all.",
    ),
    ("readers", "Several processes want one readers-writer lock all the time. Few of them write."),
    ("pingpong", "Two processes wait for each other in turn. Both sleep meanwhile."),
    ("channels", "Items go from some processes to others."),
    ("latency", "An item goes to another process, and comes back."),
    ("segments", "Shared memory is made and opened. What a primitive takes of it."),
    (
        "deaths",
        "A holder is killed by SIGKILL while others wait. The time is from the kill until one of \
         them runs.",
    ),
    (
        "wakeups",
        "Processes sleep, and all are woken at once. The times are from the call until the last \
         of them runs, and of the call itself.",
    ),
    (
        "idle",
        "Processes sleep, and nothing happens. The time is what all of them together use of a \
         processor in each second.",
    ),
    (
        "growth",
        "The same with more and more processes, segments or primitives. [GROWTH.md](GROWTH.md) has the \
         tables, and what is to be expected beyond them.",
    ),
];

/// What the summary compares, as far as a run has it.
const SUMMARY: [Chosen; 9] = [
    Chosen {
        workload: "pairs",
        case: "lock: take and give back",
        ours: "outlive Mutex",
        label: "Lock and unlock a mutex that nobody else wants",
    },
    Chosen {
        workload: "pairs",
        case: "readers-writer lock: read and unlock",
        ours: "outlive RwLock",
        label: "Read under a readers-writer lock that nobody else wants",
    },
    Chosen {
        workload: "contended",
        case: "lock held 1µs: turns a second, 8 processes",
        ours: "outlive Mutex",
        label: "Eight processes want one lock, each for 1 µs",
    },
    Chosen {
        workload: "pingpong",
        case: "event: a turn to or fro, two processors",
        ours: "outlive Event",
        label: "Wake a process on another processor, and be woken by it",
    },
    Chosen {
        workload: "channels",
        case: "1 to 1 processes, items of 64 bytes",
        ours: "outlive Queue",
        label: "Send 64 bytes to another process",
    },
    Chosen {
        workload: "channels",
        case: "1 to 1 processes, items of 4 KiB",
        ours: "outlive MessageQueue",
        label: "Send 4 KiB to another process",
    },
    Chosen {
        workload: "deaths",
        case: "holder killed, 1 waiter",
        ours: "outlive Mutex",
        label: "From the SIGKILL of a lock's holder to the next holder",
    },
    Chosen {
        workload: "deaths",
        case: "holder of 512 MiB killed, 1 waiter",
        ours: "outlive Mutex",
        label: "The same, if the dead process had 512 MiB",
    },
    Chosen {
        workload: "wakeups",
        case: "until all run, 64 waiters",
        ours: "outlive Event, set",
        label: "Wake 64 sleeping processes",
    },
];

/// Of what there may be more and more, and what the curves of it are called.
const GROWING: [(&str, &str); 5] = [
    ("processes", "With more processes"),
    ("waiters", "With more waiters"),
    ("sleepers", "With more sleepers"),
    ("segments", "With more segments in one process"),
    ("mutexes", "With more mutexes in one segment"),
];

/// The workloads whose curves show how costs grow. (In others, more processes take more turns.)
const GROW: [&str; 4] = ["deaths", "wakeups", "idle", "growth"];

const BEGIN: &str = "<!-- Written by compare --docs: do not edit from here on. -->";
const END: &str = "<!-- End of what compare --docs has written. -->";

/// Writes `SPEED.md`, the charts, and the tables in `GROWTH.md`, into this folder.
///
/// # Errors
/// A file cannot be written. `GROWTH.md` is there, and has no place for the tables.
pub fn write(report: &Report, folder: &Path) -> Result<(), Box<dyn Error>> {
    let charts = folder.join("charts");
    std::fs::create_dir_all(&charts)?;
    remove_old_charts(&charts)?;
    let drawn = draw_summary(&SUMMARY, &report.cases, &charts.join("summary.svg"))?;
    let mut text = head(report);
    if !drawn.is_empty() {
        text += "\n## In short\n\n![outlive beside the best peers](charts/summary.svg)\n";
    }
    text += &ahead::section(&report.cases)?;
    for (name, _) in WORKLOADS {
        text += &of_workload(name, report, &charts)?;
    }
    std::fs::write(folder.join("SPEED.md"), text)?;
    let growth = folder.join("GROWTH.md");
    let before = match std::fs::read_to_string(&growth) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => format!("# How costs grow\n\n{BEGIN}\n{END}\n"),
        Err(error) => return Err(error.into()),
    };
    let after = replace(&before, &growth_tables(report, &charts)?)
        .ok_or_else(|| format!("{}: the lines {BEGIN:?} and {END:?} were expected", growth.display()))?;
    std::fs::write(growth, after)?;
    Ok(())
}

/// A chart of an earlier run may have no successor.
fn remove_old_charts(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn replace(text: &str, new: &str) -> Option<String> {
    let (head, rest) = text.split_once(BEGIN)?;
    let (_old, tail) = rest.split_once(END)?;
    Some(format!("{head}{BEGIN}\n{new}\n{END}{tail}"))
}

fn where_and_when(report: &Report) -> String {
    let machine = &report.machine;
    let effort = match report.effort {
        Effort::Whole => "whole",
        Effort::Quick => "quick: fewer rounds, and fewer cases",
        Effort::Try => "only tried: the figures mean nothing",
    };
    let virtual_ = if machine.is_virtual { "virtual " } else { "" };
    let versions: Vec<String> = machine.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let load = machine.others_used.map_or_else(|| "unknown".to_owned(), |part| format!("{:.0} %", part * 100.0));
    let rows = [
        ("day", machine.date.clone()),
        ("effort", effort.to_owned()),
        ("machine", format!("{} {virtual_}processors, {}", machine.processors, machine.processor)),
        ("kernel", format!("Linux {}", machine.kernel)),
        ("C library", machine.libc.clone()),
        ("toolchain", machine.toolchain.clone()),
        ("versions", versions.join(", ")),
        ("used by other programs meanwhile", format!("{load} of the processors")),
    ];
    let mut text = "| measured | |\n| --- | --- |\n".to_owned();
    for (name, value) in rows {
        text += &format!("| {name} | {} |\n", cell(&value));
    }
    text
}

fn head(report: &Report) -> String {
    format!(
        "\
# How fast is it, beside others?

<!-- Written by compare --docs. Do not edit it: the next run writes it anew. -->

{}
This measures it on your machine, keeps all figures, and writes this page. Only ratios within one
run count.

```text
cargo run --release --manifest-path benches/peers/Cargo.toml --features iceoryx2 --bin compare -- \\
    --json benches/peers/run.json --docs docs
```

That needs Debian's `libboost-dev`, `libclang-dev` and `python3`. Without them, and without the
feature, it runs as well: Boost, iceoryx2 and CPython are then missing.

[run.json](../benches/peers/run.json) has the figures of all rounds, also of what no table here
shows. `--from benches/peers/run.json` prints them as tables, without measuring.

- All contestants of a case run in turn, many rounds. The figures are medians of the rounds.
- 95 % interval: there the median of very many rounds would lie. ±: how far its ends are from the
  median, at most. With fewer than five rounds it is from the least to the greatest.
- x floor: how many times as long as the floor, in the same round. The floor is bare code for the
  same: no lock, no answer to deaths. It neither spins nor gathers, so others can be below it.
- x best peer: how many times as long as the best other between processes. Below 1, outlive is
  better.
- threads only: works among the threads of one process. It shows the price of leaving the process.
- missing: could not be measured here, for the reason given.

[PEERS.md](PEERS.md) shows what each does when somebody dies.
",
        where_and_when(report)
    )
}

fn of_workload(name: &str, report: &Report, charts: &Path) -> Result<String, Box<dyn Error>> {
    let mut cases = report.of_workload(name);
    if cases.is_empty() {
        return Ok(String::new());
    }
    cases.retain(|case| is_shown(case));
    let about = ABOUT.iter().find(|(known, _)| *known == name).map_or("", |(_, about)| about);
    let mut text = format!("\n## {name}\n\n{}\n", wrapped(about));
    for (index, panels) in in_files(&Panel::of(&cases)).iter().enumerate() {
        let file = if index == 0 { format!("{name}.svg") } else { format!("{name}-{}.svg", index + 1) };
        draw(panels, &charts.join(&file))?;
        writeln!(text, "\n![{name}](charts/{file})")?;
    }
    // GROWTH.md has a table for each thing of which there are more and more.
    Ok(if name == "growth" { text } else { text + &tables(&cases)? })
}

/// For each thing of which there may be more and more: a chart, and a table of how many times the
/// cost with the fewest each cost is.
fn growth_tables(report: &Report, charts: &Path) -> Result<String, Box<dyn Error>> {
    let mut text = format!("\n{}", where_and_when(report));
    for (of, title) in GROWING {
        let is_of =
            |case: &&Case| case.at.as_ref().is_some_and(|at| at.of == of) && GROW.contains(&case.workload.as_str());
        let cases: Vec<&Case> = report.cases.iter().filter(is_of).collect();
        let mut counts: Vec<u64> = cases.iter().filter_map(|case| Some(case.at.as_ref()?.count)).collect();
        counts.sort_unstable();
        counts.dedup();
        let Some((fewest, more)) = counts.split_first().filter(|(_, more)| !more.is_empty()) else { continue };
        let file = format!("growth-of-{of}.svg");
        let headline = format!("{title}: how many times the cost with the fewest");
        draw(&[Panel::growth(&headline, of, &cases)], &charts.join(&file))?;
        write!(text, "\n### {title}\n\n![{title}](charts/{file})\n\n| | | {} ", with_commas(*fewest))?;
        more.iter().try_for_each(|count| write!(text, "| x at {} ", with_commas(*count)))?;
        writeln!(text, "|\n| --- | --- |{}", " ---: |".repeat(counts.len()))?;
        let mut curves: Vec<&str> = cases.iter().filter_map(|case| Some(case.at.as_ref()?.curve.as_str())).collect();
        curves.dedup();
        for curve in curves {
            let on_it: Vec<&Case> =
                cases.iter().filter(|case| case.at.as_ref().is_some_and(|at| at.curve == curve)).copied().collect();
            text += &rows_of_curve(curve, &on_it, &counts)?;
        }
    }
    Ok(text)
}

/// The rows of a curve: one for each contestant. A ratio is to the first count that it has.
fn rows_of_curve(curve: &str, cases: &[&Case], counts: &[u64]) -> Result<String, std::fmt::Error> {
    let mut contestants: Vec<(&str, Kind)> = vec![];
    for row in cases.iter().flat_map(|case| &case.rows) {
        if !contestants.contains(&(row.name.as_str(), row.kind)) {
            contestants.push((&row.name, row.kind));
        }
    }
    let mut text = String::new();
    for (name, kind) in contestants {
        let floor = if kind == Kind::Floor { "floor: " } else { "" };
        write!(text, "| {} | {floor}{} |", cell(curve), cell(name))?;
        let mut first = None;
        for count in counts {
            let case = cases.iter().find(|case| case.at.as_ref().is_some_and(|at| at.count == *count));
            let median = case.and_then(|case| case.median_of(name).map(|median| (case.unit, median)));
            let shown = match (median, first) {
                (None, _) => String::new(),
                (Some((unit, median)), None) => {
                    first = Some(median);
                    unit.show(median)
                }
                (Some((_, median)), Some(first)) if first > 0.0 => ratio(median / first),
                (Some((unit, median)), Some(_zero)) => unit.show(median),
            };
            write!(text, " {shown} |")?;
        }
        text.push('\n');
    }
    Ok(text)
}

fn ratio(ratio: f64) -> String {
    match ratio {
        _ if ratio >= 99.5 => with_commas(ratio.round() as u64),
        _ if ratio >= 9.95 => format!("{ratio:.0}"),
        _ => format!("{ratio:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::{Row, Unit};
    use super::super::machine::Machine;
    use super::*;
    use std::collections::BTreeMap;

    fn report() -> Report {
        let row = |name: &str, kind, figure: f64| Row {
            name: name.to_owned(),
            kind,
            // Figures with many digits, and none.
            rounds: vec![figure, figure * 1.1 + 1.0 / 3.0, f64::NAN, figure * 0.9],
        };
        let mut mutex = Case::new("pairs", "lock: take and give back", Unit::Nanoseconds);
        mutex.rows = vec![row("bare", Kind::Floor, 9.0), row("outlive Mutex", Kind::Ours, 9.7)];
        mutex.rows.push(row("pthread | mutex", Kind::Peer, 13.1));
        mutex.missing.push(("Boost".into(), "no headers\nhere".into()));
        let mut cases = vec![mutex, Case::new("pairs", "nobody", Unit::Share)];
        for count in [1, 10, 1_000] {
            let mut case = Case::on_curve("growth", "to join", Unit::Nanoseconds, count, "processes");
            case.rows.push(row("outlive Mutex", Kind::Ours, 100.0 * count as f64));
            cases.push(case);
        }
        Report { machine: Machine { others_used: Some(0.1), ..Machine::this() }, effort: Effort::Try, cases }
    }

    /// All files of a folder, by their names.
    fn files(folder: &Path) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                all.extend(files(&path));
            } else {
                all.insert(path.display().to_string(), std::fs::read_to_string(path).expect("text"));
            }
        }
        all.into_iter().map(|(name, text)| (name.rsplit('/').next().expect("a name").to_owned(), text)).collect()
    }

    #[test]
    fn what_was_read_gives_the_same_documents_as_what_was_measured() {
        let (report, folder) = (report(), tempfile::tempdir().expect("a folder"));
        let json = folder.path().join("report.json");
        report.write(&json).expect("written");
        let read = Report::read(&json).expect("read");
        let documents = [&report, &read].map(|report| {
            let folder = tempfile::tempdir().expect("a folder");
            write(report, folder.path()).expect("written");
            files(folder.path())
        });
        assert_eq!(documents[0], documents[1]);
        let speed = &documents[0]["SPEED.md"];
        assert!(speed.contains("Missing: Boost (no headers here)."), "{speed}");
        assert!(speed.contains("pthread \\| mutex") && speed.contains("### nobody"), "{speed}");
        let mut headings: Vec<&str> = speed.lines().filter(|line| line.starts_with('#')).collect();
        let all = headings.len();
        headings.sort_unstable();
        headings.dedup();
        assert_eq!(headings.len(), all, "each heading is there once: {headings:?}");
        assert!(documents[0]["GROWTH.md"].contains("| to join | outlive Mutex | 110 ns | 10 | 997 |"));
        assert!(documents[0].contains_key("growth-of-processes.svg") && documents[0].contains_key("summary.svg"));
    }

    #[test]
    fn prose_around_the_tables_of_growth_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("GROWTH.md");
        std::fs::write(&file, format!("before\n{BEGIN}\nold\n{END}\nafter\n")).expect("written");
        let old = folder.path().join("charts");
        std::fs::create_dir(&old).and_then(|()| std::fs::write(old.join("gone.svg"), "old")).expect("written");
        write(&report(), folder.path()).expect("written");
        let text = std::fs::read_to_string(&file).expect("text");
        assert!(text.starts_with("before\n") && text.ends_with("after\n") && !text.contains("old\n"), "{text}");
        assert!(!old.join("gone.svg").exists(), "a chart of an earlier run was removed");
        std::fs::write(&file, "no place").expect("written");
        assert!(write(&report(), folder.path()).expect_err("no place").to_string().contains("were expected"));
    }

    #[test]
    fn every_workload_says_what_it_measures() {
        assert!(WORKLOADS.iter().all(|(name, _)| ABOUT.iter().any(|(known, _)| known == name)));
        assert!(ABOUT.iter().all(|(_, about)| wrapped(about).lines().all(|line| line.chars().count() <= 100)));
    }
}
