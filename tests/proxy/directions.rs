//! Each direction, kept and broken: neither the caller nor the callee says anything of the audit.

use std::ptr;

use olemem::audit::Kind;
use olemem::crossing::Reference;
use olemem::{Bstr, HResult, raw};

use crate::component::{
    Good, IBrowser, IBrowser2, LABEL, Made, Methods, browser, call, lent, let_go,
};
use crate::support::{
    OK, Raw, assert_kept, assert_told, free, free_task, judged, load, store, string, task,
};

/// A proxy before a browser, which goes with the proxy.
macro_rules! checked {
    ($methods:expr) => {{
        let made: Made = browser($methods);
        // SAFETY: a live browser.
        let checked = unsafe { IBrowser::wrap(made.object) }.expect("it is not null");
        let_go(made.object);
        checked
    }};
}

#[test]
fn kept() {
    assert_kept(&judged(|_| {
        let browser = checked!(Good);
        let name = Bstr::from("olemem");
        assert_eq!(call!(browser, put_Text, lent(&name)), OK);
        assert_eq!(call!(browser, put_Text, ptr::null_mut()), OK);
        let mut text = ptr::null_mut();
        assert_eq!(call!(browser, get_Text, &raw mut text), OK);
        free(text);
        let mut title = string("old");
        assert_eq!(call!(browser, Rename, lent(&name), &raw mut title), OK);
        free(title);
        let mut path = ptr::null_mut();
        assert_eq!(call!(browser, get_Path, &raw mut path), OK);
        free_task(path.cast());
        let mut buffer = [0_u16; 4];
        assert_eq!(call!(browser, get_Name, buffer.as_mut_ptr(), 4), OK);
        assert_eq!(buffer, [u16::from(b'n'); 4]);
        let (mut titles, mut count) = (ptr::null_mut(), 0);
        assert_eq!(
            call!(browser, get_Titles, &raw mut titles, &raw mut count),
            OK
        );
        assert_eq!(count, 2);
        assert_eq!(call!(browser, DropLast, titles, &raw mut count), OK);
        assert_eq!(count, 1);
        assert_eq!(call!(browser, put_All, titles, count), OK);
        free(load(titles));
        free_task(titles.cast());
        let (mut paths, mut fetched) = ([ptr::null_mut(); 2], 0);
        let result = call!(browser, Next, 2, paths.as_mut_ptr(), &raw mut fetched);
        assert_eq!((result, fetched), (OK, 2));
        let mut one = ptr::null_mut();
        assert_eq!(call!(browser, Next, 1, &raw mut one, ptr::null_mut()), OK);
        for path in [one, paths[0], paths[1]] {
            free_task(path.cast());
        }
        free(call!(browser, Own));
        assert_eq!(call!(browser, Tabs, 7, 2.0), 7);
        call!(browser, Close);
    }));
}

/// What is \[in\] may be constant, and the callee gets the caller's own.
#[test]
fn kept_in_elements() {
    struct Looks;
    impl Methods for Looks {
        fn put_bytes(&self, bytes: *const u8, count: u32) -> HResult {
            assert_eq!((bytes, count), (BYTES.as_ptr(), 5));
            OK
        }
        fn put_ref(&self, text: *mut Raw) -> HResult {
            let text = load(text);
            // SAFETY: lent to this call.
            let units = unsafe { raw::unit_len(text) };
            assert_eq!(units.get(), 4);
            OK
        }
    }
    static BYTES: [u8; 5] = *b"hello";
    assert_kept(&judged(|_| {
        let browser = checked!(Looks);
        assert_eq!(call!(browser, put_Bytes, BYTES.as_ptr(), 5), OK);
        let text = Bstr::from("text");
        let texts = [lent(&text), ptr::null_mut()];
        assert_eq!(call!(browser, put_Texts, texts.as_ptr(), 2), OK);
        assert_eq!(call!(browser, put_Ref, texts.as_ptr()), OK);
    }));
}

