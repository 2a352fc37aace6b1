//! Bytes as hexadecimal text.

use std::fmt;

/// Characters of a mistake that are shown.
const SHOWN: usize = 20;

/// What is no byte, and no sequence of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotHex(String);

impl fmt::Display for NotHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not hexadecimal: pairs of digits are wanted",
            self.0
        )
    }
}

/// Reads words between spaces and commas, each with or without `0x`: pairs of digits, in the order of memory. A
/// digit that stands alone is a byte.
pub(super) fn parse(text: &[u8]) -> Result<Vec<u8>, NotHex> {
    let separates = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
    let mut bytes = Vec::with_capacity(text.len() / 2);
    for word in text.split(separates).filter(|word| !word.is_empty()) {
        append(word, &mut bytes).ok_or_else(|| not_hex(word))?;
    }
    Ok(bytes)
}

fn append(word: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    let digits = word
        .strip_prefix(b"0x")
        .or_else(|| word.strip_prefix(b"0X"))
        .unwrap_or(word);
    if let [digit] = digits {
        bytes.push(value(*digit)?);
        return Some(());
    }
    let (pairs, odd) = digits.as_chunks::<2>();
    if pairs.is_empty() || !odd.is_empty() {
        return None;
    }
    for &[high, low] in pairs {
        bytes.push(value(high)? << 4 | value(low)?);
    }
    Some(())
}

fn value(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

fn not_hex(word: &[u8]) -> NotHex {
    let word = String::from_utf8_lossy(word);
    let mut shown: String = word.chars().take(SHOWN).collect();
    if shown.len() < word.len() {
        shown.push('…');
    }
    NotHex(shown)
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::{NotHex, parse};

    quickcheck! {
        fn bytes_are_read_as_they_are_written(bytes: Vec<u8>) -> bool {
            let text = |separator: &str, before: &str| {
                let words: Vec<String> = bytes.iter().map(|byte| format!("{before}{byte:02x}")).collect();
                words.join(separator)
            };
            let texts = [text("", ""), text(" ", ""), text(", ", "0x"), text(",\n", "0X").to_uppercase()];
            texts.iter().all(|text| parse(text.as_bytes()).as_ref() == Ok(&bytes))
        }

        fn any_text_is_survived(text: Vec<u8>) -> bool {
            parse(&text).is_ok_and(|bytes| bytes.len() <= text.len()) || parse(&text).is_err()
        }
    }

    #[test]
    fn what_is_no_hexadecimal_is_told() {
        assert_eq!(parse(b""), Ok(vec![]));
        assert_eq!(parse(b" , 0x1,2 0304"), Ok(vec![1, 2, 3, 4]));
        for (text, told) in [
            ("0x", "0x"),
            ("123", "123"),
            ("00 0g", "0g"),
            ("0x0x11", "0x0x11"),
            ("é", "é"),
            ("zzzzzzzzzzzzzzzzzzzzzz", "zzzzzzzzzzzzzzzzzzzz…"),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(NotHex(told.to_owned())));
        }
    }
}
