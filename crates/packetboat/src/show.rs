//! What commands print: text, JSON, tables. A reader that has seen enough (`| head`) is no error.

use std::io::{self, Write};
use std::process::ExitCode;

use comfy_table::{Table, presets};
use mail::Moment;
use serde_json::Value;

use crate::Outcome;

/// Prints a text.
pub fn text(text: &str) -> Outcome {
    let mut out = io::stdout().lock();
    let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    written(out.write_all(text.as_bytes()).and_then(|()| out.write_all(newline.as_bytes())))?;
    written(out.flush())
}

/// Prints JSON.
pub fn json(value: &Value) -> Outcome {
    let pretty = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    text(&pretty)
}

/// What a write to standard output comes to.
pub fn written(done: io::Result<()>) -> Outcome {
    match done {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Says something that is not the answer itself.
pub fn remark(text: &str) {
    // With nobody to read it, nothing is lost.
    let _ = writeln!(io::stderr(), "{text}");
}

/// A table without lines.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    table
}

/// Prints a table, or what it means that there is nothing in it.
pub fn rows(table: &Table, none: &str) -> Outcome {
    match table.is_empty() {
        true => text(none),
        false => text(&table.trim_fmt()),
    }
}

/// Octets for people: `1.5 MiB`.
pub fn octets(number: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let (mut unit, mut tenths) = (0, u128::from(number) * 10 / 1024);
    while tenths >= 10 * 1024 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    match tenths {
        0..100 => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
        _ => format!("{} {}", tenths / 10, UNITS[unit]),
    }
}

/// A day and time for people, in UTC: `26-Nov-2026 00:41:52`.
pub fn date(seconds: u64) -> String {
    let text = mail::date::format_internal(Moment(seconds.saturating_mul(1000)));
    text.trim_start().trim_end_matches(" +0000").to_owned()
}

/// A text in an answer; empty where there is none.
pub fn string<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// A number in an answer; 0 where there is none.
pub fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_for_people() {
        for (number, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (10 * 1024, "10 KiB"),
            (1024 * 1024, "1.0 MiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "16777215 TiB"),
        ] {
            assert_eq!(octets(number), text);
        }
    }

    #[test]
    fn dates_for_people() {
        assert_eq!(date(0), "1-Jan-1970 00:00:00");
    }
}
