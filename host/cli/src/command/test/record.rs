//! What each case used, written into the file of cases; all else in the file stays as it is.
//!
//! Must not know how usage is measured.

use std::path::Path;

use anyhow::Context as _;
use toml_edit::{DocumentMut, InlineTable, Item, value};

use super::cases::Usage;
use super::report::Row;

/// Records the usage of all cases, which are those of the file, in its order.
pub(super) fn write(file: &Path, rows: &[Row]) -> anyhow::Result<()> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("can't read {name}"))?;
    let usages: Vec<_> = rows.iter().map(|row| row.usage).collect();
    let text = recorded(&text, &usages).with_context(|| format!("{name} can't be changed"))?;
    std::fs::write(file, text).with_context(|| format!("can't write {name}"))
}

fn recorded(text: &str, usages: &[Usage]) -> anyhow::Result<String> {
    let mut document: DocumentMut = text.parse()?;
    let cases = document
        .get_mut("case")
        .and_then(Item::as_array_of_tables_mut);
    let cases = cases.context("write the cases as [[case]]")?;
    for (case, usage) in cases.iter_mut().zip(usages) {
        let mut table = InlineTable::new();
        table.insert("fuel", i64::try_from(usage.fuel)?.into());
        table.insert("peak_memory", i64::try_from(usage.peak_memory)?.into());
        case["usage"] = value(table);
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_order_stay() {
        let text = "# why\n[[case]]\ntask = \"f\" # that\nresult = 1\n\n[[case]]\ntask = \"g\"\n\
                    usage = { fuel = 1, peak_memory = 1 }\nerror = \"E\"\n";
        let usage = |fuel| Usage {
            fuel,
            peak_memory: 2,
        };
        let after = recorded(text, &[usage(10), usage(20)]).unwrap();
        assert!(
            after.starts_with(
                "# why\n[[case]]\ntask = \"f\" # that\nresult = 1\nusage = { fuel = 10"
            ),
            "{after}"
        );
        assert!(
            after.contains("usage = { fuel = 20, peak_memory = 2 }\nerror"),
            "{after}"
        );
        assert_eq!(recorded(&after, &[usage(10), usage(20)]).unwrap(), after);
    }
}
