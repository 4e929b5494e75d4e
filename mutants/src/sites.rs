//! Finds the places at which an algorithm can be weakened.
//!
//! # The rules
//!
//! | what                                      | mutants                                                   |
//! |-------------------------------------------|-----------------------------------------------------------|
//! | an ordering that is an argument of a call | Relaxed; AcqRel also Acquire, Release; SeqCst also AcqRel |
//! | a fence                                   | dropped; one that is SeqCst also AcqRel                   |
//! | `swap_then_fence` and the like            | without the fence                                         |
//! | `P::wake`                                 | dropped; one of all also a wake of one                    |
//! | an unused call of a function that wakes   | dropped; the cascade is such a call                       |
//! | a load in a `loop` or a `while`           | its first value is used again                             |
//! | a load that is compared with a value      | taken as equal, so that the second check is skipped       |
//! | a `push`                                  | dropped, so that a word is not watched                    |
//! | what cargo-mutants finds                  | other operators and values: see [`logic`](crate::logic)   |
//!
//! A mutant is not identified by its line, but by its function and the number of the operation
//! among those of its kind there.

use crate::logic::Logic;
use crate::{Result, finder, read};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

/// One way to weaken the algorithms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// The number that activates it.
    pub id: u32,
    /// The file in `src/raw`, without its ending, such as `table` or `table/reap`.
    pub file: String,
    /// `Type::function`.
    pub function: String,
    /// The operation, such as `load#2` or `compare_exchange#1 success`.
    pub operation: String,
    /// How the operation is changed.
    pub change: String,
    /// The line of the operation, counted from 1.
    pub line: usize,
    /// The line on which its statement begins.
    pub statement: usize,
    /// Why the mutant changes nothing, if the source says so.
    pub proof: Option<String>,
    /// A mutant of the logic, from cargo-mutants.
    pub is_logic: bool,
}

impl Mutant {
    /// The name that identifies the mutant within its file.
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
    /// How many bytes of the source the text replaces.
    pub(crate) skip: usize,
    /// Which part of the text belongs to which mutant, for mutants that may not build.
    pub(crate) of: Vec<(Range<usize>, u32)>,
}

/// A source file with its mutants.
#[derive(Debug)]
pub struct Source {
    /// The name, without the ending, such as `table` or `table/reap`.
    pub name: String,
    /// Its mutants.
    pub mutants: Vec<Mutant>,
    /// The names of the other modules of `src/raw` that it uses.
    pub uses: BTreeSet<String>,
    /// The names that cargo-mutants has for its mutants here.
    pub reached: BTreeSet<String>,
    text: String,
    insertions: Vec<Insertion>,
}

impl Source {
    /// The module directly in `src/raw` to which the file belongs: `table` for `table/reap`.
    #[must_use]
    pub fn module(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// The text of the copy, which contains all mutants, all of them inactive.
    #[must_use]
    pub fn instrumented(&self) -> String {
        self.instrument().0
    }

    /// The mutant at this byte of the [instrumented](Self::instrumented) text, or directly before
    /// it.
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

/// A place that no rule finds: a text that occurs exactly once, and what to put before and after
/// it.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    pub(crate) file: String,
    pub(crate) function: String,
    pub(crate) name: String,
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) before: String,
    #[serde(default)]
    pub(crate) after: String,
}

/// All sources of `src/raw`, ordered by name. Mutants of the logic are those in `logic`.
///
/// # Errors
/// A file cannot be read or parsed, a proof or a patch belongs to no mutant, or an ordering is in a
/// macro.
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

/// The modules of a file that are files of their own, without those under a `cfg`, which are tests.
fn parts(tree: &syn::File) -> impl Iterator<Item = String> + '_ {
    tree.items.iter().filter_map(|item| match item {
        syn::Item::Mod(part) if part.content.is_none() && !part.attrs.iter().any(|it| it.path().is_ident("cfg")) => {
            Some(part.ident.to_string())
        }
        _ => None,
    })
}

/// Gives each mutant the proof that stands directly above its line or statement and names it.
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
                proof.push('\u{1f}'); // the following lines are no part of this proof
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
                return Err(format!("{name}.rs, line {}: the line below has no mutant `{about}`", begin + 1));
            }
        }
        if proof.len() < 20 {
            return Err(format!("{name}.rs, line {}: the proof is too short", begin + 1));
        }
    }
    Ok(())
}
