/*
 * olemem.h - COM's memory on Linux and macOS: BSTR strings and the COM task allocator, byte for
 * byte as Windows lays them out, under the names that COM code uses. C11 and C++17, GCC and Clang.
 *
 * Link with libolemem (static or shared). `-I .../include/win32` makes <windows.h>, <objbase.h>,
 * <oleauto.h> and their kin find this file, so that most COM code needs no change at all.
 *
 * What to know when you come from Windows:
 *
 * - OLECHAR and WCHAR are 16 bits wide, as on Windows. wchar_t usually is not (32 bits on Linux and
 *   macOS), so write OLESTR("text") or u"text", not L"text". With -fshort-wchar WCHAR is wchar_t
 *   and L"text" works too; but the C library's own wide functions (wcslen, ...) then still expect
 *   32 bits.
 * - LONG, ULONG, DWORD, HRESULT and BOOL are 32 bits wide everywhere and are never `long`. LONG and
 *   INT are therefore one type here, and two overloads that differ only in them clash.
 * - Not for Objective-C sources: BOOL is another type there.
 * - `interface` is a macro, as on Windows. Define OLEMEM_NO_INTERFACE_MACRO to go without it (other
 *   libraries use that word as a name).
 * - In C++ from C++17 on, the namespace olemem has an owner for BSTRs, text in and out, sessions and
 *   calls of the audit, and allocations that fail. Code that is to run on Windows as well does
 *   without it.
 * - Only what this file declares exists. No registry, no marshalling, no VARIANT; of SAFEARRAYs what
 *   a vector of bytes and its owner need.
 *
 * Ownership, in one breath: the caller frees what comes out of a function or a method, a BSTR with
 * SysFreeString, everything else with CoTaskMemFree; what goes in stays the caller's.
 *
 * A pointer that SysFreeString, CoTaskMemFree, IMalloc::Free or a reallocation cannot accept (freed
 * already, into the middle of a block, never allocated here) ends the program: one line on standard
 * error that begins with "olemem: ", then abort(). Under AddressSanitizer and Valgrind the pointer
 * is handed on to the system allocator instead, so that the tool reports it.
 */
#ifndef OLEMEM_H
#define OLEMEM_H

#if defined(_WIN32)
#error "olemem.h is for Linux and macOS; on Windows include the headers of the Windows SDK"
#endif

#if !defined(__cplusplus) && (!defined(__STDC_VERSION__) || __STDC_VERSION__ < 201112L)
#error "olemem.h needs C11 or later: -std=c11, -std=gnu11"
#endif

#include <stddef.h>
#include <stdint.h>
/* Before any macro of ours is defined. */
#if defined(__cplusplus) && __cplusplus >= 201703L
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>
#endif

/* ---------------------------------------------------------------- how declarations are written */

#ifdef __cplusplus
#define EXTERN_C extern "C"
#define EXTERN_C_START extern "C" {
#define EXTERN_C_END }
#define OLEMEM_STATIC_ASSERT(condition, text) static_assert(condition, text)
#define OLEMEM_INLINE inline
#else
#define EXTERN_C extern
#define EXTERN_C_START
#define EXTERN_C_END
#define OLEMEM_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#define OLEMEM_INLINE static inline
#endif

/* A cast in a macro. In C++ it is none of the old style, nor one to the type that the value has. */
#ifdef __cplusplus
template <typename To> struct olemem_cast_to {
    __attribute__((always_inline)) static constexpr To of(To value) noexcept { return value; }
    template <typename From>
    __attribute__((always_inline)) static constexpr To of(From value) noexcept {
        return static_cast<To>(value);
    }
};
#define OLEMEM_CAST(type, value) (olemem_cast_to<type>::of(value))
#else
#define OLEMEM_CAST(type, value) ((type)(value))
#endif
#if defined(__cplusplus) && __cplusplus >= 201103L
#define OLEMEM_NULL_ nullptr
#else
#define OLEMEM_NULL_ NULL
#endif

/* The compiler's own calling convention: there is one off Windows. (With -fms-extensions Clang knows
 * the words itself.) */
#if !defined(_MSC_EXTENSIONS)
#ifndef __stdcall
#define __stdcall
#endif
#ifndef __cdecl
#define __cdecl
#endif
#ifndef __fastcall
#define __fastcall
#endif
#ifndef __declspec
#define __declspec(attribute)
#endif
#endif
#define WINAPI
#define APIENTRY
#define CALLBACK
#define PASCAL
#define STDMETHODCALLTYPE
#define STDMETHODVCALLTYPE
#define STDAPICALLTYPE
#define STDAPIVCALLTYPE
#ifndef FAR
#define FAR
#endif

#define STDAPI EXTERN_C HRESULT STDAPICALLTYPE
#define STDAPI_(type) EXTERN_C type STDAPICALLTYPE
#define STDAPIV EXTERN_C HRESULT STDAPIVCALLTYPE
#define STDAPIV_(type) EXTERN_C type STDAPIVCALLTYPE
#define STDMETHODIMP HRESULT STDMETHODCALLTYPE
#define STDMETHODIMP_(type) type STDMETHODCALLTYPE
#define STDMETHODIMPV HRESULT STDMETHODVCALLTYPE
#define STDMETHODIMPV_(type) type STDMETHODVCALLTYPE
#define IFACEMETHODIMP STDMETHODIMP
#define IFACEMETHODIMP_(type) STDMETHODIMP_(type)
#define WINOLEAPI EXTERN_C HRESULT STDAPICALLTYPE
#define WINOLEAPI_(type) EXTERN_C type STDAPICALLTYPE
#define WINOLEAUTAPI EXTERN_C HRESULT STDAPICALLTYPE
#define WINOLEAUTAPI_(type) EXTERN_C type STDAPICALLTYPE

/* What only Microsoft's compiler gives a meaning to. DECLSPEC_UUID cannot attach an IID to a type
 * here: see OLEMEM_UUID_DECL. */
#define DECLSPEC_UUID(text)
#define DECLSPEC_NOVTABLE
#define DECLSPEC_NOTHROW
#define DECLSPEC_SELECTANY __attribute__((weak))
#define DECLSPEC_XFGVIRT(base, method)
#define BEGIN_INTERFACE
#define END_INTERFACE

#ifndef OLEMEM_NO_INTERFACE_MACRO
#undef interface
#define interface struct
#endif

/*
 * Interfaces. In C++ they are classes of pure virtual methods, without a virtual destructor, which
 * would take slots of the method table. In C, and in C++ with CINTERFACE defined, they are
 * structures whose one member, lpVtbl, points to a table of functions; DECLARE_INTERFACE_ then
 * takes the name of the interface from the macro INTERFACE, and the inherited methods are written
 * out by hand.
 */
#if defined(__cplusplus) && !defined(CINTERFACE)
#define STDMETHOD(method) virtual HRESULT STDMETHODCALLTYPE method
#define STDMETHOD_(type, method) virtual type STDMETHODCALLTYPE method
#define STDMETHODV(method) virtual HRESULT STDMETHODVCALLTYPE method
#define STDMETHODV_(type, method) virtual type STDMETHODVCALLTYPE method
#define PURE = 0
#define THIS_
#define THIS void
#define MIDL_INTERFACE(text) struct
#define DECLARE_INTERFACE(name) struct name
#define DECLARE_INTERFACE_(name, base) struct name : public base
#define DECLARE_INTERFACE_IID(name, text) struct name
#define DECLARE_INTERFACE_IID_(name, base, text) struct name : public base
#else
#define STDMETHOD(method) HRESULT(STDMETHODCALLTYPE *method)
#define STDMETHOD_(type, method) type(STDMETHODCALLTYPE *method)
#define STDMETHODV(method) HRESULT(STDMETHODVCALLTYPE *method)
#define STDMETHODV_(type, method) type(STDMETHODVCALLTYPE *method)
#define PURE
#define THIS_ INTERFACE *This,
#define THIS INTERFACE *This
#define DECLARE_INTERFACE(name)                                                                    \
    typedef struct name {                                                                          \
        CONST_VTBL struct name##Vtbl *lpVtbl;                                                      \
    } name;                                                                                        \
    typedef CONST_VTBL struct name##Vtbl name##Vtbl;                                               \
    struct name##Vtbl
#define DECLARE_INTERFACE_(name, base) DECLARE_INTERFACE(name)
#define DECLARE_INTERFACE_IID(name, text) DECLARE_INTERFACE(name)
#define DECLARE_INTERFACE_IID_(name, base, text) DECLARE_INTERFACE(name)
#endif
#define IFACEMETHOD(method) STDMETHOD(method)
#define IFACEMETHOD_(type, method) STDMETHOD_(type, method)

/* Define CONST_VTABLE for tables of functions that live in read-only memory. */
#ifdef CONST_VTABLE
#define CONST_VTBL const
#else
#define CONST_VTBL
#endif

/* ------------------------------------------------------------------------------ annotations
 *
 * Microsoft's source annotations, all empty. __in and __out are left out on purpose: libstdc++ uses
 * them as names.
 */
#ifndef _In_
#define _In_
#endif
#ifndef _In_z_
#define _In_z_
#endif
#ifndef _In_opt_
#define _In_opt_
#endif
#ifndef _In_opt_z_
#define _In_opt_z_
#endif
#ifndef _In_range_
#define _In_range_(low, high)
#endif
#ifndef _In_reads_
#define _In_reads_(n)
#endif
#ifndef _In_reads_z_
#define _In_reads_z_(n)
#endif
#ifndef _In_reads_opt_
#define _In_reads_opt_(n)
#endif
#ifndef _In_reads_opt_z_
#define _In_reads_opt_z_(n)
#endif
#ifndef _In_reads_bytes_
#define _In_reads_bytes_(n)
#endif
#ifndef _In_reads_bytes_opt_
#define _In_reads_bytes_opt_(n)
#endif
#ifndef _In_reads_or_z_
#define _In_reads_or_z_(n)
#endif
#ifndef _Out_
#define _Out_
#endif
#ifndef _Out_opt_
#define _Out_opt_
#endif
#ifndef _Out_range_
#define _Out_range_(low, high)
#endif
#ifndef _Out_writes_
#define _Out_writes_(n)
#endif
#ifndef _Out_writes_z_
#define _Out_writes_z_(n)
#endif
#ifndef _Out_writes_opt_
#define _Out_writes_opt_(n)
#endif
#ifndef _Out_writes_opt_z_
#define _Out_writes_opt_z_(n)
#endif
#ifndef _Out_writes_to_
#define _Out_writes_to_(n, count)
#endif
#ifndef _Out_writes_to_opt_
#define _Out_writes_to_opt_(n, count)
#endif
#ifndef _Out_writes_all_
#define _Out_writes_all_(n)
#endif
#ifndef _Out_writes_bytes_
#define _Out_writes_bytes_(n)
#endif
#ifndef _Out_writes_bytes_opt_
#define _Out_writes_bytes_opt_(n)
#endif
#ifndef _Out_writes_bytes_to_
#define _Out_writes_bytes_to_(n, count)
#endif
#ifndef _Out_writes_bytes_all_
#define _Out_writes_bytes_all_(n)
#endif
#ifndef _Inout_
#define _Inout_
#endif
#ifndef _Inout_z_
#define _Inout_z_
#endif
#ifndef _Inout_opt_
#define _Inout_opt_
#endif
#ifndef _Inout_opt_z_
#define _Inout_opt_z_
#endif
#ifndef _Inout_updates_
#define _Inout_updates_(n)
#endif
#ifndef _Inout_updates_z_
#define _Inout_updates_z_(n)
#endif
#ifndef _Inout_updates_opt_
#define _Inout_updates_opt_(n)
#endif
#ifndef _Inout_updates_bytes_
#define _Inout_updates_bytes_(n)
#endif
#ifndef _Inout_updates_bytes_opt_
#define _Inout_updates_bytes_opt_(n)
#endif
#ifndef _Outptr_
#define _Outptr_
#endif
#ifndef _Outptr_opt_
#define _Outptr_opt_
#endif
#ifndef _Outptr_result_z_
#define _Outptr_result_z_
#endif
#ifndef _Outptr_result_maybenull_
#define _Outptr_result_maybenull_
#endif
#ifndef _Outptr_result_maybenull_z_
#define _Outptr_result_maybenull_z_
#endif
#ifndef _Outptr_result_nullonfailure_
#define _Outptr_result_nullonfailure_
#endif
#ifndef _Outptr_result_buffer_
#define _Outptr_result_buffer_(n)
#endif
#ifndef _Outptr_result_bytebuffer_
#define _Outptr_result_bytebuffer_(n)
#endif
#ifndef _Outptr_opt_result_maybenull_
#define _Outptr_opt_result_maybenull_
#endif
#ifndef _COM_Outptr_
#define _COM_Outptr_
#endif
#ifndef _COM_Outptr_opt_
#define _COM_Outptr_opt_
#endif
#ifndef _COM_Outptr_result_maybenull_
#define _COM_Outptr_result_maybenull_
#endif
#ifndef _COM_Outptr_opt_result_maybenull_
#define _COM_Outptr_opt_result_maybenull_
#endif
#ifndef _Ret_
#define _Ret_
#endif
#ifndef _Ret_z_
#define _Ret_z_
#endif
#ifndef _Ret_notnull_
#define _Ret_notnull_
#endif
#ifndef _Ret_maybenull_
#define _Ret_maybenull_
#endif
#ifndef _Ret_maybenull_z_
#define _Ret_maybenull_z_
#endif
#ifndef _Ret_writes_
#define _Ret_writes_(n)
#endif
#ifndef _Ret_writes_maybenull_
#define _Ret_writes_maybenull_(n)
#endif
#ifndef _Ret_writes_bytes_
#define _Ret_writes_bytes_(n)
#endif
#ifndef _Ret_writes_bytes_maybenull_
#define _Ret_writes_bytes_maybenull_(n)
#endif
#ifndef _Ret_range_
#define _Ret_range_(low, high)
#endif
#ifndef _Deref_out_
#define _Deref_out_
#endif
#ifndef _Field_size_
#define _Field_size_(n)
#endif
#ifndef _Field_size_opt_
#define _Field_size_opt_(n)
#endif
#ifndef _Field_size_bytes_
#define _Field_size_bytes_(n)
#endif
#ifndef _Field_z_
#define _Field_z_
#endif
#ifndef _Field_range_
#define _Field_range_(low, high)
#endif
#ifndef _Pre_
#define _Pre_
#endif
#ifndef _Pre_maybenull_
#define _Pre_maybenull_
#endif
#ifndef _Pre_notnull_
#define _Pre_notnull_
#endif
#ifndef _Pre_valid_
#define _Pre_valid_
#endif
#ifndef _Post_
#define _Post_
#endif
#ifndef _Post_invalid_
#define _Post_invalid_
#endif
#ifndef _Post_maybenull_
#define _Post_maybenull_
#endif
#ifndef _Post_ptr_invalid_
#define _Post_ptr_invalid_
#endif
#ifndef _Post_valid_
#define _Post_valid_
#endif
#ifndef _Post_writable_byte_size_
#define _Post_writable_byte_size_(n)
#endif
#ifndef _Post_z_
#define _Post_z_
#endif
#ifndef _Frees_ptr_
#define _Frees_ptr_
#endif
#ifndef _Frees_ptr_opt_
#define _Frees_ptr_opt_
#endif
#ifndef _Maybenull_
#define _Maybenull_
#endif
#ifndef _Notnull_
#define _Notnull_
#endif
#ifndef _Null_terminated_
#define _Null_terminated_
#endif
#ifndef _Reserved_
#define _Reserved_
#endif
#ifndef _Const_
#define _Const_
#endif
#ifndef _Points_to_data_
#define _Points_to_data_
#endif
#ifndef _Printf_format_string_
#define _Printf_format_string_
#endif
#ifndef _Check_return_
#define _Check_return_
#endif
#ifndef _Must_inspect_result_
#define _Must_inspect_result_
#endif
#ifndef _Use_decl_annotations_
#define _Use_decl_annotations_
#endif
#ifndef _Success_
#define _Success_(condition)
#endif
#ifndef _Return_type_success_
#define _Return_type_success_(condition)
#endif
#ifndef _When_
#define _When_(condition, annotations)
#endif
#ifndef _At_
#define _At_(target, annotations)
#endif
#ifndef _Analysis_assume_
#define _Analysis_assume_(condition)
#endif
/* What MIDL writes into the headers it makes. */
#ifndef __RPC_FAR
#define __RPC_FAR
#endif
#ifndef __RPC_STUB
#define __RPC_STUB
#endif
#ifndef __RPC_USER
#define __RPC_USER
#endif
#ifndef __RPC__in
#define __RPC__in
#endif
#ifndef __RPC__in_opt
#define __RPC__in_opt
#endif
#ifndef __RPC__in_string
#define __RPC__in_string
#endif
#ifndef __RPC__in_opt_string
#define __RPC__in_opt_string
#endif
#ifndef __RPC__in_ecount_full
#define __RPC__in_ecount_full(n)
#endif
#ifndef __RPC__out
#define __RPC__out
#endif
#ifndef __RPC__out_ecount_full
#define __RPC__out_ecount_full(n)
#endif
#ifndef __RPC__out_ecount_part
#define __RPC__out_ecount_part(n, count)
#endif
#ifndef __RPC__inout
#define __RPC__inout
#endif
#ifndef __RPC__inout_opt
#define __RPC__inout_opt
#endif
#ifndef __RPC__deref_in
#define __RPC__deref_in
#endif
#ifndef __RPC__deref_in_opt
#define __RPC__deref_in_opt
#endif
#ifndef __RPC__deref_out
#define __RPC__deref_out
#endif
#ifndef __RPC__deref_out_opt
#define __RPC__deref_out_opt
#endif
#ifndef __RPC__deref_out_opt_string
#define __RPC__deref_out_opt_string
#endif
#ifndef __RPC__deref_out_string
#define __RPC__deref_out_string
#endif
#ifndef __RPC__deref_inout_opt
#define __RPC__deref_inout_opt
#endif

