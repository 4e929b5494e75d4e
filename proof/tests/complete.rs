//! Quick: nothing is run, only read. Whoever adds an ordering, a wake or a second look to `src/raw` is told here.

use outlive_proof::killers::Killers;
use outlive_proof::{root, sites};

#[test]
fn every_mutant_of_the_algorithms_has_a_killer_or_a_proof() {
    let sources = sites::all(&root()).expect("the sources are read");
    let gaps = Killers::load(&root()).expect("killers.toml is read").gaps(&sources);
    assert!(gaps.is_empty(), "{}\n\nrun `cargo run -p outlive-proof -- mutants --new --record`", gaps.join("\n"));
}

#[test]
fn every_algorithm_has_models() {
    // Where there is nothing to weaken, as in words that are only taken apart, the models of those who use it are enough.
    let sources = sites::all(&root()).expect("the sources are read");
    for source in sources.iter().filter(|source| !source.mutants.is_empty()) {
        let models = root().join("models").join(format!("{}.rs", source.name));
        assert!(models.is_file(), "src/raw/{0}.rs has no models/{0}.rs", source.name);
    }
}
