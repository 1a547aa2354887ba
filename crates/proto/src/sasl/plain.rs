//! PLAIN: one message with name and password. RFC 4616.

use crate::login::Credentials;

use super::{Fault, Step, VALUE_LIMIT, name, password};

/// The client's message: `[authzid] NUL authcid NUL passwd`. RFC 4616 §2.
pub(super) fn respond(message: &[u8]) -> Step {
    match read(message) {
        Ok(credentials) => Step::Done(credentials),
        Err(fault) => Step::Failed(fault),
    }
}

fn read(message: &[u8]) -> Result<Credentials, Fault> {
    let mut parts = message.splitn(3, |&octet| octet == 0);
    let (Some(authzid), Some(user), Some(secret)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Fault::Malformed("two NULs must stand between the identities and the password"));
    };
    if authzid.len() > VALUE_LIMIT {
        return Err(Fault::TooLong);
    }
    let authzid = std::str::from_utf8(authzid)
        .map_err(|_| Fault::Malformed("the authorization identity is not UTF-8"))?
        .to_owned();
    if authzid.chars().any(char::is_control) {
        return Err(Fault::Malformed("the authorization identity holds a control character"));
    }
    Ok(Credentials { user: name(user)?, authzid, password: password(secret)?, mechanism: "PLAIN" })
}
