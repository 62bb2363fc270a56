//! Embedding CPython: a handful of functions of its C API, found at run time, so that this program links to no Python
//! and runs with whichever one the runtime brings.

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW, Symbol};

use crate::ipc::{JobFrame, Ready, Task};

mod immortal;
mod pages;

const LIBRARY: &str = "libpython3.13.so.1.0";

/// The Python side, compiled into this program: modules, by name, in the order in which they import each other.
const HARNESS: [(&CStr, &str); 21] = [
    (c"_harness_modules", include_str!("harness/modules.py")),
    (c"_harness_rehearsal", include_str!("harness/rehearsal.py")),
    (c"_harness_image", include_str!("harness/image.py")),
    (c"_harness_scratch_tree", include_str!("harness/scratch_tree.py")),
    (c"_harness_scratch_handles", include_str!("harness/scratch_handles.py")),
    (c"_harness_scratch", include_str!("harness/scratch.py")),
    (c"_harness_imports", include_str!("harness/imports.py")),
    (c"_harness_names", include_str!("harness/names.py")),
    (c"_harness_databases", include_str!("harness/databases.py")),
    (c"_harness_metadata", include_str!("harness/metadata.py")),
    (c"_harness_system", include_str!("harness/system.py")),
    (c"_harness_zones", include_str!("harness/zones.py")),
    (c"_harness_result", include_str!("harness/result.py")),
    (c"_harness_processes", include_str!("harness/processes.py")),
    (c"_harness_errors", include_str!("harness/errors.py")),
    (c"_harness_values", include_str!("harness/values.py")),
    (c"_harness_figures", include_str!("harness/figures.py")),
    (c"_harness_fonts", include_str!("harness/fonts.py")),
    (c"_harness_loops", include_str!("harness/loops.py")),
    (c"_harness_check", include_str!("harness/check.py")),
    (c"_harness", include_str!("harness/main.py")),
];

/// A Python object.
type Object = *mut c_void;

/// Called with each object that the collector knows; 1 to go on.
type VisitObject = extern "C" fn(Object, *mut c_void) -> c_int;

/// Why Python could not be started.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    #[error("cannot load {LIBRARY}: {}", with_source(.0))]
    Library(#[from] libloading::Error),
    /// The exception, as the last line of its traceback.
    #[error("{0}")]
    Raised(String),
    #[error("the harness said something that means nothing")]
    Meaningless,
    #[error("cannot preload: {0}")]
    Preload(String),
}

