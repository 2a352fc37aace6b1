//! What the standard traits mean for a BSTR.
//!
//! Equality, order and hash go by bytes; null equals empty. Text is compared by code units.

use crate::bstr::borrowed::BstrRef;

/// Whether a BSTR is this text, to the last byte.
fn is_text(bstr: BstrRef<'_>, text: &str) -> bool {
    bstr.odd_byte().is_none() && bstr.as_units().iter().copied().eq(text.encode_utf16())
}

impl PartialEq<str> for BstrRef<'_> {
    fn eq(&self, text: &str) -> bool {
        is_text(*self, text)
    }
}

impl PartialEq<&str> for BstrRef<'_> {
    fn eq(&self, text: &&str) -> bool {
        is_text(*self, text)
    }
}

impl AsRef<[u16]> for BstrRef<'_> {
    fn as_ref(&self) -> &[u16] {
        self.as_units()
    }
}

#[cfg(feature = "std")]
mod owned {
    use core::cmp::Ordering;
    use core::fmt;
    use core::hash::{Hash, Hasher};

    use super::{BstrRef, is_text};
    use crate::bstr::owned::{Bstr, expect};
    use crate::units::UnitLen;

    /// As for [`BstrRef`].
    impl fmt::Display for Bstr {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.as_bstr().fmt(f)
        }
    }

    /// As for [`BstrRef`]: the bare text, as the `windows` crate has it; `{:#?}` tells more.
    impl fmt::Debug for Bstr {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            fmt::Debug::fmt(&self.as_bstr(), f)
        }
    }

    impl PartialEq for Bstr {
        fn eq(&self, other: &Self) -> bool {
            self.as_bstr() == other.as_bstr()
        }
    }

    impl Eq for Bstr {}

    impl PartialOrd for Bstr {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }

    impl Ord for Bstr {
        fn cmp(&self, other: &Self) -> Ordering {
            self.as_bstr().cmp(&other.as_bstr())
        }
    }

    impl Hash for Bstr {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.as_bstr().hash(state);
        }
    }

    impl PartialEq<BstrRef<'_>> for Bstr {
        fn eq(&self, other: &BstrRef<'_>) -> bool {
            self.as_bstr() == *other
        }
    }

    impl PartialEq<Bstr> for BstrRef<'_> {
        fn eq(&self, other: &Bstr) -> bool {
            *self == other.as_bstr()
        }
    }

    impl<T: AsRef<str> + ?Sized> PartialEq<T> for Bstr {
        fn eq(&self, text: &T) -> bool {
            is_text(self.as_bstr(), text.as_ref())
        }
    }

    impl PartialEq<Bstr> for str {
        fn eq(&self, bstr: &Bstr) -> bool {
            bstr == self
        }
    }

    impl PartialEq<Bstr> for &str {
        fn eq(&self, bstr: &Bstr) -> bool {
            bstr == self
        }
    }

    impl PartialEq<Bstr> for String {
        fn eq(&self, bstr: &Bstr) -> bool {
            bstr == self
        }
    }

    impl AsRef<[u16]> for Bstr {
        fn as_ref(&self) -> &[u16] {
            self.as_units()
        }
    }

    /// Units on their way into a string: so many at a time that it is not resized for each.
    struct Gathered<'a> {
        bstr: &'a mut Bstr,
        /// What the string was before.
        before: (bool, UnitLen),
        units: [u16; GATHERED],
        len: usize,
    }

    /// Units that are gathered before the string is resized.
    const GATHERED: usize = 128;

    impl<'a> Gathered<'a> {
        /// To be appended, as many as `expected` at least.
        #[track_caller]
        fn new(bstr: &'a mut Bstr, expected: usize) -> Self {
            let before = (bstr.is_null(), bstr.unit_len());
            if let Ok(expected) = UnitLen::try_from(expected)
                && expected.as_usize() > GATHERED
            {
                // What an iterator says it will give at least is a hint: it may be a lie.
                let _ = bstr.try_reserve(expected);
            }
            Self {
                bstr,
                before,
                units: [0; GATHERED],
                len: 0,
            }
        }

        #[track_caller]
        fn push(&mut self, unit: u16) {
            if self.len == GATHERED {
                self.append();
            }
            self.units[self.len] = unit;
            self.len += 1;
        }

        /// Appends what is here. If that cannot be, the string becomes what it was before.
        #[track_caller]
        fn append(&mut self) {
            if let Err(error) = self.bstr.try_push_units(&self.units[..self.len]) {
                self.restore();
                expect::<()>(Err(error));
            }
            self.len = 0;
        }

        /// Makes the string what it was before.
        #[track_caller]
        fn restore(&mut self) {
            match self.before {
                (true, _) => self.bstr.clear(),
                (false, len) => self.bstr.truncate(len),
            }
        }
    }

    /// Appends what the iterator gives. Should it panic, the string has the beginning of that.
    #[track_caller]
    fn extend(bstr: &mut Bstr, units: impl Iterator<Item = u16>) {
        if bstr.byte_len().is_odd() {
            // No shortening would give the odd byte back.
            bstr.push_units(&units.collect::<Vec<u16>>());
            return;
        }
        let mut gathered = Gathered::new(bstr, units.size_hint().0);
        for unit in units {
            gathered.push(unit);
        }
        gathered.append();
        if gathered.bstr.is_empty() {
            // Room for units that did not come would make an empty string of a null one.
            gathered.restore();
        }
    }

    /// Without memory nothing is appended at all.
    ///
    /// # Panics
    ///
    /// If there is no memory, or the sum is too long for a BSTR.
    impl Extend<u16> for Bstr {
        #[track_caller]
        fn extend<I: IntoIterator<Item = u16>>(&mut self, units: I) {
            extend(self, units.into_iter());
        }
    }

    /// As for `u16`.
    ///
    /// # Panics
    ///
    /// If there is no memory, or the sum is too long for a BSTR.
    impl Extend<char> for Bstr {
        #[track_caller]
        fn extend<I: IntoIterator<Item = char>>(&mut self, text: I) {
            let units = text.into_iter().flat_map(|c| {
                let mut units = [0; 2];
                let len = c.encode_utf16(&mut units).len();
                units.into_iter().take(len)
            });
            extend(self, units);
        }
    }

    /// As for `u16`.
    ///
    /// # Panics
    ///
    /// If there is no memory, or the sum is too long for a BSTR.
    impl<'a> Extend<&'a str> for Bstr {
        #[track_caller]
        fn extend<I: IntoIterator<Item = &'a str>>(&mut self, text: I) {
            extend(self, text.into_iter().flat_map(str::encode_utf16));
        }
    }

    impl FromIterator<u16> for Bstr {
        #[track_caller]
        fn from_iter<I: IntoIterator<Item = u16>>(units: I) -> Self {
            let mut bstr = Self::new();
            bstr.extend(units);
            bstr
        }
    }

    impl FromIterator<char> for Bstr {
        #[track_caller]
        fn from_iter<I: IntoIterator<Item = char>>(text: I) -> Self {
            let mut bstr = Self::new();
            bstr.extend(text);
            bstr
        }
    }

    impl<'a> FromIterator<&'a str> for Bstr {
        #[track_caller]
        fn from_iter<I: IntoIterator<Item = &'a str>>(text: I) -> Self {
            let mut bstr = Self::new();
            bstr.extend(text);
            bstr
        }
    }

    /// Appends. No memory is an error here, not a panic.
    impl fmt::Write for Bstr {
        #[track_caller]
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.try_push_str(text).map_err(|_| fmt::Error)
        }
    }
}

