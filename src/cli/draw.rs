//! A BSTR's block as a picture.

use std::fmt;

use olemem::image::{Anatomy, Part, Shape};

use crate::output::counted;

/// Payload bytes a line.
const LINE: usize = 16;

/// Hexadecimal digits of a line, and a space behind each pair.
const HEX: usize = 3 * LINE;

/// Marks the line where the BSTR points to.
const POINTER: &str = "  <- the BSTR";

/// A block that holds a BSTR, or claims to.
#[derive(Debug)]
pub(crate) struct Picture<'a> {
    pub(crate) anatomy: Anatomy<'a>,
    /// Bytes behind the terminator that fill the block, whether they are known or not.
    pub(crate) slack: usize,
    /// Lines of payload that are drawn; what is beyond is counted.
    pub(crate) lines: usize,
    /// Whether more is behind the block than the anatomy was told of.
    pub(crate) more: bool,
}

impl fmt::Display for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Anatomy {
            shape,
            padding,
            prefix,
            payload,
            terminator,
            rest,
            ..
        } = self.anatomy;
        let mut rows = Rows {
            digits: self.anatomy.end().to_string().len().max(3),
            f,
        };
        rows.bytes(
            padding,
            cut_short("padding", padding, shape.width.padding()),
        )?;
        rows.bytes(prefix, self.prefix_note())?;
        self.payload(&mut rows)?;
        let note = cut_short("terminator", terminator, self.anatomy.terminator_len());
        // An empty string is where its terminator is.
        let pointer = if payload.is_empty() { POINTER } else { "" };
        rows.bytes(terminator, format!("{note}{pointer}"))?;
        rows.count(terminator.end(), self.slack, "slack")?;
        let behind = if self.more {
            "and more behind the block"
        } else {
            "behind the block"
        };
        rows.count(rest.offset, rest.len(), behind)
    }
}

impl Picture<'_> {
    fn prefix_note(&self) -> String {
        let Some(length) = self.anatomy.length else {
            return "prefix, cut short".to_owned();
        };
        let units = counted(self.anatomy.unit_len().get().into(), "unit");
        format!("prefix: {}, {units}", counted(length.get().into(), "byte"))
    }

    fn payload(&self, rows: &mut Rows<'_, '_>) -> fmt::Result {
        let payload = self.anatomy.payload;
        let drawn = payload.len().min(self.lines.saturating_mul(LINE));
        for (line, bytes) in payload.bytes[..drawn].chunks(LINE).enumerate() {
            let offset = payload.offset + line * LINE;
            let pointer = if line == 0 { POINTER } else { "" };
            let text = text(bytes, self.anatomy.shape);
            rows.bytes(Part { offset, bytes }, format!("{text}{pointer}"))?;
        }
        rows.count(payload.offset + drawn, payload.len() - drawn, "not drawn")
    }
}

/// Writes a row for bytes that are there, and none for those that are not.
struct Rows<'a, 'f> {
    /// Columns of an offset.
    digits: usize,
    f: &'a mut fmt::Formatter<'f>,
}

impl Rows<'_, '_> {
    fn bytes(&mut self, part: Part<'_>, note: impl fmt::Display) -> fmt::Result {
        if part.is_empty() {
            return Ok(());
        }
        let hex: Vec<String> = part
            .bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.row(part.offset, &hex.join(" "), note)
    }

    fn count(&mut self, offset: usize, bytes: usize, note: &str) -> fmt::Result {
        if bytes == 0 {
            return Ok(());
        }
        self.row(
            offset,
            &format!("({})", counted(bytes as u64, "byte")),
            note,
        )
    }

    fn row(&mut self, offset: usize, middle: &str, note: impl fmt::Display) -> fmt::Result {
        let digits = self.digits;
        writeln!(self.f, "    +{offset:<digits$} {middle:<HEX$}{note}")
    }
}

/// A part's name, and whether some of its `size` bytes are missing.
fn cut_short(name: &str, part: Part<'_>, size: usize) -> String {
    if part.len() < size {
        format!("{name}, cut short")
    } else {
        name.to_owned()
    }
}

/// The units of a line as text, a dot for what does not print.
fn text(bytes: &[u8], shape: Shape) -> String {
    char::decode_utf16(shape.units(bytes))
        .map(|decoded| match decoded {
            Ok(c) if prints(c) => c,
            _ => '.',
        })
        .collect()
}

/// Whether a character stands in its place and leaves the others in theirs: no control, nothing that breaks
/// lines or turns them around, nothing without a width.
fn prints(c: char) -> bool {
    let shifts = matches!(
        c,
        '\u{AD}' | '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
    );
    !c.is_control() && !shifts
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::{Picture, text};
    use olemem::image::{Anatomy, Shape, Start};
    use olemem::layout::{ByteOrder, PointerWidth};

    quickcheck! {
        fn whatever_is_drawn_stays_on_its_lines(bytes: Vec<u8>, wide: bool, little: bool, whole: bool, lines: u8) -> bool {
            let shape = Shape {
                width: if wide { PointerWidth::W64 } else { PointerWidth::W32 },
                order: if little { ByteOrder::Little } else { ByteOrder::Big },
            };
            let start = if whole { Start::Block } else { Start::Prefix };
            let anatomy = Anatomy::of(&bytes, shape, start);
            let slack = anatomy.slack.len();
            let picture = Picture { anatomy, slack, lines: lines.into(), more: wide }.to_string();
            let sound = |line: &str| line.starts_with("    +") && !line.contains(char::is_control);
            picture.lines().all(sound) && picture.is_empty() == bytes.is_empty()
        }
    }

    #[test]
    fn text_that_would_move_the_picture_is_dots() {
        let shape = Shape {
            width: PointerWidth::W64,
            order: ByteOrder::Big,
        };
        let units = [0x41, 0x1B, 0x202E, 0xD800, 0x42, 0xD83D, 0xDE00, 0];
        let bytes: Vec<u8> = units
            .iter()
            .flat_map(|unit: &u16| unit.to_be_bytes())
            .collect();
        assert_eq!(text(&bytes, shape), "A...B😀.");
    }
}
