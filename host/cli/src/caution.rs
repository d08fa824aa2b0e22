//! The most serious things that are wrong with the broker, said once before it is relied on.
//!
//! Must not know what makes them serious: `chicory-admin` does.

use chicory_admin::{Admin, Finding};

use crate::output::{Output, tell, tell_json};

/// In one line: what is wrong, and what to do.
fn line(finding: &Finding) -> String {
    let Finding {
        subject,
        text,
        advice,
        ..
    } = finding;
    format!("{subject}: {text}; {advice} (`chicory doctor` checks more)")
}

/// On standard error.
pub(crate) async fn say(admin: &Admin, output: Output) {
    for finding in admin.dangers().await {
        if output.is_json() {
            tell_json(&serde_json::json!({ "warning": line(&finding) }));
        } else {
            tell(&format!("warning: {}", line(&finding)));
        }
    }
}

/// In the log.
pub(crate) async fn log(admin: &Admin) {
    for finding in admin.dangers().await {
        tracing::warn!(subject = %finding.subject, "{}", line(&finding));
    }
}
