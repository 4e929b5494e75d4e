//! `killers.toml`: which model kills which mutant.

use crate::sites::Source;
use crate::{Result, read};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is known of a mutant.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Known {
    /// The model that kills it: `mutex::with_loom::its_name`.
    Killer(String),
    /// Nothing kills it, nothing shows that it changes nothing, and somebody has looked: a gap that is known.
    Open {
        /// What is known of it all the same.
        open: String,
    },
}

/// For each file of `src/raw`, what is known of each mutant.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Killers(pub BTreeMap<String, BTreeMap<String, Known>>);

fn path(root: &Path) -> PathBuf {
    root.join("proof/killers.toml")
}

impl Killers {
    /// What is known.
    ///
    /// # Errors
    /// The file cannot be read, or is not as it should be.
    pub fn load(root: &Path) -> Result<Self> {
        toml::from_str(&read(&path(root))?).map(Self).map_err(|error| format!("killers.toml: {error}"))
    }

    /// Keeps it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn store(&self, root: &Path) -> Result<()> {
        let mut text = String::from(
            "# Which model kills which mutant of src/raw: written by `proof mutants --record`.\n# By hand: `{ open = \"why\" }` for what is neither killed nor shown to change nothing.\n",
        );
        for (file, killers) in &self.0 {
            text += &format!("\n[{file}]\n");
            for (mutant, known) in killers {
                text += &match known {
                    Known::Killer(model) => format!("{mutant:?} = {model:?}\n"),
                    Known::Open { open } => format!("{mutant:?} = {{ open = {open:?} }}\n"),
                };
            }
        }
        std::fs::write(path(root), text).map_err(|error| format!("killers.toml: {error}"))
    }

    /// The model that is known to kill it.
    #[must_use]
    pub fn of(&self, file: &str, key: &str) -> Option<&String> {
        match self.0.get(file)?.get(key)? {
            Known::Killer(model) => Some(model),
            Known::Open { .. } => None,
        }
    }

    /// Why it is open, if it is.
    #[must_use]
    pub fn open(&self, file: &str, key: &str) -> Option<&String> {
        match self.0.get(file)?.get(key)? {
            Known::Killer(_) => None,
            Known::Open { open } => Some(open),
        }
    }

    /// How many mutants this model is known to kill.
    #[must_use]
    pub fn kills(&self, model: &str) -> usize {
        let all = self.0.values().flat_map(BTreeMap::values);
        all.filter(|known| matches!(known, Known::Killer(by) if by == model)).count()
    }

    /// What is missing, or is not there any more: mutants without killer or proof, killers without mutant.
    #[must_use]
    pub fn gaps(&self, sources: &[Source]) -> Vec<String> {
        let mut gaps = vec![];
        for source in sources {
            for mutant in &source.mutants {
                let key = mutant.key();
                let known = self.0.get(&source.name).and_then(|of_file| of_file.get(&key));
                match (known, &mutant.proof) {
                    (None, None) => gaps.push(format!("{}.rs: nothing is known to kill `{key}`", source.name)),
                    (Some(_), Some(_)) => {
                        gaps.push(format!("{}.rs: `{key}` has a killer, or is open, and has a proof", source.name))
                    }
                    _ => {}
                }
            }
        }
        for (file, killers) in &self.0 {
            let source = sources.iter().find(|source| source.name == *file);
            for key in killers.keys() {
                if !source.is_some_and(|source| source.mutants.iter().any(|mutant| mutant.key() == *key)) {
                    gaps.push(format!("{file}.rs: there is no `{key}` any more"));
                }
            }
        }
        gaps
    }
}