#[cfg(feature = "serde")]
mod serde {
    use core::fmt;

    use serde_core::de::{self, Deserialize, Deserializer, Visitor};
    use serde_core::ser::{Error as _, Serialize, Serializer};

    use crate::bstr::borrowed::BstrRef;
    use crate::bstr::owned::Bstr;

    /// As a string; null as none. What is not text (a lone surrogate, an odd byte) is an error, for
    /// no string of serde's could hold it.
    impl Serialize for BstrRef<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.is_null() {
                return serializer.serialize_none();
            }
            let text = self.try_to_string().map_err(S::Error::custom)?;
            serializer.serialize_some(&text)
        }
    }

    /// As for [`BstrRef`].
    impl Serialize for Bstr {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.as_bstr().serialize(serializer)
        }
    }

    /// From a string, or none for null. An empty string gives the allocated empty one.
    impl<'de> Deserialize<'de> for Bstr {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_option(Text)
        }
    }

    struct Text;

    impl<'de> Visitor<'de> for Text {
        type Value = Bstr;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or none")
        }

        fn visit_none<E: de::Error>(self) -> Result<Bstr, E> {
            Ok(Bstr::new())
        }

        fn visit_unit<E: de::Error>(self) -> Result<Bstr, E> {
            Ok(Bstr::new())
        }

        fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Bstr, D::Error> {
            deserializer.deserialize_str(self)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Bstr, E> {
            let made = match text {
                "" => Bstr::try_empty(),
                text => Bstr::try_from_str(text),
            };
            made.map_err(E::custom)
        }
    }
}