/* -------------------------------------------------------------------------------- plain types */

/* Older code spells these in capitals. */
#ifndef VOID
#define VOID void
#endif
#ifndef CONST
#define CONST const
#endif

typedef char CHAR;
typedef unsigned char UCHAR;
typedef unsigned char BYTE;
typedef int16_t SHORT;
typedef uint16_t USHORT;
typedef uint16_t WORD;
typedef int32_t INT;
typedef uint32_t UINT;
typedef int32_t LONG;
typedef uint32_t ULONG;
typedef uint32_t DWORD;
typedef int32_t BOOL;
typedef float FLOAT;
typedef double DOUBLE;

/* `long long`, as on Windows, not int64_t: "%lld" is right for them on every platform. */
typedef long long LONGLONG;
typedef unsigned long long ULONGLONG;
typedef unsigned long long DWORDLONG;

typedef int8_t INT8;
typedef uint8_t UINT8;
typedef int16_t INT16;
typedef uint16_t UINT16;
typedef int32_t INT32;
typedef uint32_t UINT32;
typedef int32_t LONG32;
typedef uint32_t ULONG32;
typedef uint32_t DWORD32;
typedef long long INT64;
typedef unsigned long long UINT64;
typedef long long LONG64;
typedef unsigned long long ULONG64;
typedef unsigned long long DWORD64;

typedef intptr_t INT_PTR;
typedef uintptr_t UINT_PTR;
typedef intptr_t LONG_PTR;
typedef uintptr_t ULONG_PTR;
typedef uintptr_t DWORD_PTR;
typedef size_t SIZE_T;
typedef ptrdiff_t SSIZE_T;

typedef void *PVOID;
typedef void *LPVOID;
typedef const void *LPCVOID;
typedef BYTE *PBYTE;
typedef BYTE *LPBYTE;
typedef WORD *PWORD;
typedef WORD *LPWORD;
typedef INT *PINT;
typedef INT *LPINT;
typedef UINT *PUINT;
typedef LONG *PLONG;
typedef LONG *LPLONG;
typedef ULONG *PULONG;
typedef DWORD *PDWORD;
typedef DWORD *LPDWORD;
typedef BOOL *PBOOL;
typedef BOOL *LPBOOL;
typedef SIZE_T *PSIZE_T;
typedef void *HANDLE;

typedef int32_t HRESULT;
typedef int32_t SCODE;

/* Locales: a language in the low word, a sort order above it. */
typedef DWORD LCID;
typedef WORD LANGID;

#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif

/* True is all ones: compare with VARIANT_FALSE, never with VARIANT_TRUE or 1. */
typedef int16_t VARIANT_BOOL;
#define VARIANT_TRUE OLEMEM_CAST(VARIANT_BOOL, -1)
#define VARIANT_FALSE OLEMEM_CAST(VARIANT_BOOL, 0)

/*
 * WCHAR: the type of the elements of OLESTR("..."), 16 bits, native byte order. Where the
 * compiler's wchar_t has 16 bits (-fshort-wchar) it is wchar_t; else it is char16_t, a keyword in
 * C++, and in C the type that <uchar.h> calls so. The compiler's own name for it does without that
 * header, which macOS lacks.
 */
#if defined(__SIZEOF_WCHAR_T__) && __SIZEOF_WCHAR_T__ == 2
typedef wchar_t WCHAR;
#define OLEMEM_WIDE_(text) L##text
#elif defined(__cplusplus)
typedef char16_t WCHAR;
#define OLEMEM_WIDE_(text) u##text
#elif defined(__CHAR16_TYPE__)
typedef __CHAR16_TYPE__ WCHAR;
#define OLEMEM_WIDE_(text) u##text
#else
typedef uint_least16_t WCHAR;
#define OLEMEM_WIDE_(text) u##text
#endif
typedef WCHAR OLECHAR;

/* A literal of OLECHAR; works for strings and for characters, and expands macros first. */
#define OLESTR(text) OLEMEM_WIDE_(text)

typedef CHAR *PCHAR;
typedef CHAR *LPSTR;
typedef CHAR *PSTR;
typedef const CHAR *LPCSTR;
typedef const CHAR *PCSTR;
typedef WCHAR *PWCHAR;
typedef WCHAR *LPWCH;
typedef WCHAR *PWCH;
typedef const WCHAR *LPCWCH;
typedef WCHAR *LPWSTR;
typedef WCHAR *PWSTR;
typedef const WCHAR *LPCWSTR;
typedef const WCHAR *PCWSTR;
typedef OLECHAR *LPOLESTR;
typedef const OLECHAR *LPCOLESTR;

/*
 * A BSTR: a pointer to the first unit of a string that carries its length in the four bytes before
 * it, counted in bytes, and a zero unit after it, not counted. NULL means the empty string wherever
 * a BSTR is read. Only what a Sys* function made may be given to SysFreeString; any memory of this
 * shape may be read as a BSTR. To the compiler it is any OLECHAR *, so it does not stop you from
 * passing a plain string: nothing but that one difference would tell it.
 */
typedef OLECHAR *BSTR;
typedef BSTR *LPBSTR;

OLEMEM_STATIC_ASSERT(sizeof(BYTE) == 1 && sizeof(WORD) == 2 && sizeof(USHORT) == 2, "small types");
OLEMEM_STATIC_ASSERT(sizeof(INT) == 4 && sizeof(UINT) == 4, "INT and UINT are 32-bit");
OLEMEM_STATIC_ASSERT(sizeof(LONG) == 4 && sizeof(ULONG) == 4, "LONG and ULONG are 32-bit");
OLEMEM_STATIC_ASSERT(sizeof(DWORD) == 4 && sizeof(BOOL) == 4, "DWORD and BOOL are 32-bit");
OLEMEM_STATIC_ASSERT(sizeof(HRESULT) == 4, "HRESULT is 32-bit");
OLEMEM_STATIC_ASSERT(OLEMEM_CAST(HRESULT, -1) < 0, "HRESULT is signed");
OLEMEM_STATIC_ASSERT(sizeof(LONGLONG) == 8 && sizeof(ULONGLONG) == 8, "LONGLONG is 64-bit");
OLEMEM_STATIC_ASSERT(sizeof(SIZE_T) == sizeof(void *), "SIZE_T is as wide as a pointer");
OLEMEM_STATIC_ASSERT(sizeof(ULONG_PTR) == sizeof(void *), "ULONG_PTR is as wide as a pointer");
OLEMEM_STATIC_ASSERT(sizeof(VARIANT_BOOL) == 2, "VARIANT_BOOL is 16-bit");
OLEMEM_STATIC_ASSERT(sizeof(OLECHAR) == 2 && sizeof(WCHAR) == 2, "OLECHAR is 16-bit");
OLEMEM_STATIC_ASSERT(sizeof(OLESTR("ab")) == 6, "OLESTR makes 16-bit units and a terminator");

#ifndef UNREFERENCED_PARAMETER
#define UNREFERENCED_PARAMETER(parameter) ((void)(parameter))
#endif
#ifndef ARRAYSIZE
#define ARRAYSIZE(array) (sizeof(array) / sizeof((array)[0]))
#endif

/* ------------------------------------------------------------------------------ result codes */

#define SEVERITY_SUCCESS 0
#define SEVERITY_ERROR 1

#define FACILITY_NULL 0
#define FACILITY_RPC 1
#define FACILITY_DISPATCH 2
#define FACILITY_STORAGE 3
#define FACILITY_ITF 4
#define FACILITY_WIN32 7
#define FACILITY_WINDOWS 8

#define SUCCEEDED(hr) (OLEMEM_CAST(HRESULT, hr) >= 0)
#define FAILED(hr) (OLEMEM_CAST(HRESULT, hr) < 0)
#define IS_ERROR(hr) (OLEMEM_CAST(ULONG, hr) >> 31 == SEVERITY_ERROR)
#define HRESULT_CODE(hr) ((hr) & 0xFFFF)
#define HRESULT_FACILITY(hr) (((hr) >> 16) & 0x1FFF)
#define HRESULT_SEVERITY(hr) (((hr) >> 31) & 0x1)
#define SCODE_CODE(sc) HRESULT_CODE(sc)
#define SCODE_FACILITY(sc) HRESULT_FACILITY(sc)
#define SCODE_SEVERITY(sc) HRESULT_SEVERITY(sc)
#define MAKE_HRESULT(severity, facility, code)                                                     \
    OLEMEM_CAST(HRESULT, (OLEMEM_CAST(ULONG, severity) << 31) |                                    \
                             (OLEMEM_CAST(ULONG, facility) << 16) | OLEMEM_CAST(ULONG, code))
#define MAKE_SCODE(severity, facility, code)                                                       \
    OLEMEM_CAST(SCODE, MAKE_HRESULT(severity, facility, code))
#define HRESULT_FROM_WIN32(error)                                                                  \
    (OLEMEM_CAST(HRESULT, error) <= 0                                                              \
         ? OLEMEM_CAST(HRESULT, error)                                                             \
         : MAKE_HRESULT(SEVERITY_ERROR, FACILITY_WIN32, (error) & 0xFFFF))
#define _HRESULT_TYPEDEF_(code) OLEMEM_CAST(HRESULT, code)

#define S_OK _HRESULT_TYPEDEF_(0)
#define S_FALSE _HRESULT_TYPEDEF_(1)
#define NOERROR _HRESULT_TYPEDEF_(0)

#define E_NOTIMPL _HRESULT_TYPEDEF_(0x80004001)
#define E_NOINTERFACE _HRESULT_TYPEDEF_(0x80004002)
#define E_POINTER _HRESULT_TYPEDEF_(0x80004003)
#define E_ABORT _HRESULT_TYPEDEF_(0x80004004)
#define E_FAIL _HRESULT_TYPEDEF_(0x80004005)
#define E_PENDING _HRESULT_TYPEDEF_(0x8000000A)
#define E_BOUNDS _HRESULT_TYPEDEF_(0x8000000B)
#define E_CHANGED_STATE _HRESULT_TYPEDEF_(0x8000000C)
#define E_ILLEGAL_STATE_CHANGE _HRESULT_TYPEDEF_(0x8000000D)
#define E_ILLEGAL_METHOD_CALL _HRESULT_TYPEDEF_(0x8000000E)
#define E_UNEXPECTED _HRESULT_TYPEDEF_(0x8000FFFF)
#define E_ACCESSDENIED _HRESULT_TYPEDEF_(0x80070005)
#define E_HANDLE _HRESULT_TYPEDEF_(0x80070006)
#define E_OUTOFMEMORY _HRESULT_TYPEDEF_(0x8007000E)
#define E_INVALIDARG _HRESULT_TYPEDEF_(0x80070057)

#define CLASS_E_NOAGGREGATION _HRESULT_TYPEDEF_(0x80040110)
#define CLASS_E_CLASSNOTAVAILABLE _HRESULT_TYPEDEF_(0x80040111)
#define REGDB_E_READREGDB _HRESULT_TYPEDEF_(0x80040150)
#define REGDB_E_WRITEREGDB _HRESULT_TYPEDEF_(0x80040151)
#define REGDB_E_KEYMISSING _HRESULT_TYPEDEF_(0x80040152)
#define REGDB_E_INVALIDVALUE _HRESULT_TYPEDEF_(0x80040153)
#define REGDB_E_CLASSNOTREG _HRESULT_TYPEDEF_(0x80040154)
#define REGDB_E_IIDNOTREG _HRESULT_TYPEDEF_(0x80040155)
#define CO_E_NOTINITIALIZED _HRESULT_TYPEDEF_(0x800401F0)
#define CO_E_ALREADYINITIALIZED _HRESULT_TYPEDEF_(0x800401F1)
#define CO_E_CLASSSTRING _HRESULT_TYPEDEF_(0x800401F3)
#define CO_E_IIDSTRING _HRESULT_TYPEDEF_(0x800401F4)
#define CO_E_OBJNOTREG _HRESULT_TYPEDEF_(0x800401FB)
#define CO_E_OBJISREG _HRESULT_TYPEDEF_(0x800401FC)
#define CO_E_OBJNOTCONNECTED _HRESULT_TYPEDEF_(0x800401FD)
#define CONNECT_E_NOCONNECTION _HRESULT_TYPEDEF_(0x80040200)
#define CONNECT_E_ADVISELIMIT _HRESULT_TYPEDEF_(0x80040201)
#define CONNECT_E_CANNOTCONNECT _HRESULT_TYPEDEF_(0x80040202)

#define DISP_E_UNKNOWNINTERFACE _HRESULT_TYPEDEF_(0x80020001)
#define DISP_E_MEMBERNOTFOUND _HRESULT_TYPEDEF_(0x80020003)
#define DISP_E_PARAMNOTFOUND _HRESULT_TYPEDEF_(0x80020004)
#define DISP_E_TYPEMISMATCH _HRESULT_TYPEDEF_(0x80020005)
#define DISP_E_UNKNOWNNAME _HRESULT_TYPEDEF_(0x80020006)
#define DISP_E_NONAMEDARGS _HRESULT_TYPEDEF_(0x80020007)
#define DISP_E_BADVARTYPE _HRESULT_TYPEDEF_(0x80020008)
#define DISP_E_EXCEPTION _HRESULT_TYPEDEF_(0x80020009)
#define DISP_E_OVERFLOW _HRESULT_TYPEDEF_(0x8002000A)
#define DISP_E_BADINDEX _HRESULT_TYPEDEF_(0x8002000B)
#define DISP_E_UNKNOWNLCID _HRESULT_TYPEDEF_(0x8002000C)
#define DISP_E_ARRAYISLOCKED _HRESULT_TYPEDEF_(0x8002000D)
#define DISP_E_BADPARAMCOUNT _HRESULT_TYPEDEF_(0x8002000E)
#define DISP_E_PARAMNOTOPTIONAL _HRESULT_TYPEDEF_(0x8002000F)
#define DISP_E_BADCALLEE _HRESULT_TYPEDEF_(0x80020010)
#define DISP_E_NOTACOLLECTION _HRESULT_TYPEDEF_(0x80020011)
#define DISP_E_DIVBYZERO _HRESULT_TYPEDEF_(0x80020012)
#define DISP_E_BUFFERTOOSMALL _HRESULT_TYPEDEF_(0x80020013)

#define STG_E_INVALIDFUNCTION _HRESULT_TYPEDEF_(0x80030001)
#define STG_E_FILENOTFOUND _HRESULT_TYPEDEF_(0x80030002)
#define STG_E_ACCESSDENIED _HRESULT_TYPEDEF_(0x80030005)
#define STG_E_INSUFFICIENTMEMORY _HRESULT_TYPEDEF_(0x80030008)
#define STG_E_INVALIDPOINTER _HRESULT_TYPEDEF_(0x80030009)
#define STG_E_MEDIUMFULL _HRESULT_TYPEDEF_(0x80030070)

#define RPC_E_CALL_REJECTED _HRESULT_TYPEDEF_(0x80010001)
#define RPC_E_CHANGED_MODE _HRESULT_TYPEDEF_(0x80010106)
#define RPC_E_DISCONNECTED _HRESULT_TYPEDEF_(0x80010108)
#define RPC_E_WRONG_THREAD _HRESULT_TYPEDEF_(0x8001010E)

/* Win32 codes, for HRESULT_FROM_WIN32 and for code that keeps them as they are. */
#define ERROR_SUCCESS 0
#define ERROR_FILE_NOT_FOUND 2
#define ERROR_ACCESS_DENIED 5
#define ERROR_INVALID_HANDLE 6
#define ERROR_NOT_ENOUGH_MEMORY 8
#define ERROR_OUTOFMEMORY 14
#define ERROR_INVALID_PARAMETER 87
#define ERROR_INSUFFICIENT_BUFFER 122
#define E_NOT_SUFFICIENT_BUFFER HRESULT_FROM_WIN32(ERROR_INSUFFICIENT_BUFFER)
#define ERROR_MORE_DATA 234
#define ERROR_ARITHMETIC_OVERFLOW 534
#define RPC_S_INVALID_BOUND 1734
#define RPC_X_BAD_STUB_DATA 1783

/* ------------------------------------------------------------------- constants of the functions */

/* For CoGetMalloc: it accepts MEMCTX_TASK only. */
typedef enum tagMEMCTX {
    MEMCTX_TASK = 1,
    MEMCTX_SHARED = 2,
    MEMCTX_MACSYSTEM = 3,
    MEMCTX_UNKNOWN = -1,
    MEMCTX_SAME = -2
} MEMCTX;

/* What VarBstrCmp answers, as an HRESULT. */
#define VARCMP_LT 0
#define VARCMP_EQ 1
#define VARCMP_GT 2
#define VARCMP_NULL 3

