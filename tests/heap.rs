//! The heap's own promises: what it says of any address, what it does with a bad call, and that any
//! thread may free what another allocated.
#![cfg(all(feature = "std", any(not(windows), miri)))]

#[path = "support/children.rs"]
mod children;

use std::collections::HashSet;
use std::ptr;
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use olemem::fault::fail_nth;
use olemem::heap::{self, ALIGN, DidAlloc, Family};
use olemem::{UnitLen, raw};

/// A freed address may be given out again at once: what is said of one holds only while no other test
/// allocates.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The size of a block, as the heap knows it.
fn extent(block: *mut u8) -> Option<usize> {
    // SAFETY: the tests ask about live blocks, and of other addresses only where any will do.
    unsafe { heap::size_of(block) }
}

/// Whether the heap knows a block.
fn whose(block: *mut u8) -> DidAlloc {
    // SAFETY: as above.
    unsafe { heap::did_alloc(block) }
}

fn free(block: *mut u8) {
    // SAFETY: the tests free what is live, once.
    unsafe { heap::free(block, Family::Task) };
}

fn realloc(block: *mut u8, size: usize) -> *mut u8 {
    // SAFETY: the tests pass null or what is live, and use the new pointer alone.
    unsafe { heap::realloc(block, size, Family::Task) }
}

fn fill(block: *mut u8, size: usize, with: u8) {
    // SAFETY: the tests' blocks have so many bytes.
    unsafe { block.write_bytes(with, size) };
}

fn contents(block: *mut u8, size: usize) -> Vec<u8> {
    // SAFETY: the tests' blocks have so many bytes, which they filled.
    unsafe { std::slice::from_raw_parts(block, size) }.to_vec()
}

mod questions {
    use super::*;

    #[track_caller]
    fn assert_unknown(address: *mut u8) {
        assert_eq!(whose(address), DidAlloc::No);
        assert_eq!(extent(address), None);
    }

    #[test]
    fn a_freed_block_is_unknown_at_once() {
        let _alone = alone();
        for size in [0, 1, 16, 27, 100_000] {
            for family in [Family::Task, Family::Bstr] {
                let block = heap::alloc(size, family);
                assert_eq!(whose(block), DidAlloc::Yes);
                assert_eq!(extent(block), Some(size));
                // SAFETY: live, of the family, and its last use.
                unsafe { heap::free(block, family) };
                assert_unknown(block);
            }
        }
    }

    #[test]
    fn a_moved_block_is_unknown_at_its_old_address() {
        let _alone = alone();
        let block = heap::alloc(8, Family::Task);
        let moved = realloc(block, 1 << 20);
        assert_eq!(extent(moved), Some(1 << 20));
        if moved != block {
            assert_unknown(block);
        }
        assert!(realloc(moved, 0).is_null());
        assert_unknown(moved);
    }

    #[test]
    fn a_freed_string_is_unknown() {
        let _alone = alone();
        // SAFETY: a null source needs nothing.
        let bstr = unsafe { raw::alloc_units(ptr::null(), UnitLen::new(5)) };
        let block = bstr.cast::<u8>().wrapping_sub(olemem::layout::HEADER);
        assert_eq!(whose(block), DidAlloc::Yes);
        assert_unknown(bstr.cast());
        // SAFETY: live, and its last use.
        unsafe { raw::free(bstr) };
        assert_unknown(block);
        assert_unknown(bstr.cast());
    }

    #[test]
    fn any_address_whatever_may_be_asked_about() {
        let _alone = alone();
        let mut local = 0_u64;
        let local = (&raw mut local).cast::<u8>();
        let literal = ptr::from_ref("literal").cast_mut().cast::<u8>();
        let mut boxed = Box::new(0_u64);
        let boxed = (&raw mut *boxed).cast::<u8>();
        assert_eq!(whose(ptr::null_mut()), DidAlloc::Unknown);
        assert_eq!(extent(ptr::null_mut()), None);
        assert_eq!(
            [DidAlloc::Yes, DidAlloc::No, DidAlloc::Unknown].map(DidAlloc::as_raw),
            [1, 0, -1]
        );
        for address in [local, literal, boxed] {
            assert_unknown(address);
        }
        for wild in [
            1,
            2,
            8,
            16,
            0xdead_beef,
            usize::MAX,
            usize::MAX - 15,
            1 << 31,
        ] {
            assert_unknown(ptr::without_provenance_mut(wild));
        }
        let block = heap::alloc(40, Family::Task);
        for offset in 1..48 {
            assert_unknown(block.wrapping_add(offset));
            assert_unknown(block.wrapping_sub(offset));
        }
        free(block);
    }
}

