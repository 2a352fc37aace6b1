//! SAFEARRAYs, and the ways between vectors of bytes and BSTRs (V210 to V229, in Rust). On Windows the same is asked of the system.

use std::ptr;

use olemem::array;
use olemem::com::{ArrayBound, SafeArray, VarType};
use olemem::error::ArrayError;
use olemem::fault::fail_nth;
use olemem::heap::Family;
use olemem::{Bstr, BstrRef, ByteLen, ByteVector, HResult, Out, fault::FaultPlan, raw};
use quickcheck::quickcheck;

/// An array for a test, destroyed at its end.
struct Held(*mut SafeArray);

impl Held {
    #[track_caller]
    fn of(array: *mut SafeArray) -> Self {
        assert!(!array.is_null());
        Self(array)
    }

    #[track_caller]
    fn create(element: VarType, bounds: &[(u32, i32)]) -> Self {
        let bounds: Vec<_> = bounds.iter().map(bound).collect();
        Self::of(array::create(element, &bounds))
    }

    fn descriptor(&self) -> &SafeArray {
        // SAFETY: live, and nobody writes to it while it is looked at.
        unsafe { &*self.0 }
    }

    fn bounds(&self, dim: u32) -> [Result<i32, ArrayError>; 2] {
        // SAFETY: live.
        let lower = unsafe { array::lower_bound(self.0, dim) };
        // SAFETY: live.
        [lower, unsafe { array::upper_bound(self.0, dim) }]
    }

    fn bytes(&self, len: usize) -> Vec<u8> {
        let data = self.descriptor().data.cast();
        // SAFETY: the array has so many bytes, and lives.
        unsafe { std::slice::from_raw_parts::<u8>(data, len) }.to_vec()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: live, and its last use.
        assert_eq!(unsafe { array::destroy(self.0) }, Ok(()));
    }
}

fn bound(of: &(u32, i32)) -> ArrayBound {
    ArrayBound {
        count: of.0,
        lower: of.1,
    }
}

fn vector_of(bstr: *const u16) -> Held {
    // SAFETY: each test's is null or a BSTR.
    Held::of(unsafe { array::from_bstr(bstr) })
}

fn bstr_of(array: &Held) -> Result<Bstr, ArrayError> {
    // SAFETY: live; the string is the test's.
    unsafe { array::to_bstr(array.0) }.map(|bstr| unsafe { Bstr::from_raw(bstr) })
}

const SIZES: [(VarType, usize); 20] = [
    (VarType::I2, 2),
    (VarType::I4, 4),
    (VarType::R4, 4),
    (VarType::R8, 8),
    (VarType::CY, 8),
    (VarType::DATE, 8),
    (VarType::BSTR, size_of::<*const u16>()),
    (VarType::ERROR, 4),
    (VarType::BOOL, 2),
    (VarType::DECIMAL, 16),
    (VarType::I1, 1),
    (VarType::UI1, 1),
    (VarType::UI2, 2),
    (VarType::UI4, 4),
    (VarType::I8, 8),
    (VarType::UI8, 8),
    (VarType::INT, 4),
    (VarType::UINT, 4),
    (VarType::INT_PTR, size_of::<usize>()),
    (VarType::UINT_PTR, size_of::<usize>()),
];

#[test]
fn v210_a_descriptor_says_what_it_has() {
    let array = Held::create(VarType::UI1, &[(3, 5), (4, -2)]);
    let descriptor = array.descriptor();
    assert_eq!(descriptor.dims, 2);
    assert_eq!(descriptor.features, SafeArray::HAVE_VARTYPE);
    assert_eq!((descriptor.element_size, descriptor.locks), (1, 0));
    // The rightmost dimension stands first.
    assert_eq!(descriptor.bounds[0], bound(&(4, -2)));
    assert_eq!(array.bytes(12), [0; 12]);
    // SAFETY: four bytes before the descriptor are the type.
    let kind = unsafe { array.0.cast::<u32>().wrapping_sub(1).read() };
    assert_eq!(kind, u32::from(VarType::UI1.as_raw()));
}

