//! tabahead-mini
