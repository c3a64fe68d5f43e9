//! The batch of this library.

use std::collections::HashMap;

use async_trait::async_trait;
use optlock::prelude::*;

use super::loops::models;
use super::{Change, Way};
use crate::Result;
use crate::database::Target;
use crate::table::{plain, product};

pub(super) struct Batch {
    db: DatabaseConnection,
    rows: HashMap<i32, plain::Model>,
    models: Vec<product::ActiveModel>,
    wants_rows: bool,
}

impl Batch {
    pub(super) async fn new(target: &Target, rows: &[plain::Model], wants_rows: bool) -> Result<Self> {
        Ok(Self {
            db: target.pool("batch", 1).await?,
            rows: rows.iter().map(|row| (row.id, row.clone())).collect(),
            models: Vec::new(),
            wants_rows,
        })
    }
}

#[async_trait]
impl Way for Batch {
    fn prepare(&mut self, change: &Change) {
        self.models = models(&self.rows, change);
    }

    async fn write(&mut self, _: &Change) -> Result<()> {
        let batch = product::Entity::update_batch(self.models.drain(..));
        if self.wants_rows {
            batch.exec(&self.db).await?;
        } else {
            batch.exec_without_returning(&self.db).await?;
        }
        Ok(())
    }
}
