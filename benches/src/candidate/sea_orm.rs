//! Plain SeaORM: its `update`, which checks nothing, and the checked update that users write by hand.

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, DatabaseConnection, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, Set,
};

use super::{Pick, Share, Way, exactly_one};
use crate::Result;
use crate::table::plain;

pub(super) struct Update {
    db: DatabaseConnection,
    models: Vec<plain::Model>,
}

impl Update {
    pub(super) async fn new(share: Share<'_>) -> Result<Self> {
        Ok(Self {
            db: share.target.pool(&share.file, 1).await?,
            models: share.rows,
        })
    }
}

impl Way for Update {
    async fn update(&mut self, pick: Pick) -> Result<()> {
        let mut model = self.models[pick.slot].clone().into_active_model();
        model.stock = Set(pick.stock);
        self.models[pick.slot] = model.update(&self.db).await?;
        Ok(())
    }
}

pub(super) struct UpdateMany {
    db: DatabaseConnection,
    models: Vec<plain::Model>,
}

impl UpdateMany {
    pub(super) async fn new(share: Share<'_>) -> Result<Self> {
        Ok(Self {
            db: share.target.pool(&share.file, 1).await?,
            models: share.rows,
        })
    }
}

impl Way for UpdateMany {
    async fn update(&mut self, pick: Pick) -> Result<()> {
        let model = &mut self.models[pick.slot];
        let update = plain::Entity::update_many()
            .col_expr(plain::Column::Stock, Expr::val(pick.stock))
            .col_expr(plain::Column::Version, Expr::col(plain::Column::Version).add(1))
            .filter(plain::Column::Id.eq(model.id))
            .filter(plain::Column::Version.eq(model.version));
        exactly_one(update.exec(&self.db).await?.rows_affected)?;
        model.stock = pick.stock;
        model.version += 1;
        Ok(())
    }
}
