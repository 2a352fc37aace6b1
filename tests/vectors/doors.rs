//! The two doors that every vector is sent through, under the same names: Rust's raw layer, and the C
//! ABI. On Windows itself the C door is the system's own.

/// What one `IMalloc` answers, through either door.
pub(crate) const NO_SIZE: usize = usize::MAX;

pub(crate) mod rust {
    use olemem::heap::{self, Family};
    use olemem::{ByteLen, HResult, UnitLen, raw};

    pub(crate) use super::NO_SIZE;

    pub(crate) fn alloc(source: *const u16) -> *mut u16 {
        // SAFETY: the vectors pass null or a zero-terminated array.
        unsafe { raw::alloc(source) }
    }

    pub(crate) fn alloc_len(source: *const u16, len: u32) -> *mut u16 {
        // SAFETY: the vectors pass null, as many units, or a length beyond the limit.
        unsafe { raw::alloc_units(source, UnitLen::new(len)) }
    }

    pub(crate) fn alloc_byte_len(source: *const u8, len: u32) -> *mut u16 {
        // SAFETY: the vectors pass null, as many bytes, or a length beyond the limit.
        unsafe { raw::alloc_bytes(source, ByteLen::new(len)) }
    }

    pub(crate) fn realloc(target: *mut *mut u16, source: *const u16) -> i32 {
        // SAFETY: the vectors pass null or a live BSTR's variable, and null or a terminated array.
        unsafe { raw::realloc(target, source) }.into()
    }

    pub(crate) fn realloc_len(target: *mut *mut u16, source: *const u16, len: u32) -> i32 {
        // SAFETY: as above; the source is null, the string, inside it, or has as many units.
        unsafe { raw::realloc_units(target, source, UnitLen::new(len)) }.into()
    }

    pub(crate) fn free(bstr: *mut u16) {
        // SAFETY: the vectors free what is live, or null.
        unsafe { raw::free(bstr) }
    }

    pub(crate) fn len(bstr: *const u16) -> u32 {
        // SAFETY: the vectors pass null or BSTR-shaped memory.
        unsafe { raw::unit_len(bstr) }.get()
    }

    pub(crate) fn byte_len(bstr: *const u16) -> u32 {
        // SAFETY: the vectors pass null or BSTR-shaped memory.
        unsafe { raw::byte_len(bstr) }.get()
    }

    /// The Rust form has no out pointer: null is the C form's answer to it.
    pub(crate) fn cat(left: *const u16, right: *const u16, out: *mut *mut u16) -> u32 {
        if out.is_null() {
            return HResult::E_INVALIDARG.to_bits();
        }
        // SAFETY: the vectors pass null or BSTRs.
        let joined = unsafe { raw::concat(left, right) };
        // SAFETY: `out` is the vector's variable.
        unsafe { out.write(joined) };
        let code = if joined.is_null() {
            HResult::E_OUTOFMEMORY
        } else {
            HResult::S_OK
        };
        code.to_bits()
    }

    pub(crate) fn cmp(left: *const u16, right: *const u16, lcid: u32, flags: u32) -> u32 {
        // SAFETY: the vectors pass null or BSTRs.
        let order = unsafe { raw::compare(left, right, lcid, flags) };
        (order as i8 + 1).cast_unsigned().into()
    }

    pub(crate) fn task_alloc(size: usize) -> *mut u8 {
        heap::alloc(size, Family::Task)
    }

    pub(crate) fn task_realloc(block: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: the vectors pass null or a live block.
        unsafe { heap::realloc(block, size, Family::Task) }
    }

    pub(crate) fn task_free(block: *mut u8) {
        // SAFETY: the vectors free what is live, or null.
        unsafe { heap::free(block, Family::Task) }
    }

    pub(crate) fn size_of(block: *mut u8) -> usize {
        // SAFETY: the vectors ask about live blocks, and about others where any address will do.
        unsafe { heap::size_of(block) }.unwrap_or(NO_SIZE)
    }

    pub(crate) fn did_alloc(block: *mut u8) -> i32 {
        // SAFETY: as above.
        unsafe { heap::did_alloc(block) }.as_raw()
    }
}

#[cfg(feature = "export")]
pub(crate) mod c {
    use core::ffi::c_void;
    use core::ptr;

    use olemem::com::{MEMCTX_TASK, MallocVtbl, Object};
    use olemem::{Guid, HResult};

