//! An end to whoever takes much memory.
//!
//! libFuzzer looks at the process once a second, which is late: a single allocation may bring the machine down before.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Most bytes at a time. Inputs have at most some hundred kilobytes, and what is read here takes memory in proportion.
pub const MOST: usize = 256 << 20;

static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which ends the process when more than [`MOST`] is taken.
struct Bounded;

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let before = TAKEN.fetch_add(layout.size(), Relaxed);
        if before.saturating_add(layout.size()) > MOST {
            // Whoever writes a message may want memory
            TAKEN.store(0, Relaxed);
            eprintln!("{} bytes asked for, with {before} taken", layout.size());
            std::process::abort();
        }
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        TAKEN.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`, and `alloc` gave what the system gave.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;
