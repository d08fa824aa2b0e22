//! Components around a type, in the text format.
//!
//! Must not know values.

use std::fmt::Write as _;

use chicory_signature::{Field, Shape};

/// A memory of a page, and an allocator that frees nothing, after what a test writes itself.
const MEMORY: &str = r#"
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 2048))
    (func (export "realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and
            (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
            (i32.sub (i32.const 0) (local.get $align))))
        (global.set $next (i32.add (local.get $at) (local.get $new)))
        (memory.copy (local.get $at) (local.get $old)
            (select (local.get $size) (local.get $new) (i32.lt_u (local.get $size) (local.get $new))))
        (local.get $at))"#;

const LIFT: &str = r#"(memory (core memory $i "memory")) (realloc (core func $i "realloc"))"#;

/// `sent(v)` returns all of its memory that is used, with its core parameters at the start.
pub(super) fn sender(shape: &Shape) -> String {
    let flat = flat(shape);
    let flat = if flat.len() > 16 { vec!["i32"] } else { flat };
    let mut stores = String::new();
    for (index, ty) in flat.iter().enumerate() {
        let at = index * 8;
        writeln!(stores, "({ty}.store (i32.const {at}) (local.get {index}))").unwrap();
    }
    let params = flat.join(" ");
    let mut types = Types::default();
    let ty = types.name(shape);
    format!(
        r#"(component
    (core module $m {MEMORY}
        (func (export "sent") (param {params}) (result i32)
            {stores}
            (i32.store (i32.const 1024) (i32.const 0))
            (i32.store (i32.const 1028) (global.get $next))
            (i32.const 1024)))
    (core instance $i (instantiate $m))
    {}
    (func (export "sent") (param "v" {ty}) (result (list u8)) (canon lift (core func $i "sent") {LIFT})))"#,
        types.defined
    )
}

/// `echo(v)` returns a list, bytes or a string, by its pointer and length.
pub(super) fn echo(shape: &Shape) -> String {
    echo_in(shape, "utf8")
}

/// The same, with strings in another encoding.
pub(super) fn echo_in(shape: &Shape, encoding: &str) -> String {
    let mut types = Types::default();
    let ty = types.name(shape);
    format!(
        r#"(component
    (core module $m {MEMORY}
        (func (export "echo") (param i32 i32) (result i32)
            (i32.store (i32.const 0) (local.get 0))
            (i32.store (i32.const 4) (local.get 1))
            (i32.const 0)))
    (core instance $i (instantiate $m))
    {}
    (func (export "echo") (param "v" {ty}) (result {ty})
        (canon lift (core func $i "echo") {LIFT} string-encoding={encoding})))"#,
        types.defined
    )
}

/// `read(at)` returns what is at an address of a memory that has these bytes; where the result is one core value, that is
/// what is at the address.
pub(super) fn reader(shape: &Shape, memory: &[u8]) -> String {
    let mut data = String::new();
    for byte in memory {
        write!(data, "\\{byte:02x}").unwrap();
    }
    let (ty, result) = match flat(shape)[..] {
        [only] => (only, format!("({only}.load (local.get 0))")),
        _ => ("i32", "(local.get 0)".into()),
    };
    let mut types = Types::default();
    let name = types.name(shape);
    format!(
        r#"(component
    (core module $m {MEMORY}
        (data (i32.const 0) "{data}")
        (func (export "read") (param i32) (result {ty}) {result}))
    (core instance $i (instantiate $m))
    {}
    (func (export "read") (param "at" u32) (result {name}) (canon lift (core func $i "read") {LIFT})))"#,
        types.defined
    )
}

/// Types by name, with the definitions of those that need one.
#[derive(Default)]
struct Types {
    defined: String,
    count: usize,
}

impl Types {
    fn name(&mut self, shape: &Shape) -> String {
        let body = match shape {
            Shape::Bytes => return "(list u8)".into(),
            Shape::List(item) => return format!("(list {})", self.name(item)),
            Shape::Option(inner) => return format!("(option {})", self.name(inner)),
            Shape::Tuple(items) => {
                let items: Vec<_> = items.iter().map(|item| self.name(item)).collect();
                return format!("(tuple {})", items.join(" "));
            }
            Shape::Result(outcome) => {
                let ok = outcome.ok.as_ref().map(|ok| self.name(ok));
                let err = outcome.err.as_ref().map(|err| self.name(err));
                let err = err.map_or_else(String::new, |err| format!("(error {err})"));
                return format!("(result {} {err})", ok.unwrap_or_default());
            }
            Shape::Record(fields) => {
                let field = |Field { name, shape }: &Field| {
                    format!(r#"(field "{name}" {})"#, self.name(shape))
                };
                let fields: Vec<_> = fields.iter().map(field).collect();
                format!("(record {})", fields.join(" "))
            }
            Shape::Variant(cases) => {
                let mut text = String::from("(variant");
                for case in cases {
                    let payload = case.payload.as_ref().map(|payload| self.name(payload));
                    write!(
                        text,
                        r#" (case "{}" {})"#,
                        case.name,
                        payload.unwrap_or_default()
                    )
                    .unwrap();
                }
                text + ")"
            }
            Shape::Enum(names) => format!("(enum {})", quoted(names)),
            Shape::Flags(names) => format!("(flags {})", quoted(names)),
            plain => return plain.to_string(),
        };
        self.count += 1;
        let name = format!("t{}", self.count);
        writeln!(
            self.defined,
            "(type ${name}' {body}) (export ${name} \"{name}\" (type ${name}'))"
        )
        .unwrap();
        format!("${name}")
    }
}

fn quoted(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    names.join(" ")
}

/// The core types that a type becomes, as the canonical ABI says.
fn flat(shape: &Shape) -> Vec<&'static str> {
    match shape {
        Shape::S64 | Shape::U64 => vec!["i64"],
        Shape::F32 => vec!["f32"],
        Shape::F64 => vec!["f64"],
        Shape::String | Shape::Bytes | Shape::List(_) => vec!["i32"; 2],
        Shape::Record(fields) => fields.iter().flat_map(|field| flat(&field.shape)).collect(),
        Shape::Tuple(items) => items.iter().flat_map(flat).collect(),
        Shape::Option(inner) => joined(&[flat(inner)]),
        Shape::Result(outcome) => {
            let sides = [&outcome.ok, &outcome.err];
            let sides: Vec<_> = sides.into_iter().flatten().map(flat).collect();
            joined(&sides)
        }
        Shape::Variant(cases) => {
            let cases = cases.iter().filter_map(|case| case.payload.as_ref());
            joined(&cases.map(flat).collect::<Vec<_>>())
        }
        _ => vec!["i32"],
    }
}

/// A discriminant, and core values that each of the cases fits.
fn joined(cases: &[Vec<&'static str>]) -> Vec<&'static str> {
    let longest = cases.iter().map(Vec::len).max().unwrap_or_default();
    let join = |index: usize| {
        let mut types = cases.iter().filter_map(|case| case.get(index).copied());
        let first = types.next().unwrap_or("i32");
        types.fold(first, |all, ty| match (all, ty) {
            (all, ty) if all == ty => all,
            ("i32", "f32") | ("f32", "i32") => "i32",
            _ => "i64",
        })
    };
    std::iter::once("i32")
        .chain((0..longest).map(join))
        .collect()
}
