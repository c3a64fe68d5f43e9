//! What has come of an order.

use optlock::{Error, Fault};

use super::way::Way;

/// What a client was told: whether it has written, or why not.
pub(crate) type Told = Result<bool, Refusal>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Conflict,
    /// By the database, which names its reason.
    Aborted(Fault),
    /// What no order of two clients should lead to.
    Other(String),
}

impl From<Error> for Refusal {
    fn from(err: Error) -> Self {
        match (&err, optlock::fault(&err)) {
            (Error::Conflict(_), _) => Self::Conflict,
            (_, fault @ (Fault::Serialization | Fault::Deadlock | Fault::Busy | Fault::LockTimeout)) => {
                Self::Aborted(fault)
            }
            _ => Self::Other(format!("{err:?}")),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As if one had come after the other.
    Serial,
    Anomaly,
    /// One was told of a conflict, and the other's write is stored.
    Conflict,
    /// One was refused by the database, and the other's write is stored.
    Aborted,
    Wrong(String),
}

pub(crate) fn verdict<W: Way>(way: W, told: &[Told; 2], quantities: [i64; 2], versions: [i64; 2]) -> Verdict {
    let Some(stored) = W::stored(quantities) else {
        return Verdict::Wrong("nobody wrote what is stored".to_owned());
    };
    for told in told {
        if let Err(Refusal::Other(err)) = told {
            return Verdict::Wrong(format!("an error of another kind: {err}"));
        }
    }
    let written = told.each_ref().map(|told| *told == Ok(true));
    if way.versions(written) != versions {
        return Verdict::Wrong(format!("the versions should be {:?}", way.versions(written)));
    }
    if W::is_anomaly(written, stored) {
        return Verdict::Anomaly;
    }
    if written != stored {
        return Verdict::Wrong("what is stored is not what was told".to_owned());
    }
    match told {
        [Ok(_), Ok(_)] => Verdict::Serial,
        [Ok(_), Err(Refusal::Conflict)] | [Err(Refusal::Conflict), Ok(_)] => Verdict::Conflict,
        [Ok(_), Err(_)] | [Err(_), Ok(_)] => Verdict::Aborted,
        [Err(_), Err(_)] => Verdict::Wrong("neither has written".to_owned()),
    }
}
