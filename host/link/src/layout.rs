//! The index spaces of the linked module: the position of each member's items.
//!
//! Must not know bytes.

use std::collections::{BTreeMap, HashMap};

use wasmparser::{FuncType, TypeRef};

use crate::constant::Constants;
use crate::error::LinkError;
use crate::group::{Group, Local, Resolved};
use crate::kind::{Kind, PerKind, index};
use crate::used::Used;

/// The positions of all items.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// The types, without duplicates.
    pub(crate) types: Vec<FuncType>,
    /// The positions of the types, by member and by the member's own index.
    pub(crate) type_places: Vec<Vec<u32>>,
    /// The imported functions: canonical functions, with the positions of their types.
    pub(crate) imports: Vec<(u32, u32)>,
    /// The positions of what members define.
    places: HashMap<Local, u32>,
    canonical: HashMap<u32, u32>,
    /// Where each member's element and data segments begin.
    pub(crate) elements: Vec<u32>,
    pub(crate) data: Vec<u32>,
    pub(crate) constants: Constants,
}

impl Layout {
    pub(crate) fn of(
        group: &Group<'_>,
        used: &Used,
        constants: Constants,
    ) -> Result<Layout, LinkError> {
        let mut layout = Layout {
            constants,
            ..Layout::default()
        };
        layout.place_types(group);
        layout.place_imports(group, used);
        let mut next = PerKind::<u32>::default();
        next[Kind::Function] = index(layout.imports.len());
        let (mut elements, mut data) = (0, 0);
        for (member, part) in group.members.iter().enumerate() {
            for kind in Kind::ALL {
                let first = part.library.imported(kind);
                for own in first..first + part.library.own(kind) {
                    let local = Local {
                        member,
                        kind,
                        index: own,
                    };
                    if layout.stays(used, local) {
                        layout.places.insert(local, next[kind]);
                        next[kind] += 1;
                    }
                }
            }
            layout.elements.push(elements);
            layout.data.push(data);
            elements += index(part.library.elements.len());
            data += index(part.library.data.len());
        }
        if next[Kind::Memory] > 1 {
            return LinkError::because("its modules have several memories");
        }
        Ok(layout)
    }

    /// Whether a member's own item is kept in the linked module.
    pub(crate) fn stays(&self, used: &Used, local: Local) -> bool {
        match local.kind {
            Kind::Function => used.functions.contains(&local),
            Kind::Global => self.constants.get(local.member, local.index).is_none(),
            Kind::Table | Kind::Memory | Kind::Tag => true,
        }
    }

    fn place_types(&mut self, group: &Group<'_>) {
        let mut known = HashMap::new();
        for member in &group.members {
            let places = member.library.types.iter().map(|ty| {
                *known.entry(ty.clone()).or_insert_with(|| {
                    self.types.push(ty.clone());
                    index(self.types.len() - 1)
                })
            });
            let places = places.collect();
            self.type_places.push(places);
        }
    }

    fn place_imports(&mut self, group: &Group<'_>, used: &Used) {
        let mut types = BTreeMap::new();
        for (member, places) in group.members.iter().zip(&self.type_places) {
            let imports = &member.library.imports[Kind::Function];
            for (import, resolved) in imports.iter().zip(&member.resolved[Kind::Function]) {
                if let (Resolved::Canonical(function), TypeRef::Func(ty)) = (resolved, import.ty) {
                    types.insert(*function, places[ty as usize]);
                }
            }
        }
        for (function, ty) in types {
            if used.canonical.contains(&function) {
                self.canonical.insert(function, index(self.imports.len()));
                self.imports.push((function, ty));
            }
        }
    }

    /// The position of what a member's own index refers to.
    pub(crate) fn place(&self, group: &Group<'_>, local: Local) -> Result<u32, LinkError> {
        let place = match group.resolve_local(local) {
            Resolved::Member(local) => self.places.get(&local),
            Resolved::Canonical(function) => self.canonical.get(&function),
        };
        match place {
            Some(place) => Ok(*place),
            None => LinkError::because(format!("{local:?} has no place in the linked module")),
        }
    }
}
