//! Waiting for tasks to end: one subscription for all waits of the process, opened with the first.
//!
//! Who waits for a task listens on the task's own channel, and while anybody waits, the subscription
//! also listens on a common one: writers of results look whether that has listeners before they say
//! anything. Must not know what a result is.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use redis::Msg;
use redis::aio::{PubSub, PubSubSink};
use tokio::sync::{mpsc, oneshot};

use super::keys::ResultKeys;
use super::server::Server;

/// The waits of a process.
#[derive(Debug)]
pub(super) struct Waits {
    server: Arc<Server>,
    keys: ResultKeys,
    /// Leads to the listener; it is gone when its connection breaks.
    listener: tokio::sync::Mutex<Option<mpsc::UnboundedSender<Request>>>,
}

enum Request {
    /// Somebody waits. `heard` is told once nothing can be missed any more.
    Watch {
        task_id: String,
        heard: oneshot::Sender<()>,
        ended: oneshot::Sender<Bytes>,
    },
    /// Somebody who waited for this task has left.
    Leave(String),
}

/// One wait. Dropping it ends the listening.
pub(super) struct Watch {
    task_id: String,
    ended: Option<oneshot::Receiver<Bytes>>,
    listener: Option<mpsc::UnboundedSender<Request>>,
}

impl Waits {
    pub(super) fn new(server: Arc<Server>, keys: ResultKeys) -> Self {
        Self {
            server,
            keys,
            listener: tokio::sync::Mutex::default(),
        }
    }

    /// Listens for a task's end. Where the subscription can't be made, the watch stays silent.
    pub(super) async fn watch(&self, task_id: &str) -> Watch {
        let mut watch = Watch {
            task_id: task_id.to_owned(),
            ended: None,
            listener: self.listener().await,
        };
        if let Some(listener) = &watch.listener {
            let (heard, heard_receiver) = oneshot::channel();
            let (ended, ended_receiver) = oneshot::channel();
            let request = Request::Watch {
                task_id: task_id.to_owned(),
                heard,
                ended,
            };
            if listener.send(request).is_ok() && heard_receiver.await.is_ok() {
                watch.ended = Some(ended_receiver);
            }
        }
        watch
    }

    async fn listener(&self) -> Option<mpsc::UnboundedSender<Request>> {
        let mut listener = self.listener.lock().await;
        if let Some(sender) = listener.as_ref().filter(|sender| !sender.is_closed()) {
            return Some(sender.clone());
        }
        match self.server.open_pubsub().await {
            Ok(pubsub) => {
                let (sender, requests) = mpsc::unbounded_channel();
                tokio::spawn(listen(pubsub, self.keys.clone(), requests));
                *listener = Some(sender.clone());
                Some(sender)
            }
            Err(error) => {
                tracing::debug!(server = ?self.server, %error, "no subscription to results; asking for them instead");
                None
            }
        }
    }
}

impl Watch {
    /// The task's result, once it has ended; none where that won't be heard of.
    pub(super) async fn ended(&mut self) -> Option<Bytes> {
        let ended = self.ended.as_mut()?.await;
        self.ended = None;
        ended.ok()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Closed before the listener looks which of the task's watches are open.
        self.ended = None;
        if let Some(listener) = &self.listener {
            let _ = listener.send(Request::Leave(std::mem::take(&mut self.task_id)));
        }
    }
}

/// Serves watches until the connection breaks or nobody can ask any more.
async fn listen(pubsub: PubSub, keys: ResultKeys, mut requests: mpsc::UnboundedReceiver<Request>) {
    let (sink, mut messages) = pubsub.split();
    let mut listener = Listener {
        sink,
        keys,
        watched: HashMap::new(),
    };
    loop {
        tokio::select! {
            request = requests.recv() => match request {
                Some(Request::Watch { task_id, heard, ended }) => listener.watch(task_id, heard, ended),
                Some(Request::Leave(task_id)) => listener.leave(&task_id),
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
    keys: ResultKeys,
    watched: HashMap<String, Vec<oneshot::Sender<Bytes>>>,
}

impl Listener {
    fn watch(
        &mut self,
        task_id: String,
        heard: oneshot::Sender<()>,
        ended: oneshot::Sender<Bytes>,
    ) {
        // Subscribed to anew for each watch: the confirmation is what tells that nothing is missed.
        let channels = [self.keys.waiting(), self.keys.done(&task_id)];
        let mut sink = self.sink.clone();
        let mut subscription = Box::pin(async move { sink.subscribe(&channels).await });
        self.watched.entry(task_id).or_default().push(ended);
        // The first poll sends it, so that it keeps its place among the requests.
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

    /// Stops listening for a task, and for all where it was the last.
    fn forget(&mut self, task_id: &str) -> Option<Vec<oneshot::Sender<Bytes>>> {
        let watches = self.watched.remove(task_id)?;
        let mut channels = vec![self.keys.done(task_id)];
        if self.watched.is_empty() {
            channels.push(self.keys.waiting());
        }
        // The first poll sends it; nobody waits for the confirmation.
        let _ = self.sink.unsubscribe(&channels).now_or_never();
        Some(watches)
    }
}
