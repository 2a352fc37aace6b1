//! The C functions, as C calls them, against strings, blocks and arrays that are vectors of bytes.

#[path = "c_arrays.rs"]
mod arrays;

use std::ptr;
use std::slice;

use olemem::export::{
    BSTR_UserFree, BSTR_UserFree64, BSTR_UserMarshal, BSTR_UserMarshal64, BSTR_UserSize,
    BSTR_UserSize64, BSTR_UserUnmarshal, BSTR_UserUnmarshal64, CoTaskMemAlloc, CoTaskMemFree,
    CoTaskMemRealloc, SHStrDupW, StringFromGUID2, SysAddRefString, SysAllocString,
    SysAllocStringByteLen, SysAllocStringLen, SysFreeString, SysReAllocString, SysReAllocStringLen,
    SysReleaseString, SysStringByteLen, SysStringLen, VarBstrCat, VarBstrCmp, olemem_bstr_marshal,
    olemem_bstr_unmarshal,
};
use olemem::fault::fail_nth;
use olemem::wire::{Syntax, TransmittedBstr};
use olemem::{Guid, HResult};

use self::arrays::Array;
use super::raw_law::{order, told, unit_bytes, until_zero};
use super::steps::{Choices, Operation, Step, World, same, smaller_number, smaller_vec};

/// Which function, and what it is given. Numbers choose among the variables, and lengths.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    function: Function,
    which: u16,
    other: u16,
    len: u16,
    /// Text, bytes, or what came over the wire; `None` is a null pointer.
    data: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug)]
enum Function {
    Alloc,
    AllocLen,
    AllocByteLen,
    ReAlloc,
    ReAllocLen,
    Free,
    Cat,
    Cmp,
    Pin,
    UserMarshal,
    Marshal,
    Unmarshal,
    TaskAlloc,
    TaskRealloc,
    TaskFree,
    StrDup,
    GuidText,
    Array,
    ArrayOfString,
    StringOfArray,
    ArrayWrite,
    ArrayLock,
    ArrayUnlock,
    ArrayDestroy,
}

/// What is new goes to the end, so that the seeds mean what they meant.
const FUNCTIONS: [Function; 24] = [
    Function::Alloc,
    Function::AllocLen,
    Function::AllocByteLen,
    Function::ReAlloc,
    Function::ReAllocLen,
    Function::Free,
    Function::Cat,
    Function::Cmp,
    Function::Pin,
    Function::UserMarshal,
    Function::Marshal,
    Function::Unmarshal,
    Function::TaskAlloc,
    Function::TaskRealloc,
    Function::TaskFree,
    Function::StrDup,
    Function::GuidText,
    Function::Array,
    Function::ArrayOfString,
    Function::StringOfArray,
    Function::ArrayWrite,
    Function::ArrayLock,
    Function::ArrayUnlock,
    Function::ArrayDestroy,
];

impl Operation for Call {
    fn choose(choices: &mut Choices<'_>) -> Self {
        let function = choices.below(u32::try_from(FUNCTIONS.len()).expect("few"));
        let function = FUNCTIONS[function as usize];
        let (which, other, len) = (choices.len(), choices.len(), choices.len());
        let data = match (function, choices.below(4)) {
            (_, 0) => None,
            // Mostly what is almost a string.
            (Function::Unmarshal, 1..) => {
                let mut data = Vec::new();
                let numbers = [0, u32::from(len).div_ceil(2), len.into(), u32::MAX];
                for usual in [1, 2, 1] {
                    let number = match choices.below(16) {
                        strange @ 0..4 => numbers[strange as usize],
                        _ => numbers[usual],
                    };
                    data.extend(number.to_le_bytes());
                }
                data.extend(choices.bytes());
                Some(data)
            }
            (_, 1) => Some(choices.bytes()),
            _ => Some(unit_bytes(&choices.units())),
        };
        Self {
            function,
            which,
            other,
            len,
            data,
        }
    }

    fn smaller(&self) -> Vec<Self> {
        let data = self.data.as_deref().map(smaller_vec).unwrap_or_default();
        let data = data.into_iter().map(|data| Self {
            data: Some(data),
            ..self.clone()
        });
        let len = smaller_number(self.len).into_iter().map(|len| Self {
            len,
            ..self.clone()
        });
        let which = smaller_number(self.which).into_iter().map(|which| Self {
            which,
            ..self.clone()
        });
        data.chain(len).chain(which).collect()
    }
}

