//! Every key and value of every ledger: those of the directory here, those of an account in `account`.
//!
//! Keys begin with a letter that names the kind of row; numbers are big-endian, so rows sort as they count.
//! Values begin with a format number. `…` is the rest of the key, `text` and `bytes` have a 32-bit length before them.
//!
//! The directory (`LedgerId::DIRECTORY`):
//!
//! | key | value |
//! |---|---|
//! | `d` domain | a domain of ours: 1, created u64 |
//! | `a` domain 0 local | an address: 1, then 1 account u64 \| 2 targets u32 × text. Local empty: catch-all |
//! | `p` account u64 | a person: see `Person` |
//! | `c` account u64 | how the person proves to be it: see `credential` |
//! | `n` | the next account: 1, u64 |
//! | `s` | the secret that false salts are made from: 1, bytes |

pub(crate) mod account;

use mail::AccountId;

/// The directory's rows.
pub(crate) mod directory {
    use super::AccountId;

    pub(crate) const NEXT_ACCOUNT: &[u8] = b"n";
    pub(crate) const SECRET: &[u8] = b"s";

    pub(crate) fn domain(name: &str) -> Vec<u8> {
        [b"d", name.as_bytes()].concat()
    }

    /// All domains.
    pub(crate) const DOMAINS: (&[u8], &[u8]) = (b"d", b"e");

    /// `local` empty: the catch-all. Neither part holds a NUL.
    pub(crate) fn address(local: &str, domain: &str) -> Vec<u8> {
        [b"a", domain.as_bytes(), b"\0", local.as_bytes()].concat()
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

    /// All people.
    pub(crate) const PEOPLE: (&[u8], &[u8]) = (b"p", b"q");

    pub(crate) fn credential(account: AccountId) -> Vec<u8> {
        [&b"c"[..], &account.0.to_be_bytes()].concat()
    }
}
