//! What every bench says about its numbers.

/// The line of a goal, by which a run is judged.
pub fn goal(name: &str, ratio: f64, goal: f64, is_met: bool) {
    println!("goal {name}: ratio {ratio:.2} (goal {goal:.2}) {}", if is_met { "met" } else { "missed" });
}

/// The number below which so many of a hundred lie; no number of none.
pub fn percentile(mut numbers: Vec<f64>, percent: usize) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get((numbers.len() * percent / 100).min(numbers.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