mod blocks {
    use super::*;

    #[test]
    fn each_has_an_address_of_its_own() {
        let _alone = alone();
        let count = if cfg!(miri) { 40 } else { 2000 };
        let blocks: Vec<_> = (0..count)
            .map(|n| heap::alloc(n % 20, Family::Task))
            .collect();
        let addresses: HashSet<_> = blocks.iter().map(|block| block.addr()).collect();
        assert_eq!(addresses.len(), count);
        assert!(
            addresses
                .iter()
                .all(|address| address % ALIGN == 0 && *address != 0)
        );
        for (n, block) in blocks.into_iter().enumerate() {
            assert_eq!(extent(block), Some(n % 20));
            free(block);
        }
    }

    #[test]
    fn more_than_there_can_be_is_null() {
        let _alone = alone();
        let block = heap::alloc(3, Family::Task);
        fill(block, 3, 7);
        let most = isize::MAX.unsigned_abs();
        for size in [usize::MAX, usize::MAX - 1, most + 2, most + 1, most] {
            assert!(heap::alloc(size, Family::Task).is_null());
            assert!(realloc(ptr::null_mut(), size).is_null());
            assert!(realloc(block, size).is_null());
        }
        assert_eq!((contents(block, 3), extent(block)), (vec![7; 3], Some(3)));
        free(block);
    }

    #[test]
    fn a_failed_reallocation_leaves_the_block() {
        let _alone = alone();
        let block = heap::alloc(100, Family::Task);
        fill(block, 100, 9);
        let failing = fail_nth(1);
        assert!(realloc(block, 5000).is_null());
        assert!(failing.has_failed());
        assert_eq!(extent(block), Some(100));
        assert_eq!(contents(block, 100), [9; 100]);
        free(block);
    }

    #[test]
    fn the_size_is_what_was_last_asked_for() {
        let _alone = alone();
        let mut block = ptr::null_mut();
        for size in [5, 1, 27, 16, 17, 4096, 3] {
            block = realloc(block, size);
            assert_eq!(extent(block), Some(size));
            heap::minimize();
            assert_eq!(extent(block), Some(size));
        }
        free(block);
    }
}

mod threads {
    use super::*;

    struct Block(*mut u8, usize, u8);
    // SAFETY: whoever holds it is the block's only user.
    unsafe impl Send for Block {}

    impl Block {
        fn new(size: usize, with: u8) -> Self {
            let start = heap::alloc(size, Family::Task);
            assert!(!start.is_null());
            fill(start, size, with);
            Self(start, size, with)
        }

        fn check(&self) {
            assert_eq!(extent(self.0), Some(self.1));
            assert!(contents(self.0, self.1).iter().all(|byte| *byte == self.2));
        }
    }

