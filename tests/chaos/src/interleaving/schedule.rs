//! Gives two clients their turns.

use super::gate::Keeper;
use super::order::{Order, Side};
use super::view::{Session, View};

pub(crate) struct Schedule<'a> {
    clients: [Client; 2],
    view: &'a View,
    /// Whether anybody has waited for a lock.
    has_waited: bool,
}

struct Client {
    keeper: Keeper,
    session: Session,
    state: State,
    /// Turns that went by while it waited for a lock.
    missed: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    AtGate,
    Running,
    Done,
}

impl<'a> Schedule<'a> {
    pub(crate) fn new(clients: [(Keeper, Session); 2], view: &'a View) -> Self {
        let clients = clients.map(|(keeper, session)| Client {
            keeper,
            session,
            // On its way to the first gate.
            state: State::Running,
            missed: 0,
        });
        Self {
            clients,
            view,
            has_waited: false,
        }
    }

    /// Lets both do their steps in this order. Whoever waits for a lock misses its turns, and does these steps once it has the lock. Whether
    /// anybody has waited.
    pub(crate) async fn play(mut self, order: Order) -> bool {
        self.settle().await;
        for side in order.turns() {
            self.turn(side);
            self.settle().await;
        }
        self.has_waited
    }

    fn turn(&mut self, side: Side) {
        let client = &mut self.clients[side.index()];
        match client.state {
            State::AtGate => client.go(),
            State::Running => client.missed += 1,
            State::Done => {}
        }
    }

    /// Returns once each is at a gate with no turn missed, or is done, or one of them waits for the other.
    async fn settle(&mut self) {
        loop {
            let [ann, bob] = &mut self.clients;
            let one = match (ann.state, bob.state) {
                (State::Running, State::Running) => {
                    // One of them gets through, or the server ends a deadlock.
                    tokio::select! {
                        () = ann.step() => {}
                        () = bob.step() => {}
                    }
                    continue;
                }
                (State::Running, _) => ann,
                (_, State::Running) => bob,
                _ if self.clients.iter_mut().any(Client::catches_up) => continue,
                _ => return,
            };
            let session = one.session;
            tokio::select! {
                () = one.step() => {}
                () = self.view.shows_waiting(session) => {
                    self.has_waited = true;
                    return;
                }
            }
        }
    }
}

impl Client {
    fn go(&mut self) {
        self.keeper.give_turn();
        self.state = State::Running;
    }

    fn catches_up(&mut self) -> bool {
        let is_late = self.state == State::AtGate && self.missed > 0;
        if is_late {
            self.missed -= 1;
            self.go();
        }
        is_late
    }

    async fn step(&mut self) {
        self.state = if self.keeper.has_next().await {
            State::AtGate
        } else {
            State::Done
        };
    }
}
