//! What came of a part.

/// The numbers of one part on one backend.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Attempts to do something: writes, transactions, commands, or orders of steps.
    pub(crate) operations: u64,
    /// Faults that were injected and reached somebody.
    pub(crate) faults: u64,
    pub(crate) conflicts: u64,
    /// Attempts whose outcome nobody knew at the time.
    pub(crate) unknowns: u64,
    /// What must not have happened, each in a line or a few.
    pub(crate) violations: Vec<String>,
    /// What a reader of the report should know.
    pub(crate) notes: Vec<String>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.faults += other.faults;
        self.conflicts += other.conflicts;
        self.unknowns += other.unknowns;
        self.violations.extend(other.violations);
        self.notes.extend(other.notes);
    }
}