    #[test]
    fn a_block_may_be_freed_anywhere() {
        let _alone = alone();
        let (threads, each) = if cfg!(miri) { (2_u8, 8) } else { (8, 2000) };
        let (sender, receiver) = mpsc::channel::<Block>();
        let receiver = Mutex::new(receiver);
        let freed: usize = thread::scope(|scope| {
            for thread in 0..threads {
                let sender = sender.clone();
                scope.spawn(move || {
                    for n in 0..each {
                        let block = Block::new(n % 70, thread);
                        sender.send(block).expect("somebody receives");
                    }
                });
            }
            drop(sender);
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(|| {
                        let mut freed = 0;
                        loop {
                            let next = receiver.lock().expect("nobody panicked").recv();
                            let Ok(mut block) = next else { break freed };
                            block.check();
                            // Half of them are grown by a thread that did not make them.
                            if block.1 % 2 == 0 {
                                block.0 = realloc(block.0, block.1 + 100);
                                block.1 += 100;
                                assert_eq!(extent(block.0), Some(block.1));
                                assert!(
                                    contents(block.0, block.1 - 100)
                                        .iter()
                                        .all(|byte| *byte == block.2)
                                );
                            }
                            free(block.0);
                            freed += 1;
                        }
                    })
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().expect("it does not panic"))
                .sum()
        });
        assert_eq!(freed, usize::from(threads) * each);
    }

    #[test]
    fn no_two_threads_are_given_the_same_block() {
        let _alone = alone();
        let (threads, each) = if cfg!(miri) { (2_u8, 10) } else { (8, 1000) };
        let start = Barrier::new(threads.into());
        let blocks: Vec<Block> = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|thread| {
                    let start = &start;
                    scope.spawn(move || {
                        start.wait();
                        (0..each)
                            .map(|n| Block::new(n % 40, thread))
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            workers
                .into_iter()
                .flat_map(|worker| worker.join().expect("it does not panic"))
                .collect()
        });
        let addresses: HashSet<_> = blocks.iter().map(|block| block.0.addr()).collect();
        assert_eq!(addresses.len(), usize::from(threads) * each);
        for block in &blocks {
            block.check();
        }
        for block in &blocks {
            free(block.0);
        }
        assert!(blocks.iter().all(|block| whose(block.0) == DidAlloc::No));
    }
}

/// A pointer that is no live block start ends the process: each in a process of its own.
#[cfg(all(unix, not(miri)))]
mod bad_calls {
    use std::alloc::{GlobalAlloc as _, Layout, System};
    use std::io::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Output;

    use olemem::{Bstr, ByteLen, bstr};

    use super::*;

    const CHILD: &str = "bad_calls::child";
    const SIGABRT: i32 = 6;
    const NO_BLOCK: &str = "no live block is there (freed before, or never from this heap)";

    /// How a child does wrong: what is called, with what, and what is said of it.
    struct Case {
        name: &'static str,
        call: fn(*mut u8),
        pointer: fn() -> *mut u8,
        /// "free of 0x1234 as BSTR: …", with `{}` for the address.
        said: &'static str,
        why: &'static str,
    }

    fn free_task(pointer: *mut u8) {
        free(pointer);
    }

    fn realloc_task(pointer: *mut u8) {
        assert!(!realloc(pointer, 50).is_null());
    }

    fn realloc_task_to_nothing(pointer: *mut u8) {
        assert!(realloc(pointer, 0).is_null());
    }

    fn free_bstr(pointer: *mut u8) {
        // SAFETY: the heap judges the pointer and ends the process.
        unsafe { raw::free(pointer.cast()) };
    }

    fn realloc_bstr(pointer: *mut u8) {
        let text = [0x61, 0];
        let mut variable = pointer.cast();
        // SAFETY: as above.
        assert!(unsafe { raw::realloc(&raw mut variable, text.as_ptr()) });
    }

    fn realloc_bstr_units(pointer: *mut u8) {
        let mut variable = pointer.cast();
        // SAFETY: as above.
        assert!(unsafe { raw::realloc_units(&raw mut variable, ptr::null(), UnitLen::new(50)) });
    }

    fn drop_bstr(pointer: *mut u8) {
        // SAFETY: as above.
        drop(unsafe { Bstr::from_raw(pointer.cast()) });
    }

    fn task() -> *mut u8 {
        heap::alloc(27, Family::Task)
    }

    fn string() -> *mut u8 {
        // SAFETY: a null source needs nothing.
        unsafe { raw::alloc_bytes(ptr::null(), ByteLen::new(9)) }.cast()
    }

    fn freed_task() -> *mut u8 {
        let block = task();
        free(block);
        block
    }

