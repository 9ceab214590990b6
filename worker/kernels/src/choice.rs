//! Which instruction set to use: the one asked for, or the fastest that can be trusted.

use crate::{check::Mismatch, isa::VARIABLE, Isa};

/// Why there is no instruction set to use.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ChoiceError {
    /// The one asked for is not there.
    NotThere { asked: String, available: Vec<Isa> },
    /// The one asked for gives other bits.
    Wrong(Mismatch),
}

impl std::fmt::Display for ChoiceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotThere { asked, available } => {
                let names: Vec<_> = available.iter().map(|isa| isa.to_string()).collect();
                write!(f, "{VARIABLE}: expected one of {}, got {asked}", names.join(", "))
            }
            Self::Wrong(mismatch) => write!(f, "{VARIABLE}: {mismatch}; unset it, or choose another"),
        }
    }
}

impl std::error::Error for ChoiceError {}

/// The instruction set named `asked`, if that is not empty, or else the last of `available` that passes `check`; and
/// those after it, which do not.
pub(crate) fn choose(
    asked: Option<&str>,
    available: &[Isa],
    check: impl Fn(Isa) -> Result<(), Mismatch>,
) -> Result<(Isa, Vec<Mismatch>), ChoiceError> {
    if let Some(asked) = asked.filter(|asked| !asked.is_empty()) {
        let isa = available.iter().find(|isa| isa.to_string() == asked);
        let isa = *isa.ok_or_else(|| ChoiceError::NotThere {
            asked: asked.into(),
            available: available.to_vec(),
        })?;
        return check(isa).map(|()| (isa, Vec::new())).map_err(ChoiceError::Wrong);
    }
    let mut refused = Vec::new();
    for isa in available.iter().rev() {
        match check(*isa) {
            Ok(()) => return Ok((*isa, refused)),
            Err(mismatch) => refused.push(mismatch),
        }
    }
    // The others are held against it
    Ok((Isa::Portable, refused))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A check that only these fail.
    fn fails(wrong: &[Isa]) -> impl Fn(Isa) -> Result<(), Mismatch> + '_ {
        |isa| match wrong.contains(&isa) {
            true => Err(Mismatch { isa, kernel: "product" }),
            false => Ok(()),
        }
    }

    #[test]
    fn choice_should_be_the_fastest_when_nothing_is_asked_for() {
        for asked in [None, Some("")] {
            let fastest = *Isa::ALL.last().expect("there is one");
            assert_eq!(choose(asked, Isa::ALL, fails(&[])), Ok((fastest, Vec::new())));
        }
    }

    #[test]
    fn choice_should_fall_back_to_the_next_when_kernels_give_other_bits() {
        for wrong in 1..Isa::ALL.len() {
            let (right, wrong) = Isa::ALL.split_at(Isa::ALL.len() - wrong);
            let (isa, refused) = choose(None, Isa::ALL, fails(wrong)).expect("nothing is asked for");
            assert_eq!(Some(&isa), right.last());
            let refused: Vec<_> = refused.iter().rev().map(|mismatch| mismatch.isa).collect();
            assert_eq!(refused, wrong);
        }
    }

    #[test]
    fn choice_should_be_what_is_asked_for() {
        for isa in Isa::ALL {
            let asked = isa.to_string();
            assert_eq!(choose(Some(&asked), Isa::ALL, fails(&[])), Ok((*isa, Vec::new())));
        }
    }

    #[test]
    fn choice_should_fail_when_what_is_asked_for_is_not_there() {
        let error = choose(Some("sse9"), &[Isa::Portable], fails(&[])).expect_err("there is no such set");
        assert_eq!(error.to_string(), "ASSAY_ISA: expected one of portable, got sse9");
    }

    #[test]
    fn choice_should_fail_when_what_is_asked_for_gives_other_bits() {
        let fastest = *Isa::ALL.last().expect("there is one");
        let asked = fastest.to_string();
        assert!(matches!(
            choose(Some(&asked), Isa::ALL, fails(&[fastest])),
            Err(ChoiceError::Wrong(Mismatch { isa, .. })) if isa == fastest
        ));
    }
}
