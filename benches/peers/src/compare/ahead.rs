//! Where is a peer between processes ahead of outlive, by how much, and why?

use super::WORKLOADS;
use super::figures::{Case, Kind, Row, Unit, with_commas};
use super::reasons::{REASONS, Reason, answers_deaths, polls};
use super::tables::{cell, is_shown, keep_first, split, wrapped};
use std::fmt::Write;

/// Up to here, a ratio may be noise. Both the ratio and the whole interval of it are above this, or
/// the peer is not called ahead.
pub const NOISE: f64 = 1.05;

/// A row in which a peer is ahead.
#[derive(Debug)]
pub struct Ahead<'a> {
    /// Where.
    pub case: &'a Case,
    /// Who of ours.
    pub ours: &'a Row,
    /// The best peer between processes.
    pub peer: &'a Row,
    /// How many times as good as ours it was. Infinite, if it took nothing at all.
    pub times: f64,
    /// The same for the best peer that answers deaths and does not poll, if there is one.
    pub times_of_alike: Option<f64>,
    /// Why, if that is known.
    pub reason: Option<&'static Reason>,
}

/// All rows of the page in which a peer is ahead. What the figures of bytes count differs too much.
#[must_use]
pub fn rows(cases: &[Case]) -> Vec<Ahead<'_>> {
    cases.iter().filter(|case| case.unit != Unit::Bytes && is_shown(case)).flat_map(rows_of).collect()
}

fn rows_of(case: &Case) -> impl Iterator<Item = Ahead<'_>> {
    let peer = case.best(|row| row.kind == Kind::Peer);
    let alike = case.best(|row| row.kind == Kind::Peer && answers_deaths(&row.name) && !polls(&row.name));
    case.rows.iter().filter(|row| row.kind == Kind::Ours).filter_map(move |ours| {
        let peer = peer?;
        let times = case.times(ours, peer);
        let is_above = |ratio: f64| ratio > NOISE; // not, if it is NaN
        (is_above(times.median()) && is_above(times.median_interval().0)).then(|| Ahead {
            case,
            ours,
            peer,
            times: times.median(),
            times_of_alike: alike.map(|alike| case.times(ours, alike).median()).filter(|times| !times.is_nan()),
            reason: REASONS.iter().find(|reason| reason.covers(case, &ours.name)),
        })
    })
}

/// The rows of which the reason is not known, as texts.
#[must_use]
pub fn without_reason(cases: &[Case]) -> Vec<String> {
    let unknown = rows(cases).into_iter().filter(|row| row.reason.is_none());
    unknown
        .map(|row| format!("{}: {}: {}: {}", row.case.workload, row.case.name, row.ours.name, times(row.times)))
        .collect()
}

/// A ratio for people.
fn times(ratio: f64) -> String {
    match ratio {
        _ if ratio.is_infinite() => "nothing at all".to_owned(),
        _ if ratio >= 9.995 => with_commas(ratio.round() as u64),
        _ => format!("{ratio:.2}"),
    }
}

/// The section of the page: for each workload, and for each reason, largest first.
///
/// # Errors
/// None that is not one of formatting.
pub fn section(cases: &[Case]) -> Result<String, std::fmt::Error> {
    let all = rows(cases);
    let mut text = format!(
        "
## Where another one is ahead

Rows in which the best peer between processes beats outlive: by a ratio above {NOISE}, with its whole
95 % interval above {NOISE}. The largest come first. A figure says how many times as long outlive
takes, or how many times as much the other one gets done.

- *hangs*: a death may leave its users waiting, as [PEERS.md](PEERS.md) shows. Unix pipes, POSIX
  queues and ipc-channel go on, but may lose an item. The ring under a robust mutex is not tried
  there.
- *polls*: it does not sleep. It burns a processor while it waits.
- The last column compares with the best that does neither, for all these rows. Below 1, outlive is
  better.
- `floors NAME` repeats an experiment: `cargo run --release --manifest-path benches/peers/Cargo.toml
  --bin floors -- NAME`, with 2 processes, or 32 where a lock is held for 10 µs, unless
  NAME says otherwise. What outlive was
  *made to* do, a changed copy of it did, which was not kept.
"
    );
    for (workload, _) in WORKLOADS {
        let mut of_workload: Vec<&Ahead<'_>> = all.iter().filter(|row| row.case.workload == workload).collect();
        if of_workload.is_empty() {
            continue;
        }
        of_workload.sort_by(|one, other| other.times.total_cmp(&one.times));
        write!(text, "\n### Ahead in {workload}\n")?;
        let mut titles: Vec<Option<&str>> =
            of_workload.iter().map(|row| row.reason.map(|reason| reason.title)).collect();
        keep_first(&mut titles);
        for title in titles {
            let of_reason: Vec<&Ahead<'_>> =
                of_workload.iter().copied().filter(|row| row.reason.map(|reason| reason.title) == title).collect();
            let why = match of_reason[0].reason {
                Some(reason) => format!("**{}.** {}", reason.title, reason.text),
                None => "**Reason not known yet.**".to_owned(),
            };
            write!(text, "\n{}\n\n{}", wrapped(&why), table(&of_reason)?)?;
        }
    }
    if all.is_empty() {
        text += "\nThere are none in this run.\n";
    }
    Ok(text)
}

/// How far the peer is ahead. There is no ratio to nothing.
fn how_much(row: &Ahead<'_>) -> String {
    if row.times.is_infinite() {
        return format!("{} to 0", row.case.unit.show(row.ours.median()));
    }
    times(row.times)
}

