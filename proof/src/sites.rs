//! Where something can be weakened or taken away.
//!
//! # The rules
//!
//! | what                                                         | mutants                                                     |
//! |--------------------------------------------------------------|-------------------------------------------------------------|
//! | an ordering that is the argument of a call                   | Relaxed; AcqRel also Acquire and Release; SeqCst also AcqRel |
//! | a fence                                                      | dropped; one that is SeqCst also AcqRel                     |
//! | `swap_then_fence` and the like                               | without the fence                                           |
//! | `P::wake`                                                    | dropped; one of all also a wake of one                      |
//! | a call of a function that wakes, whose value nobody uses     | dropped: the cascade is one of them                         |
//! | a load in a `loop` or a `while`                              | its first value is used again: nobody looks twice           |
//! | a load that is compared with a value                         | taken as equal: the second look is not taken                |
//! | a `push`                                                     | dropped: something is not watched                           |
//!
//! A mutant is known by the function in which it is and the n-th such operation there, not by its line.

use crate::{Result, read};
use proc_macro2::TokenTree;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// One way to weaken the algorithms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// The number that wakes it.
    pub id: u32,
    /// The file in `src/raw`, without its ending.
    pub file: String,
    /// `Type::function`.
    pub function: String,
    /// The operation, as `load#2` or `compare_exchange#1 success`.
    pub operation: String,
    /// What is done to it.
    pub change: String,
    /// The line of the operation, from 1 on.
    pub line: usize,
    /// The line on which its statement begins.
    pub statement: usize,
    /// Why it changes nothing, if the source says so.
    pub proof: Option<String>,
}

impl Mutant {
    /// By what it is known, within its file.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}: {}, {}", self.function, self.operation, self.change)
    }
}

/// A piece of text that goes into the copy of a source.
#[derive(Debug)]
struct Insertion {
    at: usize,
    text: String,
}

/// A source with all that can be done to it.
#[derive(Debug)]
pub struct Source {
    /// The name, without the ending.
    pub name: String,
    /// Its mutants.
    pub mutants: Vec<Mutant>,
    /// The names of the other files of `src/raw` that it uses.
    pub uses: BTreeSet<String>,
    text: String,
    insertions: Vec<Insertion>,
}

impl Source {
    /// The source in which all mutants are present, and asleep.
    #[must_use]
    pub fn instrumented(&self) -> String {
        let mut out = String::with_capacity(self.text.len() * 2);
        let mut from = 0;
        for insertion in &self.insertions {
            out.push_str(&self.text[from..insertion.at]);
            out.push_str(&insertion.text);
            from = insertion.at;
        }
        out + &self.text[from..]
    }
}

/// A place that no rule finds: text to look for, which must be there once, and what to put before and after it.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    file: String,
    function: String,
    name: String,
    text: String,
    #[serde(default)]
    before: String,
    #[serde(default)]
    after: String,
}

/// All of `src/raw`, in order of their names.
///
/// # Errors
/// A file that cannot be read or parsed; a proof or a look that belongs to nothing; an ordering out of reach.
pub fn all(root: &Path) -> Result<Vec<Source>> {
    #[derive(serde::Deserialize)]
    struct Looks {
        look: Vec<Look>,
    }
    let looks: Looks = toml::from_str(&read(&root.join("proof/looks.toml"))?).map_err(|error| error.to_string())?;
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(root.join("src/raw")).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|ending| ending == "rs") && name != "mod" {
            let text = read(&path)?;
            let tree = syn::parse_file(&text).map_err(|error| format!("{}: {error}", path.display()))?;
            files.insert(name, (text, tree));
        }
    }
    if let Some(look) = looks.look.iter().find(|look| !files.contains_key(&look.file)) {
        return Err(format!("looks.toml: there is no src/raw/{}.rs", look.file));
    }
    let wakers = wakers(files.values().map(|(_, tree)| tree));
    let mut next_id = 1;
    let names: BTreeSet<_> = files.keys().cloned().collect();
    let mut sources = vec![];
    for (name, (text, tree)) in files {
        let uses = names.iter().filter(|other| text.contains(&format!("super::{other}::"))).cloned().collect();
        let looks: Vec<_> = looks.look.iter().filter(|look| look.file == name).collect();
        let source = find(name, text, &tree, &looks, &wakers, uses, next_id)?;
        next_id += source.mutants.len() as u32;
        sources.push(source);
    }
    Ok(sources)
}

