//! `killers.toml` says which model kills which mutant. `logic.toml` says the same for the mutants
//! of the logic, which cargo-mutants finds.

use crate::sites::{Mutant, Source};
use crate::{Result, read};
use std::collections::BTreeMap;
use std::path::Path;

/// What is known of a mutant.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Known {
    /// The test that kills it: `mutex::with_loom::its_name`.
    Killer(String),
    /// A known gap: no test kills it, and there is no proof that it changes nothing.
    Open {
        /// What is known of it all the same.
        open: String,
    },
    /// It changes nothing that can be observed. This is for the logic only. For an ordering, a wake
    /// or a second check, the proof must stand beside the line in the source.
    Equivalent {
        /// Why.
        equivalent: String,
    },
}

/// For each file of `src/raw`, what is known of each mutant.
pub type Book = BTreeMap<String, BTreeMap<String, Known>>;

/// What is known of all mutants.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Killers {
    orderings: Book,
    logic: Book,
}

const ORDERINGS: &str = "killers.toml";
const LOGIC: &str = "logic.toml";

const BEGIN_OF_ORDERINGS: &str = "\
# Which model kills which mutant of src/raw. `outlive-mutants test --record` writes this file.
# Written by hand: `{ open = \"why\" }`, for a mutant that no test kills and that has no proof.
";
const BEGIN_OF_LOGIC: &str = "\
# Which test kills which mutant of the logic of src/raw. `outlive-mutants test --logic --record`
# writes this file. Written by hand:
# `{ open = \"why\" }`, for a mutant that no test kills and that has no proof;
# `{ equivalent = \"why\" }`, for a mutant that changes nothing that is promised.
";

impl Killers {
    /// Reads both files.
    ///
    /// # Errors
    /// A file cannot be read or parsed, or an entry is in the wrong place.
    pub fn load(root: &Path) -> Result<Self> {
        let load = |name: &str| -> Result<Book> {
            toml::from_str(&read(&root.join("mutants").join(name))?).map_err(|error| format!("{name}: {error}"))
        };
        let (orderings, logic) = (load(ORDERINGS)?, load(LOGIC)?);
        let is_misplaced = |known: &Known| matches!(known, Known::Equivalent { .. });
        if let Some((key, _)) = orderings.values().flatten().find(|(_, known)| is_misplaced(known)) {
            return Err(format!("{ORDERINGS}: the proof for `{key}` belongs in the source, as EQUIVALENT(...): why"));
        }
        Ok(Self { orderings, logic })
    }

