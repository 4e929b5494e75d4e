//! Applies the rules of [`sites`](crate::sites), and makes the text that goes into the copy where a
//! rule finds a place.

use crate::Result;
use crate::logic::{Genre, Given, Logic};
use crate::sites::{Insertion, Mutant, Patch};
use proc_macro2::TokenTree;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// The functions that wake, directly or through others. The value says whether the function returns
/// nothing.
pub(crate) fn wakers<'a>(files: impl Iterator<Item = &'a syn::File>) -> BTreeMap<String, bool> {
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

/// What was found in a file.
pub(crate) struct Found {
    pub(crate) mutants: Vec<Mutant>,
    pub(crate) insertions: Vec<Insertion>,
    /// The names of the changes of cargo-mutants that were found here.
    pub(crate) reached: BTreeSet<String>,
    /// The first free number.
    pub(crate) next: u32,
}

/// Finds the mutants of one file, numbered from `first_id` on, and what to insert into its copy.
pub(crate) fn find(
    name: &str,
    text: &str,
    tree: &syn::File,
    (patches, logic): (&[&Patch], &Logic),
    wakers: &BTreeMap<String, bool>,
    first_id: u32,
) -> Result<Found> {
    let mut finder = Finder::new(name, wakers);
    finder.next_id = first_id;
    finder.given = logic.of(name);
    finder.logic = Some(logic);
    finder.text = text;
    for patch in patches {
        let whole = patch.text.trim_end();
        let places: Vec<_> = text.match_indices(whole).map(|(at, _)| at).collect();
        let [at] = places[..] else {
            let (patch, count) = (&patch.name, places.len());
            return Err(format!("patches.toml: the text of `{patch}` is in {name}.rs {count} times, must be once"));
        };
        finder.function = patch.function.clone();
        let line = text[..at].lines().count().max(1);
        let id = finder.mutant("patch", &patch.name, line, line, false);
        let is_active = format!("crate::mutant::is({id})");
        let [before, after] = [&patch.before, &patch.after].map(|it| it.trim_end().replace("MUTANT", &is_active));
        finder.patches.push(Around { range: at..at + whole.len(), before, after });
    }
    // A patch around an expression is inserted where that is visited. Any other is outside of all.
    let expressions = Expressions::of(tree);
    let (inside, outside): (Vec<_>, Vec<_>) =
        std::mem::take(&mut finder.patches).into_iter().partition(|patch| expressions.contains(&patch.range));
    finder.patches = inside;
    for patch in &outside {
        finder.insert(patch.range.start, patch.before.clone());
    }
    finder.visit_file(tree);
    for patch in outside {
        finder.insert(patch.range.end, patch.after);
    }
    if let Some(item) = tree.items.first() {
        finder
            .insert(item.span().byte_range().start, "use crate::mutant::{ThenFence as _, ThenFence64 as _};\n".into());
    }
    let Finder { mut insertions, mutants, errors, reached, next_id: next, .. } = finder;
    if let Some(error) = errors.first() {
        return Err(format!("{name}.rs: {error}"));
    }
    // The sort is stable: at one place, outer insertions open first and close last.
    insertions.sort_by_key(|insertion| insertion.at);
    Ok(Found { mutants, insertions, reached, next })
}

/// What a [`Patch`] inserts.
struct Around {
    range: Range<usize>,
    before: String,
    after: String,
}

/// The places of all expressions.
#[derive(Default)]
struct Expressions(Vec<Range<usize>>);

impl Expressions {
    fn of(tree: &syn::File) -> Vec<Range<usize>> {
        let mut expressions = Self::default();
        expressions.visit_file(tree);
        expressions.0
    }
}

impl<'ast> Visit<'ast> for Expressions {
    fn visit_expr(&mut self, expr: &'ast syn::Expr) {
        self.0.push(expr.span().byte_range());
        visit::visit_expr(self, expr);
    }
}

struct Finder<'s> {
    /// Those that are still to be inserted.
    patches: Vec<Around>,
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
    /// The mutants of the loads in each loop around the current place. Empty in a closure, which
    /// may run elsewhere.
    loops: Vec<Vec<u32>>,
    /// The changes of cargo-mutants, by place.
    given: BTreeMap<(usize, usize), Vec<&'s Given>>,
    logic: Option<&'s Logic>,
    reached: BTreeSet<String>,
    text: &'s str,
    /// The current place is evaluated at compile time.
    is_const: bool,
    /// The base of the current struct expression (`..base`).
    base: Option<String>,
    /// The current `match` has an arm for all that the others leave.
    has_arm_for_rest: bool,
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
            given: BTreeMap::new(),
            logic: None,
            reached: BTreeSet::new(),
            text: "",
            is_const: false,
            base: None,
            has_arm_for_rest: false,
            patches: vec![],
        }
    }

    fn insert(&mut self, at: usize, text: String) {
        self.insertions.push(Insertion { at, text, skip: 0, of: vec![] });
    }

    /// The name of the next operation of that kind in this function.
    fn count(&mut self, operation: &str) -> String {
        let count = self.counts.entry((self.function.clone(), operation.to_owned())).or_default();
        *count += 1;
        format!("{operation}#{count}")
    }

    fn mutant(&mut self, operation: &str, change: &str, line: usize, statement: usize, is_logic: bool) -> u32 {
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
            is_logic,
        });
        id
    }

    fn mutant_at(&mut self, operation: &str, change: &str, node: &impl Spanned) -> u32 {
        self.mutant(operation, change, node.span().start().line, self.statement, false)
    }

    /// Puts text around `node`, and visits `node` in between.
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
            self.around(expr, format!("(match crate::mutant::active() {{ {arms}_ => "), " })", |_, _| {});
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
        // Inner insertions are made first, and at later places. At one place the order is kept.
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

    /// The name of the function, if the call can be dropped: it wakes or is a `push`, and its value
    /// is not used.
    fn droppable(&mut self, expr: &syn::Expr, is_statement: bool) -> Option<String> {
        let name = match expr {
            // The platform's own wake returns a value, and has its own rule.
            syn::Expr::Call(call) => last_segment(&call.func).filter(|name| name != "wake")?,
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
        self.in_function(&item.sig.ident, |this| {
            this.function(&item.sig, &item.block, |this| visit::visit_item_fn(this, item));
        });
    }
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.in_function(&item.sig.ident, |this| {
            this.function(&item.sig, &item.block, |this| visit::visit_impl_item_fn(this, item));
        });
    }
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.at_compile_time(|this| visit::visit_item_const(this, item));
    }
    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.at_compile_time(|this| visit::visit_impl_item_const(this, item));
    }
    fn visit_type_array(&mut self, item: &'ast syn::TypeArray) {
        self.at_compile_time(|this| visit::visit_type_array(this, item));
    }
    fn visit_pat(&mut self, pattern: &'ast syn::Pat) {
        self.at_compile_time(|this| visit::visit_pat(this, pattern));
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
    fn visit_expr_match(&mut self, node: &'ast syn::ExprMatch) {
        let takes_all = |pattern: &syn::Pat| match pattern {
            syn::Pat::Wild(_) => true,
            // A name of its own, and no constant or variant.
            syn::Pat::Ident(name) => name.ident.to_string().starts_with(|first: char| first.is_lowercase()),
            _ => false,
        };
        let has_arm_for_rest = node.arms.iter().any(|arm| arm.guard.is_none() && takes_all(&arm.pat));
        let outer = std::mem::replace(&mut self.has_arm_for_rest, has_arm_for_rest);
        visit::visit_expr_match(self, node);
        self.has_arm_for_rest = outer;
    }
    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let outer = std::mem::replace(&mut self.statement, arm.span().start().line);
        self.arm(arm);
        self.statement = outer;
    }
    fn visit_field_value(&mut self, field: &'ast syn::FieldValue) {
        self.field(field);
    }
    fn visit_expr_struct(&mut self, node: &'ast syn::ExprStruct) {
        let base = node.rest.as_ref().map(|base| self.text[base.span().byte_range()].to_owned());
        let outer = std::mem::replace(&mut self.base, base);
        visit::visit_expr_struct(self, node);
        self.base = outer;
    }

    fn visit_expr(&mut self, expr: &'ast syn::Expr) {
        let range = expr.span().byte_range();
        let around = self.patches.iter().position(|patch| patch.range == range).map(|at| self.patches.swap_remove(at));
        if let Some(Around { before, .. }) = &around {
            self.insert(range.start, before.clone());
        }
        self.expression(expr);
        if let Some(Around { after, .. }) = around {
            self.insert(range.end, after);
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
            self.errors.push(format!("line {line}: an ordering or a wake is in a macro; move it out of the macro"));
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

/// The mutants of the logic.
impl<'s> Finder<'s> {
    fn at_compile_time(&mut self, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.is_const, true);
        visit(self);
        self.is_const = outer;
    }

    fn has(&self, node: &impl Spanned, genre: Genre) -> bool {
        let start = node.span().start();
        let given = self.given.get(&(start.line, start.column));
        !self.is_const && given.is_some_and(|given| given.iter().any(|given| given.genre == genre))
    }

    /// The changes of cargo-mutants at this place, each with its number. Changes that do not build
    /// are left out.
    fn take(&mut self, node: &impl Spanned, genre: Genre, operation: &str) -> Vec<(u32, &'s Given)> {
        if !self.has(node, genre) {
            return vec![];
        }
        let start = node.span().start();
        let given: Vec<_> = self.given[&(start.line, start.column)].clone();
        let operation = self.count(operation);
        let mut taken = vec![];
        for given in given.into_iter().filter(|given| given.genre == genre) {
            self.reached.insert(given.name.clone());
            let change =
                if given.replacement.is_empty() { "deleted".into() } else { format!("to {}", given.replacement) };
            let key = format!("{}: {operation}, {change}", self.function);
            if self.logic.is_some_and(|logic| logic.is_viable(self.file, &key)) {
                taken.push((self.mutant(&operation, &change, start.line, self.statement, true), given));
            }
        }
        taken
    }

    /// Inserts a `match` on the active mutant. `arms` has what each mutant does; `usual` is the
    /// last arm.
    fn choice(&mut self, at: usize, skip: usize, start: &str, arms: Vec<(u32, String)>, usual: &str) {
        let mut text = format!("{start}match crate::mutant::active() {{ ");
        let mut of = vec![];
        for (id, arm) in arms {
            text += &format!("{id} => ");
            of.push((text.len()..text.len() + arm.len(), id));
            text += &arm;
            text += ", ";
        }
        text += usual;
        self.insertions.push(Insertion { at, text, skip, of });
    }

    fn function(&mut self, signature: &syn::Signature, block: &syn::Block, visit: impl FnOnce(&mut Self)) {
        let is_opaque =
            matches!(&signature.output, syn::ReturnType::Type(_, of) if matches!(**of, syn::Type::ImplTrait(_)));
        let outer = std::mem::replace(&mut self.is_const, signature.constness.is_some());
        if let Some(first) = block.stmts.first().filter(|_| !is_opaque) {
            let line = std::mem::replace(&mut self.statement, signature.span().start().line);
            let taken = self.take(first, Genre::FnValue, "value");
            self.statement = line;
            if !taken.is_empty() {
                let arms = taken.iter().map(|(id, given)| (*id, format!("return {}", given.replacement))).collect();
                self.choice(block.brace_token.span.open().byte_range().end, 0, " ", arms, "_ => {} }\n");
            }
        }
        visit(self);
        self.is_const = outer;
    }

    /// For `a & b`, both operands are computed, and then combined in one of several ways. For
    /// `a && b`, see below.
    fn binary(&mut self, binary: &syn::ExprBinary) {
        use syn::BinOp as Op;
        let operator = self.text[binary.op.span().byte_range()].to_owned();
        let taken = self.take(&binary.op, Genre::BinaryOperator, &operator);
        if taken.is_empty() {
            return visit::visit_expr_binary(self, binary);
        }
        let (whole, middle) = (binary.span().byte_range(), binary.op.span().byte_range());
        let is_assignment = operator.ends_with('=') && !["==", "!=", "<=", ">="].contains(&&*operator);
        let arms =
            |of: &dyn Fn(&str) -> String| taken.iter().map(|(id, given)| (*id, of(&given.replacement))).collect();
        let (before, between, after): (String, String, Option<(Vec<_>, String)>) = match binary.op {
            // a && b is `if a { b } else { false }`, a || b is `if !a { b } else { true }`.
            Op::And(_) => ("(if (".into(), format!(") != crate::mutant::is({}) {{", taken[0].0), None),
            Op::Or(_) => ("(if (".into(), format!(") == crate::mutant::is({}) {{", taken[0].0), None),
            _ if is_assignment => {
                let arms = arms(&|operator| format!("*left {operator} right"));
                (
                    "{ let left = &mut (".into(),
                    "); let right = (".into(),
                    Some((arms, format!("_ => *left {operator} right }} }}"))),
                )
            }
            _ => {
                let arms = arms(&|operator| format!("*left {operator} *right"));
                ("(match (&(".into(), "), &(".into(), Some((arms, format!("_ => *left {operator} *right }} }})"))))
            }
        };
        self.insert(whole.start, before);
        self.visit_expr(&binary.left);
        self.insertions.push(Insertion { at: middle.start, text: between, skip: middle.len(), of: vec![] });
        self.visit_expr(&binary.right);
        match after {
            None => {
                let not = if matches!(binary.op, Op::Or(_)) { "!" } else { "" };
                self.insert(whole.end, format!(" }} else {{ {not}crate::mutant::is({}) }})", taken[0].0));
            }
            Some((arms, usual)) => {
                let start = if is_assignment { "); " } else { ")) { (left, right) => " };
                self.choice(whole.end, 0, start, arms, &usual);
            }
        }
    }

    fn expression(&mut self, expr: &syn::Expr) {
        match expr {
            syn::Expr::Unary(unary) if self.has(&unary.op, Genre::UnaryOperator) => self.unary(unary),
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
                self.around(binary, before, " })", |this, binary| this.binary(binary));
            }
            syn::Expr::Binary(binary) => self.binary(binary),
            _ if self.droppable(expr, false).is_some() => self.drop_call(expr, false),
            _ => visit::visit_expr(self, expr),
        }
    }

    fn unary(&mut self, unary: &syn::ExprUnary) {
        let operator = self.text[unary.op.span().byte_range()].to_owned();
        let taken = self.take(&unary.op, Genre::UnaryOperator, &operator);
        let Some((id, _)) = taken.first() else { return visit::visit_expr_unary(self, unary) };
        let (whole, sign) = (unary.span().byte_range(), unary.op.span().byte_range());
        self.insertions.push(Insertion { at: sign.start, text: "(match (".into(), skip: sign.len(), of: vec![] });
        self.visit_expr(&unary.expr);
        self.insert(
            whole.end,
            format!(") {{ value => if crate::mutant::is({id}) {{ value }} else {{ {operator}value }} }})"),
        );
    }

    fn arm(&mut self, arm: &syn::Arm) {
        // Without an arm for the rest, what remains does not build.
        let deleted = if self.has_arm_for_rest { self.take(arm, Genre::MatchArm, "arm") } else { vec![] };
        self.visit_pat(&arm.pat);
        let is_there = deleted.first().map(|(id, _)| format!("!crate::mutant::is({id})"));
        match (&arm.guard, is_there) {
            (Some((_, guard)), is_there) => {
                let guards = self.take(&**guard, Genre::MatchArmGuard, "guard");
                let range = guard.span().byte_range();
                let arms = guards.iter().map(|(id, given)| (*id, given.replacement.clone())).collect();
                self.choice(range.start, 0, &is_there.map_or(String::new(), |there| there + " && "), arms, "_ => (");
                self.visit_expr(guard);
                self.insert(range.end, ") }".into());
            }
            (None, Some(is_there)) => self.insert(arm.pat.span().byte_range().end, format!(" if {is_there}")),
            (None, None) => {}
        }
        self.visit_expr(&arm.body);
    }

    fn field(&mut self, field: &syn::FieldValue) {
        let taken = self.take(field, Genre::StructField, "field");
        let range = field.expr.span().byte_range();
        match (taken.first(), self.base.clone()) {
            (Some((id, _)), Some(base)) => {
                let syn::Member::Named(name) = &field.member else { return self.visit_expr(&field.expr) };
                let label = if field.colon_token.is_some() { String::new() } else { format!("{}: ", name) };
                self.insert(range.start, format!("{label}if crate::mutant::is({id}) {{ ({base}).{name} }} else {{ "));
                self.visit_expr(&field.expr);
                self.insert(range.end, " }".into());
            }
            _ => self.visit_expr(&field.expr),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
        impl<P: Platform> Thing<P> {
            fn take(&self) {
                loop {
                    let seen = self.word.load(Acquire);
                    if self.word.compare_exchange(seen, 1, AcqRel, Acquire).is_ok() { break; }
                }
                self.word.swap_then_fence(0, Release);
                if self.sequence.load(Relaxed) != 0 { self.announce(); }
            }
            fn announce(&self) {
                P::wake(&self.sequence, u32::MAX);
                P::fence(SeqCst);
            }
        }";

    #[test]
    fn every_rule_finds_its_place() {
        let tree = syn::parse_file(TEXT).expect("it is Rust");
        let wakers = wakers([&tree].into_iter());
        let nothing = Logic::default();
        let found = find("thing", TEXT, &tree, (&[], &nothing), &wakers, 1).expect("no macro is in the way");
        let Found { mutants, insertions, .. } = found;
        let keys: BTreeSet<_> = mutants.iter().map(Mutant::key).collect();
        for key in [
            "Thing::take: load#1, not repeated",
            "Thing::take: load#1, Acquire to Relaxed",
            "Thing::take: compare_exchange#1 success, AcqRel to Relaxed",
            "Thing::take: compare_exchange#1 success, AcqRel to Acquire",
            "Thing::take: compare_exchange#1 success, AcqRel to Release",
            "Thing::take: compare_exchange#1 failure, Acquire to Relaxed",
            "Thing::take: swap_then_fence#1, without the fence",
            "Thing::take: swap_then_fence#1, Release to Relaxed",
            "Thing::take: comparison#1, taken as equal",
            "Thing::take: announce#1, dropped",
            "Thing::announce: wake#1, dropped",
            "Thing::announce: wake#1, all to one",
            "Thing::announce: fence#1, dropped",
            "Thing::announce: fence#1, SeqCst to AcqRel",
        ] {
            assert!(keys.contains(key), "{key} is not among {keys:#?}");
        }
        assert_eq!(keys.len(), 14, "{keys:#?}");
        let mut copy = TEXT.to_owned();
        for insertion in insertions.iter().rev() {
            copy.insert_str(insertion.at, &insertion.text);
        }
        syn::parse_file(&copy).expect("the copy is Rust");
    }

    #[test]
    fn an_ordering_in_a_macro_is_an_error() {
        let text = "fn f(w: &W) { assert!(w.load(Acquire) == 0); }";
        let tree = syn::parse_file(text).expect("it is Rust");
        let error =
            find("f", text, &tree, (&[], &Logic::default()), &BTreeMap::new(), 1).err().expect("a macro is an error");
        assert!(error.contains("macro"), "{error}");
    }

    /// A field in shorthand, a `match` without an arm for the rest, and a patch around a part of a
    /// larger expression.
    #[test]
    fn what_cargo_mutants_proposes_builds() {
        let text = "
            fn with(self, spins: u32) -> Self { Self { spins, ..self } }
            fn told(&self) -> u32 { match self.slept { _ if self.is_told => 1, Some(2) => 2, _ => 3 } }
            fn slept(&self) -> u32 { match self.slept { _ if self.is_told => 1, Some(_) => 2, None => 3 } }
            fn takes(&self) -> bool { self.load() == 1 && !self.lives() && take() }";
        let given = |at: &str, genre: &str, replacement: &str| {
            let before = &text[..text.find(at).expect("it is there")];
            let line = before.lines().count();
            let column = before.len() - before.rfind('\n').expect("it begins with a line's end");
            let span = serde_json::json!({ "start": { "line": line, "column": column } });
            let file = "src/raw/thing.rs";
            serde_json::json!({ "name": at, "genre": genre, "replacement": replacement, "file": file, "span": span })
        };
        let logic = Logic::of_json(serde_json::json!([
            given("spins, ..self", "StructField", ""),
            given("Some(2)", "MatchArm", ""),
            given("Some(_)", "MatchArm", ""),
            given("&& !self", "BinaryOperator", "||"),
            given("&& take", "BinaryOperator", "||"),
            given("!self", "UnaryOperator", ""),
        ]));
        let patch = Patch {
            file: "thing".into(),
            function: "takes".into(),
            name: "the dead are not judged".into(),
            text: "!self.lives()".into(),
            before: "(MUTANT || ".into(),
            after: ")".into(),
        };
        let tree = syn::parse_file(text).expect("it is Rust");
        let found = find("thing", text, &tree, (&[&patch], &logic), &BTreeMap::new(), 1).expect("no macro is there");
        assert_eq!(found.mutants.len(), 6, "{:#?}", found.mutants);
        let mut copy = text.to_owned();
        for insertion in found.insertions.iter().rev() {
            copy.replace_range(insertion.at..insertion.at + insertion.skip, &insertion.text);
        }
        syn::parse_file(&copy).unwrap_or_else(|error| panic!("the copy is Rust: {error}\n{copy}"));
        for part in
            ["{ spins: if crate::mutant::is(", "Some(2) if !crate::mutant::is(", "Some(_) => 2", "!value } })) } else"]
        {
            assert!(copy.contains(part), "{part} is not in\n{copy}");
        }
    }
}