/* Flags of VarBstrCmp. Only NORM_IGNORECASE has an effect here. */
#define NORM_IGNORECASE 0x00000001
#define NORM_IGNORENONSPACE 0x00000002
#define NORM_IGNORESYMBOLS 0x00000004
#define NORM_IGNOREKANATYPE 0x00010000
#define NORM_IGNOREWIDTH 0x00020000
#define NORM_IGNOREKASHIDA 0x00040000

#define LANG_NEUTRAL 0x00
#define LANG_INVARIANT 0x7F
#define LANG_ENGLISH 0x09
#define SUBLANG_NEUTRAL 0x00
#define SUBLANG_DEFAULT 0x01
#define SUBLANG_SYS_DEFAULT 0x02
#define SUBLANG_ENGLISH_US 0x01
#define SORT_DEFAULT 0x0
#define MAKELANGID(primary, sub)                                                                   \
    OLEMEM_CAST(LANGID, (OLEMEM_CAST(WORD, sub) << 10) | OLEMEM_CAST(WORD, primary))
#define MAKELCID(language, sort)                                                                   \
    OLEMEM_CAST(LCID, (OLEMEM_CAST(DWORD, OLEMEM_CAST(WORD, sort)) << 16) |                        \
                          OLEMEM_CAST(DWORD, OLEMEM_CAST(WORD, language)))
#define PRIMARYLANGID(language) OLEMEM_CAST(WORD, (language) & 0x3FF)
#define SUBLANGID(language) OLEMEM_CAST(WORD, OLEMEM_CAST(WORD, language) >> 10)
#define LANGIDFROMLCID(locale) OLEMEM_CAST(LANGID, locale)
#define LANG_SYSTEM_DEFAULT MAKELANGID(LANG_NEUTRAL, SUBLANG_SYS_DEFAULT)
#define LANG_USER_DEFAULT MAKELANGID(LANG_NEUTRAL, SUBLANG_DEFAULT)
#define LOCALE_SYSTEM_DEFAULT MAKELCID(LANG_SYSTEM_DEFAULT, SORT_DEFAULT)
#define LOCALE_USER_DEFAULT MAKELCID(LANG_USER_DEFAULT, SORT_DEFAULT)
#define LOCALE_NEUTRAL MAKELCID(MAKELANGID(LANG_NEUTRAL, SUBLANG_NEUTRAL), SORT_DEFAULT)
#define LOCALE_INVARIANT MAKELCID(MAKELANGID(LANG_INVARIANT, SUBLANG_NEUTRAL), SORT_DEFAULT)

/* ---------------------------------------------------------------------------------- safe arrays */

/* What a VARIANT or the elements of an array are. Of arrays, see SafeArrayCreate. */
typedef uint16_t VARTYPE;
enum VARENUM {
    VT_EMPTY = 0,
    VT_NULL = 1,
    VT_I2 = 2,
    VT_I4 = 3,
    VT_R4 = 4,
    VT_R8 = 5,
    VT_CY = 6,
    VT_DATE = 7,
    VT_BSTR = 8,
    VT_DISPATCH = 9,
    VT_ERROR = 10,
    VT_BOOL = 11,
    VT_VARIANT = 12,
    VT_UNKNOWN = 13,
    VT_DECIMAL = 14,
    VT_I1 = 16,
    VT_UI1 = 17,
    VT_UI2 = 18,
    VT_UI4 = 19,
    VT_I8 = 20,
    VT_UI8 = 21,
    VT_INT = 22,
    VT_UINT = 23,
    VT_RECORD = 36,
    VT_INT_PTR = 37,
    VT_UINT_PTR = 38,
    VT_ARRAY = 0x2000,
    VT_BYREF = 0x4000
};

typedef struct tagSAFEARRAYBOUND {
    /* How many elements, and the index of the first. */
    ULONG cElements;
    LONG lLbound;
} SAFEARRAYBOUND;
typedef SAFEARRAYBOUND *LPSAFEARRAYBOUND;

/* The descriptor of an array. Its bounds are from right to left, and as many as it has dimensions. */
typedef struct tagSAFEARRAY {
    USHORT cDims;
    USHORT fFeatures;
    ULONG cbElements;
    ULONG cLocks;
    PVOID pvData;
    SAFEARRAYBOUND rgsabound[1];
} SAFEARRAY;
typedef SAFEARRAY *LPSAFEARRAY;

#define FADF_AUTO 0x1
#define FADF_STATIC 0x2
#define FADF_EMBEDDED 0x4
#define FADF_FIXEDSIZE 0x10
#define FADF_RECORD 0x20
#define FADF_HAVEIID 0x40
#define FADF_HAVEVARTYPE 0x80
#define FADF_BSTR 0x100
#define FADF_UNKNOWN 0x200
#define FADF_DISPATCH 0x400
#define FADF_VARIANT 0x800
#define FADF_RESERVED 0xF008

OLEMEM_STATIC_ASSERT(sizeof(VARTYPE) == 2 && sizeof(SAFEARRAYBOUND) == 8, "types of arrays");
OLEMEM_STATIC_ASSERT(sizeof(SAFEARRAY) == 16 + 2 * sizeof(void *), "the descriptor of an array");
OLEMEM_STATIC_ASSERT(offsetof(SAFEARRAY, rgsabound) == sizeof(SAFEARRAY) - 8, "bounds of an array");

/* -------------------------------------------------------------------- identifiers of interfaces */

#ifndef GUID_DEFINED
#define GUID_DEFINED
typedef struct _GUID {
    uint32_t Data1;
    uint16_t Data2;
    uint16_t Data3;
    uint8_t Data4[8];
} GUID;
#endif
OLEMEM_STATIC_ASSERT(sizeof(GUID) == 16, "a GUID has 16 bytes");
OLEMEM_STATIC_ASSERT(offsetof(GUID, Data2) == 4 && offsetof(GUID, Data4) == 8, "members of a GUID");

typedef GUID IID;
typedef GUID CLSID;
typedef GUID FMTID;
typedef GUID *LPGUID;
typedef const GUID *LPCGUID;
typedef IID *LPIID;
typedef CLSID *LPCLSID;

#ifdef __cplusplus
#define REFGUID const GUID &
#define REFIID const IID &
#define REFCLSID const CLSID &
#define REFFMTID const FMTID &
#else
#define REFGUID const GUID *
#define REFIID const IID *
#define REFCLSID const CLSID *
#define REFFMTID const FMTID *
#endif

/* All zero. An object of each source file's own, not a symbol: nothing to link. */
__attribute__((unused)) static const GUID GUID_NULL = {0, 0, 0, {0, 0, 0, 0, 0, 0, 0, 0}};
#define IID_NULL GUID_NULL
#define CLSID_NULL GUID_NULL
#define FMTID_NULL GUID_NULL

/* Whether two identifiers are the same: 1 or 0. */
#ifdef __cplusplus
inline BOOL IsEqualGUID(REFGUID left, REFGUID right) {
    return __builtin_memcmp(&left, &right, sizeof(GUID)) == 0;
}
#ifndef _SYS_GUID_OPERATOR_EQ_
#define _SYS_GUID_OPERATOR_EQ_
inline bool operator==(REFGUID left, REFGUID right) { return IsEqualGUID(left, right) != 0; }
inline bool operator!=(REFGUID left, REFGUID right) { return IsEqualGUID(left, right) == 0; }
#endif
#else
static inline BOOL IsEqualGUID(REFGUID left, REFGUID right) {
    return __builtin_memcmp(left, right, sizeof(GUID)) == 0;
}
#endif
#define IsEqualIID(left, right) IsEqualGUID(left, right)
#define IsEqualCLSID(left, right) IsEqualGUID(left, right)
#define IsEqualFMTID(left, right) IsEqualGUID(left, right)
#define InlineIsEqualGUID(left, right) IsEqualGUID(left, right)

/* {00000000-0000-0000-C000-000000000046}. Static data of the library. */
EXTERN_C const IID IID_IUnknown;
/* {00000002-0000-0000-C000-000000000046}. Static data of the library. */
EXTERN_C const IID IID_IMalloc;
/* {0000001D-0000-0000-C000-000000000046}. Static data of the library. */
EXTERN_C const IID IID_IMallocSpy;

/* --------------------------------------------------------------------------------- interfaces */

typedef struct IUnknown IUnknown;
typedef struct IMalloc IMalloc;
typedef struct IMallocSpy IMallocSpy;
typedef IUnknown *LPUNKNOWN;
typedef IMalloc *LPMALLOC;
typedef IMallocSpy *LPMALLOCSPY;

/* The usual marks of what is declared; generated headers ask for them. */
#define __IUnknown_FWD_DEFINED__
#define __IMalloc_FWD_DEFINED__
#define __IMallocSpy_FWD_DEFINED__
#define __IUnknown_INTERFACE_DEFINED__
#define __IMalloc_INTERFACE_DEFINED__
#define __IMallocSpy_INTERFACE_DEFINED__

#ifdef __cplusplus
/*
 * The IID of an interface type. Microsoft's compiler reads it off the type's declaration; GCC and
 * Clang have no place to keep it there, so MIDL_INTERFACE("...") and DECLARE_INTERFACE_IID_ drop
 * their text, and it has to be said once more, in the global namespace, after the type is complete
 * or declared:
 *
 *     OLEMEM_UUID_DECL(IBrowser, 0x6f1a3b52, 0x5c1e, 0x4f7e,
 *                      0x9d, 0x7a, 0x0d, 0x6f, 0x3c, 0x0f, 0x2b, 0x11)
 *
 * (MinGW's name for the same, __CRT_UUID_DECL, works too.) __uuidof(IBrowser), IID_PPV_ARGS and the
 * one-argument QueryInterface then find it; for a type without one they do not compile.
 */
template <typename T> struct olemem_uuidof;
template <typename T> struct olemem_uuidof<T *> : olemem_uuidof<T> {};
template <typename T> struct olemem_uuidof<T &> : olemem_uuidof<T> {};
template <typename T> struct olemem_uuidof<const T> : olemem_uuidof<T> {};
template <> struct olemem_uuidof<IUnknown> {
    static const IID &iid() { return IID_IUnknown; }
};
template <> struct olemem_uuidof<IMalloc> {
    static const IID &iid() { return IID_IMalloc; }
};
template <> struct olemem_uuidof<IMallocSpy> {
    static const IID &iid() { return IID_IMallocSpy; }
};
#define OLEMEM_UUID_DECL(type, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8)                          \
    template <> struct olemem_uuidof<type> {                                                       \
        static const IID &iid() {                                                                  \
            static const IID value = {l, w1, w2, {b1, b2, b3, b4, b5, b6, b7, b8}};                \
            return value;                                                                          \
        }                                                                                          \
    };
#ifndef __CRT_UUID_DECL
#define __CRT_UUID_DECL OLEMEM_UUID_DECL
#endif
/* A keyword of Clang's under -fms-extensions; then its own is left alone. */
#if !defined(__uuidof)
#if !defined(__is_identifier)
#define __uuidof(type) (olemem_uuidof<__typeof__(type)>::iid())
#elif __is_identifier(__uuidof)
#define __uuidof(type) (olemem_uuidof<__typeof__(type)>::iid())
#endif
#endif
#elif !defined(__CRT_UUID_DECL)
#define __CRT_UUID_DECL(type, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8)
#endif

#if defined(__cplusplus) && !defined(CINTERFACE)

/* An interface has no virtual destructor, by design: the object frees itself in Release. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"

struct IUnknown {
    /* Asks for another interface of the object. S_OK and a counted reference in *object, which the
     * caller releases; E_NOINTERFACE, and NULL stored; E_POINTER for a NULL `object`. */
    virtual HRESULT STDMETHODCALLTYPE QueryInterface(REFIID iid, void **object) = 0;
    /* Counts one reference more. The result is for diagnostics only. */
    virtual ULONG STDMETHODCALLTYPE AddRef() = 0;
    /* Counts one reference less; the last one destroys the object. */
    virtual ULONG STDMETHODCALLTYPE Release() = 0;

    /* QueryInterface with the IID taken from the pointer's type: see OLEMEM_UUID_DECL. */
    template <typename T> HRESULT QueryInterface(T **object) {
        return QueryInterface(olemem_uuidof<T>::iid(), reinterpret_cast<void **>(object));
    }
};

/* The task allocator as an object: see CoGetMalloc. Its methods and CoTaskMem* share one heap. */
struct IMalloc : public IUnknown {
    /* CoTaskMemAlloc. */
    virtual void *STDMETHODCALLTYPE Alloc(SIZE_T size) = 0;
    /* CoTaskMemRealloc. */
    virtual void *STDMETHODCALLTYPE Realloc(void *block, SIZE_T size) = 0;
    /* CoTaskMemFree. */
    virtual void STDMETHODCALLTYPE Free(void *block) = 0;
    /* The number of bytes that was asked for, exactly; (SIZE_T)-1 for NULL and for no block. */
    virtual SIZE_T STDMETHODCALLTYPE GetSize(void *block) = 0;
    /* 1 for the start of a live block, 0 for any other address whatever, -1 for NULL. */
    virtual int STDMETHODCALLTYPE DidAlloc(void *block) = 0;
    /* Gives spare memory back to the system; nothing a caller can see. */
    virtual void STDMETHODCALLTYPE HeapMinimize() = 0;
};

/*
 * What watches the task allocator: see CoRegisterMallocSpy. `request` is the caller's pointer,
 * `actual` the real one. A Pre method gives what the real call is made with, the Post method what the
 * caller gets; 0 from PreAlloc or PreRealloc makes a request for some bytes fail, without the Post
 * call. `spyed` says whether the block was allocated under this spy: only then is an offset to be
 * undone. The methods may use the allocator themselves.
 */
struct IMallocSpy : public IUnknown {
    virtual SIZE_T STDMETHODCALLTYPE PreAlloc(SIZE_T request) = 0;
    virtual void *STDMETHODCALLTYPE PostAlloc(void *actual) = 0;
    virtual void *STDMETHODCALLTYPE PreFree(void *request, BOOL spyed) = 0;
    virtual void STDMETHODCALLTYPE PostFree(BOOL spyed) = 0;
    virtual SIZE_T STDMETHODCALLTYPE PreRealloc(void *request, SIZE_T size, void **newRequest,
                                                BOOL spyed) = 0;
    /* TRUE with a block, one from before the spy included: it is spyed from now on. With NULL it
       tells of the old block. */
    virtual void *STDMETHODCALLTYPE PostRealloc(void *actual, BOOL spyed) = 0;
    virtual void *STDMETHODCALLTYPE PreGetSize(void *request, BOOL spyed) = 0;
    virtual SIZE_T STDMETHODCALLTYPE PostGetSize(SIZE_T actual, BOOL spyed) = 0;
    virtual void *STDMETHODCALLTYPE PreDidAlloc(void *request, BOOL spyed) = 0;
    virtual int STDMETHODCALLTYPE PostDidAlloc(void *request, BOOL spyed, int actual) = 0;
    virtual void STDMETHODCALLTYPE PreHeapMinimize() = 0;
    virtual void STDMETHODCALLTYPE PostHeapMinimize() = 0;
};

#pragma GCC diagnostic pop

OLEMEM_STATIC_ASSERT(sizeof(IUnknown) == sizeof(void *), "an interface is one pointer");
OLEMEM_STATIC_ASSERT(sizeof(IMalloc) == sizeof(void *), "an interface is one pointer");
OLEMEM_STATIC_ASSERT(sizeof(IMallocSpy) == sizeof(void *), "an interface is one pointer");

/* For (..., REFIID, void **): IID_PPV_ARGS(&pointer) gives the IID of the pointer's type and the
 * address. The argument is evaluated once. */
template <typename T> inline void **IID_PPV_ARGS_Helper(T **object) {
    /* Only interfaces: never evaluated, but it has to compile. */
    OLEMEM_STATIC_ASSERT(sizeof(static_cast<IUnknown *>(*object)) != 0, "an interface pointer");
    return reinterpret_cast<void **>(object);
}
#define IID_PPV_ARGS(pointer)                                                                      \
    olemem_uuidof<decltype(**(pointer))>::iid(), IID_PPV_ARGS_Helper(pointer)

#else /* C, and C++ with CINTERFACE; the methods are described above, at the C++ classes */

typedef struct IUnknownVtbl {
    HRESULT(STDMETHODCALLTYPE *QueryInterface)(IUnknown *This, REFIID iid, void **object);
    ULONG(STDMETHODCALLTYPE *AddRef)(IUnknown *This);
    ULONG(STDMETHODCALLTYPE *Release)(IUnknown *This);
} IUnknownVtbl;
struct IUnknown {
    CONST_VTBL struct IUnknownVtbl *lpVtbl;
};

typedef struct IMallocVtbl {
    HRESULT(STDMETHODCALLTYPE *QueryInterface)(IMalloc *This, REFIID iid, void **object);
    ULONG(STDMETHODCALLTYPE *AddRef)(IMalloc *This);
    ULONG(STDMETHODCALLTYPE *Release)(IMalloc *This);
    void *(STDMETHODCALLTYPE *Alloc)(IMalloc *This, SIZE_T size);
    void *(STDMETHODCALLTYPE *Realloc)(IMalloc *This, void *block, SIZE_T size);
    void(STDMETHODCALLTYPE *Free)(IMalloc *This, void *block);
    SIZE_T(STDMETHODCALLTYPE *GetSize)(IMalloc *This, void *block);
    int(STDMETHODCALLTYPE *DidAlloc)(IMalloc *This, void *block);
    void(STDMETHODCALLTYPE *HeapMinimize)(IMalloc *This);
} IMallocVtbl;
struct IMalloc {
    CONST_VTBL struct IMallocVtbl *lpVtbl;
};

