//! `killers.toml`: which model kills which mutant. `logic.toml`: the same for cargo-mutants'
//! mutants of the logic.

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
    /// Nothing kills it, nothing shows that it changes nothing, and somebody has looked: a gap that
    /// is known.
    Open {
        /// What is known of it all the same.
        open: String,
    },
    /// It changes nothing. Of an ordering, a wake or a second look that must be shown beside its
    /// line instead.
    Equivalent {
        /// Why.
        equivalent: String,
    },
}

/// For each file of `src/raw`, what is known of each mutant.
pub type Book = BTreeMap<String, BTreeMap<String, Known>>;

/// All that is known.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Killers {
    orderings: Book,
    logic: Book,
}

const ORDERINGS: &str = "killers.toml";
const LOGIC: &str = "logic.toml";

impl Killers {
    /// What is known.
    ///
    /// # Errors
    /// A file cannot be read, or is not as it should be.
    pub fn load(root: &Path) -> Result<Self> {
        let load = |name: &str| -> Result<Book> {
            toml::from_str(&read(&root.join("mutants").join(name))?).map_err(|error| format!("{name}: {error}"))
        };
        let (orderings, logic) = (load(ORDERINGS)?, load(LOGIC)?);
        let is_misplaced = |known: &Known| matches!(known, Known::Equivalent { .. });
        if let Some((key, _)) = orderings.values().flatten().find(|(_, known)| is_misplaced(known)) {
            return Err(format!(
                "{ORDERINGS}: why `{key}` changes nothing belongs into the source: EQUIVALENT(...): why"
            ));
        }
        Ok(Self { orderings, logic })
    }

    /// Keeps it.
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
        let by_hand = "# By hand: `{ open = \"why\" }` for what is neither killed nor shown to change nothing";
        let begin = format!(
            "# Which model kills which mutant of src/raw: written by `outlive-mutants test --record`.\n{by_hand}.\n"
        );
        store(ORDERINGS, &begin, &self.orderings)?;
        let begin = format!(
            "# Which test kills which mutant of the logic of src/raw: written by `outlive-mutants test --logic --record`.\n{by_hand},\n# `{{ equivalent = \"why\" }}` for what changes nothing that is promised.\n"
        );
        store(LOGIC, &begin, &self.logic)
    }

    fn book(&self, is_logic: bool) -> &Book {
        if is_logic { &self.logic } else { &self.orderings }
    }

    fn known(&self, mutant: &Mutant) -> Option<&Known> {
        self.book(mutant.is_logic).get(&mutant.file)?.get(&mutant.key())
    }

    /// Whether it is in the book.
    #[must_use]
    pub fn has(&self, mutant: &Mutant) -> bool {
        self.known(mutant).is_some()
    }

    /// The model that is known to kill it.
    #[must_use]
    pub fn of(&self, mutant: &Mutant) -> Option<&String> {
        match self.known(mutant)? {
            Known::Killer(model) => Some(model),
            Known::Open { .. } | Known::Equivalent { .. } => None,
        }
    }

    /// Why it is open, if it is.
    #[must_use]
    pub fn open(&self, mutant: &Mutant) -> Option<&String> {
        match self.known(mutant)? {
            Known::Open { open } => Some(open),
            Known::Killer(_) | Known::Equivalent { .. } => None,
        }
    }

    /// Why it changes nothing, if that is told beside its line or in the book.
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

    /// From now on this is known of it; `None`: nothing.
    pub fn note(&mut self, mutant: &Mutant, known: Option<Known>) {
        let book = if mutant.is_logic { &mut self.logic } else { &mut self.orderings };
        let of_file = book.entry(mutant.file.clone()).or_default();
        match known {
            Some(known) => of_file.insert(mutant.key(), known),
            None => of_file.remove(&mutant.key()),
        };
    }

    /// Forgets those that are not among these any more, or have a proof beside the line.
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

    /// What is missing, or is not there any more: mutants without killer or proof, killers without
    /// mutant.
    #[must_use]
    pub fn gaps(&self, sources: &[Source]) -> Vec<String> {
        let mut gaps = vec![];
        for mutant in sources.iter().flat_map(|source| &source.mutants) {
            match (self.has(mutant), &mutant.proof) {
                (false, None) => gaps.push(format!("{}.rs: nothing is known to kill `{}`", mutant.file, mutant.key())),
                (true, Some(_)) => {
                    let key = mutant.key();
                    gaps.push(format!("{}.rs: `{key}` has a killer, or is open, and has a proof", mutant.file))
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
                gaps.extend(gone.map(|key| format!("{file}.rs: there is no `{key}` any more")));
            }
        }
        gaps
    }
}

fn has_logic(sources: &[Source]) -> bool {
    sources.iter().flat_map(|source| &source.mutants).any(|mutant| mutant.is_logic)
}
