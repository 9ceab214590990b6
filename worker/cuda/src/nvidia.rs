//! A GPU by NVIDIA: by the driver, and products by cuBLASLt. Both are loaded when it is opened, not before.

use crate::{
    device::{launch, Device, DeviceError, Grid},
    kernel::{Kernel, MultiplyArgs},
};
use cudarc::{
    cublaslt::{
        result as blas,
        sys::{
            cublasComputeType_t, cublasLtHandle_t, cublasLtMatmulAlgo_t, cublasLtMatmulDescAttributes_t,
            cublasLtMatmulDesc_t, cublasLtMatmulPreferenceAttributes_t, cublasLtMatrixLayoutAttribute_t,
            cublasLtMatrixLayout_t, cudaDataType,
        },
    },
    driver::{result as driver, sys},
};
use std::{
    collections::{hash_map::Entry, HashMap},
    ffi::{c_void, CString},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// The kernels: machine code for processors 8.0 and 9.0, and PTX for later ones.
static KERNELS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernels.fatbin"));

/// The least compute capability: products of bytes on tensor cores, and what the kernels are compiled for.
const LEAST_CAPABILITY: (i32, i32) = (8, 0);

/// Bytes that cuBLASLt may use for itself: as many as NVIDIA recommends for its newest processors.
const WORKSPACE: usize = 32 << 20;

/// What cuBLAS calls `CUBLAS_OP_T`; the bindings to cuBLASLt do not have it.
const TRANSPOSED: i32 = 1;

/// A GPU. What it is told goes into one stream.
pub struct Nvidia {
    device: sys::CUdevice,
    context: sys::CUcontext,
    stream: sys::CUstream,
    module: sys::CUmodule,
    functions: Vec<sys::CUfunction>,
    blas: cublasLtHandle_t,
    workspace: sys::CUdeviceptr,
    /// How products of each shape are computed; none where cuBLASLt does not know.
    plans: Mutex<HashMap<Shape, Option<Product>>>,
    name: String,
}

// SAFETY: driver and cuBLASLt may be called from any thread once the context is current, which every method makes it;
// what is not thread-safe, the plans, is behind a lock
unsafe impl Send for Nvidia {}
// SAFETY: as above
unsafe impl Sync for Nvidia {}

/// What a product's plan depends on: dimensions and strides.
type Shape = ([u32; 5], [u64; 3]);

/// Descriptors of a product, and the algorithm chosen for it.
struct Product {
    operation: cublasLtMatmulDesc_t,
    w: cublasLtMatrixLayout_t,
    x: cublasLtMatrixLayout_t,
    out: cublasLtMatrixLayout_t,
    algorithm: cublasLtMatmulAlgo_t,
}

impl fmt::Debug for Nvidia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nvidia")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn failed(what: &'static str) -> impl Fn(driver::DriverError) -> DeviceError {
    move |error| DeviceError {
        what,
        reason: format!("{error:?}"),
    }
}

fn blas_failed(what: &'static str) -> impl Fn(blas::CublasError) -> DeviceError {
    move |error| DeviceError {
        what,
        reason: format!("{error:?}"),
    }
}

/// Checks that the libraries are there, before anything of them is called.
fn check_libraries() -> Result<(), DeviceError> {
    // SAFETY: loading these libraries runs nothing but their own initialisers
    let (has_driver, has_blas) = unsafe { (sys::is_culib_present(), cudarc::cublaslt::sys::is_culib_present()) };
    let missing = |what, reason: &str| {
        Err(DeviceError {
            what,
            reason: reason.into(),
        })
    };
    if !has_driver {
        return missing(
            "loading NVIDIA's driver",
            "libcuda.so.1 was not found: expected a driver of version 580 or later",
        );
    }
    if !has_blas {
        return missing(
            "loading cuBLASLt",
            "libcublasLt.so.13 was not found: install CUDA 13, or `pip install nvidia-cublas` and name the folder in \
             LD_LIBRARY_PATH; see docs/gpu.md",
        );
    }
    Ok(())
}

impl Nvidia {
    /// How many GPUs there are.
    ///
    /// # Errors
    ///
    /// If a library is missing, or the driver does not work.
    pub fn count() -> Result<usize, DeviceError> {
        check_libraries()?;
        driver::init().map_err(failed("starting NVIDIA's driver"))?;
        let count = driver::device::get_count().map_err(failed("counting GPUs"))?;
        Ok(count.max(0) as usize)
    }

