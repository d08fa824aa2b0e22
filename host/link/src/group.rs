//! Which instances are linked, and what each of their imports refers to.
//!
//! Must not know how a module is encoded.

use std::collections::{BTreeSet, HashMap};

use wasmparser::{DataKind, ElementKind, Instance};

use crate::component::{Component, Origin};
use crate::error::LinkError;
use crate::kind::{Kind, PerKind};
use crate::library::Library;

/// The instances that become one.
#[derive(Default)]
pub(crate) struct Group<'a> {
    pub(crate) members: Vec<Member<'a>>,
    /// By the index of the instance.
    places: HashMap<u32, usize>,
    /// The other instances, which import something built from the members. By the index of the instance.
    pub(crate) late: HashMap<u32, Library<'a>>,
}

/// One of the instances that become one.
pub(crate) struct Member<'a> {
    pub(crate) library: Library<'a>,
    /// What its imports refer to.
    pub(crate) resolved: PerKind<Vec<Resolved>>,
}

/// What an import refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Resolved {
    /// An item that a member defines itself.
    Member(Local),
    /// A canonical function, by its index in the component.
    Canonical(u32),
}

/// An item of a member, by the member's own index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Local {
    pub(crate) member: usize,
    pub(crate) kind: Kind,
    pub(crate) index: u32,
}

impl<'a> Group<'a> {
    /// Takes every instance that doesn't import anything built from the others.
    ///
    /// `wit-component` builds the host's functions from the guest's memory and allocator, and a last module
    /// puts them into a table. That module stays separate, because functions built from a module can't be its
    /// imports.
    pub(crate) fn of(component: &Component<'a>) -> Result<Group<'a>, LinkError> {
        let mut group = Group::default();
        let mut written_late = BTreeSet::new();
        for (number, instance) in (0..).zip(&component.instances) {
            let Instance::Instantiate { module_index, .. } = instance else {
                continue;
            };
            let Some(bytes) = component.modules.get(*module_index as usize) else {
                return LinkError::because("it has no such module");
            };
            let library = Library::read(bytes)?;
            match group.resolve_imports(component, number, &library)? {
                Some(resolved) => {
                    let member = Member { library, resolved };
                    in_order(&member, &written_late)?;
                    group.places.insert(number, group.members.len());
                    group.members.push(member);
                }
                None => {
                    written_late.extend(group.written(component, number, &library)?);
                    group.late.insert(number, library);
                }
            }
        }
        Ok(group)
    }

    /// Whether one member fills another's table or memory, which makes instantiation expensive.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.members.iter().any(|member| {
            filled(&member.library).any(|(kind, index)| index < member.library.imported(kind))
        })
    }

    /// Whether a module runs code when it is instantiated. The linked module can't run code between its
    /// members.
    pub(crate) fn starts(&self) -> bool {
        let members = self.members.iter().map(|member| &member.library);
        members
            .chain(self.late.values())
            .any(|library| library.starts)
    }

    /// What the imports refer to, or `None` if one is built from another instance.
    fn resolve_imports(
        &self,
        component: &Component<'a>,
        instance: u32,
        library: &Library<'a>,
    ) -> Result<Option<PerKind<Vec<Resolved>>>, LinkError> {
        let mut resolved = PerKind::default();
        for kind in Kind::ALL {
            let resolved: &mut Vec<Resolved> = &mut resolved[kind];
            for import in &library.imports[kind] {
                let origin = argument(component, instance, import.module, import.name)?;
                match origin {
                    Origin::Canonical(function) if component.named_by(function).is_empty() => {
                        resolved.push(Resolved::Canonical(function));
                    }
                    Origin::Canonical(_) => return Ok(None),
                    Origin::Export { .. } => match self.resolve(origin)? {
                        Some(found) => resolved.push(found),
                        None => return Ok(None),
                    },
                }
            }
        }
        Ok(Some(resolved))
    }

    /// What an export refers to, or `None` if the export isn't a member's.
    fn resolve(&self, origin: Origin<'a>) -> Result<Option<Resolved>, LinkError> {
        let Origin::Export { instance, name } = origin else {
            return Ok(None);
        };
        let Some(place) = self.places.get(&instance) else {
            return Ok(None);
        };
        let member = &self.members[*place];
        let Some((kind, index)) = member.library.exports.get(name) else {
            return LinkError::because(format!("a module has no export `{name}`"));
        };
        Ok(Some(self.resolve_local(Local {
            member: *place,
            kind: *kind,
            index: *index,
        })))
    }

    /// What a member's own index refers to, which for an import is another member's item.
    pub(crate) fn resolve_local(&self, local: Local) -> Resolved {
        let resolved = &self.members[local.member].resolved[local.kind];
        // An import was followed to its definition when its member joined.
        let import = resolved.get(local.index as usize).copied();
        import.unwrap_or(Resolved::Member(local))
    }

    /// The member's item that something in the component comes from, if it is a member's.
    pub(crate) fn local(&self, origin: Origin<'a>) -> Result<Option<Local>, LinkError> {
        Ok(self.resolve(origin)?.and_then(|resolved| match resolved {
            Resolved::Member(local) => Some(local),
            Resolved::Canonical(_) => None,
        }))
    }

    /// The canonical function that a member imports and re-exports.
    pub(crate) fn canonical(&self, origin: Origin<'a>) -> Result<Option<u32>, LinkError> {
        Ok(self.resolve(origin)?.and_then(|resolved| match resolved {
            Resolved::Canonical(function) => Some(function),
            Resolved::Member(_) => None,
        }))
    }

    /// Everything that the rest of the component takes from the members.
    pub(crate) fn exposed(&self, component: &Component<'a>) -> Result<BTreeSet<Local>, LinkError> {
        let mut exposed = BTreeSet::new();
        for (kind, index) in component.all_named() {
            exposed.extend(self.local(component.origin(kind, index)?)?);
        }
        for (instance, library) in &self.late {
            for kind in Kind::ALL {
                for import in &library.imports[kind] {
                    let origin = argument(component, *instance, import.module, import.name)?;
                    exposed.extend(self.local(origin)?);
                }
            }
        }
        Ok(exposed)
    }

    /// Which of the members' tables and memories a late module fills.
    fn written(
        &self,
        component: &Component<'a>,
        instance: u32,
        library: &Library<'a>,
    ) -> Result<Vec<Resolved>, LinkError> {
        let mut written = Vec::new();
        for (kind, index) in filled(library) {
            if let Some(import) = library.imports[kind].get(index as usize) {
                let origin = argument(component, instance, import.module, import.name)?;
                written.extend(self.resolve(origin)?);
            }
        }
        Ok(written)
    }
}

