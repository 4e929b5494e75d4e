//! Reads what the models explored from the lines that they print:
//! `model NAME: P plans, E executions, ...`.

use std::collections::BTreeMap;

/// What one model printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The primitive. It is the file of the models.
    pub primitive: String,
    /// loom or shuttle.
    pub method: String,
    /// The property. It is the name of the test.
    pub property: String,
    /// The numbers of plans and executions, or that the model failed as it must.
    pub explored: String,
    /// The bounds.
    pub bound: String,
}

/// Parses a line, if a model printed it.
#[must_use]
pub fn parse(line: &str) -> Option<Line> {
    // The line may begin with output of the test harness: "test ... ".
    let (name, rest) = line.get(line.find("model ")?..)?.strip_prefix("model ")?.split_once(": ")?;
    let mut path = name.split("::");
    let (primitive, module, property) = (path.next()?, path.next()?, path.next()?);
    let (explored, bound) = if let Some(failed) = rest.strip_prefix("fails as it must at ") {
        let executions = failed.split(" after ").nth(1)?.split(" executions").next()?;
        (format!("fails as it must, after {executions}"), String::new())
    } else {
        let (explored, bound) = rest.split_once("; ").unwrap_or((rest, ""));
        (explored.to_owned(), bound.to_owned())
    };
    Some(Line {
        primitive: primitive.to_owned(),
        method: module.trim_start_matches("with_").to_owned(),
        property: property.replace('_', " "),
        explored,
        bound,
    })
}

/// The lines of all models in a text, ordered by primitive, property and method. If a model ran
/// several times, its last line counts.
#[must_use]
pub fn collect(text: &str) -> Vec<Line> {
    let lines: BTreeMap<_, _> = (text.lines().filter_map(parse))
        .map(|line| ((line.primitive.clone(), line.property.clone(), line.method.clone()), line))
        .collect();
    lines.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_models_are_parsed_and_others_are_ignored() {
        let text = "test with_loom::x ... model mutex::with_loom::any_two_may_die: 240 plans, 28464 executions; \
                    deaths in pairs; preemptions 1; cut short 3\n\
                    model mutex::with_loom::it_hangs: fails as it must at Plan { deaths: [] } after 13 executions: deadlock\n\
                    test result: ok. 10 passed\n";
        let lines = collect(text);
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].primitive.as_str(), lines[0].method.as_str()), ("mutex", "loom"));
        assert_eq!(lines[0].property, "any two may die");
        assert_eq!(lines[0].explored, "240 plans, 28464 executions");
        assert_eq!(lines[0].bound, "deaths in pairs; preemptions 1; cut short 3");
        assert_eq!(lines[1].explored, "fails as it must, after 13");
    }
}
