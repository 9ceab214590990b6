//! Faults: the same operator, element and reason as in the definition.

use super::*;
use assay_exact::operator::Fault;

const SIZE: Size = (5, 4, 2, 2, 6);

fn lane(visible: Visible) -> Lane {
    Lane::new(SIZE, visible, 20)
}

fn assert_fault(lane: &Lane, stage: Stage, fault: Fault) {
    let got = lane.attend();
    assert_eq!(got, reference(lane));
    let error = got.unwrap_err();
    assert_eq!((error.stage, error.fault), (stage, fault));
    for isa in Isa::available() {
        let in_blocks = lane.attend_in_blocks(isa, 2, &mut Scratch::default());
        assert_eq!(
            in_blocks,
            Err(error),
            "the first of all blocks is the first of the whole"
        );
    }
}

#[test]
fn query_should_fault_when_it_is_not_finite() {
    for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut lane = lane(Visible::All);
        lane.q[31] = x;
        assert_fault(&lane, Stage::QueryMagnitude, Fault::NotFinite);
    }
}

#[test]
fn score_should_fault_when_the_query_is_too_large() {
    let mut lane = lane(Visible::All);
    lane.q[40] = 2e19;
    assert_fault(&lane, Stage::Score, Fault::Magnitude);
}

#[test]
fn score_should_fault_when_the_magnitude_of_a_key_is_none_even_if_not_visible() {
    for magnitude in [0.0, 1e-30, -1.0, 2e19, f32::NAN, f32::INFINITY] {
        let mut lane = lane(Visible::Causal);
        *lane.k_magnitudes.last_mut().unwrap() = magnitude;
        assert_fault(&lane, Stage::Score, Fault::Magnitude);
        // Only the first row is asked for, which does not see that key
        let one = Block { group: 1, rows: 0..1 };
        for isa in Isa::available() {
            let mut o = vec![0.0; 2 * 6];
            let output = Output { o: &mut o, stride: 0 };
            let result = attend(
                isa,
                &lane.keys(),
                &lane.queries(),
                &one,
                output,
                &mut Scratch::default(),
            );
            assert_eq!(result.unwrap_err().stage, Stage::Score);
        }
    }
}

#[test]
fn score_should_fault_when_a_key_is_outside_of_its_class_even_if_not_visible() {
    for k in [16_385, -16_385, i16::MAX, i16::MIN] {
        let mut lane = lane(Visible::Causal);
        *lane.k.last_mut().unwrap() = k;
        assert_fault(&lane, Stage::Score, Fault::Class);
    }
}

#[test]
fn score_should_fault_when_it_overflows_even_if_not_visible() {
    let mut lane = lane(Visible::Causal);
    lane.q.fill(1.8e19);
    lane.k_magnitudes[2 * 8] = 1.8e19;
    lane.k[2 * 8 * 6..][..6].fill(16_384);
    assert_fault(&lane, Stage::Score, Fault::NotFinite);
}

#[test]
fn score_should_fault_when_it_overflows_far_behind_what_the_block_sees() {
    let mut lane = Lane::new((40, 0, 1, 1, 6), Visible::Causal, 21);
    lane.q.fill(1.8e19);
    lane.k_magnitudes[39] = 1.8e19;
    lane.k[39 * 6..].fill(16_384);
    let block = Block { group: 0, rows: 0..3 };
    for isa in Isa::available() {
        let mut o = vec![0.0; 3 * 6];
        let output = Output { o: &mut o, stride: 6 };
        let result = attend(
            isa,
            &lane.keys(),
            &lane.queries(),
            &block,
            output,
            &mut Scratch::default(),
        );
        let fault = AttentionFault {
            stage: Stage::Score,
            element: 39,
            fault: Fault::NotFinite,
        };
        assert_eq!(result, Err(fault));
        assert_eq!(reference(&lane), Err(fault));
    }
}

#[test]
fn scaled_score_should_fault_when_it_overflows_even_if_not_visible() {
    let mut lane = lane(Visible::Causal);
    lane.q.fill(1e10);
    lane.k_magnitudes[2 * 8] = 1e10;
    lane.k[2 * 8 * 6..][..6].fill(-16_384);
    lane.factor = 1e25;
    assert_fault(&lane, Stage::ScaledScore, Fault::NotFinite);
}

#[test]
fn mix_should_fault_when_a_value_is_outside_of_its_class_even_if_not_visible() {
    for v in [16_385, i16::MIN] {
        let mut lane = lane(Visible::Causal);
        let last = lane.v.len() - 3;
        lane.v[last] = v;
        assert_fault(&lane, Stage::Mix, Fault::Class);
    }
}

#[test]
fn mix_should_fault_when_the_magnitude_of_a_visible_value_is_too_large() {
    for magnitude in [1e35, f32::INFINITY, f32::NAN, -1.0] {
        let mut lane = lane(Visible::Causal);
        lane.v_magnitudes[3] = magnitude;
        assert_fault(&lane, Stage::Mix, Fault::Magnitude);
        // The class of values is checked for each element after its magnitude
        lane.v[1] = i16::MAX;
        assert_fault(&lane, Stage::Mix, Fault::Class);
        lane.v[7] = i16::MAX;
        lane.v_magnitudes[2] = magnitude;
        assert_fault(&lane, Stage::Mix, Fault::Magnitude);
    }
}

#[test]
fn first_should_be_the_fault_of_the_earlier_operator() {
    let mut lane = lane(Visible::All);
    // In the first group the last operator, in the second an earlier one
    lane.v[0] = i16::MIN;
    lane.k[6] = i16::MIN;
    assert_fault(&lane, Stage::Score, Fault::Class);
}

#[test]
#[should_panic(expected = "expected a multiple of 2 heads")]
fn attend_should_refuse_when_heads_are_no_multiple() {
    let mut lane = lane(Visible::All);
    lane.heads = 3;
    lane.q.truncate(5 * 3 * 6);
    let block = Block { group: 0, rows: 0..1 };
    let output = Output { o: &mut [], stride: 0 };
    let _ = attend(
        Isa::Portable,
        &lane.keys(),
        &lane.queries(),
        &block,
        output,
        &mut Scratch::default(),
    );
}
