//! What is posted in a dispute, against what was claimed.

use super::*;
use crate::opening::{ChunkRun, Opening, OpeningError};
use codec::{Decode, Encode};

/// A run of ten segments, two a step, four a record, that has completed or failed; its claim; its segments.
fn example(completed: bool) -> (Trace, TraceClaim, Vec<Digest>) {
    let span = RecordSpan::new(5_000, 2).unwrap();
    let (builder, segments) = build(span, if completed { 10 } else { 9 }, KEYED);
    let trace = if completed {
        builder.complete(digest(2))
    } else {
        builder.fail(5)
    }
    .unwrap();
    let claim = TraceClaim::new(KEYED, span, digest(1), trace.header, trace.digest(&KEYED)).unwrap();
    (trace, claim, segments)
}

#[test]
fn claim_should_know_what_is_to_be_posted() {
    let (_, claim, _) = example(true);
    assert_eq!(
        (claim.segments(), claim.records(), claim.length()),
        (10, 4, 64 + 4 * 32)
    );
    assert_eq!(
        (claim.segments_of(0), claim.segments_of(1), claim.segments_of(3)),
        (0..0, 0..4, 8..10)
    );
    assert_eq!(claim.failed(), None);
    let (_, claim, _) = example(false);
    assert_eq!((claim.segments(), claim.records(), claim.failed()), (9, 4, Some(9)));
    assert_eq!(claim.segments_of(3), 8..9);
}

#[test]
fn claim_should_be_refused_when_no_run_can_end_so() {
    let span = RecordSpan::new(5, 2).unwrap();
    let refused = |status, steps, result| {
        let header = Header { status, steps, result };
        TraceClaim::new(KEYED, span, digest(1), header, digest(3)) == Err(TraceError::Outcome)
    };
    let failed = |step, segment, operator| Status::Failed {
        step,
        segment,
        operator,
    };
    let nothing = KEYED.digest(&[]);
    assert!(!refused(Status::Completed, 5, digest(2)));
    assert!(refused(Status::Completed, 0, digest(2)));
    assert!(refused(Status::Completed, 6, digest(2)));
    assert!(!refused(failed(4, 1, 1_023), 4, nothing));
    assert!(refused(failed(4, 1, 1_023), 3, nothing));
    assert!(refused(failed(5, 0, 0), 5, nothing));
    assert!(refused(failed(4, 2, 0), 4, nothing));
    assert!(refused(failed(4, 1, 1_024), 4, nothing));
    assert!(refused(failed(4, 1, 0), 4, HashMode::Plain.digest(&[])));
}

#[test]
fn records_should_be_refused_when_any_bit_is_flipped() {
    let (trace, claim, _) = example(true);
    let bytes = trace.to_bytes();
    assert_eq!(claim.check_records(&bytes), Ok(()));
    for byte in 0..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[byte] ^= 1 << bit;
            let error = claim.check_records(&bytes).unwrap_err();
            if byte < Header::LEN {
                assert_eq!(error, TraceError::Revealed);
            } else {
                assert!(matches!(error, TraceError::Digest { .. }));
            }
        }
    }
    let length = |got| Err(TraceError::Length { expected: 192, got });
    assert_eq!(claim.check_records(&bytes[..191]), length(191));
    assert_eq!(claim.check_records(&[&bytes[..], &[0; 32]].concat()), length(224));
    assert_eq!(claim.check_records(&[]), length(0));
}

#[test]
fn records_should_be_refused_when_the_run_began_with_something_else() {
    let (trace, claim, _) = example(true);
    let other = TraceClaim::new(KEYED, *claim.span(), digest(7), trace.header, trace.digest(&KEYED)).unwrap();
    let (expected, got) = (digest(7), digest(1));
    assert_eq!(
        other.check_records(&trace.to_bytes()),
        Err(TraceError::Digest { expected, got })
    );
}

#[test]
fn records_should_be_refused_under_another_claim() {
    let (trace, claim, _) = example(true);
    let claims = |span, header, mode| TraceClaim::new(mode, span, digest(1), header, trace.digest(&KEYED)).unwrap();
    let steps = Header {
        steps: 4,
        ..trace.header
    };
    let result = Header {
        result: digest(3),
        ..trace.header
    };
    for claim in [
        claims(*claim.span(), steps, KEYED),
        claims(*claim.span(), result, KEYED),
        claims(*claim.span(), trace.header, HashMode::Plain),
        claims(RecordSpan::new(5, 2).unwrap(), trace.header, KEYED),
    ] {
        assert!(claim.check_records(&trace.to_bytes()).is_err());
    }
}

#[test]
fn record_should_be_shown_by_its_chunk_alone() {
    let (trace, claim, _) = example(true);
    for (index, record) in (0..).zip(&trace.records) {
        let opening = trace.open(index, &KEYED).unwrap();
        assert_eq!(claim.record(index, &opening), Ok(*record));
    }
    let opening = trace.open(3, &KEYED).unwrap();
    assert_eq!(claim.record(4, &opening), Err(TraceError::Index { index: 4, count: 4 }));
    assert_eq!(
        claim.record(u64::MAX, &opening).unwrap_err(),
        TraceError::Index {
            index: u64::MAX,
            count: 4
        }
    );
}

