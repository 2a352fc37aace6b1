// What the `BSTR` of windows-strings offers, as tests written from its public interface (0.5 and
// 0.100). The file that includes this one says what `StringType` is and how it is shown:
//
//     use windows_strings::BSTR as StringType;
//     const READS_BEHIND_SLICES: bool = true;
//     fn shown(text: &StringType) -> String { … }
//
// (`shown`, because 0.5 has `Display` and 0.100 has `display()` in its place; the constant, because
// Stacked Borrows forbids to read the zero behind an empty slice, which code does all the same.) It is
// compiled over the real type, on olemem's memory under Miri, and over `olemem::Bstr`: a program
// that moves from one to the other finds every name and every answer where it was.

/// U+1D11E, the G clef: one character, two code units.
const CLEF: [u16; 2] = [0xD834, 0xDD1E];

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

/// The four bytes before the payload, read as native code reads them: through the owner's pointer.
fn prefix(raw: *const u16) -> u32 {
    // SAFETY: the caller hands over the pointer of a live, non-null string, which has its length in
    // the four bytes before it.
    let place = unsafe { raw.byte_sub(4) };
    // SAFETY: as above; the read is unaligned, so it asks nothing of the address.
    unsafe { place.cast::<u32>().read_unaligned() }
}

/// The unit at `index`, counted from the payload's start; the terminator may be asked for.
fn unit_at(raw: *const u16, index: usize) -> u16 {
    // SAFETY: the caller asks for a unit of the payload or for the terminator behind it.
    let place = unsafe { raw.add(index) };
    // SAFETY: as above; a BSTR's units are aligned.
    unsafe { place.read() }
}

/// Takes a string back that `into_raw` gave out.
fn take_back(raw: *const u16) -> StringType {
    // SAFETY: every caller passes what `into_raw` gave it, once.
    unsafe { StringType::from_raw(raw) }
}

#[test]
fn is_one_pointer_wide() {
    assert_eq!(size_of::<StringType>(), size_of::<*const u16>());
    assert_eq!(align_of::<StringType>(), align_of::<*const u16>());
}

#[test]
fn new_is_null_and_const() {
    const EMPTY: StringType = StringType::new();
    let text = EMPTY;
    assert!(text.is_empty());
    assert_eq!(text.len(), 0);
    assert!(text.into_raw().is_null());
}

#[test]
fn default_is_null() {
    let text = StringType::default();
    assert!(text.is_empty());
    assert_eq!(text, StringType::new());
    assert!(text.into_raw().is_null());
}

#[test]
fn empty_sources_give_null_without_allocating() {
    assert!(StringType::from_wide(&[]).into_raw().is_null());
    assert!(StringType::from("").into_raw().is_null());
    assert!(StringType::from(String::new()).into_raw().is_null());
    assert!(StringType::from(&String::new()).into_raw().is_null());
}

#[test]
fn empty_is_zero_terminated_at_as_ptr() {
    // Code hands `as_ptr()` to functions that want a zero-terminated string: the null string must
    // point at a zero, not at nothing.
    for text in [
        StringType::new(),
        StringType::from(""),
        StringType::from_wide(&[]),
    ] {
        let pointer = text.as_ptr();
        if READS_BEHIND_SLICES {
            // SAFETY: the pointer of an empty string is that of a static zero.
            assert_eq!(unsafe { pointer.read() }, 0);
        }
    }
}

#[test]
fn from_wide_keeps_every_unit() {
    for source in [
        units("Status"),
        vec![0],
        vec![0, 0, 0],
        vec![u16::from(b'a'), 0, u16::from(b'b')],
        vec![0xD800],
        vec![0xDC00, 0xD800],
        vec![0xFFFE, 0xFEFF, 0xFFFF],
        CLEF.to_vec(),
    ] {
        let text = StringType::from_wide(&source);
        assert_eq!(&*text, source.as_slice());
        assert_eq!(text.len(), source.len());
        assert!(!text.is_empty());
    }
}

