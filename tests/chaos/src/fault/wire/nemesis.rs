//! Faults at random.

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::super::order::{Order, Senders, What, When};
use super::super::proxy::Proxy;

/// Gives one order after another until then.
pub(super) async fn haunt(proxy: &Proxy, random: &mut Rng, until: Instant) {
    while Instant::now() < until {
        tokio::time::sleep(millis(random, 10..40)).await;
        if random.u32(..40) == 0 {
            proxy.refuse(millis(random, 20..200));
        } else {
            let order = order(random);
            proxy.order(order, random);
        }
    }
}

fn order(random: &mut Rng) -> Order {
    let senders = |random: &mut Rng| match random.u32(..3) {
        0 => Senders::Client,
        1 => Senders::Server,
        _ => Senders::Both,
    };
    let what = match random.u32(..20) {
        0..=5 => What::Cut,
        6..=9 => What::Reset,
        10..=12 => What::Late(millis(random, 1..300)),
        13..=14 => What::Stall(senders(random), millis(random, 50..1200)),
        15..=16 => What::BlackHole(senders(random), millis(random, 50..1200)),
        17 => What::Slice(millis(random, 50..500)),
        _ => What::Delay {
            each: millis(random, 1..20),
            lasts: millis(random, 50..500),
        },
    };
    let when = match random.u32(..10) {
        0 if matches!(what, What::Cut | What::Reset) => When::Now,
        0..=3 => When::FromClient(random.usize(..600)),
        4..=5 => When::FromServer(random.usize(..400)),
        6..=7 => When::BeforeCommit,
        _ => When::AfterCommit,
    };
    Order { when, what }
}

fn millis(random: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}
