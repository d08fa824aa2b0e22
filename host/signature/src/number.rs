//! From a number's JSON text to the number, exactly.
//!
//! Must not know types.

/// Why a number is not one of the type that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    Fraction,
    Range,
}

impl Misfit {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Fraction => "which has a fraction",
            Self::Range => "which is out of range",
        }
    }
}

/// An integer; `3.0` and `3e2` are integers too.
pub(crate) fn integer<T: TryFrom<i128>>(text: &str) -> Result<T, Misfit> {
    // Most are short, and short ones are read faster.
    let short = text.parse::<i64>().map(i128::from);
    let whole = short.or_else(|_| text.parse().or_else(|_| whole(text)))?;
    T::try_from(whole).map_err(|_| Misfit::Range)
}

/// Whether a text is the decimal digits of an integer, and nothing else.
pub(crate) fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Digits in the largest `i128`.
const MOST_DIGITS: i64 = 39;

/// The integer that a number with a fraction, an exponent or too many digits stands for.
fn whole(text: &str) -> Result<i128, Misfit> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => ("-", text),
        None => ("", text),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    let exponent = exponent
        .parse()
        .unwrap_or(match exponent.strip_prefix('-') {
            Some(_) => -BEYOND,
            None => BEYOND,
        });
    let zeros =
        exponent.clamp(-BEYOND, BEYOND) - length(fraction) + length(&digits) - length(significant);
    let significant = significant.trim_start_matches('0');
    match zeros {
        ..0 => Err(Misfit::Fraction),
        zeros if length(significant) + zeros > MOST_DIGITS => Err(Misfit::Range),
        zeros => {
            let zeros = "0".repeat(usize::try_from(zeros).unwrap_or_default());
            [sign, significant, &zeros]
                .concat()
                .parse()
                .map_err(|_| Misfit::Range)
        }
    }
}

/// More digits than any text has, in place of an exponent that no integer holds.
const BEYOND: i64 = i64::MAX / 4;

fn length(digits: &str) -> i64 {
    i64::try_from(digits.len()).unwrap_or(BEYOND)
}

/// A float, rounded to the nearest.
pub(crate) fn double(text: &str) -> Result<f64, Misfit> {
    let float = text.parse().unwrap_or(f64::INFINITY);
    if float.is_finite() {
        Ok(float)
    } else {
        Err(Misfit::Range)
    }
}

/// The same in single precision.
pub(crate) fn single(text: &str) -> Result<f32, Misfit> {
    let float = text.parse().unwrap_or(f32::INFINITY);
    if float.is_finite() {
        Ok(float)
    } else {
        Err(Misfit::Range)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_are_exact() {
        assert_eq!(integer::<u64>("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(integer::<i64>("-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(integer::<i64>("-9223372036854775808.000"), Ok(i64::MIN));
        assert_eq!(
            integer::<u64>("9007199254740993.0"),
            Ok(9_007_199_254_740_993)
        );
        for text in ["-0", "0.00", "0e5", "0E-5", "-0.0e+1"] {
            assert_eq!(integer::<u8>(text), Ok(0), "{text}");
        }
        for (text, whole) in [
            ("1.5e1", 15),
            ("2500e-2", 25),
            ("0.03E+2", 3),
            ("100e-2", 1),
        ] {
            assert_eq!(integer::<u8>(text), Ok(whole), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let huge = "9".repeat(1_000);
        for text in [
            "-9223372036854775809",
            "9223372036854775808",
            "1e400",
            "1e99999999999999999999",
            huge.as_str(),
        ] {
            assert_eq!(integer::<i64>(text), Err(Misfit::Range), "{text}");
        }
        for text in [
            "0.5",
            "1e-1",
            "1e-99999999999999999999",
            "9007199254740993.5",
        ] {
            assert_eq!(integer::<i64>(text), Err(Misfit::Fraction), "{text}");
        }
        assert_eq!(double("1e400"), Err(Misfit::Range));
        assert_eq!(single("1e300"), Err(Misfit::Range));
    }

    proptest! {
        #[test]
        fn every_integer_is_read_however_it_is_written(number in any::<i64>(), zeros in 0..5_usize, shift in 0..20_usize) {
            let plain = format!("{number}.{}", "0".repeat(zeros + 1));
            prop_assert_eq!(integer::<i64>(&plain), Ok(number));
            let shifted = format!("{number}{}e-{shift}", "0".repeat(shift));
            prop_assert_eq!(integer::<i64>(&shifted), Ok(number));
        }

        #[test]
        fn floats_are_the_ones_that_were_written(float in any::<f64>().prop_filter("JSON has no others", |float| float.is_finite())) {
            prop_assert_eq!(double(&serde_json::json!(float).to_string()), Ok(float));
        }
    }
}
