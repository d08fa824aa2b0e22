//! Leases: which belong together, how the server is asked about them, extension and early
//! acknowledgement.
//!
//! Must not know settlements.

use futures::future::join_all;
use redis::Cmd;

use super::RedisBroker;
use super::entry::EntryId;
use super::keys::Part;
use super::replicas::{Replicas, Written};
use super::script::{ACKNOWLEDGE, EXTEND, Script};
use crate::{BrokerError, Lease, Settled};

/// Maximum number of leases in one step of the server: keeps the step short, and within the arguments that Lua can pass
/// on.
pub(super) const MAX_STEP: usize = 1000;

/// Positions in a batch whose leases share a queue, a tenant and a consumer, at most [`MAX_STEP`] each. A lease
/// whose id was made by another broker is in none of them: it is not held here.
pub(super) fn steps<'a>(leases: impl Iterator<Item = &'a Lease>) -> Vec<(&'a Lease, Vec<usize>)> {
    let mut steps: Vec<(&Lease, Vec<usize>)> = Vec::new();
    for (place, lease) in leases.enumerate() {
        if !lease.acknowledged && EntryId::parse(&lease.entry).is_none() {
            continue;
        }
        let step = steps.iter_mut().rev().find(|(first, places)| {
            places.len() < MAX_STEP
                && first.queue == lease.queue
                && first.tenant == lease.tenant
                && first.consumer == lease.consumer
        });
        match step {
            Some((_, places)) => places.push(place),
            None => steps.push((lease, vec![place])),
        }
    }
    steps
}

/// The lowest and the highest of these entries.
pub(super) fn bounds<'a>(leases: impl Iterator<Item = &'a Lease>) -> Option<(&'a str, &'a str)> {
    let mut entries =
        leases.filter_map(|lease| Some((EntryId::parse(&lease.entry)?, &*lease.entry)));
    let first = entries.next()?;
    let (low, high) = entries.fold((first, first), |(low, high), entry| {
        (low.min(entry), high.max(entry))
    });
    Some((low.1, high.1))
}

pub(super) async fn extend(
    broker: &RedisBroker,
    leases: &[Lease],
) -> Result<Vec<Settled>, BrokerError> {
    let begin = |first: &Lease| EXTEND.command(&[&stream(broker, first)]);
    let add = |command: &mut Cmd, lease: &Lease| {
        command.arg(&*lease.entry);
    };
    ask(broker, (&EXTEND, Replicas::none()), leases, begin, add).await
}

pub(super) async fn acknowledge(
    broker: &RedisBroker,
    leases: &[Lease],
) -> Result<Vec<Settled>, BrokerError> {
    let begin = |first: &Lease| {
        let (keys, queue) = (&broker.root, &first.queue);
        let last = keys.of(&first.tenant).acknowledged(queue, &first.consumer);
        let ids = keys.of(&first.tenant).ids(queue);
        let stream = stream(broker, first);
        let mut command = ACKNOWLEDGE.command(&[&stream, &ids, &last, &keys.slots(queue)]);
        command
            .arg(broker.results.ttl_seconds())
            .arg(first.tenant.given().unwrap_or_default());
        command
    };
    let add = |command: &mut Cmd, lease: &Lease| {
        command.arg(&*lease.entry);
        command.arg(lease.noted_id.as_deref().unwrap_or_default());
    };
    // A replica that doesn't have it yet would deliver the message again after a failover.
    ask(broker, (&ACKNOWLEDGE, broker.replicas), leases, begin, add).await
}

/// The stream that a lease's entry is in.
pub(super) fn stream(broker: &RedisBroker, lease: &Lease) -> String {
    broker.root.ready(Part::of(&lease.tenant), &lease.queue)
}

/// A script's answer for its entries, and that of WAIT.
type Answer = Result<(Vec<i64>, Written), BrokerError>;

