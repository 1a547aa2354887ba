//! Dates as IMAP writes them: `17-Jul-1996 02:44:25 -0700`, `1-Feb-1994`. RFC 9051 §9 date-time and date.
//!
//! What never lives here: the dates of message headers; those are `mail::date`.

use std::fmt::Write;

use bytes::BytesMut;
use mail::Moment;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const SECONDS_OF_DAY: i64 = 86_400;

/// Days from 1970-01-01 to a day of the Gregorian calendar. The year is counted from March, so that the odd
/// length of February comes last and month lengths follow one formula.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse: year, month and day.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, day)
}

/// `1-Feb-1994`: days since 1970-01-01; `None` for a day that is not in the calendar.
pub fn parse_day(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let mut pieces = text.split('-');
    let (day, month, year) = (pieces.next()?, pieces.next()?, pieces.next()?);
    if pieces.next().is_some() || year.len() != 4 || day.is_empty() || day.len() > 2 {
        return None;
    }
    let month = 1 + MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? as i64;
    let (day, year) = (number(day)?, number(year)?);
    let found = days(year, month, day);
    (civil(found) == (year, month, day)).then_some(found)
}

/// `17-Jul-1996 02:44:25 -0700`; `None` if it is no date-time, or lies before 1970.
pub fn parse(text: &[u8]) -> Option<Moment> {
    let text = std::str::from_utf8(text).ok()?;
    // A day of one digit is padded with a space.
    let mut pieces = text.trim_start_matches(' ').split(' ');
    let (date, time, zone) = (pieces.next()?, pieces.next()?, pieces.next()?);
    if pieces.next().is_some() || time.len() != 8 || zone.len() != 5 {
        return None;
    }
    let mut clock = time.split(':').map(number);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    // A leap second is the next second.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let sign = match zone.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (east_hours, east_minutes) = (number(zone.get(1..3)?)?, number(zone.get(3..)?)?);
    if east_minutes > 59 {
        return None;
    }
    let day = parse_day(date.as_bytes())?;
    let seconds = day * SECONDS_OF_DAY + hour * 3600 + minute * 60 + second
        - sign * (east_hours * 3600 + east_minutes * 60);
    Some(Moment(u64::try_from(seconds).ok()?.checked_mul(1000)?))
}

/// Appends `17-Jul-1996 09:44:25 +0000`, without quotes.
pub fn print(out: &mut BytesMut, moment: Moment) {
    let seconds = i64::try_from(moment.seconds()).unwrap_or(i64::MAX);
    let (year, month, day) = civil(seconds / SECONDS_OF_DAY);
    let clock = seconds % SECONDS_OF_DAY;
    // `month` is 1 to 12 by construction. Writing to memory cannot fail.
    let name = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
    let _ = write!(
        out,
        "{day:2}-{name}-{:04} {:02}:{:02}:{:02} +0000",
        year.min(9999),
        clock / 3600,
        clock / 60 % 60,
        clock % 60
    );
}

fn number(digits: &str) -> Option<i64> {
    digits.bytes().all(|d| d.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(moment: Moment) -> String {
        let mut out = BytesMut::new();
        print(&mut out, moment);
        String::from_utf8(out.to_vec()).unwrap()
    }

    /// RFC 9051 §7.5.2, RFC 3501 §7.4.2 INTERNALDATE.
    #[test]
    fn date_times() {
        let moment = parse(b"17-Jul-1996 02:44:25 -0700").unwrap();
        assert_eq!(moment, Moment(837_596_665_000));
        assert_eq!(printed(moment), "17-Jul-1996 09:44:25 +0000");
        assert_eq!(parse(b" 7-Feb-1994 21:52:25 -0800"), parse(b"07-Feb-1994 21:52:25 -0800"));
        assert_eq!(printed(Moment(0)), " 1-Jan-1970 00:00:00 +0000");
        assert_eq!(printed(parse(b"29-Feb-2024 23:59:60 +0000").unwrap()), " 1-Mar-2024 00:00:00 +0000");
        for bad in [
            "",
            "17-Jul-1996",
            "17-Jul-1996 02:44 -0700",
            "31-Feb-1996 02:44:25 -0700",
            "17-Jul-1996 02:44:25 0700",
            "17-Jul-1996 24:44:25 -0700",
            "17-Jul-1996 02:44:25 -0760",
            "1-Jan-1970 00:00:00 +0001",
            "17-Jul-1996 +2:44:25 -0700",
            "17-Jul-1996 02:44:25 -07é",
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }

    /// RFC 9051 §6.4.4.
    #[test]
    fn days_of_the_calendar() {
        assert_eq!(parse_day(b"1-Jan-1970"), Some(0));
        assert_eq!(parse_day(b"1-feb-1994"), Some(8797));
        assert_eq!(parse_day(b"31-Dec-1969"), Some(-1));
        for bad in [
            "0-Jan-1970",
            "32-Jan-1970",
            "29-Feb-1900",
            "1-Jan-70",
            "1-Foo-1970",
            "1-Jan-1970-",
            "001-Jan-1970",
        ] {
            assert_eq!(parse_day(bad.as_bytes()), None, "{bad}");
        }
        for day in (-800_000..2_900_000).step_by(97) {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[test]
    fn the_end_of_time_prints() {
        assert_eq!(printed(Moment(u64::MAX)).len(), 26);
    }
}
