//! An allocator that counts, so that a property can say how much memory something may take.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Counting;

thread_local! {
    /// Bytes that this thread holds, and the most that it held since that was last reset.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

/// Does `work`; panics if it held more than `limit` bytes at any time.
pub fn within<T>(limit: usize, work: impl FnOnce() -> T) -> T {
    let before = HELD.get().0;
    HELD.set((before, before));
    let value = work();
    let most = HELD.get().1 - before;
    assert!(most <= limit.cast_signed(), "{most} bytes were held, of {limit} at most");
    value
}

fn count(more: usize, less: usize) {
    let (held, most) = HELD.get();
    let held = held + more.cast_signed() - less.cast_signed();
    HELD.set((held, most.max(held)));
}

// SAFETY: the system's allocator does it all; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