#[test]
fn record_should_be_refused_when_another_or_more_is_opened() {
    let span = RecordSpan::new(100, 1).unwrap();
    let (builder, _) = build(span, 100, KEYED);
    let trace = builder.complete(digest(2)).unwrap();
    let claim = TraceClaim::new(KEYED, span, digest(1), trace.header, trace.digest(&KEYED)).unwrap();
    // Record 30 is the first one of the second chunk
    assert!(claim.record(30, &trace.open(30, &KEYED).unwrap()).is_ok());
    assert!(matches!(
        claim.record(30, &trace.open(29, &KEYED).unwrap()),
        Err(TraceError::Opening(OpeningError::Closed { .. }))
    ));
    let more = Opening::create(&trace.to_bytes(), &[0..2_000], &KEYED).unwrap();
    assert_eq!(claim.record(30, &more), Err(TraceError::Superfluous));
}

#[test]
fn segments_should_be_refused_when_any_digest_or_their_number_is_changed() {
    let (trace, claim, segments) = example(true);
    assert_eq!(claim.check_segments(1, &trace.records[1], &segments[..4]), Ok(()));
    assert_eq!(claim.check_segments(3, &trace.records[3], &segments[8..]), Ok(()));
    for index in 0..4 {
        let mut segments = segments[..4].to_vec();
        segments[index].0[0] ^= 1;
        let checked = claim.check_segments(1, &trace.records[1], &segments);
        assert!(matches!(checked, Err(TraceError::Digest { .. })));
    }
    let length = Err(TraceError::Length { expected: 4, got: 3 });
    assert_eq!(claim.check_segments(1, &trace.records[1], &segments[..3]), length);
    let length = Err(TraceError::Length { expected: 2, got: 4 });
    assert_eq!(claim.check_segments(3, &trace.records[3], &segments[..4]), length);
    for index in [0, 4, u64::MAX] {
        let checked = claim.check_segments(index, &trace.records[0], &[]);
        assert_eq!(checked, Err(TraceError::Index { index, count: 4 }));
    }
}

#[test]
fn outputs_should_yield_the_segment_by_those_handed_on() {
    let (_, claim, segments) = example(true);
    // Segment 5 hands on three tensors, here the outputs of operators 1, 3 and 4 of five
    let handed_on = tensors(5);
    let outputs = [digest(90), handed_on[0], digest(91), handed_on[1], handed_on[2]];
    let check = |outputs: &[Digest], places: &[u16]| claim.check_outputs(&segments[5], 5, places, outputs);
    assert_eq!(check(&outputs, &[1, 3, 4]), Ok(()));
    assert!(matches!(check(&outputs, &[1, 4, 3]), Err(TraceError::Digest { .. })));
    assert!(matches!(check(&outputs, &[1, 3]), Err(TraceError::Digest { .. })));
    assert_eq!(
        check(&outputs, &[1, 3, 5]),
        Err(TraceError::Index { index: 5, count: 5 })
    );
    assert_eq!(
        check(&outputs[..4], &[1, 3]),
        Err(TraceError::Length { expected: 5, got: 4 })
    );
    let too_many = claim.check_outputs(&segments[5], 5, &[], &[digest(0); 1_025]);
    assert_eq!(too_many, Err(TraceError::TooMany { tensors: 1_025 }));
    for index in 0..5 {
        let mut outputs = outputs;
        outputs[index].0[9] ^= 4;
        assert_eq!(check(&outputs, &[1, 3, 4]).is_ok(), index % 2 == 0 && index != 4);
    }
}

#[test]
fn output_should_be_shown_of_the_list_posted() {
    let (_, claim, _) = example(true);
    let outputs: Vec<_> = (0..1_024).map(digest).collect();
    let posted = DigestList::Outputs.digest(&outputs, &KEYED);
    for index in [0, 30, 31, 1_023] {
        let opening = DigestList::Outputs.open(&outputs, index, &KEYED).unwrap();
        assert_eq!(claim.output(index, 1_024, &posted, &opening), Ok(digest(index)));
        assert!(claim.output(index, 1_023, &posted, &opening).is_err() || index < 1_023);
    }
    let opening = DigestList::Outputs.open(&outputs, 0, &KEYED).unwrap();
    assert!(claim.output(1_024, 1_024, &posted, &opening).is_err());
    assert!(DigestList::Outputs.open(&outputs, 1_024, &KEYED).is_err());
}

#[test]
fn entry_should_be_refused_when_there_can_be_no_such_list() {
    let (_, claim, _) = example(true);
    // The last chunk of a blob of 2⁶⁴ − 1 bytes, under the digest that it gives: it ends within a digest
    let run = ChunkRun {
        first: (1 << 54) - 1,
        count: 1,
    };
    let bytes = (vec![run], vec![0u8; 1_023], vec![[0u8; 32]; 54]).encode();
    let opening = Opening::decode(&mut &bytes[..]).unwrap();
    let read = |root: Digest| claim.tensor((1 << 59) - 2, u64::MAX, &root, &opening).unwrap_err();
    let TraceError::Opening(OpeningError::Root { got, .. }) = read(digest(0)) else {
        panic!("expected another digest");
    };
    let beyond = OpeningError::End {
        end: u64::MAX,
        length: u64::MAX,
    };
    assert_eq!(read(got), TraceError::Opening(beyond));
}