macro_rules! api {
    ($($name:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions of the C API that are used here.
        #[allow(non_snake_case)]
        struct Api { $($name: Symbol<unsafe extern "C" fn($($argument),*) $(-> $result)?>,)* }

        impl Api {
            fn load(library: &Library) -> Result<Self, libloading::Error> {
                // SAFETY: the signatures are those of CPython's documentation (C API reference, 3.13).
                unsafe { Ok(Self { $($name: library.get(concat!(stringify!($name), "\0"))?,)* }) }
            }
        }
    };
}

api! {
    PyObject_SetArenaAllocator: fn(*const pages::ArenaAllocator);
    Py_InitializeEx: fn(c_int);
    PyOS_BeforeFork: fn();
    PyOS_AfterFork_Parent: fn();
    PyOS_AfterFork_Child: fn();
    Py_CompileString: fn(*const c_char, *const c_char, c_int) -> Object;
    PyImport_ExecCodeModule: fn(*const c_char, Object) -> Object;
    PyObject_GetAttrString: fn(Object, *const c_char) -> Object;
    PyObject_CallObject: fn(Object, Object) -> Object;
    PyTuple_New: fn(isize) -> Object;
    PyTuple_SetItem: fn(Object, isize, Object) -> c_int;
    PyBytes_FromStringAndSize: fn(*const c_char, isize) -> Object;
    PyBytes_AsStringAndSize: fn(Object, *mut *mut c_char, *mut isize) -> c_int;
    PyLong_FromLong: fn(c_long) -> Object;
    PyObject_IS_GC: fn(Object) -> c_int;
    PyObject_Type: fn(Object) -> Object;
    PyObject_Str: fn(Object) -> Object;
    PyUnicode_AsUTF8AndSize: fn(Object, *mut isize) -> *const c_char;
    PyErr_GetRaisedException: fn() -> Object;
    PyErr_Clear: fn();
    PyType_GetSlot: fn(Object, c_int) -> *mut c_void;
    PyUnstable_GC_VisitObjects: fn(VisitObject, *mut c_void);
    Py_DecRef: fn(Object);
}

/// `Py_file_input`: compile as a module.
const FILE_INPUT: c_int = 257;

/// A running interpreter with the harness loaded. The thread that made it holds the interpreter's lock for good.
pub struct Python {
    api: Api,
    harness: Object,
    _library: Library,
}

/// An argument of a harness function.
#[derive(Clone, Copy)]
enum Argument<'a> {
    Bytes(&'a [u8]),
    Number(u64),
}

impl Python {
    /// Loads the library and starts the interpreter. At most once per process.
    pub fn start() -> Result<Self, PythonError> {
        // SAFETY: libpython's initialisers have no precondition. Its symbols must be global, because Python's own
        // extension modules do not name it as a dependency.
        let library = unsafe { Library::open(Some(LIBRARY), RTLD_NOW | RTLD_GLOBAL) }?;
        let api = Api::load(&library)?;
        // SAFETY: called before the interpreter is initialised, and once; both copy what they are given. With Python's own
        // signal handlers, as a script expects.
        unsafe {
            (api.PyObject_SetArenaAllocator)(&pages::ALLOCATOR);
            (api.Py_InitializeEx)(1);
        }
        let mut python = Self { api, harness: ptr::null_mut(), _library: library };
        python.harness = python.execute_harness()?;
        Ok(python)
    }

    /// The last module, which has imported the others.
    fn execute_harness(&self) -> Result<Object, PythonError> {
        let mut last = ptr::null_mut();
        for (name, source) in HARNESS {
            let source = CString::new(source).expect("the harness has no NUL");
            // Who follows a script's lines leaves out code of such a name, which is no file.
            let file = CString::new([b"<", name.to_bytes(), b">"].concat()).expect("a name has no NUL");
            // SAFETY: the interpreter is up, this thread holds its lock, the strings outlive the calls; an owned reference
            // comes back, or null with an exception set.
            unsafe {
                let code = self.object((self.api.Py_CompileString)(source.as_ptr(), file.as_ptr(), FILE_INPUT))?;
                last = self.object((self.api.PyImport_ExecCodeModule)(name.as_ptr(), code))?;
            }
        }
        Ok(last)
    }

    /// Gets ready for forks. `preload`: modules that a zygote of this one will import, so they must be there. `sealed`:
    /// scripts will run without a way to open a file, so also what the standard library imports late is imported.
    pub fn warm_up(&self, preload: &[String], runtime: &Path, sealed: bool) -> Result<Ready, PythonError> {
        let preload = preload.join(",");
        self.get_warm(c"warm_up", preload.as_bytes(), &[Argument::Bytes(runtime.as_os_str().as_bytes())], sealed)
    }

    /// Imports modules in a zygote that has been warmed up, and gets ready again.
    pub fn preload(&self, modules: &[String], sealed: bool) -> Result<Ready, PythonError> {
        pages::share();
        self.get_warm(c"preload", modules.join(",").as_bytes(), &[], sealed)
    }

    fn get_warm(
        &self,
        function: &CStr,
        modules: &[u8],
        arguments: &[Argument<'_>],
        sealed: bool,
    ) -> Result<Ready, PythonError> {
        let mut all = vec![Argument::Bytes(modules), Argument::Number(sealed.into())];
        all.extend_from_slice(arguments);
        let said = self.call(function, &all)?;
        if let Some(reason) = said.strip_prefix(b"error: ") {
            return Err(PythonError::Preload(String::from_utf8_lossy(reason).into_owned()));
        }
        immortal::make_all(&self.api);
        pages::settle();
        serde_json::from_slice(&said).map_err(|_| PythonError::Meaningless)
    }

    /// Gives a fresh worker a scratch directory and random state of its own, and has it rehearse.
    pub fn prepare(&self, scratch: &Path) -> Result<(), PythonError> {
        let scratch = scratch.as_os_str().as_bytes();
        self.call(c"prepare", &[Argument::Bytes(scratch)]).map(drop)
    }

    /// Makes what a job will not be able to make any more when its worker is sealed. No line of the script is run.
    /// `max_bytes` and `max_files` bound what it can keep in its scratch directory.
    pub fn get_ready(&self, job: &JobFrame<Vec<u8>>, max_bytes: u64, max_files: u64) -> Result<(), PythonError> {
        let imports = Argument::Bytes(&job.imports);
        let said = match job.task {
            Task::Check => self.call(c"get_ready_to_look", &[imports]),
            Task::Execute | Task::Run | Task::RunNanAsNull => {
                let script = Argument::Bytes(&job.script);
                self.call(c"get_ready", &[imports, script, Argument::Number(max_bytes), Argument::Number(max_files)])
            }
        };
        said.map(drop)
    }

    /// Runs a job. The answer's first byte is its kind (see [`crate::ipc::decode_outcome`]).
    pub fn run(&self, job: &JobFrame<Vec<u8>>) -> Result<Vec<u8>, PythonError> {
        let script = Argument::Bytes(&job.script);
        let mut arguments = vec![script, Argument::Bytes(&job.inputs), Argument::Number(job.max_result_bytes)];
        let function = match job.task {
            Task::Check => {
                let names = job.files.iter().map(|file| Argument::Bytes(file.name.as_bytes()));
                return self.call(c"look", &std::iter::once(script).chain(names).collect::<Vec<_>>());
            }
            Task::Execute => c"execute",
            Task::Run | Task::RunNanAsNull => {
                arguments.push(Argument::Number((job.task == Task::RunNanAsNull).into()));
                c"run"
            }
        };
        for file in &job.files {
            arguments.extend([Argument::Bytes(file.name.as_bytes()), Argument::Bytes(&file.content)]);
        }
        self.call(function, &arguments)
    }

    /// Writes what files still hold that a script has left open.
    pub fn flush_files(&self) {
        // What cannot be written is lost, as when the script's process ends.
        let _ = self.call(c"flush_files", &[]);
    }

    /// The files that a sealed script has left in memory: of each the name, as the script has it, and the size.
    pub fn list_files(&self) -> Option<Vec<(Vec<u8>, u64)>> {
        let listed = self.call(c"list_files", &[]).ok()?;
        let (mut rest, mut files) = (&listed[..], Vec::new());
        while let Some((size, behind)) = rest.split_first_chunk::<8>() {
            let (length, behind) = behind.split_first_chunk::<4>()?;
            let (name, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            files.push((name.to_owned(), u64::from_le_bytes(*size)));
            rest = behind;
        }
        Some(files)
    }

    /// The content of such a file.
    pub fn read_file(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.call(c"read_file", &[Argument::Bytes(name)]).ok()
    }

    /// To be called before a fork (PyOS_BeforeFork), and one of the next two after it.
    pub fn before_fork(&self) {
        // SAFETY: this thread holds the interpreter's lock.
        unsafe { (self.api.PyOS_BeforeFork)() }
    }

    pub fn after_fork_parent(&self) {
        // SAFETY: follows `before_fork` in the same process.
        unsafe { (self.api.PyOS_AfterFork_Parent)() }
    }

    pub fn after_fork_child(&self) {
        // SAFETY: follows `before_fork`, in the forked process.
        unsafe { (self.api.PyOS_AfterFork_Child)() }
    }

    /// Calls a function of the harness that returns bytes.
    fn call(&self, function: &CStr, arguments: &[Argument<'_>]) -> Result<Vec<u8>, PythonError> {
        // SAFETY: the interpreter is up and this thread holds its lock. Each object is used while it is owned: a tuple
        // takes over its items, and what a call returns is owned by the caller. Null means that an exception is set,
        // which `object` takes.
        unsafe {
            let function = self.object((self.api.PyObject_GetAttrString)(self.harness, function.as_ptr()))?;
            let tuple = self.object((self.api.PyTuple_New)(arguments.len().cast_signed()))?;
            for (index, argument) in arguments.iter().enumerate() {
                let item = self.object(match argument {
                    Argument::Bytes(bytes) => {
                        (self.api.PyBytes_FromStringAndSize)(bytes.as_ptr().cast(), bytes.len().cast_signed())
                    }
                    Argument::Number(number) => (self.api.PyLong_FromLong)(number.cast_signed()),
                })?;
                (self.api.PyTuple_SetItem)(tuple, index.cast_signed(), item);
            }
            let result = (self.api.PyObject_CallObject)(function, tuple);
            (self.api.Py_DecRef)(tuple);
            (self.api.Py_DecRef)(function);
            let result = self.object(result)?;
            let (mut data, mut length) = (ptr::null_mut(), 0);
            if (self.api.PyBytes_AsStringAndSize)(result, &raw mut data, &raw mut length) != 0 {
                return Err(self.raised());
            }
            let bytes = std::slice::from_raw_parts(data.cast::<u8>(), length.cast_unsigned()).to_vec();
            (self.api.Py_DecRef)(result);
            Ok(bytes)
        }
    }

    /// Passes an object on, or the exception where there is none.
    ///
    /// # Safety
    /// The interpreter must be up, and null must mean that an exception is set.
    unsafe fn object(&self, object: Object) -> Result<Object, PythonError> {
        // SAFETY: the caller promises that an exception is set.
        if object.is_null() { Err(unsafe { self.raised() }) } else { Ok(object) }
    }

    /// Takes the exception.
    ///
    /// # Safety
    /// The interpreter must be up, and an exception must be set.
    unsafe fn raised(&self) -> PythonError {
        // SAFETY: an exception is set, so an owned reference comes back, and likewise its class.
        unsafe {
            let exception = (self.api.PyErr_GetRaisedException)();
            let class = (self.api.PyObject_Type)(exception);
            let name = self.text((self.api.PyObject_GetAttrString)(class, c"__name__".as_ptr()));
            let text = self.text((self.api.PyObject_Str)(exception));
            (self.api.Py_DecRef)(class);
            (self.api.Py_DecRef)(exception);
            PythonError::Raised(last_line(&name, &text))
        }
    }

    /// Text of a string object, which is released; nothing where there is none.
    ///
    /// # Safety
    /// The interpreter must be up, and the object, if there is one, owned by the caller.
    unsafe fn text(&self, object: Object) -> String {
        // SAFETY: the bytes are the object's, which is held until they have been copied.
        unsafe {
            let mut length = 0;
            let data = if object.is_null() {
                ptr::null()
            } else {
                (self.api.PyUnicode_AsUTF8AndSize)(object, &raw mut length)
            };
            let bytes = if data.is_null() {
                (self.api.PyErr_Clear)();
                &[][..]
            } else {
                std::slice::from_raw_parts(data.cast::<u8>(), length.cast_unsigned())
            };
            let text = String::from_utf8_lossy(bytes).into_owned();
            if !object.is_null() {
                (self.api.Py_DecRef)(object);
            }
            text
        }
    }
}

/// The error with what the loader says, which names the file that is missing.
fn with_source(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// An exception in one line of bounded length, for messages between processes and for the log.
fn last_line(class: &str, text: &str) -> String {
    const MAX_CHARS: usize = 500;
    let line = if text.is_empty() { class.to_owned() } else { format!("{class}: {text}") };
    line.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_is_one_short_line() {
        assert_eq!(last_line("OSError", "[Errno 28]\n  No space"), "OSError: [Errno 28] No space");
        assert_eq!(last_line("KeyboardInterrupt", ""), "KeyboardInterrupt");
        assert_eq!(last_line("ValueError", &"é".repeat(9000)).chars().count(), 500);
    }
}
