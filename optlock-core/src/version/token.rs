//! Random tokens.

use uuid::Uuid;

use super::{Kind, Precision, Repr, own_representation};

own_representation!(Uuid);

impl Repr for Uuid {
    const KIND: Kind = Kind::Token;

    fn first(_: Precision) -> Self {
        Self::new_v4()
    }

    fn next(&self, _: Precision) -> Option<Self> {
        Some(Self::new_v4())
    }
}
