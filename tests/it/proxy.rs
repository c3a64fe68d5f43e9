//! A proxy between SeaORM and a server, which cuts connections around COMMIT: where a client cannot know what became of
//! its transaction.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// When a connection is cut: closed on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// COMMIT is not passed on.
    BeforeCommit,
    /// COMMIT is passed on and answered; the answer is not passed on.
    AfterCommit,
    /// The first message that contains this text is not passed on. A statement that is prepared once and used again has
    /// its text in the first message only.
    OnStatement(&'static str),
}

/// All of it ends when this is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    /// The URL of the server up to its host, and from behind its port.
    url: (String, String),
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

struct Shared {
    /// Host and port.
    server: String,
    protocol: Protocol,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_away: bool,
    queue: Vec<Cut>,
    cuts: usize,
    connections: JoinSet<()>,
}

impl Proxy {
    /// Starts a proxy to the server of this URL on a free loopback port.
    pub(crate) async fn start(url: &str) -> Result<Self> {
        let (scheme, rest) = url.split_once("://").ok_or("the URL has no scheme")?;
        // TLS would hide what is sent.
        let (protocol, default_port, without_tls) = match scheme {
            "postgres" | "postgresql" => (Protocol::Postgres, 5432, "sslmode=disable"),
            "mysql" | "mariadb" => (Protocol::MySql, 3306, "ssl-mode=DISABLED"),
            _ => return Err(format!("no proxy for {scheme}").into()),
        };
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, host) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let server = if has_port {
            host.to_owned()
        } else {
            format!("{host}:{default_port}")
        };

        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut parameters = vec![without_tls];
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=').map_or(parameter, |(name, _)| name) {
                "sslmode" | "ssl-mode" => {}
                "host" | "hostaddr" | "port" | "socket" => return Err("the URL has its server in a parameter".into()),
                _ => parameters.push(parameter),
            }
        }

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            server,
            protocol,
            state: Mutex::default(),
        });
        Ok(Self {
            address,
            url: (format!("{scheme}://{user}"), format!("{path}?{}", parameters.join("&"))),
            accepting: tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle(),
            shared,
        })
    }

    /// The same URL, through the proxy and without TLS.
    pub(crate) fn url(&self) -> String {
        let (before, after) = &self.url;
        format!("{before}{}{after}", self.address)
    }

    /// Cuts the next connection that comes to that point. Each call is good for one.
    pub(crate) fn cut(&self, cut: Cut) {
        self.shared.state.lock().unwrap().queue.push(cut);
    }

    /// How many connections have been cut so far.
    pub(crate) fn cuts(&self) -> usize {
        self.shared.state.lock().unwrap().cuts
    }

    /// The server is away: closes all connections, and new ones at once, until [`restore`](Self::restore).
    pub(crate) fn interrupt(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.is_away = true;
        state.connections.abort_all();
    }

    /// Lets new connections through again.
    pub(crate) fn restore(&self) {
        self.shared.state.lock().unwrap().is_away = false;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.interrupt();
        self.accepting.abort();
    }
}

impl Shared {
    /// Takes the first cut of the queue that is due at a message of the client.
    fn take_cut(&self, message: &[u8]) -> Option<Cut> {
        let mut state = self.state.lock().unwrap();
        let due = state.queue.iter().position(|cut| self.protocol.is_due(*cut, message))?;
        Some(state.queue.remove(due))
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let connection = Arc::clone(&shared);
        let mut state = shared.state.lock().unwrap();
        while state.connections.try_join_next().is_some() {}
        if !state.is_away {
            state.connections.spawn(async move {
                // An error is one of the two sides gone, after which there is nothing to pass on.
                let _ = pass(&connection, client).await;
            });
        }
    }
}

