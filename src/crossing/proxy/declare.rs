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
/// What is not understood is said where it stands:
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
            $([allow($($waiver:ident),+ $(,)?)])?
            fn $method:ident($([$($direction:tt)+] $parameter:ident: $type:ty),* $(,)?) $(-> $result:ty)?;
        )*}
    )+) => {$(
        $(#[$meta])*
        #[derive(Debug)]
        $visible enum $name {}

        #[allow(
            non_snake_case,
            missing_docs,
            unused_imports,
            unused_mut,
            unreachable_pub,
            clippy::too_many_arguments,
            clippy::undocumented_unsafe_blocks,
            clippy::missing_safety_doc
        )]
        const _: () = {
            use $crate::crossing::proxy::types::{
                BSTR, Block, HRESULT, IUnknown, LPOLESTR, LPSTR, LPWSTR,
            };
            use $crate::crossing::proxy::{Description, Interface, Judged, Wire, types::Return};

            #[derive(Clone, Copy, Debug)]
            #[repr(C)]
            pub struct Vtbl {
                pub base: <$base as Interface>::Vtbl,
                $(pub $method: unsafe extern "system" fn(
                    *mut ::core::ffi::c_void
                    $(, <$type as Wire>::Raw)*
                ) -> <$crate::checked_interface!(@result $($result)?) as Wire>::Raw,)*
            }

            // SAFETY: it begins with the base's; each function is the one below of its name.
            unsafe impl Interface for $name {
                type Vtbl = Vtbl;
                const PROXY: Vtbl = Vtbl {
                    base: <$base as Interface>::PROXY,
                    $($method,)*
                };

                fn description() -> &'static Description {
                    static VTBL: Vtbl = <$name as Interface>::PROXY;
                    // SAFETY: it is this interface's alone.
                    static DESCRIPTION: Description = unsafe {
                        Description::new(IID, <$base as Interface>::description, &VTBL)
                    };
                    &DESCRIPTION
                }
            }

            const IID: $crate::Guid = $crate::crossing::proxy::guid($iid);

            // SAFETY: an object of the interface.
            unsafe impl Wire for $name {
                type Raw = $crate::com::Object<Vtbl>;
                const INTERFACE: ::core::option::Option<$crate::crossing::proxy::types::Interfacing> =
                    ::core::option::Option::Some(<$name as Interface>::description);
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
                ) -> ::core::option::Option<$crate::crossing::Reference<Vtbl>> {
                    // SAFETY: the caller's promise.
                    unsafe { $crate::crossing::proxy::wrap::<$name>(object) }
                }
            }

            $(
                unsafe extern "system" fn $method(
                    this: *mut ::core::ffi::c_void
                    $(, $parameter: <$type as Wire>::Raw)*
                ) -> <$crate::checked_interface!(@result $($result)?) as Wire>::Raw {
                    let name = concat!(stringify!($name), "::", stringify!($method));
                    // SAFETY: only proxies have this function in their vtable.
                    let Some(mut call) = (unsafe { Judged::begin(this, name) }) else {
                        return <$crate::checked_interface!(@result $($result)?) as Return>::of_none();
                    };
                    $($($crate::checked_interface!(@allow call, $waiver);)+)?
                    $(let $parameter = $crate::checked_interface!(
                        @declare call, $parameter, $type, [$($direction)+]
                    );)*
                    let real = call.real();
                    // SAFETY: the real object is one of this interface, and the proxy has a reference to it.
                    let method = unsafe { (*real.cast::<$crate::com::Object<Vtbl>>()).vtbl.$method };
                    // SAFETY: what the caller passed, or its like for this side.
                    let result = unsafe { method(real $(, $parameter)*) };
                    // SAFETY: that of this call.
                    unsafe { call.end::<$crate::checked_interface!(@result $($result)?)>(result) }
                }
            )*
        };
    )+};

    (@result) => { () };
    (@result $result:ty) => { $result };

    (@allow $call:ident, may_fail_with_outs) => { $call.may_fail_with_outs() };
    (@allow $call:ident, calls_back) => { $call.calls_back() };
    (@allow $call:ident, $other:ident) => {
        compile_error!(concat!(
            "no waiver is called `", stringify!($other), "`: there are may_fail_with_outs and calls_back"
        ))
    };

    // The promises are the caller's: those of the method that it calls.
    (@declare $call:ident, $parameter:ident, $type:ty, [in]) => {
        unsafe { $call.input::<$type>(stringify!($parameter), $parameter) }
    };
    (@declare $call:ident, $parameter:ident, $type:ty, [out $(, retval)?]) => {
        unsafe { $call.output::<$type>(stringify!($parameter), $parameter, false) }
    };
    (@declare $call:ident, $parameter:ident, $type:ty, [out, allocate(dont_free)]) => {
        unsafe { $call.output::<$type>(stringify!($parameter), $parameter, true) }
    };
    (@declare $call:ident, $parameter:ident, $type:ty, [in, out]) => {
        unsafe { $call.in_out::<$type>(stringify!($parameter), $parameter) }
    };
    (@declare $call:ident, $parameter:ident, $type:ty, [out, size_is(, *$count:ident)]) => {
        unsafe { $call.output_array::<$type>(stringify!($parameter), $parameter, $count) }
    };
    (@declare $call:ident, $parameter:ident, $type:ty, [in, size_is($size:expr)]) => {
        $crate::checked_interface!(@sized $call, $parameter, $type, In, $size, ::core::ptr::null())
    };
    (@declare $call:ident, $parameter:ident, $type:ty, [out, size_is($size:expr) $(, length_is(*$count:ident))?]) => {
        $crate::checked_interface!(@sized $call, $parameter, $type, Out, $size $(, $count)?, ::core::ptr::null())
    };
    (@declare $call:ident, $parameter:ident, $type:ty, [in, out, size_is($size:expr) $(, length_is(*$count:ident))?]) => {
        $crate::checked_interface!(@sized $call, $parameter, $type, InOut, $size $(, $count)?, ::core::ptr::null())
    };
    (@sized $call:ident, $parameter:ident, $type:ty, $extent:ident, $size:expr, $count:expr $(, $none:expr)?) => {{
        let size = $crate::crossing::proxy::elements($size);
        let extent = $crate::crossing::proxy::Extent::$extent;
        unsafe { $call.sized::<$type>(stringify!($parameter), $parameter, extent, size, $count) }
    }};
    (@declare $call:ident, $parameter:ident, $type:ty, [$($other:tt)+]) => {
        compile_error!(concat!(
            "`", stringify!($parameter), "`: no direction is called [", stringify!($($other)+),
            "]; write [in], [out], [out, retval], [in, out], or one of these with size_is(...)"
        ))
    };

    ($($other:tt)*) => {
        compile_error!(
            "write: interface IName(\"6f1a3b52-5c1e-4f7e-9d7a-0d6f3c0f2b11\"): IUnknown { \
             fn Method([in] name: BSTR, [out] text: *mut BSTR) -> HRESULT; }"
        );
    };
}