typedef struct IMallocSpyVtbl {
    HRESULT(STDMETHODCALLTYPE *QueryInterface)(IMallocSpy *This, REFIID iid, void **object);
    ULONG(STDMETHODCALLTYPE *AddRef)(IMallocSpy *This);
    ULONG(STDMETHODCALLTYPE *Release)(IMallocSpy *This);
    SIZE_T(STDMETHODCALLTYPE *PreAlloc)(IMallocSpy *This, SIZE_T request);
    void *(STDMETHODCALLTYPE *PostAlloc)(IMallocSpy *This, void *actual);
    void *(STDMETHODCALLTYPE *PreFree)(IMallocSpy *This, void *request, BOOL spyed);
    void(STDMETHODCALLTYPE *PostFree)(IMallocSpy *This, BOOL spyed);
    SIZE_T(STDMETHODCALLTYPE *PreRealloc)(IMallocSpy *This, void *request, SIZE_T size,
                                          void **newRequest, BOOL spyed);
    void *(STDMETHODCALLTYPE *PostRealloc)(IMallocSpy *This, void *actual, BOOL spyed);
    void *(STDMETHODCALLTYPE *PreGetSize)(IMallocSpy *This, void *request, BOOL spyed);
    SIZE_T(STDMETHODCALLTYPE *PostGetSize)(IMallocSpy *This, SIZE_T actual, BOOL spyed);
    void *(STDMETHODCALLTYPE *PreDidAlloc)(IMallocSpy *This, void *request, BOOL spyed);
    int(STDMETHODCALLTYPE *PostDidAlloc)(IMallocSpy *This, void *request, BOOL spyed, int actual);
    void(STDMETHODCALLTYPE *PreHeapMinimize)(IMallocSpy *This);
    void(STDMETHODCALLTYPE *PostHeapMinimize)(IMallocSpy *This);
} IMallocSpyVtbl;
struct IMallocSpy {
    CONST_VTBL struct IMallocSpyVtbl *lpVtbl;
};

OLEMEM_STATIC_ASSERT(sizeof(IUnknownVtbl) == 3 * sizeof(void *), "IUnknown has 3 methods");
OLEMEM_STATIC_ASSERT(sizeof(IMallocVtbl) == 9 * sizeof(void *), "IMalloc has 9 methods");
OLEMEM_STATIC_ASSERT(sizeof(IMallocSpyVtbl) == 15 * sizeof(void *), "IMallocSpy has 15 methods");

#endif

/* -------------------------------------------------------------------------------------- BSTR */

/*
 * A new BSTR of the units of `psz` before its first zero unit; the caller frees it with
 * SysFreeString. NULL for NULL, and when there is no memory. A BSTR given as the source is cut at
 * its first zero unit and loses an odd last byte: copy with SysAllocStringByteLen.
 */
WINOLEAUTAPI_(BSTR) SysAllocString(_In_opt_z_ const OLECHAR *psz);

/*
 * A new BSTR of exactly `ui` units from `strIn`, zero units included, or of `ui` units that hold
 * nothing defined when `strIn` is NULL; the caller frees it. NULL when there is no memory or the
 * length is beyond what a BSTR can have (0x7FFFFFF3 units on 64-bit targets); the source is not
 * touched then.
 */
WINOLEAUTAPI_(BSTR)
SysAllocStringLen(_In_reads_opt_(ui) const OLECHAR *strIn, UINT ui);

/*
 * A new BSTR of exactly `len` bytes from `psz`, which are not converted; an odd `len` is kept. As
 * SysAllocStringLen otherwise, with a limit of 0xFFFFFFE6 bytes on 64-bit targets.
 */
WINOLEAUTAPI_(BSTR)
SysAllocStringByteLen(_In_reads_bytes_opt_(len) LPCSTR psz, UINT len);

/*
 * Replaces *pbstr by a new BSTR of `psz` and frees the old one: 1, or 0 when there is no memory,
 * and then *pbstr is as it was (on Windows that is not documented). `psz` NULL frees and stores
 * NULL. `psz` must not point into *pbstr. `pbstr` NULL gives 0; Windows crashes.
 */
WINOLEAUTAPI_(INT) SysReAllocString(_Inout_ BSTR *pbstr, _In_opt_z_ const OLECHAR *psz);

/*
 * Makes *pbstr a BSTR of `len` units from `psz`: 1, or 0 when there is no memory or the length is
 * too large, and then *pbstr is as it was. With `psz` NULL or equal to *pbstr the string is resized
 * and keeps what fits; what is new holds nothing defined. *pbstr may be NULL. `pbstr` NULL gives 0;
 * Windows crashes.
 */
WINOLEAUTAPI_(INT)
SysReAllocStringLen(_Inout_ BSTR *pbstr, _In_reads_opt_(len) const OLECHAR *psz, UINT len);

/*
 * Frees a BSTR; NULL does nothing. Windows keeps some freed strings in a cache, where a second free
 * goes unnoticed and the contents stay readable; here a second free is refused (see the top), unless
 * OLEMEM=cache=windows in the environment asks for such a cache. A pinned string is freed when its
 * last pin goes.
 */
WINOLEAUTAPI_(void) SysFreeString(_In_opt_ BSTR bstrString);

/*
 * Pins a BSTR: while it is pinned SysFreeString does not release its memory, so that a callee can
 * pass control to code it does not trust and still read what it was lent. Each pin needs one
 * SysReleaseString. S_OK, also for NULL; E_INVALIDARG when no live BSTR is there, E_OUTOFMEMORY when
 * the pin cannot be recorded: Windows documents neither. A reallocation leaves a pinned string as it
 * is, and makes the new one elsewhere. Not part of every version of Windows: code that is to run
 * there looks it up at run time.
 */
WINOLEAUTAPI SysAddRefString(_In_opt_ BSTR bstrString);

/*
 * Takes one pin back; NULL, and a string without a pin, change nothing. If the string was freed
 * while it was pinned, once or more often, its memory goes with the last pin, and it must not be
 * freed again. (Windows documents only that it is no longer protected.)
 */
WINOLEAUTAPI_(void) SysReleaseString(_In_opt_ BSTR bstrString);

/*
 * Switches the cache of freed BSTRs off from now on; what is in it is not released. Here there is
 * none unless OLEMEM=cache=windows or OLEMEM=cache=adversarial in the environment asks for one, and
 * OANOCACHE in the environment is obeyed as well.
 */
WINOLEAUTAPI_(void) SetOaNoCache(void);

/*
 * The length in units, an odd last byte not counted; 0 for NULL. Reads the four bytes before
 * `pbstr` and nothing else, so anything of a BSTR's shape will do.
 */
WINOLEAUTAPI_(UINT) SysStringLen(_In_opt_ BSTR pbstr);

/* The length in bytes, without the terminator; 0 for NULL. As SysStringLen otherwise. */
WINOLEAUTAPI_(UINT) SysStringByteLen(_In_opt_ BSTR bstr);

/*
 * Stores in *pbstrResult a new BSTR of the bytes of `bstrLeft` and then those of `bstrRight`; the
 * caller frees it. NULL counts as empty, and the result is never NULL on S_OK. The old value of
 * *pbstrResult is neither read nor freed. E_OUTOFMEMORY when there is no memory or the sum is too
 * long, and NULL is stored; E_INVALIDARG for a NULL `pbstrResult`, where Windows crashes.
 */
WINOLEAUTAPI VarBstrCat(_In_opt_ BSTR bstrLeft, _In_opt_ BSTR bstrRight,
                        _Out_ BSTR *pbstrResult);

/*
 * Compares: VARCMP_LT, VARCMP_EQ or VARCMP_GT (0, 1, 2) as an HRESULT, so that SUCCEEDED says
 * nothing; never VARCMP_NULL. A string that is NULL or begins with a zero unit is less than one
 * that is not. `lcid` 0 compares bytes and then lengths, exactly as Windows does. Any other `lcid`
 * sorts by language on Windows; here zero units are skipped, ASCII letters compare as lower case and
 * everything else as code units, and case decides last, lower first, or not at all with
 * NORM_IGNORECASE. The other flags have no effect. Frees nothing.
 */
WINOLEAUTAPI VarBstrCmp(_In_opt_ BSTR bstrLeft, _In_opt_ BSTR bstrRight, LCID lcid, ULONG dwFlags);

/* --------------------------------------------------------------------------------- safe arrays
 *
 * Arrays that say what they hold: a descriptor, and the elements, all zero when the array is made.
 * Both are task memory, of which only SafeArrayDestroy knows how to free it. Elements may be numbers
 * or BSTRs. There are no arrays here of VARIANTs, records and interfaces.
 */

/*
 * A new array of cDims dimensions, their bounds in rgsabound from left to right; the caller destroys
 * it. NULL when there is no memory; for no dimensions, or more than 65535; for a NULL rgsabound; and
 * for a `vt` that there are no arrays of.
 */
WINOLEAUTAPI_(SAFEARRAY *)
SafeArrayCreate(VARTYPE vt, UINT cDims, _In_reads_(cDims) SAFEARRAYBOUND *rgsabound);

/*
 * A new array of one dimension in one block of memory, its first element at the index lLbound; the
 * caller destroys it. NULL as for SafeArrayCreate.
 */
WINOLEAUTAPI_(SAFEARRAY *) SafeArrayCreateVector(VARTYPE vt, LONG lLbound, ULONG cElements);

/*
 * Frees an array and its elements, and each BSTR among these. S_OK, also for NULL;
 * DISP_E_ARRAYISLOCKED, and nothing is freed, while it is locked. Elements that are elsewhere
 * (FADF_AUTO, FADF_STATIC, FADF_EMBEDDED) stay; the BSTRs in them go.
 */
WINOLEAUTAPI SafeArrayDestroy(_In_opt_ SAFEARRAY *psa);

/*
 * Count the locks, of which an array may have 65535, and cannot be destroyed while it has one.
 * E_UNEXPECTED for one too many, or too few; E_INVALIDARG for NULL.
 */
WINOLEAUTAPI SafeArrayLock(_In_ SAFEARRAY *psa);
WINOLEAUTAPI SafeArrayUnlock(_In_ SAFEARRAY *psa);

/*
 * SafeArrayLock, and stores in *ppvData where the elements are, or NULL on failure; they stay the
 * array's. E_INVALIDARG for a NULL ppvData. SafeArrayUnaccessData is SafeArrayUnlock.
 */
WINOLEAUTAPI SafeArrayAccessData(_In_ SAFEARRAY *psa, _Outptr_ void **ppvData);
WINOLEAUTAPI SafeArrayUnaccessData(_In_ SAFEARRAY *psa);

/* How many dimensions an array has, and bytes an element; 0 for NULL. */
WINOLEAUTAPI_(UINT) SafeArrayGetDim(_In_opt_ SAFEARRAY *psa);
WINOLEAUTAPI_(UINT) SafeArrayGetElemsize(_In_opt_ SAFEARRAY *psa);

/*
 * Store the indices of the first and the last element in a dimension, the leftmost of which is 1;
 * without elements the last is one less than the first. DISP_E_BADINDEX for a dimension that is not
 * there, E_INVALIDARG for NULL; then nothing is stored.
 */
WINOLEAUTAPI SafeArrayGetLBound(_In_ SAFEARRAY *psa, UINT nDim, _Out_ LONG *plLbound);
WINOLEAUTAPI SafeArrayGetUBound(_In_ SAFEARRAY *psa, UINT nDim, _Out_ LONG *plUbound);

/* Stores the type of the elements. E_INVALIDARG for NULL, and for an array that does not say. */
WINOLEAUTAPI SafeArrayGetVartype(_In_ SAFEARRAY *psa, _Out_ VARTYPE *pvt);

/*
 * Stores in *ppsa a new array (VT_UI1, one dimension from 0 on) of the bytes of a BSTR, an odd last one
 * included and the terminator not; the caller destroys it. A NULL `bstr` gives an array of no bytes
 * (Windows documents E_INVALIDARG, and Wine does as is done here). E_OUTOFMEMORY, and NULL is stored;
 * E_INVALIDARG for a NULL ppsa.
 */
WINOLEAUTAPI VectorFromBstr(_In_opt_ BSTR bstr, _Outptr_ SAFEARRAY **ppsa);

/*
 * Stores in *pbstr a new BSTR of the bytes of an array, never NULL; the caller frees it. The array may be
 * locked. DISP_E_TYPEMISMATCH for more than one dimension and for elements of more than one byte (Wine
 * has E_INVALIDARG); E_INVALIDARG for a NULL psa, and for an array that has elements and no data;
 * E_OUTOFMEMORY: then NULL is stored. E_INVALIDARG for a NULL pbstr.
 */
WINOLEAUTAPI BstrFromVector(_In_ SAFEARRAY *psa, _Outptr_ BSTR *pbstr);

/* ----------------------------------------------------------------------------------- the wire */

/*
 * A BSTR as proxies and stubs send it (MS-OAUT 2.2.23): three little-endian numbers, aligned to 4, and
 * the units. NULL and the empty string are told apart, and an odd length stays odd. The flags are not
 * looked at.
 */

/*
 * Where the form of *pBstr ends that begins at the offset `offset`. A NULL `pBstr` counts as NULL's.
 * 0xFFFFFFFF for an end that 32 bits do not hold, and for a BSTR whose prefix says more than a BSTR
 * can have.
 */
EXTERN_C ULONG STDAPICALLTYPE BSTR_UserSize(ULONG *pFlags, ULONG offset, BSTR *pBstr);

/*
 * Writes it at `pBuffer`, which has room for it, and returns its end; NULL, and nothing is written,
 * for a BSTR whose prefix says more than a BSTR can have.
 */
EXTERN_C unsigned char *STDAPICALLTYPE BSTR_UserMarshal(ULONG *pFlags, unsigned char *pBuffer,
                                                        BSTR *pBstr);

/*
 * Reads it, frees what *pBstr holds, stores a new string that is the caller's, and returns the end of
 * what was read. NULL, and *pBstr is as it was, for bytes that no BSTR was marshalled as (Windows
 * raises an RPC exception) and when there is no memory. A header that agrees with itself is believed:
 * for bytes that are not to be trusted there is olemem_bstr_unmarshal.
 */
EXTERN_C unsigned char *STDAPICALLTYPE BSTR_UserUnmarshal(ULONG *pFlags, unsigned char *pBuffer,
                                                          BSTR *pBstr);

/* Frees *pBstr and stores NULL. */
EXTERN_C void STDAPICALLTYPE BSTR_UserFree(ULONG *pFlags, BSTR *pBstr);

/*
 * The same in NDR64 (MS-RPCE 2.2.5.3.2.1): aligned to 8, and the first of the numbers has eight bytes.
 * Not verified: no bytes that Windows wrote so are known to olemem's makers.
 */
EXTERN_C ULONG STDAPICALLTYPE BSTR_UserSize64(ULONG *pFlags, ULONG offset, BSTR *pBstr);
EXTERN_C unsigned char *STDAPICALLTYPE BSTR_UserMarshal64(ULONG *pFlags, unsigned char *pBuffer,
                                                          BSTR *pBstr);
EXTERN_C unsigned char *STDAPICALLTYPE BSTR_UserUnmarshal64(ULONG *pFlags, unsigned char *pBuffer,
                                                            BSTR *pBstr);
EXTERN_C void STDAPICALLTYPE BSTR_UserFree64(ULONG *pFlags, BSTR *pBstr);

/*
 * olemem's own, which know where the buffer ends: the form at the offset *offset of `length` bytes,
 * aligned to 4, is written or read, and *offset is then where it ends.
 *
 * E_NOT_SUFFICIENT_BUFFER when it does not fit; HRESULT_FROM_WIN32(RPC_X_BAD_STUB_DATA) for bytes that
 * no BSTR was marshalled as; E_OUTOFMEMORY, also for a length that no BSTR can have; E_INVALIDARG for
 * NULL pointers. Then nothing has changed. No memory is asked for that the bytes do not fill.
 */
EXTERN_C HRESULT STDAPICALLTYPE olemem_bstr_marshal(_In_opt_ BSTR bstr, void *buffer, size_t length,
                                                    size_t *offset);
EXTERN_C HRESULT STDAPICALLTYPE olemem_bstr_unmarshal(const void *buffer, size_t length,
                                                      size_t *offset, BSTR *bstr);

/* -------------------------------------------------------------------------------- task memory */

/*
 * A block of `cb` bytes that hold nothing defined, aligned for any type (to 16, on 32-bit targets
 * to 8); the caller frees it with CoTaskMemFree. For 0 it is a real block without bytes. NULL when
 * there is no memory. From any thread; no CoInitialize is needed.
 */
WINOLEAPI_(LPVOID) CoTaskMemAlloc(SIZE_T cb);

/*
 * Makes the block `pv` `cb` bytes long, moving it if need be, and keeps what fits. The old pointer
 * is dead then; the caller frees the new one. NULL when there is no memory: `pv` is still good and
 * unchanged. `pv` NULL allocates. `cb` 0 with a block frees it and gives NULL, which is no failure.
 */
