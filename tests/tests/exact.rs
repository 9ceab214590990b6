//! The exact arithmetic in the real runtime's WASM: the same bits as natively, operator by operator and function by
//! function.

#![allow(clippy::unwrap_used)]

use assay_exact::{
    opening::Opening,
    operator::Fault,
    referee::{Answer, Question, Request, MAX_OPENED},
    sweep::{fingerprint, Patterns, FUNCTIONS},
};
use assay_system_tests::{
    checked_runtime::CheckedRuntime,
    referee::{cases, operators, Case},
};
use codec::{Compact, Decode, Encode};
use std::{
    collections::HashSet,
    mem::discriminant,
    sync::{
        atomic::{AtomicU64, Ordering},
        OnceLock,
    },
    thread,
    time::Instant,
};

/// Patterns that are compared by one call when all are.
const RANGE: u64 = 1 << 24;

/// The number of bit patterns.
const PATTERNS: u64 = 1 << 32;

/// The runtime, compiled once for all tests.
fn runtime() -> &'static CheckedRuntime {
    static RUNTIME: OnceLock<CheckedRuntime> = OnceLock::new();
    RUNTIME.get_or_init(|| CheckedRuntime::new().unwrap())
}

/// The cases, made once for all tests.
fn all() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| cases().unwrap())
}

/// What the runtime's WASM says, which must be what native code says.
fn ask(request: &Request) -> Result<Answer, String> {
    let (answer, _) = runtime().recompute(request).unwrap();
    let native = request.answer().map_err(|error| error.to_string());
    assert_eq!(answer, native, "{:?}, {:?}", request.operator, request.question);
    answer
}

#[test]
fn cases_should_be_of_every_operator() {
    let covered: HashSet<_> = all().iter().map(|case| discriminant(&case.operator)).collect();
    assert_eq!(covered, operators());
}

#[test]
fn recomputation_in_wasm_should_give_the_reference_for_every_operator() {
    let (mut kinds, mut faults, mut largest) = ([0; 3], HashSet::new(), 0);
    for case in all() {
        for element in case.elements().unwrap() {
            let mut ask = |request: Request| {
                kinds[match request.question {
                    Question::Element(_) => 0,
                    Question::Group { .. } => 1,
                    Question::Combination { .. } => 2,
                }] += 1;
                largest = largest.max(request.openings.encoded_size());
                ask(&request).map_err(anyhow::Error::msg)
            };
            let answer = case.dispute(element, &mut ask).unwrap();
            let expected = case.expected(element).unwrap();
            assert_eq!(answer, expected, "element {element} of {:?}", case.operator);
            if let Answer::Fault(fault) = answer {
                faults.insert(discriminant(&fault));
            }
        }
    }
    println!("elements, groups, combinations: {kinds:?}; the largest openings have {largest} bytes");
    assert!(largest <= MAX_OPENED);
    assert!(kinds.iter().all(|count| *count > 100), "{kinds:?}");
    for fault in [
        Fault::NotFinite,
        Fault::Magnitude,
        Fault::Class,
        Fault::Index { got: 0, below: 0 },
        Fault::Weight,
    ] {
        assert!(faults.contains(&discriminant(&fault)), "no case gives {fault:?}");
    }
}

/// A question about the first element of a case, or about its last group.
fn request(case: &Case) -> Option<Request> {
    let kinds = case.kinds();
    let call = case.call(&kinds).unwrap();
    let question = match call.groups() {
        0 | 1 => Question::Element(0),
        groups => Question::Group {
            element: 0,
            group: groups - 1,
        },
    };
    (!call.output().shape.is_empty()).then(|| case.request(question).unwrap())
}

/// The opening with one bit of what it opens flipped.
fn flipped(opening: &Opening) -> Opening {
    let mut bytes = opening.encode();
    let length = Compact(opening.bytes().len() as u32);
    let start = opening.runs().encoded_size() + length.encoded_size();
    bytes[start + opening.bytes().len() / 2] ^= 0x10;
    Opening::decode(&mut &bytes[..]).unwrap()
}