/// What an instance is given for an import.
pub(crate) fn argument<'a>(
    component: &Component<'a>,
    instance: u32,
    module: &str,
    name: &'a str,
) -> Result<Origin<'a>, LinkError> {
    let Some(Instance::Instantiate { args, .. }) = component.instances.get(instance as usize)
    else {
        return LinkError::because("it has no such instance");
    };
    match args.iter().find(|argument| argument.name == module) {
        Some(argument) => component.export(argument.index, name),
        None => LinkError::because(format!("nothing is given for the imports from `{module}`")),
    }
}

/// The tables and memories that a module fills when it is instantiated.
fn filled<'l>(library: &'l Library<'_>) -> impl Iterator<Item = (Kind, u32)> + 'l {
    let tables = library
        .elements
        .iter()
        .filter_map(|element| match &element.kind {
            ElementKind::Active { table_index, .. } => {
                Some((Kind::Table, table_index.unwrap_or(0)))
            }
            _ => None,
        });
    let memories = library.data.iter().filter_map(|data| match &data.kind {
        DataKind::Active { memory_index, .. } => Some((Kind::Memory, *memory_index)),
        DataKind::Passive => None,
    });
    tables.chain(memories)
}

/// Members are instantiated before all late instances, so a member must not overwrite what a late one has
/// written.
fn in_order(member: &Member<'_>, written_late: &BTreeSet<Resolved>) -> Result<(), LinkError> {
    for (kind, index) in filled(&member.library) {
        let resolved = member.resolved[kind].get(index as usize);
        if resolved.is_some_and(|resolved| written_late.contains(resolved)) {
            return LinkError::because(
                "the order in which its modules are filled in can't be kept",
            );
        }
    }
    Ok(())
}