WINOLEAPI_(LPVOID) CoTaskMemRealloc(_In_opt_ LPVOID pv, SIZE_T cb);

/* Frees a block; NULL does nothing. A BSTR is not a block of this kind: see SysFreeString. */
WINOLEAPI_(void) CoTaskMemFree(_In_opt_ LPVOID pv);

/*
 * Stores in *ppMalloc the task allocator, the same object every time; the caller calls Release on
 * it, though it never dies. `dwMemContext` is MEMCTX_TASK; anything else gives E_INVALIDARG and
 * stores NULL. E_INVALIDARG for a NULL `ppMalloc`, where Windows crashes.
 */
WINOLEAPI CoGetMalloc(DWORD dwMemContext, _Outptr_ LPMALLOC *ppMalloc);

/*
 * Registers what watches the task allocator: from now on it sees every call, of CoTaskMem* and
 * IMalloc and of what makes and frees BSTRs, from every thread, one call at a time. The object is
 * asked for IMallocSpy, and that reference is kept. E_INVALIDARG for NULL and for an object that is
 * no IMallocSpy; CO_E_OBJISREG while there is a spy.
 */
WINOLEAPI CoRegisterMallocSpy(_In_ LPMALLOCSPY pMallocSpy);

/*
 * Revokes the spy and releases it. E_ACCESSDENIED while blocks live that were allocated under it: the
 * revoke is remembered then, and the spy is released when the last of them is freed. CO_E_OBJNOTREG
 * when there is none.
 */
WINOLEAPI CoRevokeMallocSpy(void);

/* ----------------------------------------------------------------- strings out of task memory */

/*
 * Stores in *lplpsz the text of a CLSID, "{00000000-0000-0000-0000-000000000000}" with capital
 * digits, 39 units with the terminator; the caller frees it with CoTaskMemFree. E_OUTOFMEMORY, and
 * NULL is stored; E_INVALIDARG for a NULL argument, where Windows crashes.
 */
WINOLEAPI StringFromCLSID(_In_ REFCLSID rclsid, _Outptr_ LPOLESTR *lplpsz);

/* As StringFromCLSID, for an IID. */
WINOLEAPI StringFromIID(_In_ REFIID rclsid, _Outptr_ LPOLESTR *lplpsz);

/*
 * Writes the same text into the caller's `lpsz`, which has room for `cchMax` units: 39, the number
 * of units written with the terminator, or 0 when that is too little or a pointer is NULL; nothing
 * is written then. Allocates nothing.
 */
WINOLEAPI_(int)
StringFromGUID2(_In_ REFGUID rguid, _Out_writes_to_(cchMax, return) LPOLESTR lpsz, int cchMax);

/*
 * There is no registry here, so no class has a name: stores NULL and gives REGDB_E_CLASSNOTREG, as
 * Windows does for a class that is not registered. E_INVALIDARG for a NULL `lplpszProgID`.
 */
WINOLEAPI ProgIDFromCLSID(_In_ REFCLSID clsid, _Outptr_ LPOLESTR *lplpszProgID);

/*
 * Stores in *ppwsz a copy of `psz`; the caller frees it with CoTaskMemFree. E_INVALIDARG for a NULL
 * `psz` and E_OUTOFMEMORY, with NULL stored; E_INVALIDARG for a NULL `ppwsz`, where Windows
 * crashes.
 */
WINOLEAPI SHStrDupW(_In_opt_z_ LPCWSTR psz, _Outptr_ LPWSTR *ppwsz);

/*
 * As SHStrDupW, from 8-bit text. That is UTF-8 here, whatever the locale, with U+FFFD for what is
 * not well-formed; on Windows it is the system's code page.
 */
WINOLEAPI SHStrDupA(_In_opt_z_ LPCSTR psz, _Outptr_ LPWSTR *ppwsz);

/* --------------------------------------------------------------------------- the audit's sessions
 *
 * These have no counterpart on Windows. They are in a library that was built with the audit, as
 * install.sh builds it (features export and audit); another one lacks the symbols.
 *
 *     olemem_session session = olemem_session_begin(NULL);
 *     ... what is to be tested ...
 *     if (!olemem_session_check(session))
 *         return 1;                        the story is on standard error
 *
 * A session watches every BSTR and every block that the thread which began it allocates until it
 * ends, and the threads that join it. A bad call that has to do with them is reported and swallowed:
 * it touches nothing, and the program goes on. What is still live at the end is a leak.
 */

/*
 * A session, by number; 0 is none. Numbers are never used again: one that is over, or never was, may
 * be given to any of these functions, and nothing happens.
 */
typedef uint64_t olemem_session;

/* What a session found. Immutable, so any number of threads may read one. */
typedef struct olemem_report olemem_report;

enum {
    OLEMEM_BACKTRACE_USUAL = 0,
    OLEMEM_BACKTRACE_OFF = 1,
    OLEMEM_BACKTRACE_FULL = 2,
    OLEMEM_BACKTRACE_SHORT = 3
};

enum {
    OLEMEM_GUARD_USUAL = 0,
    OLEMEM_GUARD_BYTES = 1,
    OLEMEM_GUARD_PAGE = 2
};

/* Set `size` to sizeof(olemem_session_options), and all that is not wanted otherwise to 0. */
typedef struct olemem_session_options {
    size_t size;
    /* Bytes of freed blocks that are held back, so that a late use of them is noticed. 0: 1 MiB;
     * (size_t)-1: none. */
    size_t quarantine;
    /* What each allocation and each free keep of their stacks. The usual: all that the unwinder finds.
     * Short costs little: the caller, and those behind it as far as frame pointers lead. */
    uint32_t backtrace;
    /* What stands around each block. The usual: bytes, which are looked at when it is freed. Pages
     * take more memory, and catch a stray access when it happens. */
    uint32_t guard;
} olemem_session_options;

/* Set `size` to sizeof(olemem_counts). */
typedef struct olemem_counts {
    size_t size;
    /* Calls that allocate, reallocate or free, bad ones among them; pins are none. */
    uint64_t operations;
    /* Blocks that came and went, those of reallocations that moved included. */
    uint64_t allocated;
    uint64_t freed;
    /* Allocations that failed. */
    uint64_t failed;
    /* Blocks that were live at the end, and their bytes. */
    uint64_t live;
    uint64_t live_bytes;
    /* The most bytes that were live at any time, and all that were ever asked for. */
    uint64_t peak_bytes;
    uint64_t total_bytes;
} olemem_counts;

/*
 * Begins a session, which this thread is in from now on. Within another session it takes its thread
 * over until it ends. `options` NULL gives the usual ones. 0 when none can begin: no memory, or
 * options that this library does not know.
 */
EXTERN_C olemem_session olemem_session_begin(const olemem_session_options *options);

/*
 * Has this thread take part in a session that another one began. The result is the session that it
 * was in before, 0 for none, and is for olemem_session_leave. In a session that is over nothing is
 * watched.
 */
EXTERN_C olemem_session olemem_session_join(olemem_session session);

/* Puts this thread back into the session that it was in before it joined. */
EXTERN_C void olemem_session_leave(olemem_session before);

/*
 * Ends a session, on any thread, and gives its report, which the caller releases. NULL when it is
 * over, or never was; the functions on reports accept that. The thread that began it is then in the
 * session that it was in before; if another thread ends it, in none.
 */
EXTERN_C olemem_report *olemem_session_end(olemem_session session);

/*
 * Ends a session: 1 if its report is clean. Otherwise the report's text goes to standard error, and
 * the result is 0, as it is for a session that is over, or never was.
 */
EXTERN_C int olemem_session_check(olemem_session session);

/*
 * What is done with one input of a fuzzer's goes between these two, on one thread. Where the process
 * is watched (OLEMEM=check in the environment) the input then answers for itself: if it breaks a rule,
 * or leaves a block that it allocated, the report is written and the process aborts, which is a
 * finding. With OLEMEM=check,halt=first the first bad call aborts there and then. What is done
 * meanwhile to blocks from before it is the input's, by whichever thread. Where the process is not
 * watched nothing happens, and the number is 0, as it is when there is no memory for a session.
 */
EXTERN_C olemem_session olemem_input_begin(void);
EXTERN_C void olemem_input_end(olemem_session input);

/*
 * Whether no rule was broken: 1 or 0. Warnings do not count. A session in which nothing was
 * allocated or freed is not clean: it has tested nothing. 0 for NULL.
 */
EXTERN_C int olemem_report_is_clean(const olemem_report *report);

/*
 * How many violations there are of a kind, "leak" or "double-free" for example; all of them for a
 * NULL `kind`. A name that no kind has gives (size_t)-1, so that a misspelt one is noticed. 0 for a
 * NULL report.
 */
EXTERN_C size_t olemem_report_count(const olemem_report *report, const char *kind);

/* How many of them are errors, and how many warnings. 0 for NULL. */
EXTERN_C size_t olemem_report_errors(const olemem_report *report);
EXTERN_C size_t olemem_report_warnings(const olemem_report *report);

/*
 * The kind of a violation, in the order in which they were found, leaks last. The text is the
 * report's. NULL beyond the last one, and for a NULL report.
 */
EXTERN_C const char *olemem_report_kind(const olemem_report *report, size_t index);

/*
 * The whole story in UTF-8: what happened, where the block was allocated and freed, the rule, what
 * to do instead. The text is the report's. "" for NULL.
 */
EXTERN_C const char *olemem_report_text(const olemem_report *report);

/*
 * Stores the session's numbers in *counts, whose `size` has been set: 1. 0 and nothing stored when a
 * pointer is NULL or `size` is too small for any member. Members beyond `size` are left out.
 */
EXTERN_C int olemem_report_counts(const olemem_report *report, olemem_counts *counts);

/* Releases a report; NULL does nothing. */
EXTERN_C void olemem_report_release(olemem_report *report);

/*
 * Says that a block is meant to live on, as one that a global owns: it is not reported as leaked. Pins
 * of it that are left are, all the same. A BSTR, or a block of task memory: 1; 0 for NULL and for any
 * other address.
 */
EXTERN_C int olemem_ignore(const void *pointer);

/* --------------------------------------------------------------------- allocations made to fail
 *
 * These have no counterpart on Windows. What a method does when there is no memory is seen by
 * failing one allocation after another:
 *
 *     olemem_fault_plan plan = {sizeof plan};
 *     for (plan.nth = 1;; plan.nth++) {
 *         olemem_fault fault = olemem_fault_begin(&plan);
 *         HRESULT hr = get_StatusText(browser, &text);
 *         if (olemem_fault_end(fault) == 0)
 *             break;                        there is no allocation of that number
 *         assert(FAILED(hr) && text == NULL);
 *     }
 *
 * Allocations and reallocations that need memory are counted, of this thread alone, whichever
 * function makes them: SysAllocString and its kin, CoTaskMemAlloc, IMalloc, and the first
 * SysAddRefString of a string. `olemem sweep` does so for a whole program, which needs no change.
 */

/*
 * A plan in effect, by number; 0 is none. It is the thread's that began it. Numbers are never used
 * again: one that is over, or another thread's, may be given to any of these functions, and nothing
 * happens.
 */
typedef uint64_t olemem_fault;

enum {
    OLEMEM_FAMILY_BOTH = 0,
    OLEMEM_FAMILY_BSTR = 1,
    OLEMEM_FAMILY_TASK = 2
};

enum {
    /* Those that are chosen. */
    OLEMEM_THEN_AS_CHOSEN = 0,
    /* The first one that is chosen, and no more. */
    OLEMEM_THEN_NEVER = 1,
    /* The first one that is chosen, and all that come after it. */
    OLEMEM_THEN_ALWAYS = 2
};

/*
 * Which allocations fail. Set `size` to sizeof(olemem_fault_plan), and all that is not wanted to 0.
 * One of `nth`, `every` and `rate` chooses; without any of them all fail.
 */
typedef struct olemem_fault_plan {
    size_t size;
    /* The allocation of this number; the first is 1. */
    uint64_t nth;
    /* Every so many-th: with 3 the third, the sixth, and so on. */
    uint64_t every;
    /* Each with this probability, from 0 to 1. The seed and its number say which. */
    double rate;
    uint64_t seed;
    /* Only blocks of more bytes are counted, as IMalloc::GetSize tells them. */
    size_t above;
    /* Only one family is counted. */
    uint32_t family;
    /* What follows when one has failed. */
    uint32_t then;
} olemem_fault_plan;

/*
 * Makes allocations of this thread fail by a plan, or all of them by NULL, until it is ended. 0 for
 * members that mean nothing, for a `size` that is too small, and where there is no memory. Of several
 * plans the latest counts.
 */
EXTERN_C olemem_fault olemem_fault_begin(const olemem_fault_plan *plan);

/* How many allocations have failed by it, and how many it has counted, those included. */
EXTERN_C uint64_t olemem_fault_failures(olemem_fault fault);
EXTERN_C uint64_t olemem_fault_allocations(olemem_fault fault);

/* Calls the failures off, and tells how many there were. */
EXTERN_C uint64_t olemem_fault_end(olemem_fault fault);

/* ------------------------------------------------------------------------------ annotated calls
 *
 * A call that says what its parameters are is judged when it returns: what is [in] was not freed nor
 * changed, what is [out] is set, of the right family and the caller's alone, NULL on failure; and so
 * on, on both sides. The macros are the bare call with its parameters named:
 *
 *     hr = OLEMEM_CALL("IBrowser::Rename", browser,
 *                      IBrowser_Rename(browser, OLEMEM_IN_BSTR("name", name),
 *                                      OLEMEM_INOUT_BSTR("title", &title)));
 *
 * In C++ olemem::call does the same with a lambda: see below. Where no session is open nothing is
 * judged; where OLEMEM_NO_AUDIT is defined before this header is included, the macros are the bare
 * call, and nothing of this section is asked of the library.
 *
 * Rules for those who call:
 *
 * - The first argument names the method in reports; the second is any address that is the object's
 *   own, or NULL. Objects of one interface are told apart by it.
 * - A method is called with what the declarations give, each once, in any order. An [out] variable
 *   holds a mark from its declaration until the call has ended, and is not to be read meanwhile: a
 *   variable that is [in] as well, VarBstrCat(s, t, &s), is declared as both.
 * - What was told is made harmless: an [in] string that the callee freed is still the caller's; a
 *   variable with what the caller could not free is NULL.
 * - One call is not made within the arguments of another. Within the callee is no matter. What else
 *   happens there, in the lambda as well, is taken for the callee's doing.
 */

/* A call that is under way. It belongs to the thread that began it. NULL is one that is not judged,
 * and all functions accept it. */
typedef struct olemem_call olemem_call;

/* What a parameter is; OLEMEM_MEMBER and OLEMEM_STAYS_CALLEES may be added. */
enum {
    OLEMEM_BSTR = 1,
    /* LPWSTR or LPSTR: task memory that is initialised throughout. */
    OLEMEM_STRING = 2,
    /* Other task memory. */
    OLEMEM_BLOCK = 3,
    /* An interface pointer. */
    OLEMEM_INTERFACE = 4,
    /* A pointer within a structure of the caller's. */
    OLEMEM_MEMBER = 0x100,
    /* What is handed out stays the callee's, as [allocate(dont_free)] says. */
    OLEMEM_STAYS_CALLEES = 0x200
};

/* Waivers. */
enum {
    /* The method may fail and hand something out all the same. */
    OLEMEM_MAY_FAIL_WITH_OUTS = 1,
    /* Code of the caller's runs within the call: what is freed there and is the caller's is no violation. */
    OLEMEM_CALLS_BACK = 2
};

#ifndef OLEMEM_NO_AUDIT

/* Begins a call. NULL where there is no session, or no memory. */
EXTERN_C olemem_call *olemem_call_begin(const char *method, const void *object);

/*
 * Declare a parameter, and give what the method is to be called with: the value, or the address of
 * the variable, as it came. A `what` that this library does not know is not judged.
 */
EXTERN_C void *olemem_call_in(olemem_call *call, UINT what, const char *name, const void *value);
EXTERN_C void *olemem_call_out(olemem_call *call, UINT what, const char *name, void *variable);
EXTERN_C void *olemem_call_inout(olemem_call *call, UINT what, const char *name, void *variable);

/*
 * A buffer of `bytes` that the caller provides, [out] or [in, out]. The method has to be called with
 * the result, another buffer, so that what is written beyond it is noticed and does no harm. The
 * caller's holds what was written when the call has ended.
 */
EXTERN_C void *olemem_call_buffer(olemem_call *call, const char *name, void *start, size_t bytes);

/*
 * An [out] array that the callee allocates, and whose elements it allocates: `what` is an element's.
 * *count is initialised, and says when the call has returned how many there are. Elements that are
 * interfaces are no blocks: the array is judged, and their references are counted. No elements are
 * looked at if `count` is NULL. OLEMEM_STAYS_CALLEES is said of the elements, not of the array.
 */
EXTERN_C void *olemem_call_out_array(olemem_call *call, UINT what, const char *name, void *variable,
                                     const ULONG *count);

/*
 * An array of the caller's with room for `capacity` elements. `entering` are initialised when the
 * call begins, and *count when it has returned. Each is the callee's to free and to replace, as an
 * [in, out] value is. Elements that are not in the array any more have to be freed by then, or are
 * handed out one day. Of those that are interfaces the references are counted. The array itself, if
 * it is a block, is the caller's to free.
 * `count` may be NULL, as for a Next(1, &item, NULL): the elements that do not enter are set to NULL
 * before the call, and all that there is room for are looked at when it has returned.
 */
