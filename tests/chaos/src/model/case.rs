//! A list of commands, sent through the library and compared with the reference after each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use optlock::{Error, OpenTransaction, Txn};
use sea_orm::{DatabaseConnection, TransactionSession, TransactionTrait};

use super::client::{self, Site};
use super::command::{Command, End, Lock, Part, Step, Transaction, Write};
use super::item;
use super::outcome::Outcome;
use super::reference::Reference;
use crate::backend::Backend;

/// How a case stands.
#[derive(Clone, Debug)]
pub(super) struct Case {
    reference: Reference,
    pub(super) operations: u64,
    pub(super) conflicts: u64,
    /// How often each kind of outcome was told.
    pub(super) kinds: BTreeMap<&'static str, u64>,
}

/// Where the library and the reference differ.
type Difference = String;

impl Case {
    /// Puts the rows in their places, and runs the commands.
    pub(super) async fn run(
        backend: Backend,
        db: &DatabaseConnection,
        commands: &[Command],
    ) -> Result<Self, Difference> {
        let mut case = Self {
            reference: Reference::new(backend),
            operations: 0,
            conflicts: 0,
            kinds: BTreeMap::new(),
        };
        let replaced = item::replace(db, case.reference.rows.values()).await;
        replaced.map_err(|err| format!("the rows cannot be put in their places: {err}"))?;
        for (number, command) in commands.iter().enumerate() {
            let outcome = match command {
                Command::Write(write) => case.write(db, write).await,
                Command::Transaction(transaction) => case.transaction(db, transaction).await,
            };
            outcome.map_err(|difference| format!("command {number}: {difference}"))?;
        }
        Ok(case)
    }

    async fn write<S: Site>(&mut self, site: &S, write: &Write) -> Result<(), Difference> {
        let before = self.reference.clone();
        let told = client::write(site, &before.handles, write).await;
        let expected = self.reference.write(write);
        self.compare(&before, write, &told, &expected)?;
        self.reference.keep(write, &expected);
        self.compare_table(site, write).await
    }

    async fn lock<S: Site + OpenTransaction>(&mut self, txn: &S, lock: &Lock) -> Result<(), Difference> {
        let before = self.reference.clone();
        let told = client::lock(txn, &before.handles, lock).await;
        let expected = self.reference.lock(lock);
        self.compare(&before, lock, &told, &expected)?;
        self.compare_table(txn, lock).await
    }

    async fn transaction(&mut self, db: &DatabaseConnection, transaction: &Transaction) -> Result<(), Difference> {
        let rows = self.reference.rows.clone();
        self.reference.is_in_transaction = true;
        let (told, expected) = match transaction.end {
            End::Returns | End::Fails => self.closure(db, transaction).await?,
            End::Commit | End::Rollback | End::Drop => self.by_hand(db, transaction).await?,
        };
        self.operations += 1;
        if told != expected {
            return Err(format!("{transaction:?}\n  came to {told}\n  and not to {expected}"));
        }
        let is_kept = matches!(transaction.end, End::Returns | End::Commit) && !self.reference.has_failed;
        if !is_kept {
            self.reference.rows = rows;
        }
        self.reference.is_in_transaction = false;
        self.reference.has_failed = false;
        self.compare_table(db, transaction).await
    }

    /// `optlock::transaction`. What it comes to, and what it should.
    async fn closure(
        &mut self,
        db: &DatabaseConnection,
        transaction: &Transaction,
    ) -> Result<(String, String), Difference> {
        let ran = Mutex::new((0, self.clone()));
        let outcome = optlock::transaction(db, |txn: Txn| {
            let (ran, mut case) = (&ran, self.clone());
            async move {
                let outcome = case.parts(&txn, &transaction.parts).await;
                let mut ran = ran.lock().unwrap_or_else(PoisonError::into_inner);
                *ran = (ran.0 + 1, case);
                outcome.map_err(Stop::Difference)?;
                match transaction.end {
                    End::Fails => Err(Stop::Asked),
                    _ => Ok(()),
                }
            }
        })
        .await;
        let (attempts, case) = ran.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self = case;
        let told = match outcome {
            Err(Stop::Difference(difference)) => return Err(difference),
            Ok(()) => "Ok".to_owned(),
            Err(Stop::Asked) => "its own error".to_owned(),
            Err(Stop::Store(err)) => format!("{:?}", Outcome::from(err)),
        };
        let expected = match transaction.end {
            End::Fails => "its own error".to_owned(),
            // The closure has ignored an error that has ended the transaction.
            _ if self.reference.has_failed => format!("{:?}", Outcome::TransactionFailed),
            _ => "Ok".to_owned(),
        };
        Ok((
            format!("{told} in attempt {attempts}"),
            format!("{expected} in attempt 1"),
        ))
    }

