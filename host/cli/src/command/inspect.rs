//! `chicory inspect`: a module's tasks, its imports, and the grants that it needs.
//!
//! Must not run anything of the module.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use chicory_runtime::{Description, Signature};
use chicory_signature::{shown_names, with_causes};
use chicory_worker::{Manifest, signature_file};
use clap::Args;
use serde_json::{Value, json};

use super::in_force::{InForce, standing};
use super::{Context, module};
use crate::exit::CommandError;
use crate::oci::{self, OciArgs};
use crate::output::printable;

/// Flags of `chicory inspect`.
#[derive(Debug, Args)]
#[command(after_help = "Example: chicory inspect thumbnail.wasm")]
pub(crate) struct InspectArgs {
    /// Module file or oci:// address: a component, or a core module that is a WASI program or has WIT types
    file: PathBuf,
    #[command(flatten)]
    oci: OciArgs,
}

/// Describes the module.
pub(crate) async fn run(args: InspectArgs, context: &Context) -> anyhow::Result<()> {
    let found = oci::module(&args.file, args.oci.plain_http).await?;
    let module::FromFile { request, manifest } = module::read(&found.path)?;
    let sandbox = module::sandbox(&context.config)?;
    let described = sandbox.inspect(request).await;
    let described = described.with_context(|| found.shown.clone())?;
    let signature = std::fs::read_to_string(signature_file(&found.path)).ok();
    let standing = standing(&context.config, &described.name, signature.as_deref());
    let in_force = InForce::of(
        &context.config,
        &described.name,
        standing,
        &manifest.settings(),
    );
    let mut body = body(&described, &manifest);
    body["in_force"] = in_force.json();
    context
        .output
        .value(&body, |_| human(&described, &manifest, &in_force))?;
    match &described.problem {
        Some(problem) => {
            let text = format!("{}: {}", found.shown, with_causes(problem));
            Err(CommandError::Failed(text).into())
        }
        None => Ok(()),
    }
}

fn body(module: &Description, manifest: &Manifest) -> Value {
    let tasks = named(module);
    let others = module.not_tasks.iter();
    let needs = module.needs.iter();
    json!({
        "name": module.name,
        "digest": format!("sha256:{}", module.digest),
        "size": module.size,
        "tasks": tasks.map(|(name, (full, signature))| json!({ "name": name, "full_name": full, "signature": signature.to_string() })).collect::<Vec<_>>(),
        "not_tasks": others.map(|(name, reason)| json!({ "name": name, "reason": reason })).collect::<Vec<_>>(),
        "imports": module.imports,
        "manifest": manifest,
        "needs": needs.map(|need| json!({ "interface": need.interface, "manifest": need.lines })).collect::<Vec<_>>(),
        "closed": module.closed,
        "problem": module.problem.as_deref().map(|problem| with_causes(problem)),
    })
}

fn human(module: &Description, manifest: &Manifest, in_force: &InForce) -> String {
    let mut text = format!(
        "module  {}\ndigest  sha256:{}\nsize    {} bytes\n",
        module.name, module.digest, module.size
    );
    section(
        &mut text,
        "tasks",
        named(module).map(|(name, (full, signature))| {
            let also = if *name == *full {
                String::new()
            } else {
                format!("\n    full name: {full}")
            };
            format!("{name}: {signature}{also}")
        }),
    );
    section(
        &mut text,
        "not tasks",
        module
            .not_tasks
            .iter()
            .map(|(name, reason)| format!("{name}: {reason}")),
    );
    let set = toml::to_string(manifest).unwrap_or_default();
    let set: Vec<&str> = set.lines().filter(|line| !line.is_empty()).collect();
    section(
        &mut text,
        "settings (the module's own, and those of the manifest next to it)",
        set.into_iter().map(str::to_owned),
    );
    section(
        &mut text,
        "in force on a worker with these settings (see [policy])",
        in_force.lines().into_iter(),
    );
    section(&mut text, "imports", module.imports.iter().cloned());
    let needs = module.needs.iter();
    section(
        &mut text,
        "needs these grants (clocks, random and stdio are granted by default)",
        needs.map(|need| format!("{}, by {}", need.interface, need.lines)),
    );
    section(
        &mut text,
        "available but closed (every use is refused)",
        module.closed.iter().cloned(),
    );
    printable(&text)
}

/// The tasks, each with its name for people.
fn named(
    module: &Description,
) -> impl ExactSizeIterator<Item = (Cow<'_, str>, &(String, Signature))> {
    let shown = shown_names(module.tasks.iter().map(|(full, _)| full.as_str()));
    shown.into_iter().zip(&module.tasks)
}

fn section(text: &mut String, title: &str, lines: impl ExactSizeIterator<Item = String>) {
    if lines.len() == 0 {
        return;
    }
    let _ = writeln!(text, "\n{title}");
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add() -> Signature {
        serde_json::from_value(json!({
            "kind": "function",
            "params": [{ "name": "a", "type": "u32" }, { "name": "b", "type": "u32" }],
            "result": { "result": { "ok": "u32", "err": "string" } },
        }))
        .unwrap()
    }

    #[test]
    fn a_module_is_described() {
        let described = Description {
            name: "demo".into(),
            digest: "ab".repeat(32),
            size: 57_344,
            tasks: vec![("add".into(), add())],
            not_tasks: vec![("open".into(), "it takes a resource".into())],
            imports: vec!["wasi:http/outgoing-handler@0.2.0".into()],
            needs: Vec::new(),
            closed: vec!["wasi:sockets/tcp".into()],
            problem: None,
        };
        let manifest = Manifest::of(
            b"",
            "version = \"1.2.0\"\n[tasks.add.limits]\ntimeout = 2.5\n[grants]\nhttp = [\"example.com\"]",
        );
        let manifest = manifest.unwrap();
        let raw = crate::config::Layers::default().merge().unwrap();
        let config = crate::config::Config::from_raw(&raw).unwrap();
        let asked = manifest.settings();
        let in_force = InForce::of(&config, "demo", chicory_worker::Standing::Unsigned, &asked);
        insta::assert_snapshot!(human(&described, &manifest, &in_force));
        insta::assert_json_snapshot!(body(&described, &manifest));
    }
}
