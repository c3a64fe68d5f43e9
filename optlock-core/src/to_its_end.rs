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
        // Taken out: one that panics must not be polled again.
        let Some(mut future) = self.future.take() else {
            // Polled after it was ready, which no `await` does.
            return Poll::Pending;
        };
        let output = future.as_mut().poll(cx);
        if output.is_pending() {
            self.future = Some(future);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_has_panicked_does_not_go_on() {
        let polls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&polls);
        let panics = std::future::poll_fn(move |_| -> Poll<()> {
            counted.fetch_add(1, Ordering::Relaxed);
            panic!("a mistake");
        });
        assert!(tokio::spawn(to_its_end(true, panics)).await.unwrap_err().is_panic());
        tokio::task::yield_now().await;
        assert_eq!(polls.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn what_is_dropped_half_way_goes_on() {
        let (done, is_done) = tokio::sync::oneshot::channel();
        let mut work = Box::pin(to_its_end(true, async {
            tokio::task::yield_now().await;
            done.send(()).ok();
        }));
        std::future::poll_fn(|cx| {
            assert!(work.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(work);
        assert!(is_done.await.is_ok());
    }
}