#[test]
fn broken_in_behind_a_pointer() {
    struct Frees;
    impl Methods for Frees {
        fn put_ref(&self, text: *mut Raw) -> HResult {
            if !text.is_null() {
                free(load(text));
            }
            OK
        }
    }
    let report = judged(|_| {
        let browser = checked!(Frees);
        let text = Bstr::from("text");
        let variable = lent(&text);
        assert_eq!(call!(browser, put_Ref, &raw const variable), OK);
        assert_eq!(call!(browser, put_Ref, ptr::null()), OK);
    });
    report.assert_kinds([Kind::InFreedByCallee]);
    let call = report.violations()[0].call.as_ref().expect("a call");
    assert_eq!(call.parameter.as_deref(), Some("*text"));
}

/// `string` and `LPCWSTR` are texts of any memory, which nobody frees but their owner.
#[test]
fn kept_in_texts() {
    static NAME: [u16; 2] = [b'n' as u16, 0];
    assert_kept(&judged(|_| {
        let browser = checked!(Good);
        let own = task(4);
        assert_eq!(
            call!(browser, put_Literal, NAME.as_ptr(), own.cast::<u16>()),
            OK
        );
        free_task(own);
        let mut name = ptr::null_mut();
        assert_eq!(call!(browser, get_Name2, &raw mut name), OK);
        free_task(name.cast());
    }));
}

#[test]
fn broken_in_texts() {
    struct Frees;
    impl Methods for Frees {
        fn put_literal(&self, name: Raw, other: Raw) -> HResult {
            free_task(name.cast());
            free_task(other.cast());
            OK
        }
        fn get_path(&self, path: *mut Raw) -> HResult {
            store(path, string("a BSTR"));
            OK
        }
    }
    let report = judged(|_| {
        let browser = checked!(Frees);
        let texts = [task(4), task(4)];
        let [name, other] = texts.map(|text| text.cast::<u16>().cast_const());
        assert_eq!(call!(browser, put_Literal, name, other), OK);
        texts.into_iter().for_each(free_task);
        let mut name = ptr::null_mut();
        assert_eq!(call!(browser, get_Name2, &raw mut name), OK);
        assert!(name.is_null(), "nobody could free it");
    });
    report.assert_kinds([
        Kind::InFreedByCallee,
        Kind::InFreedByCallee,
        Kind::OutWrongFamily,
    ]);
}

/// An enumerator at its end, without a variable for the count.
#[test]
fn kept_with_nothing_left() {
    struct Ends;
    impl Methods for Ends {
        fn next(&self, _: u32, _: *mut Raw, _: *mut u32) -> HResult {
            HResult::S_FALSE
        }
    }
    assert_kept(&judged(|_| {
        let browser = checked!(Ends);
        let mut one = ptr::null_mut();
        let result = call!(browser, Next, 1, &raw mut one, ptr::null_mut());
        assert_eq!(result, HResult::S_FALSE);
        assert!(one.is_null());
    }));
}

/// One that says that it is not.
#[test]
fn broken_with_nothing_left() {
    struct Forgets;
    impl Methods for Forgets {
        fn next(&self, _: u32, _: *mut Raw, _: *mut u32) -> HResult {
            OK
        }
    }
    let report = judged(|_| {
        let browser = checked!(Forgets);
        let mut one = ptr::null_mut();
        assert_eq!(call!(browser, Next, 1, &raw mut one, ptr::null_mut()), OK);
    });
    report.assert_kinds([Kind::OutNotSet]);
}

/// IDL's `size_is(*count)`, and counts of any type.
#[test]
fn kept_counts() {
    assert_kept(&judged(|_| {
        let browser = checked!(Good);
        let (mut buffer, mut count) = ([0_u16; 3], 4);
        let result = call!(browser, Read, buffer.as_mut_ptr(), &raw mut count);
        assert_eq!((result, count), (OK, 0));
        let n = u16::from(b'n');
        assert_eq!(buffer, [n, n, 0]);
        let result = call!(browser, Read, buffer.as_mut_ptr(), ptr::null_mut());
        assert_eq!(result, OK);

        let (mut texts, mut fetched) = ([ptr::null_mut(); 3], 0);
        let result = call!(browser, Skip, 3, texts.as_mut_ptr(), &raw mut fetched);
        assert_eq!((result, fetched), (HResult::S_FALSE, 2));
        texts[..2].iter().for_each(|text| free(*text));
    }));
}