/// The functions that wake, directly or through others; false: it also gives something back.
fn wakers<'a>(files: impl Iterator<Item = &'a syn::File>) -> BTreeMap<String, bool> {
    #[derive(Default)]
    struct Calls {
        of: BTreeMap<String, (BTreeSet<String>, bool)>,
        within: Option<String>,
    }
    impl Calls {
        fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
            let name = signature.ident.to_string();
            let unit = matches!(signature.output, syn::ReturnType::Default);
            let (_, all_unit) = self.of.entry(name.clone()).or_insert((BTreeSet::new(), true));
            *all_unit &= unit;
            let outer = self.within.replace(name);
            self.visit_block(block);
            self.within = outer;
        }
        fn calls(&mut self, name: String) {
            if let Some(within) = &self.within {
                self.of.entry(within.clone()).or_default().0.insert(name);
            }
        }
    }
    impl<'ast> Visit<'ast> for Calls {
        fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
            self.function(&item.sig, &item.block);
        }
        fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
            self.function(&item.sig, &item.block);
        }
        fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
            if let Some(name) = last_segment(&call.func) {
                self.calls(name);
            }
            visit::visit_expr_call(self, call);
        }
        fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
            self.calls(call.method.to_string());
            visit::visit_expr_method_call(self, call);
        }
    }
    let mut calls = Calls::default();
    files.for_each(|file| calls.visit_file(file));
    let mut wakers = BTreeMap::new();
    loop {
        let more: Vec<_> = (calls.of.iter())
            .filter(|(name, (called, _))| {
                !wakers.contains_key(*name) && called.iter().any(|name| name == "wake" || wakers.contains_key(name))
            })
            .map(|(name, (_, unit))| (name.clone(), *unit))
            .collect();
        if more.is_empty() {
            return wakers;
        }
        wakers.extend(more);
    }
}

fn last_segment(expr: &syn::Expr) -> Option<String> {
    let syn::Expr::Path(path) = expr else { return None };
    path.path.segments.last().map(|segment| segment.ident.to_string())
}

fn ordering(expr: &syn::Expr) -> Option<String> {
    last_segment(expr).filter(|name| ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"].contains(&name.as_str()))
}

fn weaker(order: &str) -> &'static [&'static str] {
    match order {
        "Acquire" | "Release" => &["Relaxed"],
        "AcqRel" => &["Relaxed", "Acquire", "Release"],
        "SeqCst" => &["Relaxed", "AcqRel"],
        _ => &[],
    }
}

fn find(
    name: String,
    text: String,
    tree: &syn::File,
    looks: &[&Look],
    wakers: &BTreeMap<String, bool>,
    uses: BTreeSet<String>,
    first_id: u32,
) -> Result<Source> {
    let mut finder = Finder::new(&name, wakers);
    finder.next_id = first_id;
    let mut closing = vec![];
    for look in looks {
        let places: Vec<_> = text.match_indices(look.text.trim_end()).map(|(at, _)| at).collect();
        let [at] = places[..] else {
            return Err(format!("looks.toml: `{}` is {} times in {name}.rs, not once", look.name, places.len()));
        };
        finder.function = look.function.clone();
        let line = text[..at].lines().count().max(1);
        let id = finder.mutant("look", &look.name, line, line);
        let awake = format!("crate::mutant::is({id})");
        finder.insert(at, look.before.trim_end().replace("MUTANT", &awake));
        closing.push((at + look.text.trim_end().len(), look.after.trim_end().replace("MUTANT", &awake)));
    }
    finder.visit_file(tree);
    for (at, after) in closing {
        finder.insert(at, after);
    }
    if let Some(item) = tree.items.first() {
        finder.insert(item.span().byte_range().start, "use crate::mutant::ThenFence as _;\n".into());
    }
    let Finder { mut insertions, mut mutants, errors, .. } = finder;
    if let Some(error) = errors.first() {
        return Err(format!("{name}.rs: {error}"));
    }
    insertions.sort_by_key(|insertion| insertion.at); // stable: of one place, outer ones open first and close last
    attach_proofs(&name, &text, &mut mutants)?;
    Ok(Source { name, mutants, uses, text, insertions })
}

