//! Questions to the referee: honest openings give what the operator gives; changed ones give the same, or an error.

#![no_main]

use assay_exact::{
    memory::Tensor,
    opening::{HashMode, Opening, OpeningError},
    operator::{Call, Fault},
    referee::{open, recompute, Answer, Committed, ProveError, Question, RefereeError},
};
use assay_fuzz::{
    calls::{bindings, effort, Maker},
    hostile::Numbers,
};
use codec::{Decode, Encode};
use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};

/// Most scalar operations of an element.
const MOST: u64 = 1 << 16;

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    let seed = u.arbitrary()?;
    let (element, changes): (u64, [(u16, u8); 3]) = (u.arbitrary()?, u.arbitrary()?);
    let bindings = bindings(u)?;
    let mut maker = Maker::new(u, bindings);
    let (operator, inputs) = maker.operator()?;
    let kinds: Vec<_> = inputs.iter().map(|at| maker.known[*at]).collect();
    let Ok(call) = Call::new(&operator, &kinds, bindings) else {
        return Ok(());
    };
    let elements = call.output().shape.len();
    if effort(&operator, &kinds, call.output()) / elements.max(1) > MOST {
        return Ok(());
    }
    let mut numbers = Numbers::new(seed);
    let tensors: Vec<Tensor> = kinds.iter().map(|kind| numbers.tensor(*kind)).collect();
    let tensors: Vec<&Tensor> = tensors.iter().collect();
    let modes: Vec<HashMode> = (0..tensors.len())
        .map(|input| match (seed >> 8 >> input) & 1 {
            0 => HashMode::Plain,
            _ => HashMode::Keyed([input as u8; 32]),
        })
        .collect();
    let mut committed: Vec<Committed> = tensors
        .iter()
        .zip(&modes)
        .map(|(tensor, mode)| Committed {
            digest: mode.digest(&tensor.bytes),
            mode: *mode,
        })
        .collect();

    // Any question at all
    let mut bytes = u.peek_bytes(u.len()).unwrap_or_default();
    if let Ok(question) = Question::decode(&mut bytes) {
        let nothing = vec![None; tensors.len()];
        let _ = recompute(&call, &question, &committed, &nothing).map_err(|error| error.to_string());
        ask(&call, &question, (&tensors, &modes, &committed));
    }
    if elements == 0 {
        return Ok(());
    }
    let element = element % elements;
    let whole = call.element(element, &tensors[..]);
    if let Err(Fault::Missing(missing)) = whole {
        panic!("{missing}, but everything is there");
    }
    let groups = call.groups();
    if groups <= 1 {
        let answer = ask(&call, &Question::Element(element), (&tensors, &modes, &committed));
        assert_eq!(answer, Some(answer_of(whole)));
    }
    let mut partials = Vec::new();
    for group in 0..groups {
        let question = Question::Group { element, group };
        match ask(&call, &question, (&tensors, &modes, &committed)) {
            Some(Answer::Partial(partial)) => partials.push(partial),
            Some(Answer::Fault(fault)) => {
                assert_eq!(whole, Err(fault), "the first group that fails says why");
                return Ok(());
            }
            other => panic!("group {group} of {groups}: {other:?}"),
        }
    }
    let mut question = Question::Element(element);
    if groups > 0 {
        question = Question::Combination { element, partials };
        let answer = ask(&call, &question, (&tensors, &modes, &committed));
        assert_eq!(answer, Some(answer_of(whole)));
    }

    // What is changed on the way either is noticed or changes nothing
    let Ok(openings) = open(&call, &question, &tensors, &modes) else {
        return Ok(());
    };
    let mut bytes = openings.encode();
    for (at, change) in changes {
        let length = bytes.len();
        if let Some(byte) = bytes.get_mut(usize::from(at) % length.max(1)) {
            *byte ^= change;
        }
    }
    let Ok(mut openings) = Vec::<Option<Opening>>::decode(&mut &bytes[..]) else {
        return Ok(());
    };
    if let Ok(answer) = recompute(&call, &question, &committed, &openings) {
        assert_eq!(answer, answer_of(whole));
    }
    // Who posts the digests can make anything of them
    openings.resize(tensors.len(), None);
    for _ in 0..tensors.len() {
        match recompute(&call, &question, &committed, &openings) {
            Err(RefereeError::Opening {
                input,
                error: OpeningError::Root { got, .. },
            }) => committed[input].digest = got,
            _ => break,
        }
    }
    Ok(())
}

fn answer_of(whole: std::result::Result<u64, Fault>) -> Answer {
    whole.map_or_else(Answer::Fault, Answer::Element)
}

/// The answer out of openings; it must be that out of whole tensors. None if the question has none, or openings would be
/// too large.
fn ask(
    call: &Call<'_>,
    question: &Question,
    (tensors, modes, committed): (&[&Tensor], &[HashMode], &[Committed]),
) -> Option<Answer> {
    match open(call, question, tensors, modes) {
        Ok(openings) => match recompute(call, question, committed, &openings) {
            Ok(answer) => Some(answer),
            Err(error) => panic!("opened what it needs, but {error}"),
        },
        Err(ProveError::Question(error)) => {
            assert!(!matches!(error, RefereeError::Missing(_)), "{error}");
            None
        }
        Err(ProveError::Cut(error)) => panic!("{error}"),
    }
}

fuzz_target!(|data: &[u8]| {
    let _ = run(&mut Unstructured::new(data));
});
