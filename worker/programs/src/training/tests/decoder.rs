//! Decoders: gradients of all parameters, of adapters, and the sizes of their programs.

use super::{forward::*, *};
use crate::{attention::Heads, family::decoder::Decoder};
use assay_exact::product::Class;

/// Layers of a model whose program still fits.
const LAYERS: usize = 2;
const SEQUENCES: Sequences = Sequences { count: 2, length: 4 };
const TOKENS: [u32; 8] = [3, 1, 4, 1, 5, 0, 2, 5];
const LABELS: [u32; 8] = [1, 4, 1, 5, 0, 2, 5, 3];
const COUNTS: [f32; 8] = [1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0];
/// In 2⁻⁶⁴ of a turn.
const FREQUENCIES: [u64; 2] = [2_900_000_000_000_000_000, 290_000_000_000_000_000];

pub(super) fn decoder(tied: bool, qkv_bias: bool) -> Decoder {
    Decoder {
        vocabulary: 6,
        width: 6,
        layers: 2,
        heads: Heads {
            queries: 4,
            keys: 2,
            dimension: 4,
        },
        inner: 5,
        epsilon: 1e-3,
        qkv_bias,
        tied,
    }
}

/// x turned by its position.
fn rotate(x: &[f64], position: usize) -> Vec<f64> {
    let half = x.len() / 2;
    let mut turned = x.to_vec();
    for (pair, frequency) in FREQUENCIES.iter().enumerate() {
        let angle = *frequency as f64 * 2f64.powi(-64) * position as f64 * std::f64::consts::TAU;
        turned[pair] = x[pair] * angle.cos() - x[pair + half] * angle.sin();
        turned[pair + half] = x[pair + half] * angle.cos() + x[pair] * angle.sin();
    }
    turned
}

/// A map of a layer, with its adapter if it has one.
fn map(values: &Values, name: &str, scale: f64, x: &[f64]) -> Vec<f64> {
    let mut y = times(&values[&format!("{name}.weight")], x);
    if let Some(down) = values.get(&format!("{name}.lora_A.weight")) {
        let up = times(&values[&format!("{name}.lora_B.weight")], &times(down, x));
        y = y.iter().zip(&up).map(|(y, up)| y + scale * up).collect();
    }
    match values.get(&format!("{name}.bias")) {
        Some(bias) => plus(&y, bias),
        None => y,
    }
}

/// The scores behind each token of a sequence.
fn scores(decoder: &Decoder, values: &Values, tokens: &[u32], scale: f64) -> Vec<Vec<f64>> {
    let epsilon = f64::from(decoder.epsilon);
    let Heads {
        queries,
        keys,
        dimension,
    } = decoder.heads;
    let table = &values["model.embed_tokens.weight"];
    let mut x: Vec<Vec<f64>> = tokens
        .iter()
        .map(|token| table[*token as usize * decoder.width..][..decoder.width].to_vec())
        .collect();
    for layer in 0..decoder.layers {
        let name = |part: &str| format!("model.layers.{layer}.{part}");
        let norm = |x: &[f64], part: &str| rms_norm(x, &values[&name(&format!("{part}.weight"))], epsilon);
        let of = |part: &str, x: &[f64]| map(values, &name(part), scale, x);
        let normed: Vec<_> = x.iter().map(|x| norm(x, "input_layernorm")).collect();
        let heads = |part: &str, turned: bool| -> Vec<Vec<Vec<f64>>> {
            let rows = normed.iter().enumerate();
            rows.map(|(position, x)| {
                let y = of(&format!("self_attn.{part}_proj"), x);
                let turn = |x: &[f64]| if turned { rotate(x, position) } else { x.to_vec() };
                y.chunks(dimension).map(turn).collect()
            })
            .collect()
        };
        let (q, k, v) = (heads("q", true), heads("k", true), heads("v", false));
        for (at, x) in x.iter_mut().enumerate() {
            let mut attended = Vec::new();
            for (head, query) in q[at].iter().enumerate() {
                let shared = head / (queries / keys);
                let weights: Vec<_> = (0..=at)
                    .map(|other| (dot(query, &k[other][shared]) / (dimension as f64).sqrt()).exp())
                    .collect();
                let sum: f64 = weights.iter().sum();
                attended.extend((0..dimension).map(|element| {
                    let terms = weights.iter().zip(&v).map(|(w, v)| w * v[shared][element]);
                    terms.sum::<f64>() / sum
                }));
            }
            *x = plus(x, &of("self_attn.o_proj", &attended));
            let normed = norm(x, "post_attention_layernorm");
            let (gate, up) = (of("mlp.gate_proj", &normed), of("mlp.up_proj", &normed));
            let gated: Vec<_> = gate.iter().zip(&up).map(|(gate, up)| silu(*gate) * up).collect();
            *x = plus(x, &of("mlp.down_proj", &gated));
        }
    }
    let head = if decoder.tied { table } else { &values["lm_head.weight"] };
    x.iter()
        .map(|x| times(head, &rms_norm(x, &values["model.norm.weight"], epsilon)))
        .collect()
}