#[test]
fn v211_bounds_go_by_dimension() {
    let array = Held::create(VarType::UI1, &[(3, 5), (4, -2)]);
    // SAFETY: live.
    assert_eq!(unsafe { array::dims(array.0) }, 2);
    assert_eq!(array.bounds(1), [Ok(5), Ok(7)]);
    assert_eq!(array.bounds(2), [Ok(-2), Ok(1)]);
    for dim in [0, 3, u32::MAX] {
        assert_eq!(array.bounds(dim), [Err(ArrayError::BadIndex); 2]);
    }
    let none = Held::create(VarType::UI1, &[(0, 5)]);
    assert_eq!(none.bounds(1), [Ok(5), Ok(4)]);
    let last = Held::create(VarType::UI1, &[(2, i32::MAX)]);
    assert_eq!(last.bounds(1), [Ok(i32::MAX), Ok(i32::MIN)]);
}

#[test]
fn v212_elements_are_as_large_as_their_type_says() {
    for (element, size) in SIZES {
        let bytes = 3 * size;
        for array in [
            array::create(element, &[bound(&(3, 7))]),
            array::create_vector(element, 7, 3),
        ] {
            let array = Held::of(array);
            // SAFETY: live.
            assert_eq!(unsafe { array::element_size(array.0) } as usize, size);
            // SAFETY: live.
            assert_eq!(unsafe { array::element_type(array.0) }, Ok(element));
            assert_eq!(array.bytes(bytes), vec![0; bytes], "{element:?}");
            assert_eq!(array.bounds(1), [Ok(7), Ok(9)]);
            let owns = array.descriptor().features & SafeArray::BSTR != 0;
            assert_eq!(owns, element == VarType::BSTR);
        }
    }
}

#[test]
fn v213_what_has_no_elements_is_refused() {
    let one = [bound(&(1, 0))];
    // VT_EMPTY, VT_NULL, a hole, VT_VARIANT, VT_UNKNOWN, VT_DISPATCH, VT_RECORD, VT_ARRAY, VT_BYREF.
    for raw in [0, 1, 15, 12, 13, 9, 36, 17 | 0x2000, 17 | 0x4000] {
        let element = VarType::from_raw(raw);
        assert!(array::create(element, &one).is_null(), "{element:?}");
        assert!(array::create_vector(element, 0, 1).is_null(), "{element:?}");
    }
    assert!(array::create(VarType::UI1, &[]).is_null());
    static MANY: [ArrayBound; 0x1_0000] = [ArrayBound { count: 1, lower: 0 }; 0x1_0000];
    assert!(array::create(VarType::UI1, &MANY).is_null());
    // More bytes than a number holds, and more than there can be.
    let most = [bound(&(u32::MAX, 0)); 3];
    assert!(array::create(VarType::I8, &most).is_null());
    if cfg!(target_pointer_width = "64") {
        assert!(array::create(VarType::UI1, &most[..2]).is_null());
    }
}

#[test]
fn v214_a_vector_is_one_block() {
    let array = Held::of(array::create_vector(VarType::UI2, 7, 3));
    let offset = array.descriptor().data.addr() - array.0.addr();
    assert_eq!(offset, size_of::<SafeArray>());
    // Wine lacks what Windows documents.
    let features = array.descriptor().features | SafeArray::FIXED_SIZE;
    let expected = SafeArray::FIXED_SIZE | SafeArray::HAVE_VARTYPE | 0x2000;
    assert_eq!(features, expected);
    #[cfg(not(all(windows, not(miri))))]
    assert_eq!(array.descriptor().features, expected);
}

/// No memory is there before it is touched, as on Windows: a large array is no reason to end a fuzzer's run.
#[test]
#[cfg(all(target_os = "linux", target_pointer_width = "64", not(miri)))]
fn a_large_array_of_zeros_takes_no_memory_until_it_is_touched() {
    const LEN: u32 = 512 << 20;
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").expect("it is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        number
            .and_then(|number| number.parse::<u32>().ok())
            .expect("a number")
            << 10
    };
    let before = resident();
    let vector = Held::of(array::create_vector(VarType::UI1, 0, LEN));
    let plain = Held::create(VarType::UI1, &[(LEN, 0)]);
    for array in [&vector, &plain] {
        let data = array.descriptor().data.cast::<u8>();
        for at in [0, LEN as usize / 2, LEN as usize - 1] {
            // SAFETY: the array has so many bytes.
            assert_eq!(unsafe { data.wrapping_add(at).read() }, 0);
        }
    }
    assert!(resident() < before + LEN / 4);
}

