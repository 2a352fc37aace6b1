//! Where it happened: the first frame is the caller's, whichever door it came through. Under Miri, which has no
//! unwinder for us, it is the only one.

use std::alloc::Layout;
use std::borrow::Cow;
use std::convert::identity;
use std::fmt::Write;
use std::ptr::{self, NonNull};
use std::str::FromStr;

use allocator_api2::alloc::Allocator;

use crate::support::{free, string, task};
use olemem::audit::{Backtrace, Frame, Kind, Session};
use olemem::heap::{self, Family};
use olemem::{Bstr, ByteLen, InOut, Out, TaskAllocator, TaskBox, TaskSlice, TaskStr, UnitLen, raw};

/// File and line of the innermost frame.
#[track_caller]
fn innermost(frames: &[Frame]) -> (&str, u32) {
    let frame = frames.first().expect("a frame");
    let file = frame.file.as_deref().expect("a file");
    let name = file.rsplit('/').next().expect("a name");
    (name, frame.line.expect("a line"))
}

#[test]
fn of_allocation_free_and_mistake() {
    let session = Session::begin();
    let (allocated, text) = (line!(), Bstr::from("text").into_raw());
    // SAFETY: the string is live.
    let (freed, ()) = (line!(), unsafe { raw::free(text) });
    // SAFETY: the audit swallows it.
    let (again, ()) = (line!(), unsafe { raw::free(text) });
    let report = session.finish();
    report.assert_kinds([Kind::DoubleFree]);
    let violation = &report.violations()[0];
    assert_eq!(innermost(&violation.allocated_at), ("sites.rs", allocated));
    assert_eq!(innermost(&violation.freed_at), ("sites.rs", freed));
    assert_eq!(innermost(&violation.at), ("sites.rs", again));
    if !cfg!(miri) {
        let function = violation.at[0].function.as_deref().expect("a name");
        assert_eq!(function, "audit::sites::of_allocation_free_and_mistake");
    }
}

/// The frames go on to whoever called, and end where the program begins.
#[test]
#[cfg(not(miri))]
fn of_the_callers_too() {
    #[inline(never)]
    fn outer() -> *mut u16 {
        std::hint::black_box(string("lost"))
    }
    let session = Session::begin();
    let lost = outer();
    let report = session.finish();
    let names: Vec<_> = report.violations()[0]
        .allocated_at
        .iter()
        .map(|frame| frame.function.clone().expect("a name"))
        .collect();
    assert_eq!(
        names[..3],
        [
            "audit::support::string",
            "audit::sites::of_the_callers_too::outer",
            "audit::sites::of_the_callers_too",
        ]
    );
    assert!(
        !names
            .iter()
            .any(|name| name.contains("__rust_begin_short_backtrace"))
    );
    free(lost);
}

/// Through collections and closures of the library's.
#[test]
#[cfg(not(miri))]
fn through_other_code() {
    let session = Session::begin();
    let boxed = TaskBox::try_new(7_u64).expect("memory");
    let raw = TaskBox::into_raw(boxed);
    let report = session.finish();
    assert_eq!(
        innermost(&report.violations()[0].allocated_at).0,
        "sites.rs"
    );
    // SAFETY: live, and its last use.
    drop(unsafe { TaskBox::from_raw(raw) });
}

/// Leaks of one place are told together, and counted one by one.
#[test]
fn of_leaks_are_grouped() {
    let session = Session::begin();
    let lost: Vec<_> = (0..3).map(|_| task(5)).collect();
    let report = session.finish();
    report.assert_kinds([Kind::Leak; 3]);
    let text = report.to_string();
    assert_eq!(text.matches("error[leak]").count(), 1, "{text}");
    assert!(
        text.contains("block 1: task memory, 5 bytes, and 2 more from there, 15 bytes together"),
        "{text}"
    );
    lost.into_iter().for_each(crate::support::free_task);
}

#[test]
fn are_left_out_where_nobody_wants_them() {
    let session = Session::options().backtrace(Backtrace::Off).begin();
    let lost = string("lost");
    let report = session.finish();
    assert_eq!(report.violations()[0].allocated_at, []);
    free(lost);
}

/// A value, and the line in which it was made.
macro_rules! here {
    ($made:expr) => {
        (line!(), $made)
    };
}

