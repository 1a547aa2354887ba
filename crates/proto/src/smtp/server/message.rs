//! DATA and BDAT: the message from its first octet to the promise to keep it. RFC 5321 §4.1.1.4, RFC 3030.
//!
//! What never lives here: how text is decoded (`data`, `receiving`).

use bytes::Bytes;
use mail::BodyId;

use super::super::ask::{Ask, Reply};
use super::super::data::Framing;
use super::super::limits;
use super::super::receiving::{Receiving, Refusal, Stand, too_big};
use super::{Counts, Flow, Question, Server, State, Step};
use crate::Action;

impl Server {
    pub(super) fn data(&mut self) -> State {
        match &self.transaction {
            None => return self.out_of_order("MAIL comes first"),
            Some(transaction) if transaction.receiving.is_some() => {
                return self.out_of_order("The message is being sent with BDAT");
            }
            Some(transaction) if transaction.envelope.recipients.is_empty() => {
                return self.refuse(&Reply::new(554, "5.5.1", "No valid recipients"));
            }
            Some(_) => {}
        }
        self.begin(Framing::Dot);
        self.say(&Reply::new(354, "", "Start mail input; end with <CRLF>.<CRLF>"));
        State::Text(Flow::Data)
    }

    /// The octets follow the line whatever the reply will be. RFC 3030 §2.
    pub(super) fn bdat(&mut self, size: u64, last: bool) -> State {
        let refusal = match &self.transaction {
            None => Some(Reply::new(503, "5.5.1", "MAIL comes first")),
            Some(transaction) if transaction.envelope.recipients.is_empty() => {
                Some(Reply::new(554, "5.5.1", "No valid recipients"))
            }
            Some(_) => None,
        };
        if let Some(reply) = refusal {
            return self.discard_chunk(size, reply);
        }
        let so_far = self.receiving().map_or(0, |receiving| receiving.size());
        if so_far.saturating_add(size) > self.options.max_size {
            self.end_transaction();
            return self.discard_chunk(size, too_big(self.options.max_size));
        }
        if self.receiving().is_none() {
            self.begin(Framing::Counted);
        }
        State::Text(Flow::Chunk { left: size, size, last })
    }

    fn discard_chunk(&mut self, size: u64, reply: Reply) -> State {
        if size > limits::DRAIN {
            self.say(&reply);
            return self.leave("4.3.2", "That is too much to read over; goodbye");
        }
        State::Discard { left: size, reply }
    }

    pub(super) fn discard(&mut self, left: u64, reply: Reply) -> Step {
        let there = self.lines.len() as u64;
        let dropped = left.min(there);
        // It is at most what the buffer holds.
        self.lines.consume(usize::try_from(dropped).unwrap_or(usize::MAX));
        if dropped < left {
            Step::Starved(State::Discard { left: left - dropped, reply })
        } else {
            Step::On(self.refuse(&reply))
        }
    }

    fn begin(&mut self, framing: Framing) {
        self.bodies += 1;
        self.message_due = self.now.after(limits::BODY_WAIT);
        let receiving = Receiving::new(BodyId(self.bodies), framing, self.options.max_size);
        if let Some(transaction) = &mut self.transaction {
            transaction.receiving = Some(receiving);
        }
    }

    fn receiving(&mut self) -> Option<&mut Receiving> {
        self.transaction.as_mut()?.receiving.as_mut()
    }

    /// Octets of the message.
    pub(super) fn text(&mut self, flow: Flow) -> Step {
        let Some(receiving) =
            self.transaction.as_mut().and_then(|transaction| transaction.receiving.as_mut())
        else {
            // `Text` is entered only with a message in hand.
            return Step::On(self.refuse(&Reply::new(451, "4.3.0", "Local confusion; try again")));
        };
        let there = self.lines.peek();
        let input = match flow {
            Flow::Data => there,
            Flow::Chunk { left, .. } => {
                &there[..there.len().min(usize::try_from(left).unwrap_or(usize::MAX))]
            }
        };
        let (used, stand) = receiving.feed(input);
        self.lines.consume(used);
        let flow = match flow {
            Flow::Data => Flow::Data,
            Flow::Chunk { left, size, last } => Flow::Chunk { left: left - used as u64, size, last },
        };
        self.keep(limits::KEEP);
        match (stand, flow) {
            (Stand::Header(header), _) => Step::On(self.ask_header(header, flow)),
            (Stand::Ended, _) => Step::On(self.message_ended()),
            (Stand::Endless, _) => Step::On(self.message_endless()),
            (Stand::Starved, Flow::Chunk { left: 0, size, last }) => self.chunk_ended(size, last),
            (Stand::Starved, _) => Step::Starved(State::Text(flow)),
        }
    }

