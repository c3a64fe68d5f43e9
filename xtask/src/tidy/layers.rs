//! The layers of each library crate, from the ground up.
//!
//! A module may import only from the layers below its own; what is in one layer does not know of its
//! neighbours. `lib.rs` stands above them all.

pub(super) struct Layers {
    /// The directory of the crate's `lib.rs`.
    pub(super) source: &'static str,
    /// The crate's top-level modules; the first layer is the lowest.
    pub(super) layers: &'static [&'static [&'static str]],
}

pub(super) const CORE: Layers = Layers {
    source: "optlock-core/src",
    layers: &[
        &["sync"],
        &[
            "budget",
            "clock",
            "invalid_policy",
            "lock_mode",
            "random",
            "to_its_end",
            "transaction",
            "value",
            "version",
        ],
        &["backend", "backoff", "queue"],
        &["error"],
        &["entity", "policy"],
        &["advance", "returning", "write_lock"],
        &["locking_read", "row"],
        &["diagnosis", "overflow", "readback"],
        &["try_insert"],
        &["delete", "insert", "insert_many", "update", "update_many"],
        &["active", "advisory", "change", "upsert"],
        &["lock", "retry", "txn"],
        &["place", "runner"],
        &["batch"],
        &["modify", "update_by_id"],
    ],
};

pub(super) const DERIVE: Layers = Layers {
    source: "optlock-derive/src",
    layers: &[
        &["diagnostics", "krate", "methods", "naming"],
        &["attribute", "retry"],
        &["field"],
        &["rules"],
        &["model"],
        &["expand"],
    ],
};
