//! A test case, and how it becomes a test of one backend.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use crate::backend::Backend;
use crate::context::Context;

/// What a case returns: an error fails it, like a panic.
pub(crate) type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// No case takes a tenth of this; one that does hangs.
const WATCHDOG: Duration = Duration::from_mins(2);

#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(Context) -> Pin<Box<dyn Future<Output = Outcome> + Send>>,
    pub(crate) backends: &'static [Backend],
}

/// Lists cases: functions that run on every backend, then those of one of the sets in `Backend`, as in
/// `cases![a, b; SERVERS: c, d; SQLITE: e]`.
macro_rules! cases {
    ($($every:ident),* $(,)? $(; $set:ident: $($some:ident),+ $(,)?)* $(;)?) => {
        pub(crate) const CASES: &[$crate::case::Case] = &[
            $($crate::case::Case {
                name: concat!(module_path!(), "::", stringify!($every)),
                run: |context| Box::pin($every(context)),
                backends: &$crate::backend::Backend::ALL,
            },)*
            $($($crate::case::Case {
                name: concat!(module_path!(), "::", stringify!($some)),
                run: |context| Box::pin($some(context)),
                backends: $crate::backend::Backend::$set,
            },)+)*
        ];
    };
}
pub(crate) use cases;

impl Case {
    /// The test of this case on a backend, if it is one of that backend's.
    pub(crate) fn trial(&self, backend: Backend) -> Option<Trial> {
        if !self.backends.contains(&backend) {
            return None;
        }
        let run = self.run;
        let path = self.name.split_once("::").map_or(self.name, |(_, path)| path);
        let trial = Trial::test(format!("{}::{path}", backend.name()), move || run_on(backend, run));
        Some(trial.with_ignored_flag(backend.url().is_none()))
    }
}

fn run_on(backend: Backend, run: fn(Context) -> Pin<Box<dyn Future<Output = Outcome> + Send>>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let context = Context::open(backend).await?;
        match tokio::time::timeout(WATCHDOG, run(context)).await {
            Ok(outcome) => outcome.map_err(|err| Failed::from(report(&*err))),
            Err(_) => Err(Failed::from(format!("still running after {WATCHDOG:?}"))),
        }
    })
}

/// An error and its causes.
fn report(err: &dyn Error) -> String {
    let mut text = err.to_string();
    let mut source = err.source();
    while let Some(err) = source {
        text.push_str("\n  caused by: ");
        text.push_str(&err.to_string());
        source = err.source();
    }
    text
}
