//! Are the documents right, short and readable? The README and the other documents name only files,
//! tests and programs that exist. The README is short. Documents and comments wrap at 100 columns.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How many words the README may have, without its code.
const MOST_WORDS: usize = 700;
/// How long a line of prose may be.
const COLUMNS: usize = 100;
/// Files that exist only after a command of the documents has made them.
const MADE: [&str; 2] = ["target/", "fuzz/artifacts"];
/// In an example, the name of the reader's own primitive.
const PLACEHOLDER: &str = "gate";

/// A document or source: its path in the repository, and its text.
struct Document {
    name: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<Document> {
    let mut names: Vec<_> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(PathBuf::from).into();
    let entries = std::fs::read_dir(root().join("docs")).expect("a folder");
    names.extend(entries.map(|entry| Path::new("docs").join(entry.expect("an entry").file_name())));
    let read = |name: &PathBuf| std::fs::read_to_string(root().join(name)).expect("readable");
    names.iter().map(|name| Document { name: name.display().to_string(), text: read(name) }).collect()
}

impl Document {
    /// The lines, each with its number and whether it is code.
    fn lines(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        let mut is_code = false;
        self.text.lines().enumerate().map(move |(index, line)| {
            let is_fence = line.starts_with("```");
            is_code ^= is_fence;
            (index + 1, line, is_code || is_fence)
        })
    }

    /// The words of code, in blocks and between backticks, each with its line.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().flat_map(|(number, line, is_code)| {
            let parts = line.split('`').enumerate().filter(move |(index, _)| is_code || index % 2 == 1);
            parts.flat_map(|(_, part)| part.split_whitespace()).map(move |word| (number, word))
        })
    }

    /// The targets of links, each with its line.
    fn links(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().filter(|(_, _, is_code)| !is_code).flat_map(|(number, line, _)| {
            let targets = line.split("](").skip(1).filter_map(|after| after.split_once(')'));
            targets.map(move |(target, _)| (number, target)).filter(|(_, target)| !target.contains("://"))
        })
    }

    /// The anchors of the headings, as links name them.
    fn anchors(&self) -> BTreeSet<String> {
        let headings = self.lines().filter(|(_, line, is_code)| !is_code && line.starts_with('#'));
        headings
            .map(|(_, line, _)| {
                let text = line.trim_start_matches('#').trim().to_lowercase();
                let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
                kept.map(|c| if c == ' ' { '-' } else { c }).collect()
            })
            .collect()
    }
}

/// Whether a word of code names a file or folder of the repository.
fn is_path(word: &str) -> bool {
    let is_in_alphabet = word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    let is_file = [".rs", ".toml", ".md", ".txt"].iter().any(|end| word.ends_with(end) && word.len() > end.len());
    let is_made = MADE.iter().any(|made| word.starts_with(made));
    let is_placeholder = word.split('/').any(|part| part.starts_with(PLACEHOLDER));
    is_in_alphabet && (is_file || word.contains('/')) && !word.starts_with('/') && !is_made && !is_placeholder
}

/// All sources in these folders, without build results.
fn sources_in(folders: &[&str]) -> Vec<Document> {
    fn read(place: &Path, all: &mut Vec<Document>) {
        for entry in std::fs::read_dir(place).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("target") {
                read(&path, all);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(root()).expect("within").display().to_string();
                all.push(Document { name, text: std::fs::read_to_string(&path).expect("readable") });
            }
        }
    }
    let mut all = vec![];
    folders.iter().for_each(|folder| read(&root().join(folder), &mut all));
    all
}

/// The text of all sources that contain tests.
fn sources() -> String {
    sources_in(&["src", "tests", "models", "trials", "mutants"]).iter().map(|source| &*source.text).collect()
}

/// The text of a line that is a comment, without its marks.
fn comment(line: &str) -> Option<&str> {
    let text = line.trim_start().strip_prefix("//")?;
    Some(text.strip_prefix(['/', '!']).unwrap_or(text).trim_start())
}

/// The name of a test, if the word is written like one, as a sentence.
fn test_name(word: &str) -> Option<&str> {
    let name = word.rsplit("::").next()?;
    let is_sentence =
        name.matches('_').count() >= 3 && word.chars().all(|c| c.is_ascii_lowercase() || "_:".contains(c));
    is_sentence.then_some(name)
}

/// Fails if anything was found, and lists all of it with file and line.
fn expect_none(what: &str, found: Vec<(&str, usize, String)>) {
    let list: String = found.iter().map(|(name, line, text)| format!("\n{name}:{line}: {text}")).collect();
    assert!(found.is_empty(), "{what}:{list}");
}

