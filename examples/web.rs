//! A shop over HTTP on a database file, and sixteen customers who want the same three products at once. Run it with
//! `cargo run --example web`: nothing is sold twice, and nothing is lost.

#![allow(unreachable_pub, reason = "an entity is written as in a module of an application")]

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use axum::{Json, Router};
use optlock::prelude::*;
use optlock::{Fault, Policy, Retry};
use sea_orm::{ConnectOptions, Database, Schema};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

mod product {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "product")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub stock: i32,
        #[version]
        pub version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// An order is its lines. Its number comes from the customer, so one that is sent twice is stored once.
mod order_line {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "order_line")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub order: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub product: i32,
        pub count: i32,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

const CUSTOMERS: i32 = 16;
const ORDERS_OF_EACH: i32 = 10;
const PRODUCTS: [i32; 3] = [1, 2, 3];
const STOCK: i32 = 40;
const SHELF: i32 = 60;

/// One policy for all handlers, so that one hook counts for all of them.
const SHOP: Policy<'static> = Policy::new().attempts(20).on_retry(&count);

static CONFLICTS: AtomicU32 = AtomicU32::new(0);
static OTHER_RETRIES: AtomicU32 = AtomicU32::new(0);

fn count(retry: &Retry) {
    let counter = if retry.fault().is_conflict() {
        &CONFLICTS
    } else {
        &OTHER_RETRIES
    };
    counter.fetch_add(1, Ordering::Relaxed);
}