    /// SeaORM's `begin`.
    async fn by_hand(
        &mut self,
        db: &DatabaseConnection,
        transaction: &Transaction,
    ) -> Result<(String, String), Difference> {
        let txn = db.begin().await.map_err(|err| format!("begin: {err}"))?;
        self.parts(&txn, &transaction.parts).await?;
        let outcome = match transaction.end {
            // Of a transaction that has failed on PostgreSQL, this is `Ok`, and stores nothing.
            End::Commit => txn.commit().await,
            End::Rollback => txn.rollback().await,
            End::Returns | End::Fails | End::Drop => {
                drop(txn);
                Ok(())
            }
        };
        let told = outcome.map_or_else(|err| err.to_string(), |()| "Ok".to_owned());
        Ok((told, "Ok".to_owned()))
    }

    async fn parts<T>(&mut self, txn: &T, parts: &[Part]) -> Result<(), Difference>
    where
        T: Site + OpenTransaction + TransactionTrait<Transaction: Site + OpenTransaction + TransactionSession>,
    {
        for part in parts {
            if self.reference.has_failed {
                return Ok(());
            }
            match part {
                Part::Step(step) => self.step(txn, step).await?,
                Part::Savepoint { steps, keeps } => {
                    let rows = self.reference.rows.clone();
                    let savepoint = txn.begin().await.map_err(|err| format!("a savepoint: {err}"))?;
                    for step in steps {
                        if !self.reference.has_failed {
                            self.step(&savepoint, step).await?;
                        }
                    }
                    let outcome = if *keeps && !self.reference.has_failed {
                        savepoint.commit().await
                    } else {
                        // Mends what has failed since it began.
                        self.reference.has_failed = false;
                        self.reference.rows = rows;
                        savepoint.rollback().await
                    };
                    outcome.map_err(|err| format!("the end of a savepoint: {err}"))?;
                    self.compare_table(txn, part).await?;
                }
            }
        }
        Ok(())
    }

    async fn step<T: Site + OpenTransaction>(&mut self, txn: &T, step: &Step) -> Result<(), Difference> {
        match step {
            Step::Write(write) => self.write(txn, write).await,
            Step::Lock(lock) => self.lock(txn, lock).await,
        }
    }

    fn compare(
        &mut self,
        before: &Reference,
        command: &impl fmt::Debug,
        told: &Outcome,
        expected: &Outcome,
    ) -> Result<(), Difference> {
        self.operations += 1;
        self.conflicts += told.conflicts();
        for kind in told.kinds() {
            *self.kinds.entry(kind).or_default() += 1;
        }
        if told == expected {
            return Ok(());
        }
        let Reference { rows, handles, .. } = before;
        Err(format!(
            "{command:?}\n  came to {told:?}\n  and not to {expected:?}\n  with the rows {rows:?}\n  and in hand {handles:?}"
        ))
    }

    /// Compares the whole table, unless nobody can read it.
    async fn compare_table<S: Site>(&self, site: &S, command: &impl fmt::Debug) -> Result<(), Difference> {
        if self.reference.has_failed {
            return Ok(());
        }
        let stored = item::all(site)
            .await
            .map_err(|err| format!("{command:?}\n  and the table cannot be read: {err}"))?;
        if stored.iter().eq(self.reference.rows.values()) {
            return Ok(());
        }
        let expected: Vec<_> = self.reference.rows.values().collect();
        Err(format!("{command:?}\n  left {stored:?}\n  and not {expected:?}"))
    }
}

/// Why a closure has not returned `Ok`.
#[derive(Debug)]
enum Stop {
    Asked,
    Difference(Difference),
    Store(Error),
}

impl From<Error> for Stop {
    fn from(err: Error) -> Self {
        Self::Store(err)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the closure has stopped")
    }
}

impl std::error::Error for Stop {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(err) => Some(err),
            Self::Asked | Self::Difference(_) => None,
        }
    }
}