/// Gives each mutant the proof that stands above its line or statement, if it is about that mutant.
fn attach_proofs(name: &str, text: &str, mutants: &mut [Mutant]) -> Result<()> {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let comment = |index: usize| lines.get(index)?.strip_prefix("//").map(|rest| rest.trim_start_matches('/').trim());
    let begins = |index: usize| comment(index)?.strip_prefix("EQUIVALENT(")?.split_once("):");
    for begin in 0..lines.len() {
        let Some((about, proof)) = begins(begin) else { continue };
        let mut proof = proof.trim().to_owned();
        let mut end = begin + 1;
        while let Some(more) = comment(end) {
            if begins(end).is_none() && !more.starts_with("ORDERING:") && !proof.ends_with('\u{1f}') {
                proof = proof + " " + more;
            } else {
                proof.push('\u{1f}'); // what follows is about something else
            }
            end += 1;
        }
        let proof = proof.trim_end_matches('\u{1f}').trim().to_owned();
        let attributes = lines[end..].iter().take_while(|line| line.starts_with("#[")).count();
        let line = end + attributes + 1;
        for about in about.split(';').map(str::trim) {
            let mut found = false;
            for mutant in mutants.iter_mut().filter(|mutant| mutant.line == line || mutant.statement == line) {
                let full = format!("{} {}", mutant.operation, mutant.change);
                if full == about || full.ends_with(&format!(" {about}")) {
                    mutant.proof = Some(proof.clone());
                    found = true;
                }
            }
            if !found {
                return Err(format!("{name}.rs, line {}: no mutant below is `{about}`", begin + 1));
            }
        }
        if proof.len() < 20 {
            return Err(format!("{name}.rs, line {}: that is no proof", begin + 1));
        }
    }
    Ok(())
}

struct Finder<'s> {
    file: &'s str,
    wakers: &'s BTreeMap<String, bool>,
    next_id: u32,
    mutants: Vec<Mutant>,
    insertions: Vec<Insertion>,
    errors: Vec<String>,
    owner: String,
    function: String,
    statement: usize,
    counts: BTreeMap<(String, String), usize>,
    /// For each loop around the place: the mutants of its loads. Empty in a closure: it may run elsewhere.
    loops: Vec<Vec<u32>>,
}

impl<'s> Finder<'s> {
    fn new(file: &'s str, wakers: &'s BTreeMap<String, bool>) -> Self {
        Self {
            file,
            wakers,
            next_id: 1,
            mutants: vec![],
            insertions: vec![],
            errors: vec![],
            owner: String::new(),
            function: String::new(),
            statement: 0,
            counts: BTreeMap::new(),
            loops: vec![],
        }
    }

    fn insert(&mut self, at: usize, text: String) {
        self.insertions.push(Insertion { at, text });
    }

    /// The next operation of that kind in this function.
    fn count(&mut self, operation: &str) -> String {
        let count = self.counts.entry((self.function.clone(), operation.to_owned())).or_default();
        *count += 1;
        format!("{operation}#{count}")
    }

    fn mutant(&mut self, operation: &str, change: &str, line: usize, statement: usize) -> u32 {
        let id = self.next_id;
        self.next_id += 1;
        self.mutants.push(Mutant {
            id,
            file: self.file.to_owned(),
            function: self.function.clone(),
            operation: operation.to_owned(),
            change: change.to_owned(),
            line,
            statement,
            proof: None,
        });
        id
    }

    fn mutant_at(&mut self, operation: &str, change: &str, node: &impl Spanned) -> u32 {
        self.mutant(operation, change, node.span().start().line, self.statement)
    }

    /// Puts text around `node`, and visits it meanwhile.
    fn around<N: Spanned>(&mut self, node: &N, before: String, after: &str, visit: impl FnOnce(&mut Self, &N)) {
        let range = node.span().byte_range();
        self.insert(range.start, before);
        visit(self, node);
        self.insert(range.end, after.to_owned());
    }

    fn weaken(&mut self, operation: &str, role: &str, expr: &syn::Expr, changes: &[&str]) {
        let Some(order) = ordering(expr) else { return };
        let mut arms = String::new();
        for change in changes {
            let id = self.mutant_at(&format!("{operation}{role}"), &format!("{order} to {change}"), expr);
            arms += &format!("{id} => core::sync::atomic::Ordering::{change}, ");
        }
        if !arms.is_empty() {
            self.around(expr, format!("(match crate::mutant::awake() {{ {arms}_ => "), " })", |_, _| {});
        }
    }

