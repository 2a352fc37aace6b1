//! Every allocation made to fail, one after another: `audit::sweep`.
#![cfg(all(feature = "audit", any(not(windows), miri)))]

#[cfg(not(miri))]
#[path = "support/schema.rs"]
mod schema;

use std::cell::Cell;

use olemem::audit::{Backtrace, Did, Kind, Session, Sweep, SweepOptions, Wrong};
use olemem::heap::{self, Family};
use olemem::sample::Browser;
use olemem::{Bstr, HResult, In, InOut, Out, TaskBox};

/// Without stacks: the table is the same everywhere.
fn plain() -> SweepOptions {
    Sweep::options().session(Session::options().backtrace(Backtrace::Off))
}

/// A callee with so many allocations, which gives up at the first that fails.
fn allocates(count: u32) -> Option<Vec<TaskBox<u32>>> {
    (0..count)
        .map(|number| TaskBox::try_new(number).ok())
        .collect()
}

// ---------------------------------------------------------------------------------------- the runs

mod runs {
    use super::*;

    #[test]
    fn n_allocations_take_one_run_more() {
        for count in 0..if cfg!(miri) { 2 } else { 5 } {
            let calls = Cell::new(0);
            let sweep = plain().run(|_| {
                calls.set(calls.get() + 1);
                drop(Bstr::from("so that there is something to judge"));
                allocates(count)
            });
            // The string is an allocation as well.
            assert_eq!(sweep.runs().len(), count as usize + 2);
            assert_eq!(calls.get(), count as usize + 2);
            assert!(sweep.is_complete());
        }
    }

    #[test]
    fn each_row_tells_its_allocation() {
        let sweep = plain().run(|_| {
            let text = Bstr::try_from_str("six")?;
            let block = TaskBox::try_new(0_u64).map_err(|refused| refused.error)?;
            Ok::<_, olemem::error::CreateError>((text, block))
        });
        sweep.assert_clean();
        let failed: Vec<_> = sweep.runs().iter().map(|run| &run.failures).collect();
        let [first, second, third] = failed[..] else {
            panic!("{sweep}");
        };
        assert_eq!((first.len(), first[0].number), (1, 1));
        assert_eq!(first[0].family, Family::Bstr);
        // The block of six bytes: header, text, terminator, rounded up.
        assert_eq!(first[0].bytes, 16);
        assert_eq!((second[0].number, second[0].family), (2, Family::Task));
        assert_eq!(second[0].bytes, 8);
        assert!(third.is_empty());
        assert_eq!(sweep.runs()[2].number, 3);
        assert_eq!(sweep.runs()[2].did, Did::Succeeded);
    }

    /// One that tries again succeeds at once: one allocation fails, and no more.
    #[test]
    fn a_callee_that_tries_again_ends() {
        let sweep = plain().run(|_| {
            loop {
                if let Some(block) = allocates(3) {
                    return Some(block);
                }
            }
        });
        sweep.assert_clean();
        assert_eq!(sweep.runs().len(), 4);
        for run in &sweep {
            assert_eq!(run.did, Did::Succeeded);
        }
    }

    #[test]
    fn a_callee_that_never_gives_up_is_told() {
        let sweep = plain().from_then_on().patience(10).run(|_| {
            loop {
                if let Ok(block) = TaskBox::try_new(1_u8) {
                    return *block == 1;
                }
            }
        });
        assert!(!sweep.is_clean());
        assert_eq!(sweep.runs()[0].wrongs(), [Wrong::NeverGaveUp]);
        assert_eq!(
            sweep.to_string(),
            "\
allocation  what                 the callee                                      verdict
         1  task memory, 1 byte  succeeded all the same (10 allocations failed)  never-gave-up
         2  nothing              succeeded                                       ok

olemem: 2 runs, 1 allocation failed in turn; 1 run is broken: 0 errors, 0 warnings"
        );
    }

