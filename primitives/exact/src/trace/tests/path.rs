//! From the trace to one tensor.

use super::*;
use crate::program::MAX_OPERATORS;
use codec::{DecodeAll, Encode};

/// The largest run: as many records, segments a record and tensors a segment as there may be.
fn largest() -> (RecordSpan, Trace, Vec<Digest>, Vec<Digest>) {
    let span = RecordSpan::new(4_095, 4_096).unwrap();
    let tensors: Vec<_> = (0..MAX_OPERATORS as u64).map(digest).collect();
    let mut segments = vec![digest(1); MAX_SEGMENTS as usize];
    segments[4_000] = DigestList::Segment.digest(&tensors, &HashMode::Plain);
    let mut records = vec![digest(2); MAX_RECORDS as usize];
    records[4_095] = DigestList::Record.digest(&segments, &HashMode::Plain);
    let header = Header {
        status: Status::Completed,
        steps: 4_095,
        result: digest(3),
    };
    (span, Trace { header, records }, segments, tensors)
}

#[test]
fn path_should_be_less_than_4_kib_in_the_largest_run() {
    let (span, trace, segments, tensors) = largest();
    assert_eq!(trace.to_bytes().len() as u64, MAX_TRACE_LEN);
    let mode = HashMode::Plain;
    let claim = TraceClaim::new(mode, span, trace.records[0], trace.header, trace.digest(&mode)).unwrap();
    let path = TensorPath::create(&trace, (4_095, &segments), (4_000, &tensors), 777, &mode).unwrap();
    let place = TensorPlace {
        step: 4_094,
        segment: 4_000,
        tensor: 777,
    };
    assert_eq!(path.verify(&claim, place, MAX_OPERATORS as u64), Ok(digest(777)));
    let encoded = path.encode();
    assert!(encoded.len() < 4_096, "{}", encoded.len());
    assert_eq!(TensorPath::decode_all(&mut &encoded[..]).unwrap(), path);
}

#[test]
fn path_should_lead_to_every_tensor() {
    let span = RecordSpan::new(5_000, 2).unwrap();
    let (builder, segments) = build(span, 10, KEYED);
    let trace = builder.complete(digest(2)).unwrap();
    let claim = TraceClaim::new(KEYED, span, digest(1), trace.header, trace.digest(&KEYED)).unwrap();
    for segment in 0..10 {
        let record = span.record_of(segment);
        let range = claim.segments_of(record);
        let own = &segments[range.start as usize..range.end as usize];
        let tensors = tensors(segment);
        for (tensor, expected) in (0..).zip(&tensors) {
            let path = TensorPath::create(
                &trace,
                (record, own),
                (segment - range.start, &tensors),
                u64::from(tensor),
                &KEYED,
            )
            .unwrap();
            let place = TensorPlace {
                step: (segment / 2) as u32,
                segment: (segment % 2) as u32,
                tensor,
            };
            let count = tensors.len() as u64;
            assert_eq!(path.verify(&claim, place, count), Ok(*expected));
            // Neither for another place nor for another list
            let elsewhere = TensorPlace {
                step: (place.step + 2) % 5,
                ..place
            };
            assert!(path.verify(&claim, elsewhere, count).is_err());
            assert!(path.verify(&claim, place, count + 1).is_err());
            let beyond = [
                TensorPlace { step: 5, ..place },
                TensorPlace {
                    step: u32::MAX,
                    ..place
                },
                TensorPlace { segment: 2, ..place },
                TensorPlace {
                    tensor: count as u32,
                    ..place
                },
            ];
            for place in beyond {
                assert!(matches!(
                    path.verify(&claim, place, count),
                    Err(TraceError::Index { .. })
                ));
            }
        }
    }
}