    /// Opens the GPU of this number, counted from 0.
    ///
    /// # Errors
    ///
    /// If there is none, if it is too old, or if a library is missing.
    pub fn open(number: usize) -> Result<Arc<dyn Device>, DeviceError> {
        let count = Self::count()?;
        if number >= count {
            return Err(DeviceError {
                what: "opening a GPU",
                reason: format!("there is no GPU {number}: this machine has {count}, numbered from 0"),
            });
        }
        let device = driver::device::get(number as i32).map_err(failed("opening a GPU"))?;
        let name = driver::device::get_name(device).map_err(failed("asking a GPU for its name"))?;
        let attribute = |attribute| {
            // SAFETY: the device was returned by the driver
            unsafe { driver::device::get_attribute(device, attribute) }.map_err(failed("asking what a GPU is"))
        };
        let capability = (
            attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        );
        if capability < LEAST_CAPABILITY {
            return Err(DeviceError {
                what: "opening a GPU",
                reason: format!(
                    "{name} has compute capability {}.{}, expected {}.{} or later",
                    capability.0, capability.1, LEAST_CAPABILITY.0, LEAST_CAPABILITY.1
                ),
            });
        }
        // SAFETY: the device was returned by the driver
        let context = unsafe { driver::primary_ctx::retain(device) }.map_err(failed("opening a GPU"))?;
        let mut nvidia = Self {
            device,
            context,
            stream: std::ptr::null_mut(),
            module: std::ptr::null_mut(),
            functions: Vec::with_capacity(Kernel::ALL.len()),
            blas: std::ptr::null_mut(),
            workspace: 0,
            plans: Mutex::default(),
            name,
        };
        // What has been opened so far is closed again if anything fails from here on
        nvidia.prepare()?;
        Ok(Arc::new(nvidia))
    }

    fn prepare(&mut self) -> Result<(), DeviceError> {
        self.enter()?;
        self.stream = driver::stream::create(driver::stream::StreamKind::NonBlocking)
            .map_err(failed("making a stream of a GPU"))?;
        // SAFETY: the image is a whole fat binary as nvcc wrote it
        self.module = unsafe { driver::module::load_data(KERNELS.as_ptr().cast()) }
            .map_err(failed("loading the kernels into a GPU"))?;
        for kernel in Kernel::ALL {
            let name = CString::new(kernel.name()).expect("names of kernels have no zero byte; qed");
            // SAFETY: the module has been loaded and stays
            let function = unsafe { driver::module::get_function(self.module, name) };
            self.functions.push(function.map_err(failed("finding a kernel"))?);
        }
        self.blas = blas::create_handle().map_err(blas_failed("starting cuBLASLt"))?;
        // SAFETY: the stream is this GPU's
        self.workspace =
            unsafe { driver::malloc_async(self.stream, WORKSPACE) }.map_err(failed("allocating a GPU's memory"))?;
        // Memory that is given back stays with the pool: the next step takes as much again
        // SAFETY: the device was returned by the driver, and the attribute is 64 bits
        unsafe {
            let pool = driver::device::get_default_mem_pool(self.device).map_err(failed("finding a GPU's memory"))?;
            let mut all = u64::MAX;
            driver::mem_pool::set_attribute(
                pool,
                sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
                (&raw mut all).cast(),
            )
            .map_err(failed("keeping a GPU's memory"))
        }
    }

    /// Makes the context that of this thread.
    fn enter(&self) -> Result<(), DeviceError> {
        // SAFETY: the context is retained until this is dropped
        unsafe { driver::ctx::set_current(self.context) }.map_err(failed("turning to a GPU"))
    }

