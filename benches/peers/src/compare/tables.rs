//! The tables of the documents.

use super::figures::{Case, Summary, Unit, with_commas};
use std::fmt::Write;

/// A text that cannot end a cell of a table.
pub(super) fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Removes what is there already.
pub(super) fn keep_first<T: PartialEq>(all: &mut Vec<T>) {
    let mut kept: Vec<T> = vec![];
    for each in all.drain(..) {
        if !kept.contains(&each) {
            kept.push(each);
        }
    }
    *all = kept;
}

/// Lines of at most 100 columns.
pub(super) fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("never empty");
        match last.chars().count() + 1 + word.chars().count() {
            _ if last.is_empty() => last.push_str(word),
            columns if columns <= 100 => last.extend([" ", word]),
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// The figures of a workload that people look at. The others are in the kept run.
pub(super) fn is_shown(case: &Case) -> bool {
    const LEFT_OUT: [&str; 3] =
        [": 50 % of the waits took at most", ": 99 % of the waits took at most", ": all of the waits took at most"];
    case.at.as_ref().is_none_or(|at| !LEFT_OUT.iter().any(|end| at.curve.ends_with(end)))
}

/// The title of the table that has this case, and the heading of its column there. Cases that have
/// the same contestants share one.
#[must_use]
pub fn split(case: &Case) -> (String, String) {
    let parts = |at: &str| case.name.split_once(at).map(|(title, column)| (title.to_owned(), column.to_owned()));
    let whole = || (case.name.clone(), String::new());
    match (case.workload.as_str(), &case.at) {
        ("contended", Some(at)) => match at.curve.split_once(": ") {
            Some((held, what)) if what != "turns a second" => {
                (what.to_owned(), format!("{}, {}", held.trim_start_matches("lock held "), with_commas(at.count)))
            }
            _ => (at.curve.clone(), with_commas(at.count)),
        },
        (_, Some(at)) => (at.curve.clone(), with_commas(at.count)),
        ("pairs", None) => parts(": ").unwrap_or_else(whole),
        ("latency", None) => match parts(" to or fro, ") {
            Some((item, processors)) => {
                ("an item to or fro".to_owned(), format!("{}, {processors}", item.trim_start_matches("an item of ")))
            }
            None => whole(),
        },
        ("pingpong" | "channels", None) => parts(", ").unwrap_or_else(whole),
        _ => whole(),
    }
}

/// All tables of these cases, in their order.
pub(super) fn tables(cases: &[&Case]) -> Result<String, std::fmt::Error> {
    let mut titles: Vec<String> = cases.iter().map(|case| split(case).0).collect();
    keep_first(&mut titles);
    let mut text = String::new();
    for title in titles {
        let of_table: Vec<&Case> = cases.iter().copied().filter(|case| split(case).0 == title).collect();
        text += &match *of_table {
            [case] => table(case)?,
            _ => table_of_several(&title, &of_table)?,
        };
    }
    Ok(text)
}

/// The table of one case.
fn table(case: &Case) -> Result<String, std::fmt::Error> {
    let mut text = format!("\n### {}\n\n", case.name);
    if case.unit == Unit::Bytes {
        return Ok(text + &sizes(case)? + &missing(&[case]));
    }
    text += "| | median | 95 % interval | x floor | x best peer |\n| --- | ---: | ---: | ---: | ---: |\n";
    for row in case.summaries() {
        writeln!(text, "| {} |", row.cells(case.unit).map(|text| cell(&text)).join(" | "))?;
    }
    Ok(text + &missing(&[case]))
}

/// A row for each size, with all that have it.
fn sizes(case: &Case) -> Result<String, std::fmt::Error> {
    let rows = case.summaries();
    let mut sizes: Vec<f64> = rows.iter().map(|row| row.median).collect();
    sizes.sort_by(f64::total_cmp);
    keep_first(&mut sizes);
    let mut text = "| | |\n| ---: | --- |\n".to_owned();
    for size in sizes {
        let of_it: Vec<String> = rows.iter().filter(|row| row.median == size).map(Summary::title).collect();
        writeln!(text, "| {} | {} |", case.unit.show(size), cell(&of_it.join("; ")))?;
    }
    Ok(text)
}

/// Who could not be measured, by the reasons.
fn missing(cases: &[&Case]) -> String {
    let mut all: Vec<(&str, &str)> =
        cases.iter().flat_map(|case| case.missing.iter().map(|(name, why)| (name.as_str(), why.as_str()))).collect();
    keep_first(&mut all);
    let mut reasons: Vec<&str> = all.iter().map(|(_, why)| *why).collect();
    keep_first(&mut reasons);
    let said: Vec<String> = reasons
        .iter()
        .map(|reason| {
            let of_it: Vec<&str> = all.iter().filter(|(_, why)| why == reason).map(|(name, _)| *name).collect();
            format!("{} ({})", of_it.join(", "), reason)
        })
        .collect();
    if said.is_empty() {
        String::new()
    } else {
        format!("\n{}\n", wrapped(&format!("Missing: {}.", cell(&said.join("; ")))))
    }
}

/// The table of several cases: a row for each contestant, and columns for each case.
fn table_of_several(title: &str, cases: &[&Case]) -> Result<String, std::fmt::Error> {
    let summaries: Vec<_> = cases.iter().map(|case| (case.unit, case.summaries())).collect();
    let rows = || summaries.iter().flat_map(|(_, rows)| rows);
    let mut names: Vec<String> = rows().map(Summary::title).collect();
    keep_first(&mut names);
    // With many columns nobody finds anything, and the floor has a row.
    let has_floors = cases.len() < 4 && rows().any(|row| row.to_floor.is_some());
    let has_peers = cases[0].unit != Unit::Share && rows().any(|row| row.to_best_peer.is_some());
    let ratio_heads = [(has_floors, " x floor |"), (has_peers, " x best peer |")];
    let ratio_heads: String = ratio_heads.iter().filter(|(is_there, _)| *is_there).map(|(_, head)| *head).collect();
    let counts = || cases.iter().filter_map(|case| case.at.as_ref());
    let (heading, of) = match (counts().map(|at| at.count).min(), counts().max_by_key(|at| at.count)) {
        (Some(least), Some(most)) => {
            let of = if split(cases[0]).1.contains(", ") { format!("held, {}", most.of) } else { most.of.clone() };
            (format!("{title}, {} to {}", with_commas(least), most.counted()), of)
        }
        _ => (title.to_owned(), String::new()),
    };
    let mut text = format!("\n### {heading}\n\n| {of} |");
    for case in cases {
        write!(text, " {} |{ratio_heads}", cell(&split(case).1))?;
    }
    writeln!(
        text,
        "\n| --- |{}",
        " ---: |".repeat(cases.len() * (1 + usize::from(has_floors) + usize::from(has_peers)))
    )?;
    for name in names {
        write!(text, "| {} |", cell(&name))?;
        let ratio = |ratio: Option<f64>| ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        for (unit, rows) in &summaries {
            let row = rows.iter().find(|row| row.title() == name);
            write!(text, " {} |", row.map_or_else(String::new, |row| with_spread(row, *unit)))?;
            if has_floors {
                write!(text, " {} |", ratio(row.and_then(|row| row.to_floor)))?;
            }
            if has_peers {
                write!(text, " {} |", ratio(row.and_then(|row| row.to_best_peer)))?;
            }
        }
        text.push('\n');
    }
    Ok(text + &missing(cases))
}

fn with_spread(row: &Summary, unit: Unit) -> String {
    match row.spread() {
        spread if spread < 0.5 || unit == Unit::Share => unit.show(row.median),
        spread => format!("{} ±{spread:.0} %", unit.show(row.median)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::{Kind, Row};
    use super::*;

    fn case(mut case: Case, figures: &[(&str, f64)]) -> Case {
        for (name, figure) in figures {
            case.rows.push(Row { name: (*name).to_owned(), kind: Kind::Peer, rounds: vec![*figure; 5] });
        }
        case
    }

    #[test]
    fn cases_with_the_same_contestants_share_a_table() {
        let of = |workload, name| split(&Case::new(workload, name, Unit::Nanoseconds));
        let is = |title: &str, column: &str| (title.to_owned(), column.to_owned());
        assert_eq!(of("pairs", "channel: send and receive 8 bytes"), is("channel", "send and receive 8 bytes"));
        assert_eq!(of("pingpong", "event: a turn, one processor"), is("event: a turn", "one processor"));
        assert_eq!(
            of("latency", "an item of 4 KiB to or fro, one processor"),
            is("an item to or fro", "4 KiB, one processor")
        );
        assert_eq!(of("segments", "to open one, and use it"), is("to open one, and use it", ""));
        let on_curve = |curve| split(&Case::on_curve("contended", curve, Unit::Share, 8, "processes"));
        assert_eq!(on_curve("lock held 1µs: the smallest share"), is("the smallest share", "1µs, 8"));
        assert_eq!(on_curve("lock held 1µs: turns a second"), is("lock held 1µs: turns a second", "8"));
    }

    #[test]
    fn a_table_of_several_cases_has_a_row_for_each_contestant() {
        let on = |count| Case::on_curve("idle", "sleeping", Unit::Nanoseconds, count, "processes");
        let mut many = case(on(1_000), &[("one", 30.0)]);
        many.missing.push(("other".into(), "too many".into()));
        let few = case(on(1), &[("one", 10.0), ("other", 20.0)]);
        let text = tables(&[&few, &many]).expect("formatted");
        let expected = "
### sleeping, 1 to 1,000 processes

| processes | 1 | x best peer | 1,000 | x best peer |
| --- | ---: | ---: | ---: | ---: |
| one | 10.0 ns | 0.50 | 30.0 ns |  |
| other | 20.0 ns | 2.00 |  |  |

Missing: other (too many).
";
        assert_eq!(text, expected);
    }

    #[test]
    fn sizes_have_a_row_each() {
        let sizes = Case::new("segments", "bytes of a primitive", Unit::Bytes);
        let text = tables(&[&case(sizes, &[("one", 8.0), ("two", 4.0), ("three", 8.0)])]).expect("formatted");
        assert!(text.ends_with("| 4.00 B | two |\n| 8.00 B | one; three |\n"), "{text}");
    }
}
