//! Dates of headers and of IMAP, to and from moments. RFC 5322 §3.3 and §4.3, RFC 9051 §9 date-time.
//!
//! What never lives here: the time of day it is, and the zone one is in.

use crate::Moment;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// From the day of the epoch on.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const DAY: i64 = 86_400;
/// Octets of a date that are read; all of it is far shorter.
const LENGTH_MAX: usize = 1000;

/// A header's date: the forms of today, the obsolete ones, and what programs write by mistake (seconds or zone
/// missing, hyphens, the order of `ctime`). `None` if no day and time can be read, or before 1970.
pub fn parse(value: &[u8]) -> Option<Moment> {
    let written = Written::parse(value);
    let seconds = written.day()? * DAY + written.time? - written.zone;
    Some(Moment(u64::try_from(seconds).ok()? * 1000))
}

/// The day a header's date names, in days since 1970-01-01, whatever its time and zone: what SENTON and its like
/// compare. RFC 9051 §6.4.4.
pub fn day(value: &[u8]) -> Option<i64> {
    Written::parse(value).day()
}

/// `Thu, 1 Jan 1970 00:00:00 +0000`. RFC 5322 §3.3.
pub fn format_rfc5322(moment: Moment) -> String {
    let Printed { days, year, month, day, hour, minute, second } = Printed::of(moment);
    let weekday = WEEKDAYS[days.rem_euclid(7) as usize];
    format!("{weekday}, {day} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
}

/// ` 1-Jan-1970 00:00:00 +0000`, without quotes, always 26 octets. RFC 9051 §9 date-time.
pub fn format_internal(moment: Moment) -> String {
    let Printed { year, month, day, hour, minute, second, .. } = Printed::of(moment);
    format!("{day:2}-{month}-{year:04} {hour:02}:{minute:02}:{second:02} +0000")
}

/// The inverse, for any zone and exactly so spelt; `None` for a day or a time that does not exist, or before 1970.
pub fn parse_internal(text: &[u8]) -> Option<Moment> {
    let &[d1, d2, b'-', m1, m2, m3, b'-', y1, y2, y3, y4, b' ', ref rest @ ..] = text else { return None };
    let &[h1, h2, b':', n1, n2, b':', s1, s2, b' ', sign @ (b'+' | b'-'), z1, z2, z3, z4] = rest else {
        return None;
    };
    let d1 = if d1 == b' ' { b'0' } else { d1 };
    let date = days(number(&[y1, y2, y3, y4])?, month(&[m1, m2, m3])?, number(&[d1, d2])?)?;
    let time = clock(number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?)?;
    let zone = offset(sign, number(&[z1, z2])?, number(&[z3, z4])?)?;
    Some(Moment(u64::try_from(date * DAY + time - zone).ok()? * 1000))
}

/// What can be read of a header's date.
#[derive(Default)]
struct Written {
    of_month: Option<i64>,
    month: Option<i64>,
    year: Option<i64>,
    /// Seconds of the day.
    time: Option<i64>,
    /// Seconds east.
    zone: i64,
}

impl Written {
    fn parse(value: &[u8]) -> Written {
        let value = without_comments(&value[..value.len().min(LENGTH_MAX)]);
        let mut written = Written::default();
        for token in value.split(|octet| octet.is_ascii_whitespace() || *octet == b',') {
            if !token.is_empty() {
                written.token(token);
            }
        }
        written
    }

    /// Each kind of token is known by its looks; the first of a kind counts.
    fn token(&mut self, token: &[u8]) {
        let signed = token.iter().position(|octet| matches!(octet, b'+' | b'-'));
        match (token[0], signed) {
            (b'+' | b'-', _) => self.zone_offset(token),
            // `10:00:00+0200`
            (b'0'..=b'9', Some(at)) if token[..at].contains(&b':') => {
                self.clock(&token[..at]);
                self.zone_offset(&token[at..]);
            }
            (b'0'..=b'9', _) if token.contains(&b':') => self.clock(token),
            // `17-Jul-1996`; no piece holds a sign, so this goes no deeper.
            (b'0'..=b'9', Some(_)) => {
                token
                    .split(|octet| matches!(octet, b'+' | b'-'))
                    .filter(|piece| !piece.is_empty())
                    .for_each(|p| self.token(p));
            }
            (b'0'..=b'9', None) => self.number(token),
            // `GMT+0200`
            (_, Some(at)) if self.time.is_some() => self.zone_offset(&token[at..]),
            _ if self.month.is_none() && token.len() >= 3 && month(&token[..3]).is_some() => {
                self.month = month(&token[..3]);
            }
            _ if self.time.is_some() => self.zone = zone(token),
            _ => {}
        }
    }

    /// The day comes before the year in every order.
    fn number(&mut self, digits: &[u8]) {
        let Some(number) = number(digits) else { return };
        if self.of_month.is_none() && digits.len() <= 2 {
            self.of_month = Some(number);
        } else if self.year.is_none() {
            // RFC 5322 §4.3.
            self.year = Some(match digits.len() {
                1 | 2 if number < 50 => number + 2000,
                1..=3 => number + 1900,
                _ => number,
            });
        }
    }

    fn clock(&mut self, token: &[u8]) {
        // A fraction of a second is cut off.
        let token = token.split(|octet| *octet == b'.').next().unwrap_or(token);
        let mut pieces = token.split(|octet| *octet == b':').map(number);
        let (hour, minute) = (pieces.next().flatten(), pieces.next().flatten());
        let second = pieces.next().unwrap_or(Some(0));
        if let (None, Some(hour), Some(minute), Some(second)) = (self.time, hour, minute, second) {
            self.time = clock(hour, minute, second);
        }
    }

    /// `+hhmm`, also `+hh:mm` and `+hh`.
    fn zone_offset(&mut self, token: &[u8]) {
        let digits: Vec<u8> = token[1..].iter().copied().filter(|octet| *octet != b':').collect();
        let (hours, minutes) = digits.split_at(digits.len().min(2));
        let minutes = if minutes.is_empty() { Some(0) } else { number(minutes) };
        if let (Some(hours), Some(minutes)) = (number(hours), minutes) {
            self.zone = offset(token[0], hours, minutes).unwrap_or(0);
        }
    }

    fn day(&self) -> Option<i64> {
        days(self.year?, self.month?, self.of_month?)
    }
}

/// The value with a space for each comment; they nest.
fn without_comments(value: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(value.len());
    let (mut depth, mut escaped) = (0_usize, false);
    for &octet in value {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if depth > 0 => escaped = true,
            b'(' => depth += 1,
            b')' if depth > 0 => {
                depth -= 1;
                kept.push(b' ');
            }
            _ if depth > 0 => {}
            _ => kept.push(octet),
        }
    }
    kept
}

