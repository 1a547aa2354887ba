//! What is kept of a password: several verifiers made together, so that any mechanism can check it later.
//!
//! What never lives here: the password itself; who may log in, and how often.

mod checker;
mod scram;

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use mail::Secret;
use subtle::ConstantTimeEq;

use crate::Error;
use crate::codec::{Reader, Writer};

pub(crate) use checker::Candidate;
pub use checker::{Checker, Verdict};
pub(crate) use scram::hmac_sha256;
pub use scram::{Hash, Scram};

/// Longest password in octets: longer ones are refused when set, so hashing has bounded cost.
pub const PASSWORD: usize = 1024;
/// Octets of a salt.
const SALT: usize = 16;
/// Octets of a hash.
const HASH: usize = 32;
/// What imported verifiers may cost at most: memory in KiB, passes, lanes.
const COST: (u32, u32, u32) = (1 << 20, 64, 16);

/// How much work a password costs: ours at each check, and a thief's at each guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strength {
    /// Argon2id memory in KiB.
    pub memory: u32,
    /// Argon2id passes.
    pub passes: u32,
    /// Argon2id lanes.
    pub lanes: u32,
    /// SCRAM rounds, RFC 7677 §4: at least 4096.
    pub scram_rounds: u32,
    /// SCRAM-SHA-1 keys are made too, for old clients.
    pub scram_sha1: bool,
}

impl Default for Strength {
    /// OWASP's second choice for Argon2id: 19 MiB, two passes, one lane.
    fn default() -> Strength {
        Strength { memory: 19 * 1024, passes: 2, lanes: 1, scram_rounds: 4096, scram_sha1: false }
    }
}

impl Strength {
    /// As little as the algorithms allow, so that tests are quick. Never for real passwords.
    pub fn weak() -> Strength {
        Strength { memory: 8, passes: 1, lanes: 1, scram_rounds: 1, scram_sha1: false }
    }
}

/// Where a password's salts come from: drawn by the caller, used once.
pub type Salts = [u8; 3 * SALT];

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifiers {
    argon2: Argon,
    scram_sha256: Scram,
    scram_sha1: Option<Scram>,
}

impl fmt::Debug for Verifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifiers(…)")
    }
}

