//! What this library offers for a loaded row.

use optlock::prelude::*;

use super::{Pick, Share, Way};
use crate::Result;
use crate::table::{plain, product};

/// The pool and the models, which all of them have.
struct Loaded {
    db: DatabaseConnection,
    models: Vec<product::Model>,
}

impl Loaded {
    async fn new(share: Share<'_>) -> Result<Self> {
        Ok(Self {
            db: share.target.pool(&share.file, 1).await?,
            models: share.rows.into_iter().map(versioned).collect(),
        })
    }

    fn changed(&self, pick: Pick) -> product::ActiveModel {
        let mut model = self.models[pick.slot].clone().into_active_model();
        model.stock = Set(pick.stock);
        model
    }
}

pub(super) fn versioned(row: plain::Model) -> product::Model {
    product::Model {
        id: row.id,
        name: row.name,
        stock: row.stock,
        price: row.price,
        note: row.note,
        version: row.version,
    }
}

macro_rules! ways {
    ($($name:ident),*) => {$(
        pub(super) struct $name(Loaded);

        impl $name {
            pub(super) async fn new(share: Share<'_>) -> Result<Self> {
                Ok(Self(Loaded::new(share).await?))
            }
        }
    )*};
}

ways!(Update, UpdateWithoutReturning, ModifyModel, ModifyByKey);

impl Way for Update {
    async fn update(&mut self, pick: Pick) -> Result<()> {
        let model = self.0.changed(pick);
        self.0.models[pick.slot] = model.update(&self.0.db).await?;
        Ok(())
    }
}

impl Way for UpdateWithoutReturning {
    async fn update(&mut self, pick: Pick) -> Result<()> {
        self.0.changed(pick).update_without_returning(&self.0.db).await?;
        let model = &mut self.0.models[pick.slot];
        model.stock = pick.stock;
        model.version += 1;
        Ok(())
    }
}

impl Way for ModifyModel {
    async fn update(&mut self, pick: Pick) -> Result<()> {
        let model = self.0.models[pick.slot].clone();
        self.0.models[pick.slot] = model.modify(&self.0.db, |model| model.stock = pick.stock).await?;
        Ok(())
    }
}

impl Way for ModifyByKey {
    async fn update(&mut self, pick: Pick) -> Result<()> {
        let id = self.0.models[pick.slot].id;
        product::Entity::modify(&self.0.db, id, |model| model.stock = pick.stock).await?;
        Ok(())
    }
}
