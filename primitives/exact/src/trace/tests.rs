//! Traces: made, checked, and tampered with.

#![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]

mod claim;
mod golden;
mod path;

use super::*;
use crate::opening::{Digest, HashMode};
use proptest::prelude::*;

const KEYED: HashMode = HashMode::Keyed([9; 32]);

/// A digest that stands for something else with every number.
fn digest(number: u64) -> Digest {
    HashMode::Plain.digest(&number.to_le_bytes())
}

/// The tensors that a segment hands on in these tests: one to three.
fn tensors(segment: u64) -> Vec<Digest> {
    (0..1 + segment % 3)
        .map(|tensor| digest(segment * 10 + tensor))
        .collect()
}

/// A builder into which the first `segments` segments have gone, and these segments' digests.
fn build(span: RecordSpan, segments: u64, mode: HashMode) -> (TraceBuilder, Vec<Digest>) {
    let mut builder = TraceBuilder::new(span, digest(1), mode);
    let digests = (0..segments)
        .map(|segment| builder.segment(&tensors(segment)).unwrap())
        .collect();
    (builder, digests)
}

#[test]
fn span_should_be_one_segment_when_all_fit_with_record_0() {
    let span = RecordSpan::new(4_095, 1).unwrap();
    assert_eq!((span.segments_per_record(), span.records(4_095)), (1, 4_096));
    let span = RecordSpan::new(585, 7).unwrap();
    assert_eq!((span.segments_per_record(), span.records(585 * 7)), (1, 4_096));
    let span = RecordSpan::new(1, 4_095).unwrap();
    assert_eq!((span.segments_per_record(), span.records(4_095)), (1, 4_096));
}

#[test]
fn span_should_be_whole_steps_when_one_segment_is_too_many() {
    let span = RecordSpan::new(4_096, 1).unwrap();
    assert_eq!((span.segments_per_record(), span.records(4_096)), (2, 2_049));
    let span = RecordSpan::new(586, 7).unwrap();
    assert_eq!((span.segments_per_record(), span.records(586 * 7)), (7, 587));
    let span = RecordSpan::new(1, 4_096).unwrap();
    assert_eq!((span.segments_per_record(), span.records(4_096)), (4_096, 2));
    // Some tokens of a model with 34 segments
    let span = RecordSpan::new(32_768, 34).unwrap();
    assert_eq!((span.segments_per_record(), span.records(32_768 * 34)), (9 * 34, 3_642));
}

#[test]
fn span_should_be_refused_when_empty_or_too_long() {
    assert_eq!(RecordSpan::new(0, 1), Err(TraceError::Empty));
    assert_eq!(RecordSpan::new(1, 0), Err(TraceError::Empty));
    assert_eq!(RecordSpan::new(1, 4_097), Err(TraceError::TooLong { segments: 4_097 }));
    assert_eq!(RecordSpan::new(4_095, 4_096).unwrap().segments_per_record(), 4_096);
    assert_eq!(
        RecordSpan::new(4_096, 4_096),
        Err(TraceError::TooLong { segments: 8_192 })
    );
    assert!(RecordSpan::new(u32::MAX, u32::MAX).is_err());
}