    /// What a callee does when there is no memory may need some: an allocation that fails for good finds that out.
    #[test]
    fn all_that_follow_may_fail() {
        let falls_back = |_: &Session| {
            let block = TaskBox::try_new(1_u8).or_else(|_| TaskBox::try_new(2_u8));
            block.is_ok()
        };
        let alone = plain().run(falls_back);
        alone.assert_clean();
        assert_eq!(alone.runs()[0].did, Did::Succeeded);
        let for_good = plain().from_then_on().run(falls_back);
        for_good.assert_clean();
        assert_eq!(for_good.runs()[0].did, Did::Failed("false".to_owned()));
        assert_eq!(for_good.runs()[0].failures.len(), 2);
    }

    #[test]
    fn the_limit_is_told() {
        let sweep = plain().runs_at_most(2).run(|_| allocates(3));
        assert!(!sweep.is_complete() && !sweep.is_clean());
        assert_eq!(sweep.runs().len(), 2);
        let last = "olemem: 2 runs, 2 allocations failed in turn; 0 runs are broken: 0 errors, 0 warnings; there are \
                    more allocations than runs were allowed";
        assert_eq!(sweep.to_string().lines().last(), Some(last));
    }

    #[test]
    fn one_family_or_the_large_ones_alone() {
        let both = |_: &Session| {
            let block = TaskBox::try_new([0_u8; 300]).is_ok();
            block && Bstr::try_from_str("text").is_ok()
        };
        for (options, family) in [
            (plain().of(Family::Bstr), Family::Bstr),
            (plain().of(Family::Task), Family::Task),
            (plain().above(200), Family::Task),
        ] {
            let sweep = options.run(both);
            sweep.assert_clean();
            assert_eq!(sweep.runs().len(), 2);
            assert_eq!(sweep.runs()[0].failures[0].family, family);
        }
    }

    #[test]
    fn threads_that_join_count() {
        let sweep = plain().run(|session| {
            let joiner = session.joiner();
            let thread = std::thread::spawn(move || {
                let _joined = joiner.join();
                TaskBox::try_new(1_u8).is_ok()
            });
            thread.join().expect("it does not panic")
        });
        sweep.assert_clean();
        assert_eq!(sweep.runs().len(), 2);
    }

    /// What was there before the sweep has to grow as well.
    #[test]
    fn a_block_from_before_the_sweep_counts_when_it_grows() {
        let mut text = Bstr::from("before");
        let sweep = plain().run(|_| {
            let mut scratch = std::mem::take(&mut text);
            let grown = scratch
                .try_push_str(" and much longer than it was at first")
                .is_ok();
            text = Bstr::from("before");
            grown
        });
        assert_eq!(
            sweep.runs()[0].did,
            Did::Failed("false".to_owned()),
            "{sweep}"
        );
    }

    #[test]
    fn a_first_pin_counts() {
        let text = Bstr::from("pinned");
        let sweep = plain().run(|_| text.as_bstr().pin().is_ok());
        assert_eq!(sweep.runs().len(), 2, "{sweep}");
        assert_eq!(sweep.runs()[0].did, Did::Failed("false".to_owned()));
    }
}

// ------------------------------------------------------------------------------------- the verdict

mod verdicts {
    use super::*;

