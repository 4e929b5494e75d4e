//! Where something can be weakened or taken away.
//!
//! # The rules
//!
//! | what                                                         | mutants                                                     |
//! |--------------------------------------------------------------|-------------------------------------------------------------|
//! | an ordering that is the argument of a call                   | Relaxed; AcqRel also Acquire and Release; SeqCst also AcqRel |
//! | a fence                                                      | dropped; one that is SeqCst also AcqRel                     |
//! | `swap_then_fence` and the like                               | without the fence                                           |
//! | `P::wake`                                                    | dropped; one of all also a wake of one                      |
//! | a call of a function that wakes, whose value nobody uses     | dropped: the cascade is one of them                         |
//! | a load in a `loop` or a `while`                              | its first value is used again: nobody looks twice           |
//! | a load that is compared with a value                         | taken as equal: the second look is not taken                |
//! | a `push`                                                     | dropped: something is not watched                           |
//! | what cargo-mutants finds                                     | other operators, guards, values: see [`logic`](crate::logic) |
//!
//! A mutant is known by the function in which it is and the n-th such operation there, not by its
//! line.

use crate::logic::Logic;
use crate::{Result, finder, read};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

/// One way to weaken the algorithms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// The number that wakes it.
    pub id: u32,
    /// The file in `src/raw`, without its ending, as `table` or `table/reap`.
    pub file: String,
    /// `Type::function`.
    pub function: String,
    /// The operation, as `load#2` or `compare_exchange#1 success`.
    pub operation: String,
    /// What is done to it.
    pub change: String,
    /// The line of the operation, from 1 on.
    pub line: usize,
    /// The line on which its statement begins.
    pub statement: usize,
    /// Why it changes nothing, if the source says so.
    pub proof: Option<String>,
    /// One of cargo-mutants', and no ordering, wake or second look.
    pub is_logic: bool,
}

impl Mutant {
    /// By what it is known, within its file.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}: {}, {}", self.function, self.operation, self.change)
    }
}

/// A piece of text that goes into the copy of a source.
#[derive(Debug)]
pub(crate) struct Insertion {
    pub(crate) at: usize,
    pub(crate) text: String,
    /// How much of the source goes out in its stead.
    pub(crate) skip: usize,
    /// Which part of the text is which mutant's, for those that may not build.
    pub(crate) of: Vec<(Range<usize>, u32)>,
}

/// A source with all that can be done to it.
#[derive(Debug)]
pub struct Source {
    /// The name, without the ending, as `table` or `table/reap`.
    pub name: String,
    /// Its mutants.
    pub mutants: Vec<Mutant>,
    /// The names of the other modules of `src/raw` that it uses.
    pub uses: BTreeSet<String>,
    /// What cargo-mutants calls those that are its own.
    pub reached: BTreeSet<String>,
    text: String,
    insertions: Vec<Insertion>,
}

impl Source {
    /// The module directly in `src/raw` of which it is a part: `table` of `table/reap`.
    #[must_use]
    pub fn module(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// The source in which all mutants are present, and asleep.
    #[must_use]
    pub fn instrumented(&self) -> String {
        self.instrument().0
    }

    /// The same, and the mutant in which this byte of it is, or next to which.
    #[must_use]
    pub fn mutant_at(&self, byte: usize) -> Option<&Mutant> {
        let places = self.instrument().1;
        let id = places.iter().find(|(range, _)| range.contains(&byte) || range.end == byte).map(|(_, id)| *id)?;
        self.mutants.iter().find(|mutant| mutant.id == id)
    }

    fn instrument(&self) -> (String, Vec<(Range<usize>, u32)>) {
        let mut out = String::with_capacity(self.text.len() * 2);
        let mut places = vec![];
        let mut from = 0;
        for insertion in &self.insertions {
            out.push_str(&self.text[from..insertion.at]);
            let begin = out.len();
            places.extend(insertion.of.iter().map(|(range, id)| (begin + range.start..begin + range.end, *id)));
            out.push_str(&insertion.text);
            from = insertion.at + insertion.skip;
        }
        (out + &self.text[from..], places)
    }
}

/// A place that no rule finds: text to look for, which must be there once, and what to put before
/// and after it.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    file: String,
    pub(crate) function: String,
    pub(crate) name: String,
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) before: String,
    #[serde(default)]
    pub(crate) after: String,
}