#[test]
fn v215_and_v216_a_locked_array_stays() {
    let array = Held::create(VarType::UI1, &[(3, 0)]);
    // SAFETY: live.
    let data = unsafe { array::access(array.0) }.expect("not locked");
    assert_eq!(data.addr(), array.descriptor().data.addr());
    // SAFETY: live.
    assert_eq!(unsafe { array::lock(array.0) }, Ok(()));
    assert_eq!(array.descriptor().locks, 2);
    for _ in 0..2 {
        // SAFETY: live, and it stays so.
        let refused = unsafe { array::destroy(array.0) };
        assert_eq!(refused, Err(ArrayError::Locked));
        // SAFETY: the lock is the test's.
        assert_eq!(unsafe { array::unaccess(array.0) }, Ok(()));
    }
    // SAFETY: live.
    let refused = unsafe { array::unlock(array.0) };
    assert_eq!(refused, Err(ArrayError::LockCount));
    assert_eq!(array.descriptor().locks, 0);
}

#[test]
fn v217_there_are_65535_locks() {
    let array = Held::create(VarType::UI1, &[(3, 0)]);
    // SAFETY: live, and nobody else's.
    unsafe { (*array.0).locks = 0xFFFE };
    // SAFETY: live.
    assert_eq!(unsafe { array::lock(array.0) }, Ok(()));
    // SAFETY: live.
    let refused = unsafe { array::access(array.0) };
    assert_eq!(refused, Err(ArrayError::LockCount));
    assert_eq!(array.descriptor().locks, 0xFFFF);
    // SAFETY: as above.
    unsafe { (*array.0).locks = 0 };
}

#[test]
fn v218_null_is_no_array() {
    let null = ptr::null_mut();
    let missing = ArrayError::Missing;
    // SAFETY: null is allowed.
    assert_eq!(unsafe { array::destroy(null) }, Ok(()));
    // SAFETY: null is allowed.
    assert_eq!(unsafe { array::dims(null) }, 0);
    // SAFETY: null is allowed.
    assert_eq!(unsafe { array::element_size(null) }, 0);
    // SAFETY: null is allowed.
    assert_eq!(unsafe { array::lock(null) }, Err(missing));
    // SAFETY: null is allowed.
    assert_eq!(unsafe { array::unlock(null) }, Err(missing));
    // SAFETY: null is allowed.
    assert_eq!(unsafe { array::access(null) }, Err(missing));
    // SAFETY: null is allowed.
    assert_eq!(unsafe { array::unaccess(null) }, Err(missing));
    // SAFETY: null is allowed.
    assert_eq!(unsafe { array::lower_bound(null, 1) }, Err(missing));
    // SAFETY: null is allowed.
    assert_eq!(unsafe { array::upper_bound(null, 1) }, Err(missing));
    // SAFETY: null is allowed.
    assert_eq!(unsafe { array::element_type(null) }, Err(missing));
    // SAFETY: null is allowed.
    assert_eq!(unsafe { array::to_bstr(null) }, Err(missing));
}

/// The type is hidden, and the features say whether it is there.
#[test]
fn v219_an_array_may_not_say_what_it_holds() {
    let array = Held::create(VarType::I4, &[(3, 0)]);
    // SAFETY: live, and nobody else's.
    unsafe { (*array.0).features &= !SafeArray::HAVE_VARTYPE };
    // SAFETY: live.
    let silent = unsafe { array::element_type(array.0) };
    assert_eq!(silent, Err(ArrayError::Missing));
}

