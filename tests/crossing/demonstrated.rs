//! What `olemem demo` makes and avoids, of the kinds that are seen at calls: each is told as itself, once, and nothing of it stays
//! behind.

use olemem::audit::{Check, Kind};
use olemem::sample::{Conduct, perform};

#[test]
#[cfg_attr(miri, ignore = "the calls of the other tests, once more")]
fn each_mistake_is_told_as_itself() {
    let of_calls = Kind::ALL
        .iter()
        .filter(|kind| kind.guide().check == Check::Call);
    let mut count = 0;
    for kind in of_calls {
        perform(*kind, Conduct::Broken).assert_kinds([*kind]);
        let kept = perform(*kind, Conduct::Kept);
        kept.assert_clean();
        assert!(kept.violations().is_empty(), "{kind}: {kept}");
        count += 1;
    }
    assert_eq!(count, 26);
}