/// Runs a script on leases: `begin` starts its command for leases that belong together, and `add` adds a lease. What
/// a master took that is being replaced is not known: it is to be asked again.
async fn ask(
    broker: &RedisBroker,
    (script, replicas): (&Script, Replicas),
    leases: &[Lease],
    begin: impl Fn(&Lease) -> Cmd,
    add: impl Fn(&mut Cmd, &Lease),
) -> Result<Vec<Settled>, BrokerError> {
    let mut answers = vec![Settled::LeaseLost; leases.len()];
    let mut asked = Vec::new();
    for (first, mut places) in steps(leases.iter()) {
        // What was already acknowledged no longer has a lease.
        places.retain(|place| !leases[*place].acknowledged);
        let members = || places.iter().map(|place| &leases[*place]);
        let Some((low, high)) = bounds(members()) else {
            continue;
        };
        let mut command = begin(first);
        command
            .arg(&broker.group)
            .arg(&*first.consumer)
            .arg(low)
            .arg(high);
        members().for_each(|lease| add(&mut command, lease));
        let stream = stream(broker, first);
        asked.push(async move {
            let call = replicas.call(&broker.connection, script, &command);
            (
                places,
                broker.connection.unless_troubled(&stream, call).await,
            )
        });
    }
    // None waits for another's answer, which may be due from a node that does not answer.
    let answered: Vec<(Vec<usize>, Option<Answer>)> = join_all(asked).await;
    for (places, settled) in answered {
        match settled {
            Some(Ok((settled, written))) => {
                if replicas
                    .outlasts(broker.connection.server(), &written)
                    .await
                {
                    apply(&mut answers, &places, &settled);
                } else {
                    unreachable(&mut answers, &places);
                }
            }
            None => unreachable(&mut answers, &places),
            Some(Err(error)) if broker.is_partial(&error) => unreachable(&mut answers, &places),
            Some(Err(error)) => return Err(error),
        }
    }
    Ok(answers)
}

/// Records that the outcome for these positions is not known.
pub(super) fn unreachable(answers: &mut [Settled], places: &[usize]) {
    for place in places {
        answers[*place] = Settled::Unreachable;
    }
}

/// Records a script's answers, 1 for applied, at the positions they belong to.
pub(super) fn apply(answers: &mut [Settled], places: &[usize], settled: &[i64]) {
    for (place, answer) in places.iter().zip(settled) {
        if *answer == 1 {
            answers[*place] = Settled::Applied;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(queue: &str, entry: &str, consumer: &str) -> Lease {
        Lease {
            queue: queue.into(),
            tenant: chicory_signature::TenantName::default(),
            entry: entry.into(),
            consumer: consumer.into(),
            acknowledged: false,
            reclaims: None,
            noted_id: None,
        }
    }

    #[test]
    fn a_step_has_one_queue_and_one_consumer() {
        let leases = [
            lease("a", "1-0", "x"),
            lease("b", "2-0", "x"),
            lease("a", "3-0", "x"),
            lease("a", "4-0", "y"),
        ];
        let places: Vec<_> = steps(leases.iter())
            .into_iter()
            .map(|(_, places)| places)
            .collect();
        assert_eq!(places, [vec![0, 2], vec![1], vec![3]]);
    }

    #[test]
    fn a_foreign_id_is_left_out() {
        assert!(steps([lease("a", "17", "x")].iter()).is_empty());
    }

    #[test]
    fn long_batches_are_cut() {
        let leases = vec![lease("a", "1-0", "x"); MAX_STEP + 1];
        let sizes: Vec<_> = steps(leases.iter())
            .iter()
            .map(|(_, places)| places.len())
            .collect();
        assert_eq!(sizes, [MAX_STEP, 1]);
    }

    #[test]
    fn bounds_are_numeric() {
        let leases = [
            lease("a", "99-5", "x"),
            lease("a", "100-0", "x"),
            lease("a", "99-11", "x"),
        ];
        assert_eq!(bounds(leases.iter()), Some(("99-5", "100-0")));
    }
}