#[derive(Debug, thiserror::Error)]
enum ShopError {
    #[error("there are only {stock} of product {id}")]
    SoldOut { id: i32, stock: i32 },
    #[error("there is no room for so many of product {0}")]
    NoRoom(i32),
    #[error(transparent)]
    Store(#[from] optlock::Error),
}

/// What SeaORM returns for an entity without a version.
impl From<DbErr> for ShopError {
    fn from(err: DbErr) -> Self {
        Self::Store(err.into())
    }
}

/// What the policy could not get past, as a customer should see it.
impl IntoResponse for ShopError {
    fn into_response(self) -> Response {
        let status = match (&self, optlock::fault(&self)) {
            (Self::SoldOut { .. } | Self::NoRoom(_), _) => StatusCode::UNPROCESSABLE_ENTITY,
            (Self::Store(optlock::Error::MissingRows(_)), _) => StatusCode::NOT_FOUND,
            // Others were faster each time, or the order is there already.
            (_, Fault::Stale | Fault::Serialization | Fault::Deadlock | Fault::Unique) => StatusCode::CONFLICT,
            (
                _,
                Fault::Busy
                | Fault::LockTimeout
                | Fault::PoolTimeout
                | Fault::Unavailable
                | Fault::ConnectionLost
                | Fault::OutcomeUnknown,
            ) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, self.to_string()).into_response()
    }
}

/// `PUT /orders/{number}` with how many of which products: all of them or none.
async fn checkout(
    State(db): State<DatabaseConnection>,
    Path(order): Path<i32>,
    Json(basket): Json<BTreeMap<i32, u16>>,
) -> Result<StatusCode, ShopError> {
    let basket = &basket; // each attempt borrows it
    // Should the answer to the commit be lost, the lines say whether it was done.
    let is_there = |db: DatabaseConnection| async move {
        let line = order_line::Entity::find().filter(order_line::Column::Order.eq(order));
        Ok(line.one(&db).await?.is_some())
    };
    SHOP.transaction_verified(&db, is_there, |txn| async move {
        product::Entity::try_modify_all(&txn, basket.keys().copied(), |product| {
            let count = basket.get(&product.id).copied().map_or(0, i32::from);
            take(product, count)
        })
        .await?;
        let lines = basket.iter().map(|(product, count)| order_line::ActiveModel {
            order: Set(order),
            product: Set(*product),
            count: Set(i32::from(*count)),
        });
        order_line::Entity::insert_many(lines).exec(&txn).await?;
        Ok(StatusCode::CREATED)
    })
    .await
}

fn take(product: &mut product::Model, count: i32) -> Result<(), ShopError> {
    if product.stock < count {
        let product::Model { id, stock, .. } = *product;
        return Err(ShopError::SoldOut { id, stock });
    }
    product.stock -= count;
    Ok(())
}

/// `POST /products/{id}/stock` with how many are brought; answers with how many there are now.
async fn restock(
    State(db): State<DatabaseConnection>,
    Path(id): Path<i32>,
    Json(count): Json<u16>,
) -> Result<Json<i32>, ShopError> {
    // `product::Entity::try_modify(&db, id, …)` is the same by the default policy.
    let product = SHOP.try_modify(product::Entity, &db, id, |product| {
        product.stock += i32::from(count);
        if product.stock > SHELF {
            Err(ShopError::NoRoom(id))
        } else {
            Ok(())
        }
    });
    Ok(Json(product.await?.stock))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite:{}?mode=rwc", directory.path().join("shop.db").display());
    let mut options = ConnectOptions::new(url);
    options.max_connections(8);
    let db = Database::connect(options).await?;
    db.execute_unprepared("PRAGMA journal_mode = WAL").await?;
    let schema = Schema::new(db.get_database_backend());
    db.execute(&schema.create_table_from_entity(product::Entity)).await?;
    db.execute(&schema.create_table_from_entity(order_line::Entity)).await?;
    let products = PRODUCTS.map(|id| product::ActiveModel {
        id: Set(id),
        stock: Set(STOCK),
        version: NotSet,
    });
    product::Entity::insert_many(products).exec(&db).await?;

    let shop = Router::new()
        .route("/orders/{number}", put(checkout))
        .route("/products/{id}/stock", post(restock))
        .with_state(db.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move { axum::serve(listener, shop).await });

    let mut customers = JoinSet::new();
    for customer in 0..CUSTOMERS {
        customers.spawn(visit(address, customer));
    }
    let mut all = Answers::default();
    while let Some(answers) = customers.join_next().await {
        all.add(&answers??);
    }
    server.abort();

    println!(
        "{} orders, {} sold out, {} given up",
        all.orders, all.sold_out, all.given_up
    );
    let (conflicts, others) = (CONFLICTS.load(Ordering::Relaxed), OTHER_RETRIES.load(Ordering::Relaxed));
    println!("{conflicts} conflicts retried, {others} other retries");
    let lines = order_line::Entity::find().all(&db).await?;
    for product in product::Entity::find().all(&db).await? {
        let sold = lines.iter().filter(|line| line.product == product.id);
        let sold: i32 = sold.map(|line| line.count).sum();
        let brought = all.restocked.get(&product.id).copied().unwrap_or_default();
        println!(
            "product {}: {STOCK} at first, {brought} brought, {sold} sold, {} left",
            product.id, product.stock
        );
        assert_eq!(product.stock + sold, STOCK + brought);
        assert!((0..=SHELF).contains(&product.stock));
    }
    let mut orders: Vec<i32> = lines.iter().map(|line| line.order).collect();
    orders.sort_unstable();
    orders.dedup();
    assert_eq!(orders.len(), all.orders);
    Ok(())
}

/// What the shop has answered.
#[derive(Default)]
struct Answers {
    orders: usize,
    sold_out: usize,
    given_up: usize,
    restocked: BTreeMap<i32, i32>,
}

impl Answers {
    fn add(&mut self, other: &Self) {
        self.orders += other.orders;
        self.sold_out += other.sold_out;
        self.given_up += other.given_up;
        for (id, count) in &other.restocked {
            *self.restocked.entry(*id).or_default() += count;
        }
    }
}

/// A customer, who orders two products at a time. A supplier comes in between.
async fn visit(address: SocketAddr, customer: i32) -> Result<Answers, Box<dyn Error + Send + Sync>> {
    let mut answers = Answers::default();
    for n in 0..ORDERS_OF_EACH {
        let order = customer * ORDERS_OF_EACH + n;
        let (first, second) = (1 + order % 3, 1 + (order + 1) % 3);
        let basket = format!(r#"{{"{first}": 1, "{second}": 2}}"#);
        match send(address, &format!("PUT /orders/{order}"), &basket).await? {
            201 => answers.orders += 1,
            422 => answers.sold_out += 1,
            409 | 503 => answers.given_up += 1,
            status => return Err(format!("order {order} was answered with {status}").into()),
        }
        match send(address, &format!("POST /products/{first}/stock"), "2").await? {
            200 => *answers.restocked.entry(first).or_default() += 2,
            422 => {}
            409 | 503 => answers.given_up += 1,
            status => return Err(format!("product {first} was answered with {status}").into()),
        }
    }
    Ok(answers)
}

/// Sends a request over a connection of its own, and returns the status of the answer.
async fn send(address: SocketAddr, request: &str, body: &str) -> Result<u16, Box<dyn Error + Send + Sync>> {
    let length = body.len();
    let mut stream = TcpStream::connect(address).await?;
    let message = format!(
        "{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(message.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1).ok_or("no status in the answer")?;
    Ok(status.parse()?)
}