    /// Visits the arguments of a call, and weakens those that are orderings.
    fn arguments<'a>(&mut self, operation: &str, arguments: impl Iterator<Item = &'a syn::Expr> + Clone) {
        let orderings = arguments.clone().filter(|argument| ordering(argument).is_some()).count();
        let mut roles = if orderings == 2 { [" success", " failure"].iter() } else { ["", ""].iter() };
        for argument in arguments {
            match ordering(argument) {
                Some(order) => {
                    let role = roles.next().copied().unwrap_or_default();
                    self.weaken(operation, role, argument, weaker(&order));
                }
                None => self.visit_expr(argument),
            }
        }
    }

    fn wake(&mut self, call: &syn::ExprCall) {
        let operation = self.count("wake");
        let id = self.mutant_at(&operation, "dropped", call);
        self.around(call, format!("(if crate::mutant::is({id}) {{ 0 }} else {{ "), " })", |this, call| {
            for argument in &call.args {
                if last_segment(argument).is_some_and(|name| name == "MAX") {
                    let id = this.mutant_at(&operation, "all to one", call);
                    let before = format!("(if crate::mutant::is({id}) {{ 1 }} else {{ ");
                    this.around(argument, before, " })", |_, _| {});
                } else {
                    this.visit_expr(argument);
                }
            }
        });
    }

    fn fence(&mut self, call: &syn::ExprCall) {
        let operation = self.count("fence");
        let id = self.mutant_at(&operation, "dropped", call);
        self.around(call, format!("(if crate::mutant::is({id}) {{}} else {{ "), " })", |this, call| {
            for argument in &call.args {
                let order = ordering(argument).unwrap_or_default();
                let changes: Vec<_> = weaker(&order).iter().copied().filter(|change| *change != "Relaxed").collect();
                this.weaken(&operation, "", argument, &changes);
            }
        });
    }

    fn load(&mut self, load: &syn::ExprMethodCall) {
        let operation = self.count("load");
        let visit = |this: &mut Self, load: &syn::ExprMethodCall| {
            this.visit_expr(&load.receiver);
            this.arguments(&operation, load.args.iter());
        };
        if self.loops.is_empty() {
            return visit(self, load);
        }
        let id = self.mutant_at(&operation, "not repeated", load);
        if let Some(around) = self.loops.last_mut() {
            around.push(id);
        }
        self.around(load, format!("crate::mutant::once({id}, &mut first_{id}, || "), ")", visit);
    }

    fn looping<N: Spanned>(&mut self, node: &N, visit: impl FnOnce(&mut Self, &N)) {
        self.loops.push(vec![]);
        // What comes within is written first, and opens at a later place: the order of insertions at one place is kept.
        visit(self, node);
        let ids = self.loops.pop().unwrap_or_default();
        if !ids.is_empty() {
            let lets: String = ids.iter().map(|id| format!("let mut first_{id} = None; ")).collect();
            let range = node.span().byte_range();
            self.insert(range.start, format!("{{ {lets}"));
            self.insert(range.end, " }".into());
        }
    }

    fn in_function(&mut self, name: &syn::Ident, visit: impl FnOnce(&mut Self)) {
        let full = if self.owner.is_empty() { name.to_string() } else { format!("{}::{name}", self.owner) };
        let outer = std::mem::replace(&mut self.function, full);
        let loops = std::mem::take(&mut self.loops);
        visit(self);
        self.loops = loops;
        self.function = outer;
    }

    /// A call that can be dropped: of a function that wakes, or a `push`, if nobody uses its value.
    fn droppable(&mut self, expr: &syn::Expr, is_statement: bool) -> Option<String> {
        let name = match expr {
            syn::Expr::Call(call) => last_segment(&call.func)?,
            syn::Expr::MethodCall(call) => call.method.to_string(),
            _ => return None,
        };
        let unit = *self.wakers.get(&name).or(name.starts_with("push").then_some(&false))?;
        (unit || is_statement).then_some(name)
    }
}

