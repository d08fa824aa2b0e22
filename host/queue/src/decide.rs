//! The one place that decides what happens to a message next: a pure function.
//!
//! Must not know brokers, clocks or runtimes.

use crate::{Advice, Failure, Outcome, RetryPolicy, Settlement, TaskMessage, Timestamp};

/// What a decision depends on, besides the outcome and the message.
#[derive(Debug, Clone, Copy)]
pub struct DecideContext<'a> {
    /// The task's retry policy; the message's own takes precedence.
    pub policy: &'a RetryPolicy,
    /// Whether messages that are given up on are kept as dead letters.
    pub dead_letters: bool,
    /// Whether it ran on a canary. A failure there counts against the canary: the message runs again at once on
    /// the active version, and no retry is charged.
    pub canary: bool,
    /// The current time.
    pub now: Timestamp,
}

/// Decides what to do about a delivery of `message` that ended with `outcome`.
pub fn decide(outcome: &Outcome, message: &TaskMessage, terms: DecideContext<'_>) -> Settlement {
    match outcome {
        Outcome::Completed { .. } => Settlement::Complete,
        Outcome::Interrupted => Settlement::Release,
        Outcome::Postponed { after } => {
            let at = terms.now.after(*after);
            let mut message = Box::new(message.clone());
            message.eta = Some(at);
            Settlement::Retry { at, message }
        }
        Outcome::Failed(_) if terms.canary => Settlement::Retry {
            at: terms.now,
            message: Box::new(TaskMessage {
                no_canary: true,
                ..message.clone()
            }),
        },
        Outcome::Failed(failure) => {
            let policy = message.retry.as_ref().unwrap_or(terms.policy);
            retry(failure, message, policy, terms.now).unwrap_or_else(|| give_up(failure, terms))
        }
    }
}

fn give_up(failure: &Failure, terms: DecideContext<'_>) -> Settlement {
    if terms.dead_letters {
        Settlement::DeadLetter {
            error: failure.describe(),
            failed_at: terms.now,
        }
    } else {
        Settlement::Complete
    }
}

fn retry(
    failure: &Failure,
    message: &TaskMessage,
    policy: &RetryPolicy,
    now: Timestamp,
) -> Option<Settlement> {
    if message.retries >= policy.max_retries || !policy.covers(&failure.name) {
        return None;
    }
    let retries = message.retries.saturating_add(1);
    let delay = match failure.advice {
        Advice::Never => return None,
        Advice::After(delay) => delay.min(RetryPolicy::LONGEST),
        Advice::Policy => policy.delay(retries, &message.id),
    };
    let at = now.after(delay);
    let mut next = message.clone();
    next.retries = retries;
    next.eta = Some(at);
    next.first_failure_at.get_or_insert(now);
    next.last_error = Some(failure.describe());
    Some(Settlement::Retry {
        at,
        message: Box::new(next),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn failure(name: &str, advice: Advice) -> Outcome {
        Outcome::Failed(Failure {
            name: name.into(),
            message: "no".into(),
            traceback: None,
            advice,
        })
    }

    fn terms(policy: &RetryPolicy) -> DecideContext<'_> {
        DecideContext {
            policy,
            dead_letters: true,
            canary: false,
            now: Timestamp::from_micros(1_000_000),
        }
    }

    #[test]
    fn the_messages_own_policy_goes_first() {
        let mut message = TaskMessage::new("m.f");
        message.retry = Some(RetryPolicy::default());
        let settled = decide(
            &failure("E", Advice::Policy),
            &message,
            terms(&RetryPolicy::none()),
        );
        assert!(matches!(settled, Settlement::Retry { .. }), "{settled:?}");
    }

    #[test]
    fn a_failure_on_a_canary_is_not_charged_and_never_met_again() {
        let message = TaskMessage::new("m.f");
        let policy = RetryPolicy::none();
        let given = DecideContext {
            canary: true,
            ..terms(&policy)
        };
        let settled = decide(&failure("E", Advice::Never), &message, given);
        let Settlement::Retry { at, message: next } = settled else {
            panic!("{settled:?}");
        };
        assert_eq!((at, next.retries, next.no_canary), (given.now, 0, true));
    }

    #[test]
    fn what_is_postponed_is_not_charged() {
        let message = TaskMessage::new("m.f");
        let (policy, after) = (RetryPolicy::none(), Duration::from_secs(5));
        let given = terms(&policy);
        let settled = decide(&Outcome::Postponed { after }, &message, given);
        let Settlement::Retry { at, message: next } = settled else {
            panic!("{settled:?}");
        };
        assert_eq!((at, next.eta), (given.now.after(after), Some(at)));
        assert_eq!((next.retries, next.last_error.clone()), (0, None));
    }

    #[test]
    fn without_dead_letters_a_failure_completes_the_message() {
        let policy = RetryPolicy::none();
        let given = DecideContext {
            dead_letters: false,
            ..terms(&policy)
        };
        let settled = decide(
            &failure("E", Advice::Policy),
            &TaskMessage::new("m.f"),
            given,
        );
        assert_eq!(settled, Settlement::Complete);
    }

    #[test]
    fn the_first_failure_is_remembered() {
        let policy = RetryPolicy::default();
        let mut message = TaskMessage::new("m.f");
        message.first_failure_at = Some(Timestamp::from_micros(5));
        let advice = Advice::After(Duration::from_secs(2));
        let Settlement::Retry { at, message } =
            decide(&failure("E", advice), &message, terms(&policy))
        else {
            panic!("not retried")
        };
        assert_eq!(at, Timestamp::from_micros(3_000_000));
        assert_eq!(message.first_failure_at, Some(Timestamp::from_micros(5)));
        assert_eq!(message.last_error.as_deref(), Some("E: no"));
    }

    proptest! {
        /// Retries end, are counted one by one, lie in the future, and change nothing else in the message.
        #[test]
        fn a_failing_message_ends_after_max_retries(max in 0u32..20, never in any::<bool>(), listed in any::<bool>()) {
            let policy = RetryPolicy {
                max_retries: max,
                retry_on: listed.then(|| vec!["E".to_owned()]),
                ..RetryPolicy::default()
            };
            let advice = if never { Advice::Never } else { Advice::Policy };
            let first = TaskMessage::new("m.f");
            let mut message = first.clone();
            for expected in 1.. {
                match decide(&failure("E", advice), &message, terms(&policy)) {
                    Settlement::Retry { at, message: next } => {
                        prop_assert!(!never && expected <= max);
                        prop_assert_eq!(next.retries, expected);
                        prop_assert!(at > Timestamp::from_micros(1_000_000));
                        prop_assert_eq!((&next.id, &next.name, &next.arguments), (&first.id, &first.name, &first.arguments));
                        message = *next;
                    }
                    other => {
                        prop_assert_eq!(expected, if never { 1 } else { max + 1 });
                        let dead = matches!(other, Settlement::DeadLetter { .. });
                        prop_assert!(dead);
                        break;
                    }
                }
            }
        }

        #[test]
        fn an_interruption_is_never_charged(retries in any::<u32>()) {
            let mut message = TaskMessage::new("m.f");
            message.retries = retries;
            let policy = RetryPolicy::default();
            prop_assert_eq!(decide(&Outcome::Interrupted, &message, terms(&policy)), Settlement::Release);
        }
    }
}
