//! What each case used, written into the file of cases; all else in the file stays as it is.
//!
//! Must not know how usage is measured.

use std::path::Path;

use toml_edit::{DocumentMut, InlineTable, Item, value};

use super::{CaseFault, CaseReport, CasesError, Usage};

/// Records the usage of all cases of a file. The reports are those of the file's cases, in its order.
///
/// # Errors
/// Where the file can't be read, changed or written.
pub fn record(file: &Path, reports: &[CaseReport]) -> Result<(), CasesError> {
    let failed = |action| {
        move |source| CasesError::File {
            action,
            file: file.to_owned(),
            source,
        }
    };
    let text = std::fs::read_to_string(file).map_err(failed("read"))?;
    let usages: Vec<_> = reports.iter().map(|report| report.usage).collect();
    let text = recorded(&text, &usages).map_err(|source| CasesError::Invalid {
        file: file.to_owned(),
        source,
    })?;
    std::fs::write(file, text).map_err(failed("write"))
}

fn recorded(text: &str, usages: &[Usage]) -> Result<String, CaseFault> {
    let mut document: DocumentMut = text.parse()?;
    let cases = document
        .get_mut("case")
        .and_then(Item::as_array_of_tables_mut)
        .ok_or(CaseFault::NoCases)?;
    for (index, (case, usage)) in cases.iter_mut().zip(usages).enumerate() {
        let number =
            |amount: u64| i64::try_from(amount).map_err(|_| CaseFault::Usage { number: index + 1 });
        let mut table = InlineTable::new();
        table.insert("fuel", number(usage.fuel)?.into());
        table.insert("peak_memory", number(usage.peak_memory)?.into());
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
