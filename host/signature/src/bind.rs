//! Matches positional and named arguments with a task's parameters.
//!
//! Must not know where they come from.

use crate::arguments::Arguments;
use crate::error::{Stopped, ValidationError, at, wrong};
use crate::lower::{Named, put, value};
use crate::name::same_name;
use crate::reader::Reader;
use crate::shape::Field;
use crate::target::Target;

/// Converts arguments by position and by name to a target's parts, one for each parameter; a parameter of an option
/// type may be left out.
///
/// # Errors
/// Says which argument does not fit, is missing, or is not known, or why the target can't take one.
pub fn bind<T: Target>(
    params: &[Field],
    arguments: &Arguments,
    target: &mut T,
    parts: &mut T::Parts,
) -> Result<(), Stopped<T::Error>> {
    let count = by_position(params, arguments, target, parts)?;
    let (given, fields) = params.split_at(count);
    let named = Named {
        place: "kwargs",
        what: "argument",
        fields,
        first: count,
    };
    let mut kwargs = Reader::new(arguments.kwargs());
    kwargs.open(b'{');
    named.fill(&mut kwargs, target, parts, |key| {
        if given.iter().any(|param| same_name(&param.name, key)) {
            return at(
                wrong("is given by position as well"),
                &format!("kwargs.{key}"),
            );
        }
        as_a_whole(params, &format!("unknown argument `{key}`"))
    })
}

/// Converts those by position; answers how many there are.
fn by_position<T: Target>(
    params: &[Field],
    arguments: &Arguments,
    target: &mut T,
    parts: &mut T::Parts,
) -> Result<usize, Stopped<T::Error>> {
    let mut args = Reader::new(arguments.args());
    args.open(b'[');
    let mut index = 0;
    while args.more() {
        let Some(param) = params.get(index) else {
            let count = index + args.rest();
            let problem = format!("{count} positional arguments are too many");
            return Err(as_a_whole(params, &problem).into());
        };
        let place = put(target.part(parts, index))?;
        value(&param.shape, &mut args, target, &place)
            .map_err(|error| error.at(|| format!("args[{index}]")))?;
        index += 1;
    }
    Ok(index)
}

/// An error about the arguments as a whole.
fn as_a_whole(params: &[Field], problem: &str) -> ValidationError {
    let list: Vec<_> = params.iter().map(ToString::to_string).collect();
    let takes = if list.is_empty() {
        "no arguments".into()
    } else {
        format!("({})", list.join(", "))
    };
    at(
        wrong(format!("{problem}; the task takes {takes}")),
        "arguments",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::shape::Shape;
    use crate::target::Check;

    fn params() -> [Field; 3] {
        let field = |name: &str, shape| Field {
            name: name.into(),
            shape,
        };
        [
            field("path", Shape::String),
            field("max-width", Shape::U32),
            field("label", Shape::Option(Box::new(Shape::String))),
        ]
    }

    fn arguments(args: &Value, kwargs: &Value) -> Arguments {
        Arguments::new(args.as_array().unwrap(), kwargs.as_object().unwrap())
    }

    fn bound(args: &Value, kwargs: &Value) -> Result<(), String> {
        let bound = bind(
            &params(),
            &arguments(args, kwargs),
            &mut Check,
            &mut Default::default(),
        );
        bound.map_err(|stopped| ValidationError::from(stopped).to_string())
    }

    #[test]
    fn positions_and_names_mix() {
        assert_eq!(bound(&json!(["a", 5]), &json!({})), Ok(()));
        assert_eq!(bound(&json!(["a"]), &json!({"max_width": 5})), Ok(()));
        assert_eq!(
            bound(
                &json!([]),
                &json!({"max-width": 5, "path": "a", "label": null})
            ),
            Ok(())
        );
    }

    #[test]
    fn what_is_missing_unknown_or_too_many_is_named() {
        let takes = "the task takes (path: string, max-width: u32, label: option<string>)";
        for (args, kwargs, error) in [
            (
                json!(["a"]),
                json!({}),
                "kwargs: missing argument `max-width: u32`".to_owned(),
            ),
            (
                json!(["a", 1, null, 2]),
                json!({}),
                format!("arguments: 4 positional arguments are too many; {takes}"),
            ),
            (
                json!(["a", 1]),
                json!({"size": 2}),
                format!("arguments: unknown argument `size`; {takes}"),
            ),
            (
                json!(["a", 1]),
                json!({"path": "b"}),
                "kwargs.path: is given by position as well".to_owned(),
            ),
            (
                json!(["a", "1"]),
                json!({}),
                "args[1]: expected u32, got string".to_owned(),
            ),
            (
                json!(["a"]),
                json!({"max_width": -1}),
                "kwargs.max_width: expected u32, got -1, which is out of range".to_owned(),
            ),
            (
                json!(["a"]),
                json!({"max_width": 1, "max-width": 1}),
                "kwargs: argument `max-width` is given twice".to_owned(),
            ),
        ] {
            assert_eq!(bound(&args, &kwargs), Err(error));
        }
    }
}
