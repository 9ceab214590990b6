//! Attention as its definition says: one operator after the other.

use super::{AttentionFault, Lane, Stage};
use assay_exact::{
    expression::{Binary, Expression, Node, Unary},
    memory::Tensor,
    operator::{Bindings, Call, Coordinate, Dim, Fault, Operator, Side, Term},
    product::Class,
};

/// The bits of the output, or the first fault.
pub(super) fn reference(lane: &Lane) -> Result<Vec<u32>, AttentionFault> {
    let [length, heads, groups, dimension] = [lane.length, lane.heads, lane.groups, lane.dimension].map(|x| x as u32);
    let tokens = lane.tokens as u32;
    let shared = heads / groups;
    let bindings = Bindings {
        length,
        position: tokens - length,
    };
    let apply = |operator: &Operator, inputs: &[&Tensor]| apply(operator, inputs, bindings);
    let sound = |operator: &Operator, inputs: &[&Tensor]| apply(operator, inputs).expect("it cannot fault");
    let at = |stage: Stage| move |(element, fault)| AttentionFault { stage, element, fault };

    let q = Tensor::new(&[length, heads, dimension], &lane.q).unwrap();
    let k = Tensor::new(&[tokens, groups, dimension], &lane.k).unwrap();
    let km = Tensor::new(&[tokens, groups], &lane.k_magnitudes).unwrap();
    let v = Tensor::new(&[tokens, groups, dimension], &lane.v).unwrap();
    let vm = Tensor::new(&[tokens, groups], &lane.v_magnitudes).unwrap();

    let qh = sound(&view(&[heads, length, dimension], &[1, 0, 2]), &[&q]);
    let kh = sound(&view(&[groups, tokens, dimension], &[1, 0, 2]), &[&k]);
    let kmh = sound(&view(&[groups, tokens], &[1, 0]), &[&km]);
    let vt = sound(&view(&[groups, dimension, tokens], &[2, 0, 1]), &[&v]);
    let vmh = sound(&view(&[groups, 1, 1, tokens], &[3, 0]), &[&vm]);

    let qm = apply(&Operator::Magnitude, &[&qh]).map_err(at(Stage::QueryMagnitude))?;
    let s = apply(&product(true), &[&qh, &kh, &qm, &kmh]).map_err(at(Stage::Score))?;
    let factor = [Node::Input(0), Node::Constant(lane.factor.to_bits())];
    let sc = apply(&map(&factor, Node::Binary(Binary::Mul, 0, 1)), &[&s]).map_err(at(Stage::ScaledScore))?;
    let m = sound(&Operator::Maximum(lane.visible), &[&sc]);
    let w = sound(&Operator::Weights(lane.visible), &[&sc, &m]);
    let z = sound(&Operator::WeightSum(30), &[&w]);
    // Heads of a group next to each other, so that they can share the group's powers
    let grouped = [groups, shared, length, tokens].map(|size| Dim::constant(size as i32));
    let w = sound(&Operator::Reshape(grouped.to_vec()), &[&w]);
    let power = [Node::Input(0), Node::Input(1), Node::Unary(Unary::Power, 1)];
    let p = sound(&map(&power, Node::Binary(Binary::Mul, 0, 2)), &[&w, &vmh]);
    let pm = sound(&Operator::Magnitude, &[&p]);
    let y = apply(&product(false), &[&p, &vt, &pm]).map_err(at(Stage::Mix))?;
    let flat = [heads, length, dimension].map(|size| Dim::constant(size as i32));
    let y = sound(&Operator::Reshape(flat.to_vec()), &[&y]);
    let z = sound(
        &Operator::Reshape([heads, length, 1].map(|size| Dim::constant(size as i32)).to_vec()),
        &[&z],
    );
    let quotient = [Node::Input(0), Node::Input(1)];
    let o = sound(&map(&quotient, Node::Binary(Binary::Div, 0, 1)), &[&y, &z]);
    let o = sound(&view(&[length, heads, dimension], &[1, 0, 2]), &[&o]);
    let o: Vec<f32> = o.elements().unwrap();
    Ok(o.iter().map(|x| x.to_bits()).collect())
}

/// The output, or the first element that faults.
fn apply(operator: &Operator, inputs: &[&Tensor], bindings: Bindings) -> Result<Tensor, (u64, Fault)> {
    let kinds: Vec<_> = inputs.iter().map(|tensor| tensor.kind).collect();
    let call = Call::new(operator, &kinds, bindings).unwrap();
    match call.evaluate(inputs) {
        Ok(bytes) => Ok(Tensor {
            kind: call.output(),
            bytes,
        }),
        Err(fault) => {
            let first = (0..call.output().shape.len()).find(|index| call.element(*index, inputs).is_err());
            Err((first.unwrap(), fault))
        }
    }
}

fn map(nodes: &[Node], last: Node) -> Operator {
    Operator::Map(Expression(nodes.iter().copied().chain([last]).collect()))
}

/// A transpose: each dimension of the input runs along one of the output.
fn view(shape: &[u32], along: &[u8]) -> Operator {
    let coordinate = |dimension: &u8| Coordinate {
        offset: Dim::default(),
        terms: vec![Term {
            dimension: *dimension,
            factor: 1,
        }],
        divisor: 1,
    };
    Operator::View {
        shape: shape.iter().map(|size| Dim::constant(*size as i32)).collect(),
        coordinates: along.iter().map(coordinate).collect(),
    }
}

fn product(is_b_scaled: bool) -> Operator {
    Operator::Product {
        a: Side {
            class: Class::Int24,
            scaled: true,
        },
        b: Side {
            class: Class::Int16,
            scaled: is_b_scaled,
        },
    }
}