/// Passes on what both sides send until one of them closes, or the connection is cut.
async fn pass(shared: &Shared, mut client: TcpStream) -> io::Result<()> {
    let mut server = TcpStream::connect(&shared.server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    let mut requests = Messages::new(shared.protocol, from_client);
    let mut answers = Messages::new(shared.protocol, from_server);
    let due = tokio::select! {
        due = pass_requests(shared, &mut requests, &mut to_server) => due?,
        ended = pass_answers(&mut answers, &mut to_client) => return ended,
    };
    let Some((cut, message)) = due else { return Ok(()) };
    if cut == Cut::AfterCommit {
        to_server.write_all(&message).await?;
        loop {
            match answers.read().await? {
                Some(answer) if shared.protocol.ends_answer(&answer) => break,
                Some(_) => {}
                None => return Ok(()),
            }
        }
    }
    // Before the client can see it.
    shared.state.lock().unwrap().cuts += 1;
    Ok(())
}

/// Passes requests on up to the one at which a cut is due.
async fn pass_requests(
    shared: &Shared,
    requests: &mut Messages<'_>,
    server: &mut WriteHalf<'_>,
) -> io::Result<Option<(Cut, Vec<u8>)>> {
    while let Some(request) = requests.read().await? {
        if let Some(cut) = shared.take_cut(&request) {
            return Ok(Some((cut, request)));
        }
        server.write_all(&request).await?;
    }
    Ok(None)
}

async fn pass_answers(answers: &mut Messages<'_>, client: &mut WriteHalf<'_>) -> io::Result<()> {
    while let Some(answer) = answers.read().await? {
        client.write_all(&answer).await?;
    }
    Ok(())
}

/// What one side sends, message by message.
struct Messages<'a> {
    protocol: Protocol,
    from: ReadHalf<'a>,
    /// Received, and not yet a whole message.
    bytes: Vec<u8>,
}

impl<'a> Messages<'a> {
    fn new(protocol: Protocol, from: ReadHalf<'a>) -> Self {
        Self {
            protocol,
            from,
            bytes: Vec::with_capacity(8192),
        }
    }

    /// The next message; `None` once the stream has ended. Nothing is lost if this is dropped half-way.
    async fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(length) = self.protocol.length(&self.bytes)
                && length <= self.bytes.len()
            {
                return Ok(Some(self.bytes.drain(..length).collect()));
            }
            if self.from.read_buf(&mut self.bytes).await? == 0 {
                return Ok(None);
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Protocol {
    Postgres,
    MySql,
}

impl Protocol {
    /// The length of the message that starts with these bytes, once there are enough of them to tell.
    fn length(self, bytes: &[u8]) -> Option<usize> {
        let add = |number: usize, byte: &u8| (number << 8) | usize::from(*byte);
        match self {
            // The message that opens a session has no type before its length.
            Self::Postgres if bytes.first() == Some(&0) => Some(bytes.get(..4)?.iter().fold(0, add).max(4)),
            Self::Postgres => Some(1 + bytes.get(1..5)?.iter().fold(0, add)),
            Self::MySql => Some(4 + bytes.get(..3)?.iter().rev().fold(0, add)),
        }
    }

    /// Whether a connection whose client sends this message is at the point of a cut.
    fn is_due(self, cut: Cut, message: &[u8]) -> bool {
        let (kind, query, prepare) = match self {
            Self::Postgres => (message.first(), b'Q', b'P'),
            Self::MySql => (message.get(4), 0x03, 0x16),
        };
        let is_query = kind == Some(&query);
        let is_prepare = kind == Some(&prepare);
        // In both protocols it starts here.
        let statement = message.get(5..).unwrap_or_default();
        match cut {
            Cut::BeforeCommit => (is_query || is_prepare) && has_commit(statement),
            // What answers its preparation is not yet the answer to a COMMIT.
            Cut::AfterCommit => is_query && has_commit(statement),
            Cut::OnStatement(text) => (0..message.len()).any(|at| message[at..].starts_with(text.as_bytes())),
        }
    }

    /// Whether this message is the last of an answer to COMMIT: `ReadyForQuery`, or the only packet.
    fn ends_answer(self, message: &[u8]) -> bool {
        match self {
            Self::Postgres => message.first() == Some(&b'Z'),
            Self::MySql => true,
        }
    }
}

/// Whether COMMIT is a word of a statement: neither COMMITTED nor AUTOCOMMIT is.
fn has_commit(statement: &[u8]) -> bool {
    statement
        .split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
        .any(|word| word == b"COMMIT")
}
