//! What the programs compute, once more, in f64.

/// The error function by its series; for moderate x.
pub(super) fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

pub(super) fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + erf(x / 2f64.sqrt()))
}

pub(super) fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// W · x for rows of W.
pub(super) fn times(matrix: &[f64], x: &[f64]) -> Vec<f64> {
    matrix.chunks(x.len()).map(|row| dot(row, x)).collect()
}

pub(super) fn plus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// −ln p of a label.
pub(super) fn loss(scores: &[f64], label: usize) -> f64 {
    let sum: f64 = scores.iter().map(|x| x.exp()).sum();
    sum.ln() - scores[label]
}

/// The mean of losses by how much they count.
pub(super) fn mean(losses: &[f64], counts: &[f32]) -> f64 {
    let counts: Vec<_> = counts.iter().map(|count| f64::from(*count)).collect();
    dot(losses, &counts) / counts.iter().sum::<f64>()
}

pub(super) fn rms_norm(x: &[f64], gain: &[f64], epsilon: f64) -> Vec<f64> {
    let rstd = 1.0 / (dot(x, x) / x.len() as f64 + epsilon).sqrt();
    x.iter().zip(gain).map(|(x, gain)| x * rstd * gain).collect()
}

pub(super) fn layer_norm(x: &[f64], gain: &[f64], bias: &[f64], epsilon: f64) -> Vec<f64> {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let centred: Vec<_> = x.iter().map(|x| x - mean).collect();
    plus(&rms_norm(&centred, gain, epsilon), bias)
}
