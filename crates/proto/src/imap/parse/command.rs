//! From a gathered command to a `Command`: the tag, the verb, and the commands that are short.

use mail::Secret;

use super::reader::Event;
use super::{Cursor, Fault, append, fetch, list, search};
use crate::imap::limits;
use crate::imap::types::{Command, CommandBody};

/// A command that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The tag, if that could.
    pub(super) tag: Option<String>,
    /// What is wrong.
    pub(super) fault: Fault,
    /// The same for people.
    text: String,
}

impl Failure {
    /// What the session is told.
    pub(super) fn event(self) -> Event {
        match (self.fault, self.tag) {
            (Fault::BadCharset, Some(tag)) => Event::BadCharset { tag },
            (_, tag) => Event::Bad { tag, text: self.text },
        }
    }
}

/// Reads one gathered command, with or without its last line end.
pub(super) fn parse(octets: &[u8], utf8: bool) -> Result<Command, Failure> {
    let octets = octets.strip_suffix(b"\n").unwrap_or(octets);
    let octets = octets.strip_suffix(b"\r").unwrap_or(octets);
    let Some(tag) = tag(octets) else {
        return Err(Failure {
            tag: None,
            fault: Fault::Bad { at: 0, text: "no tag".into() },
            text: "expected a tag, a space and a command".to_owned(),
        });
    };
    let mut cursor = Cursor::new(octets, utf8);
    let mut verb = String::new();
    match after_tag(&mut cursor, &mut verb) {
        Ok(body) => Ok(Command { tag, body }),
        Err(fault) => {
            let text = explain(&verb, &fault, octets);
            Err(Failure { tag: Some(tag), fault, text })
        }
    }
}

/// The tag with which these octets begin, if it is one and its end is there. RFC 9051 §9 tag.
pub(super) fn tag(octets: &[u8]) -> Option<String> {
    let end = octets.iter().take(limits::TAG_MAX + 1).position(|c| matches!(c, b' ' | b'\r' | b'\n'));
    let tag = &octets[..end.unwrap_or(octets.len())];
    let good = |c: &u8| *c != b'+' && (super::cursor::is_atom(*c) || *c == b']');
    if tag.is_empty() || tag.len() > limits::TAG_MAX || !tag.iter().all(good) {
        return None;
    }
    String::from_utf8(tag.to_vec()).ok()
}

/// Whether these octets are the start of an APPEND.
pub(super) fn is_append(octets: &[u8]) -> bool {
    let mut cursor = Cursor::new(octets, false);
    cursor.run(|c| c != b' ' && c != b'\n');
    cursor.spaces();
    cursor.take_word("APPEND")
}

/// Whether the literal that these octets of an APPEND announce stands in the parenthesis of RFC 6855 §4.
pub(super) fn append_in_parenthesis(octets: &[u8]) -> bool {
    octets
        .trim_ascii_end()
        .rsplit(|octet| *octet == b'{')
        .nth(1)
        .is_some_and(|before| before.ends_with(b"(~"))
}

/// What and where, in words. The excerpt is printable US-ASCII, and none is given where a password may stand.
fn explain(verb: &str, fault: &Fault, octets: &[u8]) -> String {
    const EXCERPT: usize = 24;
    let prefix = if verb.is_empty() { String::new() } else { format!("{verb}: ") };
    let Fault::Bad { at, text } = fault else { return format!("{prefix}expected a literal") };
    if matches!(verb, "LOGIN" | "AUTHENTICATE") {
        return format!("{prefix}{text}");
    }
    let excerpt: String = octets[(*at).min(octets.len())..]
        .iter()
        .take(EXCERPT)
        .map(|&c| if (b' '..0x7f).contains(&c) { char::from(c) } else { '?' })
        .collect();
    if excerpt.is_empty() {
        format!("{prefix}{text} at the end")
    } else {
        format!("{prefix}{text} at \"{excerpt}\"")
    }
}