    fn freed_string() -> *mut u8 {
        let bstr = string();
        // SAFETY: live, and its last good use.
        unsafe { raw::free(bstr.cast()) };
        bstr
    }

    fn inside_task() -> *mut u8 {
        task().wrapping_add(4)
    }

    fn inside_string() -> *mut u8 {
        string().wrapping_add(2)
    }

    fn on_the_stack() -> *mut u8 {
        let mut local = [0_u64; 8];
        // The address alone matters: nothing is read there.
        (&raw mut local[4]).cast()
    }

    fn malloced() -> *mut u8 {
        // SAFETY: the size is not zero.
        let block = unsafe { System.alloc(Layout::new::<[u64; 4]>()) };
        block.wrapping_add(2 * size_of::<usize>())
    }

    fn malloced_start() -> *mut u8 {
        // SAFETY: the size is not zero.
        unsafe { System.alloc(Layout::new::<[u64; 4]>()) }
    }

    fn literal() -> *mut u8 {
        bstr!("literal").as_raw().cast_mut().cast()
    }

    fn wild() -> *mut u8 {
        ptr::without_provenance_mut(0xdead_bee8)
    }

    fn dressed() -> *mut u8 {
        task().wrapping_add(olemem::layout::HEADER)
    }

    const FREE_TASK: &str = "free of {} as task memory: ";
    const FREE_BSTR: &str = "free of {} as BSTR: ";
    const REALLOC_TASK: &str = "reallocation of {} as task memory: ";
    const REALLOC_BSTR: &str = "reallocation of {} as BSTR: ";

    const fn case(
        name: &'static str,
        call: fn(*mut u8),
        pointer: fn() -> *mut u8,
        said: &'static str,
        why: &'static str,
    ) -> Case {
        Case {
            name,
            call,
            pointer,
            said,
            why,
        }
    }

    const INSIDE_TASK: &str = "it points 4 bytes into a live block of 27 bytes (task memory)";
    #[cfg(target_pointer_width = "64")]
    const INSIDE_STRING: &str = "it points 10 bytes into a live block of 32 bytes (BSTR)";
    #[cfg(target_pointer_width = "32")]
    const INSIDE_STRING: &str = "it points 6 bytes into a live block of 16 bytes (BSTR)";
    #[cfg(target_pointer_width = "64")]
    const DRESSED: &str = "it points 8 bytes into a live block of 27 bytes (task memory)";
    #[cfg(target_pointer_width = "32")]
    const DRESSED: &str = "it points 4 bytes into a live block of 27 bytes (task memory)";