    #[test]
    fn a_leak_on_the_way_out_is_found() {
        let lost = Cell::new(std::ptr::null_mut());
        let sweep = plain().run(|_| {
            let first = heap::alloc(8, Family::Task);
            let second = heap::alloc(8, Family::Task);
            if second.is_null() {
                lost.set(first);
                return HResult::E_OUTOFMEMORY;
            }
            for block in [first, second] {
                // SAFETY: null, or live and at its last use.
                unsafe { heap::free(block, Family::Task) };
            }
            HResult::S_OK
        });
        // SAFETY: the block outlived its session, and this is its last use.
        unsafe { heap::free(lost.get(), Family::Task) };
        assert_eq!(sweep.runs()[1].wrongs(), [Wrong::Broke(Kind::Leak)]);
        assert_eq!(
            sweep.to_string(),
            "\
allocation  what                  the callee              verdict
         1  task memory, 8 bytes  succeeded all the same  ok
         2  task memory, 8 bytes  failed: E_OUTOFMEMORY   leak
         3  nothing               succeeded               ok

Allocation 2 failed (task memory, 8 bytes):

error[leak]: task memory was never freed
  block 1: task memory, 8 bytes
  rule: R1
  help: whoever owns the block at the end frees it: SysFreeString for a BSTR, CoTaskMemFree for task memory

olemem: 3 runs, 2 allocations failed in turn; 1 run is broken: 1 error, 0 warnings"
        );
    }

    #[test]
    fn a_panic_is_a_row() {
        let sweep = plain().run(|_| drop(TaskBox::new(1_u8)));
        assert_eq!(
            sweep.runs()[0].did,
            Did::Panicked("task memory: no memory for a block of 1 byte".to_owned())
        );
        assert_eq!(sweep.runs()[0].wrongs(), [Wrong::Panicked]);
        assert!(sweep.runs()[1].is_clean());
    }

    #[test]
    fn a_callee_that_fails_by_itself_is_told() {
        let sweep = plain().run(|_| {
            drop(Bstr::try_from_str("text"));
            HResult::E_NOTIMPL
        });
        assert_eq!(sweep.runs()[1].wrongs(), [Wrong::FailedByItself]);
    }

    #[test]
    fn a_callee_without_olemem_is_told() {
        let sweep = plain().run(|_| ());
        assert_eq!(sweep.runs()[0].wrongs(), [Wrong::RecordedNothing]);
    }

    /// Whoever narrows a sweep to what never happens has proved nothing.
    #[test]
    fn a_choice_that_nothing_matches_is_told() {
        let text = |_: &Session| drop(Bstr::try_from_str("text"));
        for options in [plain().of(Family::Task), plain().above(4096)] {
            let sweep = options.run(text);
            assert_eq!(sweep.runs().len(), 1);
            assert_eq!(sweep.runs()[0].wrongs(), [Wrong::NothingMatched]);
        }
        plain().of(Family::Bstr).run(text).assert_clean();
    }

    #[test]
    #[should_panic(expected = "never-gave-up")]
    fn an_assertion_shows_the_table() {
        plain()
            .from_then_on()
            .patience(10)
            .run(|_| while TaskBox::try_new(1_u8).is_err() {})
            .assert_clean();
    }
}

// -------------------------------------------------------------------------------------- the sample

/// The component of the documentation: each method with each allocation failing.
mod sample {
    use super::*;

    type Made = Result<(), HResult>;
    type Method = fn(&Browser) -> Made;

    fn text(text: &str) -> Result<Bstr, HResult> {
        Ok(Bstr::try_from_str(text)?)
    }

    /// put_StatusText: the caller's string is whole.
    fn put(browser: &Browser) -> Made {
        let new = text("new")?;
        let code = browser.put_status_text(In::new(&new));
        assert_eq!(new, "new");
        code.ok()
    }

    /// get_StatusText: a failure leaves null, and success does not.
    fn get(browser: &Browser) -> Made {
        let mut status = Bstr::new();
        let code = browser.get_status_text(Out::new(&mut status));
        assert!(
            status.is_null() == code.is_failure(),
            "[out] is wrong after {code}"
        );
        code.ok()
    }

    /// ExchangeStatusText: success gives the status.
    fn exchange(browser: &Browser) -> Made {
        let mut mine = text("own")?;
        let code = browser.exchange_status_text(InOut::new(&mut mine));
        if code.is_success() {
            assert_eq!(mine, "old");
        }
        code.ok()
    }

