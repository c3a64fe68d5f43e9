//! A future that goes on when it is dropped.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs a future in its owner's task. If the owner drops it half-way and it must not be cut short, a task of its own runs
/// the rest.
///
/// sqlx 0.9.0 loses the connection of a MySQL transaction whose statement is dropped while it is in flight, and gives one of PostgreSQL back to the
/// pool within a transaction if it is the `BEGIN`. What ends a savepoint goes on everywhere: half of it would be taken for a failure. All of it goes on
/// until the server answers, as it would in any case; whoever waits for the connection waits for that.
pub(crate) struct ToItsEnd<T: Send + 'static> {
    future: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    goes_on: bool,
}

pub(crate) fn to_its_end<T, F>(goes_on: bool, future: F) -> ToItsEnd<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    ToItsEnd {
        future: Some(Box::pin(future)),
        goes_on,
    }
}

impl<T: Send + 'static> Future for ToItsEnd<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(future) = &mut self.future else {
            // Polled after it was ready, which no `await` does.
            return Poll::Pending;
        };
        let output = future.as_mut().poll(cx);
        if output.is_ready() {
            self.future = None;
        }
        output
    }
}

impl<T: Send + 'static> Drop for ToItsEnd<T> {
    fn drop(&mut self) {
        if let Some(future) = self.future.take()
            && self.goes_on
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(future);
        }
    }
}
