//! Keys with large biases, brought to one scale.
//!
//! Keys are kept as integers of 16 bits, with one exponent for each token and head. Where a model adds biases of a hundred to a
//! few elements of its keys, as Qwen2 does, those cost all others their digits. Both elements of a pair that is rotated together
//! are therefore divided by a power of two, and those of the queries that meet them multiplied by it: the products stay what they
//! were, exactly, and queries have bits enough.

use crate::config::DecoderConfig;
use assay_exact::scalar::pow2;

/// Largest scale, as a power of two.
const MOST: f64 = 8.0;

/// A map whose rows are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// To queries, which are multiplied.
    Queries,
    /// To keys, which are divided.
    Keys,
}

/// The layer and the part whose weight or bias a tensor is.
pub(super) fn part(name: &str) -> Option<(&str, Part)> {
    let (layer, map) = name.split_once(".self_attn.")?;
    match map {
        "q_proj.weight" | "q_proj.bias" => Some((layer, Part::Queries)),
        "k_proj.weight" | "k_proj.bias" => Some((layer, Part::Keys)),
        _ => None,
    }
}

/// The scale of each element of all heads of keys: how far what it can be is above the median of its head.
///
/// An element is taken to be its bias plus three deviations, where what the norm before leaves has deviations of its gains.
pub(super) fn scales(biases: &[f32], weights: &[f32], gains: &[f32], dimension: usize) -> Vec<f32> {
    let rows = weights.chunks_exact(gains.len().max(1));
    let sizes: Vec<f64> = biases
        .iter()
        .zip(rows)
        .map(|(bias, row)| {
            let square = |(x, gain): (&f32, &f32)| (f64::from(*x) * f64::from(*gain)).powi(2);
            let squares: f64 = row.iter().zip(gains).map(square).sum();
            f64::from(bias.abs()) + 3.0 * squares.sqrt()
        })
        .collect();
    sizes
        .chunks_exact(dimension.max(1))
        .flat_map(|head| {
            let (first, second) = head.split_at(head.len() / 2);
            let pairs: Vec<f64> = first.iter().zip(second).map(|(a, b)| a.max(*b)).collect();
            let mut sorted = pairs.clone();
            sorted.sort_by(f64::total_cmp);
            let median = sorted[sorted.len() / 2].max(f64::MIN_POSITIVE);
            let power = |size: &f64| libm::floor(libm::log2(size / median)).clamp(0.0, MOST) as i32;
            let scales: Vec<f32> = pairs.iter().map(|size| pow2(power(size))).collect();
            [scales.clone(), scales].concat()
        })
        .collect()
}

/// What each row of a map is multiplied by.
pub(super) fn of(part: Part, scales: &[f32], config: &DecoderConfig) -> Vec<f32> {
    match part {
        Part::Keys => scales.iter().map(|scale| 1.0 / scale).collect(),
        Part::Queries => {
            let shared = (config.heads / config.kv_heads.max(1)) as usize;
            let heads = scales.chunks_exact(config.head_dim.max(1) as usize);
            heads.flat_map(|head| head.repeat(shared)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Family;

    #[test]
    fn pairs_with_large_biases_should_have_the_powers_of_two_by_which_they_are_above_the_median() {
        // Rows of one weight: three deviations are 3
        let biases = [0.0, 100.0, 0.5, 0.0, 0.0, 0.0, 0.0, -10.0];
        let scales = scales(&biases, &[1.0; 8], &[1.0], 8);
        // Sizes of the pairs are 3, 103, 3.5 and 13; their median, the upper one, is 13
        assert_eq!(scales, [1.0, 4.0, 1.0, 1.0, 1.0, 4.0, 1.0, 1.0]);
    }

    #[test]
    fn products_of_queries_and_keys_should_stay_as_they_are() {
        let config = DecoderConfig {
            family: Family::Qwen2,
            hidden: 8,
            layers: 1,
            heads: 4,
            kv_heads: 2,
            head_dim: 2,
            intermediate: 8,
            vocab: 4,
            rms_eps: 1e-6,
            rope_theta: 1e6,
            rope_scaling: None,
            tied: false,
            qkv_bias: true,
            max_positions: 16,
            bos: None,
            eos: vec![],
        };
        let scales = [2.0, 2.0, 8.0, 8.0];
        let keys = of(Part::Keys, &scales, &config);
        let queries = of(Part::Queries, &scales, &config);
        assert_eq!(queries, [2.0, 2.0, 2.0, 2.0, 8.0, 8.0, 8.0, 8.0]);
        for (at, scale) in queries.iter().enumerate() {
            assert_eq!(scale * keys[at / 4 * 2 + at % 2], 1.0);
        }
    }

    #[test]
    fn maps_to_queries_and_keys_alone_should_be_scaled() {
        let layer = "model.layers.3";
        let found = |map: &str| part(&format!("{layer}.self_attn.{map}")).map(|(_, part)| part);
        assert_eq!(found("q_proj.bias"), Some(Part::Queries));
        assert_eq!(found("k_proj.weight"), Some(Part::Keys));
        assert_eq!(found("v_proj.weight"), None);
        assert_eq!(found("o_proj.weight"), None);
        assert_eq!(part("model.layers.3.mlp.up_proj.weight"), None);
    }
}
