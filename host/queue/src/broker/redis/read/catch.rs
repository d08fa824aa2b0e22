//! What a read's reply brings: deliveries, and entries that there was no room for.
//!
//! Must not know how it was asked for.

use chicory_signature::SharedStr;

use super::super::entry::Recipient;
use super::super::read_reply::Found;
use super::{Brought, Read};
use crate::Delivery;

/// Collects what a reply brings.
pub(super) struct Catch<'r, 'a> {
    read: &'r Read<'a>,
    reclaims: &'r [Option<u64>],
    pub(super) deliveries: Vec<Delivery>,
    /// Entries of each stream.
    counts: Vec<usize>,
    postponed: Vec<(usize, SharedStr)>,
}

/// The entries that are to be given back, by the places of their streams.
pub(super) type Postponed = Vec<(usize, Vec<SharedStr>)>;

impl<'r, 'a> Catch<'r, 'a> {
    pub(super) fn new(read: &'r Read<'a>, reclaims: &'r [Option<u64>]) -> Self {
        Self {
            read,
            reclaims,
            deliveries: Vec::new(),
            counts: vec![0; read.queues.len() * read.parts.len()],
            postponed: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, place: usize, found: Found) {
        self.counts[place] += 1;
        match found {
            Found::Entry(entry) => {
                let (queue, part) = self.read.place(place);
                let recipient = Recipient {
                    queue,
                    part,
                    consumer: self.read.consumer,
                    reclaims: self.reclaims[place / self.read.parts.len()],
                };
                if self.deliveries.is_empty() {
                    self.deliveries.reserve(self.read.count);
                }
                self.deliveries.push(entry.deliver(recipient));
            }
            Found::Postponed(entry) => self.postponed.push((place, entry.id)),
        }
    }

    pub(super) fn sort_out(self) -> (Brought<'a>, Postponed) {
        let counts = self.counts.chunks(self.read.parts.len());
        let full = (counts.zip(self.read.queues))
            .filter(|(counts, _)| counts.iter().any(|count| *count >= self.read.count))
            .map(|(_, queue)| *queue);
        let brought = Brought {
            full: full.collect(),
            deliveries: self.deliveries,
        };
        let mut postponed = Postponed::new();
        for (place, entry) in self.postponed {
            match postponed.last_mut() {
                Some((last, entries)) if *last == place => entries.push(entry),
                _ => postponed.push((place, vec![entry])),
            }
        }
        (brought, postponed)
    }
}
