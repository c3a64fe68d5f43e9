//! toasty on SQLite, driven by the benchmark one round at a time.
//!
//! Arguments: the file, and the keys of the rows, with commas. Then a line of `slot:stock` for each round, and the
//! nanoseconds it took as the answer.

use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::time::Instant;

use toasty::{Db, Model};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

#[derive(Debug, Model)]
#[table = "product"]
struct Product {
    #[key]
    id: i32,
    name: String,
    stock: i32,
    price: i32,
    note: String,
    #[version]
    version: u64,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    // On a worker, as in the other process: the main thread is none.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    tokio::spawn(serve(arguments)).await?
}

async fn serve(arguments: Vec<String>) -> Result<()> {
    let [path, ids] = arguments.as_slice() else {
        return Err("this is a part of the benchmark: run `cargo xtask bench`".into());
    };
    let mut db = Db::builder()
        .models(toasty::models!(Product))
        .max_pool_size(1)
        .connect(&format!("sqlite:{path}"))
        .await?;
    let mut models = Vec::new();
    for id in ids.split(',') {
        let id: i32 = id.parse()?;
        models.push(Product::get_by_id(&mut db, id).await?);
    }
    say("ready")?;
    let mut line = String::new();
    loop {
        line.clear();
        if std::io::stdin().lock().read_line(&mut line)? == 0 {
            return Ok(());
        }
        let picks = picks(&line)?;
        let started = Instant::now();
        for (slot, stock) in picks {
            models[slot].update().stock(stock).exec(&mut db).await?;
        }
        say(&started.elapsed().as_nanos().to_string())?;
    }
}

fn picks(line: &str) -> Result<Vec<(usize, i32)>> {
    let picks = line.split_whitespace().map(|pick| {
        let (slot, stock) = pick.split_once(':').ok_or("a pick is `slot:stock`")?;
        Ok((slot.parse()?, stock.parse()?))
    });
    picks.collect()
}

fn say(answer: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{answer}")?;
    output.flush()?;
    Ok(())
}
