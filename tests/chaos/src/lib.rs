//! The chaos run: the real program against real servers that break by a seeded schedule, and an exact account.
//!
//! Tasks call a server of the run's own, so what has run is known without the queue. Must not know the crates' insides.

pub mod account;
pub mod clock;
pub mod dice;
pub mod effects;
pub mod failover;
pub mod fault;
pub mod fleet;
pub mod ground;
pub mod launch;
pub mod left;
pub mod open;
pub mod process;
pub mod producer;
pub mod proxy;
pub mod report;
pub mod run;
pub mod schedule;
pub mod server;
pub mod task;
