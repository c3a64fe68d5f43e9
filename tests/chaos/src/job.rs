//! What a worker is told to do, as arguments of its process.

use std::ffi::OsString;
use std::time::Duration;

use crate::Result;
use crate::address::Address;
use crate::backend::Backend;
use crate::workload::Workload;

/// The argument that makes this program a worker.
pub(crate) const COMMAND: &str = "worker";

#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) workload: Workload,
    pub(crate) address: Address,
    pub(crate) time: Duration,
    pub(crate) seed: u64,
    /// The number of its first client, among those of all processes.
    pub(crate) first_client: u64,
    pub(crate) clients: u64,
    pub(crate) connections: u32,
    /// Whether each line is written down at once, since the process is going to be killed.
    pub(crate) is_journalled: bool,
}

impl Job {
    pub(crate) fn arguments(&self) -> [OsString; 11] {
        let schema = self.address.schema.as_deref().unwrap_or("-");
        [
            COMMAND.into(),
            self.workload.name().into(),
            self.address.backend.name().into(),
            self.address.url.clone().into(),
            schema.into(),
            self.time.as_millis().to_string().into(),
            self.seed.to_string().into(),
            self.first_client.to_string().into(),
            self.clients.to_string().into(),
            self.connections.to_string().into(),
            self.is_journalled.to_string().into(),
        ]
    }

    /// From what comes after [`COMMAND`].
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self> {
        let [
            workload,
            backend,
            url,
            schema,
            time,
            seed,
            first_client,
            clients,
            connections,
            is_journalled,
        ] = arguments
        else {
            return Err("a worker is started by this program alone".into());
        };
        Ok(Self {
            workload: Workload::from_name(workload).ok_or("no such workload")?,
            address: Address {
                backend: Backend::from_name(backend).ok_or("no such database")?,
                url: (*url).to_owned(),
                schema: (*schema != "-").then(|| (*schema).to_owned()),
            },
            time: Duration::from_millis(time.parse()?),
            seed: seed.parse()?,
            first_client: first_client.parse()?,
            clients: clients.parse()?,
            connections: connections.parse()?,
            is_journalled: is_journalled.parse()?,
        })
    }
}
