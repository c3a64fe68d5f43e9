//! One connection through the proxy: passes on what both sides send, and does to it what is ordered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, sleep_until};

use super::order::{Order, Senders, Side, What, When};

const COMMIT: &[u8] = b"COMMIT";

/// What a connection is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Command {
    Befall(Order),
    /// All faults are over, and those that are not due are withdrawn.
    Calm,
    /// Ends the connection, which is no fault.
    HangUp,
}

/// What all connections of a proxy count together.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) faults: AtomicU64,
    pub(super) from_client: AtomicU64,
    pub(super) from_server: AtomicU64,
}

pub(super) struct Relay {
    client: TcpStream,
    server: TcpStream,
    commands: UnboundedReceiver<Command>,
    counts: Arc<Counts>,
    /// Not due yet.
    orders: Vec<Order>,
    /// The last bytes of the client, in which a COMMIT may have begun.
    tail: Vec<u8>,
    /// What is held back of each side, the client's first.
    held: [Vec<u8>; 2],
    has_ended: [bool; 2],
    stall: Option<(Senders, Instant)>,
    hole: Option<(Senders, Instant)>,
    delay: Option<(Duration, Instant)>,
    slice: Option<Instant>,
}

enum Event {
    Command(Option<Command>),
    Bytes(Side, usize),
    Time,
}

impl Relay {
    pub(super) fn new(
        client: TcpStream,
        server: TcpStream,
        commands: UnboundedReceiver<Command>,
        counts: Arc<Counts>,
    ) -> Self {
        for stream in [&client, &server] {
            // Without, small pieces wait for each other; where that fails, they do.
            let _ = stream.set_nodelay(true);
        }
        Self {
            client,
            server,
            commands,
            counts,
            orders: Vec::new(),
            tail: Vec::new(),
            held: [Vec::new(), Vec::new()],
            has_ended: [false, false],
            stall: None,
            hole: None,
            delay: None,
            slice: None,
        }
    }

    /// Until both sides have ended, or a fault has ended them.
    pub(super) async fn run(mut self) {
        let (mut request, mut answer) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
        while self.has_ended != [true, true] {
            let change = [self.stall, self.hole]
                .into_iter()
                .flatten()
                .map(|(_, until)| until)
                .min();
            let (hears_client, hears_server) = (self.hears(Side::Client), self.hears(Side::Server));
            // An order is there ahead of the bytes that it is about: whoever gives it does so before they are sent.
            let event = tokio::select! {
                biased;
                command = self.commands.recv() => Event::Command(command),
                () = sleep_until(change.unwrap_or_else(Instant::now)), if change.is_some() => Event::Time,
                read = self.client.read(&mut request), if hears_client => Event::Bytes(Side::Client, read.unwrap_or(0)),
                read = self.server.read(&mut answer), if hears_server => Event::Bytes(Side::Server, read.unwrap_or(0)),
            };
            let end = match event {
                Event::Command(None) => return,
                Event::Command(Some(Command::HangUp)) => Some((What::Reset, Vec::new())),
                Event::Command(Some(Command::Calm)) => self.calm().await,
                Event::Command(Some(Command::Befall(order))) if order.when == When::Now => {
                    let what = self.begin(order.what);
                    what.map(|what| (what, Vec::new()))
                }
                Event::Command(Some(Command::Befall(order))) => {
                    self.orders.push(order);
                    None
                }
                Event::Time => self.time().await,
                Event::Bytes(side, 0) => {
                    self.has_ended[side as usize] = true;
                    // What is left for the other one has been passed on by now.
                    let _ = self.receiver(side).shutdown().await;
                    None
                }
                Event::Bytes(Side::Client, read) => self.pass(Side::Client, &request[..read]).await,
                Event::Bytes(Side::Server, read) => self.pass(Side::Server, &answer[..read]).await,
            };
            if let Some((what, rest)) = end {
                return self.end(what, rest).await;
            }
        }
    }

    /// Passes bytes on, up to the point of a fault that ends the connection, if there is one: that, and what is left of the client's.
    async fn pass(&mut self, from: Side, bytes: &[u8]) -> Option<(What, Vec<u8>)> {
        let mut rest = bytes;
        while let Some((order, at)) = self.take_due(from, rest) {
            let (before, after) = rest.split_at(at);
            self.forward(from, before).await;
            rest = after;
            if let Some(what) = self.begin(order.what) {
                let rest = if from == Side::Client {
                    rest.to_vec()
                } else {
                    Vec::new()
                };
                return Some((what, rest));
            }
            if rest.is_empty() {
                return None;
            }
        }
        self.forward(from, rest).await;
        None
    }

    /// Takes the order whose point comes first in these bytes, and where that is.
    fn take_due(&mut self, from: Side, bytes: &[u8]) -> Option<(Order, usize)> {
        let commits = from == Side::Client && self.has_commit(bytes);
        let point = |order: &Order| match order.when {
            When::FromClient(count) if from == Side::Client && count <= bytes.len() => Some(count),
            When::FromServer(count) if from == Side::Server && count <= bytes.len() => Some(count),
            When::BeforeCommit if commits => Some(0),
            _ => None,
        };
        let points = self.orders.iter().enumerate();
        let due = points.filter_map(|(index, order)| Some((point(order)?, index))).min();
        due.map(|(at, index)| (self.orders.remove(index), at))
    }