    /// As [`exchange`], and a failure leaves the caller's string whole. (Of the twin's it must not be read.)
    fn exchange_and_look(browser: &Browser) -> Made {
        let mut mine = text("own")?;
        let code = browser.exchange_status_text(InOut::new(&mut mine));
        assert_eq!(mine, if code.is_success() { "old" } else { "own" });
        code.ok()
    }

    /// A method of a component whose status is "old", and which goes with the last reference.
    fn called(browser: &Browser, method: Method) -> Made {
        let old = text("old")?;
        browser.put_status_text(In::new(&old)).ok()?;
        method(browser)
    }

    /// Each failing allocation of each method leaves [out] null, [in,out] whole, and nothing leaked.
    #[test]
    fn every_method_keeps_the_rules() {
        for (method, table) in [
            (
                put as Method,
                "\
allocation  what            the callee                          verdict
         1  BSTR, 16 bytes  failed: E_OUTOFMEMORY (0x8007000E)  ok
         2  BSTR, 16 bytes  failed: E_OUTOFMEMORY (0x8007000E)  ok
         3  BSTR, 16 bytes  failed: E_OUTOFMEMORY (0x8007000E)  ok
         4  BSTR, 16 bytes  failed: E_OUTOFMEMORY (0x8007000E)  ok
         5  nothing         succeeded                           ok
",
            ),
            (
                get,
                "\
allocation  what            the callee                          verdict
         1  BSTR, 16 bytes  failed: E_OUTOFMEMORY (0x8007000E)  ok
         2  BSTR, 16 bytes  failed: E_OUTOFMEMORY (0x8007000E)  ok
         3  BSTR, 16 bytes  failed: E_OUTOFMEMORY (0x8007000E)  ok
         4  nothing         succeeded                           ok
",
            ),
            (
                exchange_and_look,
                "\
allocation  what            the callee                          verdict
         1  BSTR, 16 bytes  failed: E_OUTOFMEMORY (0x8007000E)  ok
         2  BSTR, 16 bytes  failed: E_OUTOFMEMORY (0x8007000E)  ok
         3  BSTR, 16 bytes  failed: E_OUTOFMEMORY (0x8007000E)  ok
         4  BSTR, 16 bytes  failed: E_OUTOFMEMORY (0x8007000E)  ok
         5  nothing         succeeded                           ok
",
            ),
        ] {
            let sweep = plain().run(|_| called(&Browser::new(), method));
            sweep.assert_clean();
            assert_eq!(table_of(&sweep), table);
            sweep_for_good(method).assert_clean();
        }
    }

    fn sweep_for_good(method: Method) -> Sweep {
        plain()
            .from_then_on()
            .run(|_| called(&Browser::new(), method))
    }

    fn table_of(sweep: &Sweep) -> String {
        let text = sweep.to_string();
        let (table, _) = text.split_once("\n\n").expect("a table, and what follows");
        format!("{table}\n")
    }

    fn sloppy(method: Method) -> Sweep {
        plain().run(|_| {
            // SAFETY: the sweep's session watches, and after a failure nothing is read.
            let browser = unsafe { Browser::sloppy() };
            called(&browser, method)
        })
    }

