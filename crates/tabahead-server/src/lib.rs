//! tabahead-server
