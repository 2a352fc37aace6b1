//! SAFEARRAYs, as C makes them, against vectors of bytes and of strings.

use std::ffi::c_void;
use std::ptr;
use std::slice;

use olemem::HResult;
use olemem::com::{ArrayBound, SafeArray, VarType};
use olemem::export::{
    BstrFromVector, SafeArrayAccessData, SafeArrayCreate, SafeArrayCreateVector, SafeArrayDestroy,
    SafeArrayGetDim, SafeArrayGetElemsize, SafeArrayGetLBound, SafeArrayGetUBound,
    SafeArrayGetVartype, SafeArrayLock, SafeArrayUnaccessData, SafeArrayUnlock, VectorFromBstr,
};
use olemem::fault::fail_nth;

use super::{Variable, code_of, told};
use crate::steps::same;

/// What an array should hold.
#[derive(Debug)]
enum Elements {
    Bytes(Vec<u8>),
    Strings(Vec<Variable>),
}

/// An array, and what it should be.
#[derive(Debug)]
pub(super) struct Array {
    array: *mut SafeArray,
    /// The leftmost first.
    bounds: Vec<ArrayBound>,
    elements: Elements,
    locks: u32,
}

/// What is made of a few numbers: bytes or strings, as a vector or with one dimension or two; or nothing, of four dimensions that
/// all have as many elements as they can but for one.
pub(super) fn create(
    which: u16,
    other: u16,
    len: u16,
    fails: bool,
) -> Result<Option<Array>, String> {
    let is_of_strings = which % 2 == 1;
    let element = if is_of_strings {
        VarType::BSTR
    } else {
        VarType::UI1
    };
    let bound = |count: u16| ArrayBound {
        // Each string is looked at after each step.
        count: u32::from(if is_of_strings { count % 4 } else { count }),
        lower: i32::from(other) - 300,
    };
    let shape = usize::from(which / 2 % 4);
    let bounds = match shape {
        2 => vec![bound(len), bound(which % 3)],
        3 => {
            let count = u32::MAX;
            let mut bounds = vec![ArrayBound { count, ..bound(0) }; 4];
            bounds[usize::from(other % 4)] = bound(0);
            bounds
        }
        _ => vec![bound(len)],
    };
    let failing = fails.then(|| fail_nth(1));
    let array = if shape == 0 {
        SafeArrayCreateVector(element.as_raw(), bounds[0].lower, bounds[0].count)
    } else {
        let dims = u32::try_from(bounds.len()).expect("four at most");
        // SAFETY: so many bounds are there.
        unsafe { SafeArrayCreate(element.as_raw(), dims, bounds.as_ptr()) }
    };
    let failed = failing.is_some_and(|failing| failing.has_failed());
    told(!array.is_null(), failed)?;
    let count: u128 = bounds.iter().map(|bound| u128::from(bound.count)).product();
    let count = usize::try_from(count).expect("few, or none");
    let elements = if is_of_strings {
        Elements::Strings((0..count).map(|_| Variable::null()).collect())
    } else {
        Elements::Bytes(vec![0; count])
    };
    Ok((!array.is_null()).then_some(Array {
        array,
        bounds,
        elements,
        locks: 0,
    }))
}

/// The bytes of a string as an array.
pub(super) fn of_string(string: &Variable, fails: bool) -> Result<Option<Array>, String> {
    let mut array = ptr::without_provenance_mut(0xdead_bee0);
    let failing = fails.then(|| fail_nth(1));
    // SAFETY: the variable holds a string or null.
    let code = unsafe { VectorFromBstr(string.bstr, &raw mut array) };
    let failed = failing.is_some_and(|failing| failing.has_failed());
    same("the code", &code, &code_of(failed))?;
    same("whether there is none", &array.is_null(), &failed)?;
    let bytes = string.bytes.clone().unwrap_or_default();
    let count = u32::try_from(bytes.len()).expect("short");
    Ok((!failed).then_some(Array {
        array,
        bounds: vec![ArrayBound { count, lower: 0 }],
        elements: Elements::Bytes(bytes),
        locks: 0,
    }))
}

impl Array {
    /// The bytes as a string, if they are those of one dimension.
    pub(super) fn string(&self, fails: bool) -> Result<Option<Variable>, String> {
        let mut bstr = ptr::without_provenance_mut(0xdead_beee);
        let failing = fails.then(|| fail_nth(1));
        // SAFETY: the array is live.
        let code = unsafe { BstrFromVector(self.array, &raw mut bstr) };
        let failed = failing.is_some_and(|failing| failing.has_failed());
        let (expected, bytes) = match &self.elements {
            Elements::Bytes(bytes) if self.bounds.len() == 1 && failed => {
                (HResult::E_OUTOFMEMORY, bytes)
            }
            Elements::Bytes(bytes) if self.bounds.len() == 1 => (HResult::S_OK, bytes),
            _ => (HResult::DISP_E_TYPEMISMATCH, &Vec::new()),
        };
        same("the code", &code, &expected)?;
        same("whether there is none", &bstr.is_null(), &code.is_failure())?;
        let bytes = Some(bytes.clone());
        Ok((!bstr.is_null()).then_some(Variable { bstr, bytes }))
    }

