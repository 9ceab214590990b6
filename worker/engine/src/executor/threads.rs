//! Threads among which the parts of a stage are divided.
//!
//! A step of one token has hundreds of stages of a few microseconds each: to put threads to sleep and wake them for each
//! would take longer than what they compute. So they wait for the next stage awake, for as long as one usually takes to
//! come, and sleep only then.

use std::{
    any::Any,
    cell::UnsafeCell,
    fmt,
    panic::{catch_unwind, resume_unwind, AssertUnwindSafe},
    sync::{
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError, TryLockError,
    },
    thread::JoinHandle,
};

/// Set while parts are to be had.
const OPEN: u64 = 1;

/// Set once there will be no more jobs.
const END: u64 = 2;

/// One helper that is at the job: their count is above the two bits.
const HELPER: u64 = 4;

/// One job: their count is above that of helpers.
const JOB: u64 = 1 << 24;

/// How often a helper looks for a job before it sleeps: first in a row, then letting others have the core in between.
/// Together some tenths of a millisecond.
const LOOKS: (u32, u32) = (4_000, 1_000);

/// What is computed for a part, by its number.
type Work<'a> = &'a (dyn Fn(usize) + Sync);

/// What threads share.
struct Shared {
    /// The number of the job, how many helpers are at it, and [`OPEN`] and [`END`].
    gate: AtomicU64,
    /// The job and the number of its parts. Written only while the gate is closed and no helper is at a job; read only by
    /// helpers that have been counted at an open gate.
    job: UnsafeCell<Option<(Work<'static>, usize)>>,
    /// The next part that nobody has taken.
    next: AtomicUsize,
    /// What a helper panicked with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// Helpers that sleep, or are about to.
    sleeping: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
}

// SAFETY: all but `job` can be shared by itself; who may read and write `job` when is said there, and what is in it can
// be shared.
unsafe impl Sync for Shared {}

/// The calling thread and its helpers.
pub(crate) struct Threads {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    /// Held while there is a job.
    job: Mutex<()>,
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} threads", self.count())
    }
}

/// A lock, also if a thread panicked while it had it: none of them guards anything that could be half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Takes parts until there are none left.
    fn take_parts(&self, work: Work<'_>, parts: usize) {
        loop {
            let part = self.next.fetch_add(1, Ordering::Relaxed);
            if part >= parts {
                return;
            }
            work(part);
        }
    }

    /// What a helper does until the end.
    fn help(&self) {
        let mut last = 0;
        loop {
            let mut gate = self.wait_for_job(last);
            if gate & END != 0 {
                return;
            }
            last = gate / JOB;
            while gate & OPEN != 0 && gate / JOB == last {
                let counted = gate + HELPER;
                match self
                    .gate
                    .compare_exchange(gate, counted, Ordering::Acquire, Ordering::Relaxed)
                {
                    Ok(_) => {
                        // SAFETY: this helper has been counted at an open gate. Until it is not any more, the job stays.
                        let job = unsafe { *self.job.get() };
                        let done = catch_unwind(AssertUnwindSafe(|| {
                            if let Some((work, parts)) = job {
                                self.take_parts(work, parts);
                            }
                        }));
                        if let Err(panic) = done {
                            *lock(&self.panic) = Some(panic);
                        }
                        self.gate.fetch_sub(HELPER, Ordering::Release);
                        break;
                    }
                    Err(now) => gate = now,
                }
            }
        }
    }

    /// Waits until there is another job than the last one, or the end.
    fn wait_for_job(&self, last: u64) -> u64 {
        let is_there = |gate: u64| gate & END != 0 || (gate & OPEN != 0 && gate / JOB != last);
        for look in 0..LOOKS.0 + LOOKS.1 {
            let gate = self.gate.load(Ordering::Acquire);
            if is_there(gate) {
                return gate;
            }
            pause(look, LOOKS.0);
        }
        let mut guard = lock(&self.sleep);
        // Before the gate is looked at: who opens it looks at this afterwards, and so one of both sees the other
        self.sleeping.fetch_add(1, Ordering::SeqCst);
        let gate = loop {
            let gate = self.gate.load(Ordering::SeqCst);
            if is_there(gate) {
                break gate;
            }
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        };
        self.sleeping.fetch_sub(1, Ordering::Relaxed);
        gate
    }

    /// Sets the gate and wakes who sleeps.
    fn set(&self, gate: u64) {
        self.gate.store(gate, Ordering::SeqCst);
        if self.sleeping.load(Ordering::SeqCst) > 0 {
            let _guard = lock(&self.sleep);
            self.wake.notify_all();
        }
    }
}

