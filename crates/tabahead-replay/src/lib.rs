//! tabahead-replay