/// The losses of all tokens.
pub(super) fn losses(decoder: &Decoder, values: &Values, scale: f64) -> Vec<f64> {
    let sequences = TOKENS.chunks(SEQUENCES.length);
    let scores = sequences.flat_map(|tokens| scores(decoder, values, tokens, scale));
    scores
        .zip(LABELS)
        .map(|(scores, label)| loss(&scores, label as usize))
        .collect()
}

pub(super) fn batch() -> Vec<Tensor> {
    let shape = [SEQUENCES.count, SEQUENCES.length];
    vec![
        indices(&shape, &TOKENS),
        indices(&shape, &LABELS),
        floats(&shape, &COUNTS),
    ]
}

pub(super) fn frequencies() -> (String, Tensor) {
    (
        "rotary.frequencies".to_owned(),
        Tensor::new(&[2], &FREQUENCIES).unwrap(),
    )
}

/// A matrix as a package has it in integers, added to `weights`; what it stands for is returned.
fn quantise(
    weights: &mut BTreeMap<String, Tensor>,
    name: &str,
    shape: &[u32],
    values: &[f32],
    class: Class,
) -> Vec<f64> {
    let mut integers = Vec::new();
    let mut magnitudes = Vec::new();
    let mut stand_for = Vec::new();
    for row in values.chunks(shape[1] as usize) {
        let magnitude = assay_exact::row::magnitude(row).unwrap();
        magnitudes.push(magnitude);
        for x in row {
            let q = class.quantise(*x, magnitude);
            integers.push(q);
            stand_for.push(f64::from(class.dequantise(q, magnitude)));
        }
    }
    let tensor = match class {
        Class::Int8 => Tensor::new(shape, &integers.iter().map(|q| *q as i8).collect::<Vec<_>>()),
        _ => Tensor::new(shape, &integers.iter().map(|q| *q as i16).collect::<Vec<_>>()),
    };
    weights.insert(name.to_owned(), tensor.unwrap());
    weights.insert(
        format!("{name}.magnitudes"),
        Tensor::new(&shape[..1], &magnitudes).unwrap(),
    );
    stand_for
}

/// What a package has of a decoder, by the program's own declarations, and the values that it stands for.
pub(super) fn package(program: &Program, storage: Storage) -> (BTreeMap<String, Tensor>, Values) {
    let mut weights = BTreeMap::from([frequencies()]);
    let mut values = Values::new();
    let declared: Vec<_> = Plan::new(program, BINDINGS).unwrap().weights;
    for (at, (declaration, kind)) in program.weights.iter().zip(declared).enumerate() {
        let name = &declaration.name;
        if name == "rotary.frequencies" || name.ends_with(".magnitudes") {
            continue;
        }
        let count = kind.shape.len() as usize;
        let floats = numbers(count, 0.8, 40 + at as u64);
        let stand_for = match (kind.dtype, storage) {
            (DType::F32, _) => {
                weights.insert(name.clone(), Tensor::new(kind.shape.dims(), &floats).unwrap());
                as_f64(&floats)
            }
            (_, Storage::Integers(class)) => quantise(&mut weights, name, kind.shape.dims(), &floats, class),
            (dtype, Storage::Floats) => panic!("{name} is {dtype:?}"),
        };
        values.insert(name.clone(), stand_for);
    }
    (weights, values)
}