    /// Writes both files.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn store(&self, root: &Path) -> Result<()> {
        let store = |name: &str, begin: &str, book: &Book| {
            let mut text = begin.to_owned();
            for (file, known) in book.iter().filter(|(_, known)| !known.is_empty()) {
                let table = if file.contains('/') { format!("{file:?}") } else { file.clone() };
                text += &format!("\n[{table}]\n");
                for (mutant, known) in known {
                    text += &match known {
                        Known::Killer(model) => format!("{mutant:?} = {model:?}\n"),
                        Known::Open { open } => format!("{mutant:?} = {{ open = {open:?} }}\n"),
                        Known::Equivalent { equivalent } => {
                            format!("{mutant:?} = {{ equivalent = {equivalent:?} }}\n")
                        }
                    };
                }
            }
            std::fs::write(root.join("mutants").join(name), text).map_err(|error| format!("{name}: {error}"))
        };
        store(ORDERINGS, BEGIN_OF_ORDERINGS, &self.orderings)?;
        store(LOGIC, BEGIN_OF_LOGIC, &self.logic)
    }

    fn book(&self, is_logic: bool) -> &Book {
        if is_logic { &self.logic } else { &self.orderings }
    }

    fn known(&self, mutant: &Mutant) -> Option<&Known> {
        self.book(mutant.is_logic).get(&mutant.file)?.get(&mutant.key())
    }

    /// Whether there is an entry for this mutant.
    #[must_use]
    pub fn has(&self, mutant: &Mutant) -> bool {
        self.known(mutant).is_some()
    }

    /// The model that is known to kill this mutant.
    #[must_use]
    pub fn of(&self, mutant: &Mutant) -> Option<&String> {
        match self.known(mutant)? {
            Known::Killer(model) => Some(model),
            Known::Open { .. } | Known::Equivalent { .. } => None,
        }
    }

    /// Why this mutant is open, if it is.
    #[must_use]
    pub fn open(&self, mutant: &Mutant) -> Option<&String> {
        match self.known(mutant)? {
            Known::Open { open } => Some(open),
            Known::Killer(_) | Known::Equivalent { .. } => None,
        }
    }

    /// Why this mutant changes nothing, if its line in the source or an entry says so.
    #[must_use]
    pub fn proof<'s>(&'s self, mutant: &'s Mutant) -> Option<&'s String> {
        mutant.proof.as_ref().or_else(|| match self.known(mutant)? {
            Known::Equivalent { equivalent } => Some(equivalent),
            Known::Killer(_) | Known::Open { .. } => None,
        })
    }

    /// How many mutants this model is known to kill.
    #[must_use]
    pub fn kills(&self, model: &str) -> usize {
        let all = [&self.orderings, &self.logic].into_iter().flat_map(BTreeMap::values).flat_map(BTreeMap::values);
        all.filter(|known| matches!(known, Known::Killer(by) if by == model)).count()
    }

    /// Sets or removes the entry of a mutant.
    pub fn note(&mut self, mutant: &Mutant, known: Option<Known>) {
        let book = if mutant.is_logic { &mut self.logic } else { &mut self.orderings };
        let of_file = book.entry(mutant.file.clone()).or_default();
        match known {
            Some(known) => of_file.insert(mutant.key(), known),
            None => of_file.remove(&mutant.key()),
        };
    }

    /// Removes the entries of mutants that are no longer in these sources, or have a proof there.
    pub fn keep_only(&mut self, sources: &[Source]) {
        let has_logic = has_logic(sources);
        for (is_logic, book) in [(false, &mut self.orderings), (true, &mut self.logic)] {
            if is_logic && !has_logic {
                continue;
            }
            for (file, known) in book {
                let mutants = sources.iter().filter(|source| source.name == *file).flat_map(|source| &source.mutants);
                let there: Vec<_> = mutants
                    .filter(|mutant| mutant.is_logic == is_logic && mutant.proof.is_none())
                    .map(Mutant::key)
                    .collect();
                known.retain(|key, _| there.contains(key));
            }
        }
    }

    /// What is missing or outdated: mutants without an entry or a proof, and entries without a
    /// mutant.
    #[must_use]
    pub fn gaps(&self, sources: &[Source]) -> Vec<String> {
        let mut gaps = vec![];
        for mutant in sources.iter().flat_map(|source| &source.mutants) {
            match (self.has(mutant), &mutant.proof) {
                (false, None) => gaps.push(format!("{}.rs: `{}` has no known killer", mutant.file, mutant.key())),
                (true, Some(_)) => {
                    let key = mutant.key();
                    gaps.push(format!("{}.rs: `{key}` has both an entry and a proof in the source", mutant.file))
                }
                _ => {}
            }
        }
        for is_logic in [false, true].into_iter().filter(|is_logic| !is_logic || has_logic(sources)) {
            for (file, known) in self.book(is_logic) {
                let source = sources.iter().find(|source| source.name == *file);
                let mutants = source.into_iter().flat_map(|source| &source.mutants);
                let there: Vec<_> = mutants.filter(|mutant| mutant.is_logic == is_logic).map(Mutant::key).collect();
                let gone = known.keys().filter(|key| !there.contains(key));
                gaps.extend(gone.map(|key| format!("{file}.rs: an entry names `{key}`, which does not exist")));
            }
        }
        gaps
    }
}

fn has_logic(sources: &[Source]) -> bool {
    sources.iter().flat_map(|source| &source.mutants).any(|mutant| mutant.is_logic)
}
