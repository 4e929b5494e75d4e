//! `killers.toml`: which model kills which mutant.

use crate::sites::Source;
use crate::{Result, read};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// For each file of `src/raw`, for each mutant, the model: `mutex::with_loom::its_name`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Killers(pub BTreeMap<String, BTreeMap<String, String>>);

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
        let mut text =
            String::from("# Which model kills which mutant of src/raw: written by `proof mutants --record`.\n");
        for (file, killers) in &self.0 {
            text += &format!("\n[{file}]\n");
            for (mutant, model) in killers {
                text += &format!("{mutant:?} = {model:?}\n");
            }
        }
        std::fs::write(path(root), text).map_err(|error| format!("killers.toml: {error}"))
    }

    /// The model that is known to kill it.
    #[must_use]
    pub fn of(&self, file: &str, key: &str) -> Option<&String> {
        self.0.get(file)?.get(key)
    }

    /// What is missing, or is not there any more: mutants without killer or proof, killers without mutant.
    #[must_use]
    pub fn gaps(&self, sources: &[Source]) -> Vec<String> {
        let mut gaps = vec![];
        for source in sources {
            for mutant in &source.mutants {
                let key = mutant.key();
                match (self.of(&source.name, &key), &mutant.proof) {
                    (None, None) => gaps.push(format!("{}.rs: nothing is known to kill `{key}`", source.name)),
                    (Some(_), Some(_)) => gaps.push(format!("{}.rs: `{key}` has a killer and a proof", source.name)),
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
