//! Errors as a driver reports them, for tests: sqlx makes them of what a server sends, and of nothing else.

use std::io::Write as _;
use std::net::TcpListener;
use std::thread;

use sea_orm::sqlx::{Connection as _, MySqlConnection};
use sea_orm::{DbErr, RuntimeErr};

use super::Fault;

/// The error with this number, from what takes itself for a MySQL and greets its client with that.
pub(crate) async fn of_mysql(number: u16) -> DbErr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mysql://root@{}/shop", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let [low, high] = number.to_le_bytes();
        // Three bytes of length, the number of the packet, the mark of an error, and a message.
        client.write_all(&[5, 0, 0, 0, 0xff, low, high, b'n', b'o']).unwrap();
    });
    let err = MySqlConnection::connect(&url).await.unwrap_err();
    server.join().unwrap();
    DbErr::Query(RuntimeErr::SqlxError(err.into()))
}

/// An error of this meaning, for tests that know no numbers.
pub(crate) async fn meaning(fault: Fault) -> DbErr {
    let number = match fault {
        Fault::Serialization => 1020,
        Fault::Deadlock => 1213,
        Fault::OutOfLocks => 1206,
        Fault::ConnectionLost => 1053,
        Fault::Aborted => 1305,
        Fault::LockTimeout => 1205,
        Fault::Cancelled => 1317,
        Fault::Other => 1146,
        _ => panic!("no error for {fault}"),
    };
    of_mysql(number).await
}