#[test]
fn v220_and_v221_a_string_becomes_its_bytes() {
    for bytes in [&b"abcde"[..], b"abcd", b"\0", b""] {
        let text = Bstr::from_bytes(bytes);
        let array = vector_of(text.as_raw());
        let descriptor = array.descriptor();
        assert_eq!(descriptor.features, SafeArray::HAVE_VARTYPE);
        assert_eq!((descriptor.dims, descriptor.element_size), (1, 1));
        let count = u32::try_from(bytes.len()).expect("short");
        assert_eq!(descriptor.bounds[0], bound(&(count, 0)));
        assert_eq!(array.bytes(bytes.len()), bytes);
    }
}

#[test]
fn v222_null_becomes_an_array_of_nothing() {
    let array = vector_of(ptr::null());
    assert_eq!(array.bounds(1), [Ok(0), Ok(-1)]);
    let text = bstr_of(&array).expect("a vector");
    assert!(!text.is_null());
    assert_eq!(text.byte_len(), ByteLen::ZERO);
}

#[test]
fn v223_bytes_become_a_string() {
    let array = Held::of(array::create_vector(VarType::I1, -7, 5));
    // SAFETY: live, of five bytes.
    unsafe { array.descriptor().data.cast::<[u8; 5]>().write(*b"abcde") };
    // A lock is no obstacle.
    // SAFETY: live.
    assert_eq!(unsafe { array::lock(array.0) }, Ok(()));
    let text = bstr_of(&array).expect("a vector");
    // SAFETY: the lock is the test's.
    assert_eq!(unsafe { array::unlock(array.0) }, Ok(()));
    assert_eq!(text.as_bytes(), b"abcde");
    // An odd number of bytes has three zeros behind it.
    // SAFETY: a BSTR's terminator is readable.
    let behind = unsafe { text.as_raw().wrapping_byte_add(5).cast::<[u8; 3]>().read() };
    assert_eq!(behind, [0; 3]);
}

#[test]
fn v224_other_shapes_are_refused() {
    let wrong = Err(ArrayError::TypeMismatch);
    let flat = Held::create(VarType::UI1, &[(3, 0), (4, 0)]);
    assert_eq!(bstr_of(&flat), wrong);
    for element in [VarType::UI2, VarType::BSTR, VarType::DECIMAL] {
        let array = Held::create(element, &[(3, 0)]);
        assert_eq!(bstr_of(&array), wrong);
    }
    let none = Held::create(VarType::UI1, &[(3, 0)]);
    // SAFETY: live, and nobody else's.
    unsafe { (*none.0).element_size = 0 };
    assert_eq!(bstr_of(&none), wrong);
}

#[test]
fn v225_elements_must_be_somewhere() {
    let array = Held::create(VarType::UI1, &[(3, 0)]);
    let data = array.descriptor().data;
    // SAFETY: live, and nobody else's.
    unsafe { (*array.0).data = ptr::null_mut() };
    assert_eq!(bstr_of(&array), Err(ArrayError::Missing));
    // Of none there need be none.
    // SAFETY: as above.
    unsafe { (*array.0).bounds[0].count = 0 };
    assert_eq!(bstr_of(&array), Ok(Bstr::empty()));
    // SAFETY: as above.
    unsafe { (*array.0).data = data };
}

/// R41: the strings in an array are its own.
#[test]
fn v226_strings_go_with_their_array() {
    #[cfg(all(feature = "audit", any(not(windows), miri)))]
    let session = olemem::audit::Session::begin();
    for array in [
        array::create(VarType::BSTR, &[bound(&(2, 0)), bound(&(2, 0))]),
        array::create_vector(VarType::BSTR, 0, 4),
    ] {
        let array = Held::of(array);
        let strings = array.descriptor().data.cast::<*const u16>();
        for (index, text) in ["one", "two", "three"].into_iter().enumerate() {
            // SAFETY: there are four elements.
            let place = unsafe { strings.add(index) };
            // SAFETY: as above. The last stays null.
            unsafe { place.write(Bstr::from(text).into_raw()) };
        }
    }
    #[cfg(all(feature = "audit", any(not(windows), miri)))]
    {
        // Descriptor, data and strings; the vector's data is in its descriptor's block.
        let report = session.finish();
        report.assert_clean();
        assert_eq!((report.counts().allocated, report.counts().freed), (9, 9));
    }
}