    /// How products of a shape are computed.
    fn plan(&self, arguments: &MultiplyArgs) -> Result<Option<Product>, DeviceError> {
        let mut plan = Product {
            operation: std::ptr::null_mut(),
            w: std::ptr::null_mut(),
            x: std::ptr::null_mut(),
            out: std::ptr::null_mut(),
            algorithm: cublasLtMatmulAlgo_t { data: [0; 8] },
        };
        let failed = blas_failed("describing a product to cuBLASLt");
        plan.operation = blas::create_matmul_desc(cublasComputeType_t::CUBLAS_COMPUTE_32I, cudaDataType::CUDA_R_32I)
            .map_err(&failed)?;
        let transposed = TRANSPOSED;
        // SAFETY: the descriptor was made above, and the attribute is an operation
        unsafe {
            blas::set_matmul_desc_attribute(
                plan.operation,
                cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_TRANSA,
                (&raw const transposed).cast(),
                size_of_val(&transposed),
            )
        }
        .map_err(&failed)?;
        // To cuBLAS, which counts columns first, rows of W are columns of a matrix that is transposed
        let MultiplyArgs {
            columns,
            rows,
            depth,
            leading,
            batch,
            ..
        } = *arguments;
        let layout = |dtype, rows: u32, columns: u32, leading: u32, stride: u64| {
            let layout = blas::create_matrix_layout(dtype, rows.into(), columns.into(), leading.into())?;
            let (batch, stride) = (batch as i32, stride as i64);
            let count = cublasLtMatrixLayoutAttribute_t::CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT;
            let offset = cublasLtMatrixLayoutAttribute_t::CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET;
            // SAFETY: the layout was made above, and the attributes have 32 and 64 bits
            unsafe {
                blas::set_matrix_layout_attribute(layout, count, (&raw const batch).cast(), size_of_val(&batch))?;
                blas::set_matrix_layout_attribute(layout, offset, (&raw const stride).cast(), size_of_val(&stride))?;
            }
            Ok(layout)
        };
        let bytes = cudaDataType::CUDA_R_8I;
        plan.w = layout(bytes, depth, columns, leading, arguments.w_stride).map_err(&failed)?;
        plan.x = layout(bytes, depth, rows, leading, arguments.x_stride).map_err(&failed)?;
        plan.out = layout(cudaDataType::CUDA_R_32I, columns, rows, columns, arguments.out_stride).map_err(&failed)?;
        let preference = blas::create_matmul_pref().map_err(&failed)?;
        let workspace = WORKSPACE;
        let most = cublasLtMatmulPreferenceAttributes_t::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
        // SAFETY: all descriptors were made above, and the attribute is a size
        let found = unsafe {
            blas::set_matmul_pref_attribute(preference, most, (&raw const workspace).cast(), size_of_val(&workspace))
                .and_then(|()| {
                    blas::get_matmul_algo_heuristic(
                        self.blas,
                        plan.operation,
                        plan.w,
                        plan.x,
                        plan.out,
                        plan.out,
                        preference,
                    )
                })
        };
        // SAFETY: it was made above and is not used any more
        unsafe { blas::destroy_matmul_pref(preference) }.map_err(&failed)?;
        Ok(found.ok().map(|found| {
            plan.algorithm = found.algo;
            plan
        }))
    }

    fn multiply_by_blas(&self, plan: &Product, arguments: &MultiplyArgs) -> Result<(), DeviceError> {
        let (one, zero) = (1i32, 0i32);
        // SAFETY: the plan is that of these dimensions and strides, and whoever calls sees to it that all rows that they
        // tell of lie in memory of this GPU
        unsafe {
            blas::matmul(
                self.blas,
                plan.operation,
                (&raw const one).cast(),
                (&raw const zero).cast(),
                arguments.w as *const c_void,
                plan.w,
                arguments.x as *const c_void,
                plan.x,
                arguments.out as *const c_void,
                plan.out,
                arguments.out as *mut c_void,
                plan.out,
                &plan.algorithm,
                self.workspace as *mut c_void,
                WORKSPACE,
                self.stream.cast(),
            )
        }
        .map_err(blas_failed("multiplying by cuBLASLt"))
    }
}

impl Device for Nvidia {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn allocate(&self, bytes: usize) -> Result<u64, DeviceError> {
        self.enter()?;
        // SAFETY: the stream is this GPU's; nobody is promised anything about what is in the memory
        unsafe { driver::malloc_async(self.stream, bytes) }.map_err(|error| DeviceError {
            what: "allocating a GPU's memory",
            reason: format!("{bytes} bytes: {error:?}"),
        })
    }

    fn release(&self, address: u64) {
        // Whoever has the memory has this GPU, so that it is still open; if it fails, the next call says so
        if self.enter().is_ok() {
            // SAFETY: the address was allocated in this stream, and is given back once
            let _ = unsafe { driver::free_async(address, self.stream) };
        }
    }