/// Seconds east of a named zone. RFC 5322 §4.3: all that are not listed, the military ones too, count as UTC,
/// because they have been used in too many ways.
fn zone(name: &[u8]) -> i64 {
    const ZONES: [(&str, i64); 8] = [
        ("EDT", -4),
        ("EST", -5),
        ("CDT", -5),
        ("CST", -6),
        ("MDT", -6),
        ("MST", -7),
        ("PDT", -7),
        ("PST", -8),
    ];
    let known = ZONES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
    known.map_or(0, |(_, hours)| hours * 3600)
}

fn month(name: &[u8]) -> Option<i64> {
    let at = MONTHS.iter().position(|month| name.eq_ignore_ascii_case(month.as_bytes()))?;
    i64::try_from(at + 1).ok()
}

/// Up to nine digits.
fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

/// Seconds of the day; a leap second is the first of the next minute.
fn clock(hour: i64, minute: i64, second: i64) -> Option<i64> {
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

fn offset(sign: u8, hours: i64, minutes: i64) -> Option<i64> {
    let seconds = hours * 3600 + minutes * 60;
    (hours < 100 && minutes < 60).then_some(if sign == b'-' { -seconds } else { seconds })
}

/// Days from 1970-01-01 to a day of the Gregorian calendar, if it has that day. The year is counted from March, so
/// that the odd length of February comes last and month lengths follow one formula.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let shifted = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (shifted.0.div_euclid(400), shifted.0.rem_euclid(400));
    let of_year = (153 * shifted.1 + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    (civil(days) == (year, month, day) && (1..=9999).contains(&year)).then_some(days)
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

struct Printed {
    days: i64,
    year: i64,
    month: &'static str,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Printed {
    /// Four digits must do for the year: later moments are printed as the last of 9999.
    fn of(moment: Moment) -> Printed {
        const LAST: i64 = 253_402_300_799;
        let seconds = i64::try_from(moment.seconds()).unwrap_or(LAST).min(LAST);
        let (days, clock) = (seconds / DAY, seconds % DAY);
        let (year, month, day) = civil(days);
        let month = MONTHS[(month - 1).rem_euclid(12) as usize];
        Printed { days, year, month, day, hour: clock / 3600, minute: clock / 60 % 60, second: clock % 60 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5322 §A.1 to §A.6, and what is written by mistake.
    #[test]
    fn dates_of_headers() {
        for (written, plain) in [
            ("Fri, 21 Nov 1997 09:55:06 -0600", "Fri, 21 Nov 1997 15:55:06 +0000"),
            ("Tue, 1 Jul 2003 10:52:37 +0200", "Tue, 1 Jul 2003 08:52:37 +0000"),
            ("Thu, 13 Feb 1969 23:32:54 -0330", ""),
            (
                "Thu,\r\n 13\r\n   Feb\r\n  1970\r\n 23:32\r\n     -0330 (Newfoundland Time)",
                "Sat, 14 Feb 1970 03:02:00 +0000",
            ),
            ("21 Nov 97 09:55:06 GMT", "Fri, 21 Nov 1997 09:55:06 +0000"),
            ("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", ""),
            ("21 Nov 97 09:55:06 EST", "Fri, 21 Nov 1997 14:55:06 +0000"),
            ("21 Nov 97 09:55:06 pdt", "Fri, 21 Nov 1997 16:55:06 +0000"),
            ("21 Nov 97 09:55:06 A", "Fri, 21 Nov 1997 09:55:06 +0000"),
            ("21 Nov 49 09:55 Z", "Sun, 21 Nov 2049 09:55:00 +0000"),
            ("21 Nov 103 09:55 Z", "Fri, 21 Nov 2003 09:55:00 +0000"),
            ("1 January 2024 9:05", "Mon, 1 Jan 2024 09:05:00 +0000"),
            ("Mon Jan  1 09:05:00 2024", "Mon, 1 Jan 2024 09:05:00 +0000"),
            ("Mon Jan  1 09:05:00 CET 2024", "Mon, 1 Jan 2024 09:05:00 +0000"),
            ("17-Jul-1996 02:44:25 -0700", "Wed, 17 Jul 1996 09:44:25 +0000"),
            ("1 Jan 2024 09:05:00.123 GMT+01:00", "Mon, 1 Jan 2024 08:05:00 +0000"),
            ("1 Jan 2024 09:05:00+02", "Mon, 1 Jan 2024 07:05:00 +0000"),
            ("1 Jan 2024 09:05:00 +9999", "Mon, 1 Jan 2024 09:05:00 +0000"),
            ("31 Dec 2016 23:59:60 +0000", "Sun, 1 Jan 2017 00:00:00 +0000"),
            ("Mon, 1 Jan 2024 09:05:00 +0000 (a (nested) \\) comment) 7", "Mon, 1 Jan 2024 09:05:00 +0000"),
            ("31 Feb 2024 09:05:00 +0000", ""),
            ("1 Jan 2024 24:05:00 +0000", ""),
            ("1 Jan 2024", ""),
            ("1 Jan 1000000000 10:00", ""),
            ("- + :", ""),
            ("", ""),
        ] {
            let found = parse(written.as_bytes()).map(format_rfc5322).unwrap_or_default();
            assert_eq!(found, plain, "{written}");
        }
    }

    /// Signs within numbers, of either kind and many of them, mean nothing.
    #[test]
    fn signs_anywhere() {
        for bad in ["1+1", "1+", "1.+0000x", "1-+2", "1++--2", "9-+"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse("1+".repeat(100_000).as_bytes()), None);
        assert!(parse(b"1+Jan-1997 10:00").is_some());
    }

    /// RFC 9051 §6.4.4: disregarding time and timezone.
    #[test]
    fn days_as_written() {
        assert_eq!(day(b"Thu, 1 Jan 1970 23:59:59 -1200"), Some(0));
        assert_eq!(day(b"Wed, 31 Dec 1969 23:59:59 -1200"), Some(-1));
        assert_eq!(day(b"1 Feb 1994"), Some(8797));
        assert_eq!(day(b"yesterday"), None);
        for day in (-700_000..2_900_000).step_by(97) {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month, of_month), Some(day));
        }
    }

    /// RFC 9051 §7.5.2 INTERNALDATE, §9 date-time.
    #[test]
    fn dates_of_imap() {
        let moment = parse_internal(b"17-Jul-1996 02:44:25 -0700").unwrap();
        assert_eq!(moment, Moment(837_596_665_000));
        assert_eq!(format_internal(moment), "17-Jul-1996 09:44:25 +0000");
        assert_eq!(
            parse_internal(b" 7-Feb-1994 21:52:25 -0800"),
            parse_internal(b"07-Feb-1994 21:52:25 -0800")
        );
        assert_eq!(format_internal(Moment(0)), " 1-Jan-1970 00:00:00 +0000");
        assert_eq!(format_internal(Moment(u64::MAX)), "31-Dec-9999 23:59:59 +0000");
        for bad in [
            "",
            "17-Jul-1996",
            "7-Feb-1994 21:52:25 -0800",
            "31-Feb-1996 02:44:25 -0700",
            "00-Jul-1996 02:44:25 -0700",
            "17-Jul-1996 02:44:25 0700",
            "17-Jul-1996 24:44:25 -0700",
            "17-Jul-1996 02:60:25 -0700",
            "17-Jul-1996 02:44:25 -0760",
            "17-Jul-1996 02:44:25 -0700 ",
            "01-Jan-1970 00:00:00 +0001",
            "17-Jul-1996 +2:44:25 -0700",
            "17_Jul_1996 02:44:25 -0700",
        ] {
            assert_eq!(parse_internal(bad.as_bytes()), None, "{bad}");
        }
    }
}
