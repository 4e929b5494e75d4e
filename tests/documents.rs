//! Are the documents right, short and readable? The README and the other documents name only files,
//! tests and programs that exist. The README is short. Documents and comments wrap at 100 columns.
//! Old words do not come back.

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

/// Words that the project no longer uses, each with what to write instead.
///
/// A word with a capital letter is the name of a type, or a part of such a name. Other words are
/// found in any case, in comments, texts and identifiers. The words of a phrase may stand on two
/// lines, or be joined by underscores.
const FORBIDDEN: &[(&str, &str)] = &[
    ("AboutThread", "`ThreadInfo`"),
    ("edition", "sequence"),
    ("for ever", "forever"),
    ("look slowly", "reap"),
    ("looks slowly", "reaps"),
    ("looked slowly", "reaped"),
    ("looking slowly", "reaping"),
    ("nap", "a short sleep, or the first phase"),
    ("naps", "short sleeps"),
    ("news", "the sequence, or the awaited word"),
    ("Patience", "a deadline or a timeout"),
    ("proof mutants", "mutation testing, or `mutants`"),
    ("Refusal", "an error type that is named after the operation"),
    ("Refused", "an error type that is named after the operation"),
    ("slow look", "reaping"),
    ("slow looks", "reaping"),
    ("Stamp", "`GuardTag`, or a tag"),
    ("the net", "the recheck, or reaping"),
    ("told abandoned", "considered abandoned"),
    ("until the deadline", "by the deadline"),
    ("until its deadline", "by its deadline"),
    ("until their deadline", "by their deadline"),
];
/// Where a forbidden word may stand: the file, the word, and the reason.
const ALLOWED: &[(&str, &str, &str)] = &[];
/// This file names the forbidden words.
const THIS: &str = "tests/documents.rs";

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
    let entries = entries.map(|entry| Path::new("docs").join(entry.expect("an entry").file_name()));
    names.extend(entries.filter(|name| name.extension().is_some_and(|extension| extension == "md")));
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

/// All files in these folders whose names end like this, without build results.
fn files_in(folders: &[&str], end: &str) -> Vec<Document> {
    fn read(place: &Path, end: &str, all: &mut Vec<Document>) {
        for entry in std::fs::read_dir(place).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("target") {
                read(&path, end, all);
            } else if path.extension().is_some_and(|found| found == end) {
                let name = path.strip_prefix(root()).expect("within").display().to_string();
                all.push(Document { name, text: std::fs::read_to_string(&path).expect("readable") });
            }
        }
    }
    let mut all = vec![];
    folders.iter().for_each(|folder| read(&root().join(folder), end, &mut all));
    all
}

/// All sources in these folders.
fn sources_in(folders: &[&str]) -> Vec<Document> {
    files_in(folders, "rs")
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

/// The words of prose and identifiers, with their places in the text: `a_stamp` and `AStamp` have
/// two each.
fn words(text: &str) -> Vec<(usize, &str)> {
    let mut found = vec![];
    let mut begin = None;
    let mut before = ' ';
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        let is_hump = before.is_lowercase() && c.is_uppercase();
        if let Some(from) = begin.filter(|_| is_hump || !c.is_alphanumeric()) {
            found.push((from, &text[from..at]));
            begin = None;
        }
        if begin.is_none() && c.is_alphanumeric() {
            begin = Some(at);
        }
        before = c;
    }
    found
}

/// Whether two words belong to one phrase, by the text between them.
fn is_joint(between: &str) -> bool {
    between.chars().all(|c| c.is_whitespace() || "_-`*/!".contains(c))
}

/// The lines of a text in which the phrase begins. If it has a capital letter, the case counts.
fn lines_with(phrase: &str, text: &str) -> Vec<usize> {
    let is_type = phrase.contains(char::is_uppercase);
    let is_same = |one: &str, other: &str| if is_type { one == other } else { one.eq_ignore_ascii_case(other) };
    let (sought, all) = (words(phrase), words(text));
    let is_here = |here: &&[(usize, &str)]| {
        here.iter().zip(&sought).all(|((_, found), (_, word))| is_same(found, word))
            && here.windows(2).all(|pair| is_joint(&text[pair[0].0 + pair[0].1.len()..pair[1].0]))
    };
    let places = all.windows(sought.len()).filter(is_here).map(|here| here[0].0);
    let mut lines: Vec<_> = places.map(|at| 1 + text[..at].matches('\n').count()).collect();
    lines.dedup();
    lines
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

#[test]
fn old_words_are_found_however_they_are_written() {
    let text = "/// Whoever looks\n/// slowly\nfn try_slow_look() {}\nstruct MyStamp; // the stamp. The network, the newsletter\n";
    let lines = |phrase| lines_with(phrase, text);
    assert_eq!(lines("looks slowly"), [1]);
    assert_eq!(lines("slow look"), [3]);
    assert_eq!(lines("Stamp"), [4]);
    assert_eq!(lines("stamp the"), [] as [usize; 0], "a sentence ends between them");
    assert_eq!([lines("the net"), lines("news")], [[] as [usize; 0]; 2], "these are other words");
}

#[test]
fn old_words_do_not_come_back() {
    let folders = ["src", "derive/src", "models", "mutants", "trials", "tests", "examples", "benches", "fuzz"];
    let mut all = sources_in(&folders);
    all.extend(files_in(&["mutants"], "toml").into_iter().filter(|file| !file.name.ends_with("Cargo.toml")));
    all.extend(documents());
    let is_allowed =
        |name: &str, word: &str| ALLOWED.iter().any(|(file, allowed, _)| *file == name && *allowed == word);
    let (mut found, mut unused) = (vec![], ALLOWED.to_vec());
    for file in all.iter().filter(|file| file.name != THIS) {
        for (word, instead) in FORBIDDEN {
            let lines = lines_with(word, &file.text);
            if lines.is_empty() {
                continue;
            }
            unused.retain(|(name, allowed, _)| *name != file.name || allowed != word);
            if !is_allowed(&file.name, word) {
                found.extend(lines.into_iter().map(|line| (&*file.name, line, format!("\"{word}\": write {instead}"))));
            }
        }
    }
    found.sort();
    assert!(unused.is_empty(), "these exceptions are not needed: {unused:?}");
    expect_none("these words are no longer used", found);
}
