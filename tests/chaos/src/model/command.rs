//! What can be done to the rows.

/// A model in hand, by its place.
pub(super) type Handle = usize;

pub(super) const HANDLES: usize = 4;

/// A command of a case.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Write(Write),
    Transaction(Transaction),
}

/// What can be done on a connection and in a transaction.
#[derive(Clone, Debug)]
pub(super) enum Write {
    Load {
        key: i64,
        into: Handle,
    },
    Insert {
        key: i64,
        cells: Cells,
        version: Option<i64>,
        into: Option<Handle>,
    },
    InsertMany {
        rows: Vec<(i64, Cells)>,
        how: InsertMany,
    },
    Update {
        draft: Draft,
        how: Update,
        keeps: Keeps,
    },
    Delete {
        handle: Handle,
        form: Form,
        how: Delete,
    },
    /// From a model in hand, with its version or without.
    Upsert {
        draft: Draft,
        keeps: Keeps,
    },
    UpsertNew {
        key: i64,
        cells: Cells,
        version: Option<i64>,
        into: Option<Handle>,
    },
    UpdateById {
        key: i64,
        add: i64,
        at_least: Option<i64>,
        returns: bool,
        into: Option<Handle>,
    },
    UpdateMany {
        add: i64,
        at_least: Option<i64>,
        returns: bool,
        assigns_version: bool,
    },
    DeleteById {
        key: i64,
    },
    DeleteMany {
        at_least: Option<i64>,
    },
    Modify {
        key: i64,
        edit: Edit,
        combines: bool,
        into: Option<Handle>,
    },
    ModifyModel {
        handle: Handle,
        edit: Edit,
        combines: bool,
        keeps: Keeps,
    },
    ModifyOrInsert {
        key: i64,
        new: Cells,
        edit: Edit,
        combines: bool,
        into: Option<Handle>,
    },
    ModifyAll {
        keys: Vec<i64>,
        edit: Edit,
    },
    UpdateBatch {
        drafts: Vec<Draft>,
        mode: Mode,
    },
    DeleteBatch {
        drafts: Vec<Draft>,
        mode: Mode,
    },
}

/// What takes a lock, and so a transaction.
#[derive(Clone, Debug)]
pub(super) enum Lock {
    Row { key: i64, then: Then },
    Model { handle: Handle, then: Then },
    All { keys: Vec<i64>, edit: Edit },
}

/// What is done to a locked row.
#[derive(Clone, Debug)]
pub(super) enum Then {
    Nothing,
    Update(Edit),
    Touch,
    Delete,
}

#[derive(Clone, Debug)]
pub(super) struct Transaction {
    pub(super) parts: Vec<Part>,
    pub(super) end: End,
}

#[derive(Clone, Debug)]
pub(super) enum Part {
    Step(Step),
    Savepoint { steps: Vec<Step>, keeps: bool },
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Write(Write),
    Lock(Lock),
}

/// Whose transaction it is, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// `optlock::transaction`, whose closure returns `Ok`.
    Returns,
    /// The same, whose closure fails once everything is written.
    Fails,
    /// `db.begin()`.
    Commit,
    Rollback,
    Drop,
}

/// Whether the model in hand is replaced by the one that is returned, or becomes stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeps {
    Old,
    New,
}

/// The columns beside the key and the version.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    pub(super) qty: i64,
    pub(super) note: Option<&'static str>,
}

/// An active model that is made from the model in hand.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) handle: Handle,
    pub(super) form: Form,
    pub(super) change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As loaded.
    Loaded,
    /// Nothing but the key, the version and what changes, as from a form.
    Named,
    /// As loaded, and then the version is `NotSet`.
    Unversioned,
}

/// The columns that are `Set`.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) qty: Option<i64>,
    #[expect(clippy::option_option, reason = "a column can be set to NULL")]
    pub(super) note: Option<Option<&'static str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InsertMany {
    WithoutReturning,
    Returning,
    InParts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Update {
    Method,
    Save,
    WithoutReturning,
    Touch,
    /// `Entity::update` with a filter.
    Where {
        at_least: i64,
    },
    /// `Entity::update` with an expression in place of a quantity.
    Expression {
        add: i64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delete {
    Method,
    Where { at_least: i64 },
    Returning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    AllOrNone,
    Each,
    WithoutReturning,
}

/// What a closure makes of a row.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    Add(i64),
    Note(Option<&'static str>),
    Nothing,
    /// Returns an error, where the closure may.
    Refuse,
    /// Changes the key.
    Key,
    /// Changes the version.
    Version,
}

impl Draft {
    /// What is `Set` in this kind of update: an expression stands in place of a quantity.
    pub(super) fn change_of(&self, how: Update) -> Change {
        Change {
            qty: self.change.qty.filter(|_| !matches!(how, Update::Expression { .. })),
            ..self.change.clone()
        }
    }
}
