//! Bytes that are given as base64, decoded straight to where they go.
//!
//! Must not know types.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Lowered, wrong};

/// Base64 with padding, as RFC 4648 has it.
#[derive(Clone, Debug)]
pub struct Base64<'a> {
    text: Cow<'a, str>,
    length: usize,
}

/// Characters that are decoded at a time where the bytes are not kept.
const CHUNK: usize = 4096;

impl<'a> Base64<'a> {
    /// A text whose length is possible; whether it is base64 is seen when it is decoded.
    pub(crate) fn new(text: Cow<'a, str>) -> Self {
        let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
        let length = (text.len() / 4 * 3).saturating_sub(padding.min(2));
        Self { text, length }
    }

    /// How many bytes it stands for.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Decodes it into a slice of [`Base64::length`] bytes.
    ///
    /// # Errors
    /// Where it is not base64; the slice then has any content.
    pub fn decode(&self, into: &mut [u8]) -> Result<(), crate::ValidationError> {
        let (most, last) = self.quads();
        let (whole, rest) = into
            .split_at_mut_checked(most.len() / 4 * 3)
            .ok_or_else(|| self.wrong())?;
        self.decode_part(most, whole)?;
        let mut few = [0; 3];
        let length = STANDARD
            .decode_slice(last, &mut few)
            .map_err(|_| self.wrong())?;
        if length != rest.len() {
            return Err(self.wrong());
        }
        rest.copy_from_slice(&few[..length]);
        Ok(())
    }

    /// Whether it can be decoded.
    pub(crate) fn check(&self) -> Lowered<()> {
        let mut bytes = [0; CHUNK / 4 * 3];
        let (most, last) = self.quads();
        for text in most.chunks(CHUNK) {
            self.decode_part(text, &mut bytes[..text.len() / 4 * 3])?;
        }
        STANDARD
            .decode_slice(last, &mut bytes)
            .map_err(|_| self.wrong())?;
        Ok(())
    }

    /// Decodes a part that is not the last, so it has no padding: it fills the slice.
    fn decode_part(&self, text: &[u8], into: &mut [u8]) -> Lowered<()> {
        match STANDARD.decode_slice(text, into) {
            Ok(length) if length == into.len() => Ok(()),
            _ => Err(self.wrong()),
        }
    }

    /// All quads but the last, and the last, which alone may have padding.
    fn quads(&self) -> (&[u8], &[u8]) {
        let bytes = self.text.as_bytes();
        bytes.split_at(bytes.len().saturating_sub(1) / 4 * 4)
    }

    /// What is wrong with it, with the position in the whole text.
    fn wrong(&self) -> crate::ValidationError {
        let reason = match STANDARD.decode(&*self.text) {
            Err(error) => error.to_string(),
            Ok(_) => "Invalid padding".into(),
        };
        wrong(format!("expected list<u8> as base64: {reason}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(text: &str) -> Result<Vec<u8>, String> {
        let given = Base64::new(text.into());
        let mut bytes = vec![0; given.length()];
        let decoded = given.decode(&mut bytes);
        assert_eq!(decoded, given.check());
        decoded.map(|()| bytes).map_err(|error| error.message)
    }

    proptest! {
        #[test]
        fn bytes_are_the_ones_that_were_encoded(bytes in proptest::collection::vec(any::<u8>(), 0..10_000)) {
            prop_assert_eq!(decoded(&STANDARD.encode(&bytes)), Ok(bytes));
        }

        #[test]
        fn what_is_not_base64_is_refused_as_by_the_crate(text in "[A-D=é+/-]{0,12}") {
            prop_assert_eq!(decoded(&text).ok(), STANDARD.decode(&text).ok());
        }
    }

    #[test]
    fn padding_in_the_middle_is_refused() {
        let long = "A".repeat(CHUNK - 1) + "=AAAA";
        for text in ["++A=+//A", "AA==AAAA", long.as_str()] {
            assert!(decoded(text).unwrap_err().contains("base64"), "{text}");
        }
    }

    #[test]
    fn an_error_says_where_in_the_whole_text() {
        let text = "AAAA".repeat(3000) + "AA!A";
        assert_eq!(
            decoded(&text).unwrap_err(),
            "expected list<u8> as base64: Invalid symbol 33, offset 12002."
        );
    }
}