/// A row for each title of a table, with all that are behind in it.
fn table(rows: &[&Ahead<'_>]) -> Result<String, std::fmt::Error> {
    let mut titles: Vec<String> = rows.iter().map(|row| split(row.case).0).collect();
    keep_first(&mut titles);
    let mut text =
        "| measured | outlive, times | ahead | beside the best alike |\n| --- | --- | --- | ---: |\n".to_owned();
    for title in titles {
        let here: Vec<&&Ahead<'_>> = rows.iter().filter(|row| split(row.case).0 == title).collect();
        let mut ours: Vec<&str> = here.iter().map(|row| row.ours.name.as_str()).collect();
        keep_first(&mut ours);
        let figures = ours.iter().map(|ours| {
            let mut of_it: Vec<&&&Ahead<'_>> = here.iter().filter(|row| row.ours.name == *ours).collect();
            of_it.sort_by_key(|row| row.case.at.as_ref().map_or(0, |at| at.count));
            let figures = of_it.iter().map(|row| match split(row.case).1 {
                label if label.is_empty() => format!("**{}**", how_much(row)),
                label => format!("{label}: **{}**", how_much(row)),
            });
            format!("{}: {}", ours.strip_prefix("outlive ").unwrap_or(ours), figures.collect::<Vec<_>>().join(", "))
        });
        let figures: Vec<String> = figures.collect();
        let mut peers: Vec<String> = here.iter().map(|row| with_marks(&row.peer.name)).collect();
        keep_first(&mut peers);
        writeln!(
            text,
            "| {} | {} | {} | {} |",
            cell(&title),
            cell(&figures.join("; ")),
            cell(&peers.join(", ")),
            beside_alike(&here)
        )?;
    }
    Ok(text)
}

fn beside_alike(rows: &[&&Ahead<'_>]) -> String {
    let mut ratios: Vec<f64> = rows.iter().filter_map(|row| row.times_of_alike).collect();
    ratios.sort_by(f64::total_cmp);
    match (ratios.first(), ratios.last()) {
        (Some(least), Some(most)) if times(*least) == times(*most) => times(*least),
        (Some(least), Some(most)) => format!("{} to {}", times(*least), times(*most)),
        _ => "there is none".to_owned(),
    }
}

fn with_marks(peer: &str) -> String {
    let marks = [(!answers_deaths(peer), "*hangs*"), (polls(peer), "*polls*")];
    let marks: Vec<&str> = marks.iter().filter(|(is_so, _)| *is_so).map(|(_, mark)| *mark).collect();
    if marks.is_empty() { peer.to_owned() } else { format!("{peer} ({})", marks.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(workload: &str, name: &str, rows: &[(&str, Kind, [f64; 3])]) -> Case {
        let mut case = Case::new(workload, name, Unit::Nanoseconds);
        for (name, kind, rounds) in rows {
            case.rows.push(Row { name: (*name).to_owned(), kind: *kind, rounds: rounds.to_vec() });
        }
        case
    }

    #[test]
    fn a_peer_is_ahead_if_the_whole_interval_is_above_the_noise() {
        let ours = ("outlive Mutex", Kind::Ours, [10.0, 10.0, 10.0]);
        let is_ahead = |rounds| {
            let case = case("pairs", "anything", &[ours, ("peer", Kind::Peer, rounds)]);
            !rows(&[case]).is_empty()
        };
        assert!(is_ahead([9.0, 9.1, 9.2]));
        assert!(is_ahead([0.0, 0.0, 0.0]));
        assert!(!is_ahead([9.0, 9.1, 10.0]), "an end of the interval is at 1");
        assert!(!is_ahead([9.8, 9.8, 9.8]), "that may be noise");
        assert!(!is_ahead([11.0, 11.0, 11.0]));
    }

    #[test]
    fn floors_and_threads_are_never_ahead() {
        let rows_of = [("outlive Mutex", Kind::Ours, [10.0; 3]), ("bare", Kind::Floor, [1.0; 3])];
        let threads = ("std Mutex", Kind::Threads, [1.0; 3]);
        assert!(rows(&[case("pairs", "anything", &[rows_of[0], rows_of[1], threads])]).is_empty());
    }

    #[test]
    fn a_row_without_a_reason_says_so() {
        let rows_of = [("outlive Novelty", Kind::Ours, [20.0; 3]), ("peer, polled", Kind::Peer, [1.0; 3])];
        let cases = [case("pairs", "something new", &rows_of)];
        assert_eq!(without_reason(&cases), ["pairs: something new: outlive Novelty: 20"]);
        let text = section(&cases).expect("formatted");
        let row = "| something new | Novelty: **20** | peer, polled (*hangs*, *polls*) | there is none |";
        assert!(text.contains("Reason not known yet.") && text.contains(row), "{text}");
    }

    #[test]
    fn the_best_that_answers_deaths_and_sleeps_is_compared_too() {
        let rows_of = [
            ("outlive Mutex", Kind::Ours, [10.0; 3]),
            ("sem_t", Kind::Peer, [5.0; 3]),
            ("pthread mutex, robust", Kind::Peer, [20.0; 3]),
        ];
        let case = case("pairs", "anything", &rows_of);
        let found = rows_of_one(&case);
        assert_eq!((found.peer.name.as_str(), found.times, found.times_of_alike), ("sem_t", 2.0, Some(0.5)));
    }

    fn rows_of_one(case: &Case) -> Ahead<'_> {
        let mut all: Vec<_> = super::rows_of(case).collect();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }
}