/// The command after its tag. `verb` is filled for the sake of the error's text.
fn after_tag(cursor: &mut Cursor<'_>, verb: &mut String) -> Result<CommandBody, Fault> {
    cursor.run(|c| c != b' ' && c != b'\r' && c != b'\n');
    cursor.space()?;
    let at = cursor.at();
    // A tag alone, or a verb that is none, still gets an answer that says so.
    let word = cursor.word();
    if word.is_empty() {
        return cursor.fault_at(at, "expected a command");
    }
    let mut name = String::from_utf8_lossy(word).into_owned();
    name.make_ascii_uppercase();
    let uid = name == "UID";
    if uid {
        cursor.space()?;
        name = String::from_utf8_lossy(cursor.word()).to_ascii_uppercase();
    }
    let body = match (uid, name.as_str()) {
        (true, "FETCH" | "STORE" | "COPY" | "MOVE" | "SEARCH" | "EXPUNGE")
        | (false, "FETCH" | "STORE" | "COPY" | "MOVE" | "SEARCH") => {
            *verb = if uid { format!("UID {name}") } else { name.clone() };
            numbered(cursor, &name, uid)?
        }
        (true, _) => {
            "UID".clone_into(verb);
            return cursor.fault_at(at, "expected COPY, EXPUNGE, FETCH, MOVE, SEARCH or STORE");
        }
        (false, _) => match bare(&name) {
            Some(body) => {
                verb.clone_from(&name);
                body
            }
            None => match with_arguments(cursor, &name, verb)? {
                Some(body) => body,
                None => return cursor.fault_at(at, "unknown command"),
            },
        },
    };
    // The literal of APPEND ends its command; nothing is left of it here.
    if !matches!(body, CommandBody::Append { .. }) {
        cursor.end()?;
    }
    Ok(body)
}

/// Commands on messages, by sequence number or by UID.
fn numbered(cursor: &mut Cursor<'_>, name: &str, uid: bool) -> Result<CommandBody, Fault> {
    match name {
        "FETCH" => fetch::fetch(cursor, uid),
        "STORE" => fetch::store(cursor, uid),
        "SEARCH" => search::search(cursor, uid),
        "EXPUNGE" => {
            cursor.space()?;
            Ok(CommandBody::Expunge(Some(cursor.sequence_set()?)))
        }
        _ => {
            cursor.space()?;
            let set = cursor.sequence_set()?;
            cursor.space()?;
            let to = cursor.mailbox()?;
            Ok(if name == "COPY" {
                CommandBody::Copy { uid, set, to }
            } else {
                CommandBody::Move { uid, set, to }
            })
        }
    }
}

/// Commands without arguments.
fn bare(name: &str) -> Option<CommandBody> {
    Some(match name {
        "CAPABILITY" => CommandBody::Capability,
        "NOOP" => CommandBody::Noop,
        "LOGOUT" => CommandBody::Logout,
        "STARTTLS" => CommandBody::StartTls,
        "NAMESPACE" => CommandBody::Namespace,
        "IDLE" => CommandBody::Idle,
        "CHECK" => CommandBody::Check,
        "CLOSE" => CommandBody::Close,
        "UNSELECT" => CommandBody::Unselect,
        "EXPUNGE" => CommandBody::Expunge(None),
        _ => return None,
    })
}

/// The others; `None` for a command that is not known here.
fn with_arguments(
    cursor: &mut Cursor<'_>,
    name: &str,
    verb: &mut String,
) -> Result<Option<CommandBody>, Fault> {
    let read: fn(&mut Cursor<'_>) -> Result<CommandBody, Fault> = match name {
        "ID" => id,
        "AUTHENTICATE" => authenticate,
        "LOGIN" => login,
        "ENABLE" => enable,
        "SELECT" => |cursor| select(cursor, false),
        "EXAMINE" => |cursor| select(cursor, true),
        "CREATE" => create,
        "DELETE" => |cursor| cursor.mailbox().map(CommandBody::Delete),
        "RENAME" => rename,
        "SUBSCRIBE" => |cursor| cursor.mailbox().map(CommandBody::Subscribe),
        "UNSUBSCRIBE" => |cursor| cursor.mailbox().map(CommandBody::Unsubscribe),
        "LIST" => list::list,
        "LSUB" => list::lsub,
        "STATUS" => list::status,
        "APPEND" => append::append,
        _ => return Ok(None),
    };
    name.clone_into(verb);
    cursor.space()?;
    read(cursor).map(Some)
}