#[test]
fn broken_counts() {
    struct Careless;
    impl Methods for Careless {
        fn read(&self, bytes: *mut u16, count: *mut i32) -> HResult {
            // The bytes are taken for units.
            Good.get_name(bytes, load(count).unsigned_abs())
        }
        fn skip(&self, _: u64, texts: *mut Raw, fetched: *mut i64) -> HResult {
            store(texts, task(4).cast());
            store(fetched, 1);
            OK
        }
    }
    let report = judged(|_| {
        let browser = checked!(Careless);
        let (mut buffer, mut count) = ([0_u16; 3], 4);
        let result = call!(browser, Read, buffer.as_mut_ptr(), &raw mut count);
        assert_eq!(result, OK);
        assert_eq!(buffer[2], 0);
        let (mut texts, mut fetched) = ([ptr::null_mut(); 3], 0);
        let result = call!(browser, Skip, 3, texts.as_mut_ptr(), &raw mut fetched);
        assert_eq!(result, OK);
        free_task(texts[0].cast());
    });
    report.assert_kinds([Kind::BufferOverrun, Kind::ElementInvalid]);
}

/// Where nothing is judged everything is forwarded.
#[test]
fn kept_without_a_session() {
    let browser = checked!(Good);
    let mut text: Raw = ptr::without_provenance_mut(16);
    assert_eq!(call!(browser, get_Text, &raw mut text), OK);
    free(text);
    let mut buffer = [0_u16; 2];
    assert_eq!(call!(browser, get_Name, buffer.as_mut_ptr(), 2), OK);
    assert_eq!(buffer, [u16::from(b'n'); 2]);
    assert_eq!(call!(browser, Tabs, 7, 2.0), 7);
}

#[test]
fn broken_in() {
    struct Frees;
    impl Methods for Frees {
        fn put_text(&self, text: Raw) -> HResult {
            free(text);
            OK
        }
    }
    assert_told(
        &judged(|_| {
            let browser = checked!(Frees);
            let text = Bstr::from("Ready");
            assert_eq!(call!(browser, put_Text, lent(&text)), OK);
            assert_eq!(text, "Ready");
        }),
        "\
error[in-freed-by-callee]: the callee freed a BSTR that it was lent as [in]
  call IBrowser::put_Text, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R1
  help: leave what is [in] to the caller; to keep or change a string, make a copy of one's own",
    );
}

/// The caller's mistake.
#[test]
fn broken_in_by_the_caller() {
    assert_told(
        &judged(|_| {
            let browser = checked!(Good);
            let mut units = [u16::from(b'h'), u16::from(b'i'), 0];
            assert_eq!(call!(browser, put_Text, units.as_mut_ptr()), OK);
        }),
        "\
error[in-not-a-bstr]: what is passed as a BSTR is no block at all
  call IBrowser::put_Text, parameter text
  rule: R3
  help: pass NULL or what SysAllocString* gave, for [in] as well; a static literal of a BSTR's shape has to be registered",
    );
}

/// Two objects of one interface are two parties.
#[test]
fn broken_in_kept_by_the_object_that_was_lent_it() {
    struct Keeps(std::cell::Cell<Raw>);
    impl Methods for Keeps {
        fn put_text(&self, text: Raw) -> HResult {
            self.0.set(text);
            OK
        }
        fn get_text(&self, text: *mut Raw) -> HResult {
            store(text, self.0.get());
            OK
        }
    }
    impl Keeps {
        fn new() -> Self {
            Self(std::cell::Cell::new(ptr::null_mut()))
        }
    }
    let report = judged(|_| {
        let (first, second) = (checked!(Keeps::new()), checked!(Good));
        let text = Bstr::from("Ready");
        assert_eq!(call!(first, put_Text, lent(&text)), OK);
        assert_eq!(call!(second, put_Text, lent(&text)), OK);
        let mut kept = ptr::null_mut();
        assert_eq!(call!(first, get_Text, &raw mut kept), OK);
    });
    assert_told(
        &report,
        "\
error[in-retained-by-callee]: the callee handed out a BSTR that it was lent as [in] in an earlier call
  call IBrowser::get_Text, parameter text
  block 1: BSTR, 10 bytes, \"Ready\"
  rule: R1, R12
  help: to keep an incoming string, store a copy",
    );
}