    pub(crate) use super::NO_SIZE;

    #[cfg_attr(
        all(windows, not(miri), target_arch = "x86"),
        link(
            name = "oleaut32",
            kind = "raw-dylib",
            import_name_type = "undecorated"
        )
    )]
    #[cfg_attr(
        all(windows, not(miri), not(target_arch = "x86")),
        link(name = "oleaut32", kind = "raw-dylib")
    )]
    unsafe extern "system" {
        fn SysAllocString(source: *const u16) -> *mut u16;
        fn SysAllocStringLen(source: *const u16, len: u32) -> *mut u16;
        fn SysAllocStringByteLen(source: *const u8, len: u32) -> *mut u16;
        fn SysReAllocString(target: *mut *mut u16, source: *const u16) -> i32;
        fn SysReAllocStringLen(target: *mut *mut u16, source: *const u16, len: u32) -> i32;
        fn SysFreeString(bstr: *mut u16);
        fn SysStringLen(bstr: *const u16) -> u32;
        fn SysStringByteLen(bstr: *const u16) -> u32;
        fn VarBstrCat(left: *const u16, right: *const u16, out: *mut *mut u16) -> HResult;
        fn VarBstrCmp(left: *const u16, right: *const u16, lcid: u32, flags: u32) -> HResult;
    }

    #[cfg_attr(
        all(windows, not(miri), target_arch = "x86"),
        link(name = "ole32", kind = "raw-dylib", import_name_type = "undecorated")
    )]
    #[cfg_attr(
        all(windows, not(miri), not(target_arch = "x86")),
        link(name = "ole32", kind = "raw-dylib")
    )]
    unsafe extern "system" {
        fn CoTaskMemAlloc(size: usize) -> *mut c_void;
        fn CoTaskMemRealloc(block: *mut c_void, size: usize) -> *mut c_void;
        fn CoTaskMemFree(block: *mut c_void);
        fn CoGetMalloc(context: u32, malloc: *mut *mut Object<MallocVtbl>) -> HResult;
        fn StringFromCLSID(guid: *const Guid, text: *mut *mut u16) -> HResult;
        fn StringFromIID(guid: *const Guid, text: *mut *mut u16) -> HResult;
        fn StringFromGUID2(guid: *const Guid, text: *mut u16, capacity: i32) -> i32;
        fn ProgIDFromCLSID(guid: *const Guid, text: *mut *mut u16) -> HResult;
    }

    #[cfg_attr(
        all(windows, not(miri), target_arch = "x86"),
        link(name = "shlwapi", kind = "raw-dylib", import_name_type = "undecorated")
    )]
    #[cfg_attr(
        all(windows, not(miri), not(target_arch = "x86")),
        link(name = "shlwapi", kind = "raw-dylib")
    )]
    unsafe extern "system" {
        fn SHStrDupW(source: *const u16, copy: *mut *mut u16) -> HResult;
        fn SHStrDupA(source: *const u8, copy: *mut *mut u16) -> HResult;
    }

    pub(crate) fn alloc(source: *const u16) -> *mut u16 {
        // SAFETY: the vectors pass null or a zero-terminated array.
        unsafe { SysAllocString(source) }
    }

    pub(crate) fn alloc_len(source: *const u16, len: u32) -> *mut u16 {
        // SAFETY: the vectors pass null, as many units, or a length beyond the limit.
        unsafe { SysAllocStringLen(source, len) }
    }

    pub(crate) fn alloc_byte_len(source: *const u8, len: u32) -> *mut u16 {
        // SAFETY: the vectors pass null, as many bytes, or a length beyond the limit.
        unsafe { SysAllocStringByteLen(source, len) }
    }

    pub(crate) fn realloc(target: *mut *mut u16, source: *const u16) -> i32 {
        // SAFETY: the vectors pass null or a live BSTR's variable, and null or a terminated array.
        unsafe { SysReAllocString(target, source) }
    }

    pub(crate) fn realloc_len(target: *mut *mut u16, source: *const u16, len: u32) -> i32 {
        // SAFETY: as above; the source is null, the string, inside it, or has as many units.
        unsafe { SysReAllocStringLen(target, source, len) }
    }

    pub(crate) fn free(bstr: *mut u16) {
        // SAFETY: the vectors free what is live, or null.
        unsafe { SysFreeString(bstr) }
    }

    pub(crate) fn len(bstr: *const u16) -> u32 {
        // SAFETY: the vectors pass null or BSTR-shaped memory.
        unsafe { SysStringLen(bstr) }
    }

    pub(crate) fn byte_len(bstr: *const u16) -> u32 {
        // SAFETY: the vectors pass null or BSTR-shaped memory.
        unsafe { SysStringByteLen(bstr) }
    }

    pub(crate) fn cat(left: *const u16, right: *const u16, out: *mut *mut u16) -> u32 {
        // SAFETY: the vectors pass null or BSTRs, and a variable or null.
        unsafe { VarBstrCat(left, right, out) }.to_bits()
    }

    pub(crate) fn cmp(left: *const u16, right: *const u16, lcid: u32, flags: u32) -> u32 {
        // SAFETY: the vectors pass null or BSTRs.
        unsafe { VarBstrCmp(left, right, lcid, flags) }.to_bits()
    }

    pub(crate) fn task_alloc(size: usize) -> *mut u8 {
        // SAFETY: the function takes any size.
        unsafe { CoTaskMemAlloc(size) }.cast()
    }

    pub(crate) fn task_realloc(block: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: the vectors pass null or a live block.
        unsafe { CoTaskMemRealloc(block.cast(), size) }.cast()
    }

    pub(crate) fn task_free(block: *mut u8) {
        // SAFETY: the vectors free what is live, or null.
        unsafe { CoTaskMemFree(block.cast()) }
    }

    pub(crate) fn size_of(block: *mut u8) -> usize {
        let malloc = malloc();
        // SAFETY: the question may be asked of any pointer.
        unsafe { (malloc.vtbl.get_size)(object(malloc), block.cast()) }
    }

    pub(crate) fn did_alloc(block: *mut u8) -> i32 {
        let malloc = malloc();
        // SAFETY: the question may be asked of any pointer.
        unsafe { (malloc.vtbl.did_alloc)(object(malloc), block.cast()) }
    }

    /// The allocator's object, by a reference that is not given back: it lives for ever.
    pub(crate) fn malloc() -> &'static Object<MallocVtbl> {
        let mut malloc = ptr::null_mut();
        assert_eq!(get_malloc(MEMCTX_TASK, &raw mut malloc), 0);
        // SAFETY: the call succeeded, and the object lives as long as the process.
        unsafe { &*malloc }
    }

    pub(crate) fn object(malloc: &'static Object<MallocVtbl>) -> *mut c_void {
        ptr::from_ref(malloc).cast_mut().cast()
    }

    pub(crate) fn get_malloc(context: u32, malloc: *mut *mut Object<MallocVtbl>) -> u32 {
        // SAFETY: the vectors pass a variable, or null where olemem answers that.
        unsafe { CoGetMalloc(context, malloc) }.to_bits()
    }

    pub(crate) fn string_from_clsid(guid: &Guid, text: *mut *mut u16) -> u32 {
        // SAFETY: the vectors pass a variable.
        unsafe { StringFromCLSID(guid, text) }.to_bits()
    }

    pub(crate) fn string_from_iid(guid: &Guid, text: *mut *mut u16) -> u32 {
        // SAFETY: the vectors pass a variable.
        unsafe { StringFromIID(guid, text) }.to_bits()
    }

    pub(crate) fn string_from_guid(guid: *const Guid, text: &mut [u16]) -> i32 {
        let capacity = i32::try_from(text.len()).expect("a small buffer");
        // SAFETY: the capacity is the buffer's.
        unsafe { StringFromGUID2(guid, text.as_mut_ptr(), capacity) }
    }

    pub(crate) fn prog_id(guid: &Guid, text: *mut *mut u16) -> u32 {
        // SAFETY: the vectors pass a variable, or null.
        unsafe { ProgIDFromCLSID(guid, text) }.to_bits()
    }

    pub(crate) fn str_dup_wide(source: *const u16, copy: *mut *mut u16) -> u32 {
        // SAFETY: the vectors pass null or a terminated array, and a variable.
        unsafe { SHStrDupW(source, copy) }.to_bits()
    }

    pub(crate) fn str_dup_narrow(source: *const u8, copy: *mut *mut u16) -> u32 {
        // SAFETY: the vectors pass null or a terminated array, and a variable.
        unsafe { SHStrDupA(source, copy) }.to_bits()
    }
}