/// A variable of type BSTR, and what it should hold; `None` is null.
#[derive(Debug)]
struct Variable {
    bstr: *mut u16,
    bytes: Option<Vec<u8>>,
}

/// More would make each look at everything long.
const MOST: usize = 12;

#[derive(Debug, Default)]
pub(crate) struct CAbi {
    variables: Vec<Variable>,
    blocks: Vec<(*mut u8, Vec<u8>)>,
    arrays: Vec<Array>,
}

/// What a function says that gives something, unless there is no memory for it.
fn code_of(failed: bool) -> HResult {
    if failed {
        HResult::E_OUTOFMEMORY
    } else {
        HResult::S_OK
    }
}

fn uint(len: usize) -> u32 {
    u32::try_from(len).expect("the law's strings are short")
}

/// Whole units, and a zero behind them.
fn terminated(data: &[u8]) -> Vec<u16> {
    let (units, _) = data.as_chunks();
    let units = units.iter().map(|unit| u16::from_ne_bytes(*unit));
    units.chain([0]).collect()
}

/// Writes what an operation leaves undefined.
///
/// # Safety
///
/// * So many bytes from `start` on may be written.
unsafe fn fill(start: *mut u8, bytes: &mut Vec<u8>, len: usize) {
    let known = bytes.len().min(len);
    bytes.resize(len, 0xA5);
    for (at, byte) in bytes.iter().enumerate().skip(known) {
        // SAFETY: the caller's promise.
        unsafe { start.wrapping_add(at).write(*byte) };
    }
}

impl Variable {
    const fn null() -> Self {
        Self {
            bstr: ptr::null_mut(),
            bytes: None,
        }
    }

    fn len(&self) -> usize {
        self.bytes.as_ref().map_or(0, Vec::len)
    }

    fn check(&self) -> Result<(), String> {
        let Some(bytes) = &self.bytes else {
            return same("a null string", &self.bstr.is_null(), &true);
        };
        same("a string that is none", &self.bstr.is_null(), &false)?;
        // SAFETY: the string is live.
        let len = unsafe { SysStringByteLen(self.bstr) };
        same("bytes", &(len as usize), &bytes.len())?;
        // SAFETY: as above.
        let units = unsafe { SysStringLen(self.bstr) };
        same("units", &units, &(len / 2))?;
        // SAFETY: a string has its bytes, and a terminator of two behind them.
        let found = unsafe { slice::from_raw_parts(self.bstr.cast::<u8>(), bytes.len() + 2) };
        same("contents", &&found[..bytes.len()], &&bytes[..])?;
        same("the byte behind them", &found[bytes.len()], &0)
    }

    fn free(self) {
        // SAFETY: live or null, and this is its last use.
        unsafe { SysFreeString(self.bstr) };
    }

    /// Over the wire and back, into another variable, leads to an equal string; the text says what went wrong.
    fn send(&self, user: &User, start: u32, mut into: Self) -> Result<Self, String> {
        let mut flags = 0;
        let flags = &raw mut flags;
        // SAFETY: the variable holds a string.
        let end = unsafe { (user.size)(flags, start, &raw const self.bstr) };
        let size = end - start.next_multiple_of(user.align);
        let expected = user.header + uint(self.len().next_multiple_of(2));
        same("the size", &size, &expected)?;
        // Aligned, and with a number behind it that has to stay.
        let mut buffer = vec![u64::MAX; size.div_ceil(8) as usize + 1];
        let first = buffer.as_mut_ptr().cast::<u8>();
        // SAFETY: there is room for what was asked for.
        let behind = unsafe { (user.marshal)(flags, first, &raw const self.bstr) };
        let expected = first.wrapping_add(size as usize);
        same("the end", &behind, &expected)?;
        // SAFETY: a whole string was written there; the variable holds a string or null.
        let behind = unsafe { (user.unmarshal)(flags, first, &raw mut into.bstr) };
        same("the end of what is read", &behind, &expected.cast_const())?;
        same("what was not written", &buffer.last(), &Some(&u64::MAX))?;
        into.bytes.clone_from(&self.bytes);
        into.check()?;
        Ok(into)
    }

    /// As a stub frees what it read.
    fn free_as(mut self, user: &User) -> Result<(), String> {
        let mut flags = 0;
        // SAFETY: the string is live or null, and this is its last use.
        unsafe { (user.free)(&raw mut flags, &raw mut self.bstr) };
        same("what is left", &self.bstr.is_null(), &true)
    }
}

