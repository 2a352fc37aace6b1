//! The conformance vectors, each by its number, through the Rust raw layer and through the C ABI.
//!
//! They are statements about Windows. On Windows itself (or Wine) the same file runs against the
//! system's own functions; the few that state what olemem does where Windows crashes or leaves the
//! matter open are for olemem alone.

#![cfg(feature = "std")]
#![allow(
    clippy::manual_c_str_literals,
    reason = "the vectors write their bytes out"
)]

#[path = "vectors/doors.rs"]
mod doors;

/// Units of a wide literal, terminated.
fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// The four bytes before a BSTR.
#[track_caller]
fn prefix(bstr: *const u16) -> u32 {
    assert!(!bstr.is_null());
    // SAFETY: the vectors pass live BSTRs.
    let at = unsafe { bstr.byte_sub(4) };
    // SAFETY: as above.
    u32::from_ne_bytes(unsafe { at.cast::<[u8; 4]>().read() })
}

/// `count` units of a BSTR.
#[track_caller]
fn units(bstr: *const u16, count: usize) -> Vec<u16> {
    assert!(!bstr.is_null());
    // SAFETY: the vectors ask for initialised units within the block, terminator included.
    unsafe { std::slice::from_raw_parts(bstr, count) }.to_vec()
}

/// `count` bytes of a BSTR.
#[track_caller]
fn bytes(bstr: *const u16, count: usize) -> Vec<u8> {
    assert!(!bstr.is_null());
    // SAFETY: as above.
    unsafe { std::slice::from_raw_parts(bstr.cast(), count) }.to_vec()
}

/// One unit of a BSTR.
#[track_caller]
fn unit(bstr: *const u16, index: usize) -> u16 {
    assert!(!bstr.is_null());
    // SAFETY: as above.
    let at = unsafe { bstr.add(index) };
    // SAFETY: as above.
    unsafe { at.read() }
}

const LT: u32 = 0;
const EQ: u32 = 1;
const GT: u32 = 2;
const EN_US: u32 = 0x0409;
const IGNORE_CASE: u32 = 1;
const S_OK: u32 = 0;
const E_INVALIDARG: u32 = 0x8007_0057;
const HEADER: usize = size_of::<usize>();