proptest! {
    #[test]
    fn spans_should_cover_every_segment_once(max_steps in 1..20_000u32, per_step in 1..50u32, part: u64) {
        let span = RecordSpan::new(max_steps, per_step).unwrap();
        let segments = part % (u64::from(max_steps) * u64::from(per_step) + 1);
        let records = span.records(segments);
        prop_assert!(records <= MAX_RECORDS);
        prop_assert!(u64::from(span.segments_per_record()) <= MAX_SEGMENTS);
        prop_assert!(span.segments_of(0, segments).is_empty());
        prop_assert!(span.segments_of(records, segments).is_empty());
        let mut next = 0;
        for record in 1..records {
            let range = span.segments_of(record, segments);
            prop_assert_eq!(range.start, next);
            prop_assert!(!range.is_empty());
            prop_assert_eq!(span.record_of(range.start), record);
            prop_assert_eq!(span.record_of(range.end - 1), record);
            next = range.end;
        }
        prop_assert_eq!(next, segments);
    }

    #[test]
    fn header_should_lead_back_from_its_bytes(completed: bool, numbers: [u32; 4], result: [u8; 32]) {
        let [steps, step, segment, operator] = numbers;
        let status = if completed { Status::Completed } else { Status::Failed { step, segment, operator } };
        let header = Header { status, steps, result: Digest(result) };
        prop_assert_eq!(Header::from_bytes(&header.to_bytes()), Ok(header));
    }

    #[test]
    fn header_should_have_one_form_only(bytes: [u8; Header::LEN], flipped in 0..Header::LEN, bit in 0..8u8) {
        if let Ok(header) = Header::from_bytes(&bytes) {
            prop_assert_eq!(header.to_bytes(), bytes);
        }
        let header = Header { status: Status::Completed, steps: 3, result: Digest(bytes[..32].try_into().unwrap()) };
        let mut bytes = header.to_bytes();
        bytes[flipped] ^= 1 << bit;
        prop_assert_ne!(Header::from_bytes(&bytes), Ok(header));
    }
}

#[test]
fn header_should_be_refused_when_it_is_of_another_version_or_none() {
    let mut bytes = Header {
        status: Status::Completed,
        steps: 1,
        result: digest(0),
    }
    .to_bytes();
    bytes[12] = 3;
    assert_eq!(Header::from_bytes(&bytes), Err(TraceError::Version { got: 3 }));
    bytes[0] = 0;
    assert_eq!(Header::from_bytes(&bytes), Err(TraceError::Header));
}

#[test]
fn trace_should_have_a_record_for_every_span() {
    let span = RecordSpan::new(5_000, 2).unwrap();
    assert_eq!(span.segments_per_record(), 4);
    let (builder, segments) = build(span, 10, HashMode::Plain);
    assert_eq!(builder.segments(), 10);
    let trace = builder.complete(digest(2)).unwrap();
    let record = |segments: &[Digest]| DigestList::Record.digest(segments, &HashMode::Plain);
    assert_eq!(
        trace.records,
        [
            digest(1),
            record(&segments[..4]),
            record(&segments[4..8]),
            record(&segments[8..])
        ]
    );
    assert_eq!(trace.header.steps, 5);
    assert_eq!(trace.header.status, Status::Completed);
    assert_eq!(Trace::from_bytes(&trace.to_bytes()), Ok(trace.clone()));
    assert_eq!(
        trace.digest(&HashMode::Plain),
        HashMode::Plain.digest(&trace.to_bytes())
    );
}

#[test]
fn trace_should_say_where_the_run_failed() {
    let span = RecordSpan::new(5_000, 2).unwrap();
    let (builder, segments) = build(span, 7, KEYED);
    let trace = builder.fail(12).unwrap();
    let status = Status::Failed {
        step: 3,
        segment: 1,
        operator: 12,
    };
    assert_eq!((trace.header.status, trace.header.steps), (status, 3));
    assert_eq!(trace.header.result, KEYED.digest(&[]));
    assert_eq!(trace.records.len(), 3);
    assert_eq!(trace.records[2], DigestList::Record.digest(&segments[4..], &KEYED));
    // In the very first operator
    let trace = build(span, 0, KEYED).0.fail(0).unwrap();
    assert_eq!(trace.records, [digest(1)]);
}

