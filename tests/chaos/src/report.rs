//! The report of a run: a text of 80 columns, and JSON.
//!
//! Must not decide what is wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::account::{Account, Rule, Wrong};
use crate::open;
use crate::producer::Enqueued;
use crate::run::Terms;
use crate::schedule::Planned;

/// A run's terms and account.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    broker: &'static str,
    seed: u64,
    seconds: u64,
    tasks: usize,
    workers: usize,
    /// What `--schedule` reads.
    pub schedule: Vec<Planned>,
    /// Ids that were sent more than once.
    sent_again: usize,
    /// How often `enqueue` ended with which code, and its last words.
    enqueue_failures: Vec<(Option<i32>, u64, String)>,
    #[serde(flatten)]
    account: Account,
    passed: bool,
}

/// How many wrongs of a rule are told.
const TOLD: usize = 8;
const WIDTH: usize = 80;

impl Report {
    /// The report.
    pub fn new(terms: &Terms, enqueued: &Enqueued, account: Account) -> Self {
        let failures = enqueued.failures.iter();
        Self {
            broker: terms.ground.name(),
            seed: terms.seed,
            seconds: terms.seconds,
            tasks: terms.tasks,
            workers: terms.workers,
            schedule: terms.schedule.clone(),
            sent_again: enqueued.sent_again.len(),
            enqueue_failures: failures
                .map(|(code, (times, said))| (*code, *times, said.clone()))
                .collect(),
            passed: account
                .wrong
                .iter()
                .all(|one| open::case(one.rule).is_some()),
            account,
        }
    }

    /// Whether nothing is wrong but what is known to be.
    pub fn passed(&self) -> bool {
        self.passed
    }

    /// The text.
    pub fn text(&self) -> String {
        let mut text = format!(
            "\n{}, seed {}: {} tasks in {} s on {} workers\n\n",
            self.broker, self.seed, self.tasks, self.seconds, self.workers
        );
        self.kinds(&mut text);
        self.faults(&mut text);
        self.surroundings(&mut text);
        self.wrongs(&mut text);
        text
    }

    fn kinds(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "{:<10}{:>9}{:>11}{:>11}{:>13}{:>13}{:>13}",
            "kind", "tasks", "right end", "cut off", "attempts", "executions", "repeated"
        );
        for row in &self.account.rows {
            let _ = writeln!(
                text,
                "{:<10}{:>9}{:>11}{:>11}{:>13}{:>13}{:>13}",
                row.kind.name(),
                row.tasks,
                row.right,
                row.cut_off,
                row.attempts,
                row.executions,
                row.executions.saturating_sub(row.attempts)
            );
        }
        let unbegun: usize = self.account.rows.iter().map(|row| row.unbegun).sum();
        if unbegun > 0 {
            let _ = writeln!(
                text,
                "{unbegun} of once were lost while they were acknowledged, before they began"
            );
        }
    }

    fn faults(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\n{:>9}  {:>6}  {:<36}{:>10}{:>15}",
            "at", "for", "fault", "pause", "recovered in"
        );
        for line in &self.account.faults {
            let recovered = match line.recovered {
                Some(seconds) => format!("{seconds:.2} s"),
                None if line.planned.beside => "-".into(),
                None => "never".into(),
            };
            let mut what = line.planned.fault.to_string();
            if line.planned.fault.has_a_seat() {
                let _ = write!(what, " ({})", line.planned.seat + 1);
            }
            let beside = if line.planned.beside { "+ " } else { "" };
            let _ = writeln!(
                text,
                "{:>7.1} s  {:>4.1} s  {:<36}{:>8.1} s{recovered:>15}",
                line.planned.at_ms as f64 / 1000.0,
                line.lasted,
                format!("{beside}{what}"),
                line.pause,
            );
        }
    }

    fn surroundings(&self, text: &mut String) {
        let seen = &self.account.surroundings;
        let growth = seen
            .growth_bytes
            .map_or("-".into(), |bytes| format!("{} MiB", bytes >> 20));
        let _ = writeln!(
            text,
            "\nworkers: {} processes, memory up to {} MiB, growth {growth}",
            seen.processes,
            seen.peak_bytes >> 20
        );
        let _ = writeln!(
            text,
            "log: {} lines about tasks, {} others; the most frequent:",
            seen.about_tasks, seen.others
        );
        for (message, count) in &seen.frequent {
            let _ = writeln!(text, "{}", cut(&format!("{count:>7}  {message}")));
        }
        let _ = writeln!(text, "producers: {} ids were sent again", self.sent_again);
        for (code, times, said) in &self.enqueue_failures {
            let code = code.map_or("killed".into(), |code| format!("exit {code}"));
            let said = said.lines().last().unwrap_or_default();
            let _ = writeln!(text, "{}", cut(&format!("{times:>7}  {code}: {said}")));
        }
    }

    fn wrongs(&self, text: &mut String) {
        let mut by_rule = BTreeMap::<Rule, Vec<&Wrong>>::new();
        for one in &self.account.wrong {
            by_rule.entry(one.rule).or_default().push(one);
        }
        for (rule, wrongs) in by_rule {
            let known = open::case(rule).map_or("WRONG".into(), |case| format!("open, {case}"));
            let _ = writeln!(text, "\n{rule:?}, {} times; {known}", wrongs.len());
            for one in wrongs.iter().take(TOLD) {
                wrap(text, &one.text);
            }
        }
        if self.passed {
            text.push_str("\npassed\n");
            return;
        }
        let _ = writeln!(
            text,
            "\nFAILED; to play it again, give --schedule this report as JSON, or:"
        );
        let broker = self.broker.to_lowercase();
        let (seed, seconds, tasks) = (self.seed, self.seconds, self.tasks);
        let again = format!("--broker {broker} --seed {seed} --seconds {seconds} --tasks {tasks}");
        wrap(text, &again);
    }
}

/// Adds a paragraph, indented by two columns.
fn wrap(text: &mut String, paragraph: &str) {
    for line in paragraph.lines() {
        let mut column = 0;
        for word in line.split_whitespace() {
            let width = word.chars().count();
            if column == 0 || column + 1 + width > WIDTH {
                text.push_str(if column == 0 { "  " } else { "\n    " });
                column = if column == 0 { 2 } else { 4 };
            } else {
                text.push(' ');
                column += 1;
            }
            text.push_str(word);
            column += width;
        }
        text.push('\n');
    }
}

fn cut(line: &str) -> String {
    line.chars().take(WIDTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_keeps_to_the_width() {
        let mut text = String::new();
        wrap(&mut text, &"word ".repeat(60));
        assert_eq!(text.split_whitespace().count(), 60);
        assert!(text.lines().count() == 4, "{text}");
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
    }
}
