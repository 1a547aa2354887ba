//! Ways of cutting an input into chunks.

use crate::dice::Dice;

/// One way.
#[derive(Clone, Debug)]
pub enum Cut {
    /// Not at all.
    Whole,
    /// Octet by octet.
    Octets,
    /// Into two.
    Two(Dice),
    /// Into chunks of 1 to so many octets.
    Small(usize, Dice),
}

impl Cut {
    /// Some way other than `Whole`, chosen by the input. Long inputs are not cut into octets.
    pub fn other(data: &[u8]) -> Cut {
        let mut dice = Dice::of(data);
        match dice.roll(4) {
            0 if data.len() < 4096 => Cut::Octets,
            1 => Cut::Two(dice),
            2 => Cut::Small(40, dice),
            _ => Cut::Small(5 + data.len() / 1000, dice),
        }
    }

    /// How many octets of `left` come next; never 0 while there are any.
    pub fn next(&mut self, left: usize) -> usize {
        let most = match self {
            Cut::Whole => left,
            Cut::Octets => 1,
            Cut::Two(dice) => {
                let first = 1 + dice.roll(left);
                *self = Cut::Whole;
                first
            }
            Cut::Small(most, dice) => 1 + dice.roll(*most),
        };
        most.clamp(left.min(1), left)
    }

    /// Cuts all of it.
    pub fn chunks(mut self, mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
        std::iter::from_fn(move || {
            let (chunk, rest) = data.split_at(self.next(data.len()));
            data = rest;
            (!chunk.is_empty()).then_some(chunk)
        })
    }
}