/// Each door that gives a string, in a line of its own.
fn strings() -> Vec<(u32, *const u16)> {
    let units = [0x61, 0x62, 0];
    let (text, two) = (units.as_ptr(), UnitLen::new(2));
    let model = Bstr::from("model");
    let as_ref = model.as_bstr();
    let owned = String::from("owned");
    let mut made = vec![
        // SAFETY: the units end with a zero.
        here!(unsafe { raw::alloc(text) }.cast_const()),
        // SAFETY: so many units are there.
        here!(unsafe { raw::alloc_units(text, two) }.cast_const()),
        // SAFETY: so many bytes are there.
        here!(unsafe { raw::alloc_bytes(text.cast(), ByteLen::new(3)) }.cast_const()),
        // SAFETY: both are strings.
        here!(unsafe { raw::concat(as_ref.as_raw(), ptr::null()) }.cast_const()),
        here!(Bstr::empty().into_raw()),
        here!(Bstr::try_empty().unwrap().into_raw()),
        here!(Bstr::from_wide(&units).into_raw()),
        here!(Bstr::try_from_units(&units).unwrap().into_raw()),
        here!(Bstr::from_bytes(b"abc").into_raw()),
        here!(Bstr::try_from_bytes(b"abc").unwrap().into_raw()),
        here!(Bstr::try_from_str("abc").unwrap().into_raw()),
        here!(Bstr::from_str("abc").unwrap().into_raw()),
        here!(Bstr::try_zeroed(two).unwrap().into_raw()),
        here!(Bstr::try_concat(as_ref, as_ref).unwrap().into_raw()),
        here!(model.clone().into_raw()),
        here!(model.try_clone().unwrap().into_raw()),
        here!(as_ref.to_owned().into_raw()),
        here!(as_ref.try_to_owned().unwrap().into_raw()),
        here!(Bstr::from("abc").into_raw()),
        here!(Bstr::from(&owned).into_raw()),
        here!(Bstr::from(Cow::Borrowed("abc")).into_raw()),
        here!(Bstr::from(&units[..]).into_raw()),
        here!(Bstr::from(as_ref).into_raw()),
    ];
    made.push(here!(Bstr::from(owned).into_raw()));
    let mut grown = |line: u32, grow: &dyn Fn(&mut Bstr)| {
        let mut bstr = Bstr::new();
        grow(&mut bstr);
        made.push((line, bstr.into_raw()));
    };
    grown(line!(), &|bstr| bstr.push_str("abc"));
    grown(line!(), &|bstr| bstr.try_push_str("abc").unwrap());
    grown(line!(), &|bstr| bstr.push_units(&[1, 2]));
    grown(line!(), &|bstr| bstr.try_push_units(&[1, 2]).unwrap());
    grown(line!(), &|bstr| bstr.reserve(UnitLen::new(9)));
    grown(line!(), &|bstr| bstr.try_reserve(UnitLen::new(9)).unwrap());
    grown(line!(), &|bstr| bstr.write_str("abc").unwrap());
    grown(line!(), &|bstr| bstr.extend([1_u16, 2, 3]));
    let mut slot: *mut u16 = ptr::null_mut();
    // SAFETY: the variable is null, and the units end with a zero.
    let (line, done) = here!(unsafe { raw::realloc(&raw mut slot, text) });
    assert!(done);
    made.push((line, slot));
    let mut slot: *mut u16 = ptr::null_mut();
    // SAFETY: the variable is null, and so many units are there.
    let (line, done) = here!(unsafe { raw::realloc_units(&raw mut slot, text, two) });
    assert!(done);
    made.push((line, slot));
    made
}

