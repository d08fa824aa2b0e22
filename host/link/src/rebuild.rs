//! Writes the component again, with the linked module in place of its members.
//!
//! Only core items are renumbered, so all other sections are copied. Must not know what is in a module.

use std::collections::{BTreeMap, HashMap};

use wasm_encoder::reencode::{Reencode, ReencodeComponent};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, Component as Encoded, ComponentAliasSection,
    ComponentSectionId, ExportKind, InstanceSection, ModuleArg, RawSection,
};
use wasmparser::{CanonicalFunction, ComponentAlias, Instance, KnownCustom, Payload};

use crate::component::{Component, Origin, Piece, named};
use crate::encode::{HOST, Linked};
use crate::error::{LinkError, ReencodeError};
use crate::group::{Group, argument};
use crate::kind::{Kind, PerKind};

/// Writes the component.
pub(crate) fn rebuild<'a>(
    bytes: &'a [u8],
    pieces: &[Piece<'a>],
    component: &Component<'a>,
    group: &Group<'a>,
    linked: &Linked,
) -> Result<Vec<u8>, ReencodeError> {
    let mut rebuild = Rebuild {
        component,
        group,
        linked,
        encoded: Encoded::new(),
        numbers: PerKind::default(),
        next: PerKind::default(),
        functions_seen: 0,
        canonical: HashMap::new(),
        taken: BTreeMap::new(),
        instances: 0,
        instances_seen: 0,
        modules: 0,
        one: None,
        late: HashMap::new(),
    };
    for piece in pieces {
        match piece {
            // A module is written where it is first instantiated.
            Piece::Module(_) => {}
            Piece::Nested(bytes) => rebuild.copy(ComponentSectionId::Component.into(), bytes),
            Piece::Section(payload) => rebuild.section(bytes, payload)?,
        }
    }
    Ok(rebuild.encoded.finish())
}

struct Rebuild<'r, 'a> {
    component: &'r Component<'a>,
    group: &'r Group<'a>,
    linked: &'r Linked,
    encoded: Encoded,
    /// New numbers of the items that the current canonical function refers to, by the old ones.
    numbers: PerKind<HashMap<u32, u32>>,
    /// The next number in each core index space.
    next: PerKind<u32>,
    /// The number of core functions of the old component so far.
    functions_seen: u32,
    /// New numbers of canonical functions, by the old ones.
    canonical: HashMap<u32, u32>,
    /// What has been taken from an instance so far, with its number.
    taken: BTreeMap<(u32, String), u32>,
    instances: u32,
    instances_seen: u32,
    modules: u32,
    /// The instance of the linked module.
    one: Option<u32>,
    /// New numbers of late instances, by the old ones.
    late: HashMap<u32, u32>,
}

