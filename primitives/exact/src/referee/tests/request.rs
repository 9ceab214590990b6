//! Requests: what they give, and what becomes of bytes that are none.

use super::*;
use crate::{program::MAX_INPUTS, tensor::ShapeError};

fn request(operator: &Operator, tensors: &[&Tensor], question: Question) -> Request {
    let kinds = kinds(tensors);
    let call = Call::new(operator, &kinds, BINDINGS).unwrap();
    let modes = vec![HashMode::Plain; tensors.len()];
    let openings = open(&call, &question, tensors, &modes).unwrap();
    let input = |(kind, committed): (&TensorType, Committed)| Input {
        dtype: kind.dtype,
        dims: kind.shape.dims().to_vec(),
        committed,
    };
    Request {
        operator: operator.clone(),
        bindings: BINDINGS,
        inputs: kinds.iter().zip(committed(tensors)).map(input).collect(),
        question,
        openings,
    }
}

/// A request about the first element of every example, or a group of it.
fn requests() -> Vec<Request> {
    let of = |(operator, tensors): (Operator, Vec<Tensor>)| {
        let tensors: Vec<_> = tensors.iter().collect();
        let kinds = kinds(&tensors);
        let question = match Call::new(&operator, &kinds, BINDINGS).unwrap().groups() {
            0 | 1 => Question::Element(0),
            _ => Question::Group { element: 0, group: 1 },
        };
        request(&operator, &tensors, question)
    };
    examples().into_iter().map(of).collect()
}

fn answer_bytes(bytes: &[u8]) -> Result<Answer, RequestError> {
    Request::from_bytes(bytes).and_then(|request| request.answer())
}

#[test]
fn request_should_give_the_recomputation() {
    for request in requests() {
        let kinds = request.kinds().unwrap();
        let call = Call::new(&request.operator, &kinds, BINDINGS).unwrap();
        let committed: Vec<_> = request.inputs.iter().map(|input| input.committed).collect();
        let answer = recompute(&call, &request.question, &committed, &request.openings).unwrap();
        assert_eq!(answer_bytes(&request.encode()), Ok(answer), "{:?}", request.operator);
        assert_eq!(Answer::decode(&mut &answer.encode()[..]), Ok(answer));
    }
}

#[test]
fn request_should_be_refused_when_it_is_cut_longer_or_too_long() {
    let bytes = requests()[0].encode();
    for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        assert_eq!(answer_bytes(&bytes[..cut]), Err(RequestError::Encoding));
    }
    assert_eq!(answer_bytes(&[&bytes[..], &[0]].concat()), Err(RequestError::Encoding));
    let long = vec![0; MAX_REQUEST + 1];
    assert_eq!(answer_bytes(&long), Err(RequestError::TooLong(long.len())));
}

#[test]
fn request_should_be_refused_when_its_inputs_are_none() {
    let good = &requests()[0];
    let refuse = |change: &dyn Fn(&mut Request)| {
        let mut request = good.clone();
        change(&mut request);
        answer_bytes(&request.encode()).unwrap_err()
    };
    let inputs = MAX_INPUTS + 1;
    let more = refuse(&|request| request.inputs = vec![good.inputs[0].clone(); inputs]);
    assert_eq!(more, RequestError::Inputs(inputs));
    let large = refuse(&|request| request.inputs[1].dims = vec![u32::MAX; 2]);
    let error = ShapeError::TooLarge;
    assert_eq!(large, RequestError::Shape { input: 1, error });
    let misfit = refuse(&|request| request.inputs[1].dims = vec![3]);
    assert!(matches!(misfit, RequestError::Type(_)), "{misfit}");
    let fewer = refuse(&|request| request.openings.clear());
    let openings = RefereeError::Openings { expected: 2, got: 0 };
    assert_eq!(fewer, RequestError::Referee(openings));
}

#[test]
fn request_should_be_refused_when_it_is_larger_in_memory_than_any_good_one() {
    let mut request = requests().swap_remove(0);
    request.openings = vec![None; 100_000];
    assert!(request.encoded_size() < MAX_REQUEST);
    assert_eq!(answer_bytes(&request.encode()), Err(RequestError::Encoding));
}

#[test]
fn request_should_be_answered_when_it_is_as_large_as_can_be() {
    // 4,096 groups, and as many openings as there may be are far below the limit
    let partials = vec![Partial::Largest(1, 2); 4_096];
    let mut request = requests().swap_remove(6);
    assert_eq!(request.operator, Operator::ArgMax);
    request.inputs[0].dims = vec![1, 4_096 * GROUP as u32];
    request.question = Question::Combination { element: 0, partials };
    request.openings = vec![None];
    let size = request.encoded_size();
    assert!(size + MAX_OPENED + 16_384 < MAX_REQUEST, "{size}");
    assert_eq!(answer_bytes(&request.encode()), Ok(Answer::Element(2)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn hostile_request_should_give_an_error_or_an_answer(
        which in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..8),
    ) {
        let mut bytes = which.get(requests_once()).clone();
        for (at, byte, is_early) in flips {
            // Where the operator, the types and the question are, or anywhere
            let reach = if is_early { bytes.len().min(200) } else { bytes.len() };
            bytes[at.index(reach)] = byte;
        }
        if let Err(error) = answer_bytes(&bytes) {
            prop_assert!(!alloc::string::ToString::to_string(&error).is_empty());
        }
    }

    #[test]
    fn random_bytes_should_be_no_request(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(answer_bytes(&bytes).is_err());
    }
}

/// The encodings of [`requests`], made once.
fn requests_once() -> &'static [Vec<u8>] {
    static REQUESTS: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
    REQUESTS.get_or_init(|| requests().iter().map(Encode::encode).collect())
}
