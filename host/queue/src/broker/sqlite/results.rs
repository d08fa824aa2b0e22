//! The result backend: states, results and heartbeats in the same file.
//!
//! Must not know deliveries or leases.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::Sqlite;
use super::changes::Changes;
use super::fault::Fault;
use super::place;
use crate::results::WAIT_POLL;
use crate::{
    BrokerError, Reply, ResultRecord, Results, TaskResult, TaskState, Timestamp, WorkerInfo,
};

#[async_trait]
impl Results for Sqlite {
    async fn store(&self, records: &[ResultRecord<'_>]) -> Result<(), BrokerError> {
        let records = records.iter().cloned().map(ResultRecord::into_owned);
        let records: Vec<_> = records.collect();
        let ttl = self.config.result_ttl;
        self.writer
            .write(&self.wakes, move |connection, changes| {
                for record in &records {
                    put(connection, record, ttl, changes)?;
                }
                expire(connection, records.len())
            })
            .await
    }

    async fn state(&self, task_id: &str) -> Result<Option<TaskState>, BrokerError> {
        let task_id = place::of_task(&self.tenant, task_id).into_owned();
        self.reader
            .run(move |connection| {
                let name = connection
                    .prepare_cached(
                        "SELECT state FROM results WHERE task_id = ?1 AND (expires IS NULL OR expires > ?2)",
                    )?
                    .query_row(params![task_id, now()], |row| row.get::<_, String>(0))
                    .optional()?;
                Ok(name.and_then(|name| TaskState::parse(&name)))
            })
            .await
    }

    async fn result(&self, task_id: &str) -> Result<Option<TaskResult>, BrokerError> {
        let id = place::of_task(&self.tenant, task_id).into_owned();
        let body = self
            .reader
            .run(move |connection| Ok(body(connection, &id)?))
            .await?;
        body.map(|body| TaskResult::decode(task_id, body.as_bytes()))
            .transpose()
    }

    async fn wait(
        &self,
        task_id: &str,
        timeout: Option<Duration>,
    ) -> Result<Option<TaskResult>, BrokerError> {
        let mut ended = self.wakes.ended(&place::of_task(&self.tenant, task_id));
        self.writer.poke();
        let until_ended = async {
            loop {
                if let Some(result) = self.result(task_id).await? {
                    return Ok(Some(result));
                }
                // As a fallback, check the file now and then, in case a wake-up was lost after all.
                let _ = tokio::time::timeout(WAIT_POLL, ended.changed()).await;
            }
        };
        match timeout {
            None => until_ended.await,
            Some(timeout) => match tokio::time::timeout(timeout, until_ended).await {
                Ok(result) => result,
                Err(_) => self.result(task_id).await,
            },
        }
    }

    /// Waits are woken without an inbox.
    async fn inbox(&self, _: &str) -> Option<Reply> {
        None
    }

    /// Waiting clients watch the file, and leave no trace in it.
    async fn awaited(&self, task_ids: &[&str]) -> Result<Vec<bool>, BrokerError> {
        Ok(vec![true; task_ids.len()])
    }

    async fn delete(&self, task_id: &str) -> Result<bool, BrokerError> {
        let task_id = place::of_task(&self.tenant, task_id).into_owned();
        self.writer
            .write(&self.wakes, move |connection, _| {
                Ok(delete(connection, &task_id)?)
            })
            .await
    }

    async fn heartbeat(&self, worker: &WorkerInfo, ttl: Duration) -> Result<(), BrokerError> {
        let id = worker.worker_id.clone();
        let info = worker.encode();
        let expires = Timestamp::now().after(ttl).as_micros();
        self.writer
            .write(&self.wakes, move |connection, _| {
                connection
                    .prepare_cached(
                        "INSERT INTO workers (id, info, expires) VALUES (?1, ?2, ?3)
                         ON CONFLICT DO UPDATE SET info = excluded.info, expires = excluded.expires",
                    )?
                    .execute(params![id, info, expires])?;
                Ok(())
            })
            .await
    }

    async fn sign_off(&self, worker_id: &str) -> Result<(), BrokerError> {
        let worker_id = worker_id.to_owned();
        self.writer
            .write(&self.wakes, move |connection, _| {
                connection.execute("DELETE FROM workers WHERE id = ?1", [worker_id])?;
                Ok(())
            })
            .await
    }

    async fn workers(&self) -> Result<Vec<WorkerInfo>, BrokerError> {
        let infos: Vec<String> = self
            .reader
            .run(|connection| {
                let mut statement = connection
                    .prepare_cached("SELECT info FROM workers WHERE expires > ?1 ORDER BY id")?;
                let infos = statement.query_map([now()], |row| row.get(0))?;
                Ok(infos.collect::<Result<_, _>>()?)
            })
            .await?;
        // A heartbeat written by another version may be unreadable; that worker can't be shown.
        Ok(infos
            .iter()
            .filter_map(|info| serde_json::from_str(info).ok())
            .collect())
    }

    async fn remove_stale_workers(&self) -> Result<u64, BrokerError> {
        self.writer
            .write(&self.wakes, |connection, _| {
                let removed =
                    connection.execute("DELETE FROM workers WHERE expires <= ?1", [now()])?;
                Ok(removed as u64)
            })
            .await
    }
}

/// Deletes a task's state and result; returns whether there were any.
pub(super) fn delete(connection: &Connection, task_id: &str) -> rusqlite::Result<bool> {
    let over = connection
        .prepare_cached(
            "DELETE FROM results WHERE task_id = ?1 RETURNING coalesce(expires <= ?2, 0)",
        )?
        .query_row(params![task_id, now()], |row| row.get::<_, bool>(0))
        .optional()?;
    Ok(over == Some(false))
}

/// Writes a state, and a result if the record has one.
pub(super) fn put(
    connection: &Connection,
    record: &ResultRecord<'_>,
    ttl: Duration,
    changes: &mut Changes,
) -> Result<(), Fault> {
    let expires = (!ttl.is_zero()).then(|| Timestamp::now().after(ttl).as_micros());
    let name = record.state.name();
    let task = place::of_task(&record.tenant, &record.task_id);
    if let Some(body) = &record.body {
        connection
            .prepare_cached(
                "INSERT INTO results (task_id, state, expires, body, body_expires) VALUES (?1, ?2, ?3, ?4, ?3)
                 ON CONFLICT DO UPDATE SET state = excluded.state, expires = excluded.expires,
                    body = excluded.body, body_expires = excluded.body_expires",
            )?
            .execute(params![task, name, expires, body])?;
        changes.ended.push(task.into_owned());
    } else {
        connection
            .prepare_cached(
                "INSERT INTO results (task_id, state, expires) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET state = excluded.state, expires = excluded.expires",
            )?
            .execute(params![task, name, expires])?;
    }
    Ok(())
}

/// Deletes expired results: more than were written, so they never pile up.
pub(super) fn expire(connection: &Connection, written: usize) -> Result<(), Fault> {
    let most = i64::try_from(written * 2 + 8).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "DELETE FROM results WHERE task_id IN
             (SELECT task_id FROM results WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
        )?
        .execute(params![now(), most])?;
    Ok(())
}

fn body(connection: &Connection, task_id: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached(
            "SELECT body FROM results
             WHERE task_id = ?1 AND body IS NOT NULL AND (body_expires IS NULL OR body_expires > ?2)",
        )?
        .query_row(params![task_id, now()], |row| row.get(0))
        .optional()
}

/// Expiry is timed by the machine's clock, like that of a server's keys.
fn now() -> i64 {
    Timestamp::now().as_micros()
}
