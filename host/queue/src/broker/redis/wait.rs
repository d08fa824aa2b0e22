//! Waiting for tasks to end: one subscription for all waits of the process, opened with the first.
//!
//! A wait listens on the task's own channel. While anyone waits, the subscription also listens on a shared
//! channel; writers of results check whether that has listeners before they publish. A client that is about
//! to enqueue the task needs no channel for it: the message names the inbox of the process. Must not know
//! more of a result than its task's id.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use redis::aio::{PubSub, PubSubSink};
use redis::{Msg, RedisResult};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::keys::ResultKeys;
use super::server::Server;
use crate::{Reply, new_id};

/// The waits of a process.
#[derive(Debug)]
pub(super) struct Waits {
    server: Arc<Server>,
    keys: ResultKeys,
    lines: tokio::sync::Mutex<Lines>,
}

/// How to reach the listener.
#[derive(Debug, Default)]
struct Lines {
    /// Leads to the listener; it is gone when its connection breaks.
    open: Option<Line>,
    /// The user may not subscribe, and tries again at this time.
    refused_until: Option<Instant>,
}

/// When a user who may not subscribe tries again.
const LATER: Duration = Duration::from_mins(1);

/// Leads to a listener, which hears what is sent to this inbox.
#[derive(Debug, Clone)]
struct Line {
    requests: mpsc::UnboundedSender<Request>,
    inbox: Arc<str>,
}

enum Request {
    /// A client waits. `heard` is notified once nothing can be missed any more.
    Wait {
        task_id: String,
        heard: oneshot::Sender<()>,
        ended: oneshot::Sender<Bytes>,
    },
    /// A client no longer waits for this task.
    Leave(String),
    /// A client is about to enqueue this task, with the inbox in its message.
    Expect {
        task_id: String,
        ended: oneshot::Sender<Bytes>,
    },
    /// The client no longer expects this task's result.
    Dismiss(String),
}

/// A request that is sent when this is dropped.
struct AtLast(mpsc::UnboundedSender<Request>, Option<Request>);

impl Drop for AtLast {
    fn drop(&mut self) {
        // Without a listener there is nothing to leave.
        let _ = self.1.take().map(|request| self.0.send(request));
    }
}

/// One wait. Dropping it stops listening.
#[derive(Default)]
pub(super) struct Wait {
    // Closed before the listener checks which of the task's waits are still open.
    ended: Option<oneshot::Receiver<Bytes>>,
    _leave: Option<AtLast>,
}

impl Waits {
    pub(super) fn new(server: Arc<Server>, keys: ResultKeys) -> Self {
        Self {
            server,
            keys,
            lines: tokio::sync::Mutex::default(),
        }
    }

    /// Listens for a task's result. Without a subscription the wait stays silent.
    pub(super) async fn watch(&self, task_id: &str) -> Wait {
        let Some(Line { requests, .. }) = self.line().await else {
            return Wait::default();
        };
        let (heard, heard_receiver) = oneshot::channel();
        let (ended, ended_receiver) = oneshot::channel();
        let request = Request::Wait {
            task_id: task_id.to_owned(),
            heard,
            ended,
        };
        let sent = requests.send(request).is_ok();
        let leave = AtLast(requests, Some(Request::Leave(task_id.to_owned())));
        let listening = sent && heard_receiver.await.is_ok();
        Wait {
            ended: listening.then_some(ended_receiver),
            _leave: Some(leave),
        }
    }

    /// Listens for the result of a task that is not enqueued yet; `None` if there is no subscription.
    pub(super) async fn inbox(&self, task_id: &str) -> Option<Reply> {
        let Line { requests, inbox } = self.line().await?;
        let (ended, ended_receiver) = oneshot::channel();
        let request = Request::Expect {
            task_id: task_id.to_owned(),
            ended,
        };
        requests.send(request).ok()?;
        let dismiss = AtLast(requests, Some(Request::Dismiss(task_id.to_owned())));
        let body = async move {
            let _dismiss = dismiss;
            ended_receiver.await.ok()
        };
        Some(Reply {
            inbox: inbox.as_ref().to_owned(),
            body: body.boxed(),
        })
    }

    async fn line(&self) -> Option<Line> {
        let mut lines = self.lines.lock().await;
        if let Some(line) = (lines.open.as_ref()).filter(|line| !line.requests.is_closed()) {
            return Some(line.clone());
        }
        if (lines.refused_until).is_some_and(|until| Instant::now() < until) {
            return None;
        }
        match self.open().await {
            Ok(opened) => {
                lines.open = Some(opened.clone());
                Some(opened)
            }
            Err(error) => {
                if self.server.hints().refuses(&error) {
                    lines.refused_until = Some(Instant::now() + LATER);
                }
                tracing::debug!(server = ?self.server, %error, "no subscription to results; asking for them instead");
                None
            }
        }
    }