#[derive(Clone, PartialEq, Eq)]
struct Argon {
    memory: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Verifiers {
    /// Makes all verifiers of a password. Blocks for as long as `strength` says.
    ///
    /// # Errors
    /// `Cannot` if the password is empty, too long, or the strength is none that the algorithms know.
    pub fn make(password: &Secret, strength: &Strength, salts: &Salts) -> Result<Verifiers, Error> {
        let octets = password.expose();
        if octets.is_empty() || octets.len() > PASSWORD {
            return Err(Error::Cannot(format!("a password has 1 to {PASSWORD} octets")));
        }
        let (argon_salt, rest) = salts.split_at(SALT);
        let (sha256_salt, sha1_salt) = rest.split_at(SALT);
        let mut argon2 = Argon {
            memory: strength.memory,
            passes: strength.passes,
            lanes: strength.lanes,
            salt: argon_salt.to_vec(),
            hash: Vec::new(),
        };
        argon2.hash =
            argon2.hash_of(octets).ok_or_else(|| Error::Cannot("no such strength".into()))?.to_vec();
        let rounds = strength.scram_rounds.max(1);
        Ok(Verifiers {
            argon2,
            scram_sha256: Scram::make(Hash::Sha256, octets, sha256_salt, rounds),
            scram_sha1: strength.scram_sha1.then(|| Scram::make(Hash::Sha1, octets, sha1_salt, rounds)),
        })
    }

    /// Verifiers that cost as much as real ones and that no password satisfies.
    fn dummy(strength: &Strength, salt: &[u8; 32]) -> Verifiers {
        let argon2 = Argon {
            memory: strength.memory,
            passes: strength.passes,
            lanes: strength.lanes,
            salt: salt[..SALT].to_vec(),
            // One octet short: the comparison is made, and cannot succeed.
            hash: vec![0; HASH - 1],
        };
        let scram_sha256 = Scram::unknown(Hash::Sha256, salt, strength.scram_rounds);
        Verifiers { argon2, scram_sha256, scram_sha1: None }
    }

    /// Whether this is the password. Blocks as long as making it did.
    pub fn check(&self, password: &Secret) -> bool {
        let octets = password.expose();
        // Too long was never set; it is checked all the same, so that it takes no other time.
        let found = self.argon2.hash_of(&octets[..octets.len().min(PASSWORD)]);
        let same = found.is_some_and(|found| bool::from(found[..].ct_eq(&self.argon2.hash)));
        same & (octets.len() <= PASSWORD)
    }

    /// The keys for a SCRAM mechanism, if they were made.
    pub fn scram(&self, hash: Hash) -> Option<&Scram> {
        match hash {
            Hash::Sha256 => Some(&self.scram_sha256),
            Hash::Sha1 => self.scram_sha1.as_ref(),
        }
    }

    /// The value of a credential row.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let argon = &self.argon2;
        let mut writer = Writer::default();
        writer.byte(1);
        for cost in [argon.memory, argon.passes, argon.lanes] {
            writer.num(cost.into());
        }
        writer.bytes(&argon.salt);
        writer.bytes(&argon.hash);
        self.scram_sha256.encode(&mut writer);
        writer.byte(u8::from(self.scram_sha1.is_some()));
        if let Some(keys) = &self.scram_sha1 {
            keys.encode(&mut writer);
        }
        writer.done()
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Verifiers> {
        let mut reader = Reader::new(value);
        (reader.byte()? == 1).then_some(())?;
        let argon2 = Argon {
            memory: reader.num32()?,
            passes: reader.num32()?,
            lanes: reader.num32()?,
            salt: reader.bytes()?.to_vec(),
            hash: reader.bytes()?.to_vec(),
        };
        let scram_sha256 = Scram::decode(Hash::Sha256, &mut reader)?;
        let scram_sha1 = match reader.byte()? {
            0 => None,
            1 => Some(Scram::decode(Hash::Sha1, &mut reader)?),
            _ => return None,
        };
        reader.end()?;
        Some(Verifiers { argon2, scram_sha256, scram_sha1 })
    }

    /// As lines of text, for an export: Argon2's PHC string, and RFC 5803's form for SCRAM.
    pub fn to_text(&self) -> Vec<String> {
        let Argon { memory, passes, lanes, salt, hash } = &self.argon2;
        let base64 = |octets: &[u8]| STANDARD_NO_PAD.encode(octets);
        let argon2 =
            format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${}${}", base64(salt), base64(hash));
        let mut lines = vec![argon2, self.scram_sha256.to_text()];
        lines.extend(self.scram_sha1.as_ref().map(Scram::to_text));
        lines
    }

    /// Reads what `to_text` wrote.
    ///
    /// # Errors
    /// `Cannot`, with what is wrong.
    pub fn from_text(lines: &[String]) -> Result<Verifiers, Error> {
        let wrong = |what: &str| Error::Cannot(format!("verifiers: {what}"));
        let (mut argon2, mut sha256, mut sha1) = (None, None, None);
        for line in lines {
            if line.starts_with("$argon2id$") {
                argon2 =
                    Some(Argon::from_text(line).ok_or_else(|| wrong("the Argon2id line does not read"))?);
                continue;
            }
            let keys = Scram::from_text(line).ok_or_else(|| wrong("a line does not read"))?;
            match keys.hash {
                Hash::Sha256 => sha256 = Some(keys),
                Hash::Sha1 => sha1 = Some(keys),
            }
        }
        Ok(Verifiers {
            argon2: argon2.ok_or_else(|| wrong("no Argon2id line"))?,
            scram_sha256: sha256.ok_or_else(|| wrong("no SCRAM-SHA-256 line"))?,
            scram_sha1: sha1,
        })
    }
}

impl Argon {
    /// `None` if there are no such parameters.
    fn hash_of(&self, password: &[u8]) -> Option<[u8; HASH]> {
        let params = Params::new(self.memory, self.passes, self.lanes, Some(HASH)).ok()?;
        let mut hash = [0; HASH];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(password, &self.salt, &mut hash).ok()?;
        Some(hash)
    }