EXTERN_C void *olemem_call_array(olemem_call *call, UINT what, const char *name, void *start,
                                 ULONG capacity, ULONG entering, const ULONG *count);

/* Waives rules. */
EXTERN_C void olemem_call_allow(olemem_call *call, UINT waivers);

/*
 * The method has returned: the verdict. The result is `result`, unchanged. The call is gone, with
 * either of these. A method that returns no HRESULT has S_OK; one that returns a resource ends with
 * the second, whose result is that resource, or NULL if the caller could not free it.
 */
EXTERN_C HRESULT olemem_call_end(olemem_call *call, HRESULT result);
EXTERN_C void *olemem_call_end_with(olemem_call *call, UINT what, void *value);

/* Frees a BSTR of the caller's while the call is under way: all else that is freed meanwhile is the
 * callee's doing. */
EXTERN_C void olemem_call_free_bstr(olemem_call *call, BSTR text);

/* The method threw an exception, jumped out by longjmp, or was never called. */
EXTERN_C void olemem_call_abandon(olemem_call *call);

/* A BSTR in static storage, which may be passed as [in] like any other from now on. */
EXTERN_C void olemem_literal(const OLECHAR *text);

#else

OLEMEM_INLINE olemem_call *olemem_call_begin(const char *method, const void *object) {
    (void)method, (void)object;
    return OLEMEM_NULL_;
}
OLEMEM_INLINE void *olemem_call_in(olemem_call *call, UINT what, const char *name,
                                   const void *value) {
    union {
        const void *given;
        void *same;
    } pointer;
    (void)call, (void)what, (void)name;
    pointer.given = value;
    return pointer.same;
}
OLEMEM_INLINE void *olemem_call_out(olemem_call *call, UINT what, const char *name,
                                    void *variable) {
    (void)call, (void)what, (void)name;
    return variable;
}
OLEMEM_INLINE void *olemem_call_inout(olemem_call *call, UINT what, const char *name,
                                      void *variable) {
    (void)call, (void)what, (void)name;
    return variable;
}
OLEMEM_INLINE void *olemem_call_buffer(olemem_call *call, const char *name, void *start,
                                       size_t bytes) {
    (void)call, (void)name, (void)bytes;
    return start;
}
OLEMEM_INLINE void *olemem_call_out_array(olemem_call *call, UINT what, const char *name,
                                          void *variable, const ULONG *count) {
    (void)call, (void)what, (void)name, (void)count;
    return variable;
}
OLEMEM_INLINE void *olemem_call_array(olemem_call *call, UINT what, const char *name, void *start,
                                      ULONG capacity, ULONG entering, const ULONG *count) {
    (void)call, (void)what, (void)name, (void)capacity, (void)entering, (void)count;
    return start;
}
OLEMEM_INLINE void olemem_call_allow(olemem_call *call, UINT waivers) { (void)call, (void)waivers; }
OLEMEM_INLINE HRESULT olemem_call_end(olemem_call *call, HRESULT result) {
    (void)call;
    return result;
}
OLEMEM_INLINE void *olemem_call_end_with(olemem_call *call, UINT what, void *value) {
    (void)call, (void)what;
    return value;
}
OLEMEM_INLINE void olemem_call_free_bstr(olemem_call *call, BSTR text) {
    (void)call;
    SysFreeString(text);
}
OLEMEM_INLINE void olemem_call_abandon(olemem_call *call) { (void)call; }
OLEMEM_INLINE void olemem_literal(const OLECHAR *text) { (void)text; }

#endif

/* The same for BSTRs, with their types. */
OLEMEM_INLINE BSTR olemem_call_in_bstr(olemem_call *call, const char *name, BSTR text) {
    return OLEMEM_CAST(BSTR, olemem_call_in(call, OLEMEM_BSTR, name, text));
}
OLEMEM_INLINE BSTR *olemem_call_out_bstr(olemem_call *call, const char *name, BSTR *text) {
    olemem_call_out(call, OLEMEM_BSTR, name, text);
    return text;
}
OLEMEM_INLINE BSTR *olemem_call_inout_bstr(olemem_call *call, const char *name, BSTR *text) {
    olemem_call_inout(call, OLEMEM_BSTR, name, text);
    return text;
}

#ifndef OLEMEM_NO_AUDIT

/* For the macros: ends a call that is abandoned unless it has ended when its scope is left. */
OLEMEM_INLINE olemem_call *olemem_call_taken_(olemem_call **call) {
    olemem_call *taken = *call;
    *call = OLEMEM_NULL_;
    return taken;
}
OLEMEM_INLINE void olemem_call_left_(olemem_call **call) {
    olemem_call_abandon(olemem_call_taken_(call));
}
OLEMEM_INLINE HRESULT olemem_call_ended_(olemem_call **call, HRESULT result) {
    return olemem_call_end(olemem_call_taken_(call), result);
}
#ifdef __cplusplus
/* A call ends within the expression that makes it: its temporaries are the caller's, and go later. */
template <typename T> inline T olemem_call_value_(olemem_call **call, T value) {
    olemem_call_ended_(call, 0);
    return static_cast<T>(value);
}
#define OLEMEM_VALUE_(type, ...) olemem_call_value_<type>(&olemem_here, (__VA_ARGS__))
#define OLEMEM_RETURNED_(what, ...) olemem_call_ended_with_(&olemem_here, what, (__VA_ARGS__))
template <typename T> inline T *olemem_call_ended_with_(olemem_call **call, UINT what, T *value) {
    return static_cast<T *>(olemem_call_end_with(olemem_call_taken_(call), what, value));
}
template <typename T>
inline T *olemem_call_in_(olemem_call *call, UINT what, const char *name, T *value) {
    return static_cast<T *>(olemem_call_in(call, what, name, value));
}
template <typename T>
inline T *olemem_call_out_(olemem_call *call, UINT what, const char *name, T *variable) {
    olemem_call_out(call, what, name, variable);
    return variable;
}
template <typename T>
inline T *olemem_call_inout_(olemem_call *call, UINT what, const char *name, T *variable) {
    olemem_call_inout(call, what, name, variable);
    return variable;
}
template <typename T>
inline T *olemem_call_buffer_(olemem_call *call, const char *name, T *start, size_t bytes) {
    return static_cast<T *>(olemem_call_buffer(call, name, start, bytes));
}
template <typename T>
inline T *olemem_call_out_array_(olemem_call *call, UINT what, const char *name, T *variable,
                                 const ULONG *count) {
    olemem_call_out_array(call, what, name, variable, count);
    return variable;
}
template <typename T>
inline T *olemem_call_array_(olemem_call *call, UINT what, const char *name, T *start,
                             ULONG capacity, ULONG entering, const ULONG *count) {
    olemem_call_array(call, what, name, start, capacity, entering, count);
    return start;
}
#define OLEMEM_SAME_TYPE_(value, given) given
#else
/* A void pointer is any other in C, once its type is said. An array is the pointer to its start. */
#define OLEMEM_SAME_TYPE_(value, given) ((__typeof__(1 ? (value) : (value)))given)
#define olemem_call_ended_with_(call, what, value)                                                 \
    OLEMEM_SAME_TYPE_(value, olemem_call_end_with(olemem_call_taken_(call), what, value))
#define OLEMEM_VALUE_(type, ...)                                                                   \
    type olemem_result = (__VA_ARGS__);                                                            \
    olemem_call_ended_(&olemem_here, 0);                                                           \
    olemem_result
#define OLEMEM_RETURNED_(what, ...)                                                                \
    __typeof__(__VA_ARGS__) olemem_result = (__VA_ARGS__);                                         \
    olemem_call_ended_with_(&olemem_here, what, olemem_result)
#define olemem_call_in_ olemem_call_in
#define olemem_call_out_ olemem_call_out
#define olemem_call_inout_ olemem_call_inout
#define olemem_call_buffer_ olemem_call_buffer
#define olemem_call_out_array_ olemem_call_out_array
#define olemem_call_array_ olemem_call_array
#endif

#define OLEMEM_BEGIN_(method, object)                                                              \
    olemem_call *olemem_here __attribute__((cleanup(olemem_call_left_))) =                         \
        olemem_call_begin(method, object)

/* A call that returns an HRESULT: that is its value. */
#define OLEMEM_CALL(method, object, ...)                                                           \
    __extension__({                                                                                \
        OLEMEM_BEGIN_(method, object);                                                             \
        olemem_call_ended_(&olemem_here, (__VA_ARGS__));                                           \
    })
/* One that returns something of another type, and cannot fail. */
#define OLEMEM_CALL_(type, method, object, ...)                                                    \
    __extension__({                                                                                \
        OLEMEM_BEGIN_(method, object);                                                             \
        OLEMEM_VALUE_(type, __VA_ARGS__);                                                          \
    })
/* One that returns nothing. */
#define OLEMEM_CALL_VOID(method, object, ...)                                                      \
    __extension__({                                                                                \
        OLEMEM_BEGIN_(method, object);                                                             \
        ((void)(__VA_ARGS__), (void)olemem_call_ended_(&olemem_here, 0));                          \
    })
/* One that returns a resource, OLEMEM_BSTR for example, which is the caller's. */
#define OLEMEM_CALL_RETURNING(what, method, object, ...)                                           \
    __extension__({                                                                                \
        OLEMEM_BEGIN_(method, object);                                                             \
        OLEMEM_RETURNED_(what, __VA_ARGS__);                                                       \
    })

/* Within a call: the parameters. */
#define OLEMEM_IN_(what, name, value)                                                              \
    OLEMEM_SAME_TYPE_(value, olemem_call_in_(olemem_here, what, name, value))
#define OLEMEM_OUT_(what, name, variable)                                                          \
    OLEMEM_SAME_TYPE_(variable, olemem_call_out_(olemem_here, what, name, variable))
#define OLEMEM_INOUT_(what, name, variable)                                                        \
    OLEMEM_SAME_TYPE_(variable, olemem_call_inout_(olemem_here, what, name, variable))
#define OLEMEM_IN_BSTR(name, value) olemem_call_in_bstr(olemem_here, name, value)
#define OLEMEM_OUT_BSTR(name, variable) olemem_call_out_bstr(olemem_here, name, variable)
#define OLEMEM_INOUT_BSTR(name, variable) olemem_call_inout_bstr(olemem_here, name, variable)
/* A buffer of the caller's, and how many bytes it has. */
#define OLEMEM_BUFFER(name, start, bytes)                                                          \
    OLEMEM_SAME_TYPE_(start, olemem_call_buffer_(olemem_here, name, start, bytes))
/* Arrays, as olemem_call_out_array and olemem_call_array have them. */
#define OLEMEM_OUT_ARRAY(what, name, variable, count)                                              \
    OLEMEM_SAME_TYPE_(variable, olemem_call_out_array_(olemem_here, what, name, variable, count))
#define OLEMEM_ARRAY(what, name, start, capacity, entering, count)                                 \
    OLEMEM_SAME_TYPE_(start, olemem_call_array_(olemem_here, what, name, start, capacity,          \
                                                entering, count))
/* Waivers for the call: OLEMEM_CALL(method, object, OLEMEM_ALLOW(waivers), the call). */
#define OLEMEM_ALLOW(waivers) olemem_call_allow(olemem_here, waivers)

#else

/* The object is used nowhere, and no compiler is to say so. */
#define OLEMEM_BARE_(object, ...) ((void)sizeof(object), (__VA_ARGS__))
#define OLEMEM_CALL(method, object, ...) OLEMEM_BARE_(object, __VA_ARGS__)
#define OLEMEM_CALL_(type, method, object, ...) OLEMEM_BARE_(object, __VA_ARGS__)
#define OLEMEM_CALL_VOID(method, object, ...) OLEMEM_BARE_(object, __VA_ARGS__)
#define OLEMEM_CALL_RETURNING(what, method, object, ...) OLEMEM_BARE_(object, __VA_ARGS__)
#define OLEMEM_IN_(what, name, value) (value)
#define OLEMEM_OUT_(what, name, variable) (variable)
#define OLEMEM_INOUT_(what, name, variable) (variable)
#define OLEMEM_IN_BSTR(name, value) (value)
#define OLEMEM_OUT_BSTR(name, variable) (variable)
#define OLEMEM_INOUT_BSTR(name, variable) (variable)
#define OLEMEM_BUFFER(name, start, bytes) (start)
#define OLEMEM_OUT_ARRAY(what, name, variable, count) (variable)
#define OLEMEM_ARRAY(what, name, start, capacity, entering, count) (start)
#define OLEMEM_ALLOW(waivers) (void)0

#endif

#define OLEMEM_IN_STRING(name, value) OLEMEM_IN_(OLEMEM_STRING, name, value)
#define OLEMEM_OUT_STRING(name, variable) OLEMEM_OUT_(OLEMEM_STRING, name, variable)
#define OLEMEM_INOUT_STRING(name, variable) OLEMEM_INOUT_(OLEMEM_STRING, name, variable)
#define OLEMEM_IN_BLOCK(name, value) OLEMEM_IN_(OLEMEM_BLOCK, name, value)
#define OLEMEM_OUT_BLOCK(name, variable) OLEMEM_OUT_(OLEMEM_BLOCK, name, variable)
#define OLEMEM_INOUT_BLOCK(name, variable) OLEMEM_INOUT_(OLEMEM_BLOCK, name, variable)
#define OLEMEM_IN_INTERFACE(name, value) OLEMEM_IN_(OLEMEM_INTERFACE, name, value)
#define OLEMEM_OUT_INTERFACE(name, variable) OLEMEM_OUT_(OLEMEM_INTERFACE, name, variable)
#define OLEMEM_INOUT_INTERFACE(name, variable) OLEMEM_INOUT_(OLEMEM_INTERFACE, name, variable)
/* Members of a structure whose address the method takes: before the call, as the waivers are.
 *
 *     OLEMEM_CALL("IStream::Stat", stream, OLEMEM_OUT_MEMBER(OLEMEM_STRING, "name", &stat.pwcsName),
 *                 stream->lpVtbl->Stat(stream, &stat, STATFLAG_DEFAULT)) */
#define OLEMEM_IN_MEMBER(what, name, value) ((void)OLEMEM_IN_((what) | OLEMEM_MEMBER, name, value))
#define OLEMEM_OUT_MEMBER(what, name, variable)                                                    \
    ((void)OLEMEM_OUT_((what) | OLEMEM_MEMBER, name, variable))
#define OLEMEM_INOUT_MEMBER(what, name, variable)                                                  \
    ((void)OLEMEM_INOUT_((what) | OLEMEM_MEMBER, name, variable))

/* ---------------------------------------------------------------------------- counting objects
 *
 * What a call does with references is known of counting objects alone: COM objects for tests, which
 * know who holds their references. They are told of when somebody releases what it did not add,
 * hands out a pointer without a reference, leaks one, or calls what is gone:
 *
 *     IUnknown *site = olemem_counting_object(NULL, 0, NULL, 0, NULL, NULL);
 *     OLEMEM_CALL("ISited::put_Site", sited, put_Site(sited, OLEMEM_IN_INTERFACE("site", site)));
 *     IUnknown_Release(site);
 *
 * An object that has methods of its own is made from its vtable, whose first three functions may be
 * NULL, for the object's own stand in their place:
 *
 *     static HRESULT STDMETHODCALLTYPE OnDone(ISink *sink) {
 *         int *calls = olemem_counting_state(sink);
 *         if (calls == NULL)
 *             return E_UNEXPECTED;               it is gone, which is told
 *         ++*calls;
 *         return S_OK;
 *     }
 *     static const ISinkVtbl methods = {NULL, NULL, NULL, OnDone};
 *     ISink *sink = olemem_counting_object(&methods, sizeof methods, &IID_ISink, 1, &calls, NULL);
 *
 * In C++ a class derives from olemem::counted: see below. An object of one's own that exists already
 * keeps its methods, and has a counting object without a vtable count for it: its AddRef and Release
 * call that one's, and olemem_counting_known_as makes its pointer known.
 *
 * - An object belongs to the session in which it was made. Its memory stays until that ends, so that
 *   a call to an object that is gone does no harm.
 * - Who adds or releases a reference is known by the annotated call that is under way on the thread.
 *   Outside of calls it is the program.
 * - Where references that were added outside of calls may have been the callee's, by its constructor
 *   for example, a release is told when a reference is missing, and not before.
 */

/*
 * A counting object with one reference, which is the caller's to release: of the interface whose
 * methods are in `bytes` bytes at `vtable`, which are copied; of IUnknown alone for NULL.
 * QueryInterface knows IID_IUnknown and the `count` identifiers at `identifiers`, for the one
 * pointer. `state` is for the methods. `destroy` is called with it on some thread, unless it is NULL,
 * when the object has no references and its session has ended. NULL if there is no memory; `state`
 * was destroyed then.
 */
EXTERN_C void *olemem_counting_object(const void *vtable, size_t bytes, const IID *identifiers,
                                      size_t count, void *state,
                                      void(STDMETHODCALLTYPE *destroy)(void *state));

/* What the methods work on. NULL if the object is gone: that is told. */
EXTERN_C void *olemem_counting_state(void *object);

/* How many references there are. */
EXTERN_C ULONG olemem_counting_references(void *object);