/// Lets some time pass between two looks at something.
fn pause(look: u32, in_a_row: u32) {
    if look < in_a_row {
        std::hint::spin_loop();
    } else {
        std::thread::yield_now();
    }
}

/// Closes the gate and waits until no helper is at the job any more, also if the calling thread panics.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut gate = self.0.gate.fetch_and(!OPEN, Ordering::AcqRel) & !OPEN;
        let mut look = 0;
        while !gate.is_multiple_of(JOB) {
            pause(look, LOOKS.0);
            look = look.saturating_add(1);
            gate = self.0.gate.load(Ordering::Acquire);
        }
    }
}

/// As many threads as `RAYON_NUM_THREADS` says, or as the machine has: that variable is what others that divide work in
/// the same process go by.
pub(crate) fn available() -> usize {
    let asked = std::env::var("RAYON_NUM_THREADS").ok();
    let asked = asked.and_then(|count| count.parse().ok()).filter(|count| *count > 0);
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |count| count.get()))
}

impl Threads {
    /// So many threads, with the one that calls.
    pub(crate) fn new(count: usize) -> Self {
        let shared = Arc::new(Shared {
            gate: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            next: AtomicUsize::new(0),
            panic: Mutex::new(None),
            sleeping: AtomicUsize::new(0),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
        });
        let helpers = (1..count).map(|helper| {
            let shared = shared.clone();
            std::thread::Builder::new()
                .name(format!("exact-{helper}"))
                .spawn(move || shared.help())
                .expect("threads can be started; qed")
        });
        let helpers = helpers.collect();
        Self {
            shared,
            helpers,
            job: Mutex::new(()),
        }
    }

