//! The macro.

/// Declares interfaces whose calls are judged: see [`crossing::proxy`](crate::crossing::proxy).
///
/// For each it makes a type of the name, which stands in the declarations of other methods (`*mut IName`), with one function:
///
/// * `unsafe fn wrap(object: *mut c_void) -> Option<Reference<…>>`: a proxy before an object, which must be an interface pointer of a
///   live one with that vtable; `None` for null. The caller's reference to the object is still the caller's.
///
/// # Examples
///
/// ```
/// olemem::checked_interface! {
///     /// A page.
///     pub interface IPage("2f3b8f34-9a6a-4d0e-8a0f-0d6f3c0f2b01"): IUnknown {
///         fn get_Title([out, retval] title: *mut BSTR) -> HRESULT;
///         fn get_Path([out] path: *mut LPWSTR) -> HRESULT;
///         fn get_Name([out, size_is(units)] buffer: *mut u16, [in] units: u32) -> HRESULT;
///         fn get_Links([out, size_is(, *count)] links: *mut *mut BSTR, [out] count: *mut u32) -> HRESULT;
///         fn visits() -> u32;
///     }
///     /// A browser.
///     pub interface IBrowser("2f3b8f34-9a6a-4d0e-8a0f-0d6f3c0f2b02"): IUnknown {
///         fn Rename([in] name: BSTR, [in, out] title: *mut BSTR) -> HRESULT;
///         fn get_Page([in] index: u32, [out, retval] page: *mut *mut IPage) -> HRESULT;
///         [allow(may_fail_with_outs)]
///         fn Find([in] text: BSTR, [out] rest: *mut BSTR) -> HRESULT;
///     }
///     pub interface IBrowser2("2f3b8f34-9a6a-4d0e-8a0f-0d6f3c0f2b03"): IBrowser {
///         fn Close();
///     }
/// }
/// ```
///
/// What is not understood is said at the word where it is, by the compiler's own "no rules expected". A type that cannot cross is said at
/// the type, and wherever else it is needed:
///
/// ```compile_fail
/// olemem::checked_interface! {
///     interface IText("2f3b8f34-9a6a-4d0e-8a0f-0d6f3c0f2b04"): IUnknown {
///         fn put_Text([inn] text: BSTR) -> HRESULT; // no such direction
///     }
/// }
/// ```
///
/// ```compile_fail
/// olemem::checked_interface! {
///     interface IText("2f3b8f34-9a6a-4d0e-8a0f-0d6f3c0f2b05"): IUnknown {
///         fn put_Text(text: BSTR) -> HRESULT; // no direction at all
///     }
/// }
/// ```
///
/// ```compile_fail
/// olemem::checked_interface! {
///     interface IText("2f3b8f34-9a6a-4d0e-8a0f-0d6f3c0f2b08"): IUnknown {
///         fn get_Text([out] text: *mut BSTR) -> HRESULT // no semicolon
///         fn put_Text([in] text: BSTR) -> HRESULT;
///     }
/// }
/// ```
///
/// ```compile_fail,E0080
/// olemem::checked_interface! {
///     interface IText("2f3b8f34-9a6a-4d0e-8a0f-0d6f3c0f2b09"): IUnknown {
///         fn put_Other([in] other: IUnknown) -> HRESULT; // an interface is behind a pointer
///     }
/// }
/// ```
///
/// ```compile_fail,E0277
/// olemem::checked_interface! {
///     interface IText("2f3b8f34-9a6a-4d0e-8a0f-0d6f3c0f2b0a"): IUnknown {
///         fn Read([out, size_is(cb)] bytes: *const u8, [in] cb: u32) -> HRESULT; // what is [out] is written to
///     }
/// }
/// ```
///
/// ```compile_fail,E0277
/// olemem::checked_interface! {
///     interface IText("2f3b8f34-9a6a-4d0e-8a0f-0d6f3c0f2b06"): IUnknown {
///         fn get_Text([out] text: BSTR) -> HRESULT; // an [out] parameter is a pointer to a variable
///     }
/// }
/// ```
///
/// ```compile_fail,E0277
/// olemem::checked_interface! {
///     interface IText("2f3b8f34-9a6a-4d0e-8a0f-0d6f3c0f2b07"): IUnknown {
///         fn put_Text([in] text: String) -> HRESULT; // no type that crosses
///     }
/// }
/// ```
///
/// ```compile_fail,E0080
/// olemem::checked_interface! {
///     interface IText("2f3b8f34"): IUnknown {} // no identifier
/// }
/// ```
#[macro_export]
macro_rules! checked_interface {
    ($(
        $(#[$meta:meta])*
        $visible:vis interface $name:ident($iid:literal): $base:ident {$(
            $(#[$about:meta])*
            $([allow($($waiver:tt)+)])?
            fn $method:ident($([$($direction:tt)+] $parameter:ident: $type:ty),* $(,)?) $(-> $result:ty)?;
        )*}
    )+) => {$(
        $(#[$meta])*
        #[derive(Debug)]
        $visible enum $name {}

        #[allow(
            non_snake_case,
            non_camel_case_types,
            missing_docs,
            unused_imports,
            unused_mut,
            unreachable_pub,
            clippy::too_many_arguments,
            clippy::undocumented_unsafe_blocks,
            clippy::missing_safety_doc
        )]
        const _: () = {
            // All other names here are spelled out, or nobody else's.
            use $crate::crossing::proxy::types::{
                BOOL, BSTR, BYTE, Block, DWORD, HRESULT, INT, IUnknown, LONG, LONGLONG, LPCOLESTR,
                LPCSTR, LPCWSTR, LPOLESTR, LPSTR, LPWSTR, REFIID, SHORT, UINT, ULONG, ULONGLONG,
                USHORT, VARIANT_BOOL, WORD, c_void,
            };

            #[derive(Clone, Copy)]
            #[repr(C)]
            pub struct __OlememVtbl {
                pub base: <$base as $crate::crossing::proxy::Interface>::Vtbl,
                $(pub $method: unsafe extern "system" fn(
                    *mut ::core::ffi::c_void
                    $(, $crate::crossing::proxy::types::Raw<$type>)*
                ) -> $crate::crossing::proxy::types::Raw<$crate::__olemem_result!($($result)?)>,)*
            }

            impl ::core::fmt::Debug for __OlememVtbl {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.write_str(::core::concat!(::core::stringify!($name), "Vtbl"))
                }
            }

            // SAFETY: it begins with the base's; each function is the one below of its name.
            unsafe impl $crate::crossing::proxy::Interface for $name {
                type Vtbl = __OlememVtbl;
                const PROXY: __OlememVtbl = __OlememVtbl {
                    base: <$base as $crate::crossing::proxy::Interface>::PROXY,
                    $($method,)*
                };

                fn description() -> &'static $crate::crossing::proxy::Description {
                    static __OLEMEM_TABLE: $crate::crossing::proxy::Table<__OlememVtbl> =
                        $crate::crossing::proxy::Table::new(
                            <$name as $crate::crossing::proxy::Interface>::PROXY,
                        );
                    // SAFETY: the table is this interface's alone.
                    static __OLEMEM_DESCRIPTION: $crate::crossing::proxy::Description = unsafe {
                        $crate::crossing::proxy::Description::new(
                            __OLEMEM_IID,
                            <$base as $crate::crossing::proxy::Interface>::description,
                            &__OLEMEM_TABLE,
                        )
                    };
                    &__OLEMEM_DESCRIPTION
                }
            }

            const __OLEMEM_IID: $crate::Guid = $crate::crossing::proxy::guid($iid);

            // SAFETY: an object of the interface.
            unsafe impl $crate::crossing::proxy::Wire for $name {
                type Raw = $crate::com::Object<__OlememVtbl>;
                const INTERFACE: ::core::option::Option<$crate::crossing::proxy::types::Interfacing> =
                    ::core::option::Option::Some(
                        <$name as $crate::crossing::proxy::Interface>::description,
                    );
            }

            impl $name {
                /// A proxy before an object; `None` for null.
                ///
                /// *Ownership:* the caller's reference to the object stays the caller's, the proxy has its own. The one to the
                /// proxy is released when it is dropped.
                ///
                /// # Safety
                ///
                /// * `object` is null or an interface pointer of a live object, whose vtable is that of the interface.
                #[must_use]
                pub unsafe fn wrap(
                    object: *mut ::core::ffi::c_void,
                ) -> ::core::option::Option<$crate::crossing::Reference<__OlememVtbl>> {
                    // SAFETY: the caller's promise.
                    unsafe { $crate::crossing::proxy::wrap::<$name>(object) }
                }
            }

            $(
                $(const _: () = ::core::assert!(
                    <$type as $crate::crossing::proxy::Wire>::INTERFACE.is_none(),
                    ::core::concat!(
                        "an interface is behind a pointer: write `", ::core::stringify!($parameter), ": *mut ",
                        ::core::stringify!($type), "`"
                    )
                );)*

                unsafe extern "system" fn $method(
                    this: *mut ::core::ffi::c_void
                    $(, $parameter: $crate::crossing::proxy::types::Raw<$type>)*
                ) -> $crate::crossing::proxy::types::Raw<$crate::__olemem_result!($($result)?)> {
                    let name = ::core::concat!(::core::stringify!($name), "::", ::core::stringify!($method));
                    // SAFETY: only proxies have this function in their vtable.
                    let ::core::option::Option::Some(mut call) =
                        (unsafe { $crate::crossing::proxy::Judged::begin(this, name) })
                    else {
                        return <$crate::__olemem_result!($($result)?)
                            as $crate::crossing::proxy::types::Return>::of_none();
                    };
                    $($crate::__olemem_waivers!(call, $($waiver)+);)?
                    $(let $parameter = $crate::__olemem_parameter!(
                        (call, $parameter, $type) [] [] [] [] []; $($direction)+
                    );)*
                    let real = call.real();
                    // SAFETY: the real object is one of this interface, and the proxy has a reference to it.
                    let method = unsafe { (*real.cast::<$crate::com::Object<__OlememVtbl>>()).vtbl.$method };
                    // SAFETY: what the caller passed, or its like for this side.
                    let result = unsafe { method(real $(, $parameter)*) };
                    // SAFETY: that of this call.
                    unsafe { call.end::<$crate::__olemem_result!($($result)?)>(result) }
                }
            )*
        };
    )+};
}