/// All of `src/raw`, in order of their names; with the logic's mutants or without.
///
/// # Errors
/// A file that cannot be read or parsed; a proof or a patch that belongs to nothing; an ordering
/// out of reach.
pub fn all(root: &Path, logic: &Logic) -> Result<Vec<Source>> {
    #[derive(serde::Deserialize)]
    struct Patches {
        patch: Vec<Patch>,
    }
    let patches: Patches =
        toml::from_str(&read(&root.join("mutants/patches.toml"))?).map_err(|error| error.to_string())?;
    let mut names = vec![];
    for entry in std::fs::read_dir(root.join("src/raw")).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|ending| ending == "rs") && name != "mod" {
            names.push(name);
        }
    }
    let mut files = BTreeMap::new();
    while let Some(name) = names.pop() {
        let path = root.join(format!("src/raw/{name}.rs"));
        let text = read(&path)?;
        let tree = syn::parse_file(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        names.extend(parts(&tree).map(|part| format!("{name}/{part}")));
        files.insert(name, (text, tree));
    }
    if let Some(patch) = patches.patch.iter().find(|patch| !files.contains_key(&patch.file)) {
        return Err(format!("patches.toml: there is no src/raw/{}.rs", patch.file));
    }
    let wakers = finder::wakers(files.values().map(|(_, tree)| tree));
    let mut next_id = 1;
    let names: BTreeSet<_> = files.keys().filter(|name| !name.contains('/')).cloned().collect();
    let mut sources = vec![];
    for (name, (text, tree)) in files {
        let is_used = |other: &&String| ["super", "raw"].iter().any(|of| text.contains(&format!("{of}::{other}::")));
        let uses = names.iter().filter(is_used).cloned().collect();
        let patches: Vec<_> = patches.patch.iter().filter(|patch| patch.file == name).collect();
        let found = finder::find(&name, &text, &tree, (&patches, logic), &wakers, next_id)?;
        let finder::Found { mut mutants, insertions, reached, next } = found;
        attach_proofs(&name, &text, &mut mutants)?;
        next_id = next;
        sources.push(Source { name, mutants, uses, reached, text, insertions });
    }
    Ok(sources)
}

/// The modules of a file that are files of their own, but for those with tests.
fn parts(tree: &syn::File) -> impl Iterator<Item = String> + '_ {
    tree.items.iter().filter_map(|item| match item {
        syn::Item::Mod(part) if part.content.is_none() && !part.attrs.iter().any(|it| it.path().is_ident("cfg")) => {
            Some(part.ident.to_string())
        }
        _ => None,
    })
}

/// Gives each mutant the proof that stands above its line or statement, if it is about that mutant.
fn attach_proofs(name: &str, text: &str, mutants: &mut [Mutant]) -> Result<()> {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let comment = |index: usize| lines.get(index)?.strip_prefix("//").map(|rest| rest.trim_start_matches('/').trim());
    let begins = |index: usize| comment(index)?.strip_prefix("EQUIVALENT(")?.split_once("):");
    for begin in 0..lines.len() {
        let Some((about, proof)) = begins(begin) else { continue };
        let mut proof = proof.trim().to_owned();
        let mut end = begin + 1;
        while let Some(more) = comment(end) {
            if begins(end).is_none() && !more.starts_with("ORDERING:") && !proof.ends_with('\u{1f}') {
                proof = proof + " " + more;
            } else {
                proof.push('\u{1f}'); // what follows is about something else
            }
            end += 1;
        }
        let proof = proof.trim_end_matches('\u{1f}').trim().to_owned();
        let attributes = lines[end..].iter().take_while(|line| line.starts_with("#[")).count();
        let line = end + attributes + 1;
        for about in about.split(';').map(str::trim) {
            let mut found = false;
            for mutant in mutants.iter_mut().filter(|mutant| mutant.line == line || mutant.statement == line) {
                let full = format!("{} {}", mutant.operation, mutant.change);
                if full == about || full.ends_with(&format!(" {about}")) {
                    mutant.proof = Some(proof.clone());
                    found = true;
                }
            }
            if !found {
                return Err(format!("{name}.rs, line {}: no mutant below is `{about}`", begin + 1));
            }
        }
        if proof.len() < 20 {
            return Err(format!("{name}.rs, line {}: that is no proof", begin + 1));
        }
    }
    Ok(())
}