    /// The thread that calls, and no other.
    pub(crate) fn alone() -> &'static Self {
        static ALONE: LazyLock<Threads> = LazyLock::new(|| Threads::new(1));
        &ALONE
    }

    /// How many there are, with the one that calls.
    pub(crate) fn count(&self) -> usize {
        self.helpers.len() + 1
    }

    /// Computes all parts, and returns when all are. Where the helpers are at another job already (another caller's, or
    /// the one of which this is a part), the calling thread computes them alone.
    fn run(&self, parts: usize, work: Work<'_>) {
        let job = match self.job.try_lock() {
            _ if parts < 2 || self.helpers.is_empty() => None,
            Ok(job) => Some(job),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        let Some(_job) = job else {
            return (0..parts).for_each(work);
        };
        let shared = &*self.shared;
        let gate = shared.gate.load(Ordering::Relaxed);
        // SAFETY: nobody else writes it, since this thread has the lock, and nobody reads it, since the gate is closed and
        // no helper is at a job. What the work refers to lives until this function returns, and before it does, also by a
        // panic, the gate is closed and no helper is at the job any more (see `Closing`).
        unsafe {
            let work = std::mem::transmute::<Work<'_>, Work<'static>>(work);
            *shared.job.get() = Some((work, parts));
        }
        *lock(&shared.panic) = None;
        shared.next.store(0, Ordering::Relaxed);
        shared.set((gate / JOB).wrapping_add(1).wrapping_mul(JOB) | OPEN);
        let closing = Closing(shared);
        shared.take_parts(work, parts);
        drop(closing);
        if let Some(panic) = lock(&shared.panic).take() {
            resume_unwind(panic);
        }
    }

    /// Does something with each item, in parallel and in any order.
    pub(crate) fn for_each<T: Send>(&self, items: Vec<T>, work: impl Fn(T) + Sync) {
        if self.count() == 1 || items.len() < 2 {
            return items.into_iter().for_each(work);
        }
        let items: Vec<_> = items.into_iter().map(|item| Mutex::new(Some(item))).collect();
        self.run(items.len(), &|part| {
            if let Some(item) = lock(&items[part]).take() {
                work(item);
            }
        });
    }

    /// The same for what can fail: an error of one of the items, if there is one.
    pub(crate) fn try_for_each<T: Send, E: Send>(
        &self,
        items: Vec<T>,
        work: impl Fn(T) -> Result<(), E> + Sync,
    ) -> Result<(), E> {
        if self.count() == 1 || items.len() < 2 {
            return items.into_iter().try_for_each(work);
        }
        let has_failed = AtomicBool::new(false);
        let failure = Mutex::new(None);
        self.for_each(items, |item| {
            if has_failed.load(Ordering::Relaxed) {
                return;
            }
            if let Err(error) = work(item) {
                has_failed.store(true, Ordering::Relaxed);
                *lock(&failure) = Some(error);
            }
        });
        let failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
        failure.map_or(Ok(()), Err)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.set(END);
        for helper in self.helpers.drain(..) {
            // A panic has been handed on to who gave the job
            let _ = helper.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn squares(threads: &Threads, count: usize) -> Vec<usize> {
        let mut out = vec![0; count];
        threads.for_each(out.iter_mut().enumerate().collect(), |(at, out)| *out = at * at);
        out
    }

    fn expected(count: usize) -> Vec<usize> {
        (0..count).map(|at| at * at).collect()
    }

    #[test]
    fn each_item_should_be_computed_once_when_there_are_any_number_of_threads() {
        for count in [1, 2, 3, 8] {
            let threads = Threads::new(count);
            assert_eq!(threads.count(), count);
            for items in (0..200).chain([5_000]) {
                assert_eq!(
                    squares(&threads, items),
                    expected(items),
                    "{count} threads, {items} items"
                );
            }
        }
    }

    #[test]
    fn helpers_should_come_back_when_they_have_slept() {
        let threads = Threads::new(3);
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(30));
            assert_eq!(squares(&threads, 64), expected(64));
        }
    }

    #[test]
    fn helpers_should_take_part_when_there_are_enough_items() {
        let threads = Threads::new(2);
        let own = std::thread::current().id();
        let by_others = AtomicUsize::new(0);
        threads.for_each(vec![Duration::from_millis(2); 20], |time| {
            std::thread::sleep(time);
            if std::thread::current().id() != own {
                by_others.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert!(by_others.into_inner() > 0);
    }

    #[test]
    fn items_should_be_computed_when_the_helpers_are_at_another_job() {
        let threads = Threads::new(2);
        let sums = Mutex::new(0);
        threads.for_each(vec![10, 20, 30], |count| {
            *lock(&sums) += squares(&threads, count).into_iter().sum::<usize>();
        });
        let all = [10, 20, 30].map(|count| expected(count).into_iter().sum::<usize>());
        assert_eq!(*lock(&sums), all.iter().sum::<usize>());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(squares(&threads, 1_000), expected(1_000)));
            }
        });
    }

    #[test]
    fn error_should_be_returned_when_an_item_fails() {
        let threads = Threads::new(2);
        let items: Vec<_> = (0..100).collect();
        let fail = |item: i32| if item == 70 { Err(item) } else { Ok(()) };
        assert_eq!(threads.try_for_each(items.clone(), fail), Err(70));
        assert_eq!(threads.try_for_each(items, |_| Ok::<_, ()>(())), Ok(()));
    }

    #[test]
    fn panic_should_reach_the_caller_and_leave_the_threads_usable() {
        let threads = Threads::new(2);
        for _ in 0..10 {
            let panics = catch_unwind(AssertUnwindSafe(|| {
                threads.for_each((0..50).collect(), |item: i32| assert!(item % 10 != 9, "meant to fail"));
            }));
            assert!(panics.is_err());
            assert_eq!(squares(&threads, 100), expected(100));
        }
    }
}