    const CASES: [Case; 29] = [
        case("double free", free_task, freed_task, FREE_TASK, NO_BLOCK),
        case(
            "double free of a string",
            free_bstr,
            freed_string,
            FREE_BSTR,
            NO_BLOCK,
        ),
        case(
            "drop of a freed string",
            drop_bstr,
            freed_string,
            FREE_BSTR,
            NO_BLOCK,
        ),
        case("stack", free_task, on_the_stack, FREE_TASK, NO_BLOCK),
        case(
            "stack as a string",
            free_bstr,
            on_the_stack,
            FREE_BSTR,
            NO_BLOCK,
        ),
        case("malloc", free_task, malloced_start, FREE_TASK, NO_BLOCK),
        case("inside malloc", free_task, malloced, FREE_TASK, NO_BLOCK),
        case(
            "malloc as a string",
            free_bstr,
            malloced,
            FREE_BSTR,
            NO_BLOCK,
        ),
        case("literal", free_task, literal, FREE_TASK, NO_BLOCK),
        case(
            "literal as a string",
            free_bstr,
            literal,
            FREE_BSTR,
            NO_BLOCK,
        ),
        case("wild", free_task, wild, FREE_TASK, NO_BLOCK),
        case("wild as a string", free_bstr, wild, FREE_BSTR, NO_BLOCK),
        case("interior", free_task, inside_task, FREE_TASK, INSIDE_TASK),
        case(
            "interior of a string",
            free_bstr,
            inside_string,
            FREE_BSTR,
            INSIDE_STRING,
        ),
        case(
            "task block as a string",
            free_bstr,
            task,
            FREE_BSTR,
            "it is task memory",
        ),
        case(
            "string as a task block",
            free_task,
            string,
            FREE_TASK,
            "it is a BSTR",
        ),
        case("dressed-up block", free_task, dressed, FREE_TASK, DRESSED),
        case(
            "realloc after free",
            realloc_task,
            freed_task,
            REALLOC_TASK,
            NO_BLOCK,
        ),
        case(
            "realloc to nothing",
            realloc_task_to_nothing,
            freed_task,
            FREE_TASK,
            NO_BLOCK,
        ),
        case(
            "realloc of the stack",
            realloc_task,
            on_the_stack,
            REALLOC_TASK,
            NO_BLOCK,
        ),
        case(
            "realloc of malloc",
            realloc_task,
            malloced_start,
            REALLOC_TASK,
            NO_BLOCK,
        ),
        case(
            "realloc of the interior",
            realloc_task,
            inside_task,
            REALLOC_TASK,
            INSIDE_TASK,
        ),
        case(
            "realloc of a string",
            realloc_task,
            string,
            REALLOC_TASK,
            "it is a BSTR",
        ),
        case(
            "units after free",
            realloc_bstr_units,
            freed_string,
            REALLOC_BSTR,
            NO_BLOCK,
        ),
        case(
            "units of a literal",
            realloc_bstr_units,
            literal,
            REALLOC_BSTR,
            NO_BLOCK,
        ),
        case(
            "units of the interior",
            realloc_bstr_units,
            inside_string,
            REALLOC_BSTR,
            INSIDE_STRING,
        ),
        case(
            "units of a task block",
            realloc_bstr_units,
            task,
            REALLOC_BSTR,
            "it is task memory",
        ),
        case(
            "replacing after the interior",
            realloc_bstr,
            inside_string,
            FREE_BSTR,
            INSIDE_STRING,
        ),
        case(
            "replacing a task block",
            realloc_bstr,
            task,
            FREE_BSTR,
            "it is task memory",
        ),
    ];

    /// The deeds, when this process is a child; nothing in the test run itself.
    #[test]
    fn child() {
        let Some(deed) = children::deed() else { return };
        match deed.as_str() {
            "work" => {
                drop(Bstr::from("work"));
                println!("DONE");
            }
            "first allocation of many threads" => {
                let start = Barrier::new(16);
                thread::scope(|scope| {
                    for _ in 0..16 {
                        scope.spawn(|| {
                            start.wait();
                            drop(Bstr::from("work"));
                        });
                    }
                });
            }
            deed => {
                let case = CASES
                    .iter()
                    .find(|case| case.name == deed)
                    .expect("a known deed");
                let pointer = (case.pointer)();
                println!("ADDRESS {pointer:p}");
                std::io::stdout().flush().expect("standard output is open");
                (case.call)(pointer);
                println!("STILL THERE");
            }
        }
    }

    fn run(deed: &str, olemem: Option<&std::ffi::OsStr>) -> Output {
        let mut command = children::child(CHILD, deed);
        if let Some(olemem) = olemem {
            command.env("OLEMEM", olemem);
        }
        command.output().expect("the test binary starts")
    }

    #[test]
    fn one_line_and_the_end() {
        for case in &CASES {
            let output = run(case.name, Some("plain".as_ref()));
            let all = format!("{}: {}", case.name, children::all_of(&output));
            assert_eq!(output.status.signal(), Some(SIGABRT), "{all}");
            let stdout = String::from_utf8(output.stdout).expect("text");
            // Nothing of ours on standard output, and nothing after the bad call.
            let (_, address) = stdout.split_once("ADDRESS ").expect(&all);
            assert!(!stdout.contains("olemem: "), "{all}");
            let address = address.strip_suffix('\n').expect(&all);
            assert!(!address.contains('\n'), "{all}");
            let line = case.said.replace("{}", address);
            assert_eq!(
                String::from_utf8(output.stderr).expect("text"),
                format!("olemem: {line}{}\n", case.why),
                "{}",
                case.name
            );
        }
    }

