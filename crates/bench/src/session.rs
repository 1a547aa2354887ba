//! A whole SMTP conversation in memory: what the session machine itself costs a message.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use mail::{AccountId, Moment};
use proto::smtp::ask::{Answer, Ask, Target};
use proto::smtp::{Door, Options, Server};
use proto::{Action, Input, Session};

use crate::indexing;
use crate::meter::Meter;

const TIME: Duration = Duration::from_secs(1);
const NOW: Moment = Moment(1_800_000_000_000);

/// Measures and prints.
pub fn run() {
    let mut message = indexing::text(4096);
    message.extend_from_slice(b".\r\n");
    let client: [&[u8]; 6] = [
        b"HELO bench.example.org\r\n",
        b"MAIL FROM:<sender@example.org>\r\n",
        b"RCPT TO:<u1@example.test>\r\n",
        b"DATA\r\n",
        &message,
        b"QUIT\r\n",
    ];
    let meter = Meter::start();
    let (mut turns, mut delivered) = (0, 0);
    while meter.elapsed() < TIME {
        delivered += converse(&client);
        turns += 1;
    }
    let reading = meter.read(turns);
    println!("smtp conversation with one 4 KB message: {:.1} us", 1e6 / reading.rate);
    if delivered != turns {
        println!("smtp: only {delivered} of {turns} were delivered, so the figure above means nothing");
    }
}

/// One connection; how many messages were delivered.
fn converse(client: &[&[u8]]) -> usize {
    let mut server =
        Server::new(Options::new("mail.example.test", Door::Relay), IpAddr::V4(Ipv4Addr::LOCALHOST));
    let mut delivered = 0;
    server.handle(NOW, Input::Opened(None));
    settle(&mut server, &mut delivered);
    for piece in client {
        server.handle(NOW, Input::Bytes(piece));
        settle(&mut server, &mut delivered);
    }
    delivered
}

/// Does what the session wants until it wants no more.
fn settle(server: &mut Server, delivered: &mut usize) {
    while let Some(action) = server.next() {
        let input = match action {
            Action::Ask(ask) => Input::Answer(answer(&ask, delivered)),
            Action::Keep { id, .. } => Input::Kept(id),
            _ => continue,
        };
        server.handle(NOW, input);
    }
}

fn answer(ask: &Ask, delivered: &mut usize) -> Answer {
    match ask {
        Ask::Login(_) | Ask::Sender(_) => Answer::SenderOk,
        Ask::Recipient { .. } => {
            Answer::RecipientOk(vec![Target { account: AccountId(1024), mailbox: None }])
        }
        Ask::Header { .. } => Answer::HeaderOk { prepend: Bytes::from_static(b"Received: from here\r\n") },
        Ask::Deliver { .. } => {
            *delivered += 1;
            Answer::Delivered { id: "1".into() }
        }
    }
}
