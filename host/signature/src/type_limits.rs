//! How large the types of a module's tasks may be: the one place for these limits, and for what a name in a type is.
//!
//! A component's types are a graph, and each use of a type is written out in full wherever a task's type is shown,
//! stored or compared. A graph of a few lines can be huge when it is written out, so it is measured before. Must
//! not know where types come from.

use crate::shape::{Case, Field, Shape};
use crate::signature::Signature;

/// Maximum number of tasks of a module.
pub const MAX_TASKS: usize = 1_000;
/// Maximum number of parameters of a task.
pub const MAX_PARAMS: usize = 100;
/// Maximum number of a record's fields, of a tuple's items, and of the cases of a variant, an enum or flags.
pub const MAX_MEMBERS: usize = 1_000;
/// Maximum number of types inside each other.
pub const MAX_TYPE_DEPTH: usize = 32;
/// Maximum number of types in the tasks of a module together, written out: a record of two numbers is three.
pub const MAX_TYPE_PARTS: u64 = 10_000;
/// Maximum length of all names in the tasks' types together, in bytes, written out.
pub const MAX_TYPE_NAME_BYTES: u64 = 128 << 10;
/// Maximum length of the name of a parameter, a field or a case, in bytes.
pub const MAX_LABEL: usize = 128;

/// Why a type is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeLimitError {
    /// There is more of something than there may be.
    #[error("there are {found} {what}, and up to {allowed} are allowed")]
    TooMany {
        /// Of what, in the plural.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many are allowed.
        allowed: usize,
    },
    /// The types are too large.
    #[error(
        "written out, the types of the module's tasks have {found} {what}, and up to {allowed} are allowed"
    )]
    TooLarge {
        /// Of what, in the plural.
        what: &'static str,
        /// How many there are, at least.
        found: u64,
        /// How many are allowed.
        allowed: u64,
    },
    /// Types are nested too deeply.
    #[error("types are nested more than {MAX_TYPE_DEPTH} levels deep, the deepest that is allowed")]
    TooDeep,
    /// A name is too long.
    #[error("a name in its type may have up to {MAX_LABEL} bytes, and {shown:?}… has {length}")]
    LongName {
        /// How it begins.
        shown: String,
        /// Its length in bytes.
        length: usize,
    },
    /// A name isn't one of WIT's.
    #[error(
        "{name:?} can't be a name in a type: use words of letters and digits with `-` between them, the first letter first"
    )]
    Name {
        /// The text.
        name: String,
    },
}

/// The size of a type, written out. For whoever knows which types are the same, and so measures each of them once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypeSize {
    parts: u64,
    name_bytes: u64,
    depth: usize,
}

impl TypeSize {
    /// A type with nothing inside.
    pub fn one() -> Self {
        Self {
            parts: 1,
            name_bytes: 0,
            depth: 1,
        }
    }

    /// The same type with this one inside.
    #[must_use]
    pub fn around(self, inner: Self) -> Self {
        Self {
            parts: self.parts.saturating_add(inner.parts),
            name_bytes: self.name_bytes.saturating_add(inner.name_bytes),
            depth: self.depth.max(inner.depth + 1),
        }
    }

    /// The same type with one more name in it.
    ///
    /// # Errors
    /// When types can't have such a name.
    pub fn named(self, name: &str) -> Result<Self, TypeLimitError> {
        check_label(name)?;
        let length = u64::try_from(name.len()).unwrap_or(u64::MAX);
        Ok(Self {
            name_bytes: self.name_bytes.saturating_add(length),
            ..self
        })
    }
}

/// What the types of one module's tasks may still have.
#[derive(Debug, Default)]
pub struct TypeBudget {
    tasks: usize,
    used: TypeSize,
    level: usize,
}

impl TypeBudget {
    /// Counts a task with this number of parameters, whose types come next.
    ///
    /// # Errors
    /// When there are too many of either.
    pub fn task(&mut self, params: usize) -> Result<(), TypeLimitError> {
        self.tasks += 1;
        self.level = 0;
        check_count("tasks", self.tasks, MAX_TASKS)?;
        check_count("parameters", params, MAX_PARAMS)
    }

