//! The copy of the workspace in which every mutant is present, and asleep.

use crate::sites::Source;
use crate::{Result, read};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The variable that wakes a mutant.
pub const VARIABLE: &str = "OUTLIVE_MUTANT";

/// Where the copy is.
#[must_use]
pub fn place(root: &Path) -> PathBuf {
    root.join("target/mutants/tree")
}

/// Writes the copy. Files that are there already with the same content are left alone, so that little is built again.
///
/// # Errors
/// A file that cannot be read or written.
pub fn copy(root: &Path, sources: &[Source]) -> Result<()> {
    let place = place(root);
    for name in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml"] {
        write(&place.join(name), &read(&root.join(name))?)?;
    }
    let written: BTreeMap<_, _> = (sources.iter())
        .map(|source| (root.join(format!("src/raw/{}.rs", source.name)), source.instrumented()))
        .chain([(root.join("src/lib.rs"), read(&root.join("src/lib.rs"))? + "\nmod mutant;\n")])
        .collect();
    for folder in ["src", "derive", "models", "proof", "trials", "benches", "examples", "tests"] {
        copy_folder(&root.join(folder), &place.join(folder), &written)?;
    }
    write(&place.join("src/mutant.rs"), include_str!("mutant.rs.txt"))
}

/// Copies a folder; files that are `written` anew get that text.
fn copy_folder(from: &Path, to: &Path, written: &BTreeMap<PathBuf, String>) -> Result<()> {
    for entry in std::fs::read_dir(from).map_err(|error| format!("{}: {error}", from.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        match written.get(&path) {
            Some(text) => write(&target, text)?,
            None if path.is_dir() => copy_folder(&path, &target, written)?,
            None => write(&target, &read(&path)?)?,
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Builds the models in the copy. Gives the program of each, by its name.
///
/// # Errors
/// It does not build.
pub fn build(root: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["test", "--no-run", "--package", "outlive-models", "--features", "loom,shuttle"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(place(root))
        .env("CARGO_TARGET_DIR", root.join("target/mutants/build"))
        .env("RUSTFLAGS", "--cap-lints warn -A warnings") // it is not read by people
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env_remove(VARIABLE)
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("the copy does not build:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    let programs = String::from_utf8_lossy(&output.stdout);
    Ok(programs.lines().filter_map(program).collect())
}

fn program(line: &str) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    let is_test = message["target"]["kind"][0] == "test";
    let path = message["executable"].as_str().filter(|_| is_test)?;
    Some((message["target"]["name"].as_str()?.to_owned(), path.into()))
}