#[test]
fn broken_out() {
    struct Fails;
    impl Methods for Fails {
        fn get_text(&self, text: *mut Raw) -> HResult {
            store(text, string("half"));
            HResult::E_FAIL
        }
        fn get_path(&self, path: *mut Raw) -> HResult {
            store(path, string("/"));
            OK
        }
    }
    let report = judged(|_| {
        let browser = checked!(Fails);
        let mut text = ptr::null_mut();
        assert_eq!(call!(browser, get_Text, &raw mut text), HResult::E_FAIL);
        let mut path = ptr::null_mut();
        assert_eq!(call!(browser, get_Path, &raw mut path), OK);
        assert!(path.is_null(), "nobody could free it");
    });
    report.assert_kinds([Kind::OutSetOnFailure, Kind::OutWrongFamily]);
}

#[test]
fn broken_out_not_set() {
    struct Forgets;
    impl Methods for Forgets {
        fn get_text(&self, _: *mut Raw) -> HResult {
            OK
        }
    }
    let report = judged(|_| {
        let browser = checked!(Forgets);
        let mut text = ptr::null_mut();
        assert_eq!(call!(browser, get_Text, &raw mut text), OK);
        assert!(text.is_null());
    });
    report.assert_kinds([Kind::OutNotSet]);
}

/// The caller's mistake: what the variable held is lost.
#[test]
fn broken_out_by_the_caller() {
    let mut lost = ptr::null_mut();
    let report = judged(|_| {
        let browser = checked!(Good);
        lost = string("lost");
        let mut text = lost;
        assert_eq!(call!(browser, get_Text, &raw mut text), OK);
        free(text);
    });
    report.assert_kinds([Kind::OutOwnedAtEntry]);
    free(lost);
}

/// So are texts in arrays, and pointers into texts that are moved on.
#[test]
fn kept_what_is_constant_by_the_number() {
    let label = LABEL.as_ptr();
    assert_kept(&judged(|_| {
        let browser = checked!(Good);
        let (mut labels, mut count) = ([ptr::null(); 2], 0);
        let start = labels.as_mut_ptr();
        assert_eq!(call!(browser, NextLabels, 2, start, &raw mut count), OK);
        assert_eq!((labels, count), ([label; 2], 2));
        labels = [ptr::null(); 2];
        assert_eq!(call!(browser, get_LabelPair, labels.as_mut_ptr()), OK);
        assert_eq!(labels, [label; 2]);
        let (start, number) = (labels.as_mut_ptr(), &raw mut count);
        assert_eq!(call!(browser, AdvanceLabels, start, number), OK);
        assert_eq!(labels, [label.wrapping_add(1); 2]);
        // A text of the caller's own, which stays that.
        let own = task(4);
        let mut texts = [label, own.cast::<u16>().cast_const()];
        let [one, other] = texts.each_mut().map(ptr::from_mut);
        assert_eq!(call!(browser, AdvanceLabel, one, other), OK);
        assert_eq!(texts[0], label.wrapping_add(1));
        assert_eq!(texts[1].addr(), own.addr() + 2);
        free_task(own);
        let mut all = ptr::null_mut();
        assert_eq!(call!(browser, get_Labels, &raw mut all, &raw mut count), OK);
        assert_eq!((load(all), count), (label, 1));
        free_task(all.cast());
    }));
}

/// Text that nobody may change is only shown.
#[test]
fn kept_what_is_constant() {
    assert_kept(&judged(|_| {
        let browser = checked!(Good);
        assert_eq!(call!(browser, Label), LABEL.as_ptr());
        let mut label = ptr::null();
        assert_eq!(call!(browser, get_Label, &raw mut label), OK);
        assert_eq!(label, LABEL.as_ptr());
        let mut shown = 0;
        assert_eq!(call!(browser, IsShown, 7, &raw mut shown), OK);
        assert_eq!(shown, -1);
        // Something to judge.
        free(string("text"));
    }));
}

#[test]
fn waived() {
    struct Keeps(Bstr);
    impl Methods for Keeps {
        fn borrow(&self, text: *mut Raw) -> HResult {
            store(text, lent(&self.0));
            OK
        }
    }
    assert_kept(&judged(|_| {
        let browser = checked!(Keeps(Bstr::from("own")));
        let text = Bstr::from("text");
        let mut rest = ptr::null_mut();
        assert_eq!(
            call!(browser, Find, lent(&text), &raw mut rest),
            HResult::E_FAIL
        );
        free(rest);
        let mut borrowed = ptr::null_mut();
        for _ in 0..2 {
            assert_eq!(call!(browser, Borrow, &raw mut borrowed), OK);
        }
        assert!(!borrowed.is_null());
    }));
}

