//! LOGIN: name and password, each prompted for. draft-murchison-sasl-login-00; older than SASL's rules, and still
//! what many mail programs try first.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::login::Credentials;

use super::{Fault, Step, name, password};

/// The draft's own prompts ("User Name" with a NUL) break clients that compare; these two do not.
const NAME_PROMPT: &str = "Username:";
const PASSWORD_PROMPT: &str = "Password:";

/// The name, once it is known.
#[derive(Debug, Default)]
pub(super) struct Login {
    user: Option<String>,
}

impl Login {
    pub(super) fn first_challenge() -> String {
        STANDARD.encode(NAME_PROMPT)
    }

    pub(super) fn respond(&mut self, response: &[u8]) -> Step {
        self.take(response).unwrap_or_else(Step::Failed)
    }

    fn take(&mut self, response: &[u8]) -> Result<Step, Fault> {
        match self.user.take() {
            None => {
                self.user = Some(name(response)?);
                Ok(Step::Challenge(STANDARD.encode(PASSWORD_PROMPT)))
            }
            Some(user) => Ok(Step::Done(Credentials {
                user,
                authzid: String::new(),
                password: password(response)?,
                mechanism: "LOGIN",
            })),
        }
    }
}
