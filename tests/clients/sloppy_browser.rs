// The browser's sloppy twin. The file that includes this one brings `BSTR`, `OutRef`, `Ref`, `Result`, `implement` and the
// browser's names into scope.

/// A component that breaks a rule in each of its methods.
#[implement(IBrowser)]
struct Sloppy;

impl IBrowser_Impl for Sloppy_Impl {
    unsafe fn put_StatusText(&self, text: Ref<BSTR>) -> Result<()> {
        // SAFETY: none: the string is the caller's. The audit swallows it.
        drop(unsafe { BSTR::from_raw(text.as_ptr()) });
        Ok(())
    }

    unsafe fn get_StatusText(&self, _: OutRef<BSTR>) -> Result<()> {
        Ok(())
    }

    unsafe fn AppendStatusText(&self, text: *mut BSTR) -> Result<()> {
        // SAFETY: the caller's variable; what was in it is lost.
        unsafe { text.write(BSTR::from("new")) };
        Ok(())
    }

    unsafe fn Refuse(&self, text: *mut BSTR) -> Result<()> {
        // SAFETY: the caller's variable.
        unsafe { text.replace(BSTR::from("changed")) };
        Err(FAILED.into())
    }
}
