//! The outermost level of a component: its core modules, their instances, and what is built from them.
//!
//! Must not know what is in a module.

use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentTypeRef, Instance, Parser, Payload,
};

use crate::error::LinkError;
use crate::kind::{Kind, PerKind};

/// What linking needs to know about a component.
#[derive(Debug, Default)]
pub(crate) struct Component<'a> {
    pub(crate) modules: Vec<&'a [u8]>,
    pub(crate) instances: Vec<Instance<'a>>,
    /// The core index spaces.
    items: PerKind<Vec<Item<'a>>>,
    /// What `canon lift` takes.
    pub(crate) lifted: Vec<(Kind, u32)>,
}

/// Where an item in a core index space comes from.
#[derive(Clone, Debug)]
enum Item<'a> {
    Export {
        instance: u32,
        name: &'a str,
    },
    /// A canonical function, with the items that its options refer to.
    Canonical {
        names: Vec<(Kind, u32)>,
    },
}

/// Where it comes from originally, behind instances that only bundle exports of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin<'a> {
    /// An export of an instantiated module.
    Export { instance: u32, name: &'a str },
    /// The canonical function with this index.
    Canonical(u32),
}

/// A piece of the component, in file order.
pub(crate) enum Piece<'a> {
    /// A core module.
    Module(&'a [u8]),
    /// A component inside.
    Nested(&'a [u8]),
    /// Anything else.
    Section(Payload<'a>),
}

/// The pieces of the outermost level.
pub(crate) fn pieces(component: &[u8]) -> Result<Vec<Piece<'_>>, LinkError> {
    let mut pieces = Vec::new();
    let mut end_of_inner = 0;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        let inner = match &payload {
            Payload::ModuleSection {
                unchecked_range, ..
            }
            | Payload::ComponentSection {
                unchecked_range, ..
            } => Some(unchecked_range.clone()),
            _ => None,
        };
        let at = inner.as_ref().map(|range| range.start);
        let at = at.or_else(|| payload.as_section().map(|(_, range)| range.start));
        // Payloads without a range of their own (a version, an end) are not needed.
        if at.is_none_or(|at| at < end_of_inner) {
            continue;
        }
        pieces.push(match (inner, payload) {
            (Some(range), payload) => {
                end_of_inner = range.end;
                // The parser announces the range before it has seen all of it.
                let Some(bytes) = component.get(range) else {
                    return LinkError::because("it ends inside a module");
                };
                match payload {
                    Payload::ModuleSection { .. } => Piece::Module(bytes),
                    _ => Piece::Nested(bytes),
                }
            }
            (None, payload) => Piece::Section(payload),
        });
    }
    Ok(pieces)
}

impl<'a> Component<'a> {
    pub(crate) fn read(pieces: &[Piece<'a>]) -> Result<Component<'a>, LinkError> {
        let mut component = Component::default();
        for piece in pieces {
            match piece {
                Piece::Module(bytes) => component.modules.push(bytes),
                Piece::Nested(bytes) => no_outer_modules(bytes)?,
                Piece::Section(payload) => component.take(payload)?,
            }
        }
        Ok(component)
    }

    fn take(&mut self, payload: &Payload<'a>) -> Result<(), LinkError> {
        match payload {
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    self.instances.push(instance?);
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    self.alias(&alias?)?;
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section.clone() {
                    self.canonical(&function?);
                }
            }
            other => no_module_values(other)?,
        }
        Ok(())
    }

    fn alias(&mut self, alias: &ComponentAlias<'a>) -> Result<(), LinkError> {
        match alias {
            ComponentAlias::CoreInstanceExport {
                kind,
                instance_index: instance,
                name,
            } => self.items[(*kind).into()].push(Item::Export {
                instance: *instance,
                name,
            }),
            ComponentAlias::InstanceExport { kind, .. } => no_module(*kind)?,
            ComponentAlias::Outer { .. } => {}
        }
        Ok(())
    }

    fn canonical(&mut self, function: &CanonicalFunction) {
        let names = named(function);
        match function {
            CanonicalFunction::Lift { .. } => self.lifted.extend(names),
            _ => self.items[Kind::Function].push(Item::Canonical { names }),
        }
    }

    /// Where an item comes from originally.
    pub(crate) fn origin(&self, kind: Kind, index: u32) -> Result<Origin<'a>, LinkError> {
        match self.items[kind].get(index as usize) {
            Some(Item::Export { instance, name }) => self.export(*instance, name),
            Some(Item::Canonical { .. }) => Ok(Origin::Canonical(index)),
            None => LinkError::because("it names something that it doesn't have"),
        }
    }