/// The four functions of a transfer syntax, and what is known of it.
struct User {
    align: u32,
    header: u32,
    size: unsafe extern "system" fn(*mut u32, u32, *const *mut u16) -> u32,
    marshal: unsafe extern "system" fn(*mut u32, *mut u8, *const *mut u16) -> *mut u8,
    unmarshal: unsafe extern "system" fn(*mut u32, *const u8, *mut *mut u16) -> *const u8,
    free: unsafe extern "system" fn(*mut u32, *mut *mut u16),
}

const NDR: User = User {
    align: 4,
    header: 12,
    size: BSTR_UserSize,
    marshal: BSTR_UserMarshal,
    unmarshal: BSTR_UserUnmarshal,
    free: BSTR_UserFree,
};

const NDR64: User = User {
    align: 8,
    header: 16,
    size: BSTR_UserSize64,
    marshal: BSTR_UserMarshal64,
    unmarshal: BSTR_UserUnmarshal64,
    free: BSTR_UserFree64,
};

impl CAbi {
    /// The variable that a number means; there is always one, if only of null.
    fn index(&mut self, which: u16) -> usize {
        if self.variables.is_empty() {
            self.variables.push(Variable::null());
        }
        usize::from(which) % self.variables.len()
    }

    /// Takes in what an allocation gave.
    fn made(&mut self, bstr: *mut u16, bytes: Vec<u8>, failed: bool) -> Result<(), String> {
        told(!bstr.is_null(), failed)?;
        if !bstr.is_null() {
            let bytes = Some(bytes);
            self.variables.push(Variable { bstr, bytes });
        }
        Ok(())
    }

    fn alloc(&mut self, call: &Call, fails: bool) -> Result<(), String> {
        let data = call.data.as_deref();
        let units = data.map(terminated);
        let source = units.as_ref().map_or(ptr::null(), Vec::as_ptr);
        let failing = fails.then(|| fail_nth(1));
        let (bstr, mut bytes, len) = match (call.function, data) {
            (Function::Alloc, None) => {
                // SAFETY: null gives null.
                let bstr = unsafe { SysAllocString(source) };
                same("null of null", &bstr.is_null(), &true)?;
                self.variables.push(Variable::null());
                return Ok(());
            }
            (Function::Alloc, Some(data)) => {
                let text = until_zero(&data[..data.len() / 2 * 2]);
                let len = text.len();
                // SAFETY: a zero ends it.
                (unsafe { SysAllocString(source) }, text, len)
            }
            (Function::AllocLen, data) => {
                let len = data.map_or(call.len.into(), |data| data.len() / 2);
                // SAFETY: null, or so many units.
                let bstr = unsafe { SysAllocStringLen(source, uint(len)) };
                let mut bytes = data.unwrap_or_default().to_vec();
                bytes.truncate(2 * len);
                (bstr, bytes, 2 * len)
            }
            (_, data) => {
                let len = data.map_or(call.len.into(), <[u8]>::len);
                let source = data.map_or(ptr::null(), <[u8]>::as_ptr);
                // SAFETY: null, or so many bytes.
                let bstr = unsafe { SysAllocStringByteLen(source, uint(len)) };
                (bstr, data.unwrap_or_default().to_vec(), len)
            }
        };
        let failed = failing.is_some_and(|failing| failing.has_failed());
        if !bstr.is_null() {
            // SAFETY: the new string has so many bytes.
            unsafe { fill(bstr.cast(), &mut bytes, len) };
        }
        self.made(bstr, bytes, failed)
    }

    fn realloc(&mut self, call: &Call, fails: bool) -> Result<(), String> {
        let index = self.index(call.which);
        let variable = &mut self.variables[index];
        let before = variable.bstr;
        let units = call.data.as_deref().map(terminated);
        let source = units.as_ref().map_or(ptr::null(), Vec::as_ptr);
        let whole = call.data.as_deref().map(|data| &data[..data.len() / 2 * 2]);
        let failing = fails.then(|| fail_nth(1));
        let done = if matches!(call.function, Function::ReAlloc) {
            // SAFETY: the variable holds a string or null; the source is null, or a zero ends it.
            unsafe { SysReAllocString(&raw mut variable.bstr, source) }
        } else {
            let len = whole.map_or(call.len.into(), |whole| uint(whole.len() / 2));
            // SAFETY: as above, and the source has so many units.
            unsafe { SysReAllocStringLen(&raw mut variable.bstr, source, len) }
        };
        told(
            done == 1,
            failing.is_some_and(|failing| failing.has_failed()),
        )?;
        if done == 0 {
            return same("the variable after a failure", &variable.bstr, &before);
        }
        variable.bytes = match (call.function, whole) {
            (Function::ReAlloc, whole) => whole.map(until_zero),
            (_, Some(whole)) => Some(whole.to_vec()),
            (_, None) => {
                let mut bytes = variable.bytes.take().unwrap_or_default();
                let len = 2 * usize::from(call.len);
                bytes.truncate(len);
                // SAFETY: the string has so many bytes.
                unsafe { fill(variable.bstr.cast(), &mut bytes, len) };
                Some(bytes)
            }
        };
        Ok(())
    }