    /// Counts a type, whose parts come next, until [`TypeBudget::leave`].
    ///
    /// # Errors
    /// When there are too many, or it is inside too many others.
    pub fn enter(&mut self) -> Result<(), TypeLimitError> {
        self.level += 1;
        self.add(TypeSize::one())
    }

    /// The parts of a type have been counted.
    pub fn leave(&mut self) {
        self.level = self.level.saturating_sub(1);
    }

    /// Counts the name of a parameter, a field or a case.
    ///
    /// # Errors
    /// When types can't have such a name, or when names are too long together.
    pub fn name(&mut self, name: &str) -> Result<(), TypeLimitError> {
        self.add(TypeSize::default().named(name)?)
    }

    /// Counts a type that has been measured.
    ///
    /// # Errors
    /// When it is too large with all that were counted before.
    pub fn add(&mut self, size: TypeSize) -> Result<(), TypeLimitError> {
        self.used.parts = self.used.parts.saturating_add(size.parts);
        self.used.name_bytes = self.used.name_bytes.saturating_add(size.name_bytes);
        if (self.level + size.depth).saturating_sub(1) > MAX_TYPE_DEPTH {
            return Err(TypeLimitError::TooDeep);
        }
        let limits = [
            ("parts", self.used.parts, MAX_TYPE_PARTS),
            ("bytes of names", self.used.name_bytes, MAX_TYPE_NAME_BYTES),
        ];
        let excess = limits.iter().find(|(_, found, allowed)| found > allowed);
        excess.map_or(Ok(()), |&(what, found, allowed)| {
            Err(TypeLimitError::TooLarge {
                what,
                found,
                allowed,
            })
        })
    }
}

/// Whether a type may have this number of fields, items or cases.
///
/// # Errors
/// When there are too many.
pub fn check_members(what: &'static str, found: usize) -> Result<(), TypeLimitError> {
    check_count(what, found, MAX_MEMBERS)
}

fn check_count(what: &'static str, found: usize, allowed: usize) -> Result<(), TypeLimitError> {
    if found <= allowed {
        return Ok(());
    }
    Err(TypeLimitError::TooMany {
        what,
        found,
        allowed,
    })
}

/// Whether this can be the name of a parameter, a field or a case, by WIT's rule.
///
/// # Errors
/// What is wrong with it.
pub fn check_label(name: &str) -> Result<(), TypeLimitError> {
    if name.len() > MAX_LABEL {
        return Err(TypeLimitError::LongName {
            shown: name.chars().take(40).collect(),
            length: name.len(),
        });
    }
    if is_label(name) {
        return Ok(());
    }
    Err(TypeLimitError::Name {
        name: name.to_owned(),
    })
}

/// Words of letters and digits, with `-` between them; the first begins with a letter.
pub(crate) fn is_label(name: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric());
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.split('-').all(is_word)
}

impl Signature {
    /// Counts the types of a task that was read from somewhere.
    ///
    /// # Errors
    /// What there is too much of, or which name can't be one.
    pub fn check_size(&self, budget: &mut TypeBudget) -> Result<(), TypeLimitError> {
        budget.task(self.params.len())?;
        fields(&self.params, budget)?;
        self.result
            .iter()
            .try_for_each(|shape| count(shape, budget))
    }
}

