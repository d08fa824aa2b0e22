//! What is reachable once all modules are one: functions that are called, referred to or exposed.
//!
//! Libraries export everything they have, and most of it is never used. Must not know how a module is
//! encoded.

use std::collections::{BTreeSet, HashSet};

use wasmparser::{ConstExpr, ElementItems, Operator, TableInit};

use crate::error::LinkError;
use crate::group::{Group, Local, Member, Resolved};
use crate::kind::Kind;
use crate::library::Library;

/// What is reachable.
#[derive(Debug, Default)]
pub(crate) struct Used {
    /// The members' own functions.
    pub(crate) functions: HashSet<Local>,
    /// Canonical functions of the component.
    pub(crate) canonical: BTreeSet<u32>,
    /// Globals that a reachable function sets.
    pub(crate) set: HashSet<Local>,
    /// What the rest of the component uses.
    pub(crate) exposed: BTreeSet<Local>,
}

impl Used {
    /// Follows calls from what is exposed and what is in tables.
    pub(crate) fn of(group: &Group<'_>, exposed: BTreeSet<Local>) -> Result<Used, LinkError> {
        let mut search = Search {
            group,
            used: Used::default(),
            waiting: Vec::new(),
        };
        for local in &exposed {
            search.reach(*local);
        }
        for (member, Member { library, .. }) in group.members.iter().enumerate() {
            for function in rooted(library)? {
                search.reach(Local {
                    member,
                    kind: Kind::Function,
                    index: function,
                });
            }
        }
        while let Some(function) = search.waiting.pop() {
            search.follow(function)?;
        }
        search.used.exposed = exposed;
        Ok(search.used)
    }
}

struct Search<'g, 'a> {
    group: &'g Group<'a>,
    used: Used,
    waiting: Vec<Local>,
}

impl Search<'_, '_> {
    fn reach(&mut self, local: Local) {
        if local.kind != Kind::Function {
            return;
        }
        match self.group.resolve_local(local) {
            Resolved::Canonical(function) => {
                self.used.canonical.insert(function);
            }
            Resolved::Member(function) => {
                if self.used.functions.insert(function) {
                    self.waiting.push(function);
                }
            }
        }
    }

    fn follow(&mut self, function: Local) -> Result<(), LinkError> {
        let library = &self.group.members[function.member].library;
        let Some(body) = library.body(function.index) else {
            return Ok(());
        };
        let here = |kind, index| Local {
            member: function.member,
            kind,
            index,
        };
        for operator in body.get_operators_reader()? {
            match operator? {
                Operator::Call { function_index }
                | Operator::ReturnCall { function_index }
                | Operator::RefFunc { function_index } => {
                    self.reach(here(Kind::Function, function_index));
                }
                Operator::GlobalSet { global_index } => {
                    if let Resolved::Member(global) =
                        self.group.resolve_local(here(Kind::Global, global_index))
                    {
                        self.used.set.insert(global);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Functions that tables and globals refer to initially.
fn rooted(library: &Library<'_>) -> Result<Vec<u32>, LinkError> {
    let mut functions = Vec::new();
    for element in &library.elements {
        match &element.items {
            ElementItems::Functions(list) => {
                for function in list.clone() {
                    functions.push(function?);
                }
            }
            ElementItems::Expressions(_, list) => {
                for expression in list.clone() {
                    referred(&expression?, &mut functions)?;
                }
            }
        }
    }
    for global in &library.globals {
        referred(&global.init_expr, &mut functions)?;
    }
    for table in &library.tables {
        if let TableInit::Expr(expression) = &table.init {
            referred(expression, &mut functions)?;
        }
    }
    Ok(functions)
}

fn referred(expression: &ConstExpr<'_>, functions: &mut Vec<u32>) -> Result<(), LinkError> {
    for operator in expression.get_operators_reader() {
        if let Operator::RefFunc { function_index } = operator? {
            functions.push(function_index);
        }
    }
    Ok(())
}
