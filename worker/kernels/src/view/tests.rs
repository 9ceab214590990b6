//! Views against the reference.

use super::*;
use crate::reference::{assert_same, shape, tensor};
use assay_exact::{
    operator::{Dim, Operator, Term},
    tensor::Element,
};
use proptest::prelude::*;

/// Holds a view against the reference, its rows cut in three.
#[track_caller]
fn check<T: Element + Default>(
    elements: impl Fn(u64) -> T,
    output: &[usize],
    coordinates: &[Coordinate],
    input: &[usize],
    (bindings, cuts): (Bindings, [u64; 2]),
) {
    let x: Vec<_> = (1..=input.iter().product::<usize>() as u64).map(elements).collect();
    let operator = Operator::View {
        shape: output.iter().map(|dim| Dim::constant(*dim as i32)).collect(),
        coordinates: coordinates.to_vec(),
    };
    let output = shape(output);
    let rows = output.rows();
    let mut cuts = cuts.map(|cut| cut % (rows + 1));
    cuts.sort_unstable();
    assert_same(&operator, &[&tensor(input, &x)], bindings, |_, out: &mut [T]| {
        let view = View::new(&output, coordinates, &shape(input), bindings);
        let place = |row: u64| (row * output.row()) as usize;
        for range in [0..cuts[0], cuts[0]..cuts[1], cuts[1]..rows] {
            view.copy(&x, range.clone(), &mut out[place(range.start)..place(range.end)]);
        }
        Ok(())
    });
}

fn coordinate(offset: i32, terms: &[(u8, i32)], divisor: u32) -> Coordinate {
    Coordinate {
        offset: Dim::constant(offset),
        terms: terms
            .iter()
            .map(|(dimension, factor)| Term {
                dimension: *dimension,
                factor: *factor,
            })
            .collect(),
        divisor,
    }
}

/// The view that takes the output's dimension `order[d]` for the input's dimension d.
#[track_caller]
fn permute(input: &[usize], order: &[u8], cuts: [u64; 2]) {
    let coordinates: Vec<_> = order
        .iter()
        .map(|dimension| coordinate(0, &[(*dimension, 1)], 1))
        .collect();
    let mut output = vec![0; input.len()];
    for (dimension, size) in order.iter().zip(input) {
        output[usize::from(*dimension)] = *size;
    }
    let at = (Bindings::default(), cuts);
    check(|at| at as i8, &output, &coordinates, input, at);
    check(|at| at as i16, &output, &coordinates, input, at);
    check(|at| at as f32, &output, &coordinates, input, at);
    check(
        |at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        &output,
        &coordinates,
        input,
        at,
    );
}

#[test]
fn permutation_should_be_that_of_the_reference() {
    for (rows, columns) in [(1, 1), (8, 8), (64, 72), (65, 71), (7, 200), (130, 3)] {
        permute(&[rows, columns], &[1, 0], [13, 40]);
    }
    permute(&[3, 5, 16], &[1, 0, 2], [4, 9]);
    permute(&[3, 17, 18], &[0, 2, 1], [20, 31]);
    permute(&[3, 17, 18], &[2, 1, 0], [20, 31]);
    permute(&[2, 3, 9, 10], &[0, 3, 1, 2], [5, 17]);
    permute(&[2, 3, 1, 4, 11], &[4, 3, 1, 0, 2], [1, 2]);
    permute(&[0, 3], &[1, 0], [0, 0]);
}

#[test]
fn windows_should_be_those_of_the_reference() {
    // Rows of 3 × 3 windows at a distance of 2, with padding, over two channels
    let output = [2, 3, 4, 3, 3];
    let windows = [
        coordinate(0, &[(0, 1)], 1),
        coordinate(-1, &[(1, 2), (3, 1)], 1),
        coordinate(-1, &[(2, 2), (4, 1)], 1),
    ];
    check(
        |at| at as f32,
        &output,
        &windows,
        &[2, 6, 7],
        (Bindings::default(), [5, 30]),
    );
    // Their gradient: where in the windows an element occurs
    let gradient = [
        coordinate(0, &[(0, 1)], 1),
        coordinate(1, &[(1, 1), (3, -1)], 2),
        coordinate(1, &[(2, 1), (4, -1)], 2),
        coordinate(0, &[(3, 1)], 1),
        coordinate(0, &[(4, 1)], 1),
    ];
    check(
        |at| at as f32,
        &[2, 6, 7, 3, 3],
        &gradient,
        &output,
        (Bindings::default(), [50, 90]),
    );
}

