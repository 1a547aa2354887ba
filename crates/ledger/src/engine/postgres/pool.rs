//! A bounded set of connections, each with its statements prepared.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row, SimpleQueryMessage, Statement};

use super::schema::Sql;
use crate::error::Error;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long to wait for a free connection.
const WAIT: Duration = Duration::from_secs(30);

/// What each connection is told first. A frozen host may not hold its locks for ever; and as all access is by
/// key, a plan made before the tables were measured shall not read a whole table.
const SETTINGS: &str = "
SET search_path = packetboat;
SET default_transaction_isolation = 'read committed';
SET idle_in_transaction_session_timeout = '30s';
SET lock_timeout = '10s';
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT set_config('synchronous_commit',
    CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false);
";

/// One connection.
pub(super) struct Connection {
    client: Client,
    statements: Vec<Statement>,
}

impl Connection {
    /// Connects and prepares every statement.
    async fn open(config: &Config) -> Result<Connection, Error> {
        let client = connect(config).await?;
        // The statements are prepared one after the other, once in the life of a connection.
        let mut statements = Vec::with_capacity(Sql::ALL.len());
        for sql in Sql::ALL {
            statements.push(client.prepare(sql.text()).await.map_err(|error| Error::Io(describe(&error)))?);
        }
        Ok(Connection { client, statements })
    }

    /// A statement's rows.
    pub(super) async fn query(&self, sql: Sql, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Failure> {
        Ok(self.client.query(&self.statements[sql as usize], values).await?)
    }

    /// How many rows a statement changed.
    pub(super) async fn execute(&self, sql: Sql, values: &[&(dyn ToSql + Sync)]) -> Result<u64, Failure> {
        Ok(self.client.execute(&self.statements[sql as usize], values).await?)
    }

    /// Words without values: `BEGIN`, `COMMIT`.
    pub(super) async fn say(&self, words: &str) -> Result<(), Failure> {
        Ok(self.client.batch_execute(words).await?)
    }
}

/// Connects, drives the connection in a task of its own, and sees to the settings.
async fn connect(config: &Config) -> Result<Client, Error> {
    let (client, driver) = config.connect(NoTls).await.map_err(|error| Error::Io(describe(&error)))?;
    tokio::spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!(error = describe(&error), "a database connection ended");
        }
    });
    settle(&client).await?;
    Ok(client)
}

/// Applies the settings and makes sure that a commit means what we promise.
async fn settle(client: &Client) -> Result<(), Error> {
    let told = client.simple_query(SETTINGS).await.map_err(|error| Error::Io(describe(&error)))?;
    let row = told.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    match row {
        Some("on" | "remote_apply") => Ok(()),
        other => Err(Error::Io(format!("the database commits with synchronous_commit = {other:?}, not on"))),
    }
}

/// Connects for making the tables: without statements, as they name what may not be there yet.
pub(super) async fn bare(config: &Config) -> Result<Client, Error> {
    connect(config).await
}

/// At most so many connections.
pub(super) struct Pool {
    config: Config,
    free: Mutex<Vec<Connection>>,
    places: Arc<Semaphore>,
}

impl Pool {
    pub(super) fn new(config: Config, size: usize) -> Arc<Pool> {
        Arc::new(Pool { config, free: Mutex::default(), places: Arc::new(Semaphore::new(size)) })
    }

    /// A connection for one's own use, made if none is free.
    pub(super) async fn lease(self: &Arc<Pool>) -> Result<Lease, Error> {
        let place = tokio::time::timeout(WAIT, self.places.clone().acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(Error::Io("no database connection became free within 30 s".into()));
        };
        let free = loop {
            match self.lock().pop() {
                Some(connection) if connection.client.is_closed() => {}
                other => break other,
            }
        };
        let connection = match free {
            Some(connection) => connection,
            None => Connection::open(&self.config).await?,
        };
        Ok(Lease { connection: Some(connection), pool: self.clone(), _place: place })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that goes back to its pool, unless it is thrown away.
pub(super) struct Lease {
    connection: Option<Connection>,
    pool: Arc<Pool>,
    _place: OwnedSemaphorePermit,
}

impl Lease {
    /// Closes the connection: something may be unfinished on it.
    pub(super) fn throw_away(mut self) {
        self.connection = None;
    }
}

impl std::ops::Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("only throw_away and drop take it, and both end the lease")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take().filter(|connection| !connection.client.is_closed()) {
            self.pool.lock().push(connection);
        }
    }
}

/// Why a statement did not work, by what to do next.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection is gone, and with it the answer.
    Lost(String),
    /// Another transaction was in the way.
    Conflict,
    /// The database has no room.
    Full,
    /// This very commit id was said before.
    Fenced,
    /// Anything else.
    Other(String),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Failure {
        let said = describe(&error);
        let Some(database) = error.as_db_error() else { return Failure::Lost(said) };
        let code = database.code();
        let conflicts = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::LOCK_NOT_AVAILABLE,
        ];
        if conflicts.contains(code) {
            Failure::Conflict
        } else if *code == SqlState::DISK_FULL {
            Failure::Full
        } else if *code == SqlState::UNIQUE_VIOLATION && database.table() == Some("commit") {
            Failure::Fenced
        } else if ends_the_connection(code) {
            Failure::Lost(said)
        } else {
            Failure::Other(said)
        }
    }
}

/// Shut down, crashed, starting, cut off, or a standby that cannot write: another connection may do better.
/// Class 08 is "connection exception", 57P "operator intervention".
fn ends_the_connection(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || code.code().starts_with("57P")
        || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        match failure {
            Failure::Lost(said) => Error::Io(format!("the connection to the database was lost: {said}")),
            Failure::Conflict => Error::Io("the database is busy with the same rows".into()),
            Failure::Full => Error::Io("the database has no room".into()),
            Failure::Fenced => Error::Io("the commit was given up".into()),
            Failure::Other(said) => Error::Io(format!("the database refused: {said}")),
        }
    }
}

/// An error with its causes, on one line.
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(database) = error.as_db_error() {
        return format!("{} ({})", database.message(), database.code().code());
    }
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        said = format!("{said}: {deeper}");
        cause = deeper.source();
    }
    said
}

/// Reads a connection string and adds what we insist on.
pub(super) fn configure(url: &str) -> Result<Config, Error> {
    let mut config: Config = url.parse().map_err(|error| Error::Io(describe(&error)))?;
    config.application_name("packetboat").connect_timeout(CONNECT).tcp_user_timeout(2 * CONNECT);
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    Ok(config)
}