    /// The twin is caught at each of its own allocations, whichever method it is: what is "ok" is the caller's, and
    /// the second, of a component without a status that could be freed.
    #[test]
    fn the_sloppy_twin_is_caught_at_each_point() {
        for (method, table) in [
            (
                put as Method,
                "\
allocation  what                  the callee                          verdict
         1  BSTR, 16 bytes        failed: E_OUTOFMEMORY (0x8007000E)  ok
         2  BSTR, 16 bytes        failed: E_OUTOFMEMORY (0x8007000E)  ok
         3  task memory, 4 bytes  failed: E_OUTOFMEMORY (0x8007000E)  leak
         4  BSTR, 16 bytes        failed: E_OUTOFMEMORY (0x8007000E)  ok
         5  BSTR, 16 bytes        failed: E_OUTOFMEMORY (0x8007000E)  double-free
         6  task memory, 4 bytes  failed: E_OUTOFMEMORY (0x8007000E)  leak
         7  nothing               succeeded                           ok
",
            ),
            (
                get,
                "\
allocation  what                  the callee                                        verdict
         1  BSTR, 16 bytes        failed: E_OUTOFMEMORY (0x8007000E)                ok
         2  BSTR, 16 bytes        failed: E_OUTOFMEMORY (0x8007000E)                ok
         3  task memory, 4 bytes  failed: E_OUTOFMEMORY (0x8007000E)                leak
         4  BSTR, 16 bytes        panicked: [out] is wrong after S_OK (0x00000000)  panicked
         5  task memory, 4 bytes  failed: E_OUTOFMEMORY (0x8007000E)                leak
         6  nothing               succeeded                                         ok
",
            ),
            (
                exchange,
                "\
allocation  what                  the callee                          verdict
         1  BSTR, 16 bytes        failed: E_OUTOFMEMORY (0x8007000E)  ok
         2  BSTR, 16 bytes        failed: E_OUTOFMEMORY (0x8007000E)  ok
         3  task memory, 4 bytes  failed: E_OUTOFMEMORY (0x8007000E)  leak
         4  BSTR, 16 bytes        failed: E_OUTOFMEMORY (0x8007000E)  ok
         5  BSTR, 16 bytes        failed: E_OUTOFMEMORY (0x8007000E)  double-free
         6  task memory, 4 bytes  failed: E_OUTOFMEMORY (0x8007000E)  leak
         7  nothing               succeeded                           ok
",
            ),
        ] {
            let sweep = sloppy(method);
            assert!(!sweep.is_clean());
            assert_eq!(table_of(&sweep), table);
        }
    }

    // ------------------------------------------------------------------------- with annotated calls

    type Judged = fn(&Session, &Browser) -> Made;

    fn judged_put(audit: &Session, browser: &Browser) -> Made {
        let new = text("new")?;
        audit
            .call("IBrowser::put_StatusText")
            .on(browser.as_raw())
            .lend("text", &new)
            .invoke(|text| browser.put_status_text(text))
    }

    fn judged_get(audit: &Session, browser: &Browser) -> Made {
        let status = audit
            .call("IBrowser::get_StatusText")
            .on(browser.as_raw())
            .fill("text")
            .invoke(|text| browser.get_status_text(text))?;
        assert_eq!(status, "old");
        Ok(())
    }

    fn judged_exchange(audit: &Session, browser: &Browser) -> Made {
        let mut mine = text("own")?;
        audit
            .call("IBrowser::ExchangeStatusText")
            .on(browser.as_raw())
            .update("text", &mut mine)
            .invoke(|text| browser.exchange_status_text(text))?;
        assert_eq!(mine, "old");
        Ok(())
    }

    /// A method of a component whose status is "old"; both calls are judged.
    fn called_in(audit: &Session, browser: &Browser, method: Judged) -> Made {
        let old = text("old")?;
        audit
            .call("IBrowser::put_StatusText")
            .on(browser.as_raw())
            .lend("text", &old)
            .invoke(|text| browser.put_status_text(text))?;
        method(audit, browser)
    }

    /// What is wrong with each run.
    fn wrongs(sweep: &Sweep) -> Vec<&[Wrong]> {
        sweep.runs().iter().map(|run| run.wrongs()).collect()
    }

    /// With each allocation failing, and with none: not a violation, not even a warning.
    #[test]
    fn every_method_is_silent_where_its_calls_are_judged() {
        for (method, runs) in [
            (judged_put as Judged, 5),
            (judged_get, 4),
            (judged_exchange, 5),
        ] {
            for options in [plain(), plain().from_then_on()] {
                let sweep = options.run(|audit| called_in(audit, &Browser::new(), method));
                sweep.assert_clean();
                assert_eq!(sweep.runs().len(), runs);
                assert!(sweep.runs().iter().all(|run| run.violations().is_empty()));
            }
        }
    }

