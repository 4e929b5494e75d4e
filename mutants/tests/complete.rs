//! A quick check, which reads sources and runs nothing. It fails if `src/raw` has an ordering, a
//! wake or a second check without a known killer or a proof.

use outlive_mutants::evidence::ROWS;
use outlive_mutants::killers::Killers;
use outlive_mutants::logic::Logic;
use outlive_mutants::run::BLIND;
use outlive_mutants::{read, root, sites};

#[test]
fn every_mutant_of_the_algorithms_has_a_killer_or_a_proof() {
    let sources = sites::all(&root(), &Logic::default()).expect("the sources are read");
    let gaps = Killers::load(&root()).expect("killers.toml is read").gaps(&sources);
    assert!(gaps.is_empty(), "{}\n\nrun `cargo run -p outlive-mutants -- test --new --record`", gaps.join("\n"));
}

#[test]
fn every_algorithm_has_models() {
    // A file without mutants, such as one that only decodes words, needs no models of its own.
    let sources = sites::all(&root(), &Logic::default()).expect("the sources are read");
    for source in sources.iter().filter(|source| !source.mutants.is_empty()) {
        let models = root().join("models/tests").join(format!("{}.rs", source.module()));
        assert!(models.is_file(), "src/raw/{}.rs has no models/tests/{}.rs", source.name, source.module());
    }
}

/// Each primitive has models on loom and shuttle, with one death, and with two.
#[test]
fn every_primitive_has_models_of_deaths() {
    for row in ROWS.iter().filter(|row| !row.references.is_empty()) {
        let models = read(&root().join("models/tests").join(format!("{}.rs", row.files[0]))).expect("it has models");
        for part in ["with_loom", "with_shuttle", ".victims(", ".pairs()"] {
            assert!(models.contains(part), "models/tests/{}.rs has no `{part}`", row.files[0]);
        }
    }
}

#[test]
fn the_evidence_has_a_row_for_each_primitive() {
    let evidence = read(&root().join("docs/EVIDENCE.md")).expect("it is there");
    let missing: Vec<_> =
        ROWS.iter().map(|row| row.name).filter(|name| !evidence.contains(&format!("| {name} "))).collect();
    assert!(missing.is_empty(), "docs/EVIDENCE.md has no row for: {missing:?}");
}

#[test]
fn every_algorithm_is_in_a_row_of_the_evidence() {
    let named: Vec<_> = ROWS.iter().flat_map(|row| row.files).collect();
    for source in sites::all(&root(), &Logic::default()).expect("the sources are read") {
        assert!(
            named.iter().any(|name| **name == source.name),
            "src/raw/{}.rs is in no row of mutants/src/evidence.rs",
            source.name
        );
    }
}

/// Otherwise a model that must fail, and does not, would count as a witness against a mutant.
#[test]
fn a_blind_model_is_known_by_its_words() {
    let source = read(&root().join("models/src/explore.rs")).expect("it is readable");
    assert!(source.contains(BLIND), "no model says {BLIND:?}");
}