/// Each door that gives task memory.
fn blocks() -> Vec<(u32, *mut u8)> {
    let layout = Layout::new::<u64>();
    let model = TaskBox::new(1_u8);
    let slice = TaskSlice::try_from_slice(&[1_u8, 2]).unwrap();
    let text: TaskStr = TaskStr::from_str("abc").unwrap();
    let raw = |boxed| TaskBox::into_raw(boxed);
    let raw_slice = |slice| TaskSlice::into_raw_parts(slice).0;
    let start = |block: NonNull<[u8]>| block.as_ptr().cast();
    let raw_text = |text| TaskStr::<u16>::into_raw(text).cast();
    vec![
        here!(heap::alloc(8, Family::Task)),
        // SAFETY: null is no block.
        here!(unsafe { heap::realloc(ptr::null_mut(), 8, Family::Task) }),
        here!(raw(TaskBox::new(1_u8))),
        here!(raw(TaskBox::try_new(1_u8).unwrap())),
        here!(raw(TaskBox::default())),
        here!(raw(model.clone())),
        here!(raw_slice(TaskSlice::try_from_fn(2, |_| 1_u8).unwrap())),
        here!(raw_slice(TaskSlice::try_from_slice(&[1_u8]).unwrap())),
        here!(raw_slice(slice.clone())),
        here!(raw_text(TaskStr::try_from_str("abc").unwrap())),
        here!(raw_text(TaskStr::try_from_units(&[1]).unwrap())),
        here!(raw_text(TaskStr::from_str("abc").unwrap())),
        here!(raw_text(text.clone())),
        here!(start(TaskAllocator.allocate(layout).unwrap())),
        here!(start(TaskAllocator.allocate_zeroed(layout).unwrap())),
    ]
}

#[test]
fn of_each_door_that_allocates() {
    if !cfg!(miri) {
        allocating(Backtrace::Full);
    }
    allocating(Backtrace::Short);
}

fn allocating(backtrace: Backtrace) {
    let session = Session::options().backtrace(backtrace).begin();
    let (strings, blocks) = (strings(), blocks());
    let report = session.finish();
    let lines = strings.iter().map(|(line, _)| *line);
    let lines = lines.chain(blocks.iter().map(|(line, _)| *line));
    let told = report.violations().iter().map(|violation| {
        assert_eq!(violation.kind, Kind::Leak);
        innermost(&violation.allocated_at)
    });
    let expected: Vec<_> = lines.map(|line| ("sites.rs", line)).collect();
    assert_eq!(told.collect::<Vec<_>>(), expected);
    for (_, bstr) in strings {
        free(bstr.cast_mut());
    }
    for (_, block) in blocks {
        crate::support::free_task(block);
    }
}

/// Each door that frees, or has a variable's old value freed. Destructors are told nothing by the compiler.
#[test]
fn of_each_door_that_frees() {
    if !cfg!(miri) {
        freeing(Backtrace::Full);
    }
    freeing(Backtrace::Short);
}