    fn cat(&mut self, left: usize, right: usize, fails: bool) -> Result<(), String> {
        let (left, right) = (&self.variables[left], &self.variables[right]);
        let bytes = |variable: &Variable| variable.bytes.clone().unwrap_or_default();
        let joined = [bytes(left), bytes(right)].concat();
        let mut bstr = ptr::without_provenance_mut(0xdead_beee);
        let failing = fails.then(|| fail_nth(1));
        // SAFETY: both are live or null.
        let code = unsafe { VarBstrCat(left.bstr, right.bstr, &raw mut bstr) };
        let failed = failing.is_some_and(|failing| failing.has_failed());
        same("the code", &code, &code_of(failed))?;
        self.made(bstr, joined, failed)
    }

    /// A pinned string outlives its free until the pin goes.
    fn pin(&mut self, index: usize) -> Result<(), String> {
        let variable = self.variables.swap_remove(index);
        same("a pin", &SysAddRefString(variable.bstr), &HResult::S_OK)?;
        // SAFETY: live or null.
        unsafe { SysFreeString(variable.bstr) };
        variable.check()?;
        // SAFETY: the pin is that of above; with it the string goes.
        unsafe { SysReleaseString(variable.bstr) };
        Ok(())
    }

    fn user_marshal(&mut self, call: &Call) -> Result<(), String> {
        let (index, target) = (self.index(call.which), self.index(call.other));
        let target = if index == target {
            Variable::null()
        } else {
            std::mem::replace(&mut self.variables[target], Variable::null())
        };
        let start = call.len.into();
        let sent = self.variables[index].send(&NDR, start, target)?;
        sent.send(&NDR64, start, Variable::null())?
            .free_as(&NDR64)?;
        sent.free_as(&NDR)
    }

    /// A buffer of any length has room, or is left alone.
    fn marshal(&mut self, call: &Call) -> Result<(), String> {
        let index = self.index(call.which);
        let variable = &self.variables[index];
        let start = usize::from(call.other);
        let end = start.next_multiple_of(4) + 12 + variable.len().next_multiple_of(2);
        let mut buffer = vec![0xEE; usize::from(call.len)];
        let mut offset = start;
        // SAFETY: the buffer has so many bytes, and the string is live or null.
        let code = unsafe {
            olemem_bstr_marshal(
                variable.bstr,
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut offset,
            )
        };
        if end > buffer.len() {
            same("the code", &code, &HResult::E_NOT_SUFFICIENT_BUFFER)?;
            same("the offset", &offset, &start)?;
            let untouched = buffer.iter().all(|byte| *byte == 0xEE);
            return same("that it is left alone", &untouched, &true);
        }
        same("the code", &code, &HResult::S_OK)?;
        same("the offset", &offset, &end)?;
        let (read, _) = TransmittedBstr::decode(&buffer, start, Syntax::Ndr)
            .map_err(|error| error.to_string())?;
        same("null", &read.is_null(), &variable.bytes.is_none())?;
        let found: Vec<u16> = read.units().collect();
        let mut expected = terminated(variable.bytes.as_deref().unwrap_or_default());
        expected.pop();
        same("units", &found, &expected)
    }

