//! Memory that tells nothing of what was in it.
//!
//! A monitor reads names that one script has chosen, of processes and files, and then forks the process of the next one, which
//! has all of the monitor's memory. So in a monitor memory is wiped before it is given back, and the stack before a fork.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The C library's allocator, which wipes what is given back in a process that has asked for that.
pub struct Allocator;

static WIPES: AtomicBool = AtomicBool::new(false);

/// Keeps the C library's heap from growing with what comes and goes: one heap for all threads, and large blocks that are given
/// back to the kernel (mallopt(3)). For a service, before it starts threads.
pub fn keep_heap_compact() {
    /// Bytes. A fixed threshold; of itself it would follow the largest block that was ever given back.
    const LARGE: i32 = 1 << 20;
    // SAFETY: the call takes two numbers.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// More than the monitor's calls take, of a stack of 8 MiB.
const STACK: usize = 64 * 1024;

/// Whether memory was wiped: not where the program uses another allocator.
static HAS_WIPED: AtomicBool = AtomicBool::new(false);

/// From now on this process and its forks wipe memory before they give it back. Whether they do.
#[must_use]
pub fn wipe_from_now_on() -> bool {
    WIPES.store(true, Relaxed);
    drop(black_box(Box::new(0_u8)));
    HAS_WIPED.load(Relaxed)
}

/// For a fork that makes no other: what it gives back, nobody else gets. To wipe what was never touched would take memory.
pub fn wipe_no_more() {
    WIPES.store(false, Relaxed);
}

/// Wipes what finished calls have left on the stack below the caller.
#[inline(never)]
#[allow(clippy::large_stack_arrays, reason = "its purpose")]
pub fn wipe_stack() {
    let mut space = [0_u8; STACK];
    black_box(&mut space);
}

// SAFETY: everything is the system allocator's, to which the same layouts are passed on.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if WIPES.load(Relaxed) {
            // SAFETY: the caller gives back memory of this size.
            unsafe { memory.write_bytes(0, layout.size()) };
            // Or else the compiler sees that nobody reads it.
            black_box(memory);
            HAS_WIPED.store(true, Relaxed);
        }
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !WIPES.load(Relaxed) {
            // SAFETY: as above.
            return unsafe { System.realloc(memory, layout, size) };
        }
        // SAFETY: the caller promises that the size is right for the alignment; both blocks have what is copied.
        unsafe {
            let new = System.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                new.copy_from_nonoverlapping(memory, layout.size().min(size));
                self.dealloc(memory, layout);
            }
            new
        }
    }
}
