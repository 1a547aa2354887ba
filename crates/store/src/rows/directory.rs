//! The keys of the directory (`LedgerId::DIRECTORY`), and what their values hold.
//!
//! Keys begin with a letter that names the kind of row; numbers in them are big-endian. Values begin with the number
//! of their layout, 1 so far, and go on as `codec` writes.
//!
//! | key | value |
//! |---|---|
//! | `d` domain | a domain of ours: created, its postmaster's account or 0 |
//! | `a` domain 00 local | an address: 1 and the account, or 2, a count and the targets. Local empty: catch-all |
//! | `p` account (8) | a person: enabled, address, name, created |
//! | `c` account (8) | verifiers of a password: Argon2id (memory, passes, lanes, salt, hash), SCRAM-SHA-256 (rounds, salt, stored key, server key), 0, or 1 and SCRAM-SHA-1 |
//! | `g` account (8) | an account that is gone, whose mail is still to be removed: nothing |
//! | `n` | the next account |
//! | `s` | the secret that false salts are made from |

use mail::AccountId;

pub(crate) const NEXT_ACCOUNT: &[u8] = b"n";
pub(crate) const SECRET: &[u8] = b"s";

pub(crate) fn domain(name: &str) -> Vec<u8> {
    [b"d", name.as_bytes()].concat()
}

/// Whose row this is.
pub(crate) fn domain_of(key: &[u8]) -> Option<String> {
    String::from_utf8(key.strip_prefix(b"d")?.to_vec()).ok()
}

/// All domains.
pub(crate) const DOMAINS: (&[u8], &[u8]) = (b"d", b"e");

/// `local` empty: the catch-all. Neither part holds a NUL.
pub(crate) fn address(local: &str, domain: &str) -> Vec<u8> {
    [b"a", domain.as_bytes(), b"\0", local.as_bytes()].concat()
}

/// Local part and domain of an address row.
pub(crate) fn address_of(key: &[u8]) -> Option<(String, String)> {
    let (domain, local) = std::str::from_utf8(key.strip_prefix(b"a")?).ok()?.split_once('\0')?;
    Some((local.to_owned(), domain.to_owned()))
}

/// All addresses of one domain.
pub(crate) fn addresses_of(domain: &str) -> (Vec<u8>, Vec<u8>) {
    ([b"a", domain.as_bytes(), b"\0"].concat(), [b"a", domain.as_bytes(), b"\x01"].concat())
}

/// All addresses.
pub(crate) const ADDRESSES: (&[u8], &[u8]) = (b"a", b"b");

pub(crate) fn person(account: AccountId) -> Vec<u8> {
    [&b"p"[..], &account.0.to_be_bytes()].concat()
}

/// Whose row this is.
pub(crate) fn person_of(key: &[u8]) -> Option<AccountId> {
    Some(AccountId(u64::from_be_bytes(key.strip_prefix(b"p")?.try_into().ok()?)))
}

/// All people.
pub(crate) const PEOPLE: (&[u8], &[u8]) = (b"p", b"q");

pub(crate) fn credential(account: AccountId) -> Vec<u8> {
    [&b"c"[..], &account.0.to_be_bytes()].concat()
}

pub(crate) fn gone(account: AccountId) -> Vec<u8> {
    [&b"g"[..], &account.0.to_be_bytes()].concat()
}

/// Whose row this is.
pub(crate) fn gone_of(key: &[u8]) -> Option<AccountId> {
    Some(AccountId(u64::from_be_bytes(key.strip_prefix(b"g")?.try_into().ok()?)))
}

/// All accounts that are gone.
pub(crate) const GONE: (&[u8], &[u8]) = (b"g", b"h");

/// What an operator is told when octets are not what was written.
pub(crate) fn damaged(what: &str) -> crate::Error {
    crate::Error::Corrupt(format!("{what} in the directory cannot be read"))
}