impl<'a> Rebuild<'_, 'a> {
    fn copy(&mut self, id: u8, data: &[u8]) {
        self.encoded.section(&RawSection { id, data });
    }

    fn section(&mut self, bytes: &'a [u8], payload: &Payload<'a>) -> Result<(), ReencodeError> {
        match payload {
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    self.instance(&instance?)?;
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    self.alias(alias?)?;
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section.clone() {
                    self.canonical(function?)?;
                }
            }
            // Names of items by their old numbers.
            Payload::CustomSection(section)
                if matches!(section.as_known(), KnownCustom::ComponentName(_)) => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    self.copy(id, &bytes[range]);
                }
            }
        }
        Ok(())
    }

    fn alias(&mut self, alias: ComponentAlias<'a>) -> Result<(), ReencodeError> {
        if let ComponentAlias::CoreInstanceExport { kind, .. } = alias {
            self.functions_seen += u32::from(Kind::from(kind) == Kind::Function);
            return Ok(());
        }
        let mut section = ComponentAliasSection::new();
        section.alias(self.component_alias(alias)?);
        self.encoded.section(&section);
        Ok(())
    }

    fn canonical(&mut self, function: CanonicalFunction) -> Result<(), ReencodeError> {
        for (kind, old) in named(&function) {
            let origin = self.component.origin(kind, old).map_err(user)?;
            let new = self.take(kind, origin)?;
            self.numbers[kind].insert(old, new);
        }
        if !matches!(function, CanonicalFunction::Lift { .. }) {
            let old = self.functions_seen;
            self.functions_seen += 1;
            self.canonical.insert(old, self.next[Kind::Function]);
            self.next[Kind::Function] += 1;
        }
        let mut section = CanonicalFunctionSection::new();
        self.parse_component_canonical(&mut section, function)?;
        self.encoded.section(&section);
        Ok(())
    }

    fn instance(&mut self, instance: &Instance<'a>) -> Result<(), ReencodeError> {
        let old = self.instances_seen;
        self.instances_seen += 1;
        let Instance::Instantiate { module_index, .. } = instance else {
            return Ok(());
        };
        let Some(library) = self.group.late.get(&old) else {
            return Ok(());
        };
        let mut given: BTreeMap<&str, Vec<(&str, ExportKind, u32)>> = BTreeMap::new();
        for kind in Kind::ALL {
            for import in &library.imports[kind] {
                let origin = argument(self.component, old, import.module, import.name);
                let new = self.take(kind, origin.map_err(user)?)?;
                let items = given.entry(import.module).or_default();
                items.push((import.name, kind.into(), new));
            }
        }
        let module = self.component.modules[*module_index as usize];
        let new = self.instantiate(module, given);
        self.late.insert(old, new);
        Ok(())
    }

    /// The new number of an item, which is taken from its instance unless that has already been done.
    fn take(&mut self, kind: Kind, origin: Origin<'a>) -> Result<u32, ReencodeError> {
        let (instance, name) = match origin {
            Origin::Canonical(old) => return self.lowered(old),
            Origin::Export { instance, name } => match self.group.local(origin).map_err(user)? {
                Some(local) => (self.one()?, self.linked.exports[&local].clone()),
                None => match self.late.get(&instance) {
                    Some(new) => (*new, name.to_owned()),
                    None => return self.passed_on(origin),
                },
            },
        };
        if let Some(number) = self.taken.get(&(instance, name.clone())) {
            return Ok(*number);
        }
        let mut section = ComponentAliasSection::new();
        section.alias(Alias::CoreInstanceExport {
            instance,
            kind: kind.into(),
            name: &name,
        });
        self.encoded.section(&section);
        let number = self.next[kind];
        self.next[kind] += 1;
        self.taken.insert((instance, name), number);
        Ok(number)
    }

    fn lowered(&self, old: u32) -> Result<u32, ReencodeError> {
        let new = self.canonical.get(&old).copied();
        new.ok_or_else(|| {
            let reason = "a function of the host is made too late for the linked module";
            user(LinkError::Unsupported(reason.into()))
        })
    }

    /// A canonical function that a member imports and re-exports.
    fn passed_on(&self, origin: Origin<'a>) -> Result<u32, ReencodeError> {
        match self.group.canonical(origin).map_err(user)? {
            Some(old) => self.lowered(old),
            None => Err(user(LinkError::Unsupported(
                "something is taken from an instance that is not there yet".into(),
            ))),
        }
    }

    /// The instance of the linked module, which is created when something from it is first needed.
    fn one(&mut self) -> Result<u32, ReencodeError> {
        if let Some(one) = self.one {
            return Ok(one);
        }
        let mut items = Vec::new();
        for (number, old) in self.linked.imports.iter().enumerate() {
            items.push((number.to_string(), ExportKind::Func, self.lowered(*old)?));
        }
        let items = items
            .iter()
            .map(|(name, kind, new)| (name.as_str(), *kind, *new));
        let given = BTreeMap::from([(HOST, items.collect())]);
        let one = self.instantiate(&self.linked.bytes, given);
        self.one = Some(one);
        Ok(one)
    }

    /// Writes a module and its instance, and returns the instance's number.
    fn instantiate(
        &mut self,
        module: &[u8],
        given: BTreeMap<&str, Vec<(&str, ExportKind, u32)>>,
    ) -> u32 {
        self.copy(ComponentSectionId::CoreModule.into(), module);
        let mut section = InstanceSection::new();
        let mut args = Vec::new();
        for (name, items) in given {
            section.export_items(items);
            args.push((name, ModuleArg::Instance(self.instances)));
            self.instances += 1;
        }
        section.instantiate(self.modules, args);
        self.encoded.section(&section);
        self.modules += 1;
        self.instances += 1;
        self.instances - 1
    }

    fn number(&self, kind: Kind, old: u32) -> Result<u32, ReencodeError> {
        let new = self.numbers[kind].get(&old).copied();
        new.ok_or_else(|| {
            user(LinkError::Unsupported(format!(
                "{kind:?} {old} has no new number"
            )))
        })
    }
}

impl Reencode for Rebuild<'_, '_> {
    type Error = LinkError;

    fn function_index(&mut self, function: u32) -> Result<u32, ReencodeError> {
        self.number(Kind::Function, function)
    }

    fn memory_index(&mut self, memory: u32) -> Result<u32, ReencodeError> {
        self.number(Kind::Memory, memory)
    }

    fn table_index(&mut self, table: u32) -> Result<u32, ReencodeError> {
        self.number(Kind::Table, table)
    }
}

impl ReencodeComponent for Rebuild<'_, '_> {}

fn user(refusal: LinkError) -> ReencodeError {
    ReencodeError::UserError(refusal)
}