    async fn open(&self) -> RedisResult<Line> {
        let (mut pubsub, switches) = self.server.open_pubsub().await?;
        let inbox: Arc<str> = new_id().into();
        let channel = self.keys.reply(&inbox);
        pubsub.subscribe(&channel).await?;
        let (sender, requests) = mpsc::unbounded_channel();
        let (server, keys) = (Arc::clone(&self.server), self.keys.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = listen(pubsub, channel, keys, requests) => {}
                // Waiting clients subscribe again, at the new master.
                () = server.switched(switches) => {}
            }
        });
        Ok(Line {
            requests: sender,
            inbox,
        })
    }
}

impl Wait {
    /// The task's result, once it has finished; `None` if it won't arrive here.
    pub(super) async fn ended(&mut self) -> Option<Bytes> {
        let ended = self.ended.as_mut()?.await;
        self.ended = None;
        ended.ok()
    }
}

/// Serves waits until the connection breaks or no more requests can come.
async fn listen(
    pubsub: PubSub,
    replies: String,
    keys: ResultKeys,
    mut requests: mpsc::UnboundedReceiver<Request>,
) {
    let (sink, mut messages) = pubsub.split();
    let mut listener = Listener {
        sink,
        replies,
        keys,
        watched: HashMap::new(),
        expected: HashMap::new(),
    };
    loop {
        tokio::select! {
            request = requests.recv() => match request {
                Some(Request::Wait { task_id, heard, ended }) => listener.watch(task_id, heard, ended),
                Some(Request::Leave(task_id)) => listener.leave(&task_id),
                Some(Request::Expect { task_id, ended }) => drop(listener.expected.insert(task_id, ended)),
                Some(Request::Dismiss(task_id)) => drop(listener.expected.remove(&task_id)),
                None => return,
            },
            message = messages.next() => match message {
                Some(message) => listener.tell(&message),
                None => return,
            },
        }
    }
}

struct Listener {
    sink: PubSubSink,
    /// The inbox's channel.
    replies: String,
    keys: ResultKeys,
    watched: HashMap<String, Vec<oneshot::Sender<Bytes>>>,
    expected: HashMap<String, oneshot::Sender<Bytes>>,
}

/// The task that a result belongs to.
#[derive(Deserialize)]
struct Subject {
    task_id: String,
}

impl Listener {
    fn watch(
        &mut self,
        task_id: String,
        heard: oneshot::Sender<()>,
        ended: oneshot::Sender<Bytes>,
    ) {
        // Subscribed again for each wait: the confirmation says that nothing is missed from then on.
        let channels = [self.keys.waiting(), self.keys.done(&task_id)];
        let mut sink = self.sink.clone();
        let mut subscription = Box::pin(async move { sink.subscribe(&channels).await });
        self.watched.entry(task_id).or_default().push(ended);
        // The first poll sends it, so it keeps its place among the requests.
        if (&mut subscription).now_or_never().is_none() {
            tokio::spawn(async move {
                if subscription.await.is_ok() {
                    let _ = heard.send(());
                }
            });
        }
    }

    fn leave(&mut self, task_id: &str) {
        if let Some(watches) = self.watched.get_mut(task_id) {
            watches.retain(|watch| !watch.is_closed());
            if watches.is_empty() {
                self.forget(task_id);
            }
        }
    }

    fn tell(&mut self, message: &Msg) {
        if message.get_channel_name() == self.replies {
            return self.reply(message.get_payload_bytes());
        }
        let Some(task_id) = self.keys.task_of_done(message.get_channel_name()) else {
            return;
        };
        if let Some(watches) = self.forget(task_id) {
            let body = Bytes::copy_from_slice(message.get_payload_bytes());
            for watch in watches {
                let _ = watch.send(body.clone());
            }
        }
    }

    fn reply(&mut self, body: &[u8]) {
        let subject = serde_json::from_slice(body).ok();
        let expected = subject.and_then(|Subject { task_id }| self.expected.remove(&task_id));
        if let Some(ended) = expected {
            let _ = ended.send(Bytes::copy_from_slice(body));
        }
    }

    /// Stops listening for a task, and on the shared channel if that was the last one.
    fn forget(&mut self, task_id: &str) -> Option<Vec<oneshot::Sender<Bytes>>> {
        let watches = self.watched.remove(task_id)?;
        let mut channels = vec![self.keys.done(task_id)];
        if self.watched.is_empty() {
            channels.push(self.keys.waiting());
        }
        // The first poll sends it; the confirmation is not needed.
        let _ = self.sink.unsubscribe(&channels).now_or_never();
        Some(watches)
    }
}
