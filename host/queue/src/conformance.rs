//! The conformance suite: what every broker must do.
