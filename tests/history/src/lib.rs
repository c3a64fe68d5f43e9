//! Judges what concurrent clients did to versioned rows by what they logged.