#[test]
fn broken_in_out() {
    struct Leaks;
    impl Methods for Leaks {
        fn rename(&self, _: Raw, title: *mut Raw) -> HResult {
            store(title, string("new"));
            OK
        }
    }
    let mut old = ptr::null_mut();
    let report = judged(|_| {
        let browser = checked!(Leaks);
        old = string("old");
        let mut title = old;
        assert_eq!(call!(browser, Rename, ptr::null_mut(), &raw mut title), OK);
        free(title);
    });
    report.assert_kinds([Kind::InoutLeaked]);
    free(old);
}

/// The caller's mistake.
#[test]
fn broken_in_out_by_an_alias() {
    let report = judged(|_| {
        let browser = checked!(Good);
        let mut title = string("both");
        assert_eq!(call!(browser, Rename, title, &raw mut title), OK);
        free(title);
    });
    report.assert_kinds([Kind::AliasedParameters]);
}

#[test]
fn broken_buffer() {
    struct OneMore;
    impl Methods for OneMore {
        fn get_name(&self, buffer: *mut u16, units: u32) -> HResult {
            Good.get_name(buffer, units + 1)
        }
    }
    let report = judged(|_| {
        let browser = checked!(OneMore);
        let mut buffer = [0_u16; 4];
        assert_eq!(call!(browser, get_Name, buffer.as_mut_ptr(), 4), OK);
    });
    report.assert_kinds([Kind::BufferOverrun]);
}

#[test]
fn broken_arrays() {
    struct Careless;
    impl Methods for Careless {
        fn get_titles(&self, titles: *mut *mut Raw, count: *mut u32) -> HResult {
            let array = task(size_of::<Raw>()).cast::<Raw>();
            store(array, task(8).cast());
            store(titles, array);
            store(count, 1);
            OK
        }
        fn drop_last(&self, _: *mut Raw, count: *mut u32) -> HResult {
            store(count, load(count) - 1);
            OK
        }
        fn next(&self, _: u32, texts: *mut Raw, _: *mut u32) -> HResult {
            store(texts, string("of the wrong family"));
            OK
        }
    }
    let mut left = ptr::null_mut();
    let report = judged(|_| {
        let browser = checked!(Careless);
        let (mut titles, mut count) = (ptr::null_mut(), 0);
        assert_eq!(
            call!(browser, get_Titles, &raw mut titles, &raw mut count),
            OK
        );
        free_task(load(titles).cast());
        free_task(titles.cast());

        left = string("left behind");
        let mut titles = [string("kept"), left];
        let mut count = 2;
        assert_eq!(
            call!(browser, DropLast, titles.as_mut_ptr(), &raw mut count),
            OK
        );
        free(titles[0]);

        let mut path = ptr::null_mut();
        assert_eq!(call!(browser, Next, 1, &raw mut path, ptr::null_mut()), OK);
        assert!(path.is_null());
    });
    report.assert_kinds([
        Kind::ElementInvalid,
        Kind::OutWrongFamily,
        Kind::ElementLeaked,
    ]);
    free(left);
}

/// Each element is the caller's.
#[test]
fn broken_elements() {
    struct Frees;
    impl Methods for Frees {
        fn put_all(&self, texts: *mut Raw, _: u32) -> HResult {
            free(load(texts.wrapping_add(1)));
            OK
        }
    }
    let report = judged(|_| {
        let browser = checked!(Frees);
        let texts = [Bstr::from("one"), Bstr::from("two")];
        let mut raw = [lent(&texts[0]), lent(&texts[1])];
        assert_eq!(call!(browser, put_All, raw.as_mut_ptr(), 2), OK);
    });
    report.assert_kinds([Kind::InFreedByCallee]);
    let call = report.violations()[0].call.as_ref().expect("a call");
    assert_eq!(call.parameter.as_deref(), Some("texts[1]"));
}