    /// Bytes of anybody's are a string, or change nothing.
    fn unmarshal(&mut self, call: &Call, fails: bool) -> Result<(), String> {
        let index = self.index(call.which);
        let variable = &mut self.variables[index];
        let before = variable.bstr;
        let buffer = call.data.as_deref().unwrap_or_default();
        let start = usize::from(call.other) % (buffer.len() + 8);
        let start = if fails { start } else { start % 4 };
        let mut offset = start;
        let failing = fails.then(|| fail_nth(1));
        // SAFETY: the buffer has so many bytes; the variable holds a string or null.
        let code = unsafe {
            olemem_bstr_unmarshal(
                buffer.as_ptr(),
                buffer.len(),
                &raw mut offset,
                &raw mut variable.bstr,
            )
        };
        let failed = failing.is_some_and(|failing| failing.has_failed());
        let decoded = TransmittedBstr::decode(buffer, start, Syntax::Ndr);
        let expected = match decoded {
            Err(error) => error.into(),
            Ok(_) if failed => HResult::E_OUTOFMEMORY,
            Ok(_) => HResult::S_OK,
        };
        same("the code", &code, &expected)?;
        match decoded {
            Ok((bstr, end)) if !failed => {
                same("the offset", &offset, &end)?;
                let odd = bstr.as_bytes().as_chunks::<2>().1;
                let units: Vec<u16> = bstr.units().collect();
                variable.bytes = (!bstr.is_null()).then(|| [&unit_bytes(&units), odd].concat());
                Ok(())
            }
            _ => {
                same("the offset", &offset, &start)?;
                same("the variable", &variable.bstr, &before)
            }
        }
    }

    fn task(&mut self, call: &Call, fails: bool) -> Result<(), String> {
        let size = usize::from(call.len);
        let index = usize::from(call.which).checked_rem(self.blocks.len());
        match (call.function, index) {
            (Function::TaskFree, Some(index)) => {
                let (block, _) = self.blocks.swap_remove(index);
                // SAFETY: the block is live, and this is its last use.
                unsafe { CoTaskMemFree(block.cast()) };
                Ok(())
            }
            (Function::TaskRealloc, Some(index)) if size > 0 => {
                let (block, bytes) = &mut self.blocks[index];
                let failing = fails.then(|| fail_nth(1));
                // SAFETY: the block is live.
                let moved = unsafe { CoTaskMemRealloc((*block).cast(), size) }.cast::<u8>();
                let failed = failing.is_some_and(|failing| failing.has_failed());
                told(!moved.is_null(), failed)?;
                if !moved.is_null() {
                    bytes.truncate(size);
                    // SAFETY: the block has so many bytes.
                    unsafe { fill(moved, bytes, size) };
                    *block = moved;
                }
                Ok(())
            }
            _ => {
                let failing = fails.then(|| fail_nth(1));
                let block = CoTaskMemAlloc(size).cast::<u8>();
                let failed = failing.is_some_and(|failing| failing.has_failed());
                told(!block.is_null(), failed)?;
                if !block.is_null() {
                    let mut bytes = Vec::new();
                    // SAFETY: the block has so many bytes.
                    unsafe { fill(block, &mut bytes, size) };
                    self.blocks.push((block, bytes));
                }
                Ok(())
            }
        }
    }

    /// A copy of text in task memory, its zero included.
    fn str_dup(&mut self, call: &Call, fails: bool) -> Result<(), String> {
        let units = call.data.as_deref().map(terminated);
        let source = units.as_ref().map_or(ptr::null(), Vec::as_ptr);
        let mut copy = ptr::without_provenance_mut(0xdead_beee);
        let failing = fails.then(|| fail_nth(1));
        // SAFETY: null, or a zero ends it.
        let code = unsafe { SHStrDupW(source, &raw mut copy) };
        let failed = failing.is_some_and(|failing| failing.has_failed());
        let expected = match &call.data {
            None => HResult::E_INVALIDARG,
            Some(_) if failed => HResult::E_OUTOFMEMORY,
            Some(_) => HResult::S_OK,
        };
        same("the code", &code, &expected)?;
        same(
            "whether there is a copy",
            &copy.is_null(),
            &expected.is_failure(),
        )?;
        if let Some(units) = units.filter(|_| !copy.is_null()) {
            let len = units.iter().take_while(|unit| **unit != 0).count() + 1;
            self.blocks.push((copy.cast(), unit_bytes(&units[..len])));
        }
        Ok(())
    }
}

impl CAbi {
    fn array(&mut self, call: &Call, fails: bool) -> Result<(), String> {
        let string = self.index(call.other);
        let index = usize::from(call.which).checked_rem(self.arrays.len());
        let made = match (call.function, index) {
            (Function::ArrayOfString, _) => arrays::of_string(&self.variables[string], fails)?,
            (Function::StringOfArray, Some(index)) => {
                self.variables.extend(self.arrays[index].string(fails)?);
                None
            }
            (Function::ArrayWrite, Some(index)) => {
                let string = self.variables.swap_remove(string);
                let bytes = call.data.as_deref().unwrap_or_default();
                let rest = self.arrays[index].write(call.len, bytes, string)?;
                self.variables.push(rest);
                None
            }
            (Function::ArrayLock, Some(index)) => {
                self.arrays[index].lock()?;
                None
            }
            (Function::ArrayUnlock, Some(index)) => {
                self.arrays[index].unlock()?;
                None
            }
            (Function::ArrayDestroy, Some(index)) => self.arrays.swap_remove(index).destroy()?,
            _ => arrays::create(call.which, call.other, call.len, fails)?,
        };
        self.arrays.extend(made);
        Ok(())
    }
}