fn check(decoder: &Decoder, storage: Storage, adapters: Option<Adapters>) -> Training {
    let training = decoder.training(SEQUENCES, storage, adapters, &PLAIN).unwrap();
    let (weights, values) = package(&training.program, storage);
    let scale = adapters.map_or(0.0, |adapters| f64::from(adapters.alpha) / adapters.rank as f64);
    check_gradients(&training, &weights, &batch(), values, |values| {
        mean(&losses(decoder, values, scale), &COUNTS)
    });
    training
}

#[test]
fn gradients_should_be_those_of_the_loss_when_scores_have_their_own_table() {
    let training = check(&decoder(false, true), Storage::Floats, None);
    // Two tables, the last norm, and of each layer two norms, seven maps, three biases
    assert_eq!(training.parameters.len(), 3 + 2 * 12);
}

#[test]
fn gradients_should_be_those_of_the_loss_when_tables_are_tied() {
    let training = check(&decoder(true, false), Storage::Floats, None);
    assert_eq!(training.parameters.len(), 2 + 2 * 9);
}

#[test]
fn gradients_should_be_those_of_the_loss_when_a_package_of_integers_is_trained_further() {
    check(&decoder(true, false), Storage::Integers(Class::Int16), None);
}

const ADAPTERS: Adapters = Adapters {
    rank: 2,
    alpha: 3.0,
    attention: true,
    gated: true,
};

#[test]
fn gradients_should_be_those_of_the_loss_when_adapters_are_trained() {
    for class in [Class::Int8, Class::Int16] {
        let training = check(&decoder(false, true), Storage::Integers(class), Some(ADAPTERS));
        assert_eq!(training.parameters.len(), 2 * 7 * 2);
    }
}

#[test]
fn gradients_should_be_those_of_the_loss_when_some_maps_have_adapters() {
    for attention in [true, false] {
        let adapters = Adapters {
            attention,
            gated: !attention,
            ..ADAPTERS
        };
        let training = check(&decoder(true, false), Storage::Floats, Some(adapters));
        assert_eq!(training.parameters.len(), 2 * 2 * if attention { 4 } else { 3 });
    }
}

/// AdamW with everything that a program can have.
const FULL: Settings = Settings {
    optimiser: Optimiser::ADAM_W,
    schedule: Schedule::Cosine { floor: 0.1 },
    clip: true,
};

#[test]
fn training_should_have_its_bits() {
    let training = decoder(true, false)
        .training(SEQUENCES, Storage::Floats, None, &FULL)
        .unwrap();
    let values = initialise(&training.parameters, 5).unwrap();
    let names = training.parameters.iter().map(|spec| spec.name.clone());
    let mut run = Run::new(training.program, &names.zip(values).chain([frequencies()]).collect());
    let hyperparameters = [0.01, 0.1, 1.0, 10.0, 1.0].map(scalar);
    let batch: Vec<_> = batch().into_iter().chain(hyperparameters).collect();
    let bits = (0..3)
        .flat_map(|_| run.step(&batch))
        .map(f32::to_bits)
        .collect::<Vec<_>>();
    let expected = [
        1_072_125_776,
        1_059_150_872,
        1_071_904_927,
        1_057_385_044,
        1_071_685_451,
        1_058_460_481,
    ];
    assert_eq!(bits, expected);
}

#[test]
fn program_should_fit_its_limit_when_a_small_model_is_trained() {
    let sequences = Sequences { count: 4, length: 256 };
    let model = Decoder {
        vocabulary: 32_000,
        width: 288,
        layers: LAYERS,
        heads: Heads {
            queries: 6,
            keys: 6,
            dimension: 48,
        },
        inner: 768,
        epsilon: 1e-5,
        qkv_bias: false,
        tied: true,
    };
    for adapters in [None, Some(ADAPTERS)] {
        let training = model.training(sequences, Storage::Integers(Class::Int8), adapters, &FULL);
        let program = training.unwrap().program;
        println!(
            "{LAYERS} layers, adapters {}: {} bytes",
            adapters.is_some(),
            program.to_bytes().len()
        );
        assert!(Plan::new(&program, BINDINGS).is_ok());
    }
}
