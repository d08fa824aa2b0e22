//! Where conversions put values.
//!
//! A target has places, and each value is written to its place as soon as it is read, so that nothing of a call's
//! arguments is kept in between. Must not know JSON.

use std::convert::Infallible;

use crate::encoded::Base64;
use crate::error::Stopped;

/// A value without others inside.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "each is a value of the WIT type of its name")]
pub enum Scalar {
    Bool(bool),
    S8(i8),
    U8(u8),
    S16(i16),
    U16(u16),
    S32(i32),
    U32(u32),
    S64(i64),
    U64(u64),
    F32(f32),
    F64(f64),
    Char(char),
}

/// Takes the values of arguments that fit.
pub trait Target {
    /// Why it can't take one.
    type Error;
    /// Where one value goes.
    type Place;
    /// Where the parts of a record, a tuple or a list of fixed length go.
    type Parts;
    /// A list that is being written.
    type List;

    /// Writes a value without others inside.
    ///
    /// # Errors
    /// As the target's.
    fn scalar(&mut self, place: &Self::Place, value: Scalar) -> Result<(), Self::Error>;

    /// Writes a string.
    ///
    /// # Errors
    /// As the target's.
    fn string(&mut self, place: &Self::Place, text: &str) -> Result<(), Self::Error>;

    /// Decodes bytes to where they go.
    ///
    /// # Errors
    /// As the target's, or as [`Base64::decode`].
    fn bytes(
        &mut self,
        place: &Self::Place,
        given: &Base64<'_>,
    ) -> Result<(), Stopped<Self::Error>>;

    /// Sets flags: the bit `i % 32` of the word `i / 32` stands for the flag at `i`.
    ///
    /// # Errors
    /// As the target's.
    fn flags(&mut self, place: &Self::Place, words: &[u32]) -> Result<(), Self::Error>;

    /// Chooses a case of a variant, an enum, an option (`none` is 0) or a result (`ok` is 0), and answers where its
    /// value goes if it has one.
    ///
    /// # Errors
    /// As the target's.
    fn case(&mut self, place: &Self::Place, index: usize) -> Result<Self::Place, Self::Error>;

    /// Begins a record, a tuple or a list of fixed length.
    ///
    /// # Errors
    /// As the target's.
    fn parts(&mut self, place: &Self::Place) -> Result<Self::Parts, Self::Error>;

    /// Where a part goes. They come in any order.
    ///
    /// # Errors
    /// As the target's.
    fn part(&mut self, parts: &mut Self::Parts, index: usize) -> Result<Self::Place, Self::Error>;

    /// Begins a list, most often one of as many items as are expected.
    ///
    /// # Errors
    /// As the target's.
    fn list(&mut self, place: &Self::Place, expected: usize) -> Result<Self::List, Self::Error>;

    /// Where its next item goes.
    ///
    /// # Errors
    /// As the target's.
    fn item(&mut self, list: &mut Self::List) -> Result<Self::Place, Self::Error>;

    /// Ends a list.
    ///
    /// # Errors
    /// As the target's.
    fn end(&mut self, place: &Self::Place, list: Self::List) -> Result<(), Self::Error>;
}

/// Takes nothing: values are only checked.
pub(crate) struct Check;

impl Target for Check {
    type Error = Infallible;
    type Place = ();
    type Parts = ();
    type List = ();

    fn scalar(&mut self, (): &(), _: Scalar) -> Result<(), Infallible> {
        Ok(())
    }

    fn string(&mut self, (): &(), _: &str) -> Result<(), Infallible> {
        Ok(())
    }

    fn bytes(&mut self, (): &(), given: &Base64<'_>) -> Result<(), Stopped<Infallible>> {
        Ok(given.check()?)
    }

    fn flags(&mut self, (): &(), _: &[u32]) -> Result<(), Infallible> {
        Ok(())
    }

    fn case(&mut self, (): &(), _: usize) -> Result<(), Infallible> {
        Ok(())
    }

    fn parts(&mut self, (): &()) -> Result<(), Infallible> {
        Ok(())
    }

    fn part(&mut self, (): &mut (), _: usize) -> Result<(), Infallible> {
        Ok(())
    }

    fn list(&mut self, (): &(), _: usize) -> Result<(), Infallible> {
        Ok(())
    }

    fn item(&mut self, (): &mut ()) -> Result<(), Infallible> {
        Ok(())
    }

    fn end(&mut self, (): &(), (): ()) -> Result<(), Infallible> {
        Ok(())
    }
}