macro_rules! through_both {
    (mod $group:ident; $($(#[$attr:meta])* fn $name:ident() $body:block)*) => {
        mod $group {
            mod through_rust {
                #[allow(unused_imports, reason = "the doors are alike")]
                use super::super::{*, doors::rust::*};
                $($(#[$attr])* #[test] fn $name() $body)*
            }
            #[cfg(feature = "export")]
            mod through_c {
                #[allow(unused_imports, reason = "the doors are alike")]
                use super::super::{*, doors::c::*};
                $($(#[$attr])* #[test] fn $name() $body)*
            }
        }
    };
}

// 8.1 Allocation and length.
through_both! {
    mod allocation;

    fn v001_null_source_gives_null() {
        assert!(alloc(std::ptr::null()).is_null());
    }

    fn v002_prefix_text_and_alignment() {
        let b = alloc(wide("Test").as_ptr());
        assert_eq!(prefix(b), 8);
        assert_eq!(units(b, 5), wide("Test"));
        assert_eq!(b.addr() % HEADER, 0);
        free(b);
    }

    fn v003_null_of_no_units_is_empty() {
        let b = alloc_len(std::ptr::null(), 0);
        assert_eq!((prefix(b), unit(b, 0)), (0, 0));
        free(b);
    }

    fn v004_units_by_count() {
        let b = alloc_len(wide("Test").as_ptr(), 4);
        assert_eq!((prefix(b), units(b, 5)), (8, wide("Test")));
        free(b);
    }

    fn v005_too_many_units_give_null_and_read_nothing() {
        assert!(alloc_len(wide("Test").as_ptr(), 0x8000_0000).is_null());
    }

    #[cfg(target_pointer_width = "32")]
    fn v006_too_many_bytes_in_32_bits() {
        assert!(alloc_byte_len(b"Test\0".as_ptr(), 0x8000_0000).is_null());
    }

    // A source of 2 GiB: the vector itself says not to run it with a small one. With no source the
    // length is one that a 64-bit process may have, and memory permitting it is given.
    #[cfg(all(target_pointer_width = "64", not(miri)))]
    fn v007_half_the_range_may_be_had_in_64_bits() {
        let b = alloc_byte_len(std::ptr::null(), 0x8000_0000);
        if !b.is_null() {
            assert_eq!(byte_len(b), 0x8000_0000);
            free(b);
        }
    }

    fn v008_no_string_is_so_long() {
        assert!(alloc_byte_len(b"Test\0".as_ptr(), 0xFFFF_FFFF).is_null());
    }

    fn v009_null_of_no_bytes_is_empty() {
        let b = alloc_byte_len(std::ptr::null(), 0);
        assert_eq!((prefix(b), unit(b, 0)), (0, 0));
        free(b);
    }

    fn v010_bytes_by_count() {
        let b = alloc_byte_len(b"Test\0?".as_ptr(), 4);
        assert_eq!((prefix(b), bytes(b, 5)), (4, b"Test\0".to_vec()));
        free(b);
    }

    fn v011_odd_bytes_end_in_two_zeros() {
        let b = alloc_byte_len(b"Test\0?".as_ptr(), 3);
        assert_eq!((prefix(b), bytes(b, 4)), (3, b"Tes\0".to_vec()));
        assert_eq!(unit(b, 2), 0);
        free(b);
    }

    fn v012_bytes_of_wide_text() {
        let b = alloc_byte_len(wide("Test").as_ptr().cast(), 8);
        assert_eq!((prefix(b), units(b, 5)), (8, wide("Test")));
        free(b);
    }

    fn v013_every_length_is_terminated() {
        for n in (0..1024_u32).step_by(if cfg!(miri) { 37 } else { 1 }) {
            let b = alloc_byte_len(std::ptr::null(), n);
            assert_eq!(prefix(b), n);
            assert_eq!(unit(b, n.div_ceil(2) as usize), 0, "{n}");
            free(b);
        }
    }

    fn v014_every_length_is_copied_and_terminated() {
        let source = [0xAA_u8; 1025];
        for n in (0..1024_u32).step_by(if cfg!(miri) { 37 } else { 1 }) {
            let b = alloc_byte_len(source.as_ptr(), n);
            assert_eq!(prefix(b), n);
            let mut expected = vec![0xAA; n as usize];
            expected.push(0);
            assert_eq!(bytes(b, n as usize + 1), expected, "{n}");
            assert_eq!(unit(b, n.div_ceil(2) as usize), 0, "{n}");
            free(b);
        }
    }

    fn v015_v016_a_bstr_on_the_stack_has_a_length() {
        #[repr(C)]
        struct OnStack {
            prefix: u32,
            text: [u16; 2],
        }
        for (prefix, units, bytes) in [(0, 0, 0), (1, 0, 1), (2, 1, 2), (3, 1, 3), (4, 2, 4)] {
            let on_stack = OnStack { prefix, text: [0x54, 0] };
            // SAFETY: the text follows the prefix, in the same object.
            let text = unsafe { (&raw const on_stack).byte_add(4) }.cast();
            assert_eq!((len(text), byte_len(text)), (units, bytes));
            assert_eq!(on_stack.text[0], 0x54);
        }
    }

    fn v017_to_v021_odd_lengths_round_down() {
        for (text, units) in [("Have ", 2), ("A Cigar", 3), ("H", 0), ("abc", 1), ("", 0)] {
            let n = u32::try_from(text.len()).expect("short");
            let b = alloc_byte_len(text.as_ptr(), n);
            assert!(!b.is_null());
            assert_eq!((len(b), byte_len(b)), (units, n), "{text}");
            free(b);
        }
    }

    fn v022_null_has_no_length() {
        assert_eq!((len(std::ptr::null()), byte_len(std::ptr::null())), (0, 0));
    }

    fn v023_freeing_null_does_nothing() {
        free(std::ptr::null_mut());
    }

    fn v024_nothing_is_normalised() {
        let text = [0x61, 0, 0x62, 0xD800, 0x63];
        let b = alloc_len(text.as_ptr(), 5);
        assert_eq!((byte_len(b), units(b, 5)), (10, text.to_vec()));
        free(b);
    }

    fn v025_the_first_zero_ends_the_text() {
        let b = alloc([0x61, 0, 0x62, 0].as_ptr());
        assert_eq!(byte_len(b), 2);
        free(b);
    }

    fn v026_no_text_is_an_empty_string() {
        let b = alloc([0].as_ptr());
        assert_eq!((prefix(b), unit(b, 0)), (0, 0));
        free(b);
    }

    // 1.1, L8: on 64-bit a BSTR stands 8 behind a 16-aligned block, on 32-bit 4 behind an 8-aligned one.
    fn l8_alignment_is_that_of_the_block_plus_the_header() {
        for n in 0..64 {
            let b = alloc_byte_len(std::ptr::null(), n);
            assert_eq!(b.addr() % (2 * HEADER), HEADER);
            free(b);
        }
    }
}

// 8.2 Reallocation.
through_both! {
    mod reallocation;

    fn v030_v031_replaced_by_terminated_text() {
        let mut b = alloc_len(wide("Test").as_ptr(), 4);
        assert_eq!(realloc(&raw mut b, wide("x").as_ptr()), 1);
        assert_eq!((prefix(b), units(b, 2)), (2, wide("x")));
        assert_eq!(realloc(&raw mut b, wide("Larger").as_ptr()), 1);
        assert_eq!((prefix(b), units(b, 7)), (12, wide("Larger")));
        free(b);
    }

    fn v032_to_v034_replaced_by_counted_text_and_by_itself() {
        let mut b = alloc_len(wide("Test").as_ptr(), 4);
        assert_eq!(realloc_len(&raw mut b, wide("x").as_ptr(), 1), 1);
        assert_eq!((prefix(b), units(b, 2)), (2, wide("x")));
        assert_eq!(realloc_len(&raw mut b, wide("Larger").as_ptr(), 6), 1);
        assert_eq!((prefix(b), units(b, 7)), (12, wide("Larger")));
        let itself = b;
        assert_eq!(realloc_len(&raw mut b, itself, 6), 1);
        assert_eq!((prefix(b), units(b, 7)), (12, wide("Larger")));
        free(b);
    }

    fn v035_v036_v038_shrinking_stays_in_place() {
        let mut b = alloc_len(wide("Test").as_ptr(), 4);
        assert_eq!(realloc_len(&raw mut b, std::ptr::null(), 64), 1);
        assert!(!b.is_null());
        // SAFETY: the string has 64 units.
        unsafe { b.cast::<u8>().write_bytes(0xAB, 128) };
        let old = b;
        assert_eq!(realloc_len(&raw mut b, std::ptr::null(), 24), 1);
        assert_eq!(b, old);
        assert_eq!(units(b, 24), [0xABAB; 24]);
        assert_eq!(unit(b, 24), 0);
        free(b);
    }

    fn v037_growing_from_itself_keeps_the_text() {
        let n = if cfg!(miri) { 10_000 } else { 1_000_000 };
        let mut b = alloc_len(wide("Test").as_ptr(), 4);
        let itself = b;
        assert_eq!(realloc_len(&raw mut b, itself, n), 1);
        assert_eq!(len(b), n);
        assert_eq!(units(b, 4), wide("Test")[..4]);
        assert_eq!(unit(b, n as usize), 0);
        free(b);
    }

    fn v039_null_is_allocated() {
        let mut b = std::ptr::null_mut();
        assert_eq!(realloc_len(&raw mut b, wide("ab").as_ptr(), 2), 1);
        assert_eq!(units(b, 3), wide("ab"));
        free(b);
    }

    fn v040_null_by_null_is_null() {
        let mut b = std::ptr::null_mut();
        assert_eq!(realloc(&raw mut b, std::ptr::null()), 1);
        assert!(b.is_null());
    }

    // 2.4: a null source frees the old string and stores null.
    fn w040_text_by_null_is_null() {
        let mut b = alloc(wide("Test").as_ptr());
        assert_eq!(realloc(&raw mut b, std::ptr::null()), 1);
        assert!(b.is_null());
    }

    fn v041_too_long_changes_nothing() {
        let mut b = alloc(wide("Test").as_ptr());
        let old = b;
        assert_eq!(realloc_len(&raw mut b, wide("x").as_ptr(), 0x7FFF_FFFF), 0);
        assert_eq!(b, old);
        assert_eq!(units(b, 5), wide("Test"));
        free(b);
    }
}

/// 2.5: what the Rust layer decides on every platform, the system's functions beneath it or not.
mod rust_everywhere {
    use super::doors::rust::*;
    use super::*;

    #[test]
    fn a_source_inside_the_old_string_is_read_in_time() {
        for (start, len, kept) in [(2, 1000, "cdef"), (1, 3, "bcd"), (5, 1, "f"), (6, 0, "")] {
            let mut b = alloc(wide("abcdef").as_ptr());
            // SAFETY: within the string.
            let inside = unsafe { b.add(start) };
            assert_eq!(realloc_len(&raw mut b, inside, len), 1);
            assert_eq!(byte_len(b), 2 * len);
            assert_eq!(units(b, kept.len()), wide(kept)[..kept.len()]);
            assert_eq!(unit(b, len as usize), 0);
            free(b);
        }
        for (start, kept) in [(1, "bcdef"), (4, "ef"), (6, "")] {
            let mut b = alloc(wide("abcdef").as_ptr());
            // SAFETY: within the string.
            let inside = unsafe { b.add(start) };
            assert_eq!(realloc(&raw mut b, inside), 1);
            assert_eq!(units(b, kept.len() + 1), wide(kept));
            free(b);
        }
    }

    #[test]
    fn no_memory_for_a_source_inside_changes_nothing() {
        let mut b = alloc(wide("abcdef").as_ptr());
        let old = b;
        // SAFETY: within the string.
        let inside = unsafe { b.add(2) };
        for len in [1, 1000] {
            let _failing = olemem::fault::fail_nth(1);
            assert_eq!(realloc_len(&raw mut b, inside, len), 0);
            assert_eq!((b, units(b, 7)), (old, wide("abcdef")));
        }
        let _failing = olemem::fault::fail_nth(1);
        assert_eq!(realloc(&raw mut b, inside), 0);
        assert_eq!((b, units(b, 7)), (old, wide("abcdef")));
        free(b);
    }
}

/// What olemem decides where Windows crashes, says nothing, or cannot be made to fail.
#[cfg(any(not(windows), miri))]
mod decided {
    use super::*;

    through_both! {
        mod everywhere;

        fn v042_no_memory_for_a_counted_reallocation_changes_nothing() {
            let mut b = alloc(wide("Test").as_ptr());
            let old = b;
            let failing = olemem::fault::fail_nth(1);
            assert_eq!(realloc_len(&raw mut b, [0x78; 100].as_ptr(), 100), 0);
            assert!(failing.has_failed());
            assert_eq!(b, old);
            assert_eq!((prefix(b), units(b, 5)), (8, wide("Test")));
            free(b);
        }

        fn v043_no_memory_for_a_reallocation_changes_nothing() {
            let mut b = alloc(wide("Test").as_ptr());
            let old = b;
            let failing = olemem::fault::fail_nth(1);
            assert_eq!(realloc(&raw mut b, wide("anything at all, longer").as_ptr()), 0);
            assert!(failing.has_failed());
            assert_eq!(b, old);
            assert_eq!((prefix(b), units(b, 5)), (8, wide("Test")));
            free(b);
        }

        // Section 9: a null target allocates, and says 0 where Wine says 1.
        fn no_memory_for_a_null_target_is_told() {
            let mut b = std::ptr::null_mut();
            let _failing = olemem::fault::fail_nth(1);
            assert_eq!(realloc_len(&raw mut b, wide("ab").as_ptr(), 2), 0);
            assert!(b.is_null());
        }

        // Section 9: Windows crashes.
        fn a_null_variable_is_refused() {
            assert_eq!(realloc(std::ptr::null_mut(), wide("ab").as_ptr()), 0);
            assert_eq!(realloc_len(std::ptr::null_mut(), wide("ab").as_ptr(), 2), 0);
        }

        // 2.5: a source inside the old string is copied as far as the old block goes.
        fn a_source_inside_the_old_string_is_read_in_time() {
            let mut b = alloc(wide("abcdef").as_ptr());
            // SAFETY: within the string.
            let inside = unsafe { b.add(2) };
            assert_eq!(realloc_len(&raw mut b, inside, 1000), 1);
            assert_eq!(len(b), 1000);
            assert_eq!(units(b, 4), wide("cdef")[..4]);
            assert_eq!(unit(b, 1000), 0);
            free(b);

            let mut b = alloc(wide("abcdef").as_ptr());
            // SAFETY: within the string.
            let inside = unsafe { b.add(4) };
            assert_eq!(realloc(&raw mut b, inside), 1);
            assert_eq!(units(b, 3), wide("ef"));
            free(b);
        }

        fn no_memory_for_a_source_inside_changes_nothing() {
            let mut b = alloc(wide("abcdef").as_ptr());
            let old = b;
            // SAFETY: within the string.
            let inside = unsafe { b.add(2) };
            let _failing = olemem::fault::fail_nth(1);
            assert_eq!(realloc_len(&raw mut b, inside, 1000), 0);
            assert_eq!((b, units(b, 7)), (old, wide("abcdef")));
            free(b);
        }

        fn v067_nowhere_to_store_the_sum() {
            let a = alloc(wide("a").as_ptr());
            assert_eq!(cat(a, a, std::ptr::null_mut()), E_INVALIDARG);
            free(a);
        }

        // 2.10: Wine's sum of the lengths wraps. Here it is checked, before anything is read.
        fn a_sum_beyond_the_limit_is_out_of_memory() {
            let prefix = [0xFFFF_FF00_u32, 0];
            // SAFETY: within the array.
            let long = unsafe { prefix.as_ptr().add(1) }.cast();
            let mut joined = std::ptr::dangling_mut();
            assert_eq!(cat(long, long, &raw mut joined), 0x8007_000E);
            assert!(joined.is_null());
        }

        fn no_memory_for_a_sum() {
            let a = alloc(wide("a").as_ptr());
            let mut joined = std::ptr::dangling_mut();
            let _failing = olemem::fault::fail_nth(1);
            assert_eq!(cat(a, a, &raw mut joined), 0x8007_000E);
            assert!(joined.is_null());
            free(a);
        }

        fn no_memory_leaves_a_task_block_whole() {
            let p = task_alloc(4);
            // SAFETY: the block has four bytes.
            unsafe { p.copy_from_nonoverlapping(b"four".as_ptr(), 4) };
            let _failing = olemem::fault::fail_nth(1);
            assert!(task_realloc(p, 4000).is_null());
            assert_eq!((size_of(p), did_alloc(p)), (4, 1));
            // SAFETY: the block still has them.
            assert_eq!(unsafe { std::slice::from_raw_parts(p, 4) }, b"four");
            task_free(p);
        }

        // 1.5: the limits of this width; the source is not looked at.
        fn the_first_length_beyond_the_limit_is_null() {
            let width = olemem::layout::PointerWidth::NATIVE;
            let junk = std::ptr::dangling::<u16>();
            for units in [width.max_units().get() + 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX] {
                assert!(alloc_len(junk, units).is_null(), "{units:#x}");
            }
            for bytes in [width.max_bytes().get() + 1, 0xFFFF_FFF9, u32::MAX] {
                assert!(alloc_byte_len(junk.cast(), bytes).is_null(), "{bytes:#x}");
            }
        }

        // L5: the allocator's block begins one header before the BSTR, and is block(n) of 1.2.
        fn l5_the_block_begins_a_header_before_and_has_the_documented_size() {
            let width = olemem::layout::PointerWidth::NATIVE;
            for n in (0..5000).step_by(if cfg!(miri) { 97 } else { 1 }) {
                let b = alloc_byte_len(std::ptr::null(), n);
                let block = b.cast::<u8>().wrapping_sub(HEADER);
                let expected = (HEADER + n as usize + 2 + 15) & !15;
                assert_eq!((did_alloc(block), size_of(block)), (1, expected));
                assert_eq!(width.block_size(olemem::ByteLen::new(n)), u32::try_from(expected).ok());
                free(b);
            }
        }

        fn l5_a_task_block_dressed_up_as_a_bstr_is_freed() {
            let block = task_alloc(64);
            // SAFETY: the block is larger than a header.
            unsafe { block.write_bytes(0, HEADER) };
            // SAFETY: as above.
            let bstr = unsafe { block.add(HEADER) };
            free(bstr.cast());
        }

        fn did_alloc_answers_for_any_address() {
            let p = task_alloc(100);
            assert_eq!(did_alloc(p), 1);
            for offset in 1..100_usize {
                assert_eq!(did_alloc(p.wrapping_add(offset)), 0, "{offset}");
            }
            task_free(p);
            for wild in [1, 2, 7, 8, 0x10, 0x1000, usize::MAX, usize::MAX - 15, usize::MAX / 2] {
                let wild = std::ptr::without_provenance_mut(wild);
                assert_eq!((did_alloc(wild), size_of(wild)), (0, NO_SIZE));
            }
        }

        fn no_block_is_so_large() {
            for size in [usize::MAX, usize::MAX - 16, isize::MAX as usize] {
                assert!(task_alloc(size).is_null());
            }
            let p = task_alloc(1);
            assert!(task_realloc(p, usize::MAX).is_null());
            assert_eq!(size_of(p), 1);
            task_free(p);
        }
    }
}

// 8.4 VarBstrCat.
through_both! {
    mod concatenation;

    fn v060_to_v063_null_is_empty_and_text_is_joined() {
        for (left, right, expected) in [
            (None, None, ""),
            (None, Some("a"), "a"),
            (Some("a"), None, "a"),
            (Some("a"), Some("b"), "ab"),
        ] {
            let bstr = |text: Option<&str>| {
                text.map_or(std::ptr::null_mut(), |text| alloc(wide(text).as_ptr()))
            };
            let (left, right) = (bstr(left), bstr(right));
            let mut joined = std::ptr::null_mut();
            assert_eq!(cat(left, right, &raw mut joined), S_OK);
            assert_eq!(len(joined) as usize, expected.len());
            assert_eq!(units(joined, expected.len() + 1), wide(expected));
            [left, right, joined].into_iter().for_each(free);
        }
    }

    fn v064_zeros_inside_are_kept() {
        let (left, right) = (alloc_len([0x61, 0].as_ptr(), 2), alloc_len([0x62, 0].as_ptr(), 2));
        let mut joined = std::ptr::null_mut();
        assert_eq!(cat(left, right, &raw mut joined), S_OK);
        assert_eq!((len(joined), units(joined, 4)), (4, vec![0x61, 0, 0x62, 0]));
        [left, right, joined].into_iter().for_each(free);
    }

    fn v065_v066_v068_bytes_are_joined() {
        let wide_d: Vec<u8> = wide("d")[..1].iter().flat_map(|unit| unit.to_ne_bytes()).collect();
        for (left, right, units) in [
            (b"Have ".as_slice(), b"A Cigar".as_slice(), 6),
            (b"H", b"A", 1),
            (b"abc", &wide_d, 2),
        ] {
            let bstr = |text: &[u8]| {
                alloc_byte_len(text.as_ptr(), u32::try_from(text.len()).expect("short"))
            };
            let (b, c) = (bstr(left), bstr(right));
            let mut joined = std::ptr::null_mut();
            assert_eq!(cat(b, c, &raw mut joined), S_OK);
            let mut expected = [left, right].concat();
            assert_eq!((len(joined), byte_len(joined) as usize), (units, expected.len()));
            expected.push(0);
            assert_eq!(bytes(joined, expected.len()), expected);
            [b, c, joined].into_iter().for_each(free);
        }
    }

    // 2.10: the variable may be that of an argument; the old string is then the caller's to free.
    fn the_sum_may_be_stored_over_an_argument() {
        let mut s = alloc(wide("a").as_ptr());
        let (old, tail) = (s, alloc(wide("b").as_ptr()));
        assert_eq!(cat(s, tail, &raw mut s), S_OK);
        assert_eq!(units(s, 3), wide("ab"));
        [old, tail, s].into_iter().for_each(free);
    }
}

// 8.5 VarBstrCmp.
through_both! {
    mod comparison;

    fn v070_to_v087_order() {
        let text = |text: &str| Some(text.encode_utf16().flat_map(u16::to_ne_bytes).collect());
        let raw = |bytes: &[u8]| Some(bytes.to_vec());
        let a = u16::to_ne_bytes(0x61);
        let b = u16::to_ne_bytes(0x62);
        let a_nul = [a, [0, 0]].concat();
        let a_nul_b = [a, [0, 0], b].concat();
        type Row = (&'static str, Option<Vec<u8>>, Option<Vec<u8>>, u32, u32, u32);
        let rows: [Row; 18] = [
            ("V070", None, None, EN_US, 0, EQ),
            ("V071", text("Wurscht"), None, EN_US, 0, GT),
            ("V072", None, text("Wurscht"), EN_US, 0, LT),
            ("V073", text(""), None, EN_US, 0, EQ),
            ("V074", None, text(""), EN_US, 0, EQ),
            ("V075", text("a"), text("A"), EN_US, 0, LT),
            ("V076", text("a"), text("A"), EN_US, IGNORE_CASE, EQ),
            ("V077", text("a"), Some(a_nul), EN_US, 0, EQ),
            ("V078", text("a"), Some(a_nul_b), EN_US, 0, LT),
            ("V079", raw(&[0, 0]), text(""), EN_US, 0, GT),
            ("V080", text(""), raw(&[0, 0]), EN_US, 0, LT),
            ("V081", raw(&[0, 0, 0]), text(""), EN_US, 0, GT),
            ("V082", raw(&[0, 0, 0]), raw(&[0, 0]), EN_US, 0, EQ),
            ("V083", raw(&[1, 0, 1]), raw(&[1, 0, 2]), 0, 0, LT),
            ("V084", raw(&[0, 0]), text(""), 0, 0, GT),
            ("V085", text(""), raw(&[0, 0]), 0, 0, LT),
            ("V086", raw(&[0, 0, 0]), text(""), 0, 0, GT),
            ("V087", raw(&[0, 0, 0]), raw(&[0, 0]), 0, 0, GT),
        ];
        for (vector, left, right, lcid, flags, expected) in rows {
            let bstr = |bytes: Option<Vec<u8>>| {
                bytes.map_or(std::ptr::null_mut(), |bytes| {
                    alloc_byte_len(bytes.as_ptr(), u32::try_from(bytes.len()).expect("short"))
                })
            };
            let (left, right) = (bstr(left), bstr(right));
            assert_eq!(cmp(left, right, lcid, flags), expected, "{vector}");
            [left, right].into_iter().for_each(free);
        }
    }

    // 2.11, step 1: the first unit is that at the pointer, whatever the prefix says.
    fn a_string_shortened_in_place_still_starts_with_text() {
        let (shortened, nothing) = (alloc(wide("a").as_ptr()), alloc(wide("").as_ptr()));
        // SAFETY: the prefix of a live string.
        let prefix = unsafe { shortened.byte_sub(4) }.cast::<u32>();
        // SAFETY: as above, and a BSTR's prefix is aligned.
        unsafe { prefix.write(0) };
        for lcid in [0, EN_US] {
            assert_eq!(cmp(shortened, nothing, lcid, 0), GT);
            assert_eq!(cmp(nothing, shortened, lcid, 0), LT);
            assert_eq!(cmp(std::ptr::null(), shortened, lcid, 0), LT);
        }
        [shortened, nothing].into_iter().for_each(free);
    }

    // L11: memory of the shape is read wherever it stands, at an odd address too.
    fn order_of_strings_at_odd_addresses() {
        let shaped = |text: &str| {
            let bytes = u32::try_from(2 * text.len()).expect("short");
            let mut memory = vec![0; 8 + bytes as usize];
            let odd = 1 - memory.as_ptr().addr() % 2;
            memory[odd..odd + 4].copy_from_slice(&bytes.to_ne_bytes());
            for (index, unit) in text.encode_utf16().enumerate() {
                let at = odd + 4 + 2 * index;
                memory[at..at + 2].copy_from_slice(&unit.to_ne_bytes());
            }
            (memory, odd + 4)
        };
        let ((a, a_at), (b, b_at)) = (shaped("abc"), shaped("abd"));
        let (a, b): (*const u16, *const u16) = (a.as_ptr().wrapping_add(a_at).cast(), b.as_ptr().wrapping_add(b_at).cast());
        assert_eq!((a.addr() % 2, b.addr() % 2), (1, 1));
        for lcid in [0, EN_US] {
            assert_eq!((cmp(a, b, lcid, 0), cmp(b, a, lcid, 0), cmp(a, a, lcid, 0)), (LT, GT, EQ));
        }
    }

    // What is documented for locales beyond 0 without tables of language.
    fn letters_come_before_case() {
        for (left, right, flags, expected) in [
            ("aB", "Ab", 0, LT),
            ("b", "A", 0, GT),
            ("B", "a", 0, GT),
            ("abc", "ABC", IGNORE_CASE, EQ),
            ("abc", "ABD", IGNORE_CASE, LT),
            ("a1", "ab", 0, LT),
        ] {
            let (l, r) = (alloc(wide(left).as_ptr()), alloc(wide(right).as_ptr()));
            assert_eq!(cmp(l, r, EN_US, flags), expected, "{left} {right}");
            [l, r].into_iter().for_each(free);
        }
    }
}

// 8.7 Task allocator.
through_both! {
    mod task_memory;

    fn v127_to_v134_size_and_presence_are_exact() {
        let p = task_alloc(16);
        assert!(!p.is_null());
        assert_eq!(did_alloc(p), 1);
        assert_eq!(did_alloc(std::ptr::null_mut()), -1);
        assert_eq!(did_alloc(std::ptr::without_provenance_mut(1)), 0);
        assert_eq!(did_alloc(p.wrapping_add(4)), 0);
        assert_eq!(size_of(std::ptr::null_mut()), NO_SIZE);
        assert_eq!(size_of(p), 16);
        task_free(p);
    }

    fn v135_v136_a_block_of_nothing_is_a_block() {
        let blocks = [
            task_alloc(0),
            task_alloc(0),
            task_realloc(std::ptr::null_mut(), 0),
        ];
        for block in blocks {
            assert!(!block.is_null());
            assert_eq!((size_of(block), did_alloc(block)), (0, 1));
        }
        assert!(blocks[0] != blocks[1] && blocks[1] != blocks[2] && blocks[0] != blocks[2]);
        blocks.into_iter().for_each(task_free);
    }

    fn v137_reallocating_to_nothing_frees() {
        let p = task_alloc(16);
        assert!(task_realloc(p, 0).is_null());
    }

    fn v138_freeing_null_does_nothing() {
        task_free(std::ptr::null_mut());
    }

    fn v139_sizes_are_not_rounded() {
        for size in [1, 3, 15, 16, 17, 27, 255, 4097] {
            let p = task_alloc(size);
            assert_eq!(size_of(p), size);
            task_free(p);
        }
    }

    fn v140_alignment() {
        for size in 1..=64 {
            let p = task_alloc(size);
            assert_eq!(p.addr() % (2 * HEADER), 0);
            task_free(p);
        }
    }

    // A5
    fn reallocation_keeps_what_fits() {
        let mut p = task_alloc(5);
        // SAFETY: the block has five bytes.
        unsafe { p.copy_from_nonoverlapping(b"bytes".as_ptr(), 5) };
        for size in [5, 100, 3, 4, 50_000, 2, 3000] {
            p = task_realloc(p, size);
            assert_eq!(size_of(p), size);
            let kept = size.min(2);
            // SAFETY: at least two bytes were kept through every size.
            assert_eq!(unsafe { std::slice::from_raw_parts(p, kept) }, &b"bytes"[..kept]);
        }
        task_free(p);
    }
}

/// What only the C ABI has.
#[cfg(feature = "export")]
mod objects_and_strings {
    use core::ffi::c_void;

    use olemem::com::{IID_MALLOC, IID_MALLOC_SPY, IID_UNKNOWN};
    use olemem::{Guid, HResult};

    use super::doors::c;
    use super::{E_INVALIDARG, S_OK, units, wide};

    const SOME: Guid = Guid::from_u128(0x00112233_4455_6677_8899_AABBCCDDEEFF);
    const SOME_TEXT: &str = "{00112233-4455-6677-8899-AABBCCDDEEFF}";

    #[test]
    fn v120_to_v124_only_the_task_context_exists() {
        for context in [0, 2, 3, u32::MAX, u32::MAX - 1] {
            let mut malloc = std::ptr::without_provenance_mut(0xDEAD_BEE8);
            assert_eq!(c::get_malloc(context, &raw mut malloc), E_INVALIDARG);
            assert!(malloc.is_null(), "{context}");
        }
    }

    #[test]
    fn v125_there_is_one_allocator() {
        assert!(std::ptr::eq(c::malloc(), c::malloc()));
    }

    #[test]
    #[cfg(any(not(windows), miri))]
    fn v126_nowhere_to_store_the_allocator() {
        assert_eq!(c::get_malloc(0, std::ptr::null_mut()), E_INVALIDARG);
        assert_eq!(c::get_malloc(1, std::ptr::null_mut()), E_INVALIDARG);
    }

    #[test]
    fn v127_to_v134_through_every_slot() {
        let malloc = c::malloc();
        let (this, vtbl) = (c::object(malloc), malloc.vtbl);
        // SAFETY: the object is alive, here and in the calls below.
        assert!(unsafe { (vtbl.unknown.add_ref)(this) } >= 1);
        // SAFETY: any size will do.
        let p = unsafe { (vtbl.alloc)(this, 16) };
        // SAFETY: the block is live.
        let p = unsafe { (vtbl.realloc)(this, p, 160) };
        // SAFETY: any pointer will do.
        assert_eq!(unsafe { (vtbl.get_size)(this, p) }, 160);
        // SAFETY: any pointer will do.
        assert_eq!(unsafe { (vtbl.did_alloc)(this, p) }, 1);
        // SAFETY: no arguments.
        unsafe { (vtbl.heap_minimize)(this) };
        // SAFETY: the block is live, and this is its last use.
        unsafe { (vtbl.free)(this, p) };
        // SAFETY: pairs with the call above.
        unsafe { (vtbl.unknown.release)(this) };
    }

    fn query(iid: *const Guid, out: *mut *mut c_void) -> HResult {
        let malloc = c::malloc();
        // SAFETY: the object is alive; the identifier and the variable are the test's own, or null.
        unsafe { (malloc.vtbl.unknown.query_interface)(c::object(malloc), iid, out) }
    }

    #[test]
    fn v141_it_is_an_unknown_and_an_allocator() {
        for iid in [IID_MALLOC, IID_UNKNOWN] {
            let mut found = std::ptr::null_mut();
            assert_eq!(query(&raw const iid, &raw mut found), HResult::S_OK);
            assert_eq!(found, c::object(c::malloc()));
        }
    }

    #[test]
    fn v142_it_is_nothing_else() {
        for iid in [SOME, IID_MALLOC_SPY] {
            // Wine stores nothing: what it finds must be null before.
            let mut found = if cfg!(any(not(windows), miri)) {
                std::ptr::dangling_mut()
            } else {
                std::ptr::null_mut()
            };
            assert_eq!(
                query(&raw const iid, &raw mut found),
                HResult::E_NOINTERFACE
            );
            assert!(found.is_null());
        }
    }

    #[test]
    #[cfg(any(not(windows), miri))]
    fn r48_a_query_with_nowhere_to_store_or_nothing_to_ask() {
        assert_eq!(query(&IID_MALLOC, std::ptr::null_mut()), HResult::E_POINTER);
        let mut found = std::ptr::dangling_mut();
        assert_eq!(
            query(std::ptr::null(), &raw mut found),
            HResult::E_NOINTERFACE
        );
        assert!(found.is_null());
    }

    #[test]
    fn v143_no_class_is_registered() {
        let mut text = std::ptr::dangling_mut();
        assert_eq!(c::prog_id(&SOME, &raw mut text), 0x8004_0154);
        assert!(text.is_null());
    }

    #[test]
    fn v144_nowhere_to_store_the_name() {
        // Windows, unlike the emulation, may look at its registry first: the class is one it knows.
        let std_font = Guid::from_u128(0x0BE35203_8F91_11CE_9DE3_00AA004BB851);
        assert_eq!(c::prog_id(&std_font, std::ptr::null_mut()), E_INVALIDARG);
    }

    #[test]
    fn v145_no_identifier_no_text() {
        let mut text = [0xAAAA; 50];
        assert_eq!(c::string_from_guid(std::ptr::null(), &mut text), 0);
        assert_eq!(text, [0xAAAA; 50]);
    }

    #[test]
    fn v146_text_that_fits() {
        for capacity in [39, 50] {
            let mut text = vec![0xAAAA; capacity];
            assert_eq!(c::string_from_guid(&SOME, &mut text), 39);
            assert_eq!(text[..39], wide(SOME_TEXT));
            assert!(text[39..].iter().all(|unit| *unit == 0xAAAA));
        }
    }

    #[test]
    fn v147_text_that_does_not_fit() {
        for capacity in [38, 30, 0] {
            let mut text = vec![0xAAAA; capacity];
            assert_eq!(c::string_from_guid(&SOME, &mut text), 0);
            assert!(text.iter().all(|unit| *unit == 0xAAAA));
        }
    }

    #[test]
    fn v148_text_in_task_memory() {
        for make in [c::string_from_clsid, c::string_from_iid] {
            let mut text = std::ptr::null_mut();
            assert_eq!(make(&SOME, &raw mut text), S_OK);
            assert_eq!(units(text, 39), wide(SOME_TEXT));
            assert_eq!(c::size_of(text.cast()), 78);
            c::task_free(text.cast());
        }
    }

    /// A variable that holds something to be overwritten.
    fn plant(variable: &mut *mut u16) -> *mut *mut u16 {
        *variable = std::ptr::dangling_mut();
        variable
    }

    #[test]
    fn v149_duplicates() {
        let mut copy = std::ptr::null_mut();
        for refused in [
            c::str_dup_wide(std::ptr::null(), plant(&mut copy)),
            c::str_dup_narrow(std::ptr::null(), plant(&mut copy)),
        ] {
            // Wine 8 has another failure for it than Wine 11.
            if cfg!(any(not(windows), miri)) {
                assert_eq!(refused, E_INVALIDARG);
            }
            assert!(HResult::from_bits(refused).is_failure());
            assert!(copy.is_null());
        }

        let text = wide("text");
        assert_eq!(c::str_dup_wide(text.as_ptr(), &raw mut copy), S_OK);
        assert_eq!((units(copy, 5), c::size_of(copy.cast())), (text, 10));
        c::task_free(copy.cast());
        assert_eq!(c::str_dup_narrow(b"text\0".as_ptr(), &raw mut copy), S_OK);
        assert_eq!(units(copy, 5), wide("text"));
        c::task_free(copy.cast());
    }

    #[cfg(any(not(windows), miri))]
    mod decided {
        use super::*;

        #[test]
        fn narrow_text_is_utf_8() {
            let mut copy = std::ptr::null_mut();
            assert_eq!(c::str_dup_narrow("olé\0".as_ptr(), &raw mut copy), S_OK);
            assert_eq!(units(copy, 4), wide("olé"));
            c::task_free(copy.cast());
            assert_eq!(c::str_dup_narrow(b"a\xFFb\0".as_ptr(), &raw mut copy), S_OK);
            assert_eq!(units(copy, 4), wide("a\u{FFFD}b"));
            c::task_free(copy.cast());
        }

        #[test]
        fn nowhere_to_store_a_string() {
            let nowhere = std::ptr::null_mut();
            assert_eq!(c::string_from_clsid(&SOME, nowhere), E_INVALIDARG);
            assert_eq!(c::string_from_iid(&SOME, nowhere), E_INVALIDARG);
            assert_eq!(c::str_dup_wide([0].as_ptr(), nowhere), E_INVALIDARG);
            assert_eq!(c::str_dup_narrow(b"\0".as_ptr(), nowhere), E_INVALIDARG);
        }

        #[test]
        fn no_memory_for_a_string() {
            for make in [
                (|out| c::string_from_clsid(&SOME, out)) as fn(*mut *mut u16) -> u32,
                |out| c::str_dup_wide([0x61, 0].as_ptr(), out),
                |out| c::str_dup_narrow(b"a\0".as_ptr(), out),
            ] {
                let mut text = std::ptr::dangling_mut();
                let _failing = olemem::fault::fail_nth(1);
                assert_eq!(make(&raw mut text), 0x8007_000E);
                assert!(text.is_null());
            }
        }
    }
}