/// What a method returns.
#[doc(hidden)]
#[macro_export]
macro_rules! __olemem_result {
    () => {
        ()
    };
    ($result:ty) => {
        $result
    };
}

/// What stands before a method: no rule expects anything else.
#[doc(hidden)]
#[macro_export]
macro_rules! __olemem_waivers {
    ($call:ident,) => {};
    ($call:ident, may_fail_with_outs $(, $($rest:tt)*)?) => {
        $call.may_fail_with_outs();
        $crate::__olemem_waivers!($call, $($($rest)*)?);
    };
    ($call:ident, calls_back $(, $($rest:tt)*)?) => {
        $call.calls_back();
        $crate::__olemem_waivers!($call, $($($rest)*)?);
    };
}

/// Reads what stands before a parameter, in any order, and declares it: whether it is \[in\], \[out\], what it is said to be, its
/// size, its length; behind the semicolon what is to be read. The promises are those of the method's caller.
#[doc(hidden)]
#[macro_export]
macro_rules! __olemem_parameter {
    ($of:tt [] $out:tt $is:tt $size:tt $length:tt; in $(, $($rest:tt)*)?) => {
        $crate::__olemem_parameter!($of [in] $out $is $size $length; $($($rest)*)?)
    };
    ($of:tt $in:tt [] $is:tt $size:tt $length:tt; out $(, $($rest:tt)*)?) => {
        $crate::__olemem_parameter!($of $in [out] $is $size $length; $($($rest)*)?)
    };
    ($of:tt $in:tt $out:tt [] $size:tt $length:tt; string $(, $($rest:tt)*)?) => {
        $crate::__olemem_parameter!($of $in $out [string] $size $length; $($($rest)*)?)
    };
    ($of:tt $in:tt $out:tt [] $size:tt $length:tt; weak $(, $($rest:tt)*)?) => {
        $crate::__olemem_parameter!($of $in $out [weak] $size $length; $($($rest)*)?)
    };
    ($of:tt $in:tt $out:tt [] $size:tt $length:tt; outer $(, $($rest:tt)*)?) => {
        $crate::__olemem_parameter!($of $in $out [outer] $size $length; $($($rest)*)?)
    };
    ($of:tt $in:tt $out:tt [] $size:tt $length:tt; iid_is($iid:expr) $(, $($rest:tt)*)?) => {
        $crate::__olemem_parameter!($of $in $out [iid_is $iid] $size $length; $($($rest)*)?)
    };
    ($of:tt $in:tt $out:tt [] $size:tt $length:tt; allocate(dont_free) $(, $($rest:tt)*)?) => {
        $crate::__olemem_parameter!($of $in $out [dont_free] $size $length; $($($rest)*)?)
    };
    ($of:tt $in:tt $out:tt $is:tt [] $length:tt; size_is(, *$count:ident) $(, $($rest:tt)*)?) => {
        $crate::__olemem_parameter!($of $in $out $is [array $count] $length; $($($rest)*)?)
    };
    ($of:tt $in:tt $out:tt $is:tt [] $length:tt; size_is(*$count:ident $($more:tt)*) $(, $($rest:tt)*)?) => {
        $crate::__olemem_parameter!(
            $of $in $out $is
            [of unsafe { $crate::crossing::proxy::number_at($count) } $($more)*]
            $length; $($($rest)*)?
        )
    };
    ($of:tt $in:tt $out:tt $is:tt [] $length:tt; size_is($size:expr) $(, $($rest:tt)*)?) => {
        $crate::__olemem_parameter!($of $in $out $is [of $size] $length; $($($rest)*)?)
    };
    ($of:tt $in:tt $out:tt $is:tt $size:tt []; length_is(*$count:ident) $(, $($rest:tt)*)?) => {
        $crate::__olemem_parameter!($of $in $out $is $size [$count]; $($($rest)*)?)
    };
    ($of:tt $in:tt $out:tt $is:tt $size:tt $length:tt; retval $(, $($rest:tt)*)?) => {
        $crate::__olemem_parameter!($of $in $out $is $size $length; $($($rest)*)?)
    };
    ($of:tt $in:tt $out:tt $is:tt $size:tt $length:tt; unique $(, $($rest:tt)*)?) => {
        $crate::__olemem_parameter!($of $in $out $is $size $length; $($($rest)*)?)
    };
    ($of:tt $in:tt $out:tt $is:tt $size:tt $length:tt; ref $(, $($rest:tt)*)?) => {
        $crate::__olemem_parameter!($of $in $out $is $size $length; $($($rest)*)?)
    };
    ($of:tt $in:tt $out:tt $is:tt $size:tt $length:tt; ptr $(, $($rest:tt)*)?) => {
        $crate::__olemem_parameter!($of $in $out $is $size $length; $($($rest)*)?)
    };

    (($call:ident, $name:ident, $type:ty) [in] [] [] [] [];) => {
        unsafe { $call.input::<$type>(::core::stringify!($name), $name) }
    };
    (($call:ident, $name:ident, $type:ty) [in] [] [weak] [] [];) => {
        unsafe { $call.input_weak::<$type>(::core::stringify!($name), $name) }
    };
    (($call:ident, $name:ident, $type:ty) [in] [] [outer] [] [];) => {
        unsafe { $call.input_outer::<$type>(::core::stringify!($name), $name) }
    };
    (($call:ident, $name:ident, $type:ty) [in] [] [string] [] [];) => {
        unsafe { $call.input_string::<$type>(::core::stringify!($name), $name) }
    };
    (($call:ident, $name:ident, $type:ty) [in] [] [iid_is $iid:expr] [] [];) => {
        unsafe { $call.input_by_iid::<$type>(::core::stringify!($name), $name, $iid) }
    };
    (($call:ident, $name:ident, $type:ty) [] [out] [] [] [];) => {
        unsafe { $call.output::<$type>(::core::stringify!($name), $name, false) }
    };
    (($call:ident, $name:ident, $type:ty) [] [out] [dont_free] [] [];) => {
        unsafe { $call.output::<$type>(::core::stringify!($name), $name, true) }
    };
    (($call:ident, $name:ident, $type:ty) [] [out] [string] [] [];) => {
        unsafe { $call.output_string::<$type>(::core::stringify!($name), $name) }
    };
    (($call:ident, $name:ident, $type:ty) [] [out] [iid_is $iid:expr] [] [];) => {
        unsafe { $call.output_by_iid::<$type>(::core::stringify!($name), $name, $iid) }
    };
    (($call:ident, $name:ident, $type:ty) [in] [out] [] [] [];) => {
        unsafe { $call.in_out::<$type>(::core::stringify!($name), $name) }
    };
    (($call:ident, $name:ident, $type:ty) [in] [out] [string] [] [];) => {
        unsafe { $call.in_out_string::<$type>(::core::stringify!($name), $name) }
    };
    (($call:ident, $name:ident, $type:ty) [in] [out] [iid_is $iid:expr] [] [];) => {
        unsafe { $call.in_out_by_iid::<$type>(::core::stringify!($name), $name, $iid) }
    };
    (($call:ident, $name:ident, $type:ty) [] [out] [] [array $count:ident] [];) => {
        unsafe { $call.output_array::<$type, _>(::core::stringify!($name), $name, $count) }
    };
    (($call:ident, $name:ident, $type:ty) [in] [] [$(string)?] [of $size:expr] [];) => {{
        let size = $crate::crossing::proxy::elements($size);
        unsafe { $call.elements::<$type>(::core::stringify!($name), $name, size) }
    }};
    (($call:ident, $name:ident, $type:ty) [] [out] [$(string)?] [of $size:expr] [$($count:ident)?];) => {
        $crate::__olemem_parameter!(@sized $call, $name, $type, Out, $size $(, $count)?)
    };
    (($call:ident, $name:ident, $type:ty) [in] [out] [$(string)?] [of $size:expr] [$($count:ident)?];) => {
        $crate::__olemem_parameter!(@sized $call, $name, $type, InOut, $size $(, $count)?)
    };
    (@sized $call:ident, $name:ident, $type:ty, $extent:ident, $size:expr) => {
        $crate::__olemem_parameter!(@counted $call, $name, $type, $extent, $size, ::core::option::Option::None::<*const u32>)
    };
    (@sized $call:ident, $name:ident, $type:ty, $extent:ident, $size:expr, $count:ident) => {
        $crate::__olemem_parameter!(@counted $call, $name, $type, $extent, $size, ::core::option::Option::Some($count))
    };
    (@counted $call:ident, $name:ident, $type:ty, $extent:ident, $size:expr, $count:expr) => {{
        let size = $crate::crossing::proxy::elements($size);
        let extent = $crate::crossing::proxy::Extent::$extent;
        unsafe { $call.sized::<$type, _>(::core::stringify!($name), $name, extent, size, $count) }
    }};

    // Every word was understood, and not what they are together.
    (($call:ident, $name:ident, $type:ty) [$($in:ident)?] [$($out:ident)?] [$($is:tt)*] [$($size:tt)*] [$($length:tt)*];) => {
        ::core::compile_error!(::core::concat!(
            "`", ::core::stringify!($name), "` is declared by attributes that do not go together, or without a direction: there are [in], \
             [out] and [in, out]; weak and outer go with [in], dont_free with [out], length_is with size_is and [out]"
        ))
    };
}
