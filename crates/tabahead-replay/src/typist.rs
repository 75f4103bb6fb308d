//! How long people take: drawn from distributions that were measured.

#![allow(missing_docs)]

use std::time::Duration;
pub struct Typist(u64);
impl Typist {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
    fn f(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        ((self.0 >> 11) as f64) / ((1u64 << 53) as f64)
    }
    fn n(&mut self) -> f64 {
        let u = self.f().max(1e-12);
        let v = self.f();
        (-2.0 * u.ln()).sqrt() * (v * std::f64::consts::TAU).cos()
    }
    pub fn next_key(&mut self) -> Duration {
        let z = self.n();
        Duration::from_secs_f64(0.092 * (0.77 * z).exp())
    }
    pub fn accepts_after(&mut self) -> Duration {
        let z = self.n();
        Duration::from_secs_f64(0.74 * (if z < 0.0 { 0.526 } else { 1.058 } * z).exp().max(0.1))
    }
    pub fn edits_after_accept(&mut self) -> Duration {
        let z = self.n();
        Duration::from_secs_f64(1.197 * (0.843 * z).exp())
    }
}