/// RFC 2971 §3.1. Names and values that are no UTF-8 are kept as far as they are; they go to the log alone.
fn id(cursor: &mut Cursor<'_>) -> Result<CommandBody, Fault> {
    if cursor.take_word("NIL") {
        return Ok(CommandBody::Id(Vec::new()));
    }
    let mut pairs = Vec::new();
    cursor.list(limits::ID_PAIRS_MAX, |cursor| {
        let at = cursor.at();
        let name = cursor.string("expected the name of a field")?;
        cursor.space()?;
        let value = match cursor.take_word("NIL") {
            true => None,
            false => Some(cursor.string("expected a value or NIL")?),
        };
        if name.len() > limits::ID_NAME_MAX || value.as_ref().is_some_and(|v| v.len() > limits::ID_VALUE_MAX)
        {
            return cursor.fault_at(at, "a field name has 30 octets at most, a value 1024");
        }
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        pairs.push((text(&name), value.map(|value| text(&value))));
        Ok(())
    })?;
    Ok(CommandBody::Id(pairs))
}

/// RFC 9051 §6.2.2, RFC 4959.
fn authenticate(cursor: &mut Cursor<'_>) -> Result<CommandBody, Fault> {
    let mechanism = cursor.atom("expected the name of a mechanism")?.to_ascii_uppercase();
    if !cursor.more() {
        return Ok(CommandBody::Authenticate { mechanism, initial: None });
    }
    let at = cursor.at();
    let initial = cursor.run(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/' | b'='));
    if initial.is_empty() {
        return cursor.fault_at(at, "expected an initial response in base64");
    }
    Ok(CommandBody::Authenticate { mechanism, initial: Some(Secret::new(initial.to_vec())) })
}

/// RFC 9051 §6.2.3. Passwords are typed by people into programs that do not always quote them, so a word may
/// hold anything but spaces and controls.
fn login(cursor: &mut Cursor<'_>) -> Result<CommandBody, Fault> {
    let word = |c: u8| c > b' ' && c != 0x7f;
    let at = cursor.at();
    let user = cursor.string_or(word, "expected a user name")?;
    let user = cursor.text(at, user)?;
    cursor.space()?;
    let password = cursor.string_or(word, "expected a password")?;
    Ok(CommandBody::Login { user, password: Secret::new(password.into_owned()) })
}

/// RFC 5161 §3.1.
fn enable(cursor: &mut Cursor<'_>) -> Result<CommandBody, Fault> {
    let mut names = Vec::new();
    loop {
        if names.len() == limits::OPTIONS_MAX {
            return cursor.fault("too many capabilities");
        }
        names.push(cursor.atom("expected a capability")?.to_ascii_uppercase());
        if !cursor.more() {
            return Ok(CommandBody::Enable(names));
        }
    }
}

/// RFC 9051 §6.3.2, RFC 7162 §3.1.8.
fn select(cursor: &mut Cursor<'_>, read_only: bool) -> Result<CommandBody, Fault> {
    let mailbox = cursor.mailbox()?;
    let mut condstore = false;
    if cursor.more() {
        cursor.list(limits::OPTIONS_MAX, |cursor| {
            if !cursor.take_word("CONDSTORE") {
                return cursor.fault("the only parameter known here is CONDSTORE");
            }
            condstore = true;
            Ok(())
        })?;
    }
    Ok(CommandBody::Select { mailbox, read_only, condstore })
}

/// RFC 9051 §6.3.4, RFC 6154 §3.
fn create(cursor: &mut Cursor<'_>) -> Result<CommandBody, Fault> {
    let at = cursor.at();
    let mut mailbox = cursor.mailbox()?;
    // The client says that it will make names below this one; any mailbox may have some.
    if mailbox.ends_with('/') {
        mailbox.pop();
    }
    if mailbox.is_empty() {
        return cursor.fault_at(at, "the mailbox name is empty");
    }
    let mut special_use = Vec::new();
    if cursor.more() {
        cursor.expect(b'(', "expected (USE (...))")?;
        if !cursor.take_word("USE") {
            return cursor.fault("the only parameter known here is USE");
        }
        cursor.space()?;
        cursor.list(limits::OPTIONS_MAX, |cursor| {
            cursor.expect(b'\\', "expected a special use such as \\Sent")?;
            special_use.push(format!("\\{}", cursor.atom("expected a special use such as \\Sent")?));
            Ok(())
        })?;
        cursor.spaces();
        cursor.expect(b')', "expected a closing parenthesis")?;
    }
    Ok(CommandBody::Create { mailbox, special_use })
}

/// RFC 9051 §6.3.6.
fn rename(cursor: &mut Cursor<'_>) -> Result<CommandBody, Fault> {
    let from = cursor.mailbox()?;
    cursor.space()?;
    let to = cursor.mailbox()?;
    Ok(CommandBody::Rename { from, to })
}