    #[test]
    fn plain_is_the_default() {
        let output = run("double free", None);
        // Unless these tests themselves run under a memory checker, which is then the one to tell.
        if std::env::var_os("LD_PRELOAD").is_none() {
            assert_eq!(output.status.signal(), Some(SIGABRT));
            assert_eq!(children::complaints(&output).len(), 1);
        }
        let output = run("double free", Some("".as_ref()));
        assert_eq!(children::complaints(&output).len(), 1);
    }

    /// In pass-through the system allocator is handed the pointer. What it says is its own.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[test]
    fn pass_through_hands_it_on() {
        for deed in [
            "double free",
            "double free of a string",
            "drop of a freed string",
        ] {
            let output = run(deed, Some("pass-through".as_ref()));
            let all = children::all_of(&output);
            assert_eq!(output.status.signal(), Some(SIGABRT), "{all}");
            assert_eq!(children::complaints(&output), [""; 0], "{all}");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(stderr.contains("free(): double free"), "{all}");
        }
        // A block that the heap does not know but the system does is the system's to free.
        let output = run("malloc", Some("pass-through".as_ref()));
        children::assert_passed(&output);
        assert!(String::from_utf8_lossy(&output.stdout).contains("STILL THERE"));
        let output = run("realloc of malloc", Some("pass-through".as_ref()));
        children::assert_passed(&output);
    }

    #[test]
    fn a_good_program_says_nothing() {
        for mode in [None, Some(""), Some("plain"), Some("pass-through")] {
            let output = run("work", mode.map(AsRef::as_ref));
            children::assert_passed(&output);
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        }
    }

    #[test]
    fn an_unknown_mode_is_told_and_the_program_runs() {
        let odd = std::ffi::OsStr::from_bytes(b"odd\xFFone");
        for (mode, shown) in [
            ("nonsense".as_ref(), "nonsense"),
            ("PLAIN".as_ref(), "PLAIN"),
            ("plain ".as_ref(), "plain "),
            (odd, "odd\u{FFFD}one"),
        ] {
            let output = run("work", Some(mode));
            children::assert_passed(&output);
            assert_eq!(
                String::from_utf8_lossy(&output.stderr),
                format!(
                    "olemem: OLEMEM={shown}: unknown; valid are plain, pass-through, cache=off, cache=windows, \
                     cache=adversarial, fail-at=, fail-every=, fail-rate=, fail-seed=, fail-above=, fail-family=, \
                     fail-then=, and, for the audit, check, report=, format=, backtrace=, quarantine=, guard=, \
                     halt=, exitcode=, suppress=\n"
                )
            );
            // The mode is then the usual one.
            let output = run("double free", Some(mode));
            assert_eq!(output.status.signal(), Some(SIGABRT));
            assert_eq!(children::complaints(&output).len(), 2);
        }
    }

    /// However many threads make the first allocation at once.
    #[test]
    fn an_unknown_mode_is_told_once() {
        for _ in 0..20 {
            let output = run(
                "first allocation of many threads",
                Some("nonsense".as_ref()),
            );
            children::assert_passed(&output);
            assert_eq!(
                children::complaints(&output).len(),
                1,
                "{}",
                children::all_of(&output)
            );
        }
    }

    /// The lowest addresses are no exception: the header's own size is an address, too.
    #[test]
    fn the_lowest_address_is_judged() {
        if children::deed().is_some() {
            free_bstr(ptr::without_provenance_mut(olemem::layout::HEADER));
            return;
        }
        let mut command = children::child("bad_calls::the_lowest_address_is_judged", "low");
        let output = command.env("OLEMEM", "plain").output().expect("it starts");
        assert_eq!(
            output.status.signal(),
            Some(SIGABRT),
            "{}",
            children::all_of(&output)
        );
        assert_eq!(
            children::complaints(&output),
            [format!(
                "olemem: free of {:#x} as BSTR: {NO_BLOCK}",
                olemem::layout::HEADER
            )]
        );
    }
}
