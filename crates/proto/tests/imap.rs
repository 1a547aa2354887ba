//! The IMAP server session: its transcripts, and what a transcript cannot show.

#[path = "support/imap.rs"]
mod imap;
#[path = "support/messages.rs"]
mod messages;
#[path = "support/transcript.rs"]
mod transcript;

use imap::Imap;
use transcript::play_folder;

#[test]
fn transcripts() {
    play_folder(&Imap, "imap");
}