    /// The twin's mistakes by their names. What it does to the caller's string is told of the call; what it does to its own
    /// strings is told by the heap; and a success that hands out nothing breaks no rule (R19), so that the caller has to look.
    #[test]
    #[cfg_attr(miri, ignore = "the same calls as above")]
    fn the_sloppy_twin_is_told_by_its_kinds() {
        const OK: &[Wrong] = &[];
        const LEAK: &[Wrong] = &[Wrong::Broke(Kind::Leak)];
        const DOUBLE_FREE: &[Wrong] = &[Wrong::Broke(Kind::DoubleFree)];
        const DANGLING: &[Wrong] = &[Wrong::Broke(Kind::InoutDangling)];
        const PANICKED: &[Wrong] = &[Wrong::Panicked];
        let sloppy = |method: Judged| {
            plain().run(|audit| {
                // SAFETY: the sweep's session watches, and after a failure nothing is read.
                let browser = unsafe { Browser::sloppy() };
                called_in(audit, &browser, method)
            })
        };
        let put = sloppy(judged_put);
        assert_eq!(wrongs(&put), [OK, OK, LEAK, OK, DOUBLE_FREE, LEAK, OK]);
        let get = sloppy(judged_get);
        assert_eq!(wrongs(&get), [OK, OK, LEAK, PANICKED, LEAK, OK]);
        let exchange = sloppy(judged_exchange);
        assert_eq!(wrongs(&exchange), [OK, OK, LEAK, OK, DANGLING, LEAK, OK]);

        let [told] = exchange.runs()[4].violations() else {
            panic!("{exchange}");
        };
        let call = told.call.as_ref().expect("it is told of a call");
        assert_eq!(call.method, "IBrowser::ExchangeStatusText");
        assert_eq!(call.parameter.as_deref(), Some("text"));
    }
}

// --------------------------------------------------------------------------------------- the forms

/// Text alone: Miri has nothing to see here, and takes minutes for it.
#[cfg(not(miri))]
mod forms {
    use super::*;

    /// A sweep with a bit of everything.
    fn mixed() -> Sweep {
        plain().run(|_| {
            let text = Bstr::try_from_str("text").map_err(|_| HResult::E_OUTOFMEMORY)?;
            drop(text);
            let block = TaskBox::new(1_u32);
            Ok::<_, HResult>(block)
        })
    }

    #[test]
    fn json_is_as_documented() {
        for sweep in [
            mixed(),
            plain().run(|_| allocates(2)),
            plain().runs_at_most(1).run(|_| allocates(2)),
        ] {
            schema::sweep(&sweep.to_json());
        }
        let value = schema::sweep(&mixed().to_json());
        assert_eq!(
            value["summary"],
            serde_json::json!({
                "runs": 3, "allocations": 2, "broken": 1, "complete": true, "errors": 0, "warnings": 0,
            })
        );
        assert_eq!(
            value["runs"][0]["did"],
            serde_json::json!({ "what": "failed", "number": null, "text": "E_OUTOFMEMORY (0x8007000E)" })
        );
        assert_eq!(value["runs"][1]["wrong"], serde_json::json!(["panicked"]));
        assert_eq!(value["runs"][1]["failures"][0]["family"], "task");
        assert_eq!(value["runs"][2]["failures"], serde_json::json!([]));
    }

    #[test]
    fn sarif_has_a_result_for_each_thing_that_is_wrong() {
        let log = schema::sarif(&mixed().to_sarif());
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().expect("a list");
        let results = run["results"].as_array().expect("a list");
        assert_eq!(results.len(), 1);
        assert_eq!(results[0]["ruleId"], "panicked");
        assert_eq!(
            results[0]["message"]["text"],
            "With allocation 2 failing (task memory, 4 bytes) the callee panicked: task memory: no memory for a block of 4 bytes."
        );
        for result in results {
            assert!(rules.iter().any(|rule| rule["id"] == result["ruleId"]));
        }
    }
}

