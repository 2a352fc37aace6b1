//! A BSTR's block as a picture.

use std::fmt;

use olemem::layout::{HEADER, PADDING};

/// Payload bytes a line.
const LINE: usize = 16;

/// A block that holds a BSTR: `image` is header, payload and terminator, `size` the whole block.
#[derive(Debug)]
pub(crate) struct Picture<'a> {
    pub(crate) image: &'a [u8],
    pub(crate) size: usize,
}

impl Picture<'_> {
    /// The payload's length in bytes, as the prefix has it.
    fn prefix(&self) -> usize {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.image[PADDING..HEADER]);
        u32::from_ne_bytes(bytes) as usize
    }
}

impl fmt::Display for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.prefix();
        let end = HEADER + bytes;
        let (header, payload, terminator) = (
            &self.image[..HEADER],
            &self.image[HEADER..end],
            &self.image[end..],
        );
        let mut row = |offset: usize, bytes: &[u8], note: &str| {
            let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(f, "    +{offset:<4}{:<48}{note}", hex.join(" "))
        };
        if PADDING > 0 {
            row(0, &header[..PADDING], "padding")?;
        }
        let units = bytes / 2;
        let plural = if units == 1 { "unit" } else { "units" };
        row(
            PADDING,
            &header[PADDING..],
            &format!("prefix: {bytes} bytes, {units} {plural}"),
        )?;
        for (line, chunk) in payload.chunks(LINE).enumerate() {
            let pointer = if line == 0 { "  <- the BSTR" } else { "" };
            row(
                HEADER + line * LINE,
                chunk,
                &format!("{}{pointer}", text(chunk)),
            )?;
        }
        row(end, terminator, "terminator")?;
        match self.size - self.image.len() {
            0 => Ok(()),
            slack => writeln!(
                f,
                "    +{:<4}{:<48}slack",
                self.image.len(),
                format!("({slack} bytes)")
            ),
        }
    }
}

/// The units of a line as text, a dot for what does not print.
fn text(bytes: &[u8]) -> String {
    let units = bytes
        .chunks_exact(2)
        .map(|unit| u16::from_ne_bytes([unit[0], unit[1]]));
    char::decode_utf16(units)
        .map(|decoded| match decoded {
            Ok(c) if !c.is_control() => c,
            _ => '.',
        })
        .collect()
}