#[test]
fn openings_of_something_else_should_be_refused_in_wasm() {
    for right in all().iter().filter_map(request) {
        for (input, opening) in right.openings.iter().enumerate() {
            let Some(opening) = opening else { continue };
            let mut other = right.clone();
            other.openings[input] = Some(flipped(opening));
            let refused = ask(&other).unwrap_err();
            assert!(refused.contains(&format!("the opening of input {input}")), "{refused}");
            let mut other = right.clone();
            other.inputs[input].committed.digest.0[31] ^= 1;
            let refused = ask(&other).unwrap_err();
            assert!(refused.contains("belongs to a blob"), "{refused}");
            let mut missing = right.clone();
            missing.openings[input] = None;
            let refused = ask(&missing).unwrap_err();
            assert!(refused.contains("are not there"), "{refused}");
        }
        let mut fewer = right.clone();
        if fewer.openings.pop().is_some() {
            ask(&fewer).unwrap_err();
        }
    }
}

#[test]
fn hostile_bytes_should_give_in_wasm_what_they_give_natively() {
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut refused = 0;
    for mut bytes in all().iter().filter_map(request).map(|request| request.encode()) {
        for _ in 0..=random(4) {
            // Mostly where the operator, the types and the question are
            let reach = if random(4) > 0 {
                bytes.len().min(150)
            } else {
                bytes.len()
            };
            bytes[random(reach)] = random(256) as u8;
        }
        bytes.truncate(bytes.len() - random(2) * random(8));
        let native = Request::from_bytes(&bytes).and_then(|request| request.answer());
        let (answer, _) = runtime().recompute_bytes(bytes).unwrap();
        refused += usize::from(native.is_err());
        assert_eq!(answer, native.map_err(|error| error.to_string()));
    }
    assert!(refused > 100, "only {refused} requests were refused");
}

/// The first pattern of these for which the function gives something else in WASM, if there is one.
fn first_difference(function: usize, patterns: Patterns) -> Option<u32> {
    let differs =
        |patterns| runtime().fingerprint(function, patterns).unwrap() != fingerprint(function, patterns).unwrap();
    if !differs(patterns) {
        return None;
    }
    let mut rest = patterns;
    while rest.count > 1 {
        let half = rest.count / 2;
        let first = Patterns { count: half, ..rest };
        rest = if differs(first) {
            first
        } else {
            Patterns {
                first: rest.first.wrapping_add(rest.step.wrapping_mul(half as u32)),
                count: rest.count - half,
                ..rest
            }
        };
    }
    Some(rest.first)
}

#[test]
fn scalar_functions_in_wasm_should_give_the_same_bits_for_a_sample() {
    let stratified = Patterns {
        first: 0,
        step: 4_097,
        count: 1 << 20,
    };
    // Around zeros, ones, and where numbers end
    let around = [0xffff_0000, 0x3f7f_0000, 0xbf7f_0000, 0x7f7f_0000, 0xff7f_0000].map(|first| Patterns {
        first,
        step: 1,
        count: 1 << 17,
    });
    for (index, function) in FUNCTIONS.iter().enumerate() {
        for patterns in around.into_iter().chain([stratified]) {
            let difference = first_difference(index, patterns);
            assert_eq!(difference, None, "{} (the pattern, in decimal)", function.name);
        }
    }
}

#[test]
#[ignore = "all 2^32 inputs of each function, natively and in WASM: the better part of an hour; `cargo xtask exhaustive` runs it"]
fn scalar_functions_in_wasm_should_give_the_same_bits_for_every_input() {
    let start = Instant::now();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    for (index, function) in FUNCTIONS.iter().enumerate() {
        let (next, differing) = (AtomicU64::new(0), AtomicU64::new(0));
        let work = || {
            while let Some(range) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|range| range * RANGE < PATTERNS)
            {
                let patterns = Patterns {
                    first: (range * RANGE) as u32,
                    step: 1,
                    count: RANGE,
                };
                if let Some(pattern) = first_difference(index, patterns) {
                    println!("{} differs at {pattern:08x}", function.name);
                    differing.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
        let differing = differing.into_inner();
        let (done, of, seconds) = (index + 1, FUNCTIONS.len(), start.elapsed().as_secs());
        println!(
            "{done:2} of {of}, {seconds:4} s: {}: {PATTERNS} inputs, {differing} ranges differ",
            function.name
        );
        assert_eq!(differing, 0, "{}", function.name);
    }
    println!(
        "{} functions of {PATTERNS} inputs on {threads} threads: no difference",
        FUNCTIONS.len()
    );
}
