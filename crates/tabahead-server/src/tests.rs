//! Tests of the whole server on in-memory pipes, with a scripted backend.