fn freeing(backtrace: Backtrace) {
    let session = Session::options().backtrace(backtrace).begin();
    let mut freed = Vec::new();
    let layout = Layout::new::<u64>();
    let text = |lines: &mut Vec<(u32, *mut u16)>, act: &dyn Fn(Bstr) -> u32| {
        let bstr = Bstr::from("freed");
        let raw = bstr.as_raw().cast_mut();
        lines.push((act(bstr), raw));
    };
    text(&mut freed, &|bstr| {
        // SAFETY: the string is this one's own, for the last time.
        here!(unsafe { raw::free(bstr.into_raw()) }).0
    });
    text(&mut freed, &|mut bstr| here!(bstr.clear()).0);
    text(&mut freed, &|mut bstr| here!(drop(Out::new(&mut bstr))).0);
    text(&mut freed, &|mut bstr| {
        let mut variable = InOut::new(&mut bstr);
        here!(variable.set(Bstr::new()).unwrap()).0
    });
    text(&mut freed, &|mut bstr| {
        let variable = InOut::new(&mut bstr);
        here!(variable.update(|_| Ok(Bstr::new()))).0
    });
    text(&mut freed, &|bstr| {
        let mut variable = Bstr::new();
        let mut slot = Out::new(&mut variable).begin().unwrap();
        slot.set(bstr);
        here!(slot.set(Bstr::new())).0
    });
    text(&mut freed, &|bstr| {
        let mut slot = bstr.into_raw().cast_mut();
        // SAFETY: the variable holds a live string, and null is no source.
        here!(assert!(unsafe { raw::realloc(&raw mut slot, ptr::null()) })).0
    });
    let mut blocks = Vec::new();
    let block = task(8);
    // SAFETY: live, and its last use.
    blocks.push((here!(unsafe { heap::free(block, Family::Task) }).0, block));
    let block = task(8);
    // SAFETY: as above.
    let (line, _) = here!(unsafe { heap::realloc(block, 0, Family::Task) });
    blocks.push((line, block));
    let boxed = TaskBox::new(7_u8);
    let block = TaskBox::as_raw(&boxed);
    blocks.push((here!(TaskBox::into_inner(boxed)).0, block));
    let block = TaskAllocator.allocate(layout).unwrap().cast::<u8>();
    // SAFETY: made for this layout just now.
    let (line, ()) = here!(unsafe { TaskAllocator.deallocate(block, layout) });
    blocks.push((line, block.as_ptr()));
    for (_, bstr) in &freed {
        free(*bstr);
    }
    for (_, block) in &blocks {
        crate::support::free_task(*block);
    }
    let report = session.finish();
    let lines = freed.iter().map(|(line, _)| *line);
    let lines = lines.chain(blocks.iter().map(|(line, _)| *line));
    let told = report.violations().iter().map(|violation| {
        assert_eq!(violation.kind, Kind::DoubleFree);
        innermost(&violation.freed_at)
    });
    let expected: Vec<_> = lines.map(|line| ("sites.rs", line)).collect();
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

/// Each door that is only asked, or refuses.
#[test]
fn of_each_door_that_finds_a_mistake() {
    if !cfg!(miri) {
        mistaken(Backtrace::Full);
    }
    mistaken(Backtrace::Short);
}

fn mistaken(backtrace: Backtrace) {
    let session = Session::options().backtrace(backtrace).begin();
    let gone = string("gone").cast_const();
    free(gone.cast_mut());
    let block = task(8);
    crate::support::free_task(block);
    let mut slot = gone.cast_mut();
    let slot = &raw mut slot;
    let two = UnitLen::new(2);
    let mut lines = Vec::new();
    macro_rules! mistake {
        ($deed:expr) => {{
            lines.push(line!());
            // SAFETY: in a session each of these judges the pointer first, and then leaves it alone.
            identity(unsafe { $deed })
        }};
    }
    mistake!(raw::byte_len(gone));
    mistake!(raw::unit_len(gone));
    let joined = mistake!(raw::concat(gone, ptr::null()));
    let copied = mistake!(raw::alloc(gone));
    mistake!(raw::compare(gone, ptr::null(), 0, 0));
    mistake!(raw::realloc(slot, ptr::null()));
    mistake!(raw::realloc_units(slot, ptr::null(), two));
    mistake!(raw::realloc(ptr::null_mut(), ptr::null()));
    mistake!(raw::realloc_units(ptr::null_mut(), ptr::null(), two));
    mistake!(raw::unpin(gone));
    mistake!(heap::size_of(block));
    mistake!(heap::realloc(block, 9, Family::Task));
    mistake!(heap::realloc(block, 0, Family::Task));
    mistake!(heap::free(block, Family::Task));
    lines.push(line!() + 1);
    assert!(raw::pin(gone).is_err());
    let report = session.finish();
    free(joined);
    free(copied);
    let told = report.violations().iter();
    let told = told.filter(|violation| violation.kind != Kind::Leak);
    let told: Vec<_> = told.map(|violation| innermost(&violation.at)).collect();
    let expected: Vec<_> = lines.iter().map(|line| ("sites.rs", *line)).collect();
    assert_eq!(told, expected);
}

/// However many frames of olemem's and of the standard library's lie between, in a test that is not optimised.
#[test]
#[cfg(not(miri))]
fn of_what_is_collected() {
    let session = Session::begin();
    let line = line!() + 2;
    let lost = [
        "xyz".chars().collect::<Bstr>(),
        "xyz".encode_utf16().collect::<Bstr>(),
        ["x", "yz"].into_iter().collect::<Bstr>(),
    ];
    let lost = lost.map(Bstr::into_raw);
    let report = session.finish();
    report.assert_kinds([Kind::Leak; 3]);
    for (index, violation) in report.violations().iter().enumerate() {
        let index = u32::try_from(index).expect("three");
        let (file, at) = innermost(&violation.allocated_at);
        assert_eq!((file, at), ("sites.rs", line + index));
    }
    lost.into_iter().for_each(|text| free(text.cast_mut()));
}