    /// Where an instance's export comes from originally.
    pub(crate) fn export(&self, instance: u32, name: &'a str) -> Result<Origin<'a>, LinkError> {
        match self.instances.get(instance as usize) {
            Some(Instance::Instantiate { .. }) => Ok(Origin::Export { instance, name }),
            Some(Instance::FromExports(exports)) => {
                let export = exports.iter().find(|export| export.name == name);
                match export {
                    Some(export) => self.origin(export.kind.into(), export.index),
                    None => LinkError::because(format!("an instance has no export `{name}`")),
                }
            }
            None => LinkError::because("it names an instance that it doesn't have"),
        }
    }

    /// The items that the options of a canonical function refer to.
    pub(crate) fn named_by(&self, canonical: u32) -> &[(Kind, u32)] {
        match self.items[Kind::Function].get(canonical as usize) {
            Some(Item::Canonical { names }) => names,
            _ => &[],
        }
    }

    /// The items that all canonical functions refer to, including those that lift.
    pub(crate) fn all_named(&self) -> impl Iterator<Item = (Kind, u32)> + '_ {
        let lowered = self.items[Kind::Function]
            .iter()
            .flat_map(|item| match item {
                Item::Canonical { names } => names.as_slice(),
                Item::Export { .. } => &[],
            });
        lowered.chain(&self.lifted).copied()
    }
}

/// The core items that a canonical function refers to.
pub(crate) fn named(function: &CanonicalFunction) -> Vec<(Kind, u32)> {
    use CanonicalFunction as F;
    let mut names = Vec::new();
    let options: &[CanonicalOption] = match function {
        F::Lift {
            core_func_index,
            options,
            ..
        } => {
            names.push((Kind::Function, *core_func_index));
            options
        }
        F::Lower { options, .. }
        | F::TaskReturn { options, .. }
        | F::StreamRead { options, .. }
        | F::StreamWrite { options, .. }
        | F::FutureRead { options, .. }
        | F::FutureWrite { options, .. }
        | F::ErrorContextNew { options }
        | F::ErrorContextDebugMessage { options } => options,
        F::WaitableSetWait { memory, .. } | F::WaitableSetPoll { memory, .. } => {
            names.push((Kind::Memory, *memory));
            &[]
        }
        F::ThreadSpawnIndirect { table_index, .. } | F::ThreadNewIndirect { table_index, .. } => {
            names.push((Kind::Table, *table_index));
            &[]
        }
        _ => &[],
    };
    names.extend(options.iter().filter_map(|option| match option {
        CanonicalOption::Memory(memory) => Some((Kind::Memory, *memory)),
        CanonicalOption::Realloc(function)
        | CanonicalOption::PostReturn(function)
        | CanonicalOption::Callback(function) => Some((Kind::Function, *function)),
        _ => None,
    }));
    names
}

/// Linking renumbers the modules, so nothing else may refer to them.
fn no_module_values(payload: &Payload<'_>) -> Result<(), LinkError> {
    match payload {
        Payload::ComponentImportSection(section) => {
            for import in section.clone() {
                if let ComponentTypeRef::Module(_) = import?.ty {
                    no_module(ComponentExternalKind::Module)?;
                }
            }
        }
        Payload::ComponentExportSection(section) => {
            for export in section.clone() {
                no_module(export?.kind)?;
            }
        }
        Payload::ComponentInstanceSection(section) => {
            for instance in section.clone() {
                match instance? {
                    ComponentInstance::Instantiate { args, .. } => {
                        args.iter().try_for_each(|arg| no_module(arg.kind))?;
                    }
                    ComponentInstance::FromExports(exports) => {
                        exports
                            .iter()
                            .try_for_each(|export| no_module(export.kind))?;
                    }
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn no_module(kind: ComponentExternalKind) -> Result<(), LinkError> {
    if kind == ComponentExternalKind::Module {
        return LinkError::because("it passes core modules on");
    }
    Ok(())
}

fn no_outer_modules(component: &[u8]) -> Result<(), LinkError> {
    for payload in Parser::new(0).parse_all(component) {
        if let Payload::ComponentAliasSection(section) = payload? {
            for alias in section {
                if let ComponentAlias::Outer {
                    kind: ComponentOuterAliasKind::CoreModule,
                    ..
                } = alias?
                {
                    no_module(ComponentExternalKind::Module)?;
                }
            }
        }
    }
    Ok(())
}
