//! The indexer on messages of three sizes and shapes.

use std::hint::black_box;
use std::time::Duration;

use mail::Indexer;

use crate::meter::Meter;

const TIME: Duration = Duration::from_secs(1);
/// What a socket hands over at once.
const CHUNK: usize = 16 * 1024;

/// Measures and prints.
pub fn run() {
    for (name, message) in
        [("4 KB text", text(4096)), ("12 KB with parts", parts()), ("1 MB text", text(1 << 20))]
    {
        let meter = Meter::start();
        let mut turns = 0;
        while meter.elapsed() < TIME {
            let mut indexer = Indexer::new();
            message.chunks(CHUNK).for_each(|chunk| indexer.push(chunk));
            black_box(indexer.finish().encode());
            turns += 1;
        }
        let reading = meter.read(turns);
        println!(
            "index {name}: {:.1} us, {:.0} MB/s",
            1e6 / reading.rate,
            reading.rate * message.len() as f64 / 1e6
        );
    }
}

/// A message of one part, of about this size, as smtp-source makes it.
pub fn text(size: usize) -> Vec<u8> {
    let mut message = Vec::with_capacity(size + 512);
    message.extend_from_slice(
        b"From: <sender@example.org>\r\nTo: <u1@example.test>\r\nDate: Tue, 24 Nov 2026 07:00:00 +0000\r\n\
          Message-Id: <1.2.3@bench.example.org>\r\nSubject: a line\r\n\r\n",
    );
    while message.len() < size {
        message.extend_from_slice(
            b"XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\r\n",
        );
    }
    message
}

/// Text, its alternative, and a file.
fn parts() -> Vec<u8> {
    let mut message = b"From: \"A. Berg\" <a@example.org>\r\nTo: b@example.test, c@example.test\r\n\
        Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Tue, 24 Nov 2026 07:00:00 +0000\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\n\
        Content-Type: multipart/alternative; boundary=inner\r\n\r\n--inner\r\n\
        Content-Type: text/plain; charset=utf-8\r\n\r\n"
        .to_vec();
    let lines = |message: &mut Vec<u8>, line: &[u8], count: usize| {
        (0..count).for_each(|_| message.extend_from_slice(line));
    };
    lines(&mut message, b"A line of text like many others.\r\n", 30);
    message.extend_from_slice(b"--inner\r\nContent-Type: text/html; charset=utf-8\r\n\r\n");
    lines(&mut message, b"<p>A line of text like many others.</p>\r\n", 30);
    message.extend_from_slice(
        b"--inner--\r\n--outer\r\nContent-Type: application/pdf; name=\"chart.pdf\"\r\n\
          Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"chart.pdf\"\r\n\r\n",
    );
    lines(&mut message, &[b'A'; 76].iter().chain(b"\r\n").copied().collect::<Vec<u8>>(), 128);
    message.extend_from_slice(b"--outer--\r\n");
    message
}
