//! A process of clients, which prints what they log.

use std::io::{BufWriter, LineWriter, Write};
use std::sync::{Arc, Mutex};

use tokio::task::JoinSet;

use crate::Result;
use crate::client::{Client, Event};
use crate::job::Job;

/// Runs all clients of a job to their end.
pub(crate) fn run(job: &Job) -> Result<()> {
    let output: Box<dyn Write + Send> = if job.is_journalled {
        Box::new(LineWriter::new(std::io::stdout()))
    } else {
        Box::new(BufWriter::with_capacity(1 << 16, std::io::stdout()))
    };
    let output = Arc::new(Mutex::new(output));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(clients(job, &output))?;
    output.lock().unwrap().flush()?;
    Ok(())
}

async fn clients(job: &Job, output: &Arc<Mutex<Box<dyn Write + Send>>>) -> Result<()> {
    let db = job.address.connect(job.connections).await?;
    let mut clients = JoinSet::new();
    for number in job.first_client..job.first_client + job.clients {
        let (output, is_journalled, workload) = (Arc::clone(output), job.is_journalled, job.workload);
        let log = move |event: Event<'_>| {
            let mut output = output.lock().unwrap();
            match event {
                Event::Begun(id, start) if is_journalled => writeln!(output, "begun {} {start}", id.0),
                Event::Begun(..) => Ok(()),
                Event::Ended(attempt) => writeln!(output, "{attempt}"),
            }
            // Whoever reads it is gone, and so is the reason to go on.
            .expect("somebody reads");
        };
        let mut client = Client::new(db.clone(), number, job.seed, job.time, log);
        clients.spawn(async move {
            while client.is_on() {
                workload.step(&mut client).await?;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    db.close().await?;
    Ok(())
}
