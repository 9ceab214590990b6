//! `config.json`: a configuration that is accepted has a program, and weights can be made for it whatever they are.

#![no_main]

use assay_exact::{
    operator::TensorType,
    program::Program,
    tensor::{DType, Shape},
};
use assay_fuzz::hostile::Numbers;
use assay_models::{
    family::{self, WeightMaker},
    source::Weights,
    Config, SourceError,
};
use assay_programs::family::{decoder::Purpose, Precision};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

/// Most elements of a weight that is made.
const MOST: i64 = 1 << 14;

/// Weights of the shapes that a program declares.
struct Any(BTreeMap<String, Vec<usize>>);

impl Weights for Any {
    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Result<Vec<usize>, SourceError> {
        self.0.get(name).cloned().ok_or_else(|| SourceError::Missing {
            file: "memory".into(),
            name: name.into(),
            count: self.0.len(),
        })
    }

    fn read_f32(&self, name: &str) -> Result<Vec<f32>, SourceError> {
        let dims: Vec<u32> = self.shape(name)?.into_iter().map(|size| size as u32).collect();
        let kind = TensorType {
            dtype: DType::F32,
            shape: Shape::new(&dims, DType::F32).expect("only small weights are read; qed"),
        };
        let elements = Numbers::new(name.len() as u64).tensor(kind).elements::<f32>();
        let elements = elements.expect("of that type; qed");
        // What a source gives is finite
        Ok(elements
            .into_iter()
            .map(|x| if x.is_finite() { x } else { 1e30 })
            .collect())
    }
}

fn make(config: &Config, program: &Program, precision: Precision) {
    let size = |weight: &assay_exact::program::Declaration| {
        weight.shape.iter().map(|dim| i64::from(dim.constant)).product::<i64>()
    };
    let shapes = program.weights.iter().map(|weight| {
        let shape = weight.shape.iter().map(|dim| dim.constant as usize).collect();
        (weight.name.clone(), shape)
    });
    let source = Any(shapes.collect());
    let mut maker = WeightMaker::new(config, &source, precision);
    for weight in program.weights.iter().take(64) {
        if program.weights.iter().any(|weight| size(weight) > MOST) {
            return;
        }
        match maker.make(weight) {
            Ok(bytes) => assert_eq!(bytes.len() as u64, size(weight) as u64 * weight.dtype.size()),
            Err(error) => return drop(error.to_string()),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let config = match Config::from_json(data) {
        Ok(config) => config,
        Err(error) => return drop(error.to_string()),
    };
    for precision in [Precision::W8A16, Precision::W16A24] {
        match family::program(&config, precision, Purpose::Generate) {
            Ok(program) => {
                assert_eq!(Program::from_bytes(&program.to_bytes()).as_ref(), Ok(&program));
                make(&config, &program, precision);
            }
            Err(error) => drop(error.to_string()),
        }
    }
});
