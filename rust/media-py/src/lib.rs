//! The Python module `rostra._media`: converts, never decides.

use std::net::SocketAddr;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;

use media_io::{Serving, serve};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

/// Runs the media core on inherited descriptors until SIGTERM; see `_media.pyi`.
#[pyfunction]
#[pyo3(name = "serve", signature = (*, region, capacity, udp, control, candidates, ready, on_active))]
#[allow(clippy::too_many_arguments)] // Named arguments on the Python side.
fn serve_py(
    py: Python<'_>,
    region: i32,
    capacity: u32,
    udp: Vec<i32>,
    control: i32,
    candidates: Vec<String>,
    ready: Option<i32>,
    on_active: Py<PyAny>,
) -> PyResult<()> {
    let candidates = candidates
        .iter()
        .map(|text| text.parse::<SocketAddr>().map_err(|_| PyValueError::new_err(format!("{text} is not an address and port"))))
        .collect::<PyResult<Vec<_>>>()?;
    let serving = Serving {
        region: owned(region)?,
        capacity,
        udp: udp.into_iter().map(owned).collect::<PyResult<_>>()?,
        control: UnixListener::from(owned(control)?),
        candidates,
        ready: ready.map(owned).transpose()?.map(std::fs::File::from),
    };
    py.detach(|| {
        serve(serving, || {
            // A title that cannot be set is no reason not to serve.
            let _ = Python::attach(|py| on_active.call0(py));
        })
    })
    .map_err(|error| PyOSError::new_err(error.to_string()))
}

fn owned(fd: i32) -> PyResult<OwnedFd> {
    if fd < 0 {
        return Err(PyValueError::new_err("a descriptor cannot be negative"));
    }
    // SAFETY: the caller hands over a descriptor that it inherited and does not use itself.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The native module `rostra._media`.
#[pymodule(gil_used = false)]
fn _media(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(serve_py, module)?)
}