#[test]
fn trace_should_not_be_made_when_the_run_is_not_as_planned() {
    let span = RecordSpan::new(2, 3).unwrap();
    let (segments, per_step) = (4, 3);
    let complete = |segments| build(span, segments, KEYED).0.complete(digest(2));
    assert_eq!(complete(4), Err(TraceError::Incomplete { segments, per_step }));
    assert_eq!(complete(0), Err(TraceError::Incomplete { segments: 0, per_step }));
    assert!(complete(3).is_ok());
    let (mut builder, _) = build(span, 6, KEYED);
    assert_eq!(builder.segment(&[]), Err(TraceError::Beyond { planned: 6 }));
    assert_eq!(builder.clone().fail(0), Err(TraceError::Outcome));
    let (mut builder, _) = build(span, 0, KEYED);
    assert_eq!(
        builder.segment(&[digest(0); 1_025]),
        Err(TraceError::TooMany { tensors: 1_025 })
    );
    assert!(builder.segment(&[digest(0); 1_024]).is_ok());
    assert_eq!(builder.fail(1_024), Err(TraceError::Outcome));
}

#[test]
fn trace_should_be_refused_when_its_bytes_are_not_whole_records() {
    let (builder, _) = build(RecordSpan::new(2, 1).unwrap(), 2, KEYED);
    let bytes = builder.complete(digest(2)).unwrap().to_bytes();
    let length = |expected, got| Err(TraceError::Length { expected, got });
    assert_eq!(Trace::from_bytes(&bytes[..63]), length(64, 63));
    assert_eq!(Trace::from_bytes(&bytes[..bytes.len() - 1]), length(128, 159));
    assert_eq!(Trace::from_bytes(&[0; 64]), Err(TraceError::Header));
}

#[test]
fn trace_should_change_with_every_part() {
    let trace = |origin, result, changed: Option<(u64, usize)>, mode| {
        let mut builder = TraceBuilder::new(RecordSpan::new(4_000, 3).unwrap(), digest(origin), mode);
        for segment in 0..6 {
            let mut tensors = tensors(segment);
            if let Some((_, tensor)) = changed.filter(|(in_segment, _)| *in_segment == segment) {
                tensors[tensor].0[31] ^= 0x80;
            }
            builder.segment(&tensors).unwrap();
        }
        builder.complete(digest(result)).unwrap().digest(&mode)
    };
    let mut all = vec![
        trace(1, 2, None, HashMode::Plain),
        trace(1, 2, None, KEYED),
        trace(0, 2, None, HashMode::Plain),
        trace(1, 3, None, HashMode::Plain),
    ];
    for segment in 0..6 {
        all.extend((0..tensors(segment).len()).map(|tensor| trace(1, 2, Some((segment, tensor)), HashMode::Plain)));
    }
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn lists_should_differ_by_kind_number_and_order() {
    let (a, b) = (digest(0), digest(1));
    let kinds = [
        DigestList::Origin,
        DigestList::Record,
        DigestList::Segment,
        DigestList::Outputs,
    ];
    let mut all = vec![];
    for kind in kinds {
        for list in [&[][..], &[a], &[a, b], &[b, a], &[a, a]] {
            all.extend([kind.digest(list, &HashMode::Plain), kind.digest(list, &KEYED)]);
            assert_eq!(kind.to_bytes(list).len() as u64, list_length(list.len() as u64));
        }
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 40);
}

#[test]
fn origin_should_change_with_every_part() {
    let inputs = [digest(4), digest(5)];
    let origin = Origin {
        program: digest(1),
        package: digest(2),
        parameters: digest(3),
        inputs: &inputs,
    };
    let other = digest(6);
    let records = [
        origin,
        Origin {
            program: other,
            ..origin
        },
        Origin {
            package: other,
            ..origin
        },
        Origin {
            parameters: other,
            ..origin
        },
        Origin {
            inputs: &inputs[..1],
            ..origin
        },
        Origin {
            inputs: &[digest(5), digest(4)],
            ..origin
        },
    ];
    let mut records: Vec<_> = records.map(|origin| origin.record(&HashMode::Plain)).into();
    records.push(origin.record(&KEYED));
    records.sort();
    records.dedup();
    assert_eq!(records.len(), 7);
}