#[test]
fn broken_returned() {
    struct Shares(Raw);
    impl Methods for Shares {
        fn own(&self) -> Raw {
            self.0
        }
    }
    let report = judged(|_| {
        let text = string("shared");
        let browser = checked!(Shares(text));
        for _ in 0..2 {
            assert_eq!(call!(browser, Own), text);
        }
        free(text);
    });
    report.assert_kinds([Kind::OutNotACopy]);
    let call = report.violations()[0].call.as_ref().expect("a call");
    assert_eq!(call.parameter.as_deref(), Some("return value"));
}

/// What is inherited is judged by the name of the interface that declares it.
#[test]
fn broken_in_a_derived_interface() {
    struct Frees;
    impl Methods for Frees {
        fn put_text(&self, text: Raw) -> HResult {
            free(text);
            OK
        }
    }
    let report = judged(|_| {
        let made = browser(Frees);
        // SAFETY: a live browser, of both interfaces.
        let checked = unsafe { IBrowser2::wrap(made.object) }.expect("it is not null");
        let_go(made.object);
        let (text, title) = (Bstr::from("text"), Bstr::from("title"));
        assert_eq!(call!(checked, base.put_Text, lent(&text)), OK);
        assert_eq!(call!(checked, put_Title, lent(&title)), OK);
    });
    report.assert_kinds([Kind::InFreedByCallee, Kind::InFreedByCallee]);
    let methods: Vec<_> = report
        .violations()
        .iter()
        .filter_map(|found| found.call.as_ref())
        .map(|call| call.method.as_str())
        .collect();
    assert_eq!(methods, ["IBrowser::put_Text", "IBrowser2::put_Title"]);
}

/// A call within a call is its own, through the same proxy too.
#[test]
fn broken_within_a_call() {
    struct Outer(std::cell::OnceCell<Reference<Vtbl>>);
    type Vtbl = <IBrowser as olemem::crossing::proxy::Interface>::Vtbl;
    impl Methods for Outer {
        fn put_text(&self, text: Raw) -> HResult {
            let inner = self.0.get().expect("it was set");
            // SAFETY: lent to this call.
            let copy = unsafe { raw::alloc(text) };
            // The inner call breaks a rule with a string of the outer one's.
            let result = call!(inner, put_Text, copy);
            free(copy);
            result
        }
    }
    struct Frees;
    impl Methods for Frees {
        fn put_text(&self, text: Raw) -> HResult {
            free(text);
            OK
        }
    }
    let report = judged(|_| {
        let cell = std::cell::OnceCell::new();
        assert!(cell.set(checked!(Frees)).is_ok());
        let browser = checked!(Outer(cell));
        let text = Bstr::from("text");
        assert_eq!(call!(browser, put_Text, lent(&text)), OK);
    });
    report.assert_kinds([Kind::InFreedByCallee]);
}

/// An element of an array is the callee's to free and to replace, also one that it handed out before.
#[test]
fn kept_in_out_elements() {
    struct Replaces;
    impl Methods for Replaces {
        fn drop_last(&self, titles: *mut Raw, count: *mut u32) -> HResult {
            for at in 0..load(count) as usize {
                let title = titles.wrapping_add(at);
                free(load(title));
                store(title, string("new"));
            }
            OK
        }
    }
    assert_kept(&judged(|_| {
        let browser = checked!(Replaces);
        let (mut titles, mut fetched) = ([ptr::null_mut(); 3], 0_i64);
        let result = call!(browser, Skip, 3, titles.as_mut_ptr(), &raw mut fetched);
        assert_eq!((result, fetched), (HResult::S_FALSE, 2));
        let mut count = 2;
        let result = call!(browser, DropLast, titles.as_mut_ptr(), &raw mut count);
        assert_eq!((result, count), (OK, 2));
        free(titles[0]);
        free(titles[1]);
    }));
}

/// Until the call has succeeded there are as many as entered.
#[test]
fn broken_in_out_elements_by_a_failure() {
    struct Frees;
    impl Methods for Frees {
        fn drop_last(&self, titles: *mut Raw, _: *mut u32) -> HResult {
            free(load(titles));
            HResult::E_FAIL
        }
    }
    let report = judged(|_| {
        let browser = checked!(Frees);
        let mut titles = [string("a"), string("b")];
        let mut count = 2;
        let result = call!(browser, DropLast, titles.as_mut_ptr(), &raw mut count);
        assert_eq!(result, HResult::E_FAIL);
        free(titles[1]);
    });
    report.assert_kinds([Kind::ElementInvalid]);
}