#[test]
fn every_length_has_its_prefix_and_terminator() {
    let most = if cfg!(miri) { 40 } else { 600 };
    for length in 1..most {
        let source = vec![0xABCD_u16; length];
        let raw: *const u16 = StringType::from_wide(&source).into_raw();
        assert_eq!(prefix(raw) as usize, length * 2);
        assert_eq!(unit_at(raw, 0), 0xABCD);
        assert_eq!(unit_at(raw, length - 1), 0xABCD);
        assert_eq!(unit_at(raw, length), 0);
        assert_eq!(take_back(raw).len(), length);
    }
}

#[test]
fn from_text_counts_code_units() {
    let ascii = StringType::from("hello");
    assert_eq!(&*ascii, [104, 101, 108, 108, 111]);
    assert_eq!(ascii.len(), 5);

    let umlaut = StringType::from("Grüße");
    assert_eq!(umlaut.len(), 5);

    let clef = StringType::from("𝄞");
    assert_eq!(clef.len(), 2);
    assert_eq!(&*clef, CLEF);

    let with_nul = StringType::from("a\0b");
    assert_eq!(with_nul.len(), 3);
    assert_eq!(&*with_nul, [97, 0, 98]);
}

#[test]
fn from_str_string_and_string_reference_agree() {
    let owned = String::from("some text");
    let by_reference = StringType::from(&owned);
    let by_str = StringType::from(owned.as_str());
    let by_value = StringType::from(owned);
    assert_eq!(by_reference, by_str);
    assert_eq!(by_str, by_value);

    let inferred: StringType = "some text".into();
    assert_eq!(inferred, by_value);
}

#[test]
fn takes_every_length_of_text() {
    let most = if cfg!(miri) { 9 } else { 300 };
    for length in 0..most {
        for letter in ["x", "ß", "水", "𝄞"] {
            let source = letter.repeat(length);
            let text = StringType::from(source.as_str());
            assert_eq!(text.len(), source.encode_utf16().count());
            assert_eq!(text, source);
            assert_eq!(String::try_from(text).unwrap(), source);
        }
    }
}

#[test]
fn raw_round_trip_keeps_pointer_and_contents() {
    let text = StringType::from("round trip");
    let before = text.as_ptr();
    let raw: *const u16 = text.into_raw();
    assert_eq!(raw, before);
    assert_eq!(prefix(raw), 20);
    assert_eq!(unit_at(raw, 10), 0);

    let again = take_back(raw);
    assert_eq!(again.as_ptr(), before);
    assert_eq!(again, "round trip");
}

#[test]
fn raw_null_round_trip() {
    let raw: *const u16 = StringType::new().into_raw();
    assert!(raw.is_null());
    let again = take_back(raw);
    assert!(again.is_empty());
    assert_eq!(again, "");
}

#[test]
fn a_shorter_prefix_is_believed() {
    // Native code shortens a string in place: the prefix is the only length there is.
    let raw: *const u16 = StringType::from("shorten").into_raw();
    // SAFETY: a live string of seven units has its prefix four bytes before it.
    let place = unsafe { raw.byte_sub(4) };
    // SAFETY: as above, and the string is ours to change; the write is unaligned.
    unsafe { place.cast_mut().cast::<u32>().write_unaligned(10) };
    // SAFETY: unit 5 lies inside the payload.
    let end = unsafe { raw.add(5) };
    // SAFETY: as above, and the string is ours to change.
    unsafe { end.cast_mut().write(0) };
    let text = take_back(raw);
    assert_eq!(text.len(), 5);
    assert_eq!(text, "short");
}

#[test]
fn an_odd_prefix_rounds_down() {
    let raw: *const u16 = StringType::from("ab").into_raw();
    // SAFETY: a live string of two units has its prefix four bytes before it.
    let place = unsafe { raw.byte_sub(4) };
    // SAFETY: as above, and the string is ours to change; the write is unaligned.
    unsafe { place.cast_mut().cast::<u32>().write_unaligned(3) };
    let text = take_back(raw);
    // Units, that is. What becomes of the third byte in a comparison or a clone is where the types
    // part: windows-strings forgets it, olemem keeps it.
    assert_eq!(text.len(), 1);
    assert_eq!(&*text, [97]);
}

