//! Orders that are saved together with their lines, as SeaORM's nested saves do.

use optlock::Error;
use optlock::prelude::*;
use optlock_history::{Access, Id, Seen};
use sea_orm::Schema;

use super::Rows;
use crate::Result;
use crate::client::{Client, outcome};
use crate::row::token;

const ORDERS: i64 = 3;
const LINES: i64 = 2;

/// The keys of lines in a history come after those of orders.
const OF_LINES: i64 = 1_000;

mod order {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "customer_order")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) id: i64,
        pub(super) total: i64,
        pub(super) writer: i64,
        #[version]
        pub(super) version: i64,
        #[sea_orm(has_many)]
        pub(super) lines: HasMany<super::line::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod line {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "line")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) id: i64,
        pub(super) order_id: i64,
        pub(super) qty: i64,
        pub(super) writer: i64,
        #[version]
        pub(super) version: i64,
        #[sea_orm(belongs_to, from = "order_id", to = "id")]
        pub(super) order: BelongsTo<super::order::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) async fn create(db: &DatabaseConnection) -> Result<()> {
    let schema = Schema::new(db.get_database_backend());
    db.execute(&schema.create_table_from_entity(order::Entity)).await?;
    db.execute(&schema.create_table_from_entity(line::Entity)).await?;
    for id in 1..=ORDERS {
        db.execute_unprepared(&format!("INSERT INTO customer_order VALUES ({id}, 0, 0, 1)"))
            .await?;
        for line in 1..=LINES {
            let key = id * LINES + line;
            db.execute_unprepared(&format!("INSERT INTO line VALUES ({key}, {id}, 0, 0, 1)"))
                .await?;
        }
    }
    Ok(())
}

/// One more of a line, and the total of its order.
pub(super) async fn step(client: &mut Client) -> Result<()> {
    let id = client.random.i64(1..=ORDERS);
    let picked = client.random.usize(0..usize::try_from(LINES)?);
    let begun = client.begin();
    let loaded = order::Entity::load()
        .filter(order::Column::Id.eq(id))
        .with(line::Entity)
        .one(&client.db)
        .await;
    let loaded = match loaded {
        Ok(loaded) => loaded.ok_or("an order is gone")?,
        Err(err) => {
            let err = Error::from(err);
            return outcome(&err).map(drop).ok_or_else(|| err.into());
        }
    };
    let (seen, total) = (seen(loaded.version, loaded.writer), loaded.total);
    let mut order = loaded.into_active_model();
    order.total = Set(total + 1);
    order.writer = Set(token(begun.id));
    let line = &mut order.lines[picked];
    let (line_key, line_seen) = (OF_LINES + line.id.as_ref(), seen_of(line));
    line.qty = Set(line.qty.as_ref() + 1);
    line.writer = Set(token(begun.id));
    let accesses = vec![Access::changed(id, seen), Access::changed(line_key, line_seen)];
    match order.save(&client.db).await {
        Ok(_) => client.committed(&begun, accesses),
        Err(err) => client.failed(&begun, accesses, Error::from(err))?,
    }
    Ok(())
}

fn seen(version: i64, writer: i64) -> Seen {
    let writer = u64::try_from(writer).ok().filter(|writer| *writer != 0);
    Seen {
        version,
        writer: writer.map(Id),
    }
}

fn seen_of(line: &line::ActiveModelEx) -> Seen {
    seen(*line.version.as_ref(), *line.writer.as_ref())
}

pub(super) async fn rows(db: &DatabaseConnection) -> Result<Rows> {
    let orders = order::Entity::find().all(db).await?;
    let lines = line::Entity::find().all(db).await?;
    let orders = orders.iter().map(|row| (row.id, seen(row.version, row.writer)));
    let lines = lines
        .iter()
        .map(|row| (OF_LINES + row.id, seen(row.version, row.writer)));
    Ok(orders.chain(lines).collect())
}

/// Every order has the total of its lines, and as many versions as changes.
pub(super) async fn wrongs(db: &DatabaseConnection) -> Result<Vec<String>> {
    let lines = line::Entity::find().all(db).await?;
    let orders = order::Entity::find().all(db).await?;
    let wrongs = orders.iter().filter_map(|order| {
        let of_order = lines.iter().filter(|line| line.order_id == order.id);
        let total: i64 = of_order.map(|line| line.qty).sum();
        (order.total != total || order.total != order.version - 1).then(|| {
            format!(
                "order {} has {} at version {}, and its lines {total}",
                order.id, order.total, order.version
            )
        })
    });
    Ok(wrongs.collect())
}