/// Without elements in one dimension there are none, however many the others promise.
#[test]
fn nothing_times_more_than_an_address_is_nothing() {
    const MOST: u32 = u32::MAX;
    let shapes = [
        [0, MOST, MOST, MOST],
        [MOST, MOST, MOST, 0],
        [MOST, 0, MOST, MOST],
        [0, 0x1_0000, 0x1_0000, 1],
    ];
    for counts in shapes {
        let bounds = counts.map(|count| (count, 0));
        for element in [VarType::BSTR, VarType::UI1] {
            let array = Held::create(element, &bounds);
            assert_eq!(
                array.bounds(4),
                [Ok(0), Ok(counts[3].wrapping_sub(1).cast_signed())]
            );
        }
    }
    let bounds = [MOST, MOST, MOST, 1].map(|count| bound(&(count, 0)));
    assert!(array::create(VarType::UI1, &bounds).is_null());
}

/// Data that is not the array's stays, and the strings in it go.
#[test]
fn v227_data_elsewhere_stays() {
    let mut place = [Bstr::from("one").into_raw(), ptr::null()];
    let array = array::create(VarType::BSTR, &[bound(&(0, 0))]);
    assert!(!array.is_null());
    // SAFETY: live.
    let none = unsafe { (*array).data };
    // SAFETY: what it had was a block of no bytes, which is the test's now.
    unsafe { olemem::heap::free(none.cast(), Family::Task) };
    // SAFETY: as above.
    unsafe { (*array).data = place.as_mut_ptr().cast() };
    // SAFETY: as above.
    unsafe { (*array).bounds[0].count = 2 };
    // SAFETY: as above.
    unsafe { (*array).features |= SafeArray::STATIC };
    // SAFETY: live, and its last use.
    assert_eq!(unsafe { array::destroy(array) }, Ok(()));
    assert_eq!(place, [ptr::null(); 2]);
}

/// Found before there is any memory.
#[test]
#[cfg(all(target_pointer_width = "64", unix, not(miri)))]
fn more_than_32_bits_count_is_too_long() {
    let bytes = vec![0; (1 << 32) + 1];
    let refused = ByteVector::try_from_bytes(&bytes).expect_err("too long");
    assert_eq!(
        refused.to_string(),
        "4294967297 elements are more than an array holds"
    );
    assert_eq!(HResult::from(refused), HResult::E_OUTOFMEMORY);
}

#[test]
fn each_allocation_may_fail() {
    #[cfg(all(feature = "audit", any(not(windows), miri)))]
    let session = olemem::audit::Session::begin();
    let text = Bstr::from_bytes(b"odd");
    for nth in 1..=2 {
        let failing = fail_nth(nth);
        assert!(array::create(VarType::UI1, &[bound(&(3, 0))]).is_null());
        drop(failing);
        let failing = fail_nth(nth);
        // SAFETY: a live BSTR.
        assert!(unsafe { array::from_bstr(text.as_raw()) }.is_null());
        drop(failing);
    }
    let failing = fail_nth(1);
    assert!(array::create_vector(VarType::UI1, 0, 3).is_null());
    drop(failing);
    let array = vector_of(text.as_raw());
    let failing = FaultPlan::nth(1).of(Family::Bstr).begin();
    let refused = bstr_of(&array).expect_err("no memory");
    assert_eq!(HResult::from(refused), HResult::E_OUTOFMEMORY);
    drop(failing);
    assert_eq!(bstr_of(&array), Ok(text));
    drop(array);
    // What was there before the failure is not left behind.
    #[cfg(all(feature = "audit", any(not(windows), miri)))]
    session.finish().assert_clean();
}

