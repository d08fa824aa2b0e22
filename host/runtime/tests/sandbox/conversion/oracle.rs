//! wasmtime's own conversions, and its values as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chicory_runtime::wasmtime::component::{Component, Linker, Val};
use chicory_runtime::wasmtime::{Engine, Result, Store};
use chicory_signature::{Outcome, Shape};
use serde_json::Value;

/// A component in wasmtime alone.
pub(super) struct Oracle {
    engine: Engine,
    component: Component,
}

impl Oracle {
    pub(super) fn new(text: &str) -> Self {
        let engine = Engine::default();
        let component = Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
        Self { engine, component }
    }

    /// Calls a function in a fresh instance.
    pub(super) fn call(&self, name: &str, argument: &Val) -> Result<Val> {
        let mut store = Store::new(&self.engine, ());
        let instance = Linker::new(&self.engine).instantiate(&mut store, &self.component)?;
        let func = instance.get_func(&mut store, name).unwrap();
        let mut results = [Val::Bool(false)];
        func.call(&mut store, std::slice::from_ref(argument), &mut results)?;
        let [result] = results;
        Ok(result)
    }
}

/// The bytes of a `list<u8>`.
pub(super) fn bytes(val: &Val) -> Vec<u8> {
    let Val::List(items) = val else {
        panic!("{val:?}")
    };
    let byte = |item: &Val| match item {
        Val::U8(byte) => *byte,
        other => panic!("{other:?}"),
    };
    items.iter().map(byte).collect()
}

/// The value as JSON text, in the form in which the runtime writes it.
pub(super) fn json(shape: &Shape, val: &Val) -> String {
    match (shape, val) {
        (_, Val::Bool(value)) => value.to_string(),
        (_, Val::S8(value)) => value.to_string(),
        (_, Val::U8(value)) => value.to_string(),
        (_, Val::S16(value)) => value.to_string(),
        (_, Val::U16(value)) => value.to_string(),
        (_, Val::S32(value)) => value.to_string(),
        (_, Val::U32(value)) => value.to_string(),
        (_, Val::S64(value)) => value.to_string(),
        (_, Val::U64(value)) => value.to_string(),
        (_, Val::Float32(value)) if value.is_finite() => serde_json::to_string(value).unwrap(),
        (_, Val::Float32(value)) => not_finite((*value).into()),
        (_, Val::Float64(value)) if value.is_finite() => serde_json::to_string(value).unwrap(),
        (_, Val::Float64(value)) => not_finite(*value),
        (_, Val::Char(value)) => quoted(&value.to_string()),
        (_, Val::String(value) | Val::Enum(value)) => quoted(value),
        (_, Val::Flags(names)) => serde_json::to_string(names).unwrap(),
        (Shape::Bytes, val) => quoted(&STANDARD.encode(bytes(val))),
        (Shape::List(shape), Val::List(items)) => {
            listed(items.iter().map(|item| json(shape, item)))
        }
        (Shape::Tuple(shapes), Val::Tuple(items)) => {
            let items = shapes.iter().zip(items);
            listed(items.map(|(shape, item)| json(shape, item)))
        }
        (Shape::Record(fields), Val::Record(vals)) => {
            let entries = fields.iter().zip(vals);
            let entries: Vec<_> = entries
                .map(|(field, (name, val))| entry(name, &json(&field.shape, val)))
                .collect();
            format!("{{{}}}", entries.join(","))
        }
        (Shape::Variant(cases), Val::Variant(name, payload)) => match payload {
            None => quoted(name),
            Some(val) => {
                let case = cases.iter().find(|case| case.name == *name).unwrap();
                let payload = json(case.payload.as_ref().unwrap(), val);
                format!("{{{}}}", entry(name, &payload))
            }
        },
        (_, Val::Option(None)) => "null".into(),
        (Shape::Option(inner), Val::Option(Some(val))) => match **inner {
            Shape::Option(_) => format!("{{{}}}", entry("some", &json(inner, val))),
            _ => json(inner, val),
        },
        (Shape::Result(outcome), Val::Result(side)) => {
            let Outcome { ok, err } = &**outcome;
            let (name, shape, val) = match side {
                Ok(val) => ("ok", ok, val),
                Err(val) => ("err", err, val),
            };
            let payload = (shape.as_ref()).zip(val.as_ref());
            let payload = payload.map_or("null".into(), |(shape, val)| json(shape, val));
            format!("{{{}}}", entry(name, &payload))
        }
        other => panic!("{other:?}"),
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn not_finite(value: f64) -> String {
    quoted(match value {
        value if value.is_nan() => "NaN",
        value if value > 0.0 => "Infinity",
        _ => "-Infinity",
    })
}

fn listed(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn entry(name: &str, value: &str) -> String {
    format!("{}:{value}", quoted(name))
}
