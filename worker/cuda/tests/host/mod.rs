//! A device that is this machine's processor: the kernels' source as C++, thread by thread. What it gives are the bits that a
//! GPU gives, as far as the source says; what only a GPU has (races, cuBLASLt, the compiler for it) it does not show.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part")]

use assay_cuda::{
    device::{Device, DeviceError, Grid},
    kernel::Kernel,
};
use libloading::Library;
use std::{
    alloc::{alloc, dealloc, Layout},
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, OnceLock},
};

/// Bytes behind each allocation that nobody may write.
const GUARD: usize = 64;

/// What is in memory that nobody has written.
const ANYTHING: u8 = 0xcd;

/// What is in guards.
const GUARDED: u8 = 0xa5;

/// What device memory is aligned to.
const ALIGN: usize = 256;

type Function = unsafe extern "C" fn(*const u64, u32, u32, u32, u32);

/// The kernels as functions.
struct Kernels {
    _library: Library,
    functions: Vec<Function>,
}

impl fmt::Debug for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kernels")
    }
}

/// This machine as a device.
#[derive(Debug)]
pub(crate) struct Host {
    kernels: &'static Kernels,
    memory: Mutex<HashMap<u64, usize>>,
    /// Whether threads run from the last to the first: what depends on their order shows.
    backwards: bool,
}

fn compile() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    let mut hasher = blake3::Hasher::new();
    let mut files: Vec<_> = std::fs::read_dir(&source)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        hasher.update(&std::fs::read(file).unwrap());
    }
    let library = folder.join(format!("kernels-{}.so", &hasher.finalize().to_hex()[..16]));
    if library.is_file() {
        return Some(library);
    }
    // Written under another name first: several tests may compile at once
    let new = folder.join(format!("kernels-{}.so", std::process::id()));
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "g++".into());
    let done = Command::new(&compiler)
        .args([
            "-std=c++17",
            "-O3",
            "-ffp-contract=off",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-shared",
            "-fPIC",
            "-o",
        ])
        .args([new.as_os_str(), source.join("host.cpp").as_os_str()])
        .output();
    match done {
        Ok(done) => assert!(
            done.status.success(),
            "{compiler} failed:\n{}",
            String::from_utf8_lossy(&done.stderr)
        ),
        Err(error) => {
            println!("kernels are not tested: {compiler}: {error}; install a C++ compiler or set CXX");
            return None;
        }
    }
    std::fs::rename(new, &library).unwrap();
    Some(library)
}

fn kernels() -> Option<&'static Kernels> {
    static KERNELS: OnceLock<Option<Kernels>> = OnceLock::new();
    KERNELS
        .get_or_init(|| {
            let library = unsafe { Library::new(compile()?) }.unwrap();
            let functions = Kernel::ALL
                .iter()
                .map(|kernel| unsafe {
                    let size = library
                        .get::<unsafe extern "C" fn() -> u64>(format!("{}_size", kernel.name()))
                        .unwrap();
                    assert_eq!(size() as usize, kernel.arguments(), "arguments of {kernel:?}");
                    *library.get::<Function>(kernel.name()).unwrap()
                })
                .collect();
            Some(Kernels {
                _library: library,
                functions,
            })
        })
        .as_ref()
}

impl Host {
    /// This machine, if it has a compiler.
    pub(crate) fn open(backwards: bool) -> Option<Arc<dyn Device>> {
        Some(Arc::new(Self {
            kernels: kernels()?,
            memory: Mutex::default(),
            backwards,
        }))
    }

    /// Threads in order and in the opposite one; none if there is no compiler. And a GPU, if there is one.
    pub(crate) fn all() -> Vec<Arc<dyn Device>> {
        let hosts = [false, true].into_iter().filter_map(Self::open);
        hosts.chain(gpu()).collect()
    }

    /// Checks that an access lies in memory that is allocated.
    fn check(&self, at: u64, bytes: usize) {
        let memory = self.memory.lock().unwrap();
        let end = at + bytes as u64;
        let inside = memory
            .iter()
            .any(|(start, size)| *start <= at && end <= *start + *size as u64);
        assert!(inside || bytes == 0, "{bytes} bytes at {at:#x} are not allocated");
    }
}

/// The GPU, if this is built for one and it is there. `ASSAY_TEST_GPU=1` makes it a failure that it is not.
pub(crate) fn gpu() -> Option<Arc<dyn Device>> {
    #[cfg(feature = "cuda")]
    {
        static GPU: OnceLock<Option<Arc<dyn Device>>> = OnceLock::new();
        let open = || match assay_cuda::nvidia::Nvidia::open(0) {
            Ok(device) => Some(device),
            Err(error) => {
                assert!(std::env::var_os("ASSAY_TEST_GPU").is_none(), "{error}");
                println!("no GPU is tested: {error}");
                None
            }
        };
        GPU.get_or_init(open).clone()
    }
    #[cfg(not(feature = "cuda"))]
    None
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes + GUARD, ALIGN).unwrap()
}

impl Device for Host {
    fn name(&self) -> String {
        "host".into()
    }

    fn allocate(&self, bytes: usize) -> Result<u64, DeviceError> {
        assert_ne!(bytes, 0, "the driver allocates no empty memory");
        let address = unsafe {
            let address = alloc(layout(bytes));
            address.write_bytes(ANYTHING, bytes);
            address.add(bytes).write_bytes(GUARDED, GUARD);
            address as u64
        };
        self.memory.lock().unwrap().insert(address, bytes);
        Ok(address)
    }

    fn release(&self, address: u64) {
        let bytes = self
            .memory
            .lock()
            .unwrap()
            .remove(&address)
            .expect("allocated, and given back once");
        unsafe {
            let guard = std::slice::from_raw_parts((address as *const u8).add(bytes), GUARD);
            assert!(
                guard.iter().all(|byte| *byte == GUARDED),
                "a kernel wrote behind {bytes} bytes"
            );
            dealloc(address as *mut u8, layout(bytes));
        }
    }

    fn upload(&self, to: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        self.check(to, bytes.len());
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to as *mut u8, bytes.len()) };
        Ok(())
    }

    fn download(&self, from: u64, bytes: &mut [u8]) -> Result<(), DeviceError> {
        self.check(from, bytes.len());
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    fn fill(&self, at: u64, byte: u8, bytes: usize) -> Result<(), DeviceError> {
        self.check(at, bytes);
        unsafe { (at as *mut u8).write_bytes(byte, bytes) };
        Ok(())
    }

    fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<(), DeviceError> {
        self.check(from, bytes);
        self.check(to, bytes);
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, to as *mut u8, bytes) };
        Ok(())
    }

    fn launch(&self, kernel: Kernel, grid: Grid, arguments: &[u64]) -> Result<(), DeviceError> {
        assert!(
            grid.threads <= 256 && grid.threads.is_multiple_of(32) && grid.strips <= 65_535,
            "{grid:?}"
        );
        let function = self.kernels.functions[kernel as usize];
        unsafe {
            function(
                arguments.as_ptr(),
                grid.blocks,
                grid.strips,
                grid.threads,
                self.backwards.into(),
            )
        };
        Ok(())
    }
}
