//! The keys of SCRAM: enough to check a client's proof and to prove ourselves, not enough to log in with.
//! RFC 5802 §3, RFC 7677.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::codec::{Reader, Writer};

/// Which hash a SCRAM mechanism uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SCRAM-SHA-1. RFC 5802.
    Sha1,
    /// SCRAM-SHA-256. RFC 7677.
    Sha256,
}

/// The keys for one mechanism.
#[derive(Clone, PartialEq, Eq)]
pub struct Scram {
    /// Whose keys these are.
    pub hash: Hash,
    /// How often the password was hashed.
    pub rounds: u32,
    /// Told to the client.
    pub salt: Vec<u8>,
    /// H(ClientKey).
    pub stored_key: Vec<u8>,
    /// Signs our side.
    pub server_key: Vec<u8>,
}

/// Rounds that imported keys may have at most: a client would have to compute them.
const ROUNDS: u32 = 10_000_000;

impl Hash {
    fn name(self) -> &'static str {
        match self {
            Hash::Sha1 => "SCRAM-SHA-1",
            Hash::Sha256 => "SCRAM-SHA-256",
        }
    }

    fn size(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
        }
    }

    fn hmac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha1 => hmac_sha1(key, text),
            Hash::Sha256 => hmac_sha256(key, &[text]).to_vec(),
        }
    }

    fn digest(self, text: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha1 => Sha1::digest(text).to_vec(),
            Hash::Sha256 => Sha256::digest(text).to_vec(),
        }
    }

    /// Hi. RFC 5802 §2.2.
    fn salted(self, password: &[u8], salt: &[u8], rounds: u32) -> Vec<u8> {
        let mut salted = vec![0; self.size()];
        // HMAC takes a key of any length, so this cannot fail.
        let _ = match self {
            Hash::Sha1 => pbkdf2::pbkdf2::<Hmac<Sha1>>(password, salt, rounds, &mut salted),
            Hash::Sha256 => pbkdf2::pbkdf2::<Hmac<Sha256>>(password, salt, rounds, &mut salted),
        };
        salted
    }
}

fn hmac_sha1(key: &[u8], text: &[u8]) -> Vec<u8> {
    match Hmac::<Sha1>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(text).finalize().into_bytes().to_vec(),
        Err(_) => unreachable!("HMAC takes a key of any length"),
    }
}

/// HMAC-SHA-256 over the pieces, one after the other. Callers keep the pieces apart.
pub(crate) fn hmac_sha256(key: &[u8], pieces: &[&[u8]]) -> [u8; 32] {
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => {
            pieces.iter().fold(mac, |mac, piece| mac.chain_update(piece)).finalize().into_bytes().into()
        }
        Err(_) => unreachable!("HMAC takes a key of any length"),
    }
}

impl Scram {
    /// RFC 5802 §3. The password is taken as the octets it is; SASLprep changes nothing in ASCII.
    pub(super) fn make(hash: Hash, password: &[u8], salt: &[u8], rounds: u32) -> Scram {
        let salted = hash.salted(password, salt, rounds);
        let stored_key = hash.digest(&hash.hmac(&salted, b"Client Key"));
        let server_key = hash.hmac(&salted, b"Server Key");
        Scram { hash, rounds, salt: salt.to_vec(), stored_key, server_key }
    }

    /// Keys of nobody: they look like somebody's, always the same for the same seed, and no proof fits them.
    pub(super) fn unknown(hash: Hash, seed: &[u8; 32], rounds: u32) -> Scram {
        let part = |label: &[u8], size: usize| hmac_sha256(seed, &[label])[..size].to_vec();
        Scram {
            hash,
            rounds: rounds.max(1),
            salt: part(hash.name().as_bytes(), 16),
            stored_key: part(b"stored key", hash.size()),
            server_key: part(b"server key", hash.size()),
        }
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.num(self.rounds.into());
        for octets in [&self.salt, &self.stored_key, &self.server_key] {
            writer.bytes(octets);
        }
    }

    pub(super) fn decode(hash: Hash, reader: &mut Reader<'_>) -> Option<Scram> {
        Some(Scram {
            hash,
            rounds: reader.num32()?,
            salt: reader.bytes()?.to_vec(),
            stored_key: reader.bytes()?.to_vec(),
            server_key: reader.bytes()?.to_vec(),
        })
    }

    /// `SCRAM-SHA-256$4096:salt$stored:server`. RFC 5803 §3.
    pub(super) fn to_text(&self) -> String {
        let base64 = |octets: &[u8]| STANDARD.encode(octets);
        let (salt, stored) = (base64(&self.salt), base64(&self.stored_key));
        format!("{}${}:{salt}${stored}:{}", self.hash.name(), self.rounds, base64(&self.server_key))
    }

    pub(super) fn from_text(line: &str) -> Option<Scram> {
        let (name, rest) = line.split_once('$')?;
        let hash = [Hash::Sha1, Hash::Sha256].into_iter().find(|hash| hash.name() == name)?;
        let (seasoning, keys) = rest.split_once('$')?;
        let (rounds, salt) = seasoning.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        let octets = |text: &str| STANDARD.decode(text).ok();
        let rounds: u32 = rounds.parse().ok()?;
        let (salt, stored_key, server_key) = (octets(salt)?, octets(stored)?, octets(server)?);
        let sized = stored_key.len() == hash.size() && server_key.len() == hash.size();
        let sane = (1..=ROUNDS).contains(&rounds) && (1..=64).contains(&salt.len());
        (sized && sane).then_some(Scram { hash, rounds, salt, stored_key, server_key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays an example through to both signatures.
    fn plays(hash: Hash, salt: &str, message: &str, proof: &str, signature: &str) {
        let octets = |text: &str| STANDARD.decode(text).expect("base64");
        let keys = Scram::make(hash, b"pencil", &octets(salt), 4096);
        assert_eq!(hash.hmac(&keys.server_key, message.as_bytes()), octets(signature));
        let client_signature = hash.hmac(&keys.stored_key, message.as_bytes());
        let client_key: Vec<u8> = octets(proof).iter().zip(client_signature).map(|(a, b)| a ^ b).collect();
        assert_eq!(hash.digest(&client_key), keys.stored_key);
        assert_eq!(Scram::from_text(&keys.to_text()).map(|read| read.to_text()), Some(keys.to_text()));
    }

    #[test]
    fn rfc_5802_section_5() {
        plays(
            Hash::Sha1,
            "QSXCR+Q6sek8bf92",
            "n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,\
             s=QSXCR+Q6sek8bf92,i=4096,c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
            "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        );
    }

    #[test]
    fn rfc_7677_section_3() {
        plays(
            Hash::Sha256,
            "W22ZaJ0SNY7soEsUEjb6gQ==",
            "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        );
    }

    #[test]
    fn nobody_looks_the_same_every_time() {
        let first = Scram::unknown(Hash::Sha256, &[1; 32], 4096);
        assert!(first == Scram::unknown(Hash::Sha256, &[1; 32], 4096));
        assert!(first.salt != Scram::unknown(Hash::Sha256, &[2; 32], 4096).salt);
        assert_eq!((first.salt.len(), first.rounds), (16, 4096));
    }
}