#[test]
fn every_file_that_is_named_exists() {
    let documents = documents();
    let (mut missing, mut count) = (vec![], 0);
    for document in &documents {
        for (line, word) in document.code().map(|(line, word)| (line, word.trim_matches([',', ';', ':', '(', ')']))) {
            if is_path(word) {
                count += 1;
                if !root().join(word).exists() {
                    missing.push((&*document.name, line, word.to_owned()));
                }
            }
        }
        let folder = root().join(&document.name);
        let folder = folder.parent().expect("a folder");
        for (line, target) in document.links() {
            count += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { root().join(&document.name) } else { folder.join(file) };
            let is_there = path.exists();
            let linked = documents.iter().find(|other| is_there && root().join(&other.name).ends_with(file));
            let linked = if file.is_empty() { Some(document) } else { linked };
            if !is_there || !anchor.is_empty() && linked.is_none_or(|linked| !linked.anchors().contains(anchor)) {
                missing.push((&*document.name, line, target.to_owned()));
            }
        }
    }
    assert!(count > 150, "only {count} names of files were found: the search is blind");
    expect_none("these files, folders or headings do not exist", missing);
}

#[test]
fn every_test_that_is_named_exists() {
    let (documents, sources) = (documents(), sources());
    let (mut missing, mut count) = (vec![], 0);
    for document in &documents {
        for (line, word) in document.code() {
            let Some(name) = test_name(word) else { continue };
            count += 1;
            if !sources.contains(&format!("fn {name}(")) && !sources.contains(&format!(" {name}:")) {
                missing.push((&*document.name, line, word.to_owned()));
            }
        }
    }
    assert!(count > 50, "only {count} names of tests were found: the search is blind");
    expect_none("there are no tests of these names", missing);
}

#[test]
fn every_program_of_a_command_exists() {
    let places = [
        ("--test", &["tests", "models/tests", "trials/tests"][..]),
        ("--example", &["examples"]),
        ("--bench", &["benches"]),
    ];
    let documents = documents();
    let mut missing = vec![];
    for document in &documents {
        let words: Vec<_> = document.code().collect();
        for pair in words.windows(2) {
            let [(line, option), (_, name)] = pair else { continue };
            let Some((_, folders)) = places.iter().find(|(known, _)| known == option) else { continue };
            let is_in = |folder: &&str| {
                let place = root().join(folder).join(name);
                place.is_dir() || place.with_extension("rs").is_file()
            };
            if !folders.iter().any(is_in) {
                missing.push((&*document.name, *line, format!("{option} {name}")));
            }
        }
    }
    expect_none("there are no programs of these names", missing);
}

#[test]
fn the_readme_is_short() {
    let documents = documents();
    let readme = documents.iter().find(|document| document.name == "README.md").expect("it is there");
    let prose = readme.lines().filter(|(_, _, is_code)| !is_code).flat_map(|(_, line, _)| line.split_whitespace());
    let count = prose.filter(|word| word.contains(char::is_alphanumeric)).count();
    assert!(count <= MOST_WORDS, "README.md has {count} words of prose, at most {MOST_WORDS} are wanted");
}

#[test]
fn prose_wraps() {
    let documents = documents();
    let is_long = |line: &str| line.chars().count() > COLUMNS;
    let long = documents.iter().flat_map(|document| {
        let prose = document.lines().filter(|(_, line, is_code)| !is_code && !line.starts_with('|'));
        let long = prose.filter(|(_, line, _)| is_long(line));
        long.map(|(number, line, _)| (&*document.name, number, format!("{} columns", line.chars().count())))
    });
    expect_none("these lines are longer than 100 columns", long.collect());
}

/// Code in examples, and the rows of tables, may be longer.
#[test]
fn comments_wrap() {
    let folders = ["src", "derive/src", "models", "trials", "mutants", "benches", "tests", "examples", "fuzz"];
    let (sources, mut count) = (sources_in(&folders), 0);
    let mut long = vec![];
    for source in &sources {
        let mut is_code = false;
        for (index, line) in source.text.lines().enumerate() {
            let Some(text) = comment(line) else {
                is_code = false;
                continue;
            };
            is_code ^= text.starts_with("```");
            count += 1;
            if !is_code && !text.starts_with('|') && line.chars().count() > COLUMNS {
                long.push((&*source.name, index + 1, format!("{} columns", line.chars().count())));
            }
        }
    }
    assert!(count > 5_000, "only {count} lines of comments were found: the search is blind");
    expect_none("these comments are longer than 100 columns", long);
}