fn count(shape: &Shape, budget: &mut TypeBudget) -> Result<(), TypeLimitError> {
    budget.enter()?;
    match shape {
        Shape::List(item) | Shape::FixedList(item, _) | Shape::Option(item) => count(item, budget)?,
        Shape::Record(parts) => {
            check_members("fields", parts.len())?;
            fields(parts, budget)?;
        }
        Shape::Tuple(items) => {
            check_members("items", items.len())?;
            items.iter().try_for_each(|item| count(item, budget))?;
        }
        Shape::Variant(cases) => {
            check_members("cases", cases.len())?;
            cases.iter().try_for_each(|case| case_of(case, budget))?;
        }
        Shape::Enum(names) | Shape::Flags(names) => {
            check_members("cases", names.len())?;
            names.iter().try_for_each(|name| budget.name(name))?;
        }
        Shape::Result(outcome) => {
            let mut sides = outcome.ok.iter().chain(&outcome.err);
            sides.try_for_each(|side| count(side, budget))?;
        }
        _ => {}
    }
    budget.leave();
    Ok(())
}

fn fields(fields: &[Field], budget: &mut TypeBudget) -> Result<(), TypeLimitError> {
    fields.iter().try_for_each(|field| {
        budget.name(&field.name)?;
        count(&field.shape, budget)
    })
}

fn case_of(case: &Case, budget: &mut TypeBudget) -> Result<(), TypeLimitError> {
    budget.name(&case.name)?;
    (case.payload.iter()).try_for_each(|payload| count(payload, budget))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Kind;

    fn check(shape: Shape) -> Result<(), TypeLimitError> {
        let signature = Signature {
            kind: Kind::Function,
            params: Box::default(),
            result: Some(shape),
        };
        signature.check_size(&mut TypeBudget::default())
    }

    fn nested(levels: usize, inner: Shape) -> Shape {
        (1..levels).fold(inner, |shape, _| Shape::List(Box::new(shape)))
    }

    #[test]
    fn the_deepest_type_can_be_read_back() {
        let field = |shape| {
            let name = "x".to_owned();
            Shape::Record([Field { name, shape }].into())
        };
        let deepest = (1..MAX_TYPE_DEPTH).fold(Shape::Bool, |shape, _| field(shape));
        assert_eq!(check(deepest.clone()), Ok(()));
        // As deep as it is in a registry's record.
        let stored = serde_json::json!([[[[[deepest]]]]]).to_string();
        assert!(serde_json::from_str::<serde_json::Value>(&stored).is_ok());
        assert_eq!(check(field(deepest)), Err(TypeLimitError::TooDeep));
        assert!(check(nested(MAX_TYPE_DEPTH, Shape::U8)).is_ok());
    }

    #[test]
    fn what_is_too_large_when_written_out_is_counted() {
        let doubled = |levels: u32| {
            (0..levels).fold(Shape::Bool, |shape, _| {
                Shape::Tuple([shape.clone(), shape].into())
            })
        };
        assert!(check(doubled(12)).is_ok());
        assert!(matches!(
            check(doubled(13)),
            Err(TypeLimitError::TooLarge { what: "parts", .. })
        ));
        let names = |count| Shape::Enum((0..count).map(|n| format!("case-{n}")).collect());
        assert!(check(names(MAX_MEMBERS)).is_ok());
        assert!(matches!(
            check(names(MAX_MEMBERS + 1)),
            Err(TypeLimitError::TooMany { what: "cases", .. })
        ));
    }

    #[test]
    fn a_size_counts_like_a_walk() {
        let inner = TypeSize::one().named("ab").unwrap();
        let size = TypeSize::one().around(inner).around(inner);
        assert_eq!((size.parts, size.name_bytes, size.depth), (3, 4, 2));
        let huge = (0..200).fold(TypeSize::one(), |size, _| {
            TypeSize::one().around(size).around(size)
        });
        assert_eq!(huge.parts, u64::MAX);
        assert!(TypeBudget::default().add(huge).is_err());
    }

    #[test]
    fn names_are_wits() {
        for good in ["a", "max-width", "max-HTTP", "x1-2"] {
            assert!(check_label(good).is_ok(), "{good}");
        }
        let long = "a".repeat(MAX_LABEL + 1);
        for bad in ["", "-", "a-", "1a", "a_b", "a b", "a\nb", "é", "a`", &long] {
            assert!(check_label(bad).is_err(), "{bad:?}");
        }
    }
}
