//! Values that another implementation has given, which shares no code with this one. `docs/exact/traces.md` quotes
//! them.

use super::*;

/// The key of BLAKE3's own test vectors.
const KEY: HashMode = HashMode::Keyed(*b"whats the Elvish word for friend");

/// The digests that one run gives: of its origin, of segment 5, of the trace when it has completed and when it has
/// failed, and when there is a record for every segment.
fn values(mode: HashMode) -> [String; 5] {
    // begin quote: run
    let inputs = [digest(4), digest(5)];
    let origin = Origin {
        program: digest(1),
        package: digest(2),
        parameters: digest(3),
        inputs: &inputs,
    }
    .record(&mode);
    let run = |max_steps, segments| {
        let mut builder = TraceBuilder::new(RecordSpan::new(max_steps, 2).unwrap(), origin, mode);
        let mut digests = vec![];
        for segment in 0..segments {
            digests.push(builder.segment(&tensors(segment)).unwrap());
        }
        (builder, digests)
    };
    let (completed, digests) = run(5_000, 10);
    [
        origin,
        digests[5],
        completed.complete(digest(6)).unwrap().digest(&mode),
        run(5_000, 9).0.fail(7).unwrap().digest(&mode),
        run(5, 10).0.complete(digest(6)).unwrap().digest(&mode),
    ]
    .map(|digest| digest.to_string())
    // end quote
}

#[test]
fn traces_should_be_the_golden_ones() {
    // begin quote: traces
    assert_eq!(
        values(HashMode::Plain),
        [
            "0xd00010d38e4787ab5ab4793206d9dff40edbc6678badf727ed63d5a77ff673da",
            "0x655befe34a714faefc11066642e2ffeffb1258752967c807dfeef649d8d313c9",
            "0xfa59a806526e03533f413da7d5adc75fb15e61c90963bc7a9af491d6c2736a60",
            "0x5486959b7e4a7a05b8dd012281f404c5adc345fec0f7dcf389baf452417ebcd6",
            "0xd488fe72427e0cf07036547943d839984763ebab73981e3b5d6ad52a234d3ea8",
        ]
    );
    assert_eq!(
        values(KEY),
        [
            "0x761d413a6e5014a7be6370851e10bd916f3653841317676f9c846ab0d4cc9ee8",
            "0xe727d9a8fec780d46f6913a426ded21782c2bf855f035469dc6f1644b627bee6",
            "0x8661cad2bad8ad65cfebfdbb0dc2a9cfc070ca2d856f81d64f6e857e91fda202",
            "0x9a558fa32d1a9a88b1584f4cefeeb62c71dfeacb4f860e0592363252c7f0141b",
            "0x8fc9d8fc37ac2f214b22eeb6b22bc424fafa2b69d2ecb4fe580560c2eef77251",
        ]
    );
    // end quote
}

#[test]
fn header_should_be_the_golden_one() {
    let header = Header {
        status: Status::Failed {
            step: 4,
            segment: 1,
            operator: 7,
        },
        steps: 4,
        result: HashMode::Plain.digest(&[]),
    };
    let hex: String = header.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "61737361792f7472616365000200010004000000040000000100000007000000\
         af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    );
}