// ------------------------------------------------------------------------------------ the children

#[cfg(all(unix, not(miri)))]
mod children {
    use super::*;
    use std::time::{Duration, Instant};

    fn in_children() -> SweepOptions {
        plain().in_children().time_at_most(Duration::from_secs(3))
    }

    /// What the child found is what this process would have found, but for what a crash takes away.
    #[test]
    fn the_rows_are_the_same() {
        let callee = |_: &Session| {
            let first = heap::alloc(8, Family::Task);
            let second = heap::alloc(8, Family::Task);
            if second.is_null() {
                return HResult::E_OUTOFMEMORY;
            }
            for block in [first, second] {
                // SAFETY: null, or live and at its last use.
                unsafe { heap::free(block, Family::Task) };
            }
            HResult::S_OK
        };
        let sweep = in_children().run(callee);
        assert_eq!(sweep.runs().len(), 3);
        assert_eq!(sweep.runs()[1].wrongs(), [Wrong::Broke(Kind::Leak)]);
        assert!(
            sweep
                .to_string()
                .contains("error[leak]: task memory was never freed")
        );
        // Without a word on standard error, whose locks another test may have held when the child was made.
        let panics = |_: &Session| {
            if TaskBox::try_new(1_u8).is_err() {
                std::panic::resume_unwind(Box::new("no memory"));
            }
        };
        assert_eq!(
            in_children().run(panics).to_string(),
            plain().run(panics).to_string()
        );
    }

    /// A signal, an abort, an exit, an endless loop: rows, and the end is reached.
    #[test]
    fn a_crash_is_a_row() {
        let began = Instant::now();
        let sweep = in_children().run(|_| {
            let blocks: [*mut u8; 4] = std::array::from_fn(|_| heap::alloc(4, Family::Task));
            match blocks.map(|block| block.is_null()) {
                [true, ..] => {
                    // SAFETY: a signal may be sent at any time.
                    unsafe { libc_raise(4) };
                }
                [_, true, ..] => std::process::abort(),
                [_, _, true, _] => std::process::exit(3),
                [_, _, _, true] => loop {
                    std::thread::sleep(Duration::from_millis(10));
                },
                _ => {}
            }
            for block in blocks {
                // SAFETY: live, and its last use.
                unsafe { heap::free(block, Family::Task) };
            }
        });
        assert_eq!(
            sweep.to_string(),
            "\
allocation  what                  the callee                        verdict
         1  task memory, 4 bytes  crashed: signal 4 (SIGILL)        crashed
         2  task memory, 4 bytes  crashed: signal 6 (SIGABRT)       crashed
         3  task memory, 4 bytes  ended its process: exit status 3  exited
         4  task memory, 4 bytes  did not come back in time         timed-out
         5  nothing               succeeded                         ok

olemem: 5 runs, 4 allocations failed in turn; 4 runs are broken: 0 errors, 0 warnings"
        );
        assert!(began.elapsed() < Duration::from_secs(20));
    }

    unsafe extern "C" {
        #[link_name = "raise"]
        fn libc_raise(signal: i32) -> i32;
    }

    /// What was found before the crash is not lost.
    #[test]
    fn violations_before_a_crash_are_told() {
        let sweep = in_children().run(|_| {
            let block = heap::alloc(4, Family::Task);
            let other = heap::alloc(4, Family::Task);
            // SAFETY: null, or live and at its last use.
            unsafe { heap::free(block, Family::Task) };
            if other.is_null() {
                // SAFETY: a session swallows a second free.
                unsafe { heap::free(block, Family::Task) };
                std::process::abort();
            }
            // SAFETY: live, and its last use.
            unsafe { heap::free(other, Family::Task) };
        });
        assert_eq!(
            sweep.runs()[1].wrongs(),
            [Wrong::Crashed, Wrong::Broke(Kind::DoubleFree)]
        );
    }
}
