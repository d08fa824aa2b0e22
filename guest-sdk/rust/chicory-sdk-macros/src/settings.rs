//! The settings in `#[task(…)]`, as a line of the section `chicory-manifest`.
//!
//! Must not know what they do; the host checks their values.

use heck::ToKebabCase;
use serde_json::{Map, Value, json};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Ident, Lit, Result, Token, UnOp};

const RETRY: [&str; 7] = [
    "max_retries",
    "retry_delay",
    "backoff",
    "max_delay",
    "jitter",
    "retry_on",
    "ignore_on",
];
const LIMITS: [&str; 11] = [
    "timeout",
    "cpu_time",
    "memory",
    "table_elements",
    "fuel",
    "output_bytes",
    "log_bytes",
    "args_bytes",
    "result_bytes",
    "host_call_bytes",
    "write_bytes",
];
const OWN: [&str; 3] = ["delivery_mode", "ignore_result", "description"];

/// What a task, or all tasks of a module, set: a manifest's table.
#[derive(Default)]
pub(crate) struct Settings(pub(crate) Map<String, Value>);

impl Parse for Settings {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut settings = Self::default();
        for setting in Punctuated::<Setting, Token![,]>::parse_terminated(input)? {
            settings.add(&setting)?;
        }
        Ok(settings)
    }
}

/// `key = value`
struct Setting {
    key: Ident,
    value: Value,
}

impl Parse for Setting {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let key: Ident = input.parse()?;
        input.parse::<Token![=]>()?;
        let value = value(&input.parse()?)?;
        Ok(Self { key, value })
    }
}

impl Settings {
    fn add(&mut self, Setting { key, value }: &Setting) -> Result<()> {
        let name = key.to_string();
        let table = if RETRY.contains(&name.as_str()) {
            self.table("retry")
        } else if LIMITS.contains(&name.as_str()) {
            self.table("limits")
        } else if OWN.contains(&name.as_str()) {
            &mut self.0
        } else {
            let all: Vec<_> = RETRY.iter().chain(&LIMITS).chain(&OWN).copied().collect();
            let message = format!("no setting `{name}`; there are {}", all.join(", "));
            return Err(Error::new(key.span(), message));
        };
        if table.insert(name, value.clone()).is_some() {
            return Err(Error::new(key.span(), format!("`{key}` is set twice")));
        }
        Ok(())
    }

    fn table(&mut self, name: &str) -> &mut Map<String, Value> {
        let table = self.0.entry(name).or_insert_with(|| json!({}));
        table.as_object_mut().expect("it was made as an object")
    }
}

/// A literal, a list of them, or the name of an error's case.
fn value(expr: &Expr) -> Result<Value> {
    let wrong = |span| {
        Error::new(
            span,
            "write a number, a string, true, false, or a list of strings or cases",
        )
    };
    match expr {
        Expr::Lit(ExprLit { lit, .. }) => match lit {
            Lit::Str(text) => Ok(text.value().into()),
            Lit::Bool(yes) => Ok(yes.value.into()),
            Lit::Int(number) => Ok(number.base10_parse::<u64>()?.into()),
            Lit::Float(number) => Ok(number.base10_parse::<f64>()?.into()),
            other => Err(wrong(other.span())),
        },
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
            Err(Error::new_spanned(unary, "no setting is below 0"))
        }
        Expr::Array(list) => list.elems.iter().map(value).collect(),
        Expr::Path(path) => match path.path.segments.last() {
            Some(case) => Ok(case.ident.to_string().to_kebab_case().into()),
            None => Err(Error::new_spanned(path, "write the case's name")),
        },
        other => Err(Error::new_spanned(
            other,
            wrong(proc_macro2::Span::call_site()),
        )),
    }
}
