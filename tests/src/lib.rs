//! Empty: the end-to-end tests are the test program in `e2e/`.
