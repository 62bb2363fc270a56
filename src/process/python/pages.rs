//! Large pages for what forks share.
//!
//! A fork copies an entry for each page that its parent has touched, and its end removes them: for the 12,000 pages of a
//! zygote with pandas that takes longer than most scripts. Of memory in large pages (2 MiB), a fork copies one entry for 512
//! pages, until it writes to one of them. So Python's small objects are put into one region, for which the kernel is asked for
//! large pages, and the C library's heap is brought together when a zygote is ready (madvise(2), MADV_HUGEPAGE and
//! MADV_COLLAPSE, Linux 6.1). Where there are none, nothing is different but the time.

use std::ffi::c_void;
use std::fs;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

const LARGE_PAGE: usize = 2 << 20;

/// Arenas are taken out of regions of this size, of which only what is used takes memory.
const REGION: usize = 64 << 20;

/// `MADV_COLLAPSE`
const COLLAPSE: i32 = 25;

/// `PyObjectArenaAllocator`
#[repr(C)]
pub struct ArenaAllocator {
    context: *mut c_void,
    allocate: extern "C" fn(*mut c_void, usize) -> *mut c_void,
    free: extern "C" fn(*mut c_void, *mut c_void, usize),
}

/// Takes arenas out of a region while a zygote gets ready, and asks the kernel for each one in a worker, as Python does.
pub const ALLOCATOR: ArenaAllocator = ArenaAllocator { context: ptr::null_mut(), allocate, free };

/// Whether arenas are taken out of the region. There is one thread, so nothing changes meanwhile.
static SHARED: AtomicBool = AtomicBool::new(true);

/// What is left of the region.
static NEXT: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);

extern "C" fn allocate(_: *mut c_void, bytes: usize) -> *mut c_void {
    let from_region = if SHARED.load(Relaxed) { take(bytes) } else { None };
    from_region.unwrap_or_else(|| map(bytes).unwrap_or(ptr::null_mut()))
}

extern "C" fn free(_: *mut c_void, arena: *mut c_void, bytes: usize) {
    // SAFETY: Python has got it from `allocate`, and does not use it any more.
    unsafe { libc::munmap(arena, bytes) };
}

fn take(bytes: usize) -> Option<*mut c_void> {
    if END.load(Relaxed) - NEXT.load(Relaxed) < bytes {
        begin_region(bytes)?;
    }
    Some(ptr::with_exposed_provenance_mut(NEXT.fetch_add(bytes, Relaxed)))
}

fn begin_region(bytes: usize) -> Option<()> {
    give_back_rest();
    let size = REGION.max(bytes.next_multiple_of(LARGE_PAGE));
    // With room to begin where a large page can.
    let mapped = map(size + LARGE_PAGE)?.expose_provenance();
    let start = mapped.next_multiple_of(LARGE_PAGE);
    unmap(mapped, start);
    unmap(start + size, mapped + size + LARGE_PAGE);
    advise(start, start + size, libc::MADV_HUGEPAGE);
    NEXT.store(start, Relaxed);
    END.store(start + size, Relaxed);
    Some(())
}

/// From now on arenas are for this process and its forks: to be called in a zygote that goes on with imports.
pub fn share() {
    SHARED.store(true, Relaxed);
}

/// To be called when a zygote is ready: arenas that its forks make are their own.
pub fn settle() {
    SHARED.store(false, Relaxed);
    give_back_rest();
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for (start, end) in maps.lines().filter_map(heap) {
        let (start, end) = (start.next_multiple_of(LARGE_PAGE), end / LARGE_PAGE * LARGE_PAGE);
        if start < end {
            advise(start, end, COLLAPSE);
        }
    }
}

/// The bounds of the C library's heap, if this line of maps is about it (proc_pid_maps(5)).
fn heap(line: &str) -> Option<(usize, usize)> {
    let (start, end) = line.strip_suffix("[heap]")?.split(' ').next()?.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    Some((number(start)?, number(end)?))
}

fn give_back_rest() {
    let end = END.swap(0, Relaxed);
    // The rest of a large page that is in use stays.
    unmap(NEXT.swap(0, Relaxed).next_multiple_of(LARGE_PAGE), end);
}

fn map(bytes: usize) -> Option<*mut c_void> {
    let (rights, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: new memory, which nothing uses yet.
    let mapped = unsafe { libc::mmap(ptr::null_mut(), bytes, rights, kind, -1, 0) };
    (mapped != libc::MAP_FAILED).then_some(mapped)
}

fn unmap(start: usize, end: usize) {
    if start < end {
        // SAFETY: the callers name memory that was mapped here and that nobody has been given.
        unsafe { libc::munmap(ptr::with_exposed_provenance_mut(start), end - start) };
    }
}

/// Whether the kernel can follow does not matter.
fn advise(start: usize, end: usize, advice: i32) {
    // SAFETY: this advice changes nothing about what the memory holds.
    unsafe { libc::madvise(ptr::with_exposed_provenance_mut(start), end - start, advice) };
}
