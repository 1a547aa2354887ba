//! The tables, and every statement that touches them.
//!
//! All access is by primary key; the few others are by the partial index that finds dead bodies.

use std::cmp::Ordering;

use tokio_postgres::Client;

use super::pool::describe;
use crate::error::Error;

/// The format this version writes and reads.
pub(super) const FORMAT: i32 = 1;

/// One number for "packetboat's tables are being made", among those of all programs on this database.
const MAKING: i64 = 0x7061_636b_6574_6274;

/// Octets are stored outside of their row and as they are: a mail body gains little by the server's
/// compression, and a range of it can then be read by itself.
const TABLES: &str = r#"
CREATE SCHEMA IF NOT EXISTS packetboat;
SET LOCAL search_path = packetboat;
CREATE TABLE format (version int4 NOT NULL);
CREATE TABLE head (
    ledger int8 PRIMARY KEY,
    modseq int8 NOT NULL,
    floor int8 NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
CREATE TABLE "row" (
    ledger int8 NOT NULL,
    key bytea NOT NULL,
    value bytea NOT NULL,
    modseq int8 NOT NULL,
    PRIMARY KEY (ledger, key)
);
CREATE TABLE log (
    ledger int8 NOT NULL,
    modseq int8 NOT NULL,
    entry bytea NOT NULL,
    PRIMARY KEY (ledger, modseq)
);
CREATE SEQUENCE body_number INCREMENT BY 1024;
CREATE TABLE body (
    number int8 PRIMARY KEY,
    blob bytea,
    size int8,
    ledgers int8 CHECK (ledgers >= 0),
    made timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX body_loose ON body (made) WHERE ledgers IS NULL OR ledgers = 0;
CREATE TABLE body_chunk (
    number int8 NOT NULL,
    start int8 NOT NULL,
    crc int8 NOT NULL,
    octets bytea NOT NULL,
    PRIMARY KEY (number, start)
);
ALTER TABLE body_chunk ALTER COLUMN octets SET STORAGE EXTERNAL;
CREATE TABLE body_ref (
    ledger int8 NOT NULL,
    blob bytea NOT NULL,
    number int8 NOT NULL,
    refs int8 NOT NULL CHECK (refs >= 0),
    PRIMARY KEY (ledger, blob)
);
CREATE TABLE "commit" (
    id bytea PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX commit_at ON "commit" (at);
"#;

/// Makes the tables where there are none, and refuses those of a newer version.
pub(super) async fn prepare(client: &Client) -> Result<(), Error> {
    let io = |error| Error::Io(describe(&error));
    // Two hosts that start at once take turns; the lock ends with the transaction.
    client.batch_execute(&format!("BEGIN; SELECT pg_advisory_xact_lock({MAKING})")).await.map_err(io)?;
    let there = "SELECT to_regclass('packetboat.format') IS NOT NULL";
    let there: bool = client.query_one(there, &[]).await.map_err(io)?.get(0);
    if there {
        let found = client.query_one("SELECT version FROM packetboat.format", &[]).await.map_err(io)?;
        judge(found.get(0))?;
    } else {
        client.batch_execute(TABLES).await.map_err(io)?;
        client.execute("INSERT INTO packetboat.format VALUES ($1)", &[&FORMAT]).await.map_err(io)?;
    }
    client.batch_execute("COMMIT").await.map_err(io)
}

fn judge(found: i32) -> Result<(), Error> {
    match found.cmp(&FORMAT) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(Error::Newer { found: found.unsigned_abs(), known: FORMAT.unsigned_abs() }),
        Ordering::Less => Err(Error::Damaged(format!("the database says its format is {found}"))),
    }
}

/// Names the statements; each connection prepares all of them once.
macro_rules! statements {
    ($($name:ident = $sql:expr;)*) => {
        /// A prepared statement.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(non_camel_case_types)]
        pub(super) enum Sql { $($name),* }

        impl Sql {
            pub(super) const ALL: &[Sql] = &[$(Sql::$name),*];

            pub(super) fn text(self) -> &'static str {
                match self { $(Sql::$name => $sql),* }
            }
        }
    };
}

statements! {
    Head = "SELECT modseq FROM head WHERE ledger = $1";
    Heads = "SELECT ledger, modseq FROM head WHERE ledger = ANY ($1)";
    Get = r#"SELECT key, value, modseq FROM "row" WHERE ledger = $1 AND key = ANY ($2)"#;
    Scan = r#"SELECT key, value, modseq FROM "row"
        WHERE ledger = $1 AND key >= $2 AND key < $3 ORDER BY key LIMIT $4"#;
    // The head and the entries of one moment.
    Since = "SELECT h.modseq, h.floor, l.modseq, l.entry FROM head h
        LEFT JOIN LATERAL (SELECT modseq, entry FROM log
            WHERE log.ledger = h.ledger AND log.modseq > $2 ORDER BY log.modseq LIMIT $3) l ON true
        WHERE h.ledger = $1 ORDER BY l.modseq";
    Forget = "WITH cut AS (
            UPDATE head SET floor = greatest(floor, least($2, modseq)) WHERE ledger = $1 RETURNING floor)
        DELETE FROM log USING cut WHERE log.ledger = $1 AND log.modseq <= cut.floor";

    // Compare and set. Rows are locked in the order of their ledgers, so that two commits cannot wait for each
    // other; a row that changed while we waited is compared again by the server.
    Advance = "WITH want AS (SELECT * FROM unnest($1::int8[], $2::int8[]) AS w(ledger, base)),
        same AS (SELECT head.ledger FROM head JOIN want ON want.ledger = head.ledger AND want.base = head.modseq
            ORDER BY head.ledger FOR UPDATE OF head)
        UPDATE head SET modseq = head.modseq + 1 FROM same WHERE head.ledger = same.ledger RETURNING head.ledger";
    Begin = "INSERT INTO head (ledger, modseq) SELECT ledger, 1 FROM unnest($1::int8[]) AS w(ledger) ORDER BY ledger
        ON CONFLICT (ledger) DO NOTHING RETURNING ledger";
    Put = r#"INSERT INTO "row" (ledger, key, value, modseq)
        SELECT * FROM unnest($1::int8[], $2::bytea[], $3::bytea[], $4::int8[])
        ON CONFLICT (ledger, key) DO UPDATE SET value = excluded.value, modseq = excluded.modseq"#;
    Delete = r#"DELETE FROM "row" r USING unnest($1::int8[], $2::bytea[]) AS w(ledger, key)
        WHERE r.ledger = w.ledger AND r.key = w.key"#;
    Log = "INSERT INTO log (ledger, modseq, entry) SELECT * FROM unnest($1::int8[], $2::int8[], $3::bytea[])";
    Done = r#"INSERT INTO "commit" (id) VALUES ($1)"#;
    // Waits for a transaction that has said the same id, and keeps a later one from saying it.
    Fence = r#"INSERT INTO "commit" (id) VALUES ($1) ON CONFLICT (id) DO NOTHING"#;

    Numbers = "SELECT nextval('body_number')";
    Open = "INSERT INTO body (number) VALUES ($1)";
    Append = "INSERT INTO body_chunk (number, start, crc, octets) VALUES ($1, $2, $3, $4)";
    Whole = "UPDATE body SET blob = $2, size = $3 WHERE number = $1 AND ledgers IS NULL";
    GiveUp = "UPDATE body SET ledgers = 0 WHERE number = $1 AND ledgers IS NULL";
    Inline = "INSERT INTO body (number, blob, size) SELECT * FROM unnest($1::int8[], $2::bytea[], $3::int8[])";
    InlineOctets = "INSERT INTO body_chunk (number, start, crc, octets)
        SELECT number, 0, crc, octets FROM unnest($1::int8[], $2::int8[], $3::bytea[]) AS w(number, crc, octets)";
    // A ledger that has the blob already keeps the body it has; ours is counted only where it was taken.
    Take = "WITH held AS (
            INSERT INTO body_ref (ledger, blob, number, refs)
            SELECT * FROM unnest($1::int8[], $2::bytea[], $3::int8[], $4::int8[])
            ON CONFLICT (ledger, blob) DO UPDATE SET refs = body_ref.refs + excluded.refs RETURNING number)
        UPDATE body SET ledgers = (SELECT count(*) FROM held WHERE held.number = body.number)
        WHERE number = ANY ($5) AND ledgers IS NULL AND blob IS NOT NULL";
    Count = "UPDATE body_ref r SET refs = r.refs + w.change
        FROM unnest($1::int8[], $2::bytea[], $3::int8[]) AS w(ledger, blob, change)
        WHERE r.ledger = w.ledger AND r.blob = w.blob AND r.refs + w.change >= 0";
    LetGo = "WITH gone AS (
            DELETE FROM body_ref r USING unnest($1::int8[], $2::bytea[]) AS w(ledger, blob)
            WHERE r.ledger = w.ledger AND r.blob = w.blob AND r.refs = 0 RETURNING r.number),
        less AS (SELECT number, count(*) AS by FROM gone GROUP BY number)
        UPDATE body SET ledgers = body.ledgers - less.by FROM less WHERE body.number = less.number";
    // The pieces that overlap a range; one row without a piece when there are none.
    Read = "SELECT b.size, c.start, c.crc, c.octets FROM body_ref r JOIN body b ON b.number = r.number
        LEFT JOIN body_chunk c ON c.number = r.number AND c.start > $3 AND c.start < $4
        WHERE r.ledger = $1 AND r.blob = $2 ORDER BY c.start";

    Sweep = "WITH dead AS (
            SELECT number FROM body
            WHERE (ledgers IS NULL OR ledgers = 0) AND (ledgers = 0 OR made < now() - interval '1 day')
            ORDER BY made LIMIT 64 FOR UPDATE SKIP LOCKED),
        pieces AS (DELETE FROM body_chunk USING dead WHERE body_chunk.number = dead.number)
        DELETE FROM body USING dead WHERE body.number = dead.number";
    SweepCommits = r#"DELETE FROM "commit" WHERE at < now() - interval '1 day'"#;
    Notify = "SELECT pg_notify('packetboat', $1)";
}