    fn upload(&self, to: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        self.enter()?;
        // SAFETY: whoever calls sees to it that there is room; the bytes stay until the stream has taken them
        unsafe {
            driver::memcpy_htod_async(to, bytes, self.stream)
                .and_then(|()| driver::stream::synchronize(self.stream))
                .map_err(failed("copying to a GPU"))
        }
    }

    fn download(&self, from: u64, bytes: &mut [u8]) -> Result<(), DeviceError> {
        self.enter()?;
        // SAFETY: whoever calls sees to it that there are as many bytes; the stream is done with them before this returns
        unsafe {
            driver::memcpy_dtoh_async(bytes, from, self.stream)
                .and_then(|()| driver::stream::synchronize(self.stream))
                .map_err(failed("copying from a GPU"))
        }
    }

    fn fill(&self, at: u64, byte: u8, bytes: usize) -> Result<(), DeviceError> {
        if bytes == 0 {
            return Ok(());
        }
        self.enter()?;
        // SAFETY: whoever calls sees to it that there are as many bytes
        unsafe { driver::memset_d8_async(at, byte, bytes, self.stream) }.map_err(failed("filling a GPU's memory"))
    }

    fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<(), DeviceError> {
        if bytes == 0 {
            return Ok(());
        }
        self.enter()?;
        // SAFETY: whoever calls sees to it that there are as many bytes at both
        unsafe { driver::memcpy_dtod_async(to, from, bytes, self.stream) }.map_err(failed("copying within a GPU"))
    }

    fn launch(&self, kernel: Kernel, grid: Grid, arguments: &[u64]) -> Result<(), DeviceError> {
        self.enter()?;
        let function = self.functions[kernel as usize];
        let mut parameters = [arguments.as_ptr().cast_mut().cast::<c_void>()];
        // SAFETY: the function takes one parameter of as many bytes, which is copied before this returns; whoever calls
        // sees to it that the addresses in it are those of memory of this GPU
        unsafe {
            driver::launch_kernel(
                function,
                (grid.blocks, grid.strips, 1),
                (grid.threads, 1, 1),
                0,
                self.stream,
                &mut parameters,
            )
        }
        .map_err(|error| DeviceError {
            what: "running a kernel",
            reason: format!("{}: {error:?}", kernel.name()),
        })
    }

    fn multiply(&self, arguments: &MultiplyArgs) -> Result<(), DeviceError> {
        self.enter()?;
        let MultiplyArgs {
            columns,
            rows,
            depth,
            leading,
            batch,
            ..
        } = *arguments;
        let strides = [arguments.w_stride, arguments.x_stride, arguments.out_stride];
        let shape = ([columns, rows, depth, leading, batch], strides);
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = match plans.entry(shape) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.plan(arguments)?),
        };
        match plan {
            Some(plan) => self.multiply_by_blas(plan, arguments),
            None => {
                let elements = u64::from(batch) * u64::from(columns) * u64::from(rows);
                launch(self, Grid::over(elements), arguments)
            }
        }
    }
}

impl Drop for Nvidia {
    fn drop(&mut self) {
        if self.enter().is_err() {
            return;
        }
        let plans = std::mem::take(self.plans.get_mut().unwrap_or_else(PoisonError::into_inner));
        // SAFETY: all of it was made when this was opened, or since then, and nobody has it any more. What fails now
        // cannot be helped
        unsafe {
            if !self.stream.is_null() {
                let _ = driver::stream::synchronize(self.stream);
            }
            for plan in plans.into_values().flatten() {
                for layout in [plan.w, plan.x, plan.out] {
                    let _ = blas::destroy_matrix_layout(layout);
                }
                let _ = blas::destroy_matmul_desc(plan.operation);
            }
            if !self.blas.is_null() {
                let _ = blas::destroy_handle(self.blas);
            }
            if self.workspace != 0 {
                let _ = driver::free_async(self.workspace, self.stream);
            }
            if !self.module.is_null() {
                let _ = driver::module::unload(self.module);
            }
            if !self.stream.is_null() {
                let _ = driver::stream::destroy(self.stream);
            }
            let _ = driver::primary_ctx::release(self.device);
        }
    }
}
