//! What is to befall a connection, and when.

use std::time::Duration;

/// One fault of one connection. It waits for its point, and is withdrawn if that does not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) when: When,
    pub(crate) what: What,
}

/// A point in what two sides send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// As soon as the order arrives.
    Now,
    /// After so many bytes more of the client have been passed on; of none, when the first one arrives.
    FromClient(usize),
    /// The same for the server's.
    FromServer(usize),
    /// A piece of the client's that contains COMMIT has arrived, and is not passed on.
    BeforeCommit,
    /// Such a piece was passed on, and the answer has arrived and is not passed on.
    AfterCommit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Each side is told that the other has closed (FIN).
    Cut,
    /// Each side is told that there is no connection (RST).
    Reset,
    /// The client is told that there is no connection. What it has sent reaches the server this much later, as from a queue on
    /// the way, and then the end.
    Late(Duration),
    /// What these send is held back for that long and then passed on, as if packets were lost and sent again.
    Stall(Senders, Duration),
    /// What these send is swallowed for that long, while the connection stays open. Then it is reset: bytes are missing.
    BlackHole(Senders, Duration),
    /// For a while, each piece comes later by `each`.
    Delay { each: Duration, lasts: Duration },
    /// For so long, each byte is a piece of its own.
    Slice(Duration),
}

/// Whose bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Senders {
    Client,
    Server,
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

impl Senders {
    pub(super) fn include(self, side: Side) -> bool {
        match self {
            Self::Client => side == Side::Client,
            Self::Server => side == Side::Server,
            Self::Both => true,
        }
    }
}