#[test]
fn derefs_to_a_slice_of_units() {
    fn takes_a_slice(slice: &[u16]) -> usize {
        slice.len()
    }
    let text = StringType::from("slice");
    assert_eq!(takes_a_slice(&text), 5);
    assert_eq!(text.first(), Some(&115));
    assert_eq!(text.last(), Some(&101));
    assert_eq!(text[1], 108);
    assert_eq!(&text[1..3], [108, 105]);
    assert_eq!(text.iter().count(), 5);
    assert!(text.contains(&99));
    assert!(text.starts_with(&units("sl")));
    assert_eq!(text.to_vec(), units("slice"));
    assert_eq!(text.get(5), None);
    assert_eq!(StringType::new().first(), None);
}

#[test]
fn clones_are_apart() {
    let text = StringType::from("one");
    let clone = text.clone();
    assert_eq!(text, clone);
    assert_ne!(text.as_ptr(), clone.as_ptr());
    drop(text);
    assert_eq!(clone, "one");

    let clone = {
        let inner = StringType::from_wide(&[0xD800, 0, 7]);
        inner.clone()
    };
    assert_eq!(&*clone, [0xD800, 0, 7]);
}

#[test]
fn a_clone_of_null_is_null() {
    assert!(StringType::new().clone().into_raw().is_null());
}

#[test]
fn assignment_frees_and_replaces() {
    let mut text = StringType::from("first");
    assert_eq!(text, "first");
    text = StringType::from("a second, longer one");
    assert_eq!(text, "a second, longer one");
    text = StringType::new();
    assert!(text.is_empty());
    text = "third".into();
    assert_eq!(text, "third");
    let taken = std::mem::take(&mut text);
    assert_eq!(taken, "third");
    assert!(text.into_raw().is_null());
}

#[test]
fn string_by_value_and_by_reference() {
    let text = StringType::from("Grüße 𝄞 \0 end");
    assert_eq!(String::try_from(&text).unwrap(), "Grüße 𝄞 \0 end");
    let by_inference: String = (&text).try_into().unwrap();
    assert_eq!(by_inference, "Grüße 𝄞 \0 end");
    assert_eq!(String::try_from(text).unwrap(), "Grüße 𝄞 \0 end");
    assert_eq!(String::try_from(StringType::new()).unwrap(), "");
    assert_eq!(String::try_from(&StringType::new()).unwrap(), "");
}

#[test]
fn lone_surrogates_are_no_string() {
    for source in [
        vec![0xD800],
        vec![0xDFFF],
        vec![0xDD1E, 0xD834],
        vec![0x61, 0xD834, 0x62],
        vec![0xD834, 0xD834, 0xDD1E],
    ] {
        let text = StringType::from_wide(&source);
        assert!(String::try_from(&text).is_err(), "{source:04X?}");
        assert!(String::try_from(text).is_err(), "{source:04X?}");
    }
}

#[test]
fn the_error_is_an_error() {
    let text = StringType::from_wide(&[0xD800]);
    let error = String::try_from(&text).unwrap_err();
    assert!(!error.to_string().is_empty());
    let boxed: Box<dyn std::error::Error> = Box::new(error);
    assert!(!format!("{boxed:?}").is_empty());
}

#[test]
fn shows_its_text() {
    assert_eq!(shown(&StringType::from("hello")), "hello");
    assert_eq!(shown(&StringType::from("Grüße 𝄞")), "Grüße 𝄞");
    assert_eq!(shown(&StringType::from("a\0b")), "a\0b");
    assert_eq!(shown(&StringType::from("")), "");
    assert_eq!(shown(&StringType::new()), "");
}

#[test]
fn shows_lone_surrogates_as_replacement_characters() {
    // 𝄞, "mus", a high half alone, "ic", a low half alone.
    let mut source = CLEF.to_vec();
    source.extend(units("mus"));
    source.push(0xD834);
    source.extend(units("ic"));
    source.push(0xDD1E);
    let text = StringType::from_wide(&source);
    assert_eq!(shown(&text), "𝄞mus\u{FFFD}ic\u{FFFD}");
    assert_eq!(shown(&text), String::from_utf16_lossy(&text));
    assert_eq!(format!("{text:?}"), "𝄞mus\u{FFFD}ic\u{FFFD}");
}