/// Whether the expression is nothing but a load.
fn is_load(expr: &syn::Expr) -> bool {
    matches!(expr, syn::Expr::MethodCall(call) if call.method == "load" && call.args.len() == 1)
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let name = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
            _ => None,
        };
        let outer = std::mem::replace(&mut self.owner, name.unwrap_or_default());
        visit::visit_item_impl(self, item);
        self.owner = outer;
    }
    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        let outer = std::mem::replace(&mut self.owner, item.ident.to_string());
        visit::visit_item_trait(self, item);
        self.owner = outer;
    }
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.in_function(&item.sig.ident, |this| visit::visit_item_fn(this, item));
    }
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.in_function(&item.sig.ident, |this| visit::visit_impl_item_fn(this, item));
    }
    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.in_function(&item.sig.ident, |this| visit::visit_trait_item_fn(this, item));
    }

    fn visit_stmt(&mut self, statement: &'ast syn::Stmt) {
        let outer = std::mem::replace(&mut self.statement, statement.span().start().line);
        match statement {
            syn::Stmt::Expr(expr, Some(_)) if self.droppable(expr, true).is_some() => self.drop_call(expr, true),
            _ => visit::visit_stmt(self, statement),
        }
        self.statement = outer;
    }
    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let outer = std::mem::replace(&mut self.statement, arm.span().start().line);
        visit::visit_arm(self, arm);
        self.statement = outer;
    }

    fn visit_expr(&mut self, expr: &'ast syn::Expr) {
        match expr {
            syn::Expr::Path(_) => {
                let operation = ordering(expr).map(|order| (self.count("ordering"), order));
                if let Some((operation, order)) = operation {
                    self.weaken(&operation, "", expr, weaker(&order));
                }
            }
            syn::Expr::Binary(binary) if is_comparison(binary) => {
                let operation = self.count("comparison");
                let id = self.mutant_at(&operation, "taken as equal", binary);
                let equal = matches!(binary.op, syn::BinOp::Eq(_));
                let before = format!("(if crate::mutant::is({id}) {{ {equal} }} else {{ ");
                self.around(binary, before, " })", |this, binary| visit::visit_expr_binary(this, binary));
            }
            _ if self.droppable(expr, false).is_some() => self.drop_call(expr, false),
            _ => visit::visit_expr(self, expr),
        }
    }
    fn visit_expr_loop(&mut self, node: &'ast syn::ExprLoop) {
        self.looping(node, |this, node| visit::visit_expr_loop(this, node));
    }
    fn visit_expr_while(&mut self, node: &'ast syn::ExprWhile) {
        self.looping(node, |this, node| visit::visit_expr_while(this, node));
    }
    fn visit_expr_for_loop(&mut self, node: &'ast syn::ExprForLoop) {
        let outer = std::mem::take(&mut self.loops);
        visit::visit_expr_for_loop(self, node);
        self.loops = outer;
    }
    fn visit_expr_closure(&mut self, node: &'ast syn::ExprClosure) {
        let outer = std::mem::take(&mut self.loops);
        visit::visit_expr_closure(self, node);
        self.loops = outer;
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        match last_segment(&call.func).unwrap_or_default().as_str() {
            "wake" if call.args.len() == 2 => self.wake(call),
            "fence" if call.args.len() == 1 => self.fence(call),
            name if call.args.iter().any(|argument| ordering(argument).is_some()) => {
                let operation = self.count(name);
                self.arguments(&operation, call.args.iter());
            }
            _ => visit::visit_expr_call(self, call),
        }
    }
    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let name = call.method.to_string();
        if name == "load" && call.args.len() == 1 {
            return self.load(call);
        }
        if !call.args.iter().any(|argument| ordering(argument).is_some()) {
            return visit::visit_expr_method_call(self, call);
        }
        let operation = self.count(&name);
        self.visit_expr(&call.receiver);
        if name.ends_with("_then_fence") {
            let id = self.mutant_at(&operation, "without the fence", &call.method);
            self.insert(call.method.span().byte_range().end, "_unless".into());
            self.insert(call.paren_token.span.open().byte_range().end, format!("{id}, "));
        }
        self.arguments(&operation, call.args.iter());
    }

    fn visit_macro(&mut self, node: &'ast syn::Macro) {
        fn mentions(tokens: proc_macro2::TokenStream) -> bool {
            tokens.into_iter().any(|token| match token {
                TokenTree::Group(group) => mentions(group.stream()),
                TokenTree::Ident(ident) => {
                    ["Acquire", "Release", "AcqRel", "SeqCst", "wake"].iter().any(|x| ident == x)
                }
                _ => false,
            })
        }
        if mentions(node.tokens.clone()) {
            let line = node.span().start().line;
            self.errors.push(format!("line {line}: an ordering or a wake within a macro is out of reach"));
        }
    }
}

fn is_comparison(binary: &syn::ExprBinary) -> bool {
    matches!(binary.op, syn::BinOp::Eq(_) | syn::BinOp::Ne(_)) && (is_load(&binary.left) || is_load(&binary.right))
}

impl Finder<'_> {
    fn drop_call(&mut self, expr: &syn::Expr, is_statement: bool) {
        let Some(name) = self.droppable(expr, is_statement) else { return };
        let operation = self.count(&name);
        let id = self.mutant_at(&operation, "dropped", expr);
        let visit = |this: &mut Self, expr: &syn::Expr| match expr {
            syn::Expr::Call(call) => this.visit_expr_call(call),
            syn::Expr::MethodCall(call) => this.visit_expr_method_call(call),
            _ => {}
        };
        let unused = if is_statement { "; }" } else { " }" };
        let after = format!("{unused})");
        self.around(expr, format!("(if crate::mutant::is({id}) {{}} else {{ "), &after, visit);
    }
}
