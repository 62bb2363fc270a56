//! Objects whose references nobody counts (PEP 683).
//!
//! Whoever uses an object writes to its reference count, and a fork that writes to a page gets a copy of its own: a worker
//! that runs three lines of pandas would copy a thousand pages for nothing but counts. What a zygote has when it is ready is
//! there as long as its workers are, so it need not be counted.

use std::ffi::{c_int, c_void};

use super::{Api, Object};

/// The count that is never changed: `_Py_IMMORTAL_REFCNT` of CPython 3.13 on machines with 64 bits.
const IMMORTAL: isize = 0xffff_ffff;

/// `Py_tp_traverse`
const TRAVERSE: c_int = 71;

type Traverse = unsafe extern "C" fn(Object, extern "C" fn(Object, *mut c_void) -> c_int, *mut c_void) -> c_int;

/// Makes every object immortal that can be reached.
pub fn make_all(api: &Api) {
    let mut pending: Vec<Object> = Vec::new();
    let found = (&raw mut pending).cast();
    // SAFETY: the interpreter is up and this thread holds its lock; the callbacks get what they expect. Nothing is made or
    // destroyed meanwhile, so that each object is alive. A traverse function only calls back.
    unsafe {
        // Those that the collector knows, and then, as they come up, those that it need not know.
        (api.PyUnstable_GC_VisitObjects)(collect, found);
        while let Some(object) = pending.pop() {
            make_immortal(object);
            // Others cannot tell what they refer to.
            if (api.PyObject_IS_GC)(object) != 0 {
                let traverse = (api.PyType_GetSlot)(type_of(object), TRAVERSE);
                if let Some(traverse) = std::mem::transmute::<*mut c_void, Option<Traverse>>(traverse) {
                    traverse(object, refer, found);
                }
            }
        }
    }
}

/// # Safety
/// It must be an object that is alive.
unsafe fn type_of(object: Object) -> Object {
    // SAFETY: the second word of an object is its type; that is a part of the stable ABI.
    unsafe { *object.cast::<Object>().add(1) }
}

/// # Safety
/// It must be an object that is alive.
unsafe fn make_immortal(object: Object) {
    // SAFETY: as for `is_immortal`. The interpreter compares with this value before it changes a count.
    unsafe { *object.cast::<isize>() = IMMORTAL };
}

/// # Safety
/// It must be an object that is alive.
unsafe fn is_immortal(object: Object) -> bool {
    // SAFETY: the first word of an object is its reference count; that is a part of the stable ABI.
    unsafe { *object.cast::<isize>() == IMMORTAL }
}

extern "C" fn collect(object: Object, found: *mut c_void) -> c_int {
    // SAFETY: `make_all` has put it there, and does not use it while this is called.
    unsafe { &mut *found.cast::<Vec<Object>>() }.push(object);
    1
}

extern "C" fn refer(object: Object, found: *mut c_void) -> c_int {
    // SAFETY: as above; what a live object refers to is alive.
    unsafe {
        if !is_immortal(object) {
            // At once, so that it is not found a second time.
            make_immortal(object);
            (*found.cast::<Vec<Object>>()).push(object);
        }
    }
    0
}