    fn ask_header(&mut self, header: Bytes, flow: Flow) -> State {
        let Some(transaction) = &self.transaction else { return State::Command };
        let envelope = transaction.envelope.clone();
        self.ask(Ask::Header { envelope, header: header.clone() }, Question::Header(header, flow))
    }

    pub(super) fn header_ok(&mut self, prepend: Bytes, header: Bytes, flow: Flow) -> State {
        let Some(receiving) = self.receiving() else { return State::Command };
        receiving.go_on();
        let gap = if receiving.headless() { Bytes::from_static(b"\r\n") } else { Bytes::new() };
        // The first Keep opens the body, so there is one even for the empty message.
        let empty = prepend.is_empty() && header.is_empty();
        for piece in [prepend, gap, header] {
            if !piece.is_empty() {
                self.keep_piece(piece);
            }
        }
        if empty {
            self.keep_piece(Bytes::new());
        }
        State::Text(flow)
    }

    pub(super) fn header_refused(&mut self, reply: Reply, flow: Flow) -> State {
        if let Some(receiving) = self.receiving() {
            receiving.refuse(Refusal { reply, close: false });
        }
        State::Text(flow)
    }

    /// Hands on what has been gathered, if it is worth it.
    fn keep(&mut self, least: usize) {
        if let Some(bytes) = self.receiving().and_then(|receiving| receiving.hand_on(least)) {
            self.keep_piece(bytes);
        }
    }

    fn keep_piece(&mut self, bytes: Bytes) {
        let Some(receiving) = self.receiving() else { return };
        receiving.kept = true;
        let id = receiving.id;
        if self.keeping != id {
            self.keeping = id;
            self.unwritten.clear();
            self.unwritten_total = 0;
        }
        self.unwritten.push_back(bytes.len());
        self.unwritten_total += bytes.len();
        self.act(Action::Keep { id, bytes });
    }

    fn chunk_ended(&mut self, size: u64, last: bool) -> Step {
        let Some(receiving) = self.receiving() else { return Step::On(State::Command) };
        if last {
            receiving.finish();
            return Step::On(State::Text(Flow::Chunk { left: 0, size, last }));
        }
        if receiving.refusal().is_some() {
            return Step::On(self.message_ended());
        }
        let reply = Reply::new(250, "2.0.0", format!("{size} octets received"));
        // An empty chunk brings no message nearer.
        Step::On(if size == 0 { self.accept_idle(&reply) } else { self.accept(&reply) })
    }

    /// All is here: deliver it, or say why not.
    fn message_ended(&mut self) -> State {
        let Some(receiving) = self.receiving() else { return State::Command };
        if let Some(Refusal { reply, close }) = receiving.refusal().cloned() {
            return self.refuse_message(&reply, close);
        }
        self.keep(1);
        let Some(transaction) = self.transaction.take() else { return State::Command };
        let body = BodyId(self.bodies);
        self.ask(Ask::Deliver { envelope: transaction.envelope, body }, Question::Deliver(body))
    }

    /// Reading a refused message to its end has its end too.
    fn message_endless(&mut self) -> State {
        match self.receiving().and_then(|receiving| receiving.refusal().cloned()) {
            Some(Refusal { reply, .. }) => self.refuse_message(&reply, true),
            None => self.hang_up(),
        }
    }

    fn refuse_message(&mut self, reply: &Reply, close: bool) -> State {
        self.note("message-refused", format!("{} {}", reply.code, reply.enhanced));
        self.end_transaction();
        if close {
            self.say(reply);
            return self.hang_up();
        }
        self.refuse(reply)
    }

    pub(super) fn delivered(&mut self, id: &str) -> State {
        self.counts = Counts::default();
        self.end_transaction();
        self.note("message-accepted", id.to_owned());
        self.accept(&Reply::new(250, "2.0.0", format!("Message kept as {id}")))
    }

    pub(super) fn deliver_refused(&mut self, body: BodyId, reply: &Reply) -> State {
        self.act(Action::Abandon(body));
        self.refuse_message(reply, false)
    }
}
