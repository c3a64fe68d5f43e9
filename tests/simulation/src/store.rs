//! A database: rows with versions, and transactions that are done whole or not at all.

use std::collections::BTreeMap;

use optlock_history::{Access, Id, Key, Seen, Version};

pub(crate) struct Store {
    rows: BTreeMap<Key, Row>,
    /// Which attempts have done an operation. One, if all is as it should be.
    done: BTreeMap<u64, Vec<Id>>,
    checks_versions: bool,
}

#[derive(Clone, Copy)]
struct Row {
    version: Version,
    writer: Option<Id>,
}

/// What a client sends to be done if all that it has read is as it was.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) operation: u64,
    pub(crate) by: Id,
    pub(crate) accesses: Vec<Access>,
}

impl Store {
    pub(crate) fn new(keys: Key, checks_versions: bool) -> Self {
        let row = Row {
            version: 1,
            writer: None,
        };
        Self {
            rows: (0..keys).map(|key| (key, row)).collect(),
            done: BTreeMap::new(),
            checks_versions,
        }
    }

    pub(crate) fn read(&self, key: Key) -> Seen {
        let Row { version, writer } = self.rows[&key];
        Seen { version, writer }
    }

    pub(crate) fn rows(&self) -> BTreeMap<Key, Seen> {
        self.rows.keys().map(|key| (*key, self.read(*key))).collect()
    }

    /// Whether it was done; else a row has changed.
    pub(crate) fn commit(&mut self, transaction: &Transaction) -> bool {
        let is_fresh = |access: &Access| {
            access
                .read
                .is_some_and(|read| self.read(access.key).version == read.version)
        };
        if self.checks_versions && !transaction.accesses.iter().all(is_fresh) {
            return false;
        }
        for access in &transaction.accesses {
            if let (Some(version), Some(row)) = (access.wrote, self.rows.get_mut(&access.key)) {
                *row = Row {
                    version,
                    writer: Some(transaction.by),
                };
            }
        }
        self.done.entry(transaction.operation).or_default().push(transaction.by);
        true
    }

    /// Who has done an operation.
    pub(crate) fn doers(&self, operation: u64) -> &[Id] {
        self.done.get(&operation).map_or(&[], Vec::as_slice)
    }
}
