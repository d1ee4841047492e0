//! hwdb