#[test]
fn debug_is_the_text_unquoted() {
    assert_eq!(format!("{:?}", StringType::from("hello")), "hello");
    assert_eq!(
        format!("{:?}", StringType::from("a \"b\" \\ c")),
        "a \"b\" \\ c"
    );
    assert_eq!(format!("{:?}", StringType::new()), "");
    assert_eq!(format!("{:?}", Some(StringType::from("x"))), "Some(x)");
}

#[test]
fn equals_itself_by_contents() {
    let one = StringType::from("same");
    let two = StringType::from("same");
    assert_ne!(one.as_ptr(), two.as_ptr());
    assert!(one == two);
    assert!(one == one.clone());
    assert!(one != StringType::from("Same"));
    assert!(one != StringType::from("sam"));
    assert!(one != StringType::from("same\0"));
    assert!(one != StringType::new());
    assert!(StringType::new() == StringType::from(""));
    assert!(StringType::from_wide(&[0xD800]) == StringType::from_wide(&[0xD800]));
    assert!(StringType::from_wide(&[0xD800]) != StringType::from_wide(&[0xD801]));
}

#[test]
fn equality_is_total() {
    fn is_eq<T: Eq>(_: &T) {}
    is_eq(&StringType::new());
}

#[test]
fn equals_text_in_every_direction() {
    let text = StringType::from("hello");
    let string = String::from("hello");
    let other = String::from("hellO");

    assert!(text == "hello");
    assert!("hello" == text);
    assert!(text == *"hello");
    assert!(text == string);
    assert!(string == text);
    assert!(text == &string);
    assert_eq!(text, "hello");
    assert_eq!("hello", text);
    assert_eq!(text, string);
    assert_eq!(string, text);

    assert!(text != "hellO");
    assert!("hellO" != text);
    assert!(text != *"hell");
    assert!(text != other);
    assert!(other != text);
    assert!(text != "");
    assert!("" != text);
}

#[test]
fn equals_whatever_lends_a_str() {
    let text = StringType::from("hello");
    assert!(text == Box::<str>::from("hello"));
    assert!(text == std::rc::Rc::<str>::from("hello"));
    assert!(text == std::borrow::Cow::Borrowed("hello"));
    assert!(text != std::borrow::Cow::Borrowed("goodbye"));
}

#[test]
fn equals_empty_text_when_null() {
    let null = StringType::new();
    assert!(null == "");
    assert!("" == null);
    assert!(null == String::new());
    assert!(String::new() == null);
    assert!(null != "x");
    assert!("x" != null);
}

#[test]
fn compares_with_text_by_units() {
    assert!(StringType::from("𝄞") == "𝄞");
    assert!(StringType::from_wide(&CLEF) == "𝄞");
    assert!(StringType::from_wide(&[CLEF[0]]) != "𝄞");
    // A lone half is no text, the replacement character that stands for it when shown included.
    assert!(StringType::from_wide(&[0xD800]) != "\u{FFFD}");
    assert!("\u{FFFD}" != StringType::from_wide(&[0xD800]));
    assert!(StringType::from("a\0b") == "a\0b");
    assert!(StringType::from("a\0b") != "a");
    // Composed and decomposed are different units, so different strings.
    assert!(StringType::from("\u{E9}") != "e\u{301}");
}

#[test]
fn lives_in_collections() {
    let mut list: Vec<StringType> = ["one", "two", "", "three"]
        .into_iter()
        .map(StringType::from)
        .collect();
    assert_eq!(list.len(), 4);
    assert!(list.contains(&StringType::from("two")));
    list.remove(0);
    list.push(StringType::from("four"));
    let copy = list.clone();
    drop(list);
    assert_eq!(copy[0], "two");
    assert_eq!(copy[1], "");
    assert_eq!(copy[2], "three");
    assert_eq!(copy[3], "four");
}

#[test]
fn a_panic_frees_what_was_made() {
    // Under Miri a string lost here would be reported as leaked.
    let outcome = std::panic::catch_unwind(|| {
        let text = StringType::from("lost?");
        assert_eq!(text, "something else", "expected by this test");
    });
    assert!(outcome.is_err());
}