#[test]
fn errors_are_the_codes_of_windows() {
    let code = HResult::from;
    assert_eq!(
        code(ArrayError::Missing).to_string(),
        "E_INVALIDARG (0x80070057)"
    );
    assert_eq!(
        code(ArrayError::Locked).to_string(),
        "DISP_E_ARRAYISLOCKED (0x8002000D)"
    );
    assert_eq!(
        code(ArrayError::LockCount).to_string(),
        "E_UNEXPECTED (0x8000FFFF)"
    );
    assert_eq!(
        code(ArrayError::BadIndex).to_string(),
        "DISP_E_BADINDEX (0x8002000B)"
    );
    assert_eq!(
        code(ArrayError::TypeMismatch).to_string(),
        "DISP_E_TYPEMISMATCH (0x80020005)"
    );
    assert_eq!(ArrayError::Locked.to_string(), "the array is locked");
}

#[test]
fn an_owner_has_bytes() {
    let mut vector = ByteVector::from_bytes(b"odd");
    assert_eq!(vector.byte_len(), ByteLen::new(3));
    vector.as_mut_bytes()[0] = b'O';
    let copy = vector.clone();
    assert_eq!(
        (copy.as_ref(), format!("{copy:?}")),
        (&b"Odd"[..], "[79, 100, 100]".into())
    );
    assert_eq!(copy, vector);
    vector.as_mut_bytes()[0] = b'o';
    assert_ne!(copy, vector);
    let raw = vector.into_raw();
    // SAFETY: it was given away a line above and is taken back once.
    let vector = unsafe { ByteVector::from_raw(raw) };
    assert_eq!(vector.as_raw(), raw);
    assert_eq!(vector.try_to_bstr(), Ok(Bstr::from_bytes(b"odd")));
    let mut none = ByteVector::from_bytes(b"");
    assert_eq!(none.as_bytes(), b"");
    assert_eq!(none.as_mut_bytes(), b"");
    let failing = FaultPlan::nth(1).from_then_on().begin();
    assert!(ByteVector::try_from_bytes(b"odd").is_err());
    assert!(ByteVector::try_from_bstr(BstrRef::NULL).is_err());
    assert!(vector.try_to_bstr().is_err());
    drop(failing);
}

/// What C has as `SAFEARRAY**`.
#[test]
fn an_owner_is_handed_out() {
    extern "system" fn get(data: Out<'_, Option<ByteVector>>) -> HResult {
        data.fill(|| Ok(Some(ByteVector::try_from_bytes(b"data")?)))
    }
    assert_eq!(size_of::<Option<ByteVector>>(), size_of::<*mut SafeArray>());
    let mut data = None;
    assert_eq!(get(Out::new(&mut data)), HResult::S_OK);
    assert_eq!(data.as_ref().map(ByteVector::as_bytes), Some(&b"data"[..]));
}

/// One that C left locked is not destroyed: here it is freed all the same.
#[test]
fn a_locked_owner_leaves_its_array() {
    let vector = ByteVector::from_bytes(b"data");
    let raw = vector.as_raw();
    // SAFETY: live.
    assert_eq!(unsafe { array::lock(raw) }, Ok(()));
    drop(vector);
    // SAFETY: live still, and the lock is the test's.
    assert_eq!(unsafe { array::unlock(raw) }, Ok(()));
    // SAFETY: as above.
    let vector = unsafe { ByteVector::from_raw(raw) };
    assert_eq!(vector.as_bytes(), b"data");
}

quickcheck! {
    /// There and back, by the raw functions: each byte, and no other.
    fn v229_a_string_comes_back_whole(bytes: Vec<u8>) -> bool {
        let len = ByteLen::try_from(bytes.len()).expect("short");
        // SAFETY: so many bytes are there.
        let text = unsafe { raw::alloc_bytes(bytes.as_ptr(), len) };
        // SAFETY: it is the test's.
        let text = unsafe { Bstr::from_raw(text) };
        let array = vector_of(text.as_raw());
        let back = bstr_of(&array).expect("a vector");
        array.bytes(bytes.len()) == bytes
            && back.as_bytes() == bytes
            && back.byte_len() == len
            && !back.is_null()
    }

    /// There and back, by the owners.
    fn bytes_come_back_whole(bytes: Vec<u8>) -> bool {
        let vector = ByteVector::from_bytes(&bytes);
        let text = vector.try_to_bstr().expect("short");
        let back = ByteVector::try_from_bstr(text.as_bstr()).expect("short");
        back == vector && back.as_bytes() == bytes
    }
}
