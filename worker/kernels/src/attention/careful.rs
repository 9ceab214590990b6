//! The search for the first element that faults, one operator after the other, as the reference would.

use super::{AttentionFault, Stage, Task};
use assay_exact::{
    expression::Unary,
    operator::Fault,
    product::{finish, term, Class, Operand},
    row::{is_magnitude, is_operand},
    scalar,
};

const QUERY: Class = Class::Int24;
const KEY: Class = Class::Int16;

/// The first fault of the block, if there is one.
pub(super) fn find(task: &Task<'_>) -> Option<AttentionFault> {
    magnitudes(task)
        .or_else(|| scores(task))
        .or_else(|| scaled_scores(task))
        .or_else(|| mix(task))
}

/// Rows in the order of the operators' outputs `[H, L, ..]`: (row of the task, its index in `[H, L]`).
fn in_order<'t>(task: &'t Task<'_>) -> impl Iterator<Item = (usize, u64)> + 't {
    (0..task.shared).flat_map(move |head| {
        (0..task.block.rows.len()).map(move |token| {
            let row = token * task.shared + head;
            let (token, head) = task.place(row);
            (row, (head * task.queries.length + token) as u64)
        })
    })
}

fn fault(stage: Stage, element: u64, fault: Fault) -> AttentionFault {
    AttentionFault { stage, element, fault }
}

/// The magnitude of a row of queries; none, if an element is not finite.
fn magnitude(task: &Task<'_>, row: usize) -> f32 {
    super::task::magnitude(task.query(row))
}

fn magnitudes(task: &Task<'_>) -> Option<AttentionFault> {
    in_order(task)
        .find(|(row, _)| !is_magnitude(magnitude(task, *row)))
        .map(|(_, at)| fault(Stage::QueryMagnitude, at, Fault::NotFinite))
}

fn is_in_class(q: &i16) -> bool {
    i32::from(*q).abs() <= KEY.most()
}

fn score(task: &Task<'_>, row: usize, token: usize) -> Result<f32, Fault> {
    let (of_query, of_key) = (magnitude(task, row), task.key_magnitude(token));
    if !is_operand(of_query) || !is_magnitude(of_key) || !is_operand(of_key) {
        return Err(Fault::Magnitude);
    }
    let key = task.key(token);
    if !key.iter().all(is_in_class) {
        return Err(Fault::Class);
    }
    let terms = task.query(row).iter().zip(key);
    let sum = terms
        .map(|(x, k)| term((QUERY.quantise(*x, of_query), QUERY), (i32::from(*k), KEY)))
        .sum();
    finite(finish(sum, operand(QUERY, Some(of_query)), operand(KEY, Some(of_key))))
}

fn operand(class: Class, magnitude: Option<f32>) -> Operand {
    Operand { class, magnitude }
}

fn finite(x: f32) -> Result<f32, Fault> {
    if x.is_finite() {
        Ok(x)
    } else {
        Err(Fault::NotFinite)
    }
}

/// Whether no product of queries and keys can fault.
fn are_scores_sound(task: &Task<'_>) -> bool {
    let magnitudes: Vec<_> = (0..task.rows()).map(|row| magnitude(task, row)).collect();
    task.largest_operands(&magnitudes)
        .is_some_and(|largest| task.is_bounded(largest))
        && (0..task.keys.tokens).all(|token| task.key(token).iter().all(is_in_class))
}

fn scores(task: &Task<'_>) -> Option<AttentionFault> {
    first_score(task, Stage::Score, |row, token| score(task, row, token))
}

fn scaled_scores(task: &Task<'_>) -> Option<AttentionFault> {
    first_score(task, Stage::ScaledScore, |row, token| {
        finite(score(task, row, token)? * task.queries.factor)
    })
}

/// The first of all scores that faults.
fn first_score(
    task: &Task<'_>,
    stage: Stage,
    score: impl Fn(usize, usize) -> Result<f32, Fault>,
) -> Option<AttentionFault> {
    if are_scores_sound(task) {
        return None;
    }
    let tokens = task.keys.tokens;
    in_order(task).find_map(|(row, at)| {
        (0..tokens).find_map(|token| {
            let found = score(row, token).err()?;
            Some(fault(stage, at * tokens as u64 + token as u64, found))
        })
    })
}

/// The magnitude of a row of weights times powers of values. All scores must be finite.
fn mixed_magnitude(task: &Task<'_>, row: usize) -> f32 {
    let scores: Vec<_> = (0..task.count(row))
        .filter_map(|token| Some(score(task, row, token).ok()? * task.queries.factor))
        .collect();
    let largest = scores
        .iter()
        .fold(f32::NEG_INFINITY, |m, x| if *x > m { *x } else { m })
        + 0.0;
    let products: Vec<_> = scores
        .iter()
        .enumerate()
        .map(|(token, x)| scalar::exp(x - largest) * Unary::Power.apply(task.value_magnitude(token)))
        .collect();
    super::task::magnitude(&products)
}

fn mix(task: &Task<'_>) -> Option<AttentionFault> {
    let dimension = task.keys.dimension as u64;
    // A value outside of its class is in the first row as well as in all others
    let outside = (0..task.keys.tokens)
        .filter_map(|token| task.value(token).iter().position(|q| !is_in_class(q)))
        .min();
    in_order(task).find_map(|(row, at)| {
        if !is_operand(mixed_magnitude(task, row)) {
            return Some(fault(Stage::Mix, at * dimension, Fault::Magnitude));
        }
        outside.map(|column| fault(Stage::Mix, at * dimension + column as u64, Fault::Class))
    })
}
