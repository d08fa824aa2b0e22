//! What is known not to hold yet: each rule with the case that will mend it.
//!
//! Only what is named here is forgiven, and it is told in the report. Nothing that hides a loss may be.

use crate::account::Rule;

/// Rules that may be broken, and why.
pub const OPEN: &[(Rule, &str)] = &[(
    Rule::LogLines,
    "Q9: outages of writes, and each of the client's tries",
)];

/// The case that will mend a rule.
pub fn case(rule: Rule) -> Option<&'static str> {
    let open = OPEN.iter().find(|(open, _)| *open == rule);
    open.map(|(_, case)| *case)
}
