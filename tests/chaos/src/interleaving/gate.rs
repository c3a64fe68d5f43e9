//! Where a client waits for its turn.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The client's end. Dropping it says that the client is done.
pub(crate) struct Gate {
    turns: UnboundedReceiver<()>,
    arrivals: UnboundedSender<()>,
}

/// The end of whoever gives the turns.
pub(crate) struct Keeper {
    turns: UnboundedSender<()>,
    arrivals: UnboundedReceiver<()>,
}

pub(crate) fn gate() -> (Gate, Keeper) {
    let (give, turns) = unbounded_channel();
    let (arrive, arrivals) = unbounded_channel();
    let gate = Gate {
        turns,
        arrivals: arrive,
    };
    let keeper = Keeper { turns: give, arrivals };
    (gate, keeper)
}

impl Gate {
    /// Says that the step before is done, and returns when it is time for the next one.
    pub(crate) async fn turn(&mut self) {
        let _ = self.arrivals.send(());
        self.turns.recv().await.expect("the order goes on until both are done");
    }
}

impl Keeper {
    pub(crate) fn give_turn(&self) {
        let _ = self.turns.send(());
    }

    /// Returns when the client has done its step: whether there is a next one. Can be dropped without loss.
    pub(crate) async fn has_next(&mut self) -> bool {
        self.arrivals.recv().await.is_some()
    }
}
