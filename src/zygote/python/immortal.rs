//! Objects whose references nobody counts (PEP 683).
//!
//! Whoever uses an object writes to its reference count, and a fork that writes to a page gets a copy of its own: a worker
//! that runs three lines of pandas would copy a thousand pages for nothing but counts. What a zygote has when it is ready is
//! there as long as its workers are, so it need not be counted.

use std::collections::HashSet;
use std::ffi::{c_int, c_void};

use super::{Api, Object};

/// The count that is never changed: `_Py_IMMORTAL_REFCNT` of CPython 3.13 on machines with 64 bits.
const IMMORTAL: isize = 0xffff_ffff;

/// `Py_tp_traverse`
const TRAVERSE: c_int = 71;

type Traverse = unsafe extern "C" fn(Object, extern "C" fn(Object, *mut c_void) -> c_int, *mut c_void) -> c_int;

/// All objects that have been found.
#[derive(Default)]
struct Found {
    known: HashSet<Object>,
    pending: Vec<Object>,
}

/// Makes every object immortal that can be reached.
pub fn make_all(api: &Api) {
    let mut found = Found::default();
    let argument = (&raw mut found).cast();
    // SAFETY: the interpreter is up and this thread holds its lock; `visit` gets what it expects. Nothing is made or
    // destroyed meanwhile, so that each object is alive. A traverse function only calls back.
    unsafe {
        (api.PyUnstable_GC_VisitObjects)(collect, argument);
        while let Some(object) = found.pending.pop() {
            (api._Py_SetRefcnt)(object, IMMORTAL);
            // Others cannot tell what they refer to.
            if (api.PyObject_IS_GC)(object) != 0 {
                let traverse = (api.PyType_GetSlot)(type_of(object), TRAVERSE);
                if let Some(traverse) = std::mem::transmute::<*mut c_void, Option<Traverse>>(traverse) {
                    traverse(object, refer, (&raw mut found).cast());
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

extern "C" fn collect(object: Object, found: *mut c_void) -> c_int {
    refer(object, found);
    1
}

extern "C" fn refer(object: Object, found: *mut c_void) -> c_int {
    // SAFETY: `make_all` has put it there, and does not use it while this is called.
    let found = unsafe { &mut *found.cast::<Found>() };
    if found.known.insert(object) {
        found.pending.push(object);
    }
    0
}