/* `pointer` is one to the object as well, where it is a parameter. */
EXTERN_C void olemem_counting_known_as(void *object, const void *pointer);

/* ------------------------------------------------------------------------------ atomic counts */

/*
 * Add one, take one away: sequentially consistent, and the result is the new value. Inline, not
 * exported. In C++ also for ULONG, which is what reference counts often are.
 */
OLEMEM_INLINE LONG InterlockedIncrement(LONG volatile *Addend) {
    return __atomic_add_fetch(Addend, 1, __ATOMIC_SEQ_CST);
}
OLEMEM_INLINE LONG InterlockedDecrement(LONG volatile *Addend) {
    return __atomic_sub_fetch(Addend, 1, __ATOMIC_SEQ_CST);
}
#ifdef __cplusplus
inline ULONG InterlockedIncrement(ULONG volatile *Addend) {
    return __atomic_add_fetch(Addend, 1u, __ATOMIC_SEQ_CST);
}
inline ULONG InterlockedDecrement(ULONG volatile *Addend) {
    return __atomic_sub_fetch(Addend, 1u, __ATOMIC_SEQ_CST);
}
#endif

/* ------------------------------------------------------------------------------- C++17 and later
 *
 * An owner for BSTRs, text in and out, sessions that end by themselves, and calls. Not needed for COM code,
 * and nothing here is Windows'.
 *
 * Where memory runs out olemem::bstr throws std::bad_alloc. Without exceptions (-fno-exceptions) the
 * string is null then, and a failed assert_clean ends the program: see there.
 */
#if defined(__cplusplus) && __cplusplus >= 201703L

namespace olemem {

namespace detail {

/* The next character of UTF-8, and behind it; U+FFFD for each longest piece that is not well-formed,
 * as Unicode recommends and SHStrDupA does it. */
inline char32_t next_of_utf8(std::string_view text, std::size_t &at) noexcept {
    const unsigned lead = static_cast<unsigned char>(text[at++]);
    unsigned low = 0x80, high = 0xBF, more = 0;
    char32_t character = lead;
    if (lead < 0x80)
        return character;
    if (lead >= 0xC2 && lead <= 0xDF) {
        more = 1;
        character = lead & 0x1F;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        more = 2;
        character = lead & 0x0F;
        low = lead == 0xE0 ? 0xA0 : 0x80;
        high = lead == 0xED ? 0x9F : 0xBF;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        more = 3;
        character = lead & 0x07;
        low = lead == 0xF0 ? 0x90 : 0x80;
        high = lead == 0xF4 ? 0x8F : 0xBF;
    } else {
        return 0xFFFD;
    }
    for (; more != 0; --more) {
        const unsigned next = at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
        if (next < low || next > high)
            return 0xFFFD;
        character = (character << 6) | (next & 0x3F);
        low = 0x80;
        high = 0xBF;
        ++at;
    }
    return character;
}

/* The next character of UTF-16, and behind it; U+FFFD for a lone surrogate. */
inline char32_t next_of_utf16(std::u16string_view text, std::size_t &at) noexcept {
    const char32_t unit = text[at++];
    if (unit < 0xD800 || unit > 0xDFFF)
        return unit;
    if (unit > 0xDBFF || at == text.size() || text[at] < 0xDC00 || text[at] > 0xDFFF)
        return 0xFFFD;
    return 0x10000 + ((unit - 0xD800) << 10) + (text[at++] - 0xDC00u);
}

inline void append_utf8(std::string &text, char32_t character) {
    const auto byte = [&text](char32_t value) { text += static_cast<char>(value); };
    if (character < 0x80) {
        byte(character);
    } else if (character < 0x800) {
        byte(0xC0 | (character >> 6));
        byte(0x80 | (character & 0x3F));
    } else if (character < 0x10000) {
        byte(0xE0 | (character >> 12));
        byte(0x80 | ((character >> 6) & 0x3F));
        byte(0x80 | (character & 0x3F));
    } else {
        byte(0xF0 | (character >> 18));
        byte(0x80 | ((character >> 12) & 0x3F));
        byte(0x80 | ((character >> 6) & 0x3F));
        byte(0x80 | (character & 0x3F));
    }
}

/* An array of constant units, as u"..." is. (That of a BSTR which the compiler lays out may be written to.) */
template <typename T>
inline constexpr bool is_a_literal =
    std::is_array_v<std::remove_reference_t<T>> &&
    std::is_const_v<std::remove_extent_t<std::remove_reference_t<T>>>;

template <typename T>
inline constexpr bool may_be_a_bstr =
    std::is_convertible_v<T &&, const OLECHAR *> && !is_a_literal<T>;

} // namespace detail

/*
 * The units of a BSTR, an odd last byte left out; none for NULL. Valid as long as the BSTR is, and
 * its length is not changed. (With -fshort-wchar, where OLECHAR is wchar_t, the same units as
 * char16_t: the C library's functions on wchar_t, which std::wstring_view uses, do not know them.)
 */
template <typename T, std::enable_if_t<detail::may_be_a_bstr<T>, int> = 0>
std::u16string_view view(T &&text) noexcept {
    const OLECHAR *const bstr = text;
    const UINT length = SysStringLen(const_cast<OLECHAR *>(bstr));
    /* By void, for it may be of that type. */
    const void *units = bstr;
    return length == 0 ? std::u16string_view()
                       : std::u16string_view(static_cast<const char16_t *>(units), length);
}
/* A literal is no BSTR: there is no length before it. It is a view already, or becomes one by itself. */
template <typename T, std::enable_if_t<detail::is_a_literal<T>, int> = 0>
std::u16string_view view(T &&text) = delete;

/*
 * A new BSTR, which the caller frees: what CStringT::AllocSysString is for in code that runs on
 * Windows only. Zero units are kept. Never NULL, unless there is no memory or the text is too long.
 */
[[nodiscard]] inline BSTR alloc_sys_string(std::u16string_view text) noexcept {
    if (text.size() > 0xFFFFFFFFu)
        return nullptr;
    /* NULL would leave the contents open; of no units nothing is read. */
    static const OLECHAR none = 0;
    const void *source = text.empty() ? &none : static_cast<const void *>(text.data());
    return SysAllocStringLen(static_cast<const OLECHAR *>(source), static_cast<UINT>(text.size()));
}

/* The same from UTF-8; U+FFFD stands for each piece that is not well-formed. */
[[nodiscard]] inline BSTR alloc_sys_string(std::string_view utf8) noexcept {
    std::size_t units = 0;
    for (std::size_t at = 0; at < utf8.size();)
        units += detail::next_of_utf8(utf8, at) < 0x10000 ? 1u : 2u;
    if (units > 0xFFFFFFFFu)
        return nullptr;
    BSTR made = SysAllocStringLen(nullptr, static_cast<UINT>(units));
    if (!made)
        return nullptr;
    OLECHAR *next = made;
    for (std::size_t at = 0; at < utf8.size();) {
        const char32_t character = detail::next_of_utf8(utf8, at);
        if (character < 0x10000) {
            *next++ = static_cast<OLECHAR>(character);
        } else {
            *next++ = static_cast<OLECHAR>(0xD7C0 + (character >> 10));
            *next++ = static_cast<OLECHAR>(0xDC00 + (character & 0x3FF));
        }
    }
    return made;
}

#if defined(__cpp_lib_char8_t)
[[nodiscard]] inline BSTR alloc_sys_string(std::u8string_view utf8) noexcept {
    return alloc_sys_string(
        std::string_view(reinterpret_cast<const char *>(utf8.data()), utf8.size()));
}
#endif
#if defined(__SIZEOF_WCHAR_T__) && __SIZEOF_WCHAR_T__ == 2
/* What OLESTR("...") gives with -fshort-wchar: the units before the first zero; NULL for NULL. */
[[nodiscard]] inline BSTR alloc_sys_string(const OLECHAR *text) noexcept {
    return SysAllocString(text);
}
#endif
/* Of a BSTR it would see the units before the first zero, and NULL is no text at all. bstr::copy_of()
 * copies one whole, and so does this of olemem::view(). */
template <typename T, std::enable_if_t<std::is_same_v<T, BSTR>, int> = 0>
BSTR alloc_sys_string(const T &text) = delete;

/* UTF-16 as UTF-8, U+FFFD for lone surrogates. */
[[nodiscard]] inline std::string to_utf8(std::u16string_view text) {
    std::string utf8;
    utf8.reserve(text.size());
    for (std::size_t at = 0; at < text.size();)
        detail::append_utf8(utf8, detail::next_of_utf16(text, at));
    return utf8;
}

/*
 * Owns a BSTR and frees it. It moves, and is copied by copy() alone. Null, as a BSTR may be, is the
 * empty string wherever one is read.
 *
 *     olemem::bstr text;
 *     if (SUCCEEDED(browser->get_StatusText(text.put())))     [out]
 *         browser->put_Title(text.get());                     [in]
 *     *result = olemem::bstr("Ready").release();              [out], at the callee
 */
class bstr {
  public:
    bstr() noexcept = default;
    bstr(std::nullptr_t) noexcept {}

    /* A new string of the text. Throws std::bad_alloc; without exceptions it is null then. */
    explicit bstr(std::u16string_view text) : bstr_(made(alloc_sys_string(text))) {}
    /* The same from UTF-8. */
    explicit bstr(std::string_view utf8) : bstr_(made(alloc_sys_string(utf8))) {}
#if defined(__cpp_lib_char8_t)
    explicit bstr(std::u8string_view utf8) : bstr_(made(alloc_sys_string(utf8))) {}
#endif
#if defined(__SIZEOF_WCHAR_T__) && __SIZEOF_WCHAR_T__ == 2
    explicit bstr(const OLECHAR *text) : bstr_(text ? made(alloc_sys_string(text)) : nullptr) {}
#endif
    /* Not said what is meant: adopt() takes a BSTR over, copy_of() copies it. (A template, since to
     * GCC a literal, too, is a pointer to what may be changed.) */
    template <typename T, std::enable_if_t<std::is_same_v<T, BSTR>, int> = 0>
    explicit bstr(T text) = delete;

    /* Takes over a BSTR that is the caller's to free. */
    [[nodiscard]] static bstr adopt(BSTR text) noexcept {
        bstr owner;
        owner.bstr_ = text;
        return owner;
    }
    /* A copy of a BSTR, byte for byte; null of NULL. Throws as the constructors do. */
    template <typename T, std::enable_if_t<detail::may_be_a_bstr<T>, int> = 0>
    [[nodiscard]] static bstr copy_of(T &&text) {
        const OLECHAR *const from = text;
        if (!from)
            return bstr();
        const UINT bytes = SysStringByteLen(const_cast<OLECHAR *>(from));
        return adopt(made(SysAllocStringByteLen(reinterpret_cast<const char *>(from), bytes)));
    }
    /* A literal is no BSTR: the constructor makes one of it. */
    template <typename T, std::enable_if_t<detail::is_a_literal<T>, int> = 0>
    static bstr copy_of(T &&text) = delete;

    bstr(bstr &&other) noexcept : bstr_(other.release()) {}
    bstr &operator=(bstr &&other) noexcept {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    bstr(const bstr &) = delete;
    bstr &operator=(const bstr &) = delete;
    ~bstr() { SysFreeString(bstr_); }

    /* A second string, byte for byte. Throws as the constructors do. */
    [[nodiscard]] bstr copy() const { return copy_of(bstr_); }

    /* For an [in] parameter: lent, and still this object's. */
    [[nodiscard]] BSTR get() const noexcept { return bstr_; }
    /* For an [out] parameter: what it held is freed, and it is null. In a call that is judged the
     * callee would be blamed for that free: olemem::call::out takes the string itself. */
    [[nodiscard]] BSTR *put() noexcept {
        reset();
        return &bstr_;
    }
    /* For an [in, out] parameter: the callee may free and replace what it holds. */
    [[nodiscard]] BSTR *inout() noexcept { return &bstr_; }
    /* Gives the BSTR away; it is null then. */
    [[nodiscard]] BSTR release() noexcept { return std::exchange(bstr_, nullptr); }
    /* Frees what it holds and takes over another BSTR, or none. */
    void reset(BSTR text = nullptr) noexcept { SysFreeString(std::exchange(bstr_, text)); }
    void swap(bstr &other) noexcept { std::swap(bstr_, other.bstr_); }
    friend void swap(bstr &left, bstr &right) noexcept { left.swap(right); }

    /* Whether it is not null; an empty string is not null. */
    explicit operator bool() const noexcept { return bstr_ != nullptr; }
    /* Whether it has no units; null has none. */
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    /* Units; an odd last byte does not count. */
    [[nodiscard]] std::size_t size() const noexcept { return SysStringLen(bstr_); }
    [[nodiscard]] std::size_t byte_size() const noexcept { return SysStringByteLen(bstr_); }
    /* The units, as long as the string lives and is not changed. */
    [[nodiscard]] std::u16string_view view() const noexcept { return olemem::view(bstr_); }
    [[nodiscard]] std::string to_utf8() const { return olemem::to_utf8(view()); }

    /* By units; null is equal to the empty string. */
    friend bool operator==(const bstr &left, const bstr &right) noexcept {
        return left.view() == right.view();
    }
    friend bool operator!=(const bstr &left, const bstr &right) noexcept {
        return left.view() != right.view();
    }
    friend bool operator<(const bstr &left, const bstr &right) noexcept {
        return left.view() < right.view();
    }
    friend bool operator==(const bstr &left, std::u16string_view right) noexcept {
        return left.view() == right;
    }
    friend bool operator!=(const bstr &left, std::u16string_view right) noexcept {
        return left.view() != right;
    }
    friend bool operator==(std::u16string_view left, const bstr &right) noexcept {
        return left == right.view();
    }
    friend bool operator!=(std::u16string_view left, const bstr &right) noexcept {
        return left != right.view();
    }
    /* A BSTR is one: all of its units count, and NULL is the empty string. */
    template <typename T, std::enable_if_t<std::is_same_v<T, BSTR>, int> = 0>
    friend bool operator==(const bstr &left, const T &right) noexcept {
        return left.view() == olemem::view(right);
    }
    template <typename T, std::enable_if_t<std::is_same_v<T, BSTR>, int> = 0>
    friend bool operator!=(const bstr &left, const T &right) noexcept {
        return left.view() != olemem::view(right);
    }
    template <typename T, std::enable_if_t<std::is_same_v<T, BSTR>, int> = 0>
    friend bool operator==(const T &left, const bstr &right) noexcept {
        return olemem::view(left) == right.view();
    }
    template <typename T, std::enable_if_t<std::is_same_v<T, BSTR>, int> = 0>
    friend bool operator!=(const T &left, const bstr &right) noexcept {
        return olemem::view(left) != right.view();
    }

  private:
    static BSTR made(BSTR text) {
#if defined(__cpp_exceptions)
        if (!text)
            throw std::bad_alloc();
#endif
        return text;
    }

    BSTR bstr_ = nullptr;
};

namespace detail {
template <typename Error> [[noreturn]] void fail(const char *text) {
#if defined(__cpp_exceptions)
    throw Error(text);
#else
    std::fputs(text, stderr);
    std::fputc('\n', stderr);
    std::abort();
#endif
}
} // namespace detail

/* What session::assert_clean throws; what() is the whole story. */
struct violation_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/*
 * A session of this thread's: from the constructor to end(), or to the first question, which ends it.
 *
 *     olemem::session session;
 *     ... what is to be tested ...
 *     session.assert_clean();
 *
 * The destructor of a session that has not ended does so; if it is not clean, the story goes to
 * standard error, and that is all. It cannot make a test fail, so ask.
 */
class session {
  public:
    /* Throws std::runtime_error if none can begin; without exceptions the program ends. */
    explicit session(const olemem_session_options *options = nullptr)
        : id_(olemem_session_begin(options)) {
        if (id_ == 0)
            detail::fail<std::runtime_error>("olemem: no session can begin");
    }
    explicit session(const olemem_session_options &options) : session(&options) {}
    session(const session &) = delete;
    session &operator=(const session &) = delete;
    /* The session, or its report, is this object's now. It goes on: a move ends nothing, and the thread
     * that began it is still in it. The other object has none, as if it had ended without a word: its
     * number is 0, it is not clean, it counts nothing, and its text is "". */
    session(session &&other) noexcept
        : id_(std::exchange(other.id_, 0)), report_(std::exchange(other.report_, nullptr)) {}
    /* What this object had before ends as by its destructor. */
    session &operator=(session &&other) noexcept {
        session taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~session() {
        if (id_ != 0 && !report_)
            olemem_session_check(id_);
        olemem_report_release(report_);
    }

    void swap(session &other) noexcept {
        std::swap(id_, other.id_);
        std::swap(report_, other.report_);
    }
    friend void swap(session &one, session &other) noexcept { one.swap(other); }

    /* The number, for olemem::joined on another thread; 0 after a move. */
    [[nodiscard]] olemem_session id() const noexcept { return id_; }

    /* Ends it: what is allocated from now on is not watched. A second time nothing happens. */
    void end() noexcept {
        if (!report_)
            report_ = olemem_session_end(id_);
    }
    /* Ends it, and throws violation_error with the whole story unless it is clean. Without
     * exceptions the story goes to standard error, and the program is aborted. */
    void assert_clean() {
        if (!is_clean())
            detail::fail<violation_error>(text());
    }
    /* Ends it. These are the functions on reports, which are described above. */
    [[nodiscard]] bool is_clean() noexcept { return olemem_report_is_clean(report()) != 0; }
    /* By kind, or all violations. */
    [[nodiscard]] std::size_t count(const char *kind = nullptr) noexcept {
        return olemem_report_count(report(), kind);
    }
    [[nodiscard]] std::size_t errors() noexcept { return olemem_report_errors(report()); }
    [[nodiscard]] std::size_t warnings() noexcept { return olemem_report_warnings(report()); }
    /* Valid as long as this object is. */
    [[nodiscard]] const char *text() noexcept { return olemem_report_text(report()); }
    [[nodiscard]] olemem_counts counts() noexcept {
        olemem_counts numbers = {};
        numbers.size = sizeof numbers;
        olemem_report_counts(report(), &numbers);
        return numbers;
    }

  private:
    const olemem_report *report() noexcept {
        end();
        return report_;
    }
    olemem_session id_;
    olemem_report *report_ = nullptr;
};

/* Takes part in another thread's session from here to the end of the scope. */
class joined {
  public:
    explicit joined(olemem_session number) noexcept : before_(olemem_session_join(number)) {}
    explicit joined(const session &of) noexcept : joined(of.id()) {}
    joined(const joined &) = delete;
    joined &operator=(const joined &) = delete;
    ~joined() { olemem_session_leave(before_); }