#[test]
fn row_should_be_taken_in_steps_when_a_divisor_leaves_gaps() {
    for (offset, factor, divisor) in [
        (0, 1, 2),
        (-5, 2, 6),
        (3, -3, 7),
        (41, -2, 4),
        (1, 2, 4),
        (0, 1, 1_000),
        (7, 65, 130),
    ] {
        let coordinates = [coordinate(1, &[], 1), coordinate(offset, &[(0, factor)], divisor)];
        check(
            |at| at as f32,
            &[97],
            &coordinates,
            &[3, 19],
            (Bindings::default(), [0, 0]),
        );
    }
}

#[test]
fn numerators_should_not_overflow_when_they_are_as_large_as_they_can_be() {
    let far = Dim {
        constant: i32::MIN,
        length: i32::MAX,
        position: i32::MAX,
    };
    let bindings = Bindings {
        length: u32::MAX,
        position: u32::MAX,
    };
    let huge = Coordinate {
        offset: far,
        ..coordinate(0, &[(0, i32::MIN); 5], 3)
    };
    check(
        |at| at as f32,
        &[5],
        &[huge, coordinate(0, &[], 1)],
        &[3, 4],
        (bindings, [0, 0]),
    );
    // Two that come to nothing
    let cancelled = Coordinate {
        offset: Dim {
            constant: 1,
            length: i32::MAX,
            position: -i32::MAX,
        },
        ..coordinate(0, &[(0, i32::MAX), (0, -i32::MAX), (0, 1)], 1)
    };
    check(|at| at as f32, &[5], &[cancelled], &[4], (bindings, [0, 0]));
    check(
        |at| at as f32,
        &[1],
        &[coordinate(0, &[(0, i32::MAX); 5], 1), coordinate(2, &[], 1)],
        &[3, 4],
        (bindings, [0, 0]),
    );
}

fn any_coordinate(rank: usize) -> impl Strategy<Value = Coordinate> {
    let term = (
        0..rank.max(1) as u8,
        prop::sample::select(&[1, 1, 1, 2, -1, 3, 0, -2][..]),
    );
    let terms = prop::collection::vec(term, if rank == 0 { 0..1 } else { 0..3 });
    (terms, -3i32..4, prop::sample::select(&[1u32, 1, 1, 2, 3][..]), -1i32..2).prop_map(
        |(terms, constant, divisor, length)| Coordinate {
            offset: Dim {
                constant,
                length,
                position: 0,
            },
            ..coordinate(0, &terms, divisor)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn view_should_be_that_of_the_reference(
        (output, coordinates) in prop::collection::vec(0usize..6, 0..=5).prop_flat_map(|output| {
            let coordinates = prop::collection::vec(any_coordinate(output.len()), 0..4);
            (Just(output), coordinates)
        }),
        sizes in prop::collection::vec(1usize..7, 4), length in 0u32..3, cuts: [u64; 2],
    ) {
        let at = (Bindings { length, position: 0 }, cuts);
        check(|at| at as i16, &output, &coordinates, &sizes[..coordinates.len()], at);
    }

    #[test]
    fn view_should_be_that_of_the_reference_when_it_stays_inside(
        output in prop::collection::vec(1usize..7, 1..=5), steps in prop::collection::vec(0i32..3, 10), cuts: [u64; 2],
    ) {
        // Every dimension of the input is as large as its two terms can lead
        let coordinates: Vec<_> = (0..2).map(|own| {
            let terms: Vec<_> = (0..output.len()).map(|at| (at as u8, steps[5 * own + at])).collect();
            coordinate(0, &terms, 1)
        }).collect();
        let input: Vec<_> = coordinates.iter().map(|own| {
            let most: usize = own.terms.iter().map(|term| term.factor as usize * (output[usize::from(term.dimension)] - 1)).sum();
            most + 1
        }).collect();
        check(|at| at as f32, &output, &coordinates, &input, (Bindings::default(), cuts));
    }
}