    /// Writes to the data, as far as there is some: bytes, or a string that is the array's from then on. What it held, or what
    /// it does not take, comes back.
    pub(super) fn write(
        &mut self,
        place: u16,
        bytes: &[u8],
        string: Variable,
    ) -> Result<Variable, String> {
        let data = self.access()?;
        let rest = match &mut self.elements {
            Elements::Bytes(held) => {
                for (at, (held, byte)) in held.iter_mut().zip(bytes).enumerate() {
                    *held = *byte;
                    // SAFETY: the array has so many bytes.
                    unsafe { data.cast::<u8>().wrapping_add(at).write(*byte) };
                }
                string
            }
            Elements::Strings(held) if held.is_empty() => string,
            Elements::Strings(held) => {
                let at = usize::from(place) % held.len();
                // SAFETY: the array has so many strings.
                unsafe { data.cast::<*mut u16>().wrapping_add(at).write(string.bstr) };
                std::mem::replace(&mut held[at], string)
            }
        };
        // SAFETY: the array is live, and was locked above.
        let code = unsafe { SafeArrayUnaccessData(self.array) };
        same("an access that ends", &code, &HResult::S_OK)?;
        Ok(rest)
    }

    /// Where the data is; it is locked from then on.
    fn access(&self) -> Result<*mut c_void, String> {
        let mut data = ptr::without_provenance_mut(0xdead_bee0);
        // SAFETY: the array is live.
        let code = unsafe { SafeArrayAccessData(self.array, &raw mut data) };
        same("an access", &code, &HResult::S_OK)?;
        Ok(data)
    }

    pub(super) fn lock(&mut self) -> Result<(), String> {
        self.locks += 1;
        // SAFETY: the array is live.
        same(
            "a lock",
            &unsafe { SafeArrayLock(self.array) },
            &HResult::S_OK,
        )
    }

    pub(super) fn unlock(&mut self) -> Result<(), String> {
        let (left, expected) = match self.locks.checked_sub(1) {
            Some(left) => (left, HResult::S_OK),
            None => (0, HResult::E_UNEXPECTED),
        };
        self.locks = left;
        // SAFETY: the array is live.
        let code = unsafe { SafeArrayUnlock(self.array) };
        same("the end of a lock", &code, &expected)
    }

    /// Destroys it and the strings in it; it comes back if it is locked.
    pub(super) fn destroy(self) -> Result<Option<Self>, String> {
        // SAFETY: the array is live, its strings are its own, and unless it is locked this is the last use.
        let code = unsafe { SafeArrayDestroy(self.array) };
        if self.locks > 0 {
            same("the code", &code, &HResult::DISP_E_ARRAYISLOCKED)?;
            return Ok(Some(self));
        }
        same("the code", &code, &HResult::S_OK)?;
        Ok(None)
    }

    /// Destroys it, whatever locks it has.
    pub(super) fn end(mut self) -> Result<(), String> {
        while self.locks > 0 {
            self.unlock()?;
        }
        same("a locked array", &self.destroy()?.is_some(), &false)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let (element, size) = match &self.elements {
            Elements::Bytes(_) => (VarType::UI1, 1),
            Elements::Strings(_) => (VarType::BSTR, size_of::<*mut u16>()),
        };
        // SAFETY: the array is live, here and below.
        let dims = unsafe { SafeArrayGetDim(self.array) };
        same("dimensions", &(dims as usize), &self.bounds.len())?;
        // SAFETY: as above.
        let found = unsafe { SafeArrayGetElemsize(self.array) };
        same("an element", &(found as usize), &size)?;
        let mut kind = 0;
        // SAFETY: as above.
        let code = unsafe { SafeArrayGetVartype(self.array, &raw mut kind) };
        same(
            "its type",
            &(code, kind),
            &(HResult::S_OK, element.as_raw()),
        )?;
        for (dim, bound) in (1..).zip(&self.bounds) {
            let (mut lower, mut upper) = (0, 0);
            // SAFETY: as above.
            let code = unsafe { SafeArrayGetLBound(self.array, dim, &raw mut lower) };
            same(
                "a lower bound",
                &(code, lower),
                &(HResult::S_OK, bound.lower),
            )?;
            // SAFETY: as above.
            let code = unsafe { SafeArrayGetUBound(self.array, dim, &raw mut upper) };
            // Indices go round.
            let last = bound.lower.wrapping_add_unsigned(bound.count) - 1;
            same("an upper bound", &(code, upper), &(HResult::S_OK, last))?;
        }
        let mut bound = 0;
        // SAFETY: as above.
        let code = unsafe { SafeArrayGetUBound(self.array, dims + 1, &raw mut bound) };
        same("one too many", &code, &HResult::DISP_E_BADINDEX)?;

        let data = self.access()?;
        match &self.elements {
            Elements::Bytes(bytes) => {
                // SAFETY: the array has so many bytes; of none there is a block as well.
                let found = unsafe { slice::from_raw_parts(data.cast::<u8>(), bytes.len()) };
                same("the bytes of an array", &found, &&bytes[..])?;
            }
            Elements::Strings(strings) => {
                let found = data.cast::<*mut u16>();
                // SAFETY: the array has so many strings; of none there is a block as well.
                let found = unsafe { slice::from_raw_parts(found, strings.len()) };
                let expected: Vec<_> = strings.iter().map(|string| string.bstr).collect();
                same("the strings of an array", &found, &&expected[..])?;
                strings.iter().try_for_each(Variable::check)?;
            }
        }
        // SAFETY: as above, and it was locked.
        let code = unsafe { SafeArrayUnaccessData(self.array) };
        same("an access that ends", &code, &HResult::S_OK)
    }
}
