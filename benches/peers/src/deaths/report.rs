//! The cells that were found out, as tables for people, as Markdown and as JSON.

use super::peers::Peer;
use super::scenario::{Kind, Verdict};
use comfy_table::presets::{ASCII_MARKDOWN, UTF8_FULL_CONDENSED};
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// One cell.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What the object is.
    pub kind: Kind,
    /// The peer's family.
    pub family: &'static str,
    /// The peer's name.
    pub peer: &'static str,
    /// The scenario's name.
    pub scenario: &'static str,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How long it took, with the kills.
    pub seconds: f64,
}

/// What the words in the tables mean.
pub const LEGEND: &str = "\
- recovers and tells: the others go on, and one of them learns of the death (how, in brackets).
- recovers silently: the others go on, although the dead one may have left something half done.
- goes on: the others go on, and there is nothing to tell.
- hangs: somebody waits forever.
- loses: what was reported as sent did not arrive whole, once, and all. Not counted is the one item
  that a killed receiver may have had in its hands: it is lost, or comes again.
- woken waiter killed: two wait, and the first is woken; it is killed before it runs.
- any killed, at random: three take and release the lock all the time, and are replaced when killed.";

/// What was tried, in one line.
fn tried() -> String {
    let versions = super::peers::versions();
    let versions: Vec<String> = versions.into_iter().map(|(name, version)| format!("{name} {version}")).collect();
    format!("Tried: {}.", versions.join(", "))
}

/// The cells and what was tried, as JSON.
///
/// # Errors
/// Those of serde_json.
pub fn as_json(findings: &[Finding]) -> serde_json::Result<String> {
    let versions: BTreeMap<_, _> = super::peers::versions().into_iter().collect();
    serde_json::to_string_pretty(&serde_json::json!({ "versions": versions, "cells": findings }))
}

fn table(kind: Kind, findings: &[Finding], peers: &[Peer], preset: &str) -> Option<Table> {
    let scenarios = kind.scenarios();
    let mut table = Table::new();
    table.load_preset(preset).set_header([""].into_iter().chain(scenarios.iter().map(|scenario| scenario.name)));
    let mut rows = 0;
    for peer in peers.iter().filter(|peer| peer.kind == kind) {
        let of = |name| {
            findings
                .iter()
                .find(|f| f.scenario == name && f.kind == kind && f.family == peer.family && f.peer == peer.name)
        };
        let cells: Vec<String> = scenarios
            .iter()
            .map(|scenario| of(scenario.name).map_or_else(String::new, |finding| finding.verdict.to_string()))
            .collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            table.add_row(std::iter::once(peer.id()).chain(cells));
            rows += 1;
        }
    }
    (rows > 0).then_some(table)
}

/// One row for each scenario, one column for each family: the best that any of its peers did.
fn in_short(findings: &[Finding], peers: &[Peer], preset: &str) -> Table {
    let mut families: Vec<&str> = vec![];
    for peer in peers {
        if !families.contains(&peer.family) {
            families.push(peer.family);
        }
    }
    let mut table = Table::new();
    table.load_preset(preset).set_header(["", ""].into_iter().chain(families.iter().copied()));
    for kind in Kind::ALL {
        for scenario in kind.scenarios() {
            let best = |family: &str| {
                let of =
                    findings.iter().filter(|f| f.kind == kind && f.scenario == scenario.name && f.family == family);
                of.map(|finding| &finding.verdict).max_by_key(|verdict| verdict.rank()).map_or("", Verdict::word)
            };
            let cells: Vec<&str> = families.iter().map(|family| best(family)).collect();
            if cells.iter().any(|cell| !cell.is_empty()) {
                table.add_row([kind.title(), scenario.name].into_iter().chain(cells));
            }
        }
    }
    table
}

/// The tables for a terminal of so many columns.
#[must_use]
pub fn for_terminal(findings: &[Finding], peers: &[Peer], columns: u16) -> String {
    let mut text = String::new();
    for kind in Kind::ALL {
        if let Some(mut table) = table(kind, findings, peers, UTF8_FULL_CONDENSED) {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(columns);
            let _ = writeln!(text, "\n{}\n{table}", kind.title()); // a String takes all
        }
    }
    text + "\n" + LEGEND + "\n\n" + &tried() + "\n"
}

/// The tables in Markdown.
#[must_use]
pub fn as_markdown(findings: &[Finding], peers: &[Peer]) -> String {
    let short = in_short(findings, peers, ASCII_MARKDOWN);
    let mut text = format!("### In short: the best of each family\n\n{}\n\n", short.trim_fmt());
    for kind in Kind::ALL {
        if let Some(table) = table(kind, findings, peers, ASCII_MARKDOWN) {
            let _ = writeln!(text, "### {}\n\n{}\n", kind.title(), table.trim_fmt()); // as above
        }
    }
    text + LEGEND + "\n\n" + &tried() + "\n"
}
