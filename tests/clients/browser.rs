// A browser component with a status text, in the words of windows-rs' own macros: BSTR as an in, an
// out and an in/out parameter, each under its ownership rule. The file that includes this one brings
// `BSTR`, `IUnknown`, `OutRef`, `Ref`, `Result`, `implement` and `interface` into scope.

use std::cell::RefCell;

/// A browser, as its clients see it.
#[interface("6f1a3b52-5c1e-4f7e-9d7a-0d6f3c0f2b11")]
pub unsafe trait IBrowser: IUnknown {
    /// `[in]`: the caller keeps its string, the browser makes a copy.
    pub fn put_StatusText(&self, text: Ref<BSTR>) -> Result<()>;
    /// `[out, retval]`: a fresh copy, the caller's from then on.
    pub fn get_StatusText(&self, text: OutRef<BSTR>) -> Result<()>;
    /// `[in, out]`: the caller's string is freed and replaced by one with the status behind it.
    pub fn AppendStatusText(&self, text: *mut BSTR) -> Result<()>;
    /// `[in, out]`, left alone: the method fails, so the caller's string is as it was.
    pub fn Refuse(&self, text: *mut BSTR) -> Result<()>;
}

/// A second interface, so that the object has something to be asked for.
#[interface("6f1a3b52-5c1e-4f7e-9d7a-0d6f3c0f2b12")]
pub unsafe trait IHistory: IUnknown {
    /// How many status texts there were so far.
    pub fn Count(&self) -> u32;
    /// `[in]` index, `[out]` text: E_INVALIDARG and a null string when there is no such text.
    pub fn Item(&self, index: u32, text: OutRef<BSTR>) -> Result<()>;
}

/// E_INVALIDARG.
pub const INVALID_ARGUMENT: HRESULT = HRESULT(0x8007_0057_u32.cast_signed());
/// E_POINTER.
pub const NULL_POINTER: HRESULT = HRESULT(0x8000_4003_u32.cast_signed());
/// E_FAIL.
pub const FAILED: HRESULT = HRESULT(0x8000_4005_u32.cast_signed());
/// E_NOINTERFACE.
pub const NO_INTERFACE: HRESULT = HRESULT(0x8000_4002_u32.cast_signed());

/// The component.
#[implement(IBrowser, IHistory)]
pub struct Browser {
    texts: RefCell<Vec<BSTR>>,
}

impl Browser {
    /// A browser without a status text.
    pub fn create() -> IBrowser {
        Browser {
            texts: RefCell::default(),
        }
        .into()
    }

    fn status(&self) -> BSTR {
        self.texts.borrow().last().cloned().unwrap_or_default()
    }
}

impl IBrowser_Impl for Browser_Impl {
    unsafe fn put_StatusText(&self, text: Ref<BSTR>) -> Result<()> {
        let copy: BSTR = (*text).clone();
        self.texts.borrow_mut().push(copy);
        Ok(())
    }

    unsafe fn get_StatusText(&self, text: OutRef<BSTR>) -> Result<()> {
        if text.is_null() {
            return Err(NULL_POINTER.into());
        }
        text.write(self.status())
    }

    unsafe fn AppendStatusText(&self, text: *mut BSTR) -> Result<()> {
        // SAFETY: an [in, out] parameter is null or points to the caller's string, null or live.
        let text = unsafe { text.as_mut() }.ok_or(Error::from_hresult(NULL_POINTER))?;
        let mut joined = text.to_vec();
        joined.extend_from_slice(&self.status());
        *text = BSTR::from_wide(&joined);
        Ok(())
    }

    unsafe fn Refuse(&self, _text: *mut BSTR) -> Result<()> {
        Err(FAILED.into())
    }
}

impl IHistory_Impl for Browser_Impl {
    unsafe fn Count(&self) -> u32 {
        u32::try_from(self.texts.borrow().len()).expect("a short history")
    }

    unsafe fn Item(&self, index: u32, text: OutRef<BSTR>) -> Result<()> {
        match self.texts.borrow().get(index as usize) {
            Some(found) => text.write(found.clone()),
            None => {
                text.write(BSTR::new())?;
                Err(INVALID_ARGUMENT.into())
            }
        }
    }
}