    fn from_text(line: &str) -> Option<Argon> {
        let mut fields = line.strip_prefix("$argon2id$v=19$")?.split('$');
        let (costs, salt, hash) = (fields.next()?, fields.next()?, fields.next()?);
        if fields.next().is_some() {
            return None;
        }
        let mut costs = costs.split(',');
        let mut cost = |name: &str| costs.next()?.strip_prefix(name)?.parse::<u32>().ok();
        let (memory, passes, lanes) = (cost("m=")?, cost("t=")?, cost("p=")?);
        let (most_memory, most_passes, most_lanes) = COST;
        if costs.next().is_some() || memory > most_memory || passes > most_passes || lanes > most_lanes {
            return None;
        }
        let (salt, hash) = (STANDARD_NO_PAD.decode(salt).ok()?, STANDARD_NO_PAD.decode(hash).ok()?);
        Params::new(memory, passes, lanes, Some(HASH)).ok()?;
        ((8..=64).contains(&salt.len()) && hash.len() == HASH).then_some(())?;
        Some(Argon { memory, passes, lanes, salt, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    fn made(password: &str, strength: Strength) -> Verifiers {
        Verifiers::make(&secret(password), &strength, &[7; 48]).expect("a password")
    }

    #[test]
    fn only_the_password_passes() {
        let verifiers = made("correct horse", Strength::weak());
        assert!(verifiers.check(&secret("correct horse")));
        for wrong in ["", "correct", "correct horse ", "Correct horse"] {
            assert!(!verifiers.check(&secret(wrong)), "{wrong:?}");
        }
    }

    #[test]
    fn passwords_have_a_length() {
        let make = |length| Verifiers::make(&Secret::new(vec![b'x'; length]), &Strength::weak(), &[1; 48]);
        assert!(make(0).is_err() && make(PASSWORD + 1).is_err());
        let longest = make(PASSWORD).expect("long");
        assert!(longest.check(&Secret::new(vec![b'x'; PASSWORD])));
        assert!(!longest.check(&Secret::new(vec![b'x'; PASSWORD + 1])));
    }

    #[test]
    fn a_dummy_satisfies_nobody_and_costs_the_same() {
        let dummy = Verifiers::dummy(&Strength::weak(), &[3; 32]);
        assert!(!dummy.check(&secret("")) && !dummy.check(&secret("x")));
        let real = made("x", Strength::weak());
        let cost = |v: &Verifiers| (v.argon2.memory, v.argon2.passes, v.argon2.lanes, v.argon2.salt.len());
        assert_eq!(cost(&dummy), cost(&real));
    }

    #[test]
    fn rows_and_text_read_back() {
        for scram_sha1 in [false, true] {
            let verifiers = made("x", Strength { scram_sha1, ..Strength::weak() });
            assert_eq!(Verifiers::decode(&verifiers.encode()).as_ref(), Some(&verifiers));
            let text = verifiers.to_text();
            assert_eq!(text.len(), if scram_sha1 { 3 } else { 2 });
            assert_eq!(Verifiers::from_text(&text).as_ref(), Ok(&verifiers), "{text:?}");
            let row = verifiers.encode();
            for cut in 0..row.len() {
                assert_eq!(Verifiers::decode(&row[..cut]), None, "cut at {cut}");
            }
        }
    }

    #[test]
    fn imported_verifiers_cannot_cost_the_earth() {
        let mut text = made("x", Strength::weak()).to_text();
        text[0] = text[0].replace("m=8,", "m=4000000000,");
        assert!(Verifiers::from_text(&text).is_err());
        assert!(Verifiers::from_text(&[]).is_err());
        assert!(Verifiers::from_text(&["plain".into()]).is_err());
    }

    /// A known answer, from the Argon2 reference tool: `argon2 somesalt -id -t 2 -k 65536 -p 1`.
    #[test]
    fn argon2id_is_the_one_others_know() {
        let line = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let argon = Argon::from_text(line).expect("PHC string");
        assert_eq!(argon.hash_of(b"password").map(|hash| hash.to_vec()), Some(argon.hash));
    }
}
