//! Traces: headers and records as bytes, and everything that is held against a claim.

#![no_main]

use assay_exact::{
    opening::{Digest, HashMode, Opening, OpeningError},
    trace::{DigestList, Header, Origin, RecordSpan, Status, TensorPath, TensorPlace, Trace, TraceClaim, TraceError},
};
use codec::{Decode, DecodeAll, Encode};
use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};

/// What is read as bytes: accepted in one form only.
fn decoded(data: &[u8]) {
    match Trace::from_bytes(data) {
        Ok(trace) => assert_eq!(trace.to_bytes(), data),
        Err(error) => drop(error.to_string()),
    }
    if let Ok(path) = TensorPath::decode_all(&mut &data[..]) {
        assert_eq!(path.encode(), data);
    }
    if let Ok(header) = Header::decode_all(&mut &data[..]) {
        assert_eq!(header.encode(), data);
        assert_eq!(Header::from_bytes(&header.to_bytes()), Ok(header));
    }
}

fn status(u: &mut Unstructured<'_>) -> Result<Status> {
    Ok(match u.arbitrary()? {
        false => Status::Completed,
        true => Status::Failed {
            step: u.arbitrary()?,
            segment: u.arbitrary()?,
            operator: u.arbitrary()?,
        },
    })
}

/// An opening against a digest that whoever made the opening has posted, too.
fn entry(read: impl Fn(&Digest) -> std::result::Result<Digest, TraceError>) {
    let Err(error) = read(&Digest::default()) else {
        return;
    };
    let _ = error.to_string();
    if let TraceError::Opening(OpeningError::Root { got, .. }) = error {
        let _ = read(&got).map_err(|error| error.to_string());
    }
}

fn run(data: &[u8]) -> Result<()> {
    let u = &mut Unstructured::new(data);
    let small: bool = u.arbitrary()?;
    let number = |u: &mut Unstructured<'_>| -> Result<u32> {
        if small {
            u.int_in_range(0..=40)
        } else {
            u.arbitrary()
        }
    };
    let mode = if u.arbitrary()? {
        HashMode::Plain
    } else {
        HashMode::Keyed([3; 32])
    };
    let span = match RecordSpan::new(number(u)?, number(u)?) {
        Ok(span) => span,
        Err(error) => {
            let _ = error.to_string();
            return Ok(());
        }
    };
    let header = Header {
        status: status(u)?,
        steps: number(u)?,
        result: mode.digest(&[]),
    };
    assert_eq!(Header::from_bytes(&header.to_bytes()), Ok(header));
    let origin = Origin {
        program: Digest::default(),
        package: Digest::default(),
        parameters: Digest::default(),
        inputs: &[],
    };
    let claim = |trace| TraceClaim::new(mode, span, origin.record(&mode), header, trace);
    let Ok(empty) = claim(Digest::default()) else {
        return Ok(());
    };
    assert!(empty.records() <= 4_096 && empty.length() <= 64 + 32 * 4_096);
    let (index, count): (u64, u64) = (number(u)?.into(), number(u)?.into());
    let _ = empty.segments_of(index);
    let place = TensorPlace {
        step: number(u)?,
        segment: number(u)?,
        tensor: number(u)?,
    };
    let rest = u.peek_bytes(u.len()).unwrap_or_default();
    let _ = empty.check_records(rest).map_err(|error| error.to_string());
    let digests: Vec<Digest> = rest.as_chunks().0.iter().copied().map(Digest).collect();
    let _ = empty
        .check_segments(index, &Digest::default(), &digests)
        .map_err(|error| error.to_string());
    let hands_on: Vec<u16> = rest.iter().map(|byte| u16::from(*byte)).collect();
    let segment = DigestList::Segment.digest(&digests, &mode);
    let operators = digests.len() as u64;
    let _ = empty
        .check_outputs(&segment, operators, &hands_on, &digests)
        .map_err(|error| error.to_string());

    // Openings of lists that are known, at places that are asked for
    for list in [DigestList::Record, DigestList::Segment, DigestList::Outputs] {
        let Ok(opening) = list.open(&digests, index, &mode) else {
            continue;
        };
        entry(|root| empty.segment(index, root, &opening));
        entry(|root| empty.tensor(index, operators, root, &opening));
        entry(|root| empty.output(index, count, root, &opening));
        if list == DigestList::Segment && index < operators {
            assert_eq!(
                empty.tensor(index, operators, &segment, &opening),
                Ok(digests[index as usize])
            );
        }
    }
    // Openings of anybody
    if let Ok(opening) = Opening::decode(&mut &rest[..]) {
        entry(|root| claim(*root)?.record(index, &opening));
        entry(|root| empty.segment(index, root, &opening));
        entry(|root| empty.tensor(index, count, root, &opening));
    }
    if let Ok(path) = TensorPath::decode(&mut &rest[..]) {
        entry(|root| path.verify(&claim(*root)?, place, count));
    }
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    decoded(data);
    let _ = run(data);
});
