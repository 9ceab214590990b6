//! Amounts of ASY as people write them: exact decimals, never floats.

use crate::Balance;

/// Decimal places of ASY.
pub const DECIMALS: u32 = 12;

/// The smallest units in 1 ASY.
pub const ASY: Balance = 10u128.pow(DECIMALS);

/// Why a text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not digits, or digits around one point.
    #[error("expected an amount of ASY like 12 or 0.5, got {0:?}")]
    Invalid(String),
    /// Digits below the smallest unit.
    #[error("expected at most {DECIMALS} digits after the point, got {0:?}")]
    TooPrecise(String),
    /// More than 128 bits hold.
    #[error("expected an amount below 2^128 of the smallest unit, got {0:?}")]
    TooLarge(String),
}

/// Reads an amount as `12`, `0.5` or `0.5 ASY`.
pub fn parse(text: &str) -> Result<Balance, AmountError> {
    let number = text.trim().strip_suffix("ASY").unwrap_or(text).trim();
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (number, "0"),
    };
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return Err(AmountError::Invalid(text.into()));
    }
    if fraction.len() > DECIMALS as usize {
        return Err(AmountError::TooPrecise(text.into()));
    }
    let too_large = || AmountError::TooLarge(text.into());
    let whole: Balance = whole.parse().map_err(|_| too_large())?;
    let padded = format!("{fraction:0<width$}", width = DECIMALS as usize);
    let fraction: Balance = padded.parse().map_err(|_| too_large())?;
    whole
        .checked_mul(ASY)
        .and_then(|whole| whole.checked_add(fraction))
        .ok_or_else(too_large)
}

/// Writes an amount exactly, as in `0.5 ASY`; [`parse`] reads it back.
pub fn format(amount: Balance) -> String {
    let (whole, fraction) = (amount / ASY, amount % ASY);
    if fraction == 0 {
        return format!("{whole} ASY");
    }
    let fraction = format!("{fraction:0width$}", width = DECIMALS as usize);
    format!("{whole}.{} ASY", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn amount_should_be_exact_when_parsed() {
        for (text, expected) in [
            ("0", 0),
            ("1", ASY),
            ("1.5", ASY + ASY / 2),
            (" 12.25 ASY ", 12 * ASY + ASY / 4),
            ("0.000000000001", 1),
            ("0.1", ASY / 10),
            ("007", 7 * ASY),
            ("340282366920938463463374607.431768211455", u128::MAX),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn amount_should_be_refused_when_not_a_plain_decimal() {
        for text in [
            "", " ", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", "1.2.3", "1_000", "ASY", "1 000", "٣",
        ] {
            assert_eq!(parse(text), Err(AmountError::Invalid(text.into())), "{text}");
        }
    }

    #[test]
    fn amount_should_be_refused_when_too_precise_or_too_large() {
        assert_eq!(
            parse("0.0000000000001"),
            Err(AmountError::TooPrecise("0.0000000000001".into()))
        );
        for text in [
            "340282366920938463463374607.431768211456",
            "1000000000000000000000000000",
            &"9".repeat(50),
        ] {
            assert_eq!(parse(text), Err(AmountError::TooLarge(text.into())), "{text}");
        }
    }

    #[test]
    fn amount_should_be_read_back_when_formatted() {
        for (amount, text) in [
            (0, "0 ASY"),
            (1, "0.000000000001 ASY"),
            (ASY, "1 ASY"),
            (ASY + 1, "1.000000000001 ASY"),
            (10 * ASY + ASY / 2, "10.5 ASY"),
            (u128::MAX, "340282366920938463463374607.431768211455 ASY"),
        ] {
            assert_eq!(format(amount), text);
            assert_eq!(parse(text), Ok(amount));
        }
    }
}