    fn has_commit(&self, bytes: &[u8]) -> bool {
        let joined = [&self.tail[..], bytes].concat();
        joined.windows(COMMIT.len()).any(|window| window == COMMIT)
    }

    /// Passes bytes on, as the faults that last let it.
    async fn forward(&mut self, from: Side, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let commits = from == Side::Client && self.has_commit(bytes);
        for order in &mut self.orders {
            match &mut order.when {
                When::FromClient(count) if from == Side::Client => *count -= bytes.len(),
                When::FromServer(count) if from == Side::Server => *count -= bytes.len(),
                when @ When::AfterCommit if commits => *when = When::FromServer(0),
                _ => {}
            }
        }
        if from == Side::Client {
            let joined = [&self.tail[..], bytes].concat();
            self.tail = joined[joined.len().saturating_sub(COMMIT.len() - 1)..].to_vec();
        }
        let counter = match from {
            Side::Client => &self.counts.from_client,
            Side::Server => &self.counts.from_server,
        };
        counter.fetch_add(bytes.len() as u64, Ordering::Relaxed);

        if self.hole.is_some_and(|(senders, _)| senders.include(from)) {
            return;
        }
        if self.stall.is_some_and(|(senders, _)| senders.include(from)) {
            self.held[from as usize].extend_from_slice(bytes);
            return;
        }
        if let Some((each, until)) = self.delay
            && Instant::now() < until
        {
            sleep(each).await;
        }
        let is_sliced = self.slice.is_some_and(|until| Instant::now() < until);
        let receiver = self.receiver(from);
        for piece in bytes.chunks(if is_sliced { 1 } else { bytes.len() }) {
            // If there is nobody to write to, there will be nothing to read either.
            let _ = receiver.write_all(piece).await;
            if is_sliced {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Begins a fault; returns it if it ends the connection.
    fn begin(&mut self, what: What) -> Option<What> {
        let is_held = self.stall.is_some() || self.hole.is_some();
        if is_held && matches!(what, What::Stall(..) | What::BlackHole(..)) {
            // Two at once could let through what comes after bytes that are held back or missing, which TCP never does.
            return None;
        }
        self.counts.faults.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        match what {
            What::Cut | What::Reset | What::Late(_) => return Some(what),
            What::Stall(senders, lasts) => self.stall = Some((senders, now + lasts)),
            What::BlackHole(senders, lasts) => self.hole = Some((senders, now + lasts)),
            What::Delay { each, lasts } => self.delay = Some((each, now + lasts)),
            What::Slice(lasts) => self.slice = Some(now + lasts),
        }
        None
    }

    /// Ends what has lasted for its time.
    async fn time(&mut self) -> Option<(What, Vec<u8>)> {
        let now = Instant::now();
        if self.hole.is_some_and(|(_, until)| until <= now) {
            return Some((What::Reset, Vec::new()));
        }
        if self.stall.is_some_and(|(_, until)| until <= now) {
            self.stall = None;
            for side in [Side::Client, Side::Server] {
                let held = std::mem::take(&mut self.held[side as usize]);
                let _ = self.receiver(side).write_all(&held).await;
            }
        }
        None
    }

    async fn calm(&mut self) -> Option<(What, Vec<u8>)> {
        let now = Instant::now();
        self.orders.clear();
        (self.delay, self.slice) = (None, None);
        for fault in [&mut self.stall, &mut self.hole].into_iter().flatten() {
            fault.1 = now;
        }
        self.time().await
    }

    async fn end(mut self, what: What, rest: Vec<u8>) {
        // Whoever asks is told that this connection is gone.
        self.commands.close();
        match what {
            What::Late(after) => {
                let _ = self.client.set_zero_linger();
                let mut late = std::mem::take(&mut self.held[Side::Client as usize]);
                late.extend(rest);
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = self.client.try_read(&mut buffer) {
                    late.extend_from_slice(&buffer[..read]);
                }
                drop(self.client);
                sleep(after).await;
                let _ = self.server.write_all(&late).await;
                let _ = self.server.shutdown().await;
                discard(&mut self.server).await;
            }
            What::Cut => {
                let _ = tokio::join!(self.client.shutdown(), self.server.shutdown());
                // To close while there is something to read would be a reset.
                tokio::join!(discard(&mut self.client), discard(&mut self.server));
            }
            _ => {
                for stream in [&self.client, &self.server] {
                    let _ = stream.set_zero_linger();
                }
            }
        }
    }

    fn hears(&self, side: Side) -> bool {
        let is_stalled = self.stall.is_some_and(|(senders, _)| senders.include(side));
        !self.has_ended[side as usize] && !is_stalled
    }

    fn receiver(&mut self, from: Side) -> &mut TcpStream {
        match from {
            Side::Client => &mut self.server,
            Side::Server => &mut self.client,
        }
    }
}

/// Reads what a side still sends, until it closes.
async fn discard(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(1..) = stream.read(&mut buffer).await {}
}
