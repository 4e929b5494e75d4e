//! Writes and builds the copy of the workspace that contains every mutant, all of them inactive.

use crate::sites::Source;
use crate::{Result, read};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment variable that activates a mutant.
pub const VARIABLE: &str = "OUTLIVE_MUTANT";

/// Where the copy is.
#[must_use]
pub fn place(root: &Path) -> PathBuf {
    root.join("target/mutants/tree")
}

/// Writes the copy. Files that already have the same content are not written, so that little is
/// built again.
///
/// # Errors
/// A file cannot be read or written.
pub fn copy(root: &Path, sources: &[Source]) -> Result<()> {
    let place = place(root);
    for name in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml"] {
        write(&place.join(name), &read(&root.join(name))?)?;
    }
    let written: BTreeMap<_, _> = (sources.iter())
        .map(|source| (root.join(format!("src/raw/{}.rs", source.name)), source.instrumented()))
        .chain([(root.join("src/lib.rs"), read(&root.join("src/lib.rs"))? + "\nmod mutant;\n")])
        .collect();
    for folder in ["src", "derive", "models", "mutants", "trials", "benches", "examples", "tests"] {
        copy_folder(&root.join(folder), &place.join(folder), &written)?;
    }
    write(&place.join("src/mutant.rs"), include_str!("mutant.rs.txt"))
}

/// Copies a folder. A file that is in `written` gets the text from there.
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

/// Test programs by name. Each has its path, and the folder to run it in.
pub type Programs = BTreeMap<String, (PathBuf, PathBuf)>;

/// The name of the program with the unit tests of `src/raw`.
pub const UNIT_TESTS: &str = "outlive";

/// Runs cargo in the copy. Returns whether it succeeded, its messages, and its errors as text.
fn cargo(root: &Path, arguments: &[&str]) -> Result<(bool, Vec<serde_json::Value>, String)> {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(arguments)
        .args(["--message-format", "json"])
        .current_dir(place(root))
        .env("CARGO_TARGET_DIR", root.join("target/mutants/build"))
        .env("RUSTFLAGS", "--cap-lints warn -A warnings") // lints are for code that people read
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env_remove(VARIABLE)
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages: Vec<serde_json::Value> =
        messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let errors = messages.iter().filter(|message| message["message"]["level"] == "error");
    let rendered: Vec<_> = errors.filter_map(|error| error["message"]["rendered"].as_str()).collect();
    let errors = rendered.concat() + &String::from_utf8_lossy(&output.stderr);
    Ok((output.status.success(), messages, errors))
}

/// Programs with quick tests, which compare the primitives with their references. They are run for
/// mutants of every file.
pub const REFERENCES: [&str; 2] = ["operations", "state_machines"];

/// Builds the models, the unit tests, and the [`REFERENCES`], in the copy.
///
/// # Errors
/// The copy does not build.
pub fn build(root: &Path) -> Result<Programs> {
    let mut programs = Programs::new();
    let models: &[&str] = &["test", "--no-run", "--package", "outlive-models", "--features", "loom,shuttle"];
    let [first, second] = REFERENCES;
    let trials: &[&str] = &["test", "--no-run", "--package", "outlive-trials", "--test", first, "--test", second];
    for arguments in [models, &["test", "--no-run", "--package", "outlive", "--lib"], trials] {
        let (built, messages, errors) = cargo(root, arguments)?;
        if !built {
            return Err(format!("the copy does not build:\n{errors}"));
        }
        programs.extend(messages.iter().filter_map(program));
    }
    Ok(programs)
}

fn program(message: &serde_json::Value) -> Option<(String, (PathBuf, PathBuf))> {
    let name = message["target"]["name"].as_str()?;
    let is_test = message["target"]["kind"][0] == "test" || name == UNIT_TESTS;
    let path = message["executable"].as_str().filter(|_| is_test)?;
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
    Some((name.to_owned(), (path.into(), folder.into())))
}

/// The mutants that keep the copy from building, by file and key. If there are none, it builds.
///
/// # Errors
/// The copy does not build for another reason.
pub fn unviable(root: &Path, sources: &[Source]) -> Result<Vec<(String, String)>> {
    let (built, messages, text) = cargo(root, &["check", "--package", "outlive", "--lib"])?;
    if built {
        return Ok(vec![]);
    }
    let errors = messages.iter().filter(|message| message["message"]["level"] == "error");
    let places = errors.flat_map(|error| error["message"]["spans"].as_array().into_iter().flatten());
    let guilty = places.filter(|place| place["is_primary"] == true).filter_map(|place| {
        let file = place["file_name"].as_str()?.strip_prefix("src/raw/")?.strip_suffix(".rs")?;
        let source = sources.iter().find(|source| source.name == file)?;
        let mutant = source.mutant_at(usize::try_from(place["byte_start"].as_u64()?).ok()?)?;
        Some((mutant.file.clone(), mutant.key()))
    });
    let guilty: Vec<_> = guilty.collect();
    if guilty.is_empty() { Err(format!("the copy does not build:\n{text}")) } else { Ok(guilty) }
}
