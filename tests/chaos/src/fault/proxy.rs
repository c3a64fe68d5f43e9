//! A proxy between the application and a server, on which faults can be ordered.

use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use sea_orm::ConnectOptions;
use sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, JoinSet};

use super::order::Order;
use super::relay::{Command, Counts, Relay};
use crate::Result;
use crate::address::Address;
use crate::backend::Backend;

/// All of it ends when this is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

struct Shared {
    /// Host and port.
    server: (String, u16),
    counts: Arc<Counts>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    refuses_until: Option<Instant>,
    /// Open connections, and some that have closed since.
    lines: Vec<UnboundedSender<Command>>,
    relays: JoinSet<()>,
}

impl Proxy {
    /// Starts a proxy to the server of this database on a free loopback port.
    pub(crate) async fn start(of: &Address) -> Result<Self> {
        let server = match of.backend {
            Backend::Sqlite => return Err("SQLite has no server".into()),
            Backend::Postgres => {
                let options = PgConnectOptions::from_str(&of.url)?;
                (options.get_host().to_owned(), options.get_port())
            }
            Backend::MariaDb => {
                let options = MySqlConnectOptions::from_str(&of.url)?;
                (options.get_host().to_owned(), options.get_port())
            }
        };
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            server,
            counts: Arc::default(),
            state: Mutex::default(),
        });
        Ok(Self {
            address,
            accepting: tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle(),
            shared,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How a pool is made whose connections go through the proxy. Without TLS, which would hide a COMMIT;
    /// on PostgreSQL, sessions have the schema as the name of their application.
    pub(crate) fn options(&self, address: &Address, connections: u32) -> ConnectOptions {
        let port = self.address.port();
        let name = address.schema.clone().unwrap_or_default();
        let mut options = address.options(connections);
        options
            .map_sqlx_postgres_opts(move |options| {
                let options = options.host("127.0.0.1").port(port);
                options.ssl_mode(PgSslMode::Disable).application_name(&name)
            })
            .map_sqlx_mysql_opts(move |options| {
                let options = options.host("127.0.0.1").port(port);
                options.ssl_mode(MySqlSslMode::Disabled)
            });
        options
    }

    /// Gives an order to one of the open connections. Whether there is one.
    pub(crate) fn order(&self, order: Order, random: &mut Rng) -> bool {
        let mut state = self.shared.state.lock().unwrap();
        state.lines.retain(|line| !line.is_closed());
        random
            .choice(&state.lines)
            .is_some_and(|line| line.send(Command::Befall(order)).is_ok())
    }

    /// Closes new connections at once for that long.
    pub(crate) fn refuse(&self, lasts: Duration) {
        self.shared.state.lock().unwrap().refuses_until = Some(Instant::now() + lasts);
    }

    /// Ends all faults, and withdraws those that are not due.
    pub(crate) fn calm(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.refuses_until = None;
        for line in &state.lines {
            let _ = line.send(Command::Calm);
        }
    }

    /// Resets all connections, and waits until that is done.
    pub(crate) async fn hang_up(&self) {
        let lines = std::mem::take(&mut self.shared.state.lock().unwrap().lines);
        for line in lines {
            let _ = line.send(Command::HangUp);
            line.closed().await;
        }
    }

    /// How many faults have reached a connection so far.
    pub(crate) fn faults(&self) -> u64 {
        self.shared.counts.faults.load(Ordering::Relaxed)
    }

    /// How many bytes clients and the server have sent so far.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let counts = &self.shared.counts;
        let count = |bytes: &std::sync::atomic::AtomicU64| bytes.load(Ordering::Relaxed);
        (count(&counts.from_client), count(&counts.from_server))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        // A poisoned lock has the tasks, too.
        let state = self.shared.state.lock();
        state
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .relays
            .abort_all();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let mut state = shared.state.lock().unwrap();
        while state.relays.try_join_next().is_some() {}
        if state.refuses_until.is_some_and(|until| Instant::now() < until) {
            shared.counts.faults.fetch_add(1, Ordering::Relaxed);
            let _ = client.set_zero_linger();
            continue;
        }
        let (sender, commands) = unbounded_channel();
        state.lines.push(sender);
        let (server, counts) = (shared.server.clone(), Arc::clone(&shared.counts));
        state.relays.spawn(async move {
            // A client whose server is not there finds its connection closed.
            if let Ok(server) = TcpStream::connect(server).await {
                Relay::new(client, server, commands, counts).run().await;
            }
        });
    }
}