  private:
    olemem_session before_;
};

/*
 * One input of a fuzzer's: from here to the end of the scope it answers for itself where the process
 * is watched (OLEMEM=check). See olemem_input_begin.
 *
 *     extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
 *         olemem::input watched;
 *         ... what is to be fuzzed ...
 *         return 0;
 *     }
 */
class input {
  public:
    input() noexcept : number_(olemem_input_begin()) {}
    input(const input &) = delete;
    input &operator=(const input &) = delete;
    ~input() { olemem_input_end(number_); }

  private:
    olemem_session number_;
};

/*
 * Makes allocations of this thread fail, from here to the end of the scope.
 *
 *     olemem::failing failing(2);                    the second allocation
 *     ... what is to be tested ...
 *     EXPECT_TRUE(failing.has_failed());
 *
 * It ends on the thread that it was made on.
 */
class failing {
  public:
    /* The allocation of a number; the first is 1. */
    explicit failing(uint64_t nth) : failing(plan_of(nth)) {}
    /* Throws std::invalid_argument for a plan that means nothing; without exceptions the program
     * ends. */
    explicit failing(const olemem_fault_plan &plan) : id_(olemem_fault_begin(&plan)) {
        if (id_ == 0)
            detail::fail<std::invalid_argument>("olemem: no such plan of failures");
    }
    failing(const failing &) = delete;
    failing &operator=(const failing &) = delete;
    ~failing() { olemem_fault_end(id_); }

    /* Whether an allocation has failed. */
    [[nodiscard]] bool has_failed() const noexcept { return failures() != 0; }
    /* How many have failed, and how many were counted. */
    [[nodiscard]] uint64_t failures() const noexcept { return olemem_fault_failures(id_); }
    [[nodiscard]] uint64_t allocations() const noexcept { return olemem_fault_allocations(id_); }

  private:
    static olemem_fault_plan plan_of(uint64_t nth) {
        if (nth == 0)
            detail::fail<std::invalid_argument>("olemem: allocations are counted from 1");
        olemem_fault_plan plan = {};
        plan.size = sizeof plan;
        plan.nth = nth;
        return plan;
    }

    olemem_fault id_;
};

/*
 * An annotated call: see the section above. What is declared gives what the method is called with.
 *
 *     HRESULT hr = olemem::call("IBrowser::Rename", browser).invoke([&](auto &call) {
 *         return browser->Rename(call.in("name", name), call.inout("title", title));
 *     });
 *
 * `name` and `title` are BSTRs and their addresses, or olemem::bstr. A call whose lambda throws is
 * judged as one that failed. It belongs to its thread and its scope.
 */
class call {
  public:
    explicit call(const char *method, const void *object = nullptr) noexcept
        : call_(olemem_call_begin(method, object)) {}
    call(const call &) = delete;
    call &operator=(const call &) = delete;
    ~call() { olemem_call_abandon(call_); }

    /* A BSTR. */
    BSTR in(const char *name, BSTR text) noexcept { return olemem_call_in_bstr(call_, name, text); }
    BSTR in(const char *name, const bstr &text) noexcept { return in(name, text.get()); }
    /* A temporary is kept until the call has ended. */
    BSTR in(const char *name, bstr &&text) {
        kept_.push_back(std::move(text));
        return in(name, kept_.back().get());
    }
    BSTR *out(const char *name, BSTR *text) noexcept {
        return olemem_call_out_bstr(call_, name, text);
    }
    /* What it held is freed first: not by put(), which the callee would be blamed for. */
    BSTR *out(const char *name, bstr &text) noexcept {
        olemem_call_free_bstr(call_, text.release());
        return out(name, text.inout());
    }
    BSTR *inout(const char *name, BSTR *text) noexcept {
        return olemem_call_inout_bstr(call_, name, text);
    }
    BSTR *inout(const char *name, bstr &text) noexcept { return inout(name, text.inout()); }

    /* LPWSTR and LPSTR. */
    template <typename T> T *in_string(const char *name, T *text) noexcept {
        return declare_in(OLEMEM_STRING, name, text);
    }
    template <typename T> T **out_string(const char *name, T **text) noexcept {
        return declare_out(OLEMEM_STRING, name, text);
    }
    template <typename T> T **inout_string(const char *name, T **text) noexcept {
        return declare_inout(OLEMEM_STRING, name, text);
    }
    /* Other task memory. */
    template <typename T> T *in_block(const char *name, T *block) noexcept {
        return declare_in(OLEMEM_BLOCK, name, block);
    }
    template <typename T> T **out_block(const char *name, T **block) noexcept {
        return declare_out(OLEMEM_BLOCK, name, block);
    }
    template <typename T> T **inout_block(const char *name, T **block) noexcept {
        return declare_inout(OLEMEM_BLOCK, name, block);
    }
    /* Interface pointers. */
    template <typename T> T *in_interface(const char *name, T *object) noexcept {
        return declare_in(OLEMEM_INTERFACE, name, object);
    }
    template <typename T> T **out_interface(const char *name, T **object) noexcept {
        return declare_out(OLEMEM_INTERFACE, name, object);
    }
    template <typename T> T **inout_interface(const char *name, T **object) noexcept {
        return declare_inout(OLEMEM_INTERFACE, name, object);
    }
    /* Anything, with what is special about it: OLEMEM_BSTR | OLEMEM_MEMBER. */
    template <typename T> T *declare_in(UINT what, const char *name, T *value) noexcept {
        return static_cast<T *>(olemem_call_in(call_, what, name, value));
    }
    template <typename T> T **declare_out(UINT what, const char *name, T **variable) noexcept {
        olemem_call_out(call_, what, name, variable);
        return variable;
    }
    template <typename T> T **declare_inout(UINT what, const char *name, T **variable) noexcept {
        olemem_call_inout(call_, what, name, variable);
        return variable;
    }
    /* A buffer of the caller's of so many elements. The method is called with another one. */
    template <typename T> T *buffer(const char *name, T *start, std::size_t count) noexcept {
        static_assert(std::is_trivially_copyable_v<T>, "a buffer is copied byte by byte");
        return static_cast<T *>(olemem_call_buffer(call_, name, start, count * sizeof(T)));
    }
    /* Arrays, as olemem_call_out_array and olemem_call_array have them. */
    template <typename T>
    T ***out_array(UINT what, const char *name, T ***variable, const ULONG *count) noexcept {
        olemem_call_out_array(call_, what, name, variable, count);
        return variable;
    }
    template <typename T>
    T **array(UINT what, const char *name, T **start, ULONG capacity, ULONG entering,
              const ULONG *count) noexcept {
        olemem_call_array(call_, what, name, start, capacity, entering, count);
        return start;
    }
    /* Waives rules. */
    call &allow(UINT waivers) noexcept {
        olemem_call_allow(call_, waivers);
        return *this;
    }

    /* Makes the call: `method` is called with this object, or with nothing. What it returns is the
     * result; an HRESULT says whether it failed, anything else that it did not. */
    template <typename F> auto invoke(F &&method) {
        using result = decltype(run(method));
        if constexpr (std::is_void_v<result>) {
            run(method);
            end(0);
        } else if constexpr (std::is_same_v<result, HRESULT>) {
            return end(run(method));
        } else {
            result value = run(method);
            end(0);
            return value;
        }
    }
    /* The same for a method that returns a resource, OLEMEM_BSTR for example. */
    template <typename F> auto invoke_returning(UINT what, F &&method) {
        using result = decltype(run(method));
        static_assert(std::is_pointer_v<result>, "a resource is a pointer");
        const result value = run(method);
        return static_cast<result>(
            olemem_call_end_with(std::exchange(call_, nullptr), what, value));
    }

  private:
    template <typename F> decltype(auto) run(F &method) {
        if constexpr (std::is_invocable_v<F &, call &>)
            return method(*this);
        else
            return method();
    }
    HRESULT end(HRESULT result) noexcept {
        return olemem_call_end(std::exchange(call_, nullptr), result);
    }

    olemem_call *call_;
    /* Outlives the call. */
    std::vector<bstr> kept_;
};

#if !defined(CINTERFACE)

/* An interface has no virtual destructor; a class over it does. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"

/*
 * The base of COM objects for tests which know who holds their references: see the section on
 * counting objects.
 *
 *     class Sink final : public olemem::counted<ISink> {
 *         STDMETHODIMP OnDone() override { return is_there() ? S_OK : E_UNEXPECTED; }
 *     };
 *     ISink *sink = new Sink;
 *     olemem::call("IEvents::Advise", events).invoke([&](auto &call) {
 *         return events->Advise(call.in_interface("sink", sink));
 *     });
 *     sink->Release();
 *
 * It is made by new, begins with one reference, the maker's, and is deleted when it has none and its
 * session has ended. QueryInterface knows IUnknown and the interfaces, whose identifiers
 * OLEMEM_UUID_DECL has to say; not their bases.
 */
template <typename Interface, typename... Others>
class counted : public Interface, public Others... {
  public:
    counted(const counted &) = delete;
    counted &operator=(const counted &) = delete;

    HRESULT STDMETHODCALLTYPE QueryInterface(REFIID iid, void **object) override {
        if (!object)
            return E_POINTER;
        *object = nullptr;
        void *found = nullptr;
        if (iid == IID_IUnknown || iid == olemem_uuidof<Interface>::iid())
            found = static_cast<Interface *>(this);
        ((found = iid == olemem_uuidof<Others>::iid() ? static_cast<Others *>(this) : found), ...);
        if (!found || !is_there())
            return E_NOINTERFACE;
        AddRef();
        *object = found;
        return S_OK;
    }
    template <typename T> HRESULT QueryInterface(T **object) {
        return QueryInterface(olemem_uuidof<T>::iid(), reinterpret_cast<void **>(object));
    }
    ULONG STDMETHODCALLTYPE AddRef() override { return count_->AddRef(); }
    ULONG STDMETHODCALLTYPE Release() override { return count_->Release(); }

    /* How many references there are. */
    [[nodiscard]] ULONG references() const noexcept { return olemem_counting_references(count_); }

  protected:
    /* Throws std::bad_alloc; without exceptions the program ends. */
    counted() : owner_(new owner{nullptr}) {
        count_ = static_cast<IUnknown *>(
            olemem_counting_object(nullptr, 0, nullptr, 0, owner_, destroy));
        if (!count_)
#if defined(__cpp_exceptions)
            throw std::bad_alloc();
#else
            std::abort();
#endif
        owner_->object = this;
        olemem_counting_known_as(count_, static_cast<Interface *>(this));
        (olemem_counting_known_as(count_, static_cast<Others *>(this)), ...);
    }
    virtual ~counted() {
        /* Not by the library: a constructor threw. */
        if (owner_->object) {
            owner_->object = nullptr;
            count_->Release();
        }
    }

    /* Whether there is a reference, for methods to ask first. That there is none is told. */
    [[nodiscard]] bool is_there() const noexcept { return olemem_counting_state(count_); }

  private:
    struct owner {
        counted *object;
    };
    static void STDMETHODCALLTYPE destroy(void *state) {
        owner *const of = static_cast<owner *>(state);
        if (counted *const object = std::exchange(of->object, nullptr))
            delete object;
        delete of;
    }

    owner *owner_;
    IUnknown *count_;
};

#pragma GCC diagnostic pop

#endif

} // namespace olemem

#endif

#endif /* OLEMEM_H */

/*
 * What follows stands outside the include guard, so that it does not matter which header came
 * first: INITGUID and COBJMACROS take effect whenever they are defined before any of the headers.
 */

/*
 * DEFINE_GUID(IID_IBrowser, 0x6f1a3b52, ...) declares an identifier; in a source file where
 * INITGUID is defined (or <initguid.h> included) it defines it. Several files may: the linker keeps
 * one.
 */
#undef DEFINE_GUID
#ifdef INITGUID
#define DEFINE_GUID(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8)                               \
    EXTERN_C const GUID DECLSPEC_SELECTANY name;                                                   \
    const GUID name = {l, w1, w2, {b1, b2, b3, b4, b5, b6, b7, b8}}
#else
#define DEFINE_GUID(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8) EXTERN_C const GUID name
#endif
#undef DEFINE_OLEGUID
#define DEFINE_OLEGUID(name, l, w1, w2) DEFINE_GUID(name, l, w1, w2, 0xC0, 0, 0, 0, 0, 0, 0, 0x46)

/*
 * Define COBJMACROS for calls that read like functions: IMalloc_Alloc(malloc, size). C only, and
 * C++ with CINTERFACE. `This` is evaluated twice.
 */
#if defined(COBJMACROS) && !defined(OLEMEM_COBJMACROS) &&                                          \
    (!defined(__cplusplus) || defined(CINTERFACE))
#define OLEMEM_COBJMACROS

#define IUnknown_QueryInterface(This, iid, object)                                                 \
    ((This)->lpVtbl->QueryInterface((This), (iid), (object)))
#define IUnknown_AddRef(This) ((This)->lpVtbl->AddRef((This)))
#define IUnknown_Release(This) ((This)->lpVtbl->Release((This)))

#define IMalloc_QueryInterface(This, iid, object)                                                  \
    ((This)->lpVtbl->QueryInterface((This), (iid), (object)))
#define IMalloc_AddRef(This) ((This)->lpVtbl->AddRef((This)))
#define IMalloc_Release(This) ((This)->lpVtbl->Release((This)))
#define IMalloc_Alloc(This, size) ((This)->lpVtbl->Alloc((This), (size)))
#define IMalloc_Realloc(This, block, size) ((This)->lpVtbl->Realloc((This), (block), (size)))
#define IMalloc_Free(This, block) ((This)->lpVtbl->Free((This), (block)))
#define IMalloc_GetSize(This, block) ((This)->lpVtbl->GetSize((This), (block)))
#define IMalloc_DidAlloc(This, block) ((This)->lpVtbl->DidAlloc((This), (block)))
#define IMalloc_HeapMinimize(This) ((This)->lpVtbl->HeapMinimize((This)))

#define IMallocSpy_QueryInterface(This, iid, object)                                               \
    ((This)->lpVtbl->QueryInterface((This), (iid), (object)))
#define IMallocSpy_AddRef(This) ((This)->lpVtbl->AddRef((This)))
#define IMallocSpy_Release(This) ((This)->lpVtbl->Release((This)))
#define IMallocSpy_PreAlloc(This, request) ((This)->lpVtbl->PreAlloc((This), (request)))
#define IMallocSpy_PostAlloc(This, actual) ((This)->lpVtbl->PostAlloc((This), (actual)))
#define IMallocSpy_PreFree(This, request, spyed)                                                   \
    ((This)->lpVtbl->PreFree((This), (request), (spyed)))
#define IMallocSpy_PostFree(This, spyed) ((This)->lpVtbl->PostFree((This), (spyed)))
#define IMallocSpy_PreRealloc(This, request, size, newRequest, spyed)                              \
    ((This)->lpVtbl->PreRealloc((This), (request), (size), (newRequest), (spyed)))
#define IMallocSpy_PostRealloc(This, actual, spyed)                                                \
    ((This)->lpVtbl->PostRealloc((This), (actual), (spyed)))
#define IMallocSpy_PreGetSize(This, request, spyed)                                                \
    ((This)->lpVtbl->PreGetSize((This), (request), (spyed)))
#define IMallocSpy_PostGetSize(This, actual, spyed)                                                \
    ((This)->lpVtbl->PostGetSize((This), (actual), (spyed)))
#define IMallocSpy_PreDidAlloc(This, request, spyed)                                               \
    ((This)->lpVtbl->PreDidAlloc((This), (request), (spyed)))
#define IMallocSpy_PostDidAlloc(This, request, spyed, actual)                                      \
    ((This)->lpVtbl->PostDidAlloc((This), (request), (spyed), (actual)))
#define IMallocSpy_PreHeapMinimize(This) ((This)->lpVtbl->PreHeapMinimize((This)))
#define IMallocSpy_PostHeapMinimize(This) ((This)->lpVtbl->PostHeapMinimize((This)))
#endif