/// The text of an identifier fits into 39 units, or nothing is written.
fn guid_text(call: &Call) -> Result<(), String> {
    let number = call
        .data
        .iter()
        .flatten()
        .fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    let guid = Guid::from_u128(number);
    let mut text = vec![0xEEEE_u16; call.len.into()];
    // SAFETY: the buffer has so many units.
    let written = unsafe { StringFromGUID2(&raw const guid, text.as_mut_ptr(), call.len.into()) };
    if call.len < 39 {
        same("what was written", &written, &0)?;
        return same("the buffer", &text, &vec![0xEEEE; call.len.into()]);
    }
    same("what was written", &written, &39)?;
    let expected: String = format!("{number:032X}")
        .char_indices()
        .flat_map(|(at, digit)| {
            [
                (at > 0 && at % 4 == 0 && (8..=20).contains(&at)).then_some('-'),
                Some(digit),
            ]
        })
        .flatten()
        .collect();
    let expected: Vec<u16> = format!("{{{expected}}}\0").encode_utf16().collect();
    same("the text", &&text[..39], &&expected[..])
}

impl World for CAbi {
    type Operation = Call;

    fn step(&mut self, step: &Step<Call>) -> Result<(), String> {
        if self.variables.len() >= MOST {
            self.variables.swap_remove(0).free();
        }
        if self.blocks.len() >= MOST {
            let (block, _) = self.blocks.swap_remove(0);
            // SAFETY: the block is live, and this is its last use.
            unsafe { CoTaskMemFree(block.cast()) };
        }
        if self.arrays.len() >= MOST {
            self.arrays.swap_remove(0).end()?;
        }
        let (call, fails) = (&step.operation, step.fails);
        let (which, other) = (self.index(call.which), self.index(call.other));
        match call.function {
            Function::Alloc | Function::AllocLen | Function::AllocByteLen => {
                self.alloc(call, fails)
            }
            Function::ReAlloc | Function::ReAllocLen => self.realloc(call, fails),
            Function::Free => {
                self.variables.swap_remove(which).free();
                Ok(())
            }
            Function::Cat => self.cat(which, other, fails),
            Function::Cmp => {
                let (left, right) = (&self.variables[which], &self.variables[other]);
                let bytes = |variable: &Variable| variable.bytes.clone().unwrap_or_default();
                // SAFETY: both are live or null.
                let found = unsafe { VarBstrCmp(left.bstr, right.bstr, 0, 0) };
                let expected = order(&bytes(left), &bytes(right)) as i32 + 1;
                same("the order", &found, &HResult::from_raw(expected))
            }
            Function::Pin => self.pin(which),
            Function::UserMarshal => self.user_marshal(call),
            Function::Marshal => self.marshal(call),
            Function::Unmarshal => self.unmarshal(call, fails),
            Function::TaskAlloc | Function::TaskRealloc | Function::TaskFree => {
                self.task(call, fails)
            }
            Function::StrDup => self.str_dup(call, fails),
            Function::GuidText => guid_text(call),
            Function::Array
            | Function::ArrayOfString
            | Function::StringOfArray
            | Function::ArrayWrite
            | Function::ArrayLock
            | Function::ArrayUnlock
            | Function::ArrayDestroy => self.array(call, fails),
        }
    }

    fn check(&self) -> Result<(), String> {
        self.variables.iter().try_for_each(Variable::check)?;
        self.arrays.iter().try_for_each(Array::check)?;
        for (block, bytes) in &self.blocks {
            // SAFETY: so many bytes were written.
            let found = unsafe { slice::from_raw_parts(*block, bytes.len()) };
            same("a block", &found, &&bytes[..])?;
        }
        Ok(())
    }
}

impl Drop for CAbi {
    fn drop(&mut self) {
        self.variables.drain(..).for_each(Variable::free);
        for array in self.arrays.drain(..) {
            array.end().expect("an array is destroyed");
        }
        for (block, _) in self.blocks.drain(..) {
            // SAFETY: the block is live, and this is its last use.
            unsafe { CoTaskMemFree(block.cast()) };
        }
    }
}
