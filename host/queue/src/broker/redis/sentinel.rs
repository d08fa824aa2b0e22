//! One Sentinel: what it says of a master, over a connection that is kept.
//!
//! Must not know the others, nor whom to believe.

use std::collections::HashMap;
use std::time::Duration;

use redis::{ConnectionInfo, Pipeline, RedisError, RedisResult, Value, cmd, from_redis_value};
use tokio::sync::Mutex;

use super::link::Link;
use super::node::Node;
use super::request::Request;
use super::tls::Tls;

/// How long a Sentinel may take to answer.
pub(super) const ANSWER: Duration = Duration::from_secs(1);

/// A Sentinel.
pub(super) struct Sentinel {
    /// Where it is, with the Sentinels' credentials.
    info: ConnectionInfo,
    link: Mutex<Option<Link>>,
}

/// What a Sentinel says of a master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// The number of the election that made it the master.
    pub(super) election: u64,
    /// Where it is.
    pub(super) master: Node,
    /// This Sentinel leads a failover, and has not seen a replica promoted yet.
    pub(super) is_failing: bool,
}

impl Sentinel {
    pub(super) fn new(info: ConnectionInfo) -> Self {
        Self {
            info,
            link: Mutex::default(),
        }
    }

    /// Where it is.
    pub(super) fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    /// Asks it for the master of this name. A connection that ended since the last question is replaced.
    pub(super) async fn ask(&self, name: &str, tls: &Tls) -> RedisResult<Said> {
        let kept = self.link.lock().await.take();
        if let Some(mut link) = kept.filter(|link| !link.has_ended())
            && let Ok(said) = self.ask_on(&mut link, name).await
        {
            return Ok(said);
        }
        let mut link = Link::open(&self.info, tls, Some(ANSWER)).await?;
        self.ask_on(&mut link, name).await
    }

    async fn ask_on(&self, link: &mut Link, name: &str) -> RedisResult<Said> {
        let (mut state, mut address) = (cmd("SENTINEL"), cmd("SENTINEL"));
        state.arg("MASTER").arg(name);
        address.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
        let mut questions = Pipeline::with_capacity(2);
        // At once, so that both answers are of one moment.
        questions.add_command(state).add_command(address);
        let answers = Request::Several(&questions).send(link).await;
        let said = answers.and_then(read)?;
        *self.link.lock().await = Some(link.clone());
        Ok(said)
    }
}

fn read(answers: Value) -> RedisResult<Said> {
    let (state, address): (HashMap<String, Value>, Option<(String, u16)>) =
        from_redis_value(answers)?;
    let Some((host, port)) = address else {
        return Err(unknown());
    };
    let word = |name: &str| from_redis_value::<String>(state.get(name)?.clone()).ok();
    let number = |name: &str| word(name)?.parse::<u64>().ok();
    let flags = word("flags").unwrap_or_default();
    // From the promotion on, the address is the new master's, and this entry still the old one's.
    let is_named = word("ip").as_ref() == Some(&host) && number("port") == Some(port.into());
    Ok(Said {
        election: number("config-epoch").unwrap_or_default(),
        master: Node::new(host, port),
        is_failing: is_named && flags.split(',').any(|flag| flag == "failover_in_progress"),
    })
}

fn unknown() -> RedisError {
    let text = "the Sentinel knows no master with this name";
    (redis::ErrorKind::MasterNameNotFoundBySentinel, text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(flags: &str, named: u16) -> Said {
        let text = |text: &str| Value::BulkString(text.into());
        let fields = [
            "name",
            "m",
            "ip",
            "::1",
            "port",
            "7000",
            "flags",
            flags,
            "config-epoch",
            "3",
        ];
        let state = fields.into_iter().map(text).collect();
        let address = vec![text("::1"), text(&named.to_string())];
        let answers = Value::Array(vec![Value::Array(state), Value::Array(address)]);
        read(answers).expect("an answer of a Sentinel")
    }

    #[test]
    fn a_master_is_failing_until_another_is_named() {
        assert!(!said("master", 7000).is_failing);
        let failing = said("master,failover_in_progress,force_failover", 7000);
        assert!(failing.is_failing);
        assert_eq!(failing.election, 3);
        let promoted = said("master,failover_in_progress", 7001);
        assert!(!promoted.is_failing);
        assert_eq!(promoted.master, Node::new("::1".into(), 7001));
    }
}
