//! How much of a fetch each tenant gets: start-time fair queueing (P. Goyal, H. Vin, H. Cheng, 1996), in turns of a few messages.
//!
//! `broker/redis/fair.lua` has the same rule, since there the server decides. Must not know where messages are.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A tenant that has messages in a queue.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    /// How much it has had, in messages divided by its weight, on the scale of the queue's clock.
    pub(crate) tag: f64,
    /// Its weight, at least 1.
    pub(crate) weight: u32,
    /// Messages that are ready.
    pub(crate) ready: usize,
}

/// A turn of a member: its place among the members, and how many messages it gets.
pub(crate) type Turn = (usize, usize);

/// Shares room for messages among the members, and moves their tags on. Returns the turns in order, and what the queue's clock
/// shows then: the tag of the member that had the last turn, when it began.
pub(crate) fn shares(members: &mut [Member], room: usize, clock: f64) -> (Vec<Turn>, f64) {
    let quantum = (room / 32).clamp(1, 8);
    let next = |place: usize, member: &Member| Next {
        tag: member.tag,
        place,
    };
    let mut heap: BinaryHeap<Next> = (members.iter().enumerate())
        .filter(|(_, member)| member.ready > 0)
        .map(|(place, member)| next(place, member))
        .collect();
    let (mut left, mut now, mut turns) = (room, clock, Vec::new());
    while left > 0
        && let Some(Next { place, tag }) = heap.pop()
    {
        let member = &mut members[place];
        let weight = member.weight.max(1);
        let turn = quantum.saturating_mul(weight as usize);
        let count = turn.min(left).min(member.ready);
        now = now.max(tag);
        member.tag += count as f64 / f64::from(weight);
        (member.ready, left) = (member.ready - count, left - count);
        turns.push((place, count));
        if member.ready > 0 {
            heap.push(next(place, member));
        }
    }
    (turns, now)
}

/// The member with the lowest tag is next; of two, the first.
#[derive(PartialEq)]
struct Next {
    tag: f64,
    place: usize,
}

impl Eq for Next {}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.tag.total_cmp(&self.tag)).then(other.place.cmp(&self.place))
    }
}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(tag: f64, weight: u32, ready: usize) -> Member {
        Member { tag, weight, ready }
    }

    fn got(turns: &[Turn], members: usize) -> Vec<usize> {
        let mut got = vec![0; members];
        for (place, count) in turns {
            got[*place] += count;
        }
        got
    }

    #[test]
    fn shares_are_in_proportion_to_weights() {
        let mut members = [1, 2, 4, 1, 8]
            .map(|weight| member(0.0, weight, 1_000_000))
            .to_vec();
        let (mut total, mut clock) = (vec![0; 5], 0.0);
        for _ in 0..100 {
            let (turns, now) = shares(&mut members, 256, clock);
            clock = now;
            for (total, got) in total.iter_mut().zip(got(&turns, 5)) {
                *total += got;
            }
        }
        assert_eq!(total.iter().sum::<usize>(), 25_600);
        for (total, weight) in total.iter().zip([1, 2, 4, 1, 8]) {
            let fair = 1600 * weight;
            assert!(
                total.abs_diff(fair) * 20 <= fair,
                "{total} where {fair} is fair"
            );
        }
    }

    #[test]
    fn a_newcomer_goes_before_a_flood() {
        let mut members = [member(900.0, 1, 50_000), member(900.0, 1, 1)];
        members[0].tag += 1.0;
        let (turns, _) = shares(&mut members, 8, 900.0);
        assert_eq!(turns[0], (1, 1));
        assert_eq!(got(&turns, 2), [7, 1]);
    }

    #[test]
    fn room_that_some_leave_goes_to_others() {
        let mut members = [member(0.0, 1, 3), member(0.0, 1, 1000), member(0.0, 5, 0)];
        let (turns, _) = shares(&mut members, 100, 0.0);
        assert_eq!(got(&turns, 3), [3, 97, 0]);
        assert_eq!(shares(&mut [], 10, 5.0), (vec![], 5.0));
    }

    #[test]
    fn the_clock_never_goes_back() {
        let mut members = [member(3.0, 1, 10)];
        let (_, now) = shares(&mut members, 4, 7.0);
        assert_eq!(now.total_cmp(&7.0), Ordering::Equal);
    }
}
